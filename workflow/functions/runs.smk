"""What a run of a setting is asked to do: recipe, privacy, releases."""


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


def variants_of(wildcards):
    """The variants of scores that the checkpoints of a run allow."""
    return variants(recipe_of(wildcards)["checkpoints"])


def variant_code(wildcards):
    """Import paths of the architecture of a run and of all scores that have variants."""
    choices = dict.fromkeys(variant.choice for variant in variants_of(wildcards))
    return architecture(wildcards) + [
        registry.SCORES.path(choice) for choice in choices
    ]


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
