"""The tail of the noise: how many of billions of draws lie beyond so many standard deviations.

    python benchmarks/noise_tails.py [--draws 10e9] [--torch 2e9]

Writes `docs/privacy/noise_tails.csv`: for the noise of `gradval.privacy.noise` and for PyTorch's
own float32 normals, the draws beyond each threshold on both sides, the number that a normal
distribution expects, and the two-sided p-value of that count (Poisson). One core for about seven
minutes.
"""

import argparse
import csv
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from scipy.stats import norm, poisson

from gradval.privacy.keystream import KeyStream
from gradval.privacy.noise import GRID_BITS, GaussianNoise

RESULT = Path(__file__).parents[1] / "docs" / "privacy" / "noise_tails.csv"
THRESHOLDS = (4.0, 5.0, 5.5, 5.77, 6.0, 6.5)
CHUNK = 1 << 22


def ours(seed: int) -> Callable[[], torch.Tensor]:
    """Chunks of magnitudes of our noise."""
    noise = GaussianNoise(KeyStream(hashlib.sha256(str(seed).encode()).digest()))

    def draw() -> torch.Tensor:
        magnitudes = noise.integers(CHUNK).abs_()
        return magnitudes[magnitudes >= 4 << GRID_BITS].double() / 2**GRID_BITS

    return draw


def pytorch(seed: int) -> Callable[[], torch.Tensor]:
    """The same of PyTorch's float32 normals on the CPU."""
    generator = torch.Generator().manual_seed(seed)

    def draw() -> torch.Tensor:
        magnitudes = torch.randn(CHUNK, generator=generator).abs_()
        return magnitudes[magnitudes >= 4].double()

    return draw


def rows(name: str, draw: Callable[[], torch.Tensor], draws: float) -> Iterator[dict[str, object]]:
    """One row a threshold."""
    chunks = -(-int(draws) // CHUNK)
    counts, largest = dict.fromkeys(THRESHOLDS, 0), 0.0
    for _ in range(chunks):
        tail = draw()
        largest = max(largest, float(tail.max()))
        for threshold in THRESHOLDS:
            counts[threshold] += int((tail >= threshold).sum())
    for threshold, count in counts.items():
        expected = 2 * norm.sf(threshold) * chunks * CHUNK
        below, above = poisson.cdf(count, expected), poisson.sf(count - 1, expected)
        yield {
            "generator": name,
            "draws": chunks * CHUNK,
            "threshold": threshold,
            "found": count,
            "expected": f"{expected:.2f}",
            "p_value": f"{min(1.0, 2 * min(below, above)):.3g}",
            "largest": f"{largest:.3f}",
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=float, default=10e9, help="of the noise")
    parser.add_argument("--torch", type=float, default=2e9, help="of PyTorch's normals")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    found = [
        *rows("gradval", ours(arguments.seed), arguments.draws),
        *rows("torch float32", pytorch(arguments.seed), arguments.torch),
    ]
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    with open(arguments.output, "w", newline="") as file:
        writer = csv.DictWriter(file, list(found[0]))
        writer.writeheader()
        writer.writerows(found)
    for row in found:
        print(*row.values())


if __name__ == "__main__":
    main()
