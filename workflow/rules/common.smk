"""Config, its validation, and the functions that the rules share."""

from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

from gradval.study import checks as study_checks, experiments as study, names
from gradval.data.class_names import OF_SOURCE
from gradval.models.registry import ARCHITECTURES
from gradval.privacy.ledger import SEEDED_NOTICE
from gradval.report.labels import figure_label
from gradval.runtime.code import code_digest, file_digest
from gradval.scores import registry as scores_registry
from gradval.study.config_errors import explain

# Classes that are known before the data set is prepared.
KNOWN_CLASSES = {
    name: OF_SOURCE[block["source"]]
    for name, block in config.get("datasets", {}).items()
    if isinstance(block, dict) and block.get("source") in OF_SOURCE
}


def check_config():
    """Stop with one line that names the key if the config is wrong."""
    try:
        validate(config, "../schemas/config.schema.yaml")
    except WorkflowError as error:
        sys.exit(f"config: {explain(error.__context__)}")
    try:
        study_checks.check(config, known_classes=KNOWN_CLASSES)
    except study.ConfigError as error:
        sys.exit(f"config: {error}")


check_config()

SEEDS = config["grid"]["seeds"]
COMPARISONS = study.comparisons(config)
FIGURES = [name for name in config["figures"] if study.figure_is_run(config, name)]
CLAIMS_FILE = f"{workflow.basedir}/workflow/claims.csv"
CLAIMS = study.read_claims(CLAIMS_FILE)
PRUNED = study.pruning_settings(config)
REMOVALS = names.removals(config["pruning"]["scores"], config["pruning"]["selection"])
# Name -> what the config calls it: the same, or an import path.
SCORES = scores_registry.choices_by_name(config["scores"]["names"])
SHARED_SCORES = [name for name in scores_registry.SHARED_PASS if name in SCORES]

DATA = "resources/{dataset}"
SETTING = "results/{dataset}/{model}/{privacy}"
RUN = f"{SETTING}/seed{{seed}}"


wildcard_constraints:
    dataset="|".join(config["datasets"]),
    model="|".join(config["models"]),
    privacy=names.PRIVACY_PATTERN,
    seed=r"\d+",
    phase="full|first",
    comparison="|".join(config["comparisons"]),
    figure="|".join(config["figures"]),
    kind="full|pruned",
    score="|".join(SCORES),


def code_of(script, chosen=None):
    """Function of wildcards: digest of the code that a script runs; its change reruns the rule.

    `chosen`, a function of wildcards, gives the import paths of what the script loads by name.
    """
    path = f"{workflow.basedir}/workflow/scripts/{script}.py"
    return lambda wildcards: code_digest(path, *(chosen(wildcards) if chosen else ()))


def architecture(wildcards):
    """Import path of the architecture of a run."""
    return [ARCHITECTURES.path(config["models"][wildcards.model]["architecture"])]


def scored_by(*fixed):
    """Function of wildcards: import paths of an architecture and of scores, fixed or a wildcard."""

    def chosen(wildcards):
        names = fixed or [wildcards.score]
        paths = [scores_registry.SCORES.path(SCORES[name]) for name in names]
        return architecture(wildcards) + paths

    return chosen


def score_files(folder, scores):
    """The files of several scores of a run."""
    return [f"{folder}/scores/{score}.parquet" for score in scores]


def store_of(dataset):
    """The files of a data set's canonical store."""
    return [f"{DATA}/{name}".format(dataset=dataset) for name in names.STORE_FILES]


def run_files(setting, seed, *names):
    """Files of one run of a setting."""
    folder = RUN.format(seed=seed, **vars(setting))
    return [f"{folder}/{name}" for name in names]


def recipe_of(wildcards):
    """The resolved hyper-parameters of a run."""
    return study.recipe(config, wildcards.dataset, wildcards.model, wildcards.privacy)


def schedule_of(wildcards):
    """The part of a recipe that the privacy plan depends on."""
    recipe = recipe_of(wildcards)
    keys = ("batch_size", "epochs", "first_epochs", "second_epochs")
    return {key: recipe[key] for key in keys}


def model_of(wildcards):
    """What defines the architecture of a run."""
    block = config["models"][wildcards.model]
    keys = ("architecture", "width", "groups", "weight_standardisation")
    return {key: block[key] for key in keys}


def scoring_options():
    """How scores are computed, whichever they are."""
    return {key: config["scores"][key] for key in ("normalisation", "batch_size")}


def score_options(score):
    """The options of a score, with the defaults that it declares."""
    given = config["scores"]["options"].get(score)
    return scores_registry.options_of(SCORES[score], given).model_dump()


def free_scores_output():
    """What training writes besides if it collects scores on the way."""
    if not config["scores"]["free"]:
        return {}
    return {"free_scores": f"{RUN}/{{phase}}/free_scores.parquet"}


def free_scores_inputs(wildcards):
    """Free and exact scores of every run, or one line that says how to collect the former."""
    if not config["scores"]["free"]:
        sys.exit(
            "config: free_scores needs runs that collect them: set scores.free to true"
        )
    return {
        "free": full_runs("free_scores.parquet"),
        "exact": full_runs(
            *(
                f"scores/{score}.parquet"
                for score in names.FREE_SCORES
                if score in SCORES
            )
        ),
    }


def released_scores_of_first_phase():
    """What pruning reads besides if it goes by released scores."""
    if not study.releases_scores(config):
        return {}
    return {"released": f"{RUN}/first/released_scores.parquet"}


def releases_of_first_phase():
    """What retraining after it reads besides."""
    if not study.releases_scores(config):
        return {}
    return {"released": f"{RUN}/first/released_scores.events.json"}


def release_epsilon(wildcards):
    """Epsilon of a release of one score of a run."""
    return study.release_epsilon(config, wildcards.privacy)


def planned_release(wildcards):
    """Epsilon of the release that the plan makes room for, None if there is none."""
    return release_epsilon(wildcards) if study.releases_scores(config) else None


def dataset_options(wildcards):
    """What defines a data set: its block of the config without the training part."""
    block = config["datasets"][wildcards.dataset]
    return {key: value for key, value in block.items() if key != "training"}


def privacy_target(wildcards):
    """Target epsilon (None without privacy) and delta of a setting."""
    return {
        "target_epsilon": names.epsilon_of(wildcards.privacy),
        "delta": config["datasets"][wildcards.dataset]["delta"],
    }


def planned_privacy(wildcards):
    """What noise is solved for: the target, under the accountant of the claim."""
    return privacy_target(wildcards) | {
        "accountant": config["privacy"]["accountants"][0]
    }


def stated_privacy(wildcards):
    """What ledgers state: the target, and epsilon under every accountant."""
    return privacy_target(wildcards) | {"accountants": config["privacy"]["accountants"]}


def secret_noise(wildcards):
    """Whether the private runs of a data set draw noise that nobody can repeat."""
    return study.secret_noise(config, wildcards.dataset)


def seeded_notice():
    """What captions must say of an epsilon, empty if there is nothing to say."""
    return SEEDED_NOTICE if study.seeds_noise(config) else ""


def of_every_seed(*names):
    """Files of all runs of a setting, by their names in the folder of a run."""
    return [f"{SETTING}/seed{seed}/{name}" for seed in SEEDS for name in names]


def retrained(name):
    """One file of the first phase and of each removal, by its name in their folders."""
    return [f"first/{name}", *(f"pruned/{removal}/{name}" for removal in REMOVALS)]


def side_scores(wildcards):
    """Score tables of both sides of a comparison, for every seed."""
    comparison = COMPARISONS[wildcards.comparison]
    return {
        side: [
            file
            for seed in SEEDS
            for file in run_files(
                getattr(comparison, side).setting,
                seed,
                f"full/scores/{getattr(comparison, side).score}.parquet",
            )
        ]
        for side in ("a", "b")
    }


def comparison_store(wildcards):
    """The store whose images a comparison shows."""
    return store_of(COMPARISONS[wildcards.comparison].a.setting.dataset)


def comparison_definition(wildcards):
    """A comparison as plain values."""
    comparison = COMPARISONS[wildcards.comparison]
    return {
        "name": comparison.name,
        "class_name": comparison.class_name,
        "largest": comparison.largest,
        "score_a": comparison.a.score,
        "score_b": comparison.b.score,
    }


def comparison_files(names, *files):
    """Files of several comparisons."""
    return [f"results/comparisons/{name}/{file}" for name in names for file in files]


def figure_inputs(wildcards):
    """What a figure is drawn from."""
    name = wildcards.figure
    if config["figures"][name]["kind"] in study.RUN_FIGURES:
        setting = study.figure_setting(config, name)
        return {
            "scores": run_files(
                setting,
                SEEDS[0],
                f"full/scores/{config['figures'][name]['score']}.parquet",
            ),
            "store": store_of(setting.dataset),
        }
    comparisons = study.figure_comparisons(config, name)
    inputs = {
        "statistics": comparison_files(comparisons, "statistics.csv"),
        "store": store_of(COMPARISONS[comparisons[0]].a.setting.dataset),
    }
    if config["figures"][name]["kind"] == "pair":
        inputs["selections"] = comparison_files(comparisons, "selections.csv")
    return inputs


def figure_report_labels(wildcards):
    """What the report calls a figure, by which it also sorts."""
    name = wildcards.figure
    return {"figure": figure_label(name), "shows": config["figures"][name]["title"]}


def figure_definition(wildcards):
    """A figure as plain values, with its parts cast."""
    name = wildcards.figure
    block = dict(config["figures"][name])
    block["name"] = name
    block["stand_ins"] = study.figure_stand_ins(config, name)
    if block["kind"] in study.RUN_FIGURES:
        setting = study.figure_setting(config, name)
        block["setting"] = [setting.dataset, setting.model, setting.privacy]
    else:
        block["sides"] = {
            c: study.describe(COMPARISONS[c])
            for c in study.figure_comparisons(config, name)
        }
    return block


def figure_target(name):
    """The file of a figure, or one line that says why this config cannot draw it."""

    def target(wildcards):
        if name not in FIGURES:
            sys.exit(
                f"config: {name} shows settings that this config does not train: "
                "see grid and stand_ins"
            )
        return f"results/figures/{name}.png"

    return target


def paper_values(wildcards):
    """The numbers that the paper prints for the comparison of a figure."""
    names = study.figure_comparisons(config, wildcards.figure)
    return {
        claim["measure"]: float(claim["value"])
        for claim in CLAIMS
        if claim["kind"] == "comparison" and names == [claim["source"]]
    }


def full_runs(*names):
    """Files of every run of the grid."""
    return [
        file
        for setting in study.settings(config)
        for seed in SEEDS
        for file in run_files(setting, seed, *(f"full/{name}" for name in names))
    ]


def pruned_runs(*names):
    """Files of every pruned run."""
    return [
        file
        for setting in PRUNED
        for seed in SEEDS
        for removal in REMOVALS
        for file in run_files(
            setting, seed, *(f"pruned/{removal}/{name}" for name in names)
        )
    ]


def first_phases(name):
    """One file of every first phase before pruning."""
    return [
        file
        for setting in PRUNED
        for seed in SEEDS
        for file in run_files(setting, seed, f"first/{name}")
    ]


def runs_inputs(wildcards):
    """What is collected from every full or pruned run."""
    files = full_runs if wildcards.kind == "full" else pruned_runs
    inputs = {
        "summary": files("summary.json"),
        "timing": files("timing.json"),
        "ledger": files("ledger.json"),
    }
    if wildcards.kind == "full":
        return inputs | {"scoring": full_runs("scoring.json") if SHARED_SCORES else []}
    return inputs | {"first": first_phases("timing.json")}


def pruning_stand_ins():
    """Who plays the parts of Table 1."""
    block = config["pruning"]
    return study.stand_ins(config, block["dataset"], block["model"])


def scorecard_inputs(wildcards):
    """All the evidence that this config makes."""
    inputs = {
        "full": "results/runs/full.csv",
        "statistics": comparison_files(COMPARISONS, "statistics.csv"),
        "selections": comparison_files(COMPARISONS, "selections.csv"),
    }
    return inputs | ({"pruned": "results/runs/pruned.csv"} if PRUNED else {})


def audit_options():
    """What an audit does, fixed before it starts."""
    keys = ("canaries", "guesses", "confidence")
    return {key: config["audit"][key] for key in keys}


def audited_runs(wildcards):
    """The results of all audits, or one line that says why there are none."""
    settings = study.audited_settings(config)
    if not settings:
        sys.exit("config: audit: nobody plays its data set or model: see stand_ins")
    return [
        file
        for setting in settings
        for seed in SEEDS
        for file in run_files(setting, seed, "audit/audit.json")
    ]


def all_targets():
    """Everything that the default target builds."""
    targets = [f"results/figures/{name}.png" for name in [*FIGURES, "learning_curves"]]
    targets += ["results/scorecard.csv", "results/runs/full_ledger.html"]
    if config["scores"]["free"]:
        targets += ["results/free_scores.csv"]
    if PRUNED:
        targets += ["results/table1.csv", "results/runs/pruned_ledger.html"]
    if study.releases_scores(config):
        targets += first_phases("released_scores.ledger.json")
    # Named, or a score file that is missing would not be missed while the figures exist.
    targets += full_runs(*(f"scores/{score}.parquet" for score in SCORES))
    scores = config["pruning"]["scores"]
    return targets + [f for s in scores for f in first_phases(f"scores/{s}.parquet")]
