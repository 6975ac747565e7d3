"""Files of checkpoints, found by pattern and put in order. Importing this loads no PyTorch."""

import glob
import re
from collections.abc import Iterable
from pathlib import Path


def find_checkpoints(patterns: Iterable[str]) -> list[Path]:
    """Files of checkpoints, in the natural order of their names: 2 before 10.

    Args:
        patterns: paths, or patterns of them (`ckpt_*.pt`).

    Raises:
        ValueError: a pattern matches no file.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        expanded = str(Path(pattern).expanduser())
        # A name may hold characters of a pattern: Lightning's are `epoch=1-[...]`.
        matches = [expanded] if Path(expanded).is_file() else glob.glob(expanded)
        files = [Path(match) for match in matches if Path(match).is_file()]
        if not files:
            raise ValueError(f"checkpoints: no file {pattern}")
        found.update(dict.fromkeys(files))
    return sorted(found, key=_natural_key)


def _natural_key(path: Path) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", str(path))
    # Text and numbers alternate, so that like is compared with like.
    return [(int(part), "") if i % 2 else (0, part) for i, part in enumerate(parts)]
