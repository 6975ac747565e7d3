"""Gradient-based data valuation under differential privacy: the whole study.

Data flows one way: data set -> training -> scores -> selections -> figures and tables.
Targets: all, figure1 ... figure10, table1, scorecard, levels, learning_curves, free_scores,
questions (correlations, explained, doses, planted, reliability, ...), federation, audit,
privacy_cost; see README.md.
"""

import sys
from pathlib import Path

from snakemake.common.configfile import load_configfile
from snakemake.utils import min_version, update_config

min_version("9.12")

# The checkout that this file lies in, also where it is a module of another workflow.
ROOT = Path(str(workflow.current_basedir))
IS_MODULE = not workflow.modifier.is_main_snakefile()

# The checkout's own package, here and in scripts, even where another copy is installed.
sys.path.insert(0, str(ROOT / "src"))

from gradval.runtime.adoption import adopt_results
from gradval.runtime.bytecode import keep_bytecode
from gradval.runtime.code import put_checkout_first
from gradval.runtime.plugins import find_plugins_in

put_checkout_first()
keep_bytecode(".snakemake/bytecode")
# The results of another workflow are that workflow's.
if workflow.is_main_process and not IS_MODULE:
    adopt_results()


configfile: ROOT / "config.yaml"


# The config that a module is given takes the place of the file; here it is merged over it.
if IS_MODULE:
    given, config = config, load_configfile(ROOT / "config.yaml")
    update_config(config, given)

# A user's own scores and architectures lie beside a config, or where Snakemake runs.
find_plugins_in(*(Path(file).parent for file in workflow.configfiles), Path.cwd())


include: "workflow/functions/common.smk"
include: "workflow/functions/runs.smk"
include: "workflow/functions/resources.smk"
include: "workflow/functions/shards.smk"
include: "workflow/functions/spending.smk"
include: "workflow/functions/evidence.smk"
include: "workflow/functions/questions.smk"
include: "workflow/functions/sites.smk"
include: "workflow/functions/page.smk"
include: "workflow/functions/targets.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/scores.smk"
include: "workflow/rules/comparison.smk"
include: "workflow/rules/pruning.smk"
include: "workflow/rules/ledgers.smk"
include: "workflow/rules/budget.smk"
include: "workflow/rules/presentation.smk"
include: "workflow/rules/questions.smk"
include: "workflow/rules/audit.smk"
include: "workflow/rules/federation.smk"
include: "workflow/rules/report.smk"


report: "workflow/report/workflow.rst"


rule all:
    default_target: True
    input:
        announced_targets,


# What has no other name: said in one line. The targets of another workflow are that workflow's.
if not IS_MODULE:

    rule unknown_target:
        input:
            no_such_target,
        output:
            "{target}",
        wildcard_constraints:
            target=r"[\w-]+",
