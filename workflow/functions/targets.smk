"""What people ask for."""


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
