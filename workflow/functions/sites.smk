"""What the rules of the federation share."""

FEDERATED = "results/federation/{scenario}/seed{seed}"


wildcard_constraints:
    scenario="|".join(FEDERATION.scenarios) if FEDERATION else "none",


def needs_federation():
    """Stop with one line if the config has no federation."""
    if not FEDERATION:
        sys.exit("config: federation is missing; see config.yaml for an example")


def federated_files(*files):
    """Files of every scenario and seed, or one line that says how to have some."""
    needs_federation()
    folders = [
        FEDERATED.format(scenario=scenario, seed=seed)
        for scenario in FEDERATION.scenarios
        for seed in FEDERATION.seeds
    ]
    return [f"{folder}/{file}" for folder in folders for file in files]


def federation_store(wildcards):
    """The store that sites share."""
    return store_of(FEDERATION.dataset)


def scenario_of(wildcards):
    """A scenario as plain values."""
    return FEDERATION.scenarios[wildcards.scenario].model_dump()


def federation_setting(privacy, own=None):
    """What is trained at a privacy level: model, recipe (with some `own` hyper-parameters), and the
    privacy that is planned for."""
    setting = names.Setting(FEDERATION.dataset, FEDERATION.model, privacy)
    recipe = experiments.recipe(STUDY, *vars(setting).values())
    return {
        "model": MODELS[FEDERATION.model],
        "recipe": recipe | (own.model_dump(exclude_none=True) if own else {}),
        "privacy": planned_privacy(setting),
        "secret_noise": experiments.secret_noise(STUDY, FEDERATION.dataset),
    }


def federation_report():
    """What every site publishes."""
    block = FEDERATION.report.model_dump()
    bounds = {score: STUDY.release.bounds[score] for score in FEDERATION.scores}
    return block | {"bounds": bounds}


def variance_query():
    """Bound and checkpoints of the paper's variance query of VoG, None if it is not asked for."""
    if FEDERATION.gradient_bound is None:
        return None
    recipe = federation_setting(FEDERATION.privacy)["recipe"]
    return {"bound": FEDERATION.gradient_bound, "checkpoints": recipe["checkpoints"]}


def federation_architecture(wildcards):
    """Import paths of what the jobs of the federation load by name."""
    scores = [registry.SCORES.path(SCORES[score]) for score in FEDERATION.scores]
    return [ARCHITECTURES.path(MODELS[FEDERATION.model]["architecture"]), *scores]


def federation_memory(wildcards, attempt):
    """Memory of a job that holds the federation's data set and models."""
    return cost.data_memory_mb(size_of(FEDERATION.dataset), attempt=attempt) + 1000


def federation_targets():
    """Everything that the federation makes."""
    return [
        "results/federation/summary.csv",
        "results/figures/federation_values.png",
        "results/figures/federation_sites.png",
        *federated_files("report.csv", "ledgers.json", "guarantees.csv"),
    ]
