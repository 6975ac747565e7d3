"""What the rules of the open questions share."""

from gradval.study.arms import arms, dose_name

DOSES = STUDY.pruning.doses
DOSED = experiments.dosed_settings(STUDY)
ARMS = arms(DOSES.scores, DOSES.ends, DOSES.scopes) if DOSES else []
DOSE_SHARES = {dose_name(share): share for share in DOSES.fractions} if DOSES else {}
DOSE = f"{RUN}/doses/{{dose}}"
# Variants are compared between initial weights; draws of noise would only repeat it.
RUNS_OF_FIRST_DRAW = [(seed, draw) for seed, draw in RUNS if draw == RUNS[0][1]]
PLANTED = [name for name in STUDY.grid.datasets if STUDY.datasets[name].planted]


wildcard_constraints:
    dose="|".join(map(re.escape, DOSE_SHARES)) or "none",


def stores_of_grid():
    """The stores of all data sets of the grid."""
    return [file for name in STUDY.grid.datasets for file in store_of(name)]


def score_tables(scores=SCORES, datasets=STUDY.grid.datasets):
    """Files of several scores of every run."""
    settings = [setting for setting in SETTINGS if setting.dataset in datasets]
    return run_files(settings, *score_files("full", scores))


def planted_inputs(wildcards):
    """Scores and stores of data sets with something planted, or how to have some."""
    if not PLANTED:
        sys.exit(
            "config: planted needs a data set of the grid with something planted: see "
            "datasets.<name>.planted and config/evidence-labelnoise.yaml"
        )
    stores = [file for name in PLANTED for file in store_of(name)]
    return {"scores": score_tables(datasets=PLANTED), "store": stores}


def dose_inputs(wildcards):
    """Accuracies of every arm, dose and run, or how to have some."""
    if not DOSED:
        sys.exit(
            "config: doses needs pruning.doses, with pruning.dataset, pruning.model and its "
            "levels in the grid"
        )
    return run_files(DOSED, *(f"doses/{dose}/arms.csv" for dose in DOSE_SHARES))


def dose_minutes(wildcards, attempt):
    """Time limit of the retraining after all removals of one size."""
    setting = names.Setting(wildcards.dataset, wildcards.model, wildcards.privacy)
    recipe = experiments.recipe(STUDY, *vars(setting).values())
    job = cost.retraining_job(
        unit_of(setting.dataset, setting.model),
        size_of(setting.dataset),
        recipe,
        private=names.is_private(setting.privacy),
        removals=len(ARMS),
        fraction=DOSE_SHARES[wildcards.dose],
    )
    return cost.job_minutes(job, SPEED, attempt, LONGEST)


def question_targets():
    """The figures of all questions that this config can answer."""
    found = [
        *("correlations", "explained", "reliability", "scales"),
        *("vog_forms", "checkpoint_windows", "checkpoint_counts"),
        *(["planted"] if PLANTED else []),
        *(["doses"] if DOSED else []),
    ]
    return [f"results/figures/{name}.png" for name in found]
