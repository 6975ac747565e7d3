"""Models as users have them: wrapped, recurrent, attentive, branching, half; what is refused."""

import copy
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import reference
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gradval.scores import score_samples

CLASSES, SAMPLES = 3, 4
NAMES = ("loss", "grad_norm", "vog", "plis")


@pytest.fixture
def images() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(SAMPLES, 3, 8, 8, dtype=torch.float64, generator=generator)


@pytest.fixture
def labels() -> Tensor:
    return torch.tensor([0, 2, 1, 2])


def small() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2),
        nn.BatchNorm2d(4),
        nn.Softplus(),
        nn.Flatten(),
        nn.Linear(36, CLASSES),
    )


class Attention(nn.Module):
    """Rows as tokens; queries, keys and values of the plain function or of a whole layer."""

    def __init__(self, layer: bool) -> None:
        super().__init__()
        self.embed = nn.Linear(24, 8)
        self.block = (
            nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
            if layer
            else nn.MultiheadAttention(8, 2, batch_first=True)
        )
        self.fc = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x.transpose(1, 2).flatten(2))
        if isinstance(self.block, nn.MultiheadAttention):
            x = self.block(x, x, x, need_weights=False)[0]
        else:
            x = self.block(x)
        return self.fc(x.mean(1))


class Recurrent(nn.Module):
    """Rows as a sequence."""

    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.recurrence = kind(24, 5, batch_first=True)
        self.fc = nn.Linear(5, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.recurrence(x.transpose(1, 2).flatten(2))[0][:, -1])


class Branching(nn.Module):
    """Decides by the values of what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(192, 6)
        self.fc = nn.Linear(6, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.inner(x.flatten(1))
        if x.sum() > 0:
            x = torch.tanh(x)
        return self.fc(F.softplus(x) * float(1 + x.detach().abs().max()))


class Square(torch.autograd.Function):
    """As own functions are mostly written: torch.func cannot take it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return 2 * grad * ctx.saved_tensors[0]


class OwnFunction(nn.Module):
    """With a parameter of its own, so that rules do not cover it."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(192))
        self.fc = nn.Linear(192, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(Square.apply(x.flatten(1) * self.scale))


KINDS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "BatchNorm": (small, ""),
    "attention": (lambda: Attention(layer=False), "torch.func.vmap"),
    "transformer": (lambda: Attention(layer=True), "torch.func.vmap"),
    "GRU": (lambda: Recurrent(nn.GRU), "one by one"),
    "LSTM": (lambda: Recurrent(nn.LSTM), "one by one"),
    "RNN": (lambda: Recurrent(nn.RNN), "one by one"),
    "branching": (Branching, r"\(Branching\) computes with values that it reads .* one by one"),
    "own function": (OwnFunction, "one by one"),
}


def build(make: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """In float64, with weights and statistics that are not the initial ones."""
    torch.manual_seed(seed)
    model = make().double()
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return model.eval()


def naive(models: list[nn.Module], images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """The scores by their definitions, the last model being final."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    with sdpa_kernel(SDPBackend.MATH):
        return {
            "loss": reference.losses(models[-1], images, labels),
            "grad_norm": reference.gradients(models[-1], images, labels).norm(dim=1),
            "vog": reference.vog(models, images, labels),
            "plis": reference.plis(models[-1], images, labels),
        }


def assert_equal(found: dict[str, Tensor], expected: dict[str, Tensor], rtol: float) -> None:
    for name, values in expected.items():
        assert torch.allclose(found[name].double(), values.double(), rtol=rtol, atol=0), name


@pytest.mark.parametrize("kind", KINDS)
def test_scores_equal_naive_and_slow_ways_are_said(
    kind: str, images: Tensor, labels: Tensor, caplog: pytest.LogCaptureFixture
) -> None:
    make, notice = KINDS[kind]
    models = [build(make, seed) for seed in (0, 1)]
    expected = naive(models, images, labels)
    models[1].train()
    with caplog.at_level(logging.WARNING, logger="gradval"):
        found = score_samples(models[1], models, images, labels, batch_size=3)
    assert_equal(found, expected, 1e-9)
    assert all(re.search(notice, record.getMessage()) for record in caplog.records)
    assert bool(caplog.records) == bool(notice)
    singles = [build(make, seed).float() for seed in (0, 1)]
    assert_equal(score_samples(singles[1], singles, images, labels), expected, 1e-4)


def opacus_wrapped(model: nn.Module) -> nn.Module:
    from opacus import GradSampleModule

    return GradSampleModule(model, strict=False)


WRAPPERS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "DataParallel": nn.DataParallel,
    "compiled": torch.compile,
    "compiled inside DataParallel": lambda model: nn.DataParallel(torch.compile(model)),
    "averaged": torch.optim.swa_utils.AveragedModel,
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS.keys())
def test_wrapped_models_are_unwrapped(
    wrap: Callable[[nn.Module], nn.Module], images: Tensor, labels: Tensor
) -> None:
    models = [build(small, seed) for seed in (0, 1)]
    expected = score_samples(models[1], models, images, labels)
    wrapped = [wrap(model) for model in models]
    assert_equal(score_samples(wrapped[1], wrapped, images, labels), expected, 1e-13)


def test_models_of_make_private_are_scored_and_their_hooks_stay(
    images: Tensor, labels: Tensor
) -> None:
    def plain() -> nn.Module:
        return build(
            lambda: nn.Sequential(
                nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)
            )
        )

    expected = score_samples(plain(), (), images, labels, ("loss", "grad_norm", "plis"))
    hooked = opacus_wrapped(plain()).train()
    for given in (hooked, hooked._module):
        found = score_samples(given, (), images, labels, ("loss", "grad_norm", "plis"))
        assert_equal(found, expected, 1e-12)
    F.cross_entropy(hooked(images), labels, reduction="sum").backward()
    assert all(p.grad_sample.shape[0] == SAMPLES for p in hooked.parameters())


def test_compiled_layers_are_run_as_they_are_written(images: Tensor, labels: Tensor) -> None:
    model = build(small)
    expected = score_samples(model, (), images, labels, ("loss", "plis"))
    model[2] = torch.compile(model[2])
    model.compile()
    assert_equal(score_samples(model, (), images, labels, ("loss", "plis")), expected, 1e-13)


class Returning(nn.Module):
    """Gives its logits in another form."""

    def __init__(self, form: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.body = small()
        self.form = form

    def forward(self, x: Tensor) -> object:
        return self.form(self.body(x))


@pytest.mark.parametrize(
    "form",
    [
        lambda z: {"logits": z, "hidden": None},
        lambda z: SimpleNamespace(logits=z),
    ],
    ids=["dictionary", "object"],
)
def test_named_logits_are_taken(
    form: Callable[[Tensor], object], images: Tensor, labels: Tensor
) -> None:
    expected = score_samples(build(lambda: Returning(lambda z: z)), (), images, labels, NAMES[:2])
    found = score_samples(build(lambda: Returning(form)), (), images, labels, NAMES[:2])
    assert_equal(found, expected, 1e-13)


RETURNS: dict[str, tuple[Callable[[Tensor], object], str]] = {
    "tuple": (lambda z: (z, None), "as 'logits' of a dictionary or object, not to a tuple of 2"),
    "other dictionary": (lambda z: {"out": z}, "not to a dict of 'out'"),
    "nothing": (lambda z: None, "not to a NoneType"),
    "one output": (lambda z: z[:, :1], "has 1 output, but needs one for each of at least 2"),
    "vector": (lambda z: z[:, 0], r"logits of shape \(1, classes\), not \(1,\)"),
    "integers": (lambda z: z.long(), "floating-point numbers, not torch.int64"),
    "not finite": (lambda z: z * torch.nan, "logits of sample 0 are not finite"),
    "squeezed": (lambda z: z.squeeze(0), r"not \(3,\)"),
}


@pytest.mark.parametrize(("form", "expected"), RETURNS.values(), ids=RETURNS.keys())
@pytest.mark.parametrize("name", ["loss", "plis"])
def test_other_results_are_refused_in_one_line(
    form: Callable[[Tensor], object], expected: str, name: str, images: Tensor, labels: Tensor
) -> None:
    with pytest.raises(ValueError, match=expected) as caught:
        score_samples(build(lambda: Returning(form)), (), images, labels, (name,))
    assert "\n" not in str(caught.value)


@contextmanager
def half_default(dtype: torch.dtype) -> Iterator[None]:
    default = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(default)


AROUND: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "inference mode": torch.inference_mode,
    "no_grad": torch.no_grad,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "half default": lambda: half_default(torch.float16),
    "default device": lambda: torch.device("meta"),
}


class MakesTensors(nn.Module):
    """Uses the default dtype within its forward."""

    def __init__(self) -> None:
        super().__init__()
        self.body = small()

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) * torch.tensor([1.0001, 1.0, 0.9999], device=x.device)


def ambient() -> tuple[object, ...]:
    """What is set around."""
    return (
        torch.is_grad_enabled(),
        torch.get_default_dtype(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.backends.mha.get_fastpath_enabled(),
    )


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND.keys())
def test_what_is_set_around_changes_nothing(
    around: Callable[[], AbstractContextManager[Any]], images: Tensor, labels: Tensor
) -> None:
    models = [build(MakesTensors, seed).float() for seed in (0, 1)]
    expected = score_samples(models[1], models, images.float(), labels)
    with around():
        before = ambient()
        found = score_samples(models[1], models, images.float(), labels)
        assert ambient() == before
    for name in NAMES:
        assert torch.equal(found[name], expected[name]), name


def test_everything_made_in_inference_mode_is_scored(images: Tensor, labels: Tensor) -> None:
    expected = score_samples(build(small), (), images, labels, ("loss", "grad_norm", "plis"))
    with torch.inference_mode():
        model = copy.deepcopy(build(small))
        found = score_samples(
            model, (), images.clone(), labels.clone(), ("loss", "grad_norm", "plis")
        )
    assert_equal(found, expected, 1e-13)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_models_are_scored_as_float32_copies_and_that_is_said(
    dtype: torch.dtype, images: Tensor, labels: Tensor, caplog: pytest.LogCaptureFixture
) -> None:
    models = [build(small, seed).to(dtype) for seed in (0, 1)]
    with caplog.at_level(logging.WARNING, logger="gradval"):
        found = score_samples(models[1], models, images, labels, batch_size=2)
    assert len(caplog.records) == 2, "once a model"
    assert f"'0.weight' of Sequential is {dtype}" in caplog.records[0].getMessage()
    singles = [copy.deepcopy(model).float() for model in models]
    expected = score_samples(singles[1], singles, images, labels, batch_size=2)
    for name in NAMES:
        assert found[name].dtype == torch.float32
        assert torch.equal(found[name], expected[name]), name
    assert all(p.dtype == dtype for model in models for p in model.parameters())


def test_a_list_that_holds_one_module_is_refused(images: Tensor, labels: Tensor) -> None:
    model = build(small)
    for snapshots in (
        [model, model],
        [model, nn.DataParallel(model)],
        (build(small), model, model),
    ):
        with pytest.raises(ValueError, match=r"checkpoints \d and \d are one and the same module"):
            score_samples(build(small, 2), snapshots, images, labels, ("vog",))
    copies = [copy.deepcopy(model) for _ in range(2)]
    assert (score_samples(model, copies, images, labels, ("vog",))["vog"] == 0).all()


class Hard(nn.Module):
    """An activation whose second derivative PyTorch does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Flatten(), nn.Linear(192, 5), nn.Hardsigmoid())
        self.fc = nn.Linear(5, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.features(x))


def test_a_layer_without_second_derivative_is_named_before_anything_is_spent(
    images: Tensor, labels: Tensor
) -> None:
    model = build(Hard)
    rows: list[int] = []
    handle = model.register_forward_hook(lambda _, inputs, __: rows.append(len(inputs[0])))
    big = images.repeat(50, 1, 1, 1)
    expected = (
        r"layer 'features.2' \(Hardsigmoid\) has no second derivative, which PLIS needs: .*hard"
    )
    with pytest.raises(ValueError, match=expected):
        score_samples(model, (), big, labels.repeat(50), ("plis", "loss"), batch_size=200)
    assert max(rows) <= 4
    handle.remove()
    names = ("loss", "grad_norm")
    assert set(score_samples(model, (), images, labels, names)) == set(names)


class Sharded(nn.Module):
    pass


Sharded.__module__ = "torch.distributed.fsdp.fully_sharded_data_parallel"
Sharded.__qualname__ = "FullyShardedDataParallel"


def complex_model() -> nn.Module:
    model = small()
    model.register_parameter("phase", nn.Parameter(torch.zeros(2, dtype=torch.complex128)))
    return model


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "function": (lambda: lambda x: x, "the model is a function, but must be a torch.nn.Module"),
    "state dict": (lambda: small().state_dict(), "the model is a OrderedDict"),
    "FSDP": (Sharded, r"the model \(Sharded\) is sharded \(FSDP\)"),
    "FSDP inside": (lambda: nn.Sequential(small(), Sharded()), "layer '1' .*sharded"),
    "TorchScript": (
        lambda: torch.jit.trace(small().eval(), torch.zeros(1, 3, 8, 8)),
        "is TorchScript",
    ),
    "lazy": (lambda: nn.Sequential(nn.LazyLinear(3)), "parameter '0.weight' has no shape yet"),
    "meta": (lambda: small().to("meta"), "parameter '0.weight' is on the meta device"),
    "complex": (complex_model, "parameter 'phase' is complex"),
    "no parameters": (nn.Flatten, "no floating-point parameter"),
    "other channels": (
        lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 3)).double(),
        r"layer '0' \(Conv2d\) cannot be run on images of shape \(3, 8, 8\): Given groups=1",
    ),
}


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.parametrize(("make", "expected"), REFUSED.values(), ids=REFUSED.keys())
def test_other_models_are_refused_in_one_line(
    make: Callable[[], Any], expected: str, images: Tensor, labels: Tensor
) -> None:
    for name in ("loss", "plis"):
        with pytest.raises(ValueError, match=expected) as caught:
            score_samples(make(), (), images, labels, (name,))
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=expected):
        score_samples(build(small), [make(), build(small)], images, labels, ("vog",))
