"""Speed and memory of the scores, in plain training steps, beside what people use today.

    python benchmarks/score_speed.py [--quick]

Writes `docs/performance/score_speed.csv`. Takes eighteen minutes on two cores, and 12 GB of memory
for vmap at batch 64. All methods of a case run in turns on the same model and
batch; the unit is a plain training step (forward, backward to all weights) on that batch.

- `plis`: ours, loss, gradient norm and PLIS in one pass; `norm`: ours, loss and gradient norm;
  `vog`: ours, one checkpoint.
- `vmap plis`: per-sample gradients and their derivative by `torch.func`, as the paper's authors did
  with functorch, at the fastest of a few chunk sizes; at batch 64 the whole batch at once.
- `opacus norm`: gradient norms from Opacus's per-sample gradients (hooks). They are detached, so
  they cannot give PLIS.
- `datagnosis vog`: an epoch of the VoG plugin of Datagnosis on this batch, if it can be imported.
  It computes the gradients of the weights too.
"""

import argparse
import sys
import types
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from measurement import Run, interleaved_seconds, peak_memory, report
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F

from gradval.ghost import sample_gradients
from gradval.models.architectures import build_model
from gradval.scores.batching import choose_batch_size
from gradval.scores.input_gradients import input_gradients

CLASSES = 10


class Case(NamedTuple):
    """A model, an image size and a batch, and what is measured.

    Attributes:
        architecture: of the full-width model.
        image_size: pixels a side.
        batch: samples; 0 for as many as scoring takes by itself.
        repeats: rounds that count.
        chunks: chunk sizes for vmap; the others' methods are measured if there are any.
    """

    architecture: str
    image_size: int
    batch: int = 0
    repeats: int = 1
    chunks: tuple[int, ...] = ()


CASES = (
    Case("resnet9", 32, 16, 5, (1, 4, 16)),
    Case("resnet18", 32, 16, 5, (1, 4, 16)),
    Case("resnet9", 32, 64, 5),
    Case("resnet18", 32, 64, 3, (64,)),
    Case("resnet101", 32, 8, 5, (1, 4)),
    Case("resnext101", 32, 8, 5),
    Case("resnet18", 224, 8, 5, (1, 4)),
    Case("resnet101", 224, 0, 5),
    Case("resnext101", 224, 0, 5),
    Case("wideresnet50", 224, 0, 5),
    Case("wideresnet101", 224, 0, 5),
)
QUICK = (Case("resnet9", 32, 4, 1, (2, 4)),)


def problem(case: Case) -> tuple[nn.Module, Tensor, Tensor]:
    """Full-width model, images and labels of a case."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build_model(
        case.architecture, channels=3, classes=CLASSES, image_size=case.image_size, seed=0
    ).to(device)
    generator = torch.Generator().manual_seed(0)
    shape = (case.batch, 3, case.image_size, case.image_size)
    images = torch.randn(shape, generator=generator).to(device)
    return model, images, (torch.arange(case.batch) % CLASSES).to(device)


def with_batch(case: Case) -> Case:
    """The case with the batch that scoring would choose, if it names none."""
    if case.batch:
        return case
    model, images, _ = problem(case._replace(batch=1))
    return case._replace(batch=choose_batch_size(model, images, order=2))


def plain_step(case: Case) -> Run:
    """Forward and backward to all weights."""
    model, images, labels = problem(case)
    parameters = list(model.parameters())
    return lambda: torch.autograd.grad(F.cross_entropy(model(images), labels), parameters)


def plis(case: Case) -> Run:
    """Ours: loss, gradient norm and PLIS."""
    model, images, labels = problem(case)
    return lambda: sample_gradients(model, images, labels, order=2)


def norm(case: Case) -> Run:
    """Ours: loss and gradient norm."""
    model, images, labels = problem(case)
    return lambda: sample_gradients(model, images, labels, order=1)


def vog(case: Case) -> Run:
    """Ours: a checkpoint of VoG."""
    model, images, labels = problem(case)
    model.requires_grad_(False)
    return lambda: input_gradients(model, images, labels, "loss")


def vmap_plis(case: Case, chunk: int) -> Run:
    """PLIS by composed function transforms."""
    model, images, labels = problem(case)
    weights = dict(model.named_parameters())

    def loss(weights: dict[str, Tensor], image: Tensor, label: Tensor) -> Tensor:
        logits = functional_call(model, weights, (image[None],))
        return F.cross_entropy(logits, label[None])

    def squared_norm(image: Tensor, label: Tensor) -> Tensor:
        gradients = grad(loss)(weights, image, label)
        return torch.stack([g.square().sum() for g in gradients.values()]).sum()

    susceptibility = vmap(grad(squared_norm), chunk_size=chunk)
    return lambda: susceptibility(images, labels).flatten(1).norm(dim=1)


def opacus_norm(case: Case) -> Run:
    """Norms of the per-sample gradients that Opacus's hooks leave."""
    from opacus import GradSampleModule

    model, images, labels = problem(case)
    hooked = GradSampleModule(model, loss_reduction="sum")

    def run() -> Tensor:
        F.cross_entropy(hooked(images), labels, reduction="sum").backward()
        norms = [p.grad_sample.flatten(1).norm(dim=1) for p in hooked.parameters()]
        hooked.zero_grad(set_to_none=True)
        return torch.stack(norms).norm(dim=0)

    return run


def datagnosis_vog(case: Case) -> Run:
    """An epoch's update of Datagnosis's VoG plugin on one batch."""
    # It imports an image library that VoG does not use and that is hard to install.
    sys.modules.setdefault("augly", types.ModuleType("augly"))
    sys.modules.setdefault("augly.image", types.ModuleType("augly.image"))
    sys.modules["augly"].image = sys.modules["augly.image"]
    from datagnosis.plugins.generic.plugin_vog import VOGPlugin

    model, images, labels = problem(case)
    plugin = VOGPlugin(
        model=model,
        criterion=nn.CrossEntropyLoss(),
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        lr=0.1,
        epochs=1,
        num_classes=CLASSES,
        device=images.device,
    )
    plugin.dataloader = [(images, labels, torch.arange(case.batch))]

    def run() -> None:
        plugin._updates(net=model)
        # It keeps every gradient; here that would grow with the repeats.
        plugin.vog.clear()

    return run


OURS: dict[str, Callable[..., Run]] = {
    "plain step": plain_step,
    "plis": plis,
    "norm": norm,
    "vog": vog,
}


def fastest_chunk(case: Case) -> int:
    """The chunk size at which vmap is fastest."""
    if len(case.chunks) == 1:
        return case.chunks[0]
    runs = {str(chunk): vmap_plis(case, chunk) for chunk in case.chunks}
    times = interleaved_seconds(runs, 1)
    return int(min(times, key=times.__getitem__))


def measure(case: Case) -> Iterator[dict[str, object]]:
    """One row a method."""
    case = with_batch(case)
    makers: dict[str, tuple[Callable[..., Run], tuple[object, ...]]] = {
        name: (make, (case,)) for name, make in OURS.items()
    }
    if case.chunks:
        chunk = fastest_chunk(case)
        makers[f"vmap plis, chunk {chunk}"] = (vmap_plis, (case, chunk))
        for name, make in (("opacus norm", opacus_norm), ("datagnosis vog", datagnosis_vog)):
            try:
                make(case)()
                makers[name] = (make, (case,))
            except (ImportError, RuntimeError) as error:
                print(f"{case.architecture}: without {name} ({str(error).splitlines()[0]})")
    runs = {name: make(*arguments) for name, (make, arguments) in makers.items()}
    seconds = interleaved_seconds(runs, case.repeats)
    del runs
    for name, (make, arguments) in makers.items():
        peak = peak_memory(make, *arguments)
        yield {
            "model": case.architecture,
            "image_size": case.image_size,
            "batch": case.batch,
            "method": name,
            "seconds": round(seconds[name], 4),
            "plain_steps": round(seconds[name] / seconds["plain step"], 2),
            "peak_mib": round(peak.rise),
            "process_mib": round(peak.whole),
        }


def main() -> None:
    """Measure every case and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one small case, nothing written")
    quick = parser.parse_args().quick
    rows = (row for case in (QUICK if quick else CASES) for row in measure(case))
    report("score_speed", rows, write=not quick)


if __name__ == "__main__":
    main()
