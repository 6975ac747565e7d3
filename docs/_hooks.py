"""What the documentation site is given when it is built: the help of every command."""

import contextlib
import io
import os
import re
from pathlib import Path
from typing import Any

from gradval.cli.main import build_parser

HELP = re.compile(r"<!-- help: ?([\w-]*) -->")
LINK = re.compile(r"\[([^\]]+)\]\((\.\./[^)\s]+)\)")
DOCS = Path(__file__).resolve().parent


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Put the help of a command in the place of its mark; links out of `docs` become their text."""
    folder = DOCS / Path(page.file.src_uri).parent
    inside = LINK.sub(lambda link: link[0] if is_page(folder / link[2]) else link[1], markdown)
    return HELP.sub(lambda mark: f"```text\n{help_of(mark[1])}```", inside)


def is_page(target: Path) -> bool:
    """Whether a link leads to something that the site has."""
    return target.resolve().is_relative_to(DOCS)


def help_of(command: str) -> str:
    """What `gradval COMMAND --help` prints in a terminal of 100 columns."""
    os.environ["COLUMNS"] = "100"
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        build_parser().parse_args([*([command] if command else []), "--help"])
    return output.getvalue()
