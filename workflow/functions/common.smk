"""The config, the paper's experiments, names and paths that all rules share."""

import re

from gradval.data.needs import check_prepared
from gradval.models import adopted
from gradval.models.checkpoint_files import find_checkpoints
from gradval.models.registry import ARCHITECTURES
from gradval.privacy.ledger import SEEDED_NOTICE
from gradval.report.labels import figure_label
from gradval.runtime.code import code_digest, file_digest
from gradval.runtime.files import keep_to_owner
from gradval.scores import registry
from gradval.scores.variants import variants
from gradval.study import checks, experiments, names
from gradval.study.config import validate
from gradval.study.config_errors import ConfigError, check_repeated_keys
from gradval.study.fields import nearest
from gradval.study.needs import needs_of
from gradval.study.paper import read_paper, run_settings, table1_substitutes

try:
    for file in workflow.configfiles:
        check_repeated_keys(file)
    PAPER = read_paper(ROOT / "paper")
    STUDY = validate(config)
    checks.check_paper(STUDY, PAPER)
except ConfigError as error:
    sys.exit(f"config: {error}")

# Exact scores, images and figures of people are for their owner alone, as their weights are; jobs
# inherit this from the process that starts them, and those of a cluster read it here themselves.
if experiments.has_private_data(STUDY):
    keep_to_owner()

# Name -> what the config calls it: the same, or an import path.
SCORES = registry.choices_by_name(STUDY.scores.chosen)
SHARED_SCORES = [name for name in registry.SHARED_PASS if name in SCORES]
# A score of one's own may have the name of one of the package.
COMPARED_SCORES = [name for name in registry.FOR_COMPARISON if SCORES.get(name) == name]
# Every pair of initial weights and draw of sampling and noise is one run of a setting.
RUNS = [(seed, draw) for seed in STUDY.grid.seeds for draw in STUDY.grid.draws]
FIRST_RUN = RUNS[:1]
SETTINGS = experiments.settings(STUDY)
# Models that are trained already: a run of one is adopted, all others are trained.
ADOPTED = experiments.adopted_models(STUDY)
TRAINED = [setting for setting in SETTINGS if setting.model not in ADOPTED]
PRUNED = experiments.pruning_settings(STUDY)
AUDITED = experiments.audited_settings(STUDY)
REMOVALS = names.removals(STUDY.pruning.scores, STUDY.pruning.selection)
RELEASED = experiments.releases_scores(STUDY)
MODELS = {name: model.options() for name, model in STUDY.models.items()}
DATASETS = {name: dataset.options() for name, dataset in STUDY.datasets.items()}
RUN_EXPERIMENTS = experiments.experiments_run(STUDY, PAPER)
COMPARISONS, FIGURES = RUN_EXPERIMENTS.comparisons, RUN_EXPERIMENTS.figures
try:
    # Those that are not prepared yet are checked when they are.
    for name in STUDY.grid.datasets:
        needed = needs_of(RUN_EXPERIMENTS, STUDY.selection.k, name)
        check_prepared(Path("resources", name), needed)
except ValueError as error:
    sys.exit(f"config: {error}")
FEDERATION = STUDY.federation
BY_GROUP = STUDY.privacy.unit == "group"
# By groups with scripts of their own, so that trainings by samples do not depend on their code.
PLANNING = "plan_group_privacy" if BY_GROUP else "plan_privacy"
TRAINING = "train_groups" if BY_GROUP else "train_model"
FIGURE_NAMES = [*PAPER.figures, *STUDY.figures]
# Short names for what people ask for.
SHORT_TARGETS = (
    *("index", "table1", "scorecard", "levels", "learning_curves", "free_scores"),
    *("questions", "federation", "audit", "privacy_cost"),
)
# Who studies data of his own alone is spared what the paper says of others.
CONCERNS_PAPER = experiments.concerns_paper(STUDY, PAPER)
CLAIMS_FILE = ROOT / "paper/claims.csv"


def one_of(values):
    """A wildcard that is one of some values, or of none at all."""
    return "|".join(sorted(map(re.escape, values))) or "(?!)"


DATA = "resources/{dataset}"
SETTING = "results/{dataset}/{model}/{privacy}"
RUN = f"{SETTING}/seed{{seed}}/draw{{draw}}"


wildcard_constraints:
    dataset="|".join(STUDY.datasets),
    model="|".join(STUDY.models),
    privacy=names.PRIVACY_PATTERN,
    seed=r"\d+",
    draw=r"\d+",
    phase="full|first",
    comparison="|".join([*PAPER.comparisons, *STUDY.comparisons]),
    figure="|".join(FIGURE_NAMES),
    kind="full|pruned",
    score="|".join(SCORES),


def code_of(script, chosen=None):
    """Function of wildcards: digest of the code that a script runs; its change reruns the rule.

    `chosen`, a function of wildcards, gives the import paths of what the script loads by name.
    """
    path = ROOT / f"workflow/scripts/{script}.py"
    return lambda wildcards: code_digest(path, *(chosen(wildcards) if chosen else ()))


def loader(wildcards):
    """Import path of the function that reads a data set of the user's own source."""
    options = DATASETS[wildcards.dataset]
    return [options["loader"]] if options["source"] == "own" else []


def architecture(wildcards):
    """Import paths of the architecture of a run, as far as its code is ours or the user's."""
    block = STUDY.models[wildcards.model]
    if block.checkpoints is None:
        return [ARCHITECTURES.path(block.architecture)]
    own = not block.architecture.startswith(adopted.TORCHVISION)
    path = [ARCHITECTURES.path(block.architecture)] if own else []
    return ["gradval.models.own:build_own_model", *path]


def scored_by(*fixed):
    """Function of wildcards: import paths of an architecture and of scores, fixed or a wildcard."""

    def chosen(wildcards):
        scores = fixed or [wildcards.score]
        paths = [registry.SCORES.path(SCORES[score]) for score in scores]
        return architecture(wildcards) + paths

    return chosen


def score_files(folder, scores):
    """The files of several scores of a run."""
    return [f"{folder}/scores/{score}.parquet" for score in scores]


def score_options(score):
    """The options of a score, with the defaults that it declares."""
    given = STUDY.scores.options.get(score)
    return registry.options_of(SCORES[score], given).model_dump()


def scored_files():
    """What scores of checkpoints are computed from."""
    run = (
        "weights.safetensors",
        "checkpoints.safetensors",
        "metrics.csv",
        "events.json",
    )
    return {name.partition(".")[0]: f"{RUN}/{{phase}}/{name}" for name in run} | {
        "store": [f"{DATA}/{name}" for name in names.STORE_FILES]
    }


def when(condition, **files):
    """Files that a rule reads or writes only under a condition of the config."""
    return files if condition else {}


def store_of(dataset):
    """The files of a data set's canonical store."""
    return [f"{DATA}/{name}".format(dataset=dataset) for name in names.STORE_FILES]


def run_files(settings, *files, runs=RUNS):
    """Files of every run of some settings."""
    folders = [
        RUN.format(seed=seed, draw=draw, **vars(setting))
        for setting in settings
        for seed, draw in runs
    ]
    return [f"{folder}/{file}" for folder in folders for file in files]


def run_folder(wildcards):
    """The folder of a run."""
    keys = ("dataset", "model", "privacy", "seed", "draw")
    return RUN.format(**{key: getattr(wildcards, key) for key in keys})


def of_every_run(*names):
    """Files of all runs of a setting, by their names in the folder of a run."""
    return [
        f"{SETTING}/seed{seed}/draw{draw}/{name}"
        for seed, draw in RUNS
        for name in names
    ]


def retrained(name):
    """One file of the first phase and of each removal, by its name in their folders."""
    return [f"first/{name}", *(f"pruned/{removal}/{name}" for removal in REMOVALS)]
