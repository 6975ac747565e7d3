"""Make the folder of a site that takes part in a federated training.

OUT gets the images as the job's model wants them, the labels, and a copy of the job that the site
agrees to. It is for the site's own Flower client alone (docs/federation.md): nothing in it is sent
anywhere. Noise and sampling follow from a secret key that is made there in the first round; delete
neither the key nor rounds.jsonl, which says what was answered.

Examples:
  gradval site xrays --job job.json --classes normal,bacterial,viral --out site0
  gradval site public.tar --split test --job job.json --classes normal,bacterial,viral --out test
"""

import argparse

from gradval.cli.arguments import add_image_arguments, image_options, show_notices


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("images", metavar="IMAGES", help="as of gradval score")
    parser.add_argument("--job", required=True, help="that the site agrees to")
    add_image_arguments(parser)
    parser.add_argument("--out", required=True, help="the folder, readable by its owner alone")


def run(options: argparse.Namespace) -> int:
    """Write the folder.

    Raises:
        ValueError, OSError: what is wrong with the images or the job.
    """
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from gradval.data.sources.own_images import read_own_images
    from gradval.data.store import Split
    from gradval.federation.plans import read_job
    from gradval.federation.site_store import write_site

    show_notices()
    job, out = read_job(Path(options.job)), Path(options.out)
    options.size, options.channels = job.model["image_size"], job.model["channels"]
    data = image_options(options)
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out) as scratch:
        found = read_own_images(data, Path(scratch), split=options.split, classes=options.classes)
        if len(found.classes) != job.model["classes"]:
            raise ValueError(
                f"{options.images}: {len(found.classes)} classes ({', '.join(found.classes)}), but "
                f"the job is for {job.model['classes']}; name them all with --classes"
            )
        split = Split(found.images, found.labels, found.files, found.groups)
        write_site(out, split, mean=tuple(data["mean"]), std=tuple(data["std"]), job=job)
    print(f"{out}: {len(found)} images of {', '.join(found.classes)}")
    print(f"agrees to the job {job.digest}")
    return 0
