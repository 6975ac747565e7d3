"""What jobs ask a scheduler for, and what the whole study is expected to cost."""

import json
from functools import cache

from snakemake.logging import logger

from gradval.study import cost

GPUS = STUDY.cost.gpus
SPEEDUP = STUDY.cost.gpu_speedup
# Of the device that jobs run on, against the core that the model is in.
SPEED = SPEEDUP if GPUS else 1
LONGEST = STUDY.cost.longest_minutes


@cache
def size_of(dataset):
    """Size of a data set: its prepared store's, or else what is known of its source."""
    path = Path("resources", dataset, "dataset.json")
    if path.exists():
        facts = json.loads(path.read_text(encoding="utf-8"))
        images = facts["images"]
        return cost.Size(images["train"], images["test"], facts["image_shape"][-1])
    return expected_size(dataset)


def expected_size(dataset):
    """Size of a data set by its config and what is known of its source."""
    block = DATASETS[dataset]
    size = cost.KNOWN_SIZES.get(block["source"], cost.ASSUMED_SIZE)
    return cost.Size(
        block.get("train_images", size.train),
        block.get("test_images", size.test),
        block.get("image_size", size.image_size),
    )


@cache
def unit_of(dataset, model):
    """Cost of one sample of a plain training step."""
    block = MODELS[model]
    image_size = size_of(dataset).image_size
    return cost.unit_cost(block["architecture"], block["width"], image_size)


def kept_if_asked(checkpoints):
    """The file of a run's checkpoints, nine tenths of what a study leaves on disk."""
    return checkpoints if STUDY.cost.keep_checkpoints else temp(checkpoints)


# What finished runs left, by kind of work: file, its key, and the stage.
TIMINGS = {
    "Training": ("timing.json", "training_seconds", "full"),
    "Scoring": ("scoring.json", "scoring_seconds", "score"),
}


@cache
def measured(kind):
    """What the finished full runs of the grid say of the expectations.

    A model that came with checkpoints says nothing: it was not trained, and its cost is a guess.
    """
    file, key, stage = TIMINGS[kind]
    found = []
    for setting in TRAINED:
        expected = modelled_cost(stage, *vars(setting).values()).core_seconds / SPEED
        for path in map(Path, run_files([setting], f"full/{file}")):
            if path.exists():
                seconds = json.loads(path.read_text(encoding="utf-8"))[key]
                found.append((seconds, expected))
    return cost.calibrate(found)


def job_cost(stage, dataset, model, privacy):
    """Expected cost of one job of a stage, after what finished runs took."""
    kind = "Scoring" if stage == "score" else "Training"
    return measured(kind).apply(modelled_cost(stage, dataset, model, privacy))


def modelled_cost(stage, dataset, model, privacy):
    """Modelled cost of one job of a stage: full, first, audit, score, or retrain."""
    unit, size = unit_of(dataset, model), size_of(dataset)
    recipe = experiments.recipe(STUDY, dataset, model, privacy)
    private = names.is_private(privacy)
    if stage == "score":
        return cost.scoring_job(unit, size, recipe["checkpoints"])
    if stage == "retrain":
        return cost.retraining_job(
            unit,
            size,
            recipe,
            private=private,
            removals=len(REMOVALS),
            fraction=STUDY.pruning.fraction,
        )
    if stage == "audit":
        size = size._replace(train=size.train + STUDY.audit.canaries)
    epochs = recipe["first_epochs" if stage == "first" else "epochs"]
    return cost.training_job(
        unit,
        size,
        recipe,
        private=private,
        epochs=epochs,
        checkpoints_kept=STUDY.cost.keep_checkpoints,
    )


@cache
def shards_of(dataset):
    """Into how many jobs the scoring of a run on a data set is split."""
    if STUDY.scores.shards != "auto":
        return STUDY.scores.shards
    # What the config says, not the prepared store: preparing it shall not score anew.
    size = expected_size(dataset)
    units = {
        model: cost.unit_cost(block["architecture"], block["width"], size.image_size)
        for model, block in MODELS.items()
        if model in STUDY.grid.models
    }
    return cost.scoring_shards(
        cost.scoring_job(
            units[setting.model],
            size,
            experiments.recipe(STUDY, *vars(setting).values())["checkpoints"],
        )
        for setting in SETTINGS
        if setting.dataset == dataset
    )


def minutes_of(stage=None):
    """Function of wildcards and attempt: the time limit of a job."""

    def minutes(wildcards, attempt):
        part = stage or wildcards.phase
        setting = (wildcards.dataset, wildcards.model, wildcards.privacy)
        return cost.job_minutes(job_cost(part, *setting), SPEED, attempt, LONGEST)

    return minutes


def model_memory(wildcards, attempt):
    """Host memory of a job that trains."""
    recipe = recipe_of(wildcards)
    return cost.model_memory_mb(
        unit_of(wildcards.dataset, wildcards.model),
        size_of(wildcards.dataset),
        gpu=GPUS > 0,
        checkpoints=recipe["checkpoints"],
        batch=recipe["physical_batch_size"],
        free_scores=STUDY.scores.free,
        attempt=attempt,
    )


def scoring_memory(wildcards, attempt):
    """Host memory of a job that scores."""
    batch = STUDY.scores.batch_size
    return cost.model_memory_mb(
        unit_of(wildcards.dataset, wildcards.model),
        size_of(wildcards.dataset),
        gpu=GPUS > 0,
        checkpoints=1,
        batch=0 if batch == "auto" else batch,
        batch_units=cost.SCORING_BATCH_UNITS,
        attempt=attempt,
    )


def data_memory(wildcards, attempt):
    """Memory of a job that holds a data set: of its wildcard, or the largest of the grid."""
    named = getattr(wildcards, "dataset", None)
    sizes = map(size_of, [named] if named else STUDY.grid.datasets)
    return max(cost.data_memory_mb(size, attempt=attempt) for size in sizes)


def short(wildcards, attempt):
    """Time limit in minutes of a job that takes minutes."""
    return min(30 * 2 ** (attempt - 1), LONGEST)


@cache
def announce_cost():
    """In a dry run say once what the study will cost."""
    if not workflow.dryrun:
        return
    stages = {
        "training": ("full", TRAINED),
        "scoring": ("score", SETTINGS),
        "first phases of Table 1": ("first", PRUNED),
        "their scoring": ("score", PRUNED),
        "retraining of Table 1": ("retrain", PRUNED),
    }
    runs = [
        (name, stage, tuple(vars(setting).values()))
        for name, (stage, settings) in stages.items()
        for setting in settings
        for _ in RUNS
    ]
    jobs = {name: [] for name in stages}
    for name, stage, setting in runs:
        jobs[name].append(modelled_cost(stage, *setting))
    seconds = sum(
        job_cost(stage, *setting).core_seconds / SPEED for _, stage, setting in runs
    )
    found = {kind: measured(kind) for kind in TIMINGS}
    logger.info(cost.estimate_table(jobs, SPEEDUP, found, seconds / 3600))


def announced_targets(wildcards):
    """Everything that the default target builds; a dry run also says what it costs."""
    announce_cost()
    return all_targets()
