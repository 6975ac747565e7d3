"""What people run without Snakemake: `python -m gradval <command>`."""

import argparse
import sys
from collections.abc import Sequence

from gradval.privacy.ledger import RELATIVE_TOLERANCE, recompute
from gradval.runtime.files import read_json


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: of the command line; those of this process by default.

    Returns:
        The exit code: 0 for success, 1 for a failed check, 2 for bad input (one line on stderr).
    """
    parser = argparse.ArgumentParser(prog="gradval", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    ledger = commands.add_parser("ledger", help="recompute every epsilon that a ledger states")
    ledger.add_argument("file", help="a run's ledger.json")
    ledger.set_defaults(run=lambda options: check_ledger(options.file))
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def check_ledger(path: str) -> int:
    """Print a ledger's epsilons beside the same from its events, and its notes.

    Returns:
        1 if an epsilon disagrees or is above the target, else 0.

    Raises:
        ValueError, OSError: the file is not a ledger, or cannot be read.
    """
    rows = recompute(path)
    if not rows:
        print(f"{path}: trained without differential privacy, there is no epsilon to recompute")
        return 0
    ledger = read_json(path)
    print(f"{ledger['neighbouring_relation']}, delta {ledger['delta']:g}")
    width = max(len("applies to"), *(len(row.group) for row in rows))
    print(f"{'applies to':{width}}  accountant   stated  recomputed")
    for row in rows:
        stated = "-" if row.stated is None else f"{row.stated:.4f}"
        mark = "" if row.agrees else "  differs"
        mark += "" if row.meets_target else f"  above the target, {row.target:g}"
        print(f"{row.group:{width}}  {row.accountant:10}{stated:>9}{row.recomputed:12.4f}{mark}")
    for note in ledger["notes"]:
        print(f"- {note}")
    wrong = [f"{row.group} ({row.accountant})" for row in rows if not row.agrees]
    missed = [row.group for row in rows if not row.meets_target]
    if missed:
        print(
            f"error: {path}: epsilon of {', '.join(missed)} from the events is above the target",
            file=sys.stderr,
        )
    if wrong:
        print(
            f"error: {path}: not what the events give, to {RELATIVE_TOLERANCE:.1%}: "
            f"epsilon of {', '.join(wrong)}",
            file=sys.stderr,
        )
    return int(bool(wrong or missed))


if __name__ == "__main__":
    sys.exit(main())
