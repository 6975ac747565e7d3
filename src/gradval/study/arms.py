"""The arms of a study of doses: which samples are removed, from which end, within what."""

from collections.abc import Iterable
from dataclasses import dataclass

RANDOM = "random"


@dataclass(frozen=True)
class Arm:
    """One way of removing samples.

    Attributes:
        score: by which samples are removed, or `random`.
        end: whether those with the `largest` or the `lowest` scores go.
        scope: `global`, or `class` for the same share of every class.
    """

    score: str
    end: str
    scope: str

    @property
    def name(self) -> str:
        """What its folder is called."""
        return "_".join((self.score, *([] if self.score == RANDOM else [self.end]), self.scope))


def arms(scores: Iterable[str], ends: Iterable[str], scopes: Iterable[str]) -> list[Arm]:
    """Every score at every end within every scope, and random removal within each."""
    within = list(scopes)
    chosen = [Arm(score, end, scope) for score in scores for end in ends for scope in within]
    return chosen + [Arm(RANDOM, "largest", scope) for scope in within]


def dose_name(fraction: float) -> str:
    """A share of samples in percent, as files call it: `5`, `12.5`."""
    return f"{round(100 * fraction, 6):g}"
