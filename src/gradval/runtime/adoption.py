"""Results without a record: a study's results that were copied into a fresh checkout."""

import os
from contextlib import suppress
from pathlib import Path

FOLDERS = ("resources", "results", "logs")
RECORDS, LOCKS = ".snakemake/metadata", ".snakemake/locks"


def adopt_results(study: str | Path = ".") -> int:
    """Give all results one time if Snakemake has no record of how any of them was made.

    It would compare their times alone, and those of copies follow the order of copying. With one
    time for all, none is out of date; what is missing is made.

    Args:
        study: the folder in which Snakemake runs.

    Returns:
        The number of files whose time was set; 0 where there are records, or a run in progress.
    """
    study = Path(study)
    if any(_has_files(study / folder) for folder in (RECORDS, LOCKS)):
        return 0
    files = [path for name in FOLDERS for path in (study / name).rglob("*") if path.is_file()]
    times = {path.stat().st_mtime_ns for path in files}
    if len(times) < 2:
        return 0
    oldest = min(times)
    for path in files:
        # Of somebody else: Snakemake will say what it makes of its time.
        with suppress(PermissionError):
            os.utime(path, ns=(oldest, oldest))
    return len(files)


def _has_files(folder: Path) -> bool:
    return any(path.is_file() for path in folder.rglob("*"))
