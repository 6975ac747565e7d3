"""The config, the paper's experiments, and the functions that the rules share."""

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
COMPARED_SCORES = [name for name in registry.FOR_COMPARISON if name in SCORES]
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


def variants_of(wildcards):
    """The variants of scores that the checkpoints of a run allow."""
    return variants(recipe_of(wildcards)["checkpoints"])


def variant_code(wildcards):
    """Import paths of the architecture of a run and of all scores that have variants."""
    choices = dict.fromkeys(variant.choice for variant in variants_of(wildcards))
    return architecture(wildcards) + [
        registry.SCORES.path(choice) for choice in choices
    ]


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


def dataset_needs(wildcards, output):
    """What selections need of a data set. As it takes `output`, a change of it alone does not
    prepare the data set anew, and train all models."""
    needs = needs_of(RUN_EXPERIMENTS, STUDY.selection.k, wildcards.dataset)
    return [vars(need) for need in needs]


def recipe_of(wildcards):
    """The resolved hyper-parameters of a run."""
    return experiments.recipe(
        STUDY, wildcards.dataset, wildcards.model, wildcards.privacy
    )


def schedule_of(wildcards):
    """The part of a recipe that the privacy plan depends on."""
    recipe = recipe_of(wildcards)
    keys = ("batch_size", "epochs", "first_epochs", "second_epochs")
    return {key: recipe[key] for key in keys}


def privacy_target(wildcards):
    """Target epsilon (None without privacy) and delta of a setting."""
    return {
        "target_epsilon": names.epsilon_of(wildcards.privacy),
        "delta": STUDY.datasets[wildcards.dataset].delta,
    }


def planned_privacy(wildcards):
    """What noise is solved for: the target, under the accountant of the claim."""
    return privacy_target(wildcards) | {"accountant": STUDY.privacy.accountants[0]}


def stated_privacy(wildcards):
    """What ledgers state: the target, and epsilon under every accountant."""
    return privacy_target(wildcards) | {"accountants": STUDY.privacy.accountants}


def secret_noise(wildcards):
    """Whether the private runs of a data set draw noise that nobody can repeat."""
    return experiments.secret_noise(STUDY, wildcards.dataset)


def seeded_notice():
    """What captions must say of an epsilon, empty if there is nothing to say."""
    return SEEDED_NOTICE if experiments.seeds_noise(STUDY) else ""


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


def adopted_inputs(wildcards):
    """The checkpoints of a model that is trained already, and the events of its training."""
    block = STUDY.models[wildcards.model].checkpoints
    where = f"models.{wildcards.model}.checkpoints"
    try:
        files = find_checkpoints(block.of_run(wildcards.seed, wildcards.draw))
    except ValueError as error:
        sys.exit(f"config: {where}.files: {error}")
    if block.events is not None and not Path(block.events).is_file():
        sys.exit(f"config: {where}.events: there is no file {block.events}")
    events = {} if block.events is None else {"events": block.events}
    # A bare name without a suffix would pass for a target.
    paths = [path if path.suffix else path.absolute() for path in files]
    return {"checkpoints": [str(path) for path in paths], **events}


def release_epsilon(wildcards):
    """Epsilon of a release of one score of a run."""
    return experiments.release_epsilon(STUDY, wildcards.privacy)


def released_epsilon(wildcards):
    """The same, from the first phase or from a full run."""
    return experiments.release_epsilon(STUDY, wildcards.privacy, wildcards.phase)


def full_release_epsilons(wildcards):
    """Epsilon of each release from a full run that its noise leaves room for."""
    return experiments.planned_releases(STUDY, wildcards.privacy)


def releasable_scores(wildcards):
    """Score files that are released, or one line that says why nothing may be."""
    if wildcards.phase == "full" and not STUDY.release.full:
        sys.exit(
            f"config: release.full is false: a full run at {wildcards.privacy} spends all of its "
            "epsilon on training; set it to true, which leaves room for the releases"
        )
    folder = f"{run_folder(wildcards)}/{wildcards.phase}"
    return score_files(folder, STUDY.pruning.scores)


def comparison_inputs(wildcards):
    """Score tables of both sides of a comparison, for every run, and the images it shows."""
    comparison = COMPARISONS[wildcards.comparison]
    a, b = comparison.settings
    return {
        "a": run_files([a], f"full/scores/{comparison.a.score}.parquet"),
        "b": run_files([b], f"full/scores/{comparison.b.score}.parquet"),
        "store": store_of(comparison.dataset),
    }


def comparison_files(comparisons, *files):
    """Files of several comparisons."""
    return [
        f"results/comparisons/{name}/{file}" for name in comparisons for file in files
    ]


def figure_inputs(wildcards):
    """What a figure is drawn from."""
    figure = FIGURES[wildcards.figure]
    if figure.kind in experiments.RUN_FIGURES:
        return {
            "scores": run_files(
                [figure.setting],
                f"full/scores/{figure.score}.parquet",
                runs=FIRST_RUN,
            ),
            "summary": run_files([figure.setting], "full/summary.json", runs=FIRST_RUN),
            "store": store_of(figure.dataset),
        }
    shown = [comparison.name for comparison in figure.comparisons]
    inputs = {
        "statistics": comparison_files(shown, "statistics.csv"),
        "store": store_of(figure.comparisons[0].dataset),
    }
    if figure.kind == "pair":
        inputs["selections"] = comparison_files(shown, "selections.csv")
    return inputs


def figure_report_labels(wildcards):
    """What the report calls a figure, by which it also sorts."""
    figure = FIGURES[wildcards.figure]
    return {"figure": figure_label(figure.name), "shows": figure.title}


def figure_target(name):
    """The file of a figure, or one line that says why this config cannot draw it."""

    def target(wildcards):
        if name not in FIGURES:
            sys.exit(
                f"config: {name} shows settings that this config does not train: "
                "see grid and substitutes"
            )
        return f"results/figures/{name}.png"

    return target


def free_scores_inputs(wildcards):
    """Free and exact scores of every run, or one line that says how to collect the former."""
    if not STUDY.scores.free:
        sys.exit(
            "config: free_scores needs runs that collect them: set scores.free to true"
        )
    return {
        "free": run_files(TRAINED, "full/free_scores.parquet"),
        "exact": run_files(
            TRAINED,
            *score_files("full", [s for s in names.FREE_SCORES if s in SCORES]),
        ),
    }


def runs_inputs(wildcards):
    """What is collected from every full or pruned run."""
    parts = {
        "summary": "summary.json",
        "timing": "timing.json",
        "ledger": "ledger.json",
    }
    settings = SETTINGS if wildcards.kind == "full" else PRUNED
    datasets = dict.fromkeys(setting.dataset for setting in settings)
    labels = {"labels": [f"resources/{name}/test_labels.npy" for name in datasets]}
    if wildcards.kind == "full":
        inputs = labels | {
            key: run_files(SETTINGS, f"full/{name}") for key, name in parts.items()
        }
        scoring = run_files(SETTINGS, "full/scoring.json") if SHARED_SCORES else []
        return inputs | {"scoring": scoring}
    inputs = labels | {
        key: run_files(PRUNED, *(f"pruned/{removal}/{name}" for removal in REMOVALS))
        for key, name in parts.items()
    }
    return inputs | {
        "first": run_files(PRUNED, "first/summary.json"),
        "first_timing": run_files(PRUNED, "first/timing.json"),
    }


def trained_metrics(wildcards):
    """Accuracies over every training, or one line that says that there is none."""
    if not TRAINED:
        sys.exit(
            "config: learning_curves shows trainings, but every model has checkpoints"
        )
    return run_files(TRAINED, "full/metrics.csv")


def levels_inputs(wildcards):
    """The scores of the paper, of every run on a data set: what its claims are judged by."""
    settings = [s for s in SETTINGS if s.dataset == wildcards.dataset]
    return run_files(settings, *score_files("full", SHARED_SCORES))


def compares_levels():
    """Whether the grid tells what a privacy level changes from what noise and weights do."""
    grid = STUDY.grid
    return min(len(grid.seeds), len(grid.draws), len(grid.privacy)) >= 2


def compared_levels(wildcards):
    """Agreement of every data set, or one line that says what the grid lacks."""
    if not compares_levels():
        sys.exit(
            "config: levels needs at least two of each of grid.seeds, grid.draws and "
            "grid.privacy"
        )
    return {
        "by_seed": [f"results/levels/{name}.csv" for name in STUDY.grid.datasets],
        "summary": [
            f"results/levels/{name}_summary.csv" for name in STUDY.grid.datasets
        ],
    }


def no_such_target(wildcards):
    """Stop with one line that says what can be asked for by name."""
    there = ["all", *FIGURE_NAMES, *SHORT_TARGETS]
    near = nearest(wildcards.target, there)
    sys.exit(
        f"there is no target {wildcards.target!r}{near} there are {', '.join(there)}"
    )


def all_targets():
    """Everything that the default target builds."""
    curves = ["learning_curves"] if TRAINED else []
    targets = [f"results/figures/{name}.png" for name in [*FIGURES, *curves]]
    targets += ["results/runs/full_ledger.html"]
    if CONCERNS_PAPER:
        targets += ["results/scorecard.csv"]
    if STUDY.scores.free and TRAINED:
        targets += ["results/free_scores.csv"]
    if compares_levels():
        targets += ["results/levels.csv"]
    if PRUNED:
        targets += ["results/table1.csv", "results/runs/pruned_ledger.html"]
    # An overlay with another data set inherits the federation of the default one.
    if FEDERATION and FEDERATION.dataset in STUDY.grid.datasets:
        targets += federation_targets()
    if RELEASED:
        targets += run_files(PRUNED, "first/released_scores.ledger.json")
    if BY_GROUP:
        targets += run_files(SETTINGS, "full/group_scores.parquet")
    if any(names.is_private(setting.privacy) for setting in SETTINGS):
        targets += ["results/privacy_cost.csv"]
    targets += ["results/index.html"]
    # Named, or a score file that is missing would not be missed while the figures exist.
    targets += run_files(SETTINGS, *score_files("full", SCORES))
    return targets + run_files(PRUNED, *score_files("first", STUDY.pruning.scores))
