"""What a config asks for: recipes, runs, comparisons and figures, with stand-ins resolved.

Plain functions of the config dictionary, without any heavy import, so that a workflow of tens of
thousands of jobs is laid out in seconds. They presume a config that `study_checks` has passed.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradval.study.names import Setting, epsilon_of, recipe_blocks

Config = Mapping[str, Any]

COMPARISON_KINDS = ("comparison", "ordering", "dominant_class")
# Kinds of figures that show one run; the others show comparisons.
RUN_FIGURES = ("distribution", "extremes")
# Sources whose images anybody can download: seeded noise gives nothing away.
PUBLIC_SOURCES = ("digits", "cifar10", "cinic10")


class ConfigError(ValueError):
    """The config is wrong; the message is one line that names the key and what is allowed."""


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


def recipe(config: Config, dataset: str, model: str, privacy: str) -> dict[str, Any]:
    """The hyper-parameters of a setting: general, the data set's and the model's blocks merged."""
    sources = [
        config["training"],
        config["datasets"][dataset].get("training", {}),
        config["models"][model].get("training", {}),
    ]
    merged: dict[str, Any] = {}
    for source in sources:
        for block in dict.fromkeys(recipe_blocks(privacy)):
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


def releases_scores(config: Config) -> bool:
    """Whether samples are removed by released scores."""
    return "released" in config["pruning"]["selection"]


def secret_noise(config: Config, dataset: str) -> bool:
    """Whether the private runs of a data set draw their noise from the system's entropy.

    With `auto` those of data sets do that are not known to be public.
    """
    chosen = config["privacy"]["secret_noise"]
    if chosen == "auto":
        return config["datasets"][dataset]["source"] not in PUBLIC_SOURCES
    return bool(chosen)


def seeds_noise(config: Config) -> bool:
    """Whether some private run of the grid has seeded noise, which is to be said of its epsilon."""
    return any(
        epsilon_of(setting.privacy) is not None and not secret_noise(config, setting.dataset)
        for setting in settings(config)
    )


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


def audited_settings(config: Config) -> list[Setting]:
    """The settings whose training is audited; none if nobody plays the data set or the model."""
    block = config["audit"]
    dataset, model = cast(config, block["dataset"]), cast(config, block["model"])
    if dataset is None or model is None:
        return []
    return [Setting(dataset, model, privacy) for privacy in block["privacy"]]
