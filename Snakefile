"""Gradient-based data valuation under differential privacy: the whole study.

Data flows one way: data set -> training -> scores -> selections -> figures and tables.
Targets: all, figure1 ... figure10, table1, scorecard, learning_curves; see README.md.
"""

import os
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.12")

# The checkout's package, also in scripts, even where an older copy is installed.
PACKAGE_ROOT = str(Path(workflow.basedir) / "src")
sys.path.insert(0, PACKAGE_ROOT)
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [PACKAGE_ROOT, os.environ.get("PYTHONPATH")])
)


configfile: workflow.basedir + "/config.yaml"





include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/scores.smk"
include: "workflow/rules/comparison.smk"
include: "workflow/rules/pruning.smk"
include: "workflow/rules/presentation.smk"


report: "workflow/report/workflow.rst"


rule all:
    default_target: True
    input:
        all_targets(),
