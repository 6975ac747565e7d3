"""Arguments that several commands have, and what is made of them."""

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import Any


def comma_separated(text: str) -> list[str]:
    """`a,b` as a list, for argparse."""
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise argparse.ArgumentTypeError(f"must be names with commas between them, not {text!r}")
    return parts


def json_object(text: str) -> dict[str, Any]:
    """A JSON object, for argparse."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"is not JSON ({error}): {text}") from None
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f'must be an object such as {{"depth": 3}}, not {text}')
    return found


def positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text!r}")
    return int(text)


def add_image_arguments(parser: argparse.ArgumentParser) -> None:
    """How image files are found and read."""
    group = parser.add_argument_group("images")
    group.add_argument(
        "--labels", help="a table file,label[,group][,split], in IMAGES or by itself"
    )
    group.add_argument("--split", choices=("train", "test"), default="train", help="default train")
    group.add_argument(
        "--classes",
        type=comma_separated,
        help="their names in the order of the model's outputs; default: sorted, as ImageFolder",
    )
    group.add_argument("--size", type=positive, default=64, help="pixels a side; default 64")
    group.add_argument("--channels", type=int, choices=(1, 3), default=3, help="default 3")
    group.add_argument(
        "--mean", nargs="+", type=float, default=[0.5], help="of the training, in 0..1; default .5"
    )
    group.add_argument(
        "--std", nargs="+", type=float, default=[0.25], help="of the training; default .25"
    )
    group.add_argument("--resize", choices=("squash", "crop"), default="squash")
    group.add_argument("--group-pattern", help="regular expression: the group in a file's name")
    group.add_argument("--subfolders", choices=("fail", "join", "group"), default="fail")
    group.add_argument("--ignore", action="append", default=[], help="a pattern, as '*.txt'")
    group.add_argument("--on-bad-image", choices=("fail", "skip"), default="fail")


def image_options(options: argparse.Namespace) -> dict[str, Any]:
    """The options of `gradval.data.sources.own_images.read_own_images`, and the constants.

    Raises:
        ValueError: constants that are not one a channel, or in other units.
    """
    from gradval.data.store import check_constants

    constants = {
        key: values * options.channels if len(values) == 1 else values
        for key, values in (("mean", options.mean), ("std", options.std))
    }
    check_constants("--mean and --std", constants["mean"], constants["std"], options.channels)
    chosen = {
        "source": "folder",
        "path": str(Path(options.images).expanduser().resolve()),
        "image_size": options.size,
        "channels": options.channels,
        "resize": options.resize,
        "labels": options.labels,
        "group_pattern": options.group_pattern,
        "subfolders": options.subfolders,
        "ignore": options.ignore,
        "on_bad_image": options.on_bad_image,
        "on_duplicate": "keep",
        **constants,
    }
    return {key: value for key, value in chosen.items() if value is not None}


def show_notices() -> None:
    """Print what the package has to say while it computes, one line each, on stderr."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s", force=True)
