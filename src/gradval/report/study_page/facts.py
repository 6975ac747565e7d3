"""What no table of a study says: what its figures and claims are about, and how it was made.

Nothing heavy is imported: Snakemake asks at every start.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from gradval.runtime.files import read_json, write_text

FACTS = "study.json"
EACH = "each"


@dataclass(frozen=True)
class FigureFacts:
    """A figure.

    Attributes:
        title: what it shows.
        comparisons: names of the comparisons that it shows, by which claims lead to it.
        images: whether samples of the data set can be seen on it.
    """

    title: str = ""
    comparisons: Sequence[str] = ()
    images: bool = False


@dataclass(frozen=True)
class ClaimFacts:
    """What a claim of the paper is about, beyond the columns of the scorecard.

    Attributes:
        scores: names of the scores that it speaks of.
        sources: the comparisons or runs by which it is judged.
        kind: of the claims table.
    """

    scores: Sequence[str] = ()
    sources: Sequence[str] = ()
    kind: str = ""


@dataclass(frozen=True)
class Facts:
    """What no table says.

    Attributes:
        title, subtitle: of the page.
        k: size of a selection; 0 where it is not known.
        figures: name -> figure, in the order of the page.
        claims: id -> claim.
        notices: what a reader must know before he believes a number.
        made: how the study was made, such as `{"Commit": "4f2a"}`, in the order of the page.
        costs: one row a rule: rule, jobs, minutes (of the wall), memory_mb (the most of a job).
        config: the whole config as YAML.
        private: data sets that are not public.
    """

    title: str = "What the study found"
    subtitle: str = ""
    k: int = 0
    figures: Mapping[str, FigureFacts] = field(default_factory=dict)
    claims: Mapping[str, ClaimFacts] = field(default_factory=dict)
    notices: Sequence[str] = ()
    made: Mapping[str, str] = field(default_factory=dict)
    costs: Sequence[Mapping[str, Any]] = ()
    config: str = ""
    private: Sequence[str] = ()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The facts that `to_dict` gave.

        Raises:
            TypeError: a key is unknown.
        """
        parts = dict(values)
        figures = {name: FigureFacts(**one) for name, one in parts.pop("figures", {}).items()}
        claims = {name: ClaimFacts(**one) for name, one in parts.pop("claims", {}).items()}
        return cls(figures=figures, claims=claims, **parts)

    def to_dict(self) -> dict[str, Any]:
        """The facts as plain values."""
        return asdict(self)


def write_facts(folder: str | Path, facts: Facts) -> None:
    """Write `study.json`."""
    text = json.dumps(facts.to_dict(), indent=1, ensure_ascii=False)
    write_text(Path(folder) / FACTS, text + "\n")


def claim_facts(path: Path) -> dict[str, ClaimFacts]:
    """What the claims of a claims table are about, by id.

    Args:
        path: `paper/claims.csv`.
    """
    with path.open(encoding="utf-8", newline="") as file:
        return {claim["id"]: _claim(claim) for claim in csv.DictReader(file)}


def _claim(claim: Mapping[str, str]) -> ClaimFacts:
    scores = dict.fromkeys(claim[name] for name in ("score_a", "score_b"))
    return ClaimFacts(
        scores=[score for score in scores if score and score != EACH],
        sources=claim["source"].split("|"),
        kind=claim["kind"],
    )


def read_facts(folder: Path) -> Facts:
    """Read `study.json`.

    Raises:
        ValueError: it is not what `write_facts` writes; the message names it.
    """
    try:
        return Facts.from_dict(read_json(folder / FACTS))
    except (TypeError, AttributeError) as error:
        raise ValueError(
            f"{folder / FACTS}: is not what gradval writes about a study ({error})"
        ) from None
