"""What a schema cannot check of a config: names that refer to nothing, parts that do not fit."""

from collections.abc import Iterator, Mapping
from typing import Any

from gradval.models.registry import ARCHITECTURES
from gradval.scores.registry import SCORES, choices_by_name, load_score, options_of
from gradval.study.experiments import (
    RUN_FIGURES,
    Config,
    ConfigError,
    cast,
    figure_comparisons,
    recipe,
    releases_scores,
    settings,
)
from gradval.study.names import NON_PRIVATE, Setting, epsilon_of
from gradval.training.recipe import Recipe


def check(config: Config, *, known_classes: Mapping[str, tuple[str, ...]]) -> None:
    """Check every name that refers to another part of the config.

    Args:
        config: already valid under the schema.
        known_classes: class names of data sets whose classes are known before they are prepared.

    Raises:
        ConfigError: a name refers to nothing, or parts do not go together; in one line that says
            what is allowed.
    """
    _check_architectures(config)
    scores = _check_scores(config)
    _check_grid(config)
    for setting in settings(config):
        _check_recipe(config, setting)
    for name, block in config["comparisons"].items():
        for side in ("a", "b"):
            where = f"comparisons.{name}.{side}"
            _check_name(f"{where}.score", block[side]["score"], scores)
            _check_part(config, f"{where}.model", block[side]["model"], "models")
            epsilon_of(block[side]["privacy"])
        _check_part(config, f"comparisons.{name}.dataset", block["dataset"], "datasets")
        _check_class(config, name, known_classes)
    for name, block in config["figures"].items():
        for c in figure_comparisons(config, name):
            _check_name(f"figures.{name}.comparison", c, config["comparisons"])
        if block["kind"] in RUN_FIGURES:
            _check_name(f"figures.{name}.score", block["score"], scores)
            _check_part(config, f"figures.{name}.dataset", block["dataset"], "datasets")
            _check_part(config, f"figures.{name}.model", block["model"], "models")
    if cast(config, config["pruning"]["dataset"]) is not None:
        for privacy in config["pruning"]["privacy"]:
            _check_name("pruning.privacy", privacy, config["grid"]["privacy"])
    for score in config["pruning"]["scores"]:
        _check_name("pruning.scores", score, scores)
    _check_release(config, scores)
    _check_part(config, "pruning.dataset", config["pruning"]["dataset"], "datasets")
    _check_part(config, "pruning.model", config["pruning"]["model"], "models")
    _check_audit(config)


def _check_architectures(config: Config) -> None:
    for name, block in config["models"].items():
        try:
            ARCHITECTURES.path(block["architecture"])
        except ValueError as error:
            raise ConfigError(f"models.{name}.architecture: {error}") from None


def _check_scores(config: Config) -> tuple[str, ...]:
    """Names of the scores, which exist and have the options that are given."""
    block = config["scores"]
    try:
        choices = choices_by_name(block["names"])
        for choice in choices.values():
            load_score(choice)
    except ValueError as error:
        raise ConfigError(f"scores.names: {error}") from None
    for name, options in block["options"].items():
        # Options of a score that an overlay leaves out stay unused.
        if name not in choices and name not in SCORES:
            _check_name("scores.options", name, choices)
        try:
            options_of(choices.get(name, name), options)
        except ValueError as error:
            raise ConfigError(f"scores.options.{error}") from None
    return tuple(choices)


def _check_release(config: Config, scores: tuple[str, ...]) -> None:
    """Bounds of every score; a selection by released scores must depend on nothing else."""
    bounds = config["release"]["bounds"]
    for name, (low, high) in bounds.items():
        _check_name("release.bounds", name, (*scores, *SCORES))
        if low >= high:
            raise ConfigError(f"release.bounds.{name}: {low:g} must be below {high:g}")
    if not releases_scores(config):
        return
    for name in config["pruning"]["scores"]:
        if name not in bounds:
            raise ConfigError(f"release.bounds: {name} is missing; [low, high], public")
    if config["pruning"]["scope"] != "global":
        raise ConfigError(
            "pruning.scope: must be global with a released selection, as the number removed from "
            "a class tells of labels, which are private"
        )
    if NON_PRIVATE in config["pruning"]["privacy"]:
        raise ConfigError(
            "pruning.privacy: nonprivate cannot be pruned by released scores, which come from a "
            "private model; leave it out or set pruning.selection to [raw]"
        )


def _check_audit(config: Config) -> None:
    block = config["audit"]
    _check_part(config, "audit.dataset", block["dataset"], "datasets")
    _check_part(config, "audit.model", block["model"], "models")
    for privacy in block["privacy"]:
        if epsilon_of(privacy) is None:
            raise ConfigError(f"audit.privacy: {privacy} makes no claim; use levels such as eps1")
    if block["guesses"] > block["canaries"]:
        raise ConfigError(
            f"audit.guesses: {block['guesses']} is more than the {block['canaries']} of "
            "audit.canaries"
        )


def _check_grid(config: Config) -> None:
    for privacy in config["grid"]["privacy"]:
        epsilon_of(privacy)
    for kind in ("datasets", "models"):
        for name in config["grid"][kind]:
            _check_name(f"grid.{kind}", name, config[kind])
    for where, block in _training_blocks(config):
        for key in block:
            if key not in ("default", "private", NON_PRIVATE):
                try:
                    epsilon_of(key)
                except ValueError:
                    raise ConfigError(
                        f"{where}: unknown key {key!r}; allowed are default, nonprivate, private "
                        "and privacy levels such as eps4"
                    ) from None


def _check_recipe(config: Config, setting: Setting) -> None:
    options = recipe(config, setting.dataset, setting.model, setting.privacy)
    private = setting.privacy != NON_PRIVATE
    try:
        Recipe.from_config(options).check(private=private, free_scores=config["scores"]["free"])
    except ValueError as error:
        where = f"training of {setting.model} on {setting.dataset}, {setting.privacy}"
        raise ConfigError(f"{where}: {error}") from None


def _training_blocks(config: Config) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "training", config["training"]
    for kind in ("datasets", "models"):
        for name, block in config[kind].items():
            yield f"{kind}.{name}.training", block.get("training", {})


def _check_part(config: Config, where: str, name: str, kind: str) -> None:
    """A part must be played by something that is defined, by nobody, or be in no data at all."""
    player = cast(config, name)
    if player is None or player in config[kind]:
        return
    allowed = ", ".join(config[kind])
    if player == name:
        raise ConfigError(
            f"{where}: {name!r} is neither one of {kind} ({allowed}) nor listed under stand_ins"
        )
    raise ConfigError(f"stand_ins.{name}: {player!r} is not one of {kind}: {allowed}")


def _check_class(config: Config, name: str, known_classes: Mapping[str, tuple[str, ...]]) -> None:
    block = config["comparisons"][name]
    dataset, part = cast(config, block["dataset"]), block.get("class")
    if part is None or dataset is None or dataset not in known_classes:
        return
    player = cast(config, part)
    if player is None or player in known_classes[dataset]:
        return
    where = f"comparisons.{name}.class" if player == part else f"stand_ins.{part}"
    raise ConfigError(
        f"{where}: data set {dataset} has no class {player!r}; allowed are "
        f"{', '.join(known_classes[dataset])}"
    )


def _check_name(where: str, name: str, allowed: Any) -> None:
    if name not in allowed:
        raise ConfigError(f"{where}: {name!r} is not known; allowed are {', '.join(allowed)}")
