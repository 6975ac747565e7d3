"""A site as a new user has it: a BatchNorm ResNet-18 with five plain checkpoints, 150 X-rays.

    python benchmarks/own_site.py FOLDER_OF_IMAGES

Trains torchvision's ResNet-18 for a moment in PyTorch's own way on other images of the folder, runs
the three commands of README, and holds their scores against a loop over samples in float64. Times
are of the whole processes, imports included. Writes docs/performance/own_site.csv.
"""

import argparse
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from measurement import write_results
from PIL import Image
from torch import Tensor, nn
from torchvision.models import resnet18

SIZE, MEAN, STD, IMAGES = 64, 0.48, 0.22, 150
COMMANDS = {
    "score": [
        *("score", "xrays", "--model", "torchvision:resnet18", "--checkpoints", "ckpt_*.pt"),
        *("--size", str(SIZE), "--channels", "1", "--mean", str(MEAN), "--std", str(STD)),
        *("--out", "scored"),
    ],
    "sheet": ["sheet", "scored"],
    "release": [
        *("release", "scored", "--score", "loss", "--bounds", "0", "3", "--epsilon", "1"),
        "--public-model",
    ],
}


def build() -> nn.Module:
    """The module that `--model torchvision:resnet18` builds for grey images of two classes."""
    model = resnet18(num_classes=2)
    model.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    return model


def read(files: list[Path]) -> Tensor:
    """Grey images of the size of the study, as gradval reads them, normalised, float64."""
    pixels = []
    for file in files:
        image = Image.open(file).convert("L")
        pixels.append(np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BICUBIC)))
    return (torch.from_numpy(np.stack(pixels)[:, None] / 255.0) - MEAN) / STD


def train(folder: Path, files: list[Path], classes: list[str]) -> list[Path]:
    images = read(files).float()
    labels = torch.tensor([classes.index(file.parent.name) for file in files])
    torch.manual_seed(0)
    model, paths = build(), []
    optimiser = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    for step in range(1, 26):
        batch = torch.randint(len(images), (16,))
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
        optimiser.step()
        if step % 5 == 0:
            paths.append(folder / f"ckpt_{step}.pt")
            torch.save(model.state_dict(), paths[-1])
    return paths


def loop(paths: list[Path], images: Tensor, labels: Tensor) -> pd.DataFrame:
    """The paper's four scores, a sample at a time in float64, from their definitions alone."""
    models = []
    for path in paths:
        models.append(build().double().eval())
        models[-1].load_state_dict(torch.load(path))
    rows = []
    for image, label in zip(images, labels, strict=True):
        maps = []
        for model in models:
            x = image[None].clone().requires_grad_()
            loss = nn.functional.cross_entropy(model(x), label[None])
            maps.append(torch.autograd.grad(loss, x)[0])
        x = image[None].clone().requires_grad_()
        loss = nn.functional.cross_entropy(models[-1](x), label[None])
        gradients = torch.autograd.grad(loss, [*models[-1].parameters()], create_graph=True)
        square = torch.stack([g.square().sum() for g in gradients]).sum()
        stacked = torch.stack(maps)
        spread = (stacked - stacked.mean(0)).square().sum(0) / len(models) ** 0.5
        rows.append(
            {
                "loss": loss.item(),
                "grad_norm": square.sqrt().item(),
                "vog": spread.mean().item(),
                "plis": torch.autograd.grad(square, x)[0].norm().item(),
            }
        )
    return pd.DataFrame(rows)


def timed(folder: Path, arguments: list[str]) -> dict[str, float]:
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    subprocess.run(
        [sys.executable, "-m", "gradval", *arguments], cwd=folder, env=environment, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    seconds = time.perf_counter() - start
    return {"seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, help="<class>/<file>, of two classes")
    parser.add_argument("--compared", type=int, default=IMAGES, help="images of the float64 loop")
    options = parser.parse_args()
    found = sorted(file for file in options.images.glob("*/*") if file.is_file())
    random.Random(0).shuffle(found)
    classes = sorted({file.parent.name for file in found})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in found[:IMAGES]:
            target = folder / "xrays" / file.parent.name / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
        paths = train(folder, found[IMAGES:], classes)
        rows = [{"command": c, **timed(folder, COMMANDS[c])} for c in COMMANDS]
        table = pd.read_csv(folder / "scored/scores.csv").iloc[:: IMAGES // options.compared]
        files = [folder / "xrays" / file for file in table["file"]]
        labels = torch.tensor([classes.index(label) for label in table["label"]])
        expected = loop(paths, read(files), labels)
        errors = {
            score: float(f"{(table[score].to_numpy() / expected[score] - 1).abs().max():.1e}")
            for score in expected
        }
    rows = [{**row, "images": IMAGES} for row in rows]
    rows += [
        {"command": f"{score} against float64", "images": len(table), "largest_relative_error": e}
        for score, e in errors.items()
    ]
    write_results("own_site", rows)
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
