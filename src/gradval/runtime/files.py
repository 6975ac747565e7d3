"""Writing files so that a reader never sees half of one."""

import glob
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

# Nobody writes one file for so long.
LEFTOVER_SECONDS = 3600


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` if the block succeeds.

    The temporary file is removed if the block raises, and its bytes are on the disk before it is
    renamed, so that neither a crash, a full disk nor a lost machine leaves a truncated output
    behind. What a killed process left is removed an hour later, when the file is written next.

    Raises:
        OSError: the file cannot be written, for example because the disk is full; it names `path`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file)
        os.replace(temporary, path)
    except OSError as error:
        if error.filename is None or Path(error.filename) == temporary:
            # Libraries name the temporary file or none at all.
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def private_path(path: str | Path) -> Iterator[Path]:
    """As `atomic_path`, of a file that only its owner can read, from its first byte on."""
    with atomic_path(path) as temporary:
        os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600))
        yield temporary
        # Some writers replace the file instead of filling it.
        temporary.chmod(0o600)


def keep_to_owner() -> None:
    """From now on, files of this process and its children are readable by their owner alone."""
    os.umask(os.umask(0o077) | 0o077)


def _remove_leftovers(path: Path) -> None:
    for left in path.parent.glob(f".{glob.escape(path.stem)}.[0-9]*{path.suffix}"):
        # Another process may be writing, such as one of a node that was taken for dead.
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > LEFTOVER_SECONDS:
                left.unlink()


def write_text(path: str | Path, text: str) -> None:
    """Write `text` (UTF-8) atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, content: Any) -> None:
    """Write `content` as indented JSON atomically; floats keep full precision."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_csv(path: str | Path, table: "pd.DataFrame") -> None:
    """Write a table without its index atomically; floats keep full precision."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False)


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises:
        ValueError: the file is not JSON; the message names it.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        # Beside wrong syntax: bytes that are no text, numbers or nesting beyond all bounds.
        raise ValueError(f"{path}: not valid JSON ({error})") from error
