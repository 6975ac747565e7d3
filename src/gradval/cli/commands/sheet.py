"""Show the images with the largest and the smallest scores.

Writes OUT/sheet-<score>.html (an offline page with file name and score under each image, and a
gallery by every score), .png and .csv. They show your images: the files are for you alone.

Examples:
  gradval sheet scored
  gradval sheet scored --by vog --class PNEUMONIA --k 25
"""

import argparse

from gradval.cli.arguments import positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("out", metavar="OUT", help="a folder that gradval score has written")
    parser.add_argument("--by", help="the score; default plis, or the first that there is")
    parser.add_argument("--class", dest="class_name", help="show one class alone")
    parser.add_argument("--k", type=positive, default=16, help="images of either end; default 16")


def run(options: argparse.Namespace) -> int:
    """Write the sheet.

    Raises:
        ValueError, OSError: there are no such scores, or the images are not where they were.
    """
    from gradval.data.sources.own_images import ImagesByName
    from gradval.report.score_sheet import write_sheet
    from gradval.scores.constant_answer import ConstantAnswer
    from gradval.scores.results import read_results

    results = read_results(options.out)
    default = "plis" if "plis" in results.scores else results.scores[0]
    by = results.check_score(options.by or default)
    answer = ConstantAnswer(**results.run["constant_answer"])
    said = answer.sentence(results.run["classes"][answer.constant_label])
    name = f"sheet-{by}" + ("" if options.class_name is None else f"-{options.class_name}")
    files = write_sheet(
        results.folder / name.replace("/", "_"),
        results.table,
        ImagesByName(results.run["data"], results.table["file"].tolist()),
        by,
        class_name=options.class_name,
        k=options.k,
        notes=() if answer.better else (said,),
    )
    for file in files:
        print(file)
    if not answer.better:
        print(f"warning: {said}")
    return 0
