"""Time and memory of scoring 1,000, 10,000 and 50,000 real CIFAR-10 images.

    python benchmarks/scaling.py [DATA] [--sizes 1000 10000 50000]

DATA is a canonical store of CIFAR-10 (`resources/cifar10` of a study), or what the config's `path`
may be: the official archive, or a folder or tar archive of images. Without it the official archive
is downloaded. All four scores are computed as
the workflow does it: images from the memory-mapped store, checkpoints loaded one after another from
their file, batch size chosen automatically. The model is a narrow ResNet-9 with random weights, on
which the cost does not depend. Each size has a fresh process, so that its peak memory is its own.

Writes `docs/performance/scaling.csv`. Takes seven minutes on two cores.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from measurement import AnonymousPeak, in_fresh_process, report, status_mebibytes

from gradval.data.images import NormalisedImages
from gradval.data.sources import load_source
from gradval.data.store import open_store, write_store
from gradval.models.architectures import build_model
from gradval.scores import score_samples
from gradval.training.checkpoints import Checkpoints, save_checkpoints

SIZES = (1_000, 10_000, 50_000)
WARM_UP = 256
CIFAR10 = {
    "source": "cifar10",
    "mean": [0.4914, 0.4822, 0.4465],
    "std": [0.247, 0.2435, 0.2616],
    "image_size": 32,
    "channels": 3,
    "resize": "squash",
    "on_bad_image": "fail",
    "on_duplicate": "fail",
}


def prepared(path: Path | None, scratch: Path) -> Path:
    """The folder of a canonical store: `path` itself, or a new one in `scratch`."""
    if path is not None and (path / "dataset.json").is_file():
        return path
    options = CIFAR10 if path is None else {**CIFAR10, "path": str(path)}
    folder = scratch / "cifar10"
    write_store(load_source("cifar10", options, scratch), folder)
    return folder


def narrow_model(width: int, seed: int = 0) -> torch.nn.Module:
    """ResNet-9 for CIFAR-10 with few channels."""
    return build_model(
        "resnet9", channels=3, classes=10, image_size=32, width=width, groups=8, seed=seed
    )


def measure(store_folder: Path, checkpoints: Path, width: int, images: int) -> dict[str, Any]:
    """Score the first `images` training images; called in a fresh process."""
    store = open_store(store_folder)
    pixels = NormalisedImages(store.train.images[:images], store.mean, store.std)
    labels = torch.from_numpy(store.train.labels[:images])
    model = narrow_model(width)
    snapshots = Checkpoints(checkpoints, narrow_model(width))
    # The first passes of a process are slow, whatever it scores.
    score_samples(model, snapshots, pixels[:WARM_UP], labels[:WARM_UP])
    start, processor_start = time.perf_counter(), time.process_time()
    with AnonymousPeak() as anonymous:
        scores = score_samples(model, snapshots, pixels, labels)
    seconds, processor_seconds = (
        time.perf_counter() - start,
        time.process_time() - processor_start,
    )
    assert all(len(values) == images for values in scores.values())
    return {
        "images": images,
        "seconds": round(seconds, 2),
        "processor_seconds": round(processor_seconds, 2),
        "ms_per_image": round(1e3 * seconds / images, 3),
        "peak_anonymous_mib": round(anonymous.mebibytes),
        "peak_resident_mib": round(status_mebibytes("VmHWM")),
    }


def main() -> None:
    """Measure every size and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", help="CIFAR-10: a store, archive or folder")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--width", type=int, default=8, help="of ResNet-9; 64 is full width")
    parser.add_argument("--checkpoints", type=int, default=5, help="K of VoG")
    parser.add_argument("--dry-run", action="store_true", help="write no results")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        folder = prepared(options.data, scratch)
        if (there := len(open_store(folder).train.labels)) < max(options.sizes):
            parser.error(
                f"{folder} has {there} training images, {max(options.sizes)} are asked for"
            )
        weights = [
            narrow_model(options.width, seed).state_dict() for seed in range(options.checkpoints)
        ]
        file = scratch / "checkpoints.safetensors"
        save_checkpoints(weights, file)
        rows = (
            {
                "width": options.width,
                "checkpoints": options.checkpoints,
                **in_fresh_process(measure, folder, file, options.width, images),
            }
            for images in options.sizes
        )
        report("scaling", rows, write=not options.dry_run)


if __name__ == "__main__":
    main()
