"""Compiled modules, kept for the jobs that come after.

Without them every process compiles PyTorch's thousand modules anew, which takes longer than most
jobs of a small study compute.
"""

import os
import sysconfig
from pathlib import Path


def keep_bytecode(folder: str | Path) -> None:
    """Let child processes keep bytecode, also where that is switched off or cannot be written.

    Containers often set `PYTHONDONTWRITEBYTECODE`, or hold their packages on a read-only disk. Such
    a setting asks that no file appears beside the sources, and none does: the bytecode then goes to
    a folder of its own.

    Args:
        folder: where it goes then; made when something is written to it.
    """
    unwanted = os.environ.pop("PYTHONDONTWRITEBYTECODE", "") != ""
    packages = sysconfig.get_path("purelib")
    if unwanted or not os.access(packages, os.W_OK):
        os.environ.setdefault("PYTHONPYCACHEPREFIX", str(Path(folder).absolute()))
