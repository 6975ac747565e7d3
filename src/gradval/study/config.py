"""The config: one model a block, with the meaning, the default and the limits of every key.

`validate` turns the merged dictionary that Snakemake holds into a `Study`, in which every key has a
value. `workflow/schemas/config.schema.json` and `docs/config.md` are written from these models by
`python -m gradval.study.write_schema`. Nothing heavy is imported: Snakemake asks at every start.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from gradval.models.adopted import adopted_architecture
from gradval.models.registry import ARCHITECTURES
from gradval.study import checks
from gradval.study.checkpoints import OwnCheckpoints, import_path
from gradval.study.config_errors import ConfigError, explain
from gradval.study.datasets import Dataset
from gradval.study.federation import Federation
from gradval.study.fields import (
    KEEP,
    Block,
    Count,
    Distinct,
    Flag,
    Fraction,
    Name,
    Number,
    Positive,
    Privacy,
    Seed,
    Text,
    as_truth,
    as_whole,
)
from gradval.study.figures import AnyFigure, ComparisonBlock
from gradval.study.names import SCORES
from gradval.study.pruning import Pruning
from gradval.study.recipes import Training


class Grid(Block):
    """The cross product that is trained and scored."""

    datasets: Distinct[Name] = Field(min_length=1, description="keys of `datasets`")
    models: Distinct[Name] = Field(min_length=1, description="keys of `models`")
    privacy: Distinct[Privacy] = Field(min_length=1, description="`nonprivate`, or `eps<number>`")
    seeds: Distinct[Seed] = Field(
        min_length=1,
        description="a seed fixes the initial weights for every privacy level of a model",
    )
    draws: Distinct[Seed] = Field(
        default=[0],
        min_length=1,
        description="a draw fixes sampling, noise and augmentation; every seed is trained under "
        "every draw. Two or more tell what noise alone changes (docs/methods.md, section 6)",
    )


class Model(Block):
    """One model."""

    architecture: Annotated[Text, AfterValidator(import_path)] = Field(
        description=f"one of {', '.join(ARCHITECTURES)}, or your own as `package.module:function` "
        "or `mine.py:function`; with `checkpoints` also `torchvision:<name>`"
    )
    width: Annotated[int, Field(ge=4), BeforeValidator(as_whole)] = Field(
        default=64, description="channels of the first stage; 64 is full width"
    )
    groups: Count = Field(default=16, description="at most this many groups in a GroupNorm")
    weight_standardisation: Flag = Field(
        default=False, description="whether filters are centred and of norm one"
    )
    training: Training = Field(
        default={}, description="merged over the general `training` and the data set's"
    )
    checkpoints: OwnCheckpoints | None = Field(
        default=None, description="of a model that is trained already, and scored as it is"
    )
    arguments: dict[Name, Any] | None = Field(
        default=None, description="with `checkpoints`: more for the function of the architecture"
    )

    def options(self) -> dict[str, Any]:
        """What defines the architecture: all that is stated but the training."""
        options = self.model_dump(exclude={"training", "checkpoints", "arguments"})
        if self.checkpoints is None:
            return options
        return options | {"architecture": adopted_architecture(self.architecture, self.arguments)}

    @model_validator(mode="after")
    def _arguments_are_of_a_trained_model(self) -> Self:
        if self.arguments is not None and self.checkpoints is None:
            raise ValueError("arguments: only with 'checkpoints'; put them into the function")
        return self


def _auto_or_flag(value: Any) -> Any:
    if value == "auto":
        return value
    try:
        return as_truth(value)
    except ValueError:
        raise ValueError(f"{value!r} is not allowed; use auto, true or false") from None


class PrivacyBlock(Block):
    """Accounting and noise."""

    accountants: Distinct[Literal["pld", "rdp", "prv"]] = Field(
        default=["pld", "rdp"],
        min_length=1,
        description="the first solves for the noise and carries the claim, the others are stated "
        "beside it; pld: tight, rdp: Renyi (both dp-accounting), prv: Opacus",
    )
    secret_noise: Annotated[Literal["auto"] | bool, BeforeValidator(_auto_or_flag)] = Field(
        default="auto",
        description="true: noise and sampling are drawn from the operating system's entropy, no "
        "two runs are alike; false: they follow from the draw, so that a study can be repeated, "
        "and nothing is promised; auto: false for sources that anybody can download (digits, "
        "cifar10, cinic10), true for all others",
    )
    unit: Literal["sample", "group"] = Field(
        default="sample",
        description="whose contribution private training hides: one image, or a whole group of "
        "them, such as a patient (batch sizes and delta then count groups), see "
        "docs/privacy/patients.md",
    )
    images_per_group: Count = Field(
        default=4,
        description="with `unit: group`, the mean gradient of at most so many random images of a "
        "drawn group is clipped",
    )


def _auto_or_count(value: Any) -> Any:
    if value == "auto":
        return value
    try:
        count = as_whole(value)
    except ValueError:
        raise ValueError(f"{value!r} is not allowed; use auto, or a whole number above 0") from None
    if count < 1:
        raise ValueError(f"must be at least 1, but is {count}")
    return count


class Scores(Block):
    """How samples are scored."""

    names: Distinct[Text] = Field(
        default=list(SCORES),
        min_length=1,
        description="scores of this package, and your own by import path, such as "
        "`my_scores.saliency`",
    )
    plugins: Distinct[Text] = Field(
        default=[], description="more scores of your own, by import path; `names` stay as they are"
    )
    options: dict[Name, dict[str, Any]] = Field(
        default={}, description="options of single scores, by name; each declares its own"
    )
    normalisation: Literal["minmax", "zscore"] = Field(
        default="minmax", description="per class: minmax to [0, 1] (the paper) or zscore"
    )
    batch_size: Annotated[Literal["auto"] | int, BeforeValidator(_auto_or_count)] = Field(
        default="auto",
        description="samples at a time; auto: as many as fit. Does not change the scores",
    )
    shards: Annotated[Literal["auto"] | int, BeforeValidator(_auto_or_count)] = Field(
        default="auto",
        description="jobs that score one run side by side; auto: one for each GPU hour that the "
        "dearest model is expected to take. Does not change the scores",
    )
    free: Flag = Field(
        default=False,
        description="whether loss, gradient norm and VoG are also collected while training",
    )

    @property
    def chosen(self) -> list[str]:
        """Names and import paths of all scores."""
        return [*self.names, *self.plugins]


class Selection(Block):
    """How selections are made and compared."""

    scale: Literal["normalised", "raw"] = Field(
        default="normalised",
        description="compare and prune by class-normalised (the paper) or raw scores",
    )
    k: Count = Field(default=25, description="size of a selection")
    pearson_top: Annotated[int, Field(ge=3), BeforeValidator(as_whole)] = Field(
        default=1000, description='the paper\'s "top 1000", which is 2% of CIFAR-10'
    )
    chance_draws: Annotated[int, Field(ge=20), BeforeValidator(as_whole)] = Field(
        default=100, description="random selections from which chance levels are estimated"
    )


def _ascending(bounds: list[float]) -> list[float]:
    low, high = bounds
    if low >= high:
        raise ValueError(f"{low:g} must be below {high:g}")
    return bounds


Bounds = Annotated[list[Number], Field(min_length=2, max_length=2), AfterValidator(_ascending)]


class Release(Block):
    """Releases of scores under differential privacy, see docs/privacy/releases.md."""

    share: Fraction = Field(
        default=0.25, description="of the level's epsilon: a quarter is epsilon 1 at eps4"
    )
    budget: Positive | None = Field(
        default=None,
        description="limit on the epsilon of all releases of a data set, over all runs and for "
        "good (resources/budgets); null: counted, but never refused, which is for studies of "
        "public data",
    )
    full: Flag = Field(
        default=False,
        description="whether the scores of full runs may be released: their noise is then solved "
        "so that training and the releases of all scores of `pruning.scores`, at `share` of the "
        "level's epsilon together, meet the level",
    )
    draw: Annotated[int, Field(ge=0), BeforeValidator(as_whole)] = Field(
        default=0,
        description="the same number returns the same draw for nothing; another number draws once "
        "more, and is charged once more",
    )
    bounds: dict[Name, Bounds] = Field(
        default={},
        description="public [low, high] to which a score is clipped, by score; never from private "
        "data",
    )


class Audit(Block):
    """An empirical lower bound on epsilon: `snakemake --cores all audit`."""

    dataset: Name = Field(description="a key of `datasets`")
    model: Name = Field(description="a key of `models`")
    privacy: Distinct[Privacy] = Field(
        min_length=1, description="levels with an epsilon; they need not be those of the grid"
    )
    run: Literal["full", "pruned"] = Field(
        default="full",
        description="what is audited: a full run, or a first phase and the second after a removal "
        "at random, together",
    )
    sees: Literal["steps", "weights"] = Field(
        default="steps",
        description="what whoever guesses sees: the weights after every step, as accountants "
        "assume, or the final ones alone",
    )
    canaries: Annotated[int, Field(ge=2, le=65535), BeforeValidator(as_whole)] = Field(
        default=5000, description="samples that are each there by a fair coin"
    )
    guesses: Annotated[int, Field(ge=2, multiple_of=2), BeforeValidator(as_whole)] = Field(
        default=400,
        description="at the extremes, half in and half out; fix it before, do not tune it on "
        "results",
    )
    confidence: Annotated[float, Field(ge=0.5, lt=1), KEEP] = Field(
        default=0.95, description="that epsilon is not below the bound"
    )

    @model_validator(mode="after")
    def _guesses_are_of_canaries(self) -> Self:
        if self.guesses > self.canaries:
            raise ValueError(
                f"guesses: {self.guesses} is more than the {self.canaries} of audit.canaries"
            )
        return self


class Report(Block):
    """The page of the study, `results/index.html`."""

    images: Literal["none", "selected", "all"] = Field(
        default="selected",
        description="whose images it shows. none: no sample at all, neither in the gallery nor in "
        "figures; selected: those at either end of a score, and figures; all: every training "
        "sample, in a folder beside the page if they are many",
    )


class Cost(Block):
    """What schedulers are asked for, and the estimate of a dry run."""

    gpus: Annotated[Literal[0, 1], BeforeValidator(as_whole)] = Field(
        default=1, description="of a job that trains or scores; 0 for clusters without"
    )
    gpu_speedup: Positive = Field(
        default=100, description="one GPU against one core of src/gradval/study/costs.csv"
    )
    longest_minutes: Count = Field(
        default=2880, description="the longest time limit that the cluster grants"
    )
    keep_checkpoints: Flag = Field(
        default=True,
        description="false: those of a run are deleted once its scores are made; whatever needs "
        "them later repeats the training, with the same seed and draw",
    )


class Substitutes(Block):
    """What takes the place of the paper's data sets and models that the grid lacks.

    What the grid has itself needs no substitute and gets none. `null` leaves an experiment out.
    """

    datasets: dict[Name, Name | None] = Field(
        default={}, description="the paper's name: a key of `datasets`, or null"
    )
    models: dict[Name, Name | None] = Field(
        default={}, description="the paper's name: a key of `models`, or null"
    )
    classes: dict[Text, Text | None] = Field(
        default={}, description="the paper's class: one of the substitute data set, or null"
    )


class Study(Block):
    """What is studied: the whole config."""

    grid: Grid = Field(description="what is trained and scored")
    datasets: dict[Name, Dataset] = Field(min_length=1, description="data sets by name")
    models: dict[Name, Model] = Field(min_length=1, description="models by name")
    training: Training = Field(
        description="hyper-parameters, in blocks that are merged in this order: default, then "
        "nonprivate or private, then the privacy level (eps1, ...); a data set's and then a "
        "model's own `training` block of the same form is merged on top. What has no default must "
        "be given by some block"
    )
    privacy: PrivacyBlock = Field(default=PrivacyBlock(), description="accounting and noise")
    scores: Scores = Field(default=Scores(), description="how samples are scored")
    selection: Selection = Field(default=Selection(), description="how selections are compared")
    pruning: Pruning = Field(description="retraining on a part (Table 1)")
    release: Release = Field(default=Release(), description="scores under differential privacy")
    audit: Audit = Field(description="a lower bound on epsilon")
    federation: Federation | None = Field(
        default=None, description="sites that train together, publish and are paid"
    )
    report: Report = Field(default=Report(), description="the page of the study")
    cost: Cost = Field(default=Cost(), description="what schedulers are asked for")
    substitutes: Substitutes = Field(
        default=Substitutes(), description="what takes the place of what the grid lacks"
    )
    comparisons: dict[Name, ComparisonBlock] = Field(
        default={}, description="comparisons of one's own, in the names of this config"
    )
    figures: dict[Name, AnyFigure] = Field(
        default={}, description="figures of one's own, in the names of this config"
    )


def validate(config: Mapping[str, Any]) -> Study:
    """The study that a config asks for, every key with a value.

    Args:
        config: merged from all config files and the command line.

    Raises:
        ConfigError: one line that names the key, what is wrong, and what is allowed.
    """
    try:
        study = Study.model_validate(config)
    except ValidationError as error:
        raise ConfigError(explain(error, config)) from None
    checks.check(study)
    return study
