"""Draw what VoG, PLIS and epsilon are, for docs/plain-words.md: digits, a small network, 5 s.

python benchmarks/plain_words.py
"""

from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import laplace
from sklearn.datasets import load_digits
from torch import nn

from gradval import plis_scores, vog_scores
from gradval.report.figures.style import style

TARGET = Path(__file__).parents[1] / "docs/images/plain_words.png"
STEPS, EVERY = 40, 8


def build() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU()),
        *(nn.AdaptiveMaxPool2d(4), nn.Flatten(), nn.Linear(512, 10)),
    )


def trained(images: torch.Tensor, labels: torch.Tensor) -> list[nn.Module]:
    """Five moments of a training."""
    torch.manual_seed(0)
    model, moments = build(), []
    optimiser = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    for step in range(1, STEPS + 1):
        optimiser.zero_grad()
        batch = torch.randint(len(images), (64,))
        nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
        optimiser.step()
        if step % EVERY == 0:
            moments.append(build())
            moments[-1].load_state_dict(model.state_dict())
    return moments


def picture(model: nn.Module, image: torch.Tensor, label: torch.Tensor) -> np.ndarray:
    """Gradient of the loss with respect to the pixels (8, 8)."""
    x = image[None].clone().requires_grad_()
    loss = nn.functional.cross_entropy(model(x), label[None])
    return torch.autograd.grad(loss, x)[0][0, 0].numpy()


def susceptibility(model: nn.Module, image: torch.Tensor, label: torch.Tensor) -> np.ndarray:
    """Gradient of the squared gradient norm with respect to the pixels (8, 8)."""
    x = image[None].clone().requires_grad_()
    loss = nn.functional.cross_entropy(model(x), label[None])
    gradients = torch.autograd.grad(loss, [*model.parameters()], create_graph=True)
    square = torch.stack([g.square().sum() for g in gradients]).sum()
    return torch.autograd.grad(square, x)[0][0, 0].numpy()


def show(axes: Axes, pixels: np.ndarray, title: str = "", limit: float | None = None) -> None:
    if limit is None:
        axes.imshow(pixels, cmap="gray")
    else:
        axes.imshow(pixels, cmap="RdBu_r", vmin=-limit, vmax=limit)
    axes.set_title(title, fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([])


def draw_epsilon(axes: Axes, epsilon: float) -> None:
    x = np.linspace(-4, 5, 500)
    for centre, label, dash in ((0, "without the image", "--"), (1, "with it", "-")):
        axes.plot(x, laplace.pdf(x, centre, 1 / epsilon), dash, color="black", label=label)
    axes.set_title(f"ε = {epsilon:g}: {'hard' if epsilon <= 1 else 'easy'} to tell", fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel("what is published", fontsize=8)


@style()
def main() -> None:
    digits = load_digits()
    images = torch.from_numpy(digits.images[:600, None] / 8 - 1).float()
    labels = torch.from_numpy(digits.target[:600])
    moments = trained(images, labels)
    vog, plis = vog_scores(moments, images, labels), plis_scores(moments[-1], images, labels)
    order = vog.argsort()
    figure = Figure(figsize=(11, 5.6), layout="constrained")
    grid = figure.add_gridspec(4, 8, width_ratios=[1] * 6 + [0.25, 2.6])
    # Neither the very least, whose pictures are blank, nor the very most.
    shown = {"low": order[len(order) // 3], "high": order[-2]}
    pictures = {
        name: [picture(model, images[at], labels[at]) for model in moments]
        for name, at in shown.items()
    }
    limit = 0.7 * max(float(np.abs(pixels).max()) for pixels in pictures["high"])
    for row, (name, at) in enumerate(shown.items()):
        show(figure.add_subplot(grid[row, 0]), images[at, 0].numpy(), f"{name} VoG")
        for i, pixels in enumerate(pictures[name]):
            title = f"step {(i + 1) * EVERY}"
            show(figure.add_subplot(grid[row, i + 1]), pixels, title, limit)
    order = plis.argsort()
    ends = {"low": order[3 * len(order) // 4], "high": order[-2]}
    maps = {name: susceptibility(moments[-1], images[at], labels[at]) for name, at in ends.items()}
    limit = float(np.abs(maps["high"]).max())
    for column, (name, at) in enumerate(ends.items()):
        image = figure.add_subplot(grid[2:, 3 * column])
        show(image, images[at, 0].numpy(), f"{name} PLIS: {plis[at]:.3g}")
        beside = figure.add_subplot(grid[2:, 3 * column + 1 : 3 * column + 3])
        show(beside, maps[name], "pixels that change the size of its push", limit)
    for row, epsilon in ((slice(0, 2), 1.0), (slice(2, 4), 8.0)):
        draw_epsilon(figure.add_subplot(grid[row, 7]), epsilon)
    figure.axes[-2].legend(fontsize=7, loc="upper left")
    figure.savefig(TARGET, dpi=110)


if __name__ == "__main__":
    main()
