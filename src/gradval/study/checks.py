"""What no block of a config can check alone: names that refer to nothing, parts that do not fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from gradval.data.class_names import OF_SOURCE
from gradval.models.adopted import TORCHVISION
from gradval.models.registry import ARCHITECTURES
from gradval.scores.registry import SCORES, choices_by_name, load_score, options_of
from gradval.study import experiments
from gradval.study.config_errors import ConfigError
from gradval.study.experiments import RUN_FIGURES, Experiments, Figure, Side
from gradval.study.fields import nearest
from gradval.study.names import NON_PRIVATE, Setting, is_private
from gradval.training.recipe import Recipe, check_grouping

if TYPE_CHECKING:
    from gradval.study.config import Study


def check(study: Study) -> None:
    """Check every name that refers to another part of the config.

    Args:
        study: whose blocks are valid.

    Raises:
        ConfigError: a name refers to nothing, or parts do not go together; in one line that says
            what is allowed.
    """
    _check_architectures(study)
    scores = _check_scores(study)
    for kind in ("datasets", "models"):
        for name in getattr(study.grid, kind):
            _known(f"grid.{kind}", name, getattr(study, kind))
    _check_adopted(study)
    for setting in experiments.settings(study):
        if study.models[setting.model].checkpoints is None:
            _check_recipe(study, setting)
    _check_pruning(study, scores)
    _check_release(study, scores)
    _check_audit(study)
    _check_federation(study, scores)
    _check_unit(study)
    _check_budgets(study)
    for kind in ("datasets", "models"):
        for name, ours in getattr(study.substitutes, kind).items():
            if ours is not None:
                _known(f"substitutes.{kind}.{name}", ours, getattr(study, kind))
    _check_own_experiments(study, scores)


def check_paper(study: Study, paper: Experiments) -> None:
    """Check what a config says of the paper's experiments.

    Raises:
        ConfigError: as in `check`.
    """
    for kind in ("comparisons", "figures"):
        for name in getattr(study, kind):
            if name in getattr(paper, kind):
                raise ConfigError(
                    f"{kind}.{name}: the paper's experiments have one of this name; choose another"
                )
    for kind, names in _names_of(paper).items():
        for name in getattr(study.substitutes, kind):
            _known(f"substitutes.{kind}", name, names)
    for name, comparison in paper.comparisons.items():
        found = experiments.resolve_comparison(study, comparison)
        if found is not None and comparison.class_name is not None:
            where = f"substitutes.classes.{comparison.class_name}"
            if found.class_name == comparison.class_name:
                where += f" (for the paper's {name})"
            _check_class(study, where, found.dataset, found.class_name)


def _names_of(paper: Experiments) -> dict[str, set[str]]:
    """Every data set, model and class that the paper's experiments name."""
    comparisons, figures = paper.comparisons.values(), paper.figures.values()
    runs = [figure for figure in figures if figure.kind in RUN_FIGURES]
    return {
        "datasets": {c.dataset for c in comparisons} | {figure.dataset for figure in runs},
        "models": {side.model for c in comparisons for side in (c.a, c.b)}
        | {figure.model for figure in runs},
        "classes": {c.class_name for c in comparisons if c.class_name is not None},
    }


def _check_architectures(study: Study) -> None:
    for name, block in study.models.items():
        if block.checkpoints is not None and block.architecture.startswith(TORCHVISION):
            continue
        try:
            ARCHITECTURES.path(block.architecture)
        except ValueError as error:
            raise ConfigError(f"models.{name}.architecture: {error}") from None


def _check_adopted(study: Study) -> None:
    """A model that is trained already stands at one level, is one run, and is not trained again."""
    adopted = experiments.adopted_models(study)
    runs = [(seed, draw) for seed in study.grid.seeds for draw in study.grid.draws]
    for name in set(study.grid.models) & set(adopted):
        block = study.models[name].checkpoints
        assert block is not None
        where = f"models.{name}.checkpoints"
        _known(f"{where}.privacy", block.privacy, study.grid.privacy)
        if len({block.of_run(*run) for run in runs}) < len(runs):
            raise ConfigError(
                f"{where}.files: the same for every run; with several grid.seeds or grid.draws "
                "write {seed} and {draw} where the files of two runs differ, as runs/{seed}/*.pt"
            )
        counted = [d for d in study.grid.datasets if study.datasets[d].budget is not None]
        if block.training == "private" and counted:
            raise ConfigError(
                f"datasets.{counted[0]}.budget: does not count what the training of models.{name} "
                "has spent elsewhere; leave out one of the two"
            )
    for key in ("pruning", "audit", "federation"):
        trained = getattr(study, key)
        if trained is not None and trained.model in adopted:
            raise ConfigError(
                f"{key}.model: {trained.model} has checkpoints of its own and is not trained here; "
                "name another of `models`"
            )


def _check_scores(study: Study) -> tuple[str, ...]:
    """Names of the scores, which exist and have the options that are given."""
    choices: dict[str, str] = {}
    for key, chosen in (("names", study.scores.names), ("plugins", study.scores.chosen)):
        try:
            choices = choices_by_name(chosen)
            for choice in choices.values():
                load_score(choice)
        except ValueError as error:
            raise ConfigError(f"scores.{key}: {error}") from None
    for name, options in study.scores.options.items():
        # Options of a score that an overlay leaves out stay unused.
        if name not in choices and name not in SCORES:
            _known("scores.options", name, choices)
        try:
            options_of(choices.get(name, name), options)
        except ValueError as error:
            raise ConfigError(f"scores.options.{error}") from None
    return tuple(choices)


def _check_recipe(
    study: Study, setting: Setting, own: Mapping[str, object] = MappingProxyType({})
) -> None:
    where = f"training of {setting.model} on {setting.dataset}, {setting.privacy}"
    try:
        options = experiments.recipe(study, setting.dataset, setting.model, setting.privacy)
        Recipe.from_config(options | dict(own)).check(
            private=is_private(setting.privacy), free_scores=study.scores.free
        )
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None


def _check_pruning(study: Study, scores: tuple[str, ...]) -> None:
    block = study.pruning
    _known("pruning.dataset", block.dataset, study.datasets)
    _known("pruning.model", block.model, study.models)
    for score in block.scores:
        _known("pruning.scores", score, scores)
    if block.dataset in study.grid.datasets and block.model in study.grid.models:
        for privacy in block.privacy:
            _known("pruning.privacy", privacy, study.grid.privacy)
    if block.doses is not None:
        for score in block.doses.scores:
            _known("pruning.doses.scores", score, scores)
        for privacy in block.doses.privacy:
            _known("pruning.doses.privacy", privacy, study.grid.privacy)


def _check_release(study: Study, scores: tuple[str, ...]) -> None:
    """Bounds of every score; a selection by released scores must depend on nothing else."""
    bounds = study.release.bounds
    for name in bounds:
        _known("release.bounds", name, dict.fromkeys((*scores, *SCORES)))
    if not experiments.releases_scores(study):
        return
    for name in study.pruning.scores:
        if name not in bounds:
            raise ConfigError(f"release.bounds: {name} is missing; [low, high], public")
    if study.pruning.scope != "global":
        raise ConfigError(
            "pruning.scope: must be global with a released selection, as the number removed from "
            "a class tells of labels, which are private"
        )
    if NON_PRIVATE in study.pruning.privacy:
        raise ConfigError(
            "pruning.privacy: nonprivate cannot be pruned by released scores, which come from a "
            "private model; leave it out or set pruning.selection to [raw]"
        )


def _check_federation(study: Study, scores: Iterable[str]) -> None:
    block = study.federation
    if block is None:
        return
    _known("federation.dataset", block.dataset, study.datasets)
    _known("federation.model", block.model, study.models)
    for score in block.scores:
        _known("federation.scores", score, scores)
        if score not in study.release.bounds:
            raise ConfigError(f"release.bounds: {score} is missing; [low, high], public")
    if not is_private(block.privacy):
        raise ConfigError(
            "federation.privacy: nonprivate makes nothing that could be published; use a level "
            "such as eps8"
        )
    utility = block.utility_training.model_dump(exclude_none=True)
    for privacy, own in ((block.privacy, {}), (block.utility_privacy, utility)):
        _check_recipe(study, Setting(block.dataset, block.model, privacy), own)


def _check_audit(study: Study) -> None:
    block = study.audit
    _known("audit.dataset", block.dataset, study.datasets)
    _known("audit.model", block.model, study.models)
    for privacy in block.privacy:
        if not is_private(privacy):
            raise ConfigError(f"audit.privacy: {privacy} makes no claim; use levels such as eps1")


def _check_unit(study: Study) -> None:
    """What works by samples alone is refused where groups are the units of private training."""
    if study.privacy.unit == "sample":
        return
    if study.scores.free:
        raise ConfigError(
            "scores.free: collects scores of samples in private training, whose unit is a group "
            "(privacy.unit); set it to false"
        )
    if experiments.pruning_settings(study):
        raise ConfigError(
            "pruning.privacy: samples are removed (Table 1), but the unit is a group "
            "(privacy.unit); set it to []"
        )
    if study.federation is not None and study.federation.dataset in study.grid.datasets:
        raise ConfigError(
            "federation: sites train by samples, but the unit is a group (privacy.unit); set it "
            "to null"
        )
    for setting in filter(lambda s: is_private(s.privacy), experiments.settings(study)):
        options = experiments.recipe(study, setting.dataset, setting.model, setting.privacy)
        where = f"training of {setting.model} on {setting.dataset}, {setting.privacy}"
        try:
            check_grouping(Recipe.from_config(options), study.privacy.images_per_group)
        except ValueError as error:
            raise ConfigError(f"{where}: {error}") from None


def _check_budgets(study: Study) -> None:
    for name in study.grid.datasets:
        if study.datasets[name].budget is None:
            continue
        if NON_PRIVATE in study.grid.privacy:
            raise ConfigError(
                f"datasets.{name}.budget: a training without privacy exceeds every budget; leave "
                "nonprivate out of grid.privacy"
            )
        if study.federation is not None and study.federation.dataset == name:
            raise ConfigError(
                f"datasets.{name}.budget: does not count what a federation spends; set federation "
                "to null, or give its sites budgets (federation.report.budget)"
            )


def _check_own_experiments(study: Study, scores: tuple[str, ...]) -> None:
    """Comparisons and figures of the config show what its grid trains."""
    for name, block in study.figures.items():
        for shown in block.shown:
            _known(f"figures.{name}: comparison", shown, study.comparisons)
    own = experiments.own_experiments(study)
    for name, comparison in own.comparisons.items():
        where = f"comparisons.{name}"
        _known(f"{where}.dataset", comparison.dataset, study.grid.datasets)
        for side in ("a", "b"):
            _check_side(study, f"{where}.{side}", getattr(comparison, side), scores)
        _check_class(study, f"{where}.class", comparison.dataset, comparison.class_name)
    for name, figure in own.figures.items():
        where = f"figures.{name}"
        if figure.kind in RUN_FIGURES:
            _known(f"{where}.dataset", figure.dataset, study.grid.datasets)
            _check_side(study, where, figure, scores)
            _check_class(study, f"{where}.class", figure.dataset, figure.class_name)


def _check_side(study: Study, where: str, shown: Side | Figure, scores: tuple[str, ...]) -> None:
    _known(f"{where}.model", shown.model, study.grid.models)
    _known(f"{where}.privacy", shown.privacy, experiments.levels_of(study, shown.model))
    _known(f"{where}.score", shown.score, scores)


def _check_class(study: Study, where: str, dataset: str, name: str | None) -> None:
    """A class must be one of the data set's, as far as those are known before it is prepared."""
    known = OF_SOURCE.get(study.datasets[dataset].source)
    if name is None or known is None or name in known:
        return
    raise ConfigError(
        f"{where}: data set {dataset} has no class {name!r}; allowed are {', '.join(known)}"
    )


def _known(where: str, name: str, allowed: Mapping[str, object] | Iterable[str]) -> None:
    names = list(allowed)
    if name not in names:
        allowed_names = ", ".join(names) or "none: there are none"
        raise ConfigError(
            f"{where}: {name!r} is not known{nearest(name, names)} allowed are {allowed_names}"
        )
