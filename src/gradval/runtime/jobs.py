"""How a script of the workflow reports: its log file, and one clear line when the input is bad."""

import logging
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from pathlib import Path
from typing import NoReturn, TextIO

STARTED = "started within %.2f s of processor time"


@contextmanager
def job(log: str | Path) -> Iterator[None]:
    """Run the body of a script with warnings, notices and progress bars going to its log file.

    What the user can mend (a `ValueError` or an `OSError`) ends the script with one line, both in
    the log and on the terminal, which names the job: schedulers show it apart from Snakemake's own
    messages. So do a script that stops itself by `SystemExit` with a message, as an interrupted
    training does, and Ctrl-C. Anything else is a defect: its traceback goes into the log. The first
    line of the log says how much processor time went by before the body: interpreter and imports.

    Args:
        log: `logs/<rule>/<wildcards, one a folder>.log`.
    """
    terminal = sys.stderr
    path = Path(log)
    path.parent.mkdir(parents=True, exist_ok=True)

    def stop(message: object) -> NoReturn:
        line = f"{message} (job {job_name(path)})"
        print(line, file=terminal)
        with suppress(OSError):
            print(line, file=file)
        sys.exit(1)

    with _log_file(path) as file, redirect_stderr(file):
        logging.basicConfig(stream=file, level=logging.INFO, format="%(message)s", force=True)
        logging.info(STARTED, time.process_time())
        try:
            yield
        except (ValueError, OSError) as error:
            stop(f"error: {error}")
        except KeyboardInterrupt:
            stop("interrupted")
        except SystemExit as request:
            if not isinstance(request.code, str):
                raise
            stop(request)
        except Exception as error:
            print(f"unexpected {type(error).__name__}: {error} (see {path})", file=terminal)
            with suppress(OSError):
                traceback.print_exc(file=file)
            sys.exit(1)


def warn(message: str) -> None:
    """Say within a `job` what its user must know, in the log and on the terminal."""
    line = f"warning: {message}"
    logging.warning(line)
    print(line, file=sys.__stderr__, flush=True)


@contextmanager
def _log_file(path: Path) -> Iterator[TextIO]:
    """A log open for writing, of which the last lines may be lost: its disk may be the full one."""
    file = path.open("w", buffering=1, encoding="utf-8")
    try:
        yield file
    finally:
        with suppress(OSError):
            file.close()


def job_name(log: Path) -> str:
    """Rule and wildcards of a job, such as `train_model digits/resnet9/eps4/seed0/draw0/full`."""
    parts = log.with_suffix("").parts
    if "logs" not in parts:
        return log.stem
    rule, *wildcards = parts[parts.index("logs") + 1 :]
    return " ".join([rule, "/".join(wildcards)]).strip()
