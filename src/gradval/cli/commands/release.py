"""Release one score of every image (or patient) under differential privacy.

Scores are clipped to bounds that you name without looking at them, and get Laplace noise of scale
(high - low) / epsilon, drawn once from the operating system's secure source. OUT/released then
holds nothing but what may be published: positions and noisy scores, events.json (what was executed)
and ledger.json (the epsilon of all releases and the training together). Asking for the same again
shows the same draw.

The scores depend on the model, and the model on its training. So a release needs --events of a
private training, with which it is composed, or --public-model: your word that the model was not
trained, tuned or chosen with these images.

Examples:
  gradval release scored --score loss --bounds 0 3 --epsilon 1 --events events.json
  gradval release scored --score vog --bounds 0 0.1 --epsilon 2 --public-model --unit group
"""

import argparse


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
    parser.add_argument("--delta", type=float, help="of the ledger; default 1e-5 or less")


def run(options: argparse.Namespace) -> int:
    """Release, and state what it costs.

    Raises:
        ValueError, OSError: it must not be released, or the scores are not there.
    """
    from gradval.privacy.publish import LEDGER, basis, publish
    from gradval.scores.results import read_results

    basis(options.events, options.public_model)
    results = read_results(options.out)
    made = publish(
        results.folder,
        results.table,
        results.check_score(options.score),
        (options.bounds[0], options.bounds[1]),
        options.epsilon,
        events=options.events,
        public_model=options.public_model,
        unit=options.unit,
        delta=options.delta,
    )
    if made.again:
        print("released before: the same draw, at no further cost")
    print(f"{len(made.values)} noisy values: {made.path}")
    (group, *_) = made.ledger["groups"]
    ((accountant, epsilon),) = group["epsilon"].items()
    print(
        f"epsilon {epsilon:.4g} at delta {made.ledger['delta']:g} ({accountant}) for everything "
        f"that was executed: {made.path.with_name(LEDGER)}"
    )
    print(f"neighbouring data sets: {made.ledger['neighbouring_relation']}")
    for note in made.ledger["notes"]:
        print(f"- {note}")
    return 0
