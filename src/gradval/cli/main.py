"""The command line `gradval <command>`."""

import argparse
import inspect
import os
import pkgutil
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from gradval.cli import commands

HELP = """\
Gradient-based data valuation under differential privacy.

Exit codes: 0 for success, 1 for a failed check, 2 for bad input (one line says which)."""
EPILOG = """\
Examples:
  gradval check xrays.tar     what is in a folder or archive of images
  gradval score xrays --model torchvision:resnet18 --checkpoints 'ckpt_*.pt' --out scored
  gradval sheet scored        a page with the images of the largest and the smallest scores
  gradval release scored --score loss --bounds 0 3 --epsilon 1 --public-model
  gradval score --help        explains a command"""


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
        # One line, whatever a library says.
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = Parser(prog="gradval", description=HELP, epilog=EPILOG, formatter_class=layout)
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
