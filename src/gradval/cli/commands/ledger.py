"""Recompute every epsilon that a ledger states.

Every epsilon is recomputed from the events that the ledger lists, and printed beside the stated
one. Exit code 1 if one differs or is above its target.

Example:
  gradval ledger results/digits/resnet18/eps4/seed0/draw0/full/ledger.json
"""

import argparse
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("file", help="a run's ledger.json")


def run(options: argparse.Namespace) -> int:
    """Print a ledger's epsilons beside the same from its events, and its notes.

    Returns:
        1 if an epsilon disagrees or is above the target, else 0.

    Raises:
        ValueError, OSError: the file is not a ledger, or cannot be read.
    """
    from gradval.privacy.recompute import RELATIVE_TOLERANCE, recompute
    from gradval.runtime.files import read_json

    path = options.file
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
