"""Release one score of every image (or patient) under differential privacy.

Scores are clipped to bounds that you name without looking at them, and get Laplace noise of scale
(high - low) / epsilon, drawn once from the operating system's secure source. OUT/released then
holds nothing but what may be published: positions and noisy scores, events.json (what was executed)
and ledger.json (the epsilon of all releases and the training together). Every draw is charged to a
budget before it is made; asking for the same again shows the same draw. --statistics publishes a
few numbers, with far less noise than a value an image.

The scores depend on the model, and the model on its training. So a release needs --events of a
private training, with which it is composed, or --public-model: your word that the model was not
trained, tuned or chosen with these images.

Examples:
  gradval release scored --score loss --bounds 0 3 --epsilon 1 --events events.json
  gradval release scored --score vog --bounds 0 0.1 --epsilon 2 --public-model --unit group
  gradval release scored --score loss --bounds 0 3 --epsilon 1 --public-model \\
      --statistics mean,quantiles --budget xrays.budget --limit 4
"""

import argparse

from gradval.cli.arguments import comma_separated


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("out", metavar="OUT", help="a folder that gradval score has written")
    parser.add_argument("--score", required=True, help="which raw score")
    parser.add_argument(
        "--bounds", nargs=2, type=float, required=True, metavar=("LOW", "HIGH"), help="public"
    )
    parser.add_argument("--epsilon", type=float, required=True, help="of one unit's value")
    parser.add_argument("--events", help="events.json of the private training of the model")
    parser.add_argument(
        "--public-model",
        action="store_true",
        help="the model was not trained, tuned or chosen with these images",
    )
    parser.add_argument(
        "--unit",
        choices=("sample", "group"),
        default="sample",
        help="whose value is hidden: of each image, or the mean of each group (patient)",
    )
    parser.add_argument(
        "--statistics",
        type=comma_separated,
        help="of mean, variance, quantiles, histogram, count: publish these instead of all values",
    )
    parser.add_argument(
        "--budget",
        help="file that draws are charged to; name one for all scores of the same images "
        "(default OUT/budget.jsonl)",
    )
    parser.add_argument(
        "--limit", type=float, help="refuse what would bring the sum of epsilons above it"
    )
    parser.add_argument("--delta", type=float, help="of the ledger; default 1e-5 or less")


def run(options: argparse.Namespace) -> int:
    """Release, and state what it costs.

    Raises:
        ValueError, OSError: it must not be released, or the scores are not there.
    """
    from gradval.federation.publish import LEDGER, Site, publish, publish_statistics
    from gradval.scores.results import read_results

    site = Site.of(
        options.out,
        events=options.events,
        public_model=options.public_model,
        budget=options.budget,
        limit=options.limit,
        delta=options.delta,
    )
    results = read_results(site.folder)
    asked = (site, results.table, results.check_score(options.score), tuple(options.bounds))
    if options.statistics:
        made = publish_statistics(*asked, options.epsilon, options.statistics, unit=options.unit)
        print(made.table.to_string(index=False))
    else:
        made = publish(*asked, options.epsilon, unit=options.unit)
    if made.again:
        print("released before: the same draw, at no further cost")
    print(f"{len(made.table)} noisy values: {made.path}")
    (group, *_) = made.ledger["groups"]
    ((accountant, epsilon),) = group["epsilon"].items()
    print(
        f"epsilon {epsilon:.4g} at delta {made.ledger['delta']:g} ({accountant}) for everything "
        f"that was executed: {site.released / LEDGER}"
    )
    print(f"charged to {site.budget.path}: {site.budget.spent:g} so far")
    print(f"neighbouring data sets: {made.ledger['neighbouring_relation']}")
    for note in made.ledger["notes"]:
        print(f"- {note}")
    return 0
