"""What the documentation site is given when it is built: the help of every command."""

import contextlib
import io
import os
import re
from typing import Any

from gradval.cli.main import build_parser

HELP = re.compile(r"<!-- help: ?(\w*) -->")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the help of a command in the place of its mark."""
    return HELP.sub(lambda mark: f"```text\n{help_of(mark[1])}```", markdown)


def help_of(command: str) -> str:
    """What `gradval COMMAND --help` prints in a terminal of 100 columns."""
    os.environ["COLUMNS"] = "100"
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        build_parser().parse_args([*([command] if command else []), "--help"])
    return output.getvalue()
