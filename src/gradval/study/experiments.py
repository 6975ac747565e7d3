"""What a study trains, compares and draws: settings, recipes, comparisons and figures.

A `Comparison` or `Figure` of the paper is written in the paper's own names (`gradval.study.paper`)
and resolved here: what the grid lacks is replaced by its substitute. One of the config's own is
written in the names of the config. Both are the same record, from YAML to the tables of evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from gradval.study.names import Setting, epsilon_of, recipe_blocks

if TYPE_CHECKING:
    from gradval.study.config import Study

# Kinds of claims that are about comparisons, and what stands in the place of a number that the
# paper does not print.
COMPARISON_KINDS = ("comparison", "dominant_class", "selected_images")
ORDERING_ONLY = "ordering only"
# Kinds of figures that show one run; the others show comparisons.
RUN_FIGURES = ("distribution", "extremes")
# Sources whose images anybody can download: seeded noise gives nothing away.
PUBLIC_SOURCES = ("digits", "cifar10", "cinic10")


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a score of a model at a privacy level."""

    model: str
    privacy: str
    score: str


@dataclass(frozen=True)
class Comparison:
    """The selections of two sides on one data set.

    Attributes:
        name: key in the config or in the paper's experiments.
        dataset: whose samples are selected.
        a, b: the two sides.
        end: whether the `largest` or the `smallest` scores are selected.
        class_name: the class that selections are restricted to, `None` for all.
        substitutes: the paper's name -> what takes its place here.
    """

    name: str
    dataset: str
    a: Side
    b: Side
    end: str = "largest"
    class_name: str | None = None
    substitutes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build a comparison from a block of YAML with its name, or from `to_dict`."""
        given = dict(values)
        a, b = (Side(**given.pop(side)) for side in ("a", "b"))
        return cls(a=a, b=b, class_name=given.pop("class", None), **given)

    def to_dict(self) -> dict[str, Any]:
        """The comparison as plain values: the keys of YAML, and name and substitutes."""
        values = asdict(self)
        return {"class": values.pop("class_name"), **values}

    @property
    def settings(self) -> tuple[Setting, Setting]:
        """The trained settings of a and b."""
        a, b = (Setting(self.dataset, side.model, side.privacy) for side in (self.a, self.b))
        return a, b


@dataclass(frozen=True)
class Figure:
    """A figure of one run (`RUN_FIGURES`), or of comparisons.

    Attributes:
        name: key in the config or in the paper's experiments, and the name of its target.
        kind: `distribution`, `extremes`, `pair` or `agreement`.
        title: its heading.
        dataset, model, privacy, score: of a figure of one run.
        class_name: the class that `extremes` are restricted to, `None` for all.
        comparisons: of the other kinds.
        show_classes: whether a `pair` counts classes.
        substitutes: the paper's name -> what takes its place here.
    """

    name: str
    kind: str
    title: str
    dataset: str = ""
    model: str = ""
    privacy: str = ""
    score: str = ""
    class_name: str | None = None
    comparisons: tuple[Comparison, ...] = ()
    show_classes: bool = False
    substitutes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build a figure from a block of YAML with its name, or from `to_dict`."""
        given = dict(values)
        comparisons = tuple(Comparison.from_dict(c) for c in given.pop("comparisons", ()))
        return cls(comparisons=comparisons, class_name=given.pop("class", None), **given)

    def to_dict(self) -> dict[str, Any]:
        """The figure as plain values."""
        values = asdict(self) | {"comparisons": [c.to_dict() for c in self.comparisons]}
        return {"class": values.pop("class_name"), **values}

    @property
    def setting(self) -> Setting:
        """The trained setting of a figure of one run."""
        return Setting(self.dataset, self.model, self.privacy)


@dataclass(frozen=True)
class Experiments:
    """Comparisons and figures by name."""

    comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)

    @classmethod
    def from_blocks(cls, comparisons: Mapping[str, Any], figures: Mapping[str, Any]) -> Self:
        """Build experiments from checked blocks of YAML.

        Raises:
            KeyError: a figure shows a comparison that there is not.
        """
        found = {name: Comparison.from_dict({"name": name, **c}) for name, c in comparisons.items()}
        drawn = {}
        for name, block in figures.items():
            given = {"name": name, **block}
            only = given.pop("comparison", None)
            shown = [found[c].to_dict() for c in given.pop("comparisons", [only] if only else [])]
            drawn[name] = Figure.from_dict(given | {"comparisons": shown})
        return cls(found, drawn)


# --- What the grid trains -----------------------------------------------------------------------


def settings(study: Study) -> list[Setting]:
    """Every setting of the grid; a model with checkpoints of its own stands at one level."""
    grid = study.grid
    return [
        Setting(dataset, model, privacy)
        for dataset in grid.datasets
        for model in grid.models
        for privacy in levels_of(study, model)
    ]


def levels_of(study: Study, model: str) -> list[str]:
    """The privacy levels of the grid that there is a model of."""
    own = study.models[model].checkpoints
    return [level for level in study.grid.privacy if own is None or level == own.privacy]


def adopted_models(study: Study) -> list[str]:
    """The models that have checkpoints of their own and are not trained."""
    return [name for name, model in study.models.items() if model.checkpoints is not None]


def score_names(study: Study) -> list[str]:
    """The names of the scores that are computed."""
    from gradval.scores.registry import choices_by_name

    return list(choices_by_name(study.scores.chosen))


def in_grid(study: Study, setting: Setting) -> bool:
    """Whether the study trains this setting."""
    grid = study.grid
    return (
        setting.dataset in grid.datasets
        and setting.model in grid.models
        and setting.privacy in levels_of(study, setting.model)
    )


def recipe(study: Study, dataset: str, model: str, privacy: str) -> dict[str, Any]:
    """The hyper-parameters of a setting: general, the data set's and the model's blocks merged.

    Raises:
        ValueError: no block gives a key that has no default.
    """
    # Imported here: scripts read comparisons, but no config.
    from gradval.study.recipes import merged

    sources = (study.training, study.datasets[dataset].training, study.models[model].training)
    return merged(*sources, blocks=recipe_blocks(privacy))


def pruning_settings(study: Study) -> list[Setting]:
    """The settings whose training sets are pruned: at most one a privacy level."""
    block = study.pruning
    found = [Setting(block.dataset, block.model, privacy) for privacy in block.privacy]
    return [setting for setting in found if in_grid(study, setting)]


def dosed_settings(study: Study) -> list[Setting]:
    """The settings from which several shares are removed: at most one a privacy level."""
    block = study.pruning
    levels = block.doses.privacy if block.doses else []
    found = [Setting(block.dataset, block.model, privacy) for privacy in levels]
    return [setting for setting in found if in_grid(study, setting)]


def audited_settings(study: Study) -> list[Setting]:
    """The settings whose training is audited."""
    block = study.audit
    return [Setting(block.dataset, block.model, privacy) for privacy in block.privacy]


def releases_scores(study: Study) -> bool:
    """Whether samples are removed by released scores."""
    return "released" in study.pruning.selection


def secret_noise(study: Study, dataset: str) -> bool:
    """Whether the private runs of a data set draw their noise from the system's entropy.

    With `auto` those of data sets do that are not known to be public.
    """
    chosen = study.privacy.secret_noise
    if chosen == "auto":
        return study.datasets[dataset].source not in PUBLIC_SOURCES
    return bool(chosen)


def has_private_data(study: Study) -> bool:
    """Whether some data set of the config is of a source that is not known to be public."""
    return any(block.source not in PUBLIC_SOURCES for block in study.datasets.values())


def images_notice(study: Study, dataset: str) -> str:
    """What a page that shows images of a data set must say; empty for sources that are public."""
    if study.datasets[dataset].source in PUBLIC_SOURCES:
        return ""
    return (
        f"The images of {dataset} and their exact scores are not private: this page is for those "
        "alone who may see them (report.images: none leaves them out)."
    )


def seeds_noise(study: Study) -> bool:
    """Whether some private run of the grid has seeded noise, which is to be said of its epsilon."""
    return any(
        epsilon_of(setting.privacy) is not None and not secret_noise(study, setting.dataset)
        for setting in settings(study)
    )


def release_epsilon(study: Study, privacy: str, phase: str = "first") -> float | None:
    """Pure epsilon of the release of one score at a privacy level; `None` without privacy.

    From a first phase one score is used; from a full run all are released, and share the epsilon.
    """
    target = epsilon_of(privacy)
    if target is None:
        return None
    scores = len(study.pruning.scores) if phase == "full" else 1
    return study.release.share * target / scores


def planned_releases(study: Study, privacy: str) -> list[float]:
    """Pure epsilon of each release from a full run that its noise is to leave room for."""
    released = release_epsilon(study, privacy, "full") if study.release.full else None
    return [] if released is None else [released] * len(study.pruning.scores)


# --- The paper's experiments in the names of the grid --------------------------------------------


def resolve_name(study: Study, kind: str, name: str) -> str | None:
    """What the study has in the place of the paper's data set or model; `None` for nothing.

    Args:
        study: what is studied.
        kind: `datasets` or `models`.
        name: the paper's name.
    """
    grid: list[str] = getattr(study.grid, kind)
    named: Mapping[str, str | None] = getattr(study.substitutes, kind)
    if named.get(name, name) is None:
        return None
    found = name if name in grid else named.get(name)
    return found if found in grid else None


def resolve_class(study: Study, comparison: Comparison) -> str | None:
    """The class that a comparison of the paper shows here; `None` for all, or for none at all."""
    name = comparison.class_name
    if name is None or comparison.dataset in study.grid.datasets:
        return name
    return study.substitutes.classes.get(name, name)


def substitutes_of(pairs: Iterable[tuple[str | None, str | None]]) -> dict[str, str]:
    """The paper's name -> ours, where they differ."""
    return {paper: ours for paper, ours in pairs if paper and ours and paper != ours}


def resolve_comparison(study: Study, comparison: Comparison) -> Comparison | None:
    """A comparison of the paper in the names of the grid; `None` if the grid does not train it."""
    dataset = resolve_name(study, "datasets", comparison.dataset)
    models = [resolve_name(study, "models", side.model) for side in (comparison.a, comparison.b)]
    class_name = resolve_class(study, comparison)
    scores = {comparison.a.score, comparison.b.score}
    if (
        dataset is None
        or None in models
        or not scores <= set(score_names(study))
        or (class_name is None and comparison.class_name is not None)
    ):
        return None
    sides = [
        replace(side, model=str(model))
        for side, model in zip((comparison.a, comparison.b), models, strict=True)
    ]
    if not all(in_grid(study, Setting(dataset, s.model, s.privacy)) for s in sides):
        return None
    papers = (comparison.dataset, comparison.a.model, comparison.b.model, comparison.class_name)
    return replace(
        comparison,
        dataset=dataset,
        a=sides[0],
        b=sides[1],
        class_name=class_name,
        substitutes=substitutes_of(zip(papers, (dataset, *models, class_name), strict=True)),
    )


def resolve_figure(study: Study, figure: Figure) -> Figure | None:
    """A figure of the paper in the names of the grid; `None` if the grid does not train it all."""
    if figure.kind in RUN_FIGURES:
        dataset = resolve_name(study, "datasets", figure.dataset)
        model = resolve_name(study, "models", figure.model)
        if (
            dataset is None
            or model is None
            or not in_grid(study, Setting(dataset, model, figure.privacy))
            or figure.score not in score_names(study)
        ):
            return None
        found = substitutes_of([(figure.dataset, dataset), (figure.model, model)])
        return replace(figure, dataset=dataset, model=model, substitutes=found)
    resolved = [resolve_comparison(study, c) for c in figure.comparisons]
    comparisons = tuple(c for c in resolved if c is not None)
    if len(comparisons) < len(figure.comparisons):
        return None
    substitutes = {paper: ours for c in comparisons for paper, ours in c.substitutes.items()}
    return replace(figure, comparisons=comparisons, substitutes=substitutes)


def own_experiments(study: Study) -> Experiments:
    """The comparisons and figures of the config itself, in its own names."""

    def blocks(models: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: block.model_dump(by_alias=True, exclude_none=True)
            for name, block in models.items()
        }

    return Experiments.from_blocks(blocks(study.comparisons), blocks(study.figures))


def experiments_run(study: Study, paper: Experiments) -> Experiments:
    """What the study compares and draws: of the paper what the grid trains, and all of its own."""
    comparisons = {name: resolve_comparison(study, c) for name, c in paper.comparisons.items()}
    figures = {name: resolve_figure(study, f) for name, f in paper.figures.items()}
    own = own_experiments(study)
    return Experiments(
        {name: c for name, c in comparisons.items() if c is not None} | dict(own.comparisons),
        {name: f for name, f in figures.items() if f is not None} | dict(own.figures),
    )


def concerns_paper(study: Study, paper: Experiments) -> bool:
    """Whether the study makes a comparison or figure of the paper, perhaps by substitutes."""
    return any(resolve_comparison(study, c) is not None for c in paper.comparisons.values()) or any(
        resolve_figure(study, figure) is not None for figure in paper.figures.values()
    )


def substitutes_text(substitutes: Mapping[str, str]) -> str:
    """Substitutes in words, as "digits for cifar10; 2 for bird"."""
    return "; ".join(f"{ours} for {paper}" for paper, ours in substitutes.items())
