"""A small site of its own for the tests: images on disk, a model and checkpoints of PyTorch's."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

SIZE, MEAN, STD = 8, 0.4, 0.2
CLASSES = ("cat", "dog")
MODEL_FILE = """
from torch import nn

def build(num_classes, channels, width=6):
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.Softplus(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * width, num_classes),
    )
"""


def build() -> nn.Sequential:
    """The module that `MODEL_FILE` builds for grey images of two classes."""
    names: dict[str, object] = {}
    exec(MODEL_FILE, names)
    model: nn.Sequential = names["build"](num_classes=2, channels=1)  # type: ignore[operator]
    return model


def write_images(folder: Path, count: int = 12) -> None:
    """Grey images, `count` a class; dogs are brighter. Names sort differently by number."""
    rng = np.random.default_rng(0)
    for brightness, name in zip((80, 160), CLASSES, strict=True):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            pixels = rng.normal(brightness, 40, (SIZE, SIZE)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"scan{i:02d}.png")


def read_images(folder: Path) -> tuple[list[str], Tensor, Tensor]:
    """Names, normalised float64 images and labels as ImageFolder would give them."""
    files = sorted(folder.glob("*/*.png"))
    pixels = [np.asarray(Image.open(file), dtype=np.float64) for file in files]
    images = torch.from_numpy((np.stack(pixels)[:, None] / 255 - MEAN) / STD)
    labels = torch.tensor([CLASSES.index(file.parent.name) for file in files])
    return [f"{file.parent.name}/{file.name}" for file in files], images, labels


def write_checkpoints(folder: Path, images: Tensor, labels: Tensor, steps: int = 10) -> list[Path]:
    """A short training in PyTorch's own way: every second step a state dict, 2 to `steps`."""
    torch.manual_seed(0)
    model = build()
    optimiser = torch.optim.Adam(model.parameters(), 0.02)
    paths = []
    for step in range(1, steps + 1):
        model.train()
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(images.float()), labels).backward()
        optimiser.step()
        if step % 2 == 0:
            paths.append(folder / f"ckpt_{step}.pt")
            torch.save(model.state_dict(), paths[-1])
    return paths


def expected_scores(paths: list[Path], images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """The paper's four scores by a loop over samples in float64, from the definitions alone."""
    models = []
    for path in paths:
        model = build().double()
        model.load_state_dict(torch.load(path))
        models.append(model.eval())
    found: dict[str, list[Tensor]] = {name: [] for name in ("loss", "grad_norm", "vog", "plis")}
    for image, label in zip(images, labels, strict=True):
        target = label[None]
        maps = []
        for model in models:
            x = image[None].clone().requires_grad_()
            loss = nn.functional.cross_entropy(model(x), target)
            maps.append(torch.autograd.grad(loss, x)[0])
        x = image[None].clone().requires_grad_()
        loss = nn.functional.cross_entropy(models[-1](x), target)
        gradients = torch.autograd.grad(loss, [*models[-1].parameters()], create_graph=True)
        square = sum(g.square().sum() for g in gradients)
        stacked = torch.stack(maps)
        spread = (stacked - stacked.mean(0)).square().sum(0) / len(models) ** 0.5
        found["loss"].append(loss.detach())
        found["grad_norm"].append(square.sqrt().detach())
        found["vog"].append(spread.mean())
        found["plis"].append(torch.autograd.grad(square, x)[0].norm())
    return {name: torch.stack(values) for name, values in found.items()}
