"""The scores: which there are, what a score declares, and how one of a user's own is named.

A score is a module that defines `SCORE`:

    from gradval.scores.registry import Score, ScoreOptions

    class SaliencyOptions(ScoreOptions):
        power: float = 2.0
        '''of the norm'''

    def saliency(context, options):
        return context.input_gradients.flatten(1).norm(options.power, dim=1)

    SCORE = Score(saliency, order=1, options=SaliencyOptions)

It is chosen by the name that it has in `SCORES`, or by its import path, such as
`my_scores.saliency`; its own name is then the last part of the path. What a score declares is read
whenever a config is checked: a module that imports PyTorch in its functions keeps that quick.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from gradval.runtime import plugins
from gradval.runtime.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

    from gradval.scores.context import ScoringContext

    ScoreFunction = Callable[[ScoringContext, Any], Tensor]

# The paper's four first, then those for comparison, of which three know the image alone.
SCORES = Registry(
    "score",
    {
        "loss": "gradval.scores.loss:SCORE",
        "grad_norm": "gradval.scores.gradient_norm:SCORE",
        "vog": "gradval.scores.vog:SCORE",
        "plis": "gradval.scores.plis:SCORE",
        "vog_window": "gradval.scores.vog_window:SCORE",
        "el2n": "gradval.scores.el2n:SCORE",
        "grand": "gradval.scores.grand:SCORE",
        "forgetting": "gradval.scores.forgetting:SCORE",
        "tracin": "gradval.scores.tracin:SCORE",
        "brightness": "gradval.scores.brightness:SCORE",
        "contrast": "gradval.scores.contrast:SCORE",
        "edge_density": "gradval.scores.edge_density:SCORE",
    },
    attribute="SCORE",
)
# These are computed together: most of a short job is its start, and three of them share a pass.
SHARED_PASS = ("loss", "grad_norm", "vog", "plis")
# So are those for comparison: what they draw on at checkpoints is the same.
FOR_COMPARISON = (
    *("vog_window", "el2n", "grand", "forgetting", "tracin"),
    *("brightness", "contrast", "edge_density"),
)


class ScoreOptions(BaseModel):
    """Options of a score: fields with defaults, each described by the string below it."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


@dataclass(frozen=True)
class Score:
    """What a score declares.

    Attributes:
        function: maps a `gradval.scores.context.ScoringContext` of N samples and the options to one
            number a sample, `(N,)`, higher = more.
        order: what it draws on: 0 losses only, 1 gradients too, 2 susceptibilities too.
        options: the model of its options.
    """

    function: ScoreFunction = field(repr=False)
    order: int
    options: type[ScoreOptions] = ScoreOptions


def score_name(choice: str) -> str:
    """What a score is called in files and columns: its registered name, or its module's."""
    return choice if choice in SCORES else plugins.split_path(choice)[0].rpartition(".")[2]


def choices_by_name(choices: Iterable[str]) -> dict[str, str]:
    """Name -> choice of several scores.

    Raises:
        ValueError: two have the same name.
    """
    found: dict[str, str] = {}
    for choice in choices:
        name = score_name(choice)
        if name in found:
            raise ValueError(f"scores {found[name]!r} and {choice!r} have the same name, {name!r}")
        found[name] = choice
    return found


def load_score(choice: str) -> Score:
    """The score of a registered name or import path.

    Raises:
        ValueError: there is none, or what is there is no `Score`.
    """
    score = SCORES.load(choice)
    if not isinstance(score, Score):
        raise ValueError(f"{SCORES.path(choice)} is a {type(score).__name__}, but must be a Score")
    return score


def options_model(choice: str) -> type[ScoreOptions]:
    """The model of a score's options; loads no PyTorch for the scores of this package.

    Raises:
        ValueError: there is no such score.
    """
    return load_score(choice).options


def options_of(choice: str, given: Mapping[str, Any] | None = None) -> ScoreOptions:
    """A score's options with their defaults.

    Raises:
        ValueError: there is no such score or option, or a value is not allowed; one line.
    """
    model, name = options_model(choice), score_name(choice)
    try:
        return model(**(given or {}))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, (name, *first["loc"])))
        if first["type"] == "extra_forbidden":
            known = ", ".join(model.model_fields) or "none"
            raise ValueError(f"{key}: unknown option; {name} has {known}") from None
        expected = first.get("ctx", {}).get("expected")
        what = f"must be {expected}" if expected else first["msg"]
        raise ValueError(f"{key}: {first['input']!r} is not allowed: {what}") from None
