"""What a config asks for: recipes, runs, comparisons and figures, with stand-ins resolved.

Plain functions of the config dictionary, without any heavy import, so that a workflow of tens of
thousands of jobs is laid out in seconds. `check` finds what a schema cannot: names that refer to
nothing.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradval.training.recipe import Recipe

Config = Mapping[str, Any]

NON_PRIVATE = "nonprivate"
PRIVACY_PATTERN = r"nonprivate|eps\d+(?:\.\d+)?"
COMPARISON_KINDS = ("comparison", "ordering", "dominant_class")
# Kinds of figures that show one run; the others show comparisons.
RUN_FIGURES = ("distribution", "extremes")
REMOVAL_CONTROLS = ("random", "none")
RELEASED = "_released"


class ConfigError(ValueError):
    """The config is wrong; the message is one line that names the key and what is allowed."""


@dataclass(frozen=True, order=True)
class Setting:
    """One trained setting, over all seeds."""

    dataset: str
    model: str
    privacy: str


def run_key(path: str | Path) -> dict[str, str | int]:
    """Data set, model, privacy level and seed of a run from the path of one of its files.

    Args:
        path: `results/{dataset}/{model}/{privacy}/seed{seed}/...`.
    """
    _, dataset, model, privacy, seed, *_ = Path(path).parts
    return {
        "dataset": dataset,
        "model": model,
        "privacy": privacy,
        "seed": int(seed.removeprefix("seed")),
    }


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a score of a setting."""

    setting: Setting
    score: str


@dataclass(frozen=True)
class Comparison:
    """A comparison with its parts cast.

    Attributes:
        name: key in the config.
        a, b: the two sides.
        class_name: the class that selections are restricted to, `None` for all.
        largest: whether the largest or the smallest scores are selected.
        stand_ins: the paper's name -> who plays it, for parts played by others.
    """

    name: str
    a: Side
    b: Side
    class_name: str | None
    largest: bool
    stand_ins: Mapping[str, str]


def epsilon_of(privacy: str) -> float | None:
    """Target epsilon of a privacy level; `None` for `nonprivate`.

    Raises:
        ConfigError: it is neither `nonprivate` nor `eps<positive number>`.
    """
    if privacy == NON_PRIVATE:
        return None
    if re.fullmatch(PRIVACY_PATTERN, privacy) and float(privacy[3:]) > 0:
        return float(privacy[3:])
    raise ConfigError(
        f"grid.privacy: {privacy!r} is not allowed; use nonprivate or eps<number above 0>, "
        "for example eps4 or eps0.5"
    )


def recipe(config: Config, dataset: str, model: str, privacy: str) -> dict[str, Any]:
    """The hyper-parameters of a setting: general, the data set's and the model's blocks merged."""
    kind = NON_PRIVATE if privacy == NON_PRIVATE else "private"
    sources = [
        config["training"],
        config["datasets"][dataset].get("training", {}),
        config["models"][model].get("training", {}),
    ]
    merged: dict[str, Any] = {}
    for source in sources:
        for block in dict.fromkeys(("default", kind, privacy)):
            merged |= source.get(block) or {}
    return merged


def settings(config: Config) -> list[Setting]:
    """Every setting of the grid."""
    grid = config["grid"]
    return [
        Setting(dataset, model, privacy)
        for dataset in grid["datasets"]
        for model in grid["models"]
        for privacy in grid["privacy"]
    ]


def cast(config: Config, name: str) -> str | None:
    """Who plays the part that the paper calls `name`; `None` for nobody."""
    player: str | None = config["stand_ins"].get(name, name)
    return player


def in_grid(config: Config, setting: Setting) -> bool:
    """Whether the config trains this setting."""
    grid = config["grid"]
    return (
        setting.dataset in grid["datasets"]
        and setting.model in grid["models"]
        and setting.privacy in grid["privacy"]
    )


def _setting(config: Config, dataset: str, model: str, privacy: str) -> Setting | None:
    players = cast(config, dataset), cast(config, model)
    if players[0] is None or players[1] is None:
        return None
    setting = Setting(players[0], players[1], privacy)
    return setting if in_grid(config, setting) else None


def stand_ins(config: Config, *names: str | None) -> dict[str, str]:
    """The parts among `names` that somebody else plays."""
    players = {name: cast(config, name) for name in names if name is not None}
    return {name: player for name, player in players.items() if player and player != name}


def comparison(config: Config, name: str) -> Comparison | None:
    """The comparison called `name`, or `None` if this config does not run what it compares."""
    block = config["comparisons"][name]
    sides = []
    for side in (block["a"], block["b"]):
        setting = _setting(config, block["dataset"], side["model"], side["privacy"])
        if setting is None:
            return None
        sides.append(Side(setting, side["score"]))
    part = block.get("class")
    class_name = cast(config, part) if part is not None else None
    if part is not None and class_name is None:
        return None
    names = (block["dataset"], block["a"]["model"], block["b"]["model"], part)
    return Comparison(
        name,
        sides[0],
        sides[1],
        class_name,
        block["end"] == "largest",
        stand_ins(config, *names),
    )


def describe(run: Comparison) -> dict[str, Any]:
    """A comparison as plain values, for a figure."""
    return {
        "dataset": run.a.setting.dataset,
        "class_name": run.class_name,
        "largest": run.largest,
        **{
            side: {
                "model": part.setting.model,
                "privacy": part.setting.privacy,
                "score": part.score,
            }
            for side, part in (("a", run.a), ("b", run.b))
        },
    }


def comparisons(config: Config) -> dict[str, Comparison]:
    """Every comparison that this config runs."""
    found = {name: comparison(config, name) for name in config["comparisons"]}
    return {name: c for name, c in found.items() if c is not None}


def pruning_settings(config: Config) -> list[Setting]:
    """The settings whose training sets are pruned: at most one a privacy level."""
    block = config["pruning"]
    found = [
        _setting(config, block["dataset"], block["model"], privacy) for privacy in block["privacy"]
    ]
    return [setting for setting in found if setting is not None]


def removals(config: Config, score_names: tuple[str, ...]) -> tuple[str, ...]:
    """What is removed: by each raw score, by each released score (`vog_released`), the controls."""
    kinds = {"raw": "", "released": RELEASED}
    suffixes = [kinds[kind] for kind in config["pruning"]["selection"]]
    by_score = [name + suffix for suffix in suffixes for name in score_names]
    return (*by_score, *REMOVAL_CONTROLS)


def score_of(removal: str) -> tuple[str, bool]:
    """The score (or control) of a removal, and whether it is the score as released under DP."""
    return removal.removesuffix(RELEASED), removal.endswith(RELEASED)


def releases_scores(config: Config) -> bool:
    """Whether samples are removed by released scores."""
    return "released" in config["pruning"]["selection"]


def release_epsilon(config: Config, privacy: str) -> float | None:
    """Pure epsilon of the release of one score at a privacy level; `None` without privacy."""
    target = epsilon_of(privacy)
    return None if target is None else config["release"]["share"] * target


def figure_setting(config: Config, name: str) -> Setting | None:
    """The setting that a figure of one run shows, or `None` if it is not run."""
    block = config["figures"][name]
    return _setting(config, block["dataset"], block["model"], block["privacy"])


def figure_comparisons(config: Config, name: str) -> list[str]:
    """The comparisons that a figure draws on."""
    block = config["figures"][name]
    if block["kind"] == "pair":
        return [block["comparison"]]
    return list(block.get("comparisons", []))


def figure_is_run(config: Config, name: str) -> bool:
    """Whether this config trains all that a figure shows."""
    if config["figures"][name]["kind"] in RUN_FIGURES:
        return figure_setting(config, name) is not None
    return all(comparison(config, c) is not None for c in figure_comparisons(config, name))


def figure_stand_ins(config: Config, name: str) -> dict[str, str]:
    """The parts of a figure that somebody else plays."""
    block = config["figures"][name]
    if block["kind"] in RUN_FIGURES:
        return stand_ins(config, block["dataset"], block["model"])
    found: dict[str, str] = {}
    for c in figure_comparisons(config, name):
        run = comparison(config, c)
        found |= run.stand_ins if run else {}
    return found


def read_claims(path: str | Path) -> list[dict[str, str]]:
    """The claims table as rows of text."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def stand_in_text(parts: Mapping[str, str]) -> str:
    """Stand-ins in words, as "digits for cifar10; 2 for bird"."""
    return "; ".join(f"{player} for {name}" for name, player in parts.items())


def actors(config: Config, claims: list[dict[str, str]]) -> dict[str, dict[str, str] | None]:
    """Who plays the parts of every comparison (by its name) and every other claim (by its id).

    Returns:
        Arguments of `gradval.evidence.Actual`, or `None` for what this config does not run.
    """
    found: dict[str, dict[str, str] | None] = {}
    for name in config["comparisons"]:
        run = comparison(config, name)
        if run is None:
            found[name] = None
            continue
        found[name] = {
            "dataset": run.a.setting.dataset,
            "model_a": run.a.setting.model,
            "model_b": run.b.setting.model,
            "privacy_a": run.a.setting.privacy,
            "privacy_b": run.b.setting.privacy,
            "stand_in": stand_in_text(run.stand_ins),
        }
    for claim in claims:
        if claim["kind"] not in COMPARISON_KINDS:
            found[claim["id"]] = _claim_actors(config, claim)
    return found


def _claim_actors(config: Config, claim: Mapping[str, str]) -> dict[str, str] | None:
    """Who plays in a claim about runs; the paper's "each" is everyone."""
    parts = [claim[key] for key in ("dataset", "model")]
    if "each" in parts:
        return {"stand_in": stand_in_text(stand_ins(config, *config["stand_ins"]))}
    dataset, model = (cast(config, part) for part in parts)
    grid = config["grid"]
    if dataset not in grid["datasets"] or model not in grid["models"]:
        return None
    assert dataset is not None and model is not None
    return {
        "dataset": dataset,
        "model_a": model,
        "model_b": model,
        "stand_in": stand_in_text(stand_ins(config, *parts)),
    }


def check(
    config: Config, *, scores: tuple[str, ...], known_classes: Mapping[str, tuple[str, ...]]
) -> None:
    """Check every name that refers to another part of the config.

    Args:
        config: already valid under the schema.
        scores: the registered scores.
        known_classes: class names of data sets whose classes are known before they are prepared.

    Raises:
        ConfigError: a name refers to nothing, in one line with what is allowed.
    """
    _check_grid(config)
    for setting in settings(config):
        _check_recipe(config, setting)
    for name, block in config["comparisons"].items():
        for side in ("a", "b"):
            where = f"comparisons.{name}.{side}"
            _check_name(f"{where}.score", block[side]["score"], scores)
            check_part(config, f"{where}.model", block[side]["model"], "models")
            epsilon_of(block[side]["privacy"])
        check_part(config, f"comparisons.{name}.dataset", block["dataset"], "datasets")
        _check_class(config, name, known_classes)
    for name, block in config["figures"].items():
        for c in figure_comparisons(config, name):
            _check_name(f"figures.{name}.comparison", c, config["comparisons"])
        if block["kind"] in RUN_FIGURES:
            _check_name(f"figures.{name}.score", block["score"], scores)
            check_part(config, f"figures.{name}.dataset", block["dataset"], "datasets")
            check_part(config, f"figures.{name}.model", block["model"], "models")
    if cast(config, config["pruning"]["dataset"]) is not None:
        for privacy in config["pruning"]["privacy"]:
            _check_name("pruning.privacy", privacy, config["grid"]["privacy"])
    _check_release(config, scores)
    check_part(config, "pruning.dataset", config["pruning"]["dataset"], "datasets")
    check_part(config, "pruning.model", config["pruning"]["model"], "models")


def _check_release(config: Config, scores: tuple[str, ...]) -> None:
    """Bounds of every score; a selection by released scores must depend on nothing else."""
    bounds = config["release"]["bounds"]
    for name, (low, high) in bounds.items():
        _check_name("release.bounds", name, scores)
        if low >= high:
            raise ConfigError(f"release.bounds.{name}: {low:g} must be below {high:g}")
    if not releases_scores(config):
        return
    for name in scores:
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
                except ConfigError:
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


def check_part(config: Config, where: str, name: str, kind: str) -> None:
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
