"""What comparisons, figures and tables are made from."""


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
