"""The commands and files that README and documentation show."""

import re
import shlex
import textwrap
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "config/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
BLOCK = re.compile(r"^( *)```sh\n(.*?)^ *```", re.S | re.M)
FILE = re.compile(r'^```python title="([\w.]+)"\n(.*?)^```', re.S | re.M)
INLINE = re.compile(r"`((?:snakemake|make) [^`]+)`")


def commands(page: Path) -> list[list[str]]:
    """Every command of the shell blocks of a page, in words; what follows a pipe or && too."""
    text = page.read_text(encoding="utf-8")
    found = []
    for indent, block in BLOCK.findall(text):
        joined = textwrap.dedent(indent + block).replace("\\\n", " ")
        for line in filter(None, map(str.strip, joined.splitlines())):
            words = shlex.split(line, comments=True)
            parts: list[list[str]] = [[]]
            for word in words:
                if word in ("&&", "|", ";"):
                    parts.append([])
                else:
                    parts[-1].append(word)
            found += [part for part in parts if part]
    return found


def inline_commands(page: Path) -> list[list[str]]:
    """Commands of Snakemake and make within sentences; `...` and <names> stand for something."""
    found = INLINE.findall(page.read_text(encoding="utf-8"))
    return [shlex.split(text) for text in found if "..." not in text and "<" not in text]


def configs(page: Path) -> list[dict[str, Any]]:
    """The configs of a page."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M)
    return [yaml.safe_load(block) for block in blocks]


def write_files(page: Path, folder: Path) -> None:
    """Write the files that a page tells its reader to save."""
    for name, text in FILE.findall(page.read_text(encoding="utf-8")):
        (folder / name).write_text(text, encoding="utf-8")
