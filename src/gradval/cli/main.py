"""The command line `gradval <command>`."""

import argparse
import inspect
import os
import pkgutil
import sys
from collections.abc import Sequence
from importlib import import_module

from gradval.cli import commands

HELP = """\
Gradient-based data valuation under differential privacy.

Exit codes: 0 for success, 1 for a failed check, 2 for bad input (one line says which)."""
EPILOG = """\
Example:
  gradval check images.tar    what is in a folder or archive of images
  gradval check --help        explains a command"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: of the command line; those of this process by default.

    Returns:
        The exit code: 0 for success, 1 for a failed check, 2 for bad input (one line on stderr).
    """
    options = build_parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except BrokenPipeError:
        # Whoever read the output has closed it, as `head` does; nothing is left to be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="gradval", description=HELP, epilog=EPILOG, formatter_class=layout
    )
    parsers = parser.add_subparsers(required=True, metavar="command")
    for found in pkgutil.iter_modules(commands.__path__):
        command = import_module(f"{commands.__name__}.{found.name}")
        text = inspect.getdoc(command) or ""
        name = found.name.replace("_", "-")
        own = parsers.add_parser(
            name, help=text.splitlines()[0], description=text, formatter_class=layout
        )
        command.add_arguments(own)
        own.set_defaults(run=command.run)
    return parser
