"""What the page of a study is made of: a folder of tables and pictures, and facts about the study.

The folder is `results/` of a study, or kept evidence of the same layout. A table that is not there
is not an error: its section does not appear.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import pandas as pd

from gradval.report.study_page.facts import FACTS, Facts, read_facts

FIGURES = "figures"


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
            facts = read_facts(folder) if FACTS in names else Facts()
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
