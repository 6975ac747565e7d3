"""The budget of a data set: what was drawn from it, in a file that is only ever added to.

Whoever draws the same release again and again averages the noise away. So every draw is charged
here before it is made, and its answer is kept: the same question gets the same answer for nothing,
another draw needs an explicit word and is charged, and nothing is drawn beyond the limit.

The file holds one JSON object a line. Each line has the SHA-256 of the line before it, so that a
line that is changed or taken out is noticed (one that was cut off from the end is not). It tells
what is released and nothing else, but a question may name a digest of private data: mode 0600.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

Question = Mapping[str, Any]
_START = "0" * 64
# Sums of epsilons are exact to rounding.
_SLACK = 1 + 1e-9


class BudgetExceeded(ValueError):
    """A draw would cost more than is left."""


class Budget:
    """The budget file of one data set.

    Args:
        path: of the file, which need not exist; several processes may use it at once.
        limit: on the sum of epsilons of one unit, > 0; `None` for none, where draws are counted
            but never refused.

    Raises:
        ValueError: the limit is not positive.
    """

    def __init__(self, path: str | Path, limit: float | None) -> None:
        if limit is not None and not limit > 0:
            raise ValueError(f"the limit of a budget must be positive, got {limit}")
        self.path, self.limit = Path(path), limit

    def ask(
        self,
        question: Question,
        epsilon: float,
        draw: Callable[[], Any],
        *,
        again: bool = False,
    ) -> Any:
        """The answer to a question: the stored one, or a draw that is charged first.

        Args:
            question: plain JSON values that say what is asked, of which data, with which epsilon.
            epsilon: that a draw costs each unit, > 0.
            draw: makes the answer, of plain JSON values.
            again: whether to draw once more, and be charged once more, although there is an answer.

        Returns:
            The answer as read from JSON.

        Raises:
            BudgetExceeded: a draw would exceed the limit; nothing is drawn.
            ValueError: epsilon is not positive, or the file was tampered with.
            OSError: the charge cannot be written; nothing is drawn.
        """
        if not 0 < epsilon < float("inf"):
            raise ValueError(f"epsilon of a draw must be a positive number, got {epsilon}")
        asked = json.loads(json.dumps(dict(question), allow_nan=False))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.path}.lock"):
            entries = self._read()
            charges = [e for e in entries if e["kind"] == "charge" and e["question"] == asked]
            answers = {e["charge"]: e["answer"] for e in entries if e["kind"] == "answer"}
            if charges and not again and charges[-1]["number"] in answers:
                return answers[charges[-1]["number"]]
            # What was charged but never answered, for its process died, is drawn for that charge.
            if charges and charges[-1]["number"] not in answers:
                number = int(charges[-1]["number"])
            else:
                number = self._charge(entries, asked, epsilon)
            answer = json.loads(json.dumps(draw(), allow_nan=False))
            self._append({"kind": "answer", "charge": number, "answer": answer})
            return answer

    @property
    def spent(self) -> float:
        """Sum of the epsilons that were charged."""
        return _spent(self._read())

    def charges(self) -> list[dict[str, Any]]:
        """Every charge in its order: number, question, epsilon, limit at that time."""
        keys = ("number", "question", "epsilon", "limit")
        return [{k: e[k] for k in keys} for e in self._read() if e["kind"] == "charge"]

    def _charge(self, entries: list[dict[str, Any]], asked: Question, epsilon: float) -> int:
        self._check_limit(entries, asked, epsilon)
        number = len([e for e in entries if e["kind"] == "charge"])
        self._append(
            {
                "kind": "charge",
                "number": number,
                "question": asked,
                "epsilon": epsilon,
                "limit": self.limit,
            }
        )
        return number

    def _check_limit(self, entries: list[dict[str, Any]], asked: Question, epsilon: float) -> None:
        """Refuse a charge beyond the limit; called under the lock, before anything is written."""
        spent = _spent(entries)
        if self.limit is not None and spent + epsilon > self.limit * _SLACK:
            raise BudgetExceeded(
                f"{self.path}: a draw at epsilon {epsilon:g} exceeds the budget: {spent:g} of "
                f"{self.limit:g} is spent"
            )

    def _read(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        entries, previous = [], _START
        for number, line in enumerate(_whole_lines(self.path.read_bytes()), 1):
            entry = _parsed(line)
            if entry is None or entry.get("previous") != previous:
                raise ValueError(
                    f"{self.path}, line {number}: not what was written there; a budget is added "
                    "to and never edited. Without it, nothing more can be released"
                )
            entries.append(entry)
            previous = hashlib.sha256(line).hexdigest()
        return entries

    def _append(self, entry: dict[str, Any]) -> None:
        """Add a line that is on the disk when this returns."""
        content = self.path.read_bytes() if self.path.exists() else b""
        lines = _whole_lines(content)
        previous = hashlib.sha256(lines[-1]).hexdigest() if lines else _START
        line = json.dumps({"previous": previous, **entry}, allow_nan=False).encode()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            # What a killed process wrote of a line was never acted upon.
            kept = sum(len(whole) + 1 for whole in lines)
            os.ftruncate(descriptor, kept)
            os.lseek(descriptor, 0, os.SEEK_END)
            written = os.write(descriptor, line + b"\n")
            if written != len(line) + 1:
                raise OSError(f"{self.path}: could not be written")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if not content:
            _sync_folder(self.path.parent)


def digest(content: bytes) -> str:
    """By which a question names data: SHA-256 as a hexadecimal string."""
    return hashlib.sha256(content).hexdigest()


def _spent(entries: list[dict[str, Any]]) -> float:
    return float(sum(e["epsilon"] for e in entries if e["kind"] == "charge"))


def _whole_lines(content: bytes) -> list[bytes]:
    return content.split(b"\n")[:-1]


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and entry.get("kind") in ("charge", "answer") else None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
