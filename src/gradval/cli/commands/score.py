"""Score images with a model and checkpoints of your own.

Writes OUT/scores.parquet and OUT/scores.csv (file, label, group, predicted class, each score raw
and normalised within its class) and OUT/run.json (what was done, versions, checksums). Exact scores
tell about single images: the files are for you alone; `gradval release` publishes.

Checkpoints are state dicts (.pt, .pth, .ckpt, .safetensors) of one training, in the natural order
of their names; the last one is the final model. A scoring that was interrupted goes on when the
same command is run again.

Examples:
  gradval score xrays --model torchvision:resnet18 --checkpoints 'ckpt_*.pt' --out scored
  gradval score xrays.tar --model mine.py:build --model-args '{"depth": 3}' \\
      --checkpoints 'run1/*.ckpt' --size 128 --channels 1 --mean .48 --std .22 --out scored
  gradval score scans --labels labels.csv --model package.module:build \\
      --checkpoints last.safetensors --scores loss,grad_norm,plis --out scored
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradval.cli.arguments import (
    add_image_arguments,
    comma_separated,
    image_options,
    json_object,
    positive,
    show_notices,
)

if TYPE_CHECKING:
    import torch
    from torch import nn

    from gradval.data.sources.own_images import OwnImages


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "images",
        metavar="IMAGES",
        help="a folder, tar or zip archive: <class>/<file>, train|test/<class>/<file>, or --labels",
    )
    model = parser.add_argument_group("model")
    model.add_argument(
        "--model",
        required=True,
        help="torchvision:<name>, <file>.py:<function> or package.module:<function>",
    )
    model.add_argument("--num-classes", type=positive, help="default: those of the images")
    model.add_argument(
        "--model-args", type=json_object, default={}, help="JSON object: arguments of the function"
    )
    model.add_argument(
        "--checkpoints", nargs="+", required=True, help="files, or patterns such as 'ckpt_*.pt'"
    )
    scores = parser.add_argument_group("scores")
    scores.add_argument(
        "--scores",
        type=comma_separated,
        default=["loss", "grad_norm", "vog", "plis"],
        help="names or import paths; default loss,grad_norm,vog,plis",
    )
    scores.add_argument(
        "--score-options", type=json_object, default={}, help="JSON: {score: {option: value}}"
    )
    scores.add_argument("--normalisation", choices=("minmax", "zscore"), default="minmax")
    noise = scores.add_mutually_exclusive_group()
    noise.add_argument(
        "--sigma", type=float, default=1.0, help="of the noise on the gradient sum; default 1"
    )
    noise.add_argument("--events", help="events.json of the training, which tells sigma")
    scores.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:<n>")
    scores.add_argument("--batch-size", default="auto", help="auto, or a number")
    add_image_arguments(parser)
    parser.add_argument("--out", required=True, help="folder for the results")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace other scores that OUT holds"
    )


def run(options: argparse.Namespace) -> int:
    """Score, and say what was found.

    Raises:
        ValueError, OSError: what is wrong with the images, the model or a checkpoint.
    """
    from gradval.data.sources.own_images import read_own_images
    from gradval.models.checkpoint_files import find_checkpoints
    from gradval.runtime import plugins

    show_notices()
    plugins.find_plugins_in(Path.cwd(), *plugins.plugin_folders())
    batch_size = _batch_size(options.batch_size)
    data = image_options(options)
    out = Path(options.out)
    if out.is_file():
        raise ValueError(f"--out: {out} is a file")
    sigma = _sigma(options)
    checkpoints = find_checkpoints(options.checkpoints)
    images = read_own_images(data, out, split=options.split, classes=options.classes)
    _describe(options, data, images, checkpoints)
    with _memory_said():
        return _score(options, data, images, checkpoints, sigma, batch_size, out)


def _score(
    options: argparse.Namespace,
    data: Mapping[str, Any],
    images: "OwnImages",
    checkpoints: list[Path],
    sigma: float,
    batch_size: int | None,
    out: Path,
) -> int:
    import time
    from dataclasses import asdict

    import torch

    from gradval.data.images import NormalisedImages
    from gradval.models.own import build_own_model
    from gradval.models.state_dicts import StateDicts
    from gradval.runtime.devices import chosen_device
    from gradval.scores.dataset import score_and_judge
    from gradval.scores.registry import choices_by_name, options_of
    from gradval.scores.results import write_results
    from gradval.scores.run_facts import with_facts
    from gradval.scores.samples import TensorSamples

    device = chosen_device(options.device)

    def build() -> "nn.Module":
        return build_own_model(
            options.model,
            classes=options.num_classes or len(images.classes),
            channels=data["channels"],
            image_size=data["image_size"],
            arguments=options.model_args,
        ).to(device)

    chosen = choices_by_name(options.scores)
    unknown = [name for name in options.score_options if name not in chosen]
    if unknown:
        raise ValueError(f"--score-options: {unknown[0]!r} is not among the scores")
    constants = {key: data[key] for key in ("mean", "std")}
    score_options = {
        name: with_facts(
            options_of(choice, options.score_options.get(name)), constants
        ).model_dump()
        for name, choice in chosen.items()
    }
    model = build()
    loaded = StateDicts(checkpoints, build())
    *_, last = loaded
    model.load_state_dict(last.state_dict())
    made = {
        "data": {**data, "split": options.split, "pixels_and_labels_sha256": _digest(images)},
        "model": {
            "name": options.model,
            "arguments": options.model_args,
            "parameters": sum(p.numel() for p in model.parameters()),
            "checkpoints": _checksums(checkpoints),
        },
        "scores": score_options,
        "sigma": sigma,
        "normalisation": options.normalisation,
        "classes": list(images.classes),
    }
    if _finished(out, made, options.overwrite):
        print(f"{out}: has these scores already; nothing to do")
        return 0
    start = time.perf_counter()
    try:
        table, answer = score_and_judge(
            model,
            TensorSamples(
                NormalisedImages(images.images, data["mean"], data["std"], device),
                torch.from_numpy(images.labels),
            ),
            loaded,
            options.scores,
            options=score_options,
            sigma=sigma,
            normalisation=options.normalisation,
            classes=images.classes,
            files=images.files,
            groups=images.groups,
            batch_size=batch_size,
            progress=True,
            resume=out / ".unfinished",
        )
    except KeyboardInterrupt:
        print("\nthe same command goes on from here", file=sys.stderr)
        raise
    seconds = time.perf_counter() - start
    found = {key: images.found[key] for key in ("layout", "images", "refused", "ignored")}
    write_results(
        out,
        table,
        {
            **made,
            "found": found,
            "device": _device_name(device),
            "scoring_seconds": seconds,
            "constant_answer": asdict(answer),
        },
    )
    print(f"{len(table)} images scored in {seconds:.1f} s: {out}/scores.csv")
    said = answer.sentence(images.classes[answer.constant_label])
    print(f"warning: {said}" if not answer.better else said)
    return 0


def _batch_size(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"--batch-size: must be auto or a whole number, not {text!r}")
    return int(text)


def _sigma(options: argparse.Namespace) -> float:
    from gradval.privacy.events import read_events

    return read_events(options.events).noise_scale if options.events else float(options.sigma)


def _describe(
    options: argparse.Namespace,
    data: Mapping[str, Any],
    images: "OwnImages",
    checkpoints: list[Path],
) -> None:
    """Say what is about to be scored, so that a wrong guess is seen at once."""
    counts = images.found["images"][options.split]
    classes = ", ".join(f"{i} {name} ({counts[name]})" for i, name in enumerate(images.classes))
    size, channels = data["image_size"], data["channels"]
    constants = "; ".join(f"{key} {' '.join(map(str, data[key]))}" for key in ("mean", "std"))
    print(f"{len(images)} images of classes {classes}")
    print(f"at {size}x{size} pixels, {channels} channel(s); {constants}")
    names = [path.name for path in checkpoints]
    shown = ", ".join(names if len(names) < 8 else [*names[:3], "...", *names[-3:]])
    print(f"{len(names)} checkpoint(s): {shown}; the last is the final model", flush=True)


def _digest(images: "OwnImages") -> str:
    import hashlib

    from gradval.data.store import sha256_of_array

    parts = [sha256_of_array(images.images), sha256_of_array(images.labels), *images.files]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _checksums(checkpoints: list[Path]) -> list[dict[str, str]]:
    from gradval.data.store import sha256_of

    return [{"file": str(path), "sha256": sha256_of(path)} for path in checkpoints]


def _finished(out: Path, made: Mapping[str, Any], overwrite: bool) -> bool:
    """Whether OUT holds these scores already.

    Raises:
        ValueError: it holds others, which are not to be replaced.
    """
    from gradval.federation.publish import FOLDER
    from gradval.runtime.files import read_json
    from gradval.scores.results import RUN, read_results

    if not (out / RUN).is_file():
        return False
    if overwrite and (out / FOLDER).exists():
        raise ValueError(f"{out}: these scores have been released; choose another --out")
    if overwrite:
        return False
    there = read_json(out / RUN)
    other = [key for key in made if not isinstance(there, dict) or there.get(key) != made[key]]
    if other:
        raise ValueError(
            f"{out}: holds scores of something else (other {', '.join(other)}); choose another "
            "--out, or add --overwrite"
        )
    read_results(out)
    return True


def _device_name(device: "torch.device") -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


@contextmanager
def _memory_said() -> Iterator[None]:
    """Say in one line that memory is short."""
    import torch

    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise ValueError("out of memory: try a smaller --batch-size or --size") from error
