"""Say what a folder or archive of images holds, before anything is trained.

Prints images by split and class, repeated images, files that are no readable images (refused),
files that are left out (ignored) and why, and groups such as patients that are in train and test.
It is what the workflow's prepare_dataset finds; where that would refuse, so does this: exit code 2
and one line that says what to mend.

Examples:
  gradval check images                      train|test/<class>/<file>, or <class>/<file>
  gradval check chest_xray.zip --layout pppd
  gradval check scans --labels labels.csv   columns file,label and if wanted group,split
  gradval check images --json | jq .images
"""

import argparse
import json
import sys
import tempfile

# Where the data have no test split, one is drawn as a config would have it drawn.
DRAWN = {"test_fraction": 0.2, "split_seed": 0}
LAYOUTS = ("folder", "cinic10", "pppd")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments; those with a name in the config have that name."""
    parser.add_argument("path", metavar="DATA", help="a folder, or a tar or zip archive")
    parser.add_argument(
        "--layout", choices=LAYOUTS, default="folder", help="the source that the config names"
    )
    parser.add_argument("--json", action="store_true", help="print all of it as JSON")
    parser.add_argument("--labels", help="a table file,label[,group][,split]")
    parser.add_argument(
        "--subfolders",
        choices=("fail", "join", "group"),
        default="fail",
        help="what folders within a class are",
    )
    parser.add_argument(
        "--ignore", action="append", default=[], help="a pattern of names, as '*.txt'"
    )
    parser.add_argument("--group-pattern", help="regular expression: the group in a file's name")
    parser.add_argument("--transparency", choices=("white", "black", "fail"), default="white")
    parser.add_argument(
        "--pixel-range", nargs=2, type=float, metavar=("BLACK", "WHITE"), help="of deep images"
    )
    parser.add_argument("--image-size", type=int, help="pixels a side (32; 224 for pppd)")
    parser.add_argument("--channels", type=int, choices=(1, 3), help="default 3; 1 for pppd")
    parser.add_argument("--on-bad-image", choices=("fail", "skip"), default="fail")
    parser.add_argument("--on-duplicate", choices=("fail", "skip", "keep"), default="fail")
    parser.add_argument("--test-fraction", type=float, help="share that is held out for testing")


def run(options: argparse.Namespace) -> int:
    """Print what was found.

    Raises:
        ValueError, OSError: `prepare_dataset` would refuse the data.
    """
    from pathlib import Path

    from gradval.data.sources import FILE_SOURCES
    from gradval.data.sources.folder import read_image_set
    from gradval.data.sources.image_set import describe

    block = _block(options)
    with tempfile.TemporaryDirectory() as scratch:
        images = read_image_set(block, Path(scratch), FILE_SOURCES[options.layout], DRAWN)
        summary = images.summary()
        if options.json:
            print(json.dumps(summary, indent=2))
        else:
            for line in describe(summary):
                print(line)
            if "test_fraction" in images.options and options.test_fraction is None:
                drawn = ", ".join(f"{key}: {value}" for key, value in DRAWN.items())
                print(f"no test split: one was drawn; set {drawn} or others in the config")
        sys.stdout.flush()
        images.store("checked")
    return 0


def _block(options: argparse.Namespace) -> dict[str, object]:
    """The block of a config that asks for the same."""
    pppd = options.layout == "pppd"
    channels = options.channels or (1 if pppd else 3)
    block = {
        "source": options.layout,
        "path": options.path,
        "image_size": options.image_size or (224 if pppd else 32),
        "channels": channels,
        "resize": "squash",
        "mean": [0.5] * channels,
        "std": [0.25] * channels,
        "on_bad_image": options.on_bad_image,
        "on_duplicate": options.on_duplicate,
        "subfolders": options.subfolders,
        "ignore": options.ignore,
        "transparency": options.transparency,
        "labels": options.labels,
        "group_pattern": options.group_pattern,
        "pixel_range": options.pixel_range,
        "test_fraction": options.test_fraction,
        "split_seed": None if options.test_fraction is None else DRAWN["split_seed"],
    }
    return {key: value for key, value in block.items() if value is not None}
