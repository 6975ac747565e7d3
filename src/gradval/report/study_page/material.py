"""What the page of a study is made of: a folder of tables and pictures, and facts about the study.

The folder is `results/` of a study, or kept evidence of the same layout. A table that is not there
is not an error: its section does not appear.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import pandas as pd

from gradval.runtime.files import read_json, write_text

FACTS = "study.json"
FIGURES = "figures"


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


@dataclass(frozen=True)
class Material:
    """A folder of evidence.

    Attributes:
        folder: where the files lie.
        files: paths below it that may be read, with slashes.
        facts: about the study.
    """

    folder: Path
    files: frozenset[str]
    facts: Facts = field(default_factory=Facts)

    @classmethod
    def of(
        cls,
        folder: str | Path,
        files: Iterable[str | Path] | None = None,
        facts: Facts | None = None,
    ) -> Self:
        """The material in a folder.

        Args:
            folder: such as `results`.
            files: those that may be read, paths as they are opened; all by default.
            facts: those of its `study.json` by default, if there is one.

        Raises:
            ValueError: there is nothing in it, or `study.json` is not what this package writes; the
                message names the path.
        """
        folder = Path(folder)
        found = folder.rglob("*") if files is None else map(Path, files)
        names = frozenset(path.relative_to(folder).as_posix() for path in found)
        if not names:
            raise ValueError(f"{folder}: holds no tables of a study; is there such a folder?")
        if facts is None:
            facts = _read_facts(folder) if FACTS in names else Facts()
        return cls(folder, names, facts)

    def table(self, name: str, **options: Any) -> pd.DataFrame | None:
        """A CSV table by its path below the folder; `None` if there is none, or it is empty."""
        if name not in self.files:
            return None
        frame = pd.read_csv(self.folder / name, **options)
        return None if frame.empty else frame

    @cached_property
    def scorecard(self) -> pd.DataFrame | None:
        """The scorecard; what is not a number is text, which may be empty."""
        # Imported here: who draws a gallery alone needs no rules of evidence.
        from gradval.evidence.verdict import NUMBER_COLUMNS

        frame = self.table("scorecard.csv", dtype=str, keep_default_na=False)
        if frame is None:
            return None
        numbers = [name for name in NUMBER_COLUMNS if name in frame]
        return frame.assign(**{name: pd.to_numeric(frame[name]) for name in numbers})

    @cached_property
    def runs(self) -> pd.DataFrame | None:
        """Accuracies of runs on all data, one row a run."""
        return self.table("runs/full.csv")

    def figure(self, name: str) -> Path | None:
        """The picture of a figure; `None` if there is none."""
        path = f"{FIGURES}/{name}.png"
        return self.folder / path if path in self.files else None

    @cached_property
    def figures(self) -> Sequence[str]:
        """Names of all figures there are, those with facts first and in their order."""
        known = [name for name in self.facts.figures if self.figure(name)]
        prefix = f"{FIGURES}/"
        others = sorted(
            Path(name).stem
            for name in self.files
            if name.startswith(prefix) and name.endswith(".png")
        )
        return list(dict.fromkeys([*known, *others]))


def _read_facts(folder: Path) -> Facts:
    try:
        return Facts.from_dict(read_json(folder / FACTS))
    except (TypeError, AttributeError) as error:
        raise ValueError(
            f"{folder / FACTS}: is not what gradval writes about a study ({error})"
        ) from None
