"""Describe a finished study as an RO-Crate, to be deposited with its provenance.

Writes FOLDER/ro-crate-metadata.json, which names every table, figure, ledger, page and score file
with its checksum, the software, the config's facts and the paper; or with --zip an archive of all
of it. Models are left out unless --weights is given. What shows single samples of data that are
not public is left out always. Needs pip install 'gradval[deposit]'.

Examples:
  gradval crate results --licence CC-BY-4.0
  gradval crate results --licence CC-BY-4.0 --zip study.zip
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", metavar="FOLDER", help="results of a finished study")
    parser.add_argument("--licence", required=True, help="of the results: an address or a name")
    parser.add_argument("--zip", help="write an archive instead of the metadata in place")
    parser.add_argument("--weights", action="store_true", help="with models and checkpoints")


def run(options: argparse.Namespace) -> int:
    """Write the crate.

    Raises:
        ValueError, OSError: the study is not finished, or rocrate is not installed.
    """
    from gradval.report.crate import write_crate

    crate = write_crate(
        options.folder, options.licence, weights=options.weights, archive=options.zip
    )
    print(f"{crate.path}: {crate.files} files")
    if crate.left_out:
        count = len(crate.left_out)
        print(f"left out, for they show samples of data that are not public: {count} files")
    return 0
