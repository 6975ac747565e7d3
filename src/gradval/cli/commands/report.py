"""Write the page of a study from its tables and pictures, without running anything.

FOLDER is results/ of a study, or kept evidence of the same layout: scorecard.csv, table1.csv,
runs/full.csv, figures/*.png, study.json. What is not there has no section on the page. Samples are
in the page of the workflow (results/index.html) alone.

Examples:
  gradval report results --out page.html
  gradval report docs/results/cifar10-small
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", metavar="FOLDER", help="with the tables of a study")
    parser.add_argument("--out", help="the page; default FOLDER/page.html")


def run(options: argparse.Namespace) -> int:
    """Write the page.

    Raises:
        ValueError, OSError: there is no such folder, or a file of it is damaged.
    """
    from gradval.report.study_page.material import Material
    from gradval.report.study_page.write import write_study_page

    folder = Path(options.folder)
    page = Path(options.out) if options.out else folder / "page.html"
    write_study_page(page, Material.of(folder))
    print(page)
    return 0
