"""Models of torchvision and timm, scored as they come, against a loop over samples in float64.

    python benchmarks/models_tried.py [--quick] [--only NAME ...]

Writes `docs/performance/models_tried.csv`; `tests/unit/scores/test_models_tried.py` repeats its
rows. Weights are random, running statistics those of a few batches of noise. For each model: which
way it takes (rules, vmap or loop), the time of loss, gradient norm and PLIS together in plain
training steps on the same batch, and the largest relative error of any score of any sample in
float32 and in float64.
"""

import argparse
import copy
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from measurement import interleaved_seconds, report
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from gradval.ghost import choose_way, sample_gradients
from gradval.scores import score_samples
from gradval.scores.evaluation import evaluating

CLASSES, SAMPLES, BATCH, REPEATS = 7, 3, 4, 3


class Tried(NamedTuple):
    """A model and the size of its images.

    Attributes:
        library: "torchvision" or "timm".
        name: as the library has it.
        image_size: pixels a side.
        sized: whether the model is built for this size.
        scores: the scores that it has.
    """

    library: str
    name: str
    image_size: int = 64
    sized: bool = False
    scores: tuple[str, ...] = ("loss", "grad_norm", "vog", "plis")


SECOND_ORDER_MISSING = ("loss", "grad_norm", "vog")
MODELS = (
    Tried("torchvision", "alexnet"),
    Tried("torchvision", "vgg11_bn"),
    Tried("torchvision", "resnet18"),
    Tried("torchvision", "resnet50"),
    Tried("torchvision", "resnext50_32x4d"),
    Tried("torchvision", "squeezenet1_1"),
    Tried("torchvision", "shufflenet_v2_x1_0"),
    Tried("torchvision", "mobilenet_v2"),
    Tried("torchvision", "mobilenet_v3_small", scores=SECOND_ORDER_MISSING),
    Tried("torchvision", "mnasnet0_5"),
    Tried("torchvision", "regnet_y_400mf"),
    Tried("torchvision", "googlenet"),
    Tried("torchvision", "efficientnet_b0"),
    Tried("timm", "vit_tiny_patch16_224", sized=True),
    Tried("timm", "mixer_s16_224", sized=True),
    Tried("timm", "resnet18d"),
    Tried("torchvision", "densenet121"),
    Tried("timm", "convnextv2_atto"),
    Tried("torchvision", "convnext_tiny"),
    Tried("torchvision", "swin_t"),
    Tried("torchvision", "vit_b_16", sized=True),
)
QUICK = ("resnet18",)


def build(tried: Tried, seed: int = 0) -> nn.Module:
    """The model with random weights, its running statistics those of noise, in evaluation mode."""
    torch.manual_seed(seed)
    if tried.library == "torchvision":
        from torchvision.models import get_model

        options = {"image_size": tried.image_size} if tried.sized else {}
        if tried.name == "googlenet":
            options |= {"init_weights": False, "aux_logits": False}
        model = get_model(tried.name, weights=None, num_classes=CLASSES, **options)
    else:
        import timm

        options = {"img_size": tried.image_size} if tried.sized else {}
        model = timm.create_model(tried.name, num_classes=CLASSES, **options)
    for parameter in model.parameters():
        # Heads and last scales of zeros would hide everything before them.
        if not parameter.any():
            nn.init.normal_(parameter, std=0.02)
    model.train()
    with torch.no_grad():
        for _ in range(3):
            model(torch.randn(16, 3, tried.image_size, tried.image_size))
    return model.eval()


def reference(
    names: Sequence[str], checkpoints: list[nn.Module], images: Tensor, labels: Tensor
) -> dict[str, Tensor]:
    """The scores by their definitions, one sample at a time, the first model being final."""
    model = checkpoints[0]
    found: dict[str, list[Tensor]] = {name: [] for name in names}
    for x, y in zip(images.split(1), labels.split(1), strict=True):
        x = x.double().requires_grad_()
        loss = F.cross_entropy(model(x), y)
        gradients = torch.autograd.grad(
            loss, list(model.parameters()), create_graph=True, materialize_grads=True
        )
        square = torch.stack([g.square().sum() for g in gradients]).sum()
        found["loss"].append(loss.detach())
        found["grad_norm"].append(square.detach().sqrt())
        if "plis" in names:
            found["plis"].append(torch.autograd.grad(square, x)[0].norm())
        maps = [
            torch.autograd.grad(F.cross_entropy(checkpoint(x), y), x)[0]
            for checkpoint in checkpoints
        ]
        stacked = torch.stack(maps)
        squares = (stacked - stacked.mean(0)).square().sum(0)
        found["vog"].append((squares / len(maps) ** 0.5).mean())
    return {name: torch.stack(values) for name, values in found.items()}


def largest_errors(
    tried: Tried, models: list[nn.Module], images: Tensor, labels: Tensor, dtypes: list[torch.dtype]
) -> list[float]:
    """Largest relative difference of any score of any sample from the reference's, by dtype."""
    precise = [copy.deepcopy(model).double() for model in models]
    with sdpa_kernel(SDPBackend.MATH):
        expected = reference(tried.scores, precise, images, labels)
    errors = []
    for dtype in dtypes:
        given = [copy.deepcopy(model).to(dtype) for model in models]
        found = score_samples(given[0], given, images, labels, tried.scores)
        errors.append(
            max(
                float(((found[name].double() - expected[name]) / expected[name]).abs().max())
                for name in tried.scores
            )
        )
    return errors


def order_of(tried: Tried) -> int:
    """Order of the pass that the model's scores take."""
    return 2 if "plis" in tried.scores else 1


def way_of(tried: Tried, model: nn.Module, images: Tensor) -> str:
    """The way that the model takes."""
    with evaluating(model) as plain:
        return choose_way(plain, images, order_of(tried))


def measure(tried: Tried) -> dict[str, object]:
    """A row of the table."""
    models = [build(tried, seed) for seed in (0, 1)]
    model = models[0]
    generator = torch.Generator().manual_seed(2)
    shape = (BATCH, 3, tried.image_size, tried.image_size)
    images = torch.randn(shape, generator=generator)
    labels = torch.arange(BATCH) % CLASSES
    order = order_of(tried)
    single, double = largest_errors(
        tried, models, images[:SAMPLES], labels[:SAMPLES], [torch.float32, torch.float64]
    )
    with evaluating(model) as plain:
        runs: dict[str, Callable[[], object]] = {
            "step": lambda: torch.autograd.grad(
                F.cross_entropy(plain(images), labels), list(plain.parameters()), allow_unused=True
            ),
            "scores": lambda: sample_gradients(plain, images, labels, order),
        }
        seconds = interleaved_seconds(runs, REPEATS)
    return {
        "library": tried.library,
        "model": tried.name,
        "image_size": tried.image_size,
        "parameters": sum(p.numel() for p in model.parameters()),
        "layers": sum(1 for m in model.modules() if list(m.parameters(recurse=False))),
        "scores": " ".join(tried.scores),
        "way": way_of(tried, model, images),
        "plain_steps": round(seconds["scores"] / seconds["step"], 2),
        "error_float32": f"{single:.1e}",
        "error_float64": f"{double:.1e}",
    }


def rows(names: list[str]) -> Iterator[dict[str, object]]:
    """The rows of all models, or of those that are named."""
    return (measure(tried) for tried in MODELS if not names or tried.name in names)


def main() -> None:
    """Try every model and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one model, nothing written")
    parser.add_argument("--only", nargs="+", default=[], help="these models, nothing written")
    arguments = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    names = list(QUICK) if arguments.quick else arguments.only
    report("models_tried", rows(names), write=not names)


if __name__ == "__main__":
    main()
