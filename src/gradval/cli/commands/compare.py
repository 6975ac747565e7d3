"""Compare two scorings of the same images, such as by two models or two privacy levels.

For each score that both have: how many of the selected images they share (overlap), Pearson and
Spearman correlation of the scores, structural similarity (SSIM) and Bhattacharyya distance of the
selected images; each with its chance level, what selections at random (or scores without any
relation) give. Writes comparison.html (both side by side, linked by sample; for you alone),
comparison.csv and comparison.png into --out.

Examples:
  gradval compare scored-public scored-private
  gradval compare a b --class NORMAL --by vog --out a-and-b
"""

import argparse
from pathlib import Path

from gradval.cli.arguments import comma_separated, positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    for name in ("out_a", "out_b"):
        parser.add_argument(name, metavar=name.upper(), help="a folder of gradval score")
    parser.add_argument("--scores", type=comma_separated, help="default: all that both have")
    parser.add_argument("--by", help="the score that the picture shows; default the first")
    parser.add_argument("--class", dest="class_name", help="restrict everything to one class")
    parser.add_argument("--k", type=positive, help="images a selection; default a quarter, max 25")
    parser.add_argument("--smallest", action="store_true", help="select the smallest scores")
    parser.add_argument("--out", help="folder for the comparison; default OUT_A")


def run(options: argparse.Namespace) -> int:
    """Print and write the comparison.

    Raises:
        ValueError, OSError: the folders do not go together, or the images are not where they were.
    """
    from gradval.data.sources.own_images import ImagesByName
    from gradval.report.figures.style import save_figure
    from gradval.report.labels import statistic_label
    from gradval.report.score_comparison import (
        common_scores,
        compare_scores,
        comparison_page,
        plot_comparison,
    )
    from gradval.runtime.files import private_path
    from gradval.scores.results import read_results

    a, b = read_results(options.out_a), read_results(options.out_b)
    scores = common_scores(a.table, b.table, options.scores)
    shown = common_scores(a.table, b.table, [options.by])[0] if options.by else scores[0]
    scores += [shown] if shown not in scores else []
    images = ImagesByName(a.run["data"], a.table["file"].tolist())
    among = {"class_name": options.class_name, "k": options.k, "largest": not options.smallest}
    statistics = compare_scores(a.table, b.table, images, scores, **among)
    names = (a.folder.name or "A", b.folder.name or "B")
    shared = (a.table, b.table, images, statistics, shown)
    figure = plot_comparison(*shared, names=names, **among)
    out = Path(options.out or a.folder)
    with private_path(out / "comparison.csv") as temporary:
        statistics.to_csv(temporary, index=False)
    with private_path(out / "comparison.png") as temporary:
        save_figure(figure, temporary)
    page = comparison_page(*shared, names=names, **among)
    with private_path(out / "comparison.html") as temporary:
        temporary.write_text(page, encoding="utf-8")
    for score, rows in statistics.groupby("score", sort=False):
        print(score)
        for row in rows.itertuples():
            chance = f"{row.chance:.3f} ({row.chance_low:.3f} to {row.chance_high:.3f})"
            label = statistic_label(str(row.statistic), names)
            print(f"  {label:32}{row.value:9.3f}   chance {chance}")
    print(f"{out}/comparison.html, {out}/comparison.csv, {out}/comparison.png")
    return 0
