"""Whole models: residual nets, awkward ones, refused ones; and what a pass leaves behind."""

import gc
import logging
import weakref
from collections.abc import Iterator
from functools import partial

import pytest
import reference
import torch
import torch.nn.functional as F
from reference import flatten, relative_error
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torchvision.models import resnet

from gradval.ghost import (
    LayerRule,
    LayerTape,
    choose_way,
    clipped_gradient_sum,
    covers,
    register_layer_rule,
    sample_gradients,
)

CLASSES = 3


def perturbed(model: nn.Module) -> nn.Module:
    """In float64, with weights and biases at which no gradient is zero."""
    torch.manual_seed(0)
    model = model.double()
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return model


def torchvision_resnet(block: type[nn.Module], **options: int) -> nn.Module:
    """As torchvision has it, in-place operations included, but for two of its four stages."""
    model = resnet.ResNet(block, [1, 2, 1, 1], norm_layer=partial(nn.GroupNorm, 2), **options)
    model.layer3 = model.layer4 = nn.Identity()
    model.fc = nn.Linear(128 * block.expansion, CLASSES)
    return model


class Residual(nn.Module):
    """A smooth residual net with every kind of convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norm = nn.GroupNorm(2, 8)
        self.dilated = nn.Conv2d(8, 8, 3, padding=2, dilation=2)
        self.grouped = nn.Conv2d(8, 8, 3, padding=1, groups=4)
        self.down = nn.Conv2d(8, 12, 3, stride=2, padding=1)
        self.shortcut = nn.Conv2d(8, 12, 1, stride=2)
        self.fc = nn.Linear(12, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = F.softplus(self.norm(self.stem(x)))
        x = x + torch.tanh(self.grouped(torch.tanh(self.dilated(x))))
        x = torch.tanh(self.down(x)) + self.shortcut(x)
        return self.fc(x.mean((2, 3)))


class Repeated(nn.Module):
    """Calls one convolution three times, on two image sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 1)
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.fc = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.conv(torch.tanh(self.conv(self.stem(x)))))
        return self.fc(torch.tanh(self.conv(F.avg_pool2d(x, 2))).mean((2, 3)))


class InPlace(nn.Module):
    """Modifies layer outputs in place, directly and through views, and the images too."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.second = nn.Conv2d(4, 4, 3)
        self.fc = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x).mul_(2).add_(0.1)
        identity = x[:, :, 1:-1, 1:-1]
        x = self.second(x)
        x.flatten(1).mul_(0.5)
        x += identity
        return self.fc(F.elu(x, inplace=True).mean((2, 3))).mul_(1.5)


class InPlaceFirst(nn.Module):
    """Modifies the images themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.fc = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(x.sub_(0.1), inplace=True)
        return self.fc(torch.tanh(self.conv(x)).mean((2, 3)))


class InPlaceFirstAndOwnParameter(InPlaceFirst):
    """The same, not covered by rules."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.scale


class DetachedInput(nn.Module):
    """Its first layer's input does not depend on the image differentiably."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.fc = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.tanh(self.conv(x.detach()).mul_(2)).mean((2, 3)))


class KeywordCall(nn.Module):
    """Passes its layers' inputs by name."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.GroupNorm(2, 4)
        self.fc = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.norm(input=self.conv(input=x)))
        return self.fc(input=x.mean((2, 3)))


class UnusedLayer(nn.Module):
    """One layer is never called, another does not reach the logits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.idle = nn.Conv2d(3, 4, 3)
        self.dangling = nn.Linear(4, 2)
        self.fc = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.conv(x)).mean((2, 3))
        self.dangling(x)
        return self.fc(x)


class Checkpointed(nn.Module):
    """Gradient checkpointing: the body runs again in the backward."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Conv2d(4, 4, 3), nn.Tanh())
        self.fc = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(checkpoint(self.body, x, use_reentrant=False).mean((2, 3)))


class SharedParameter(nn.Module):
    """Two layers with one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 3, 3)
        self.second = nn.Conv2d(3, 3, 3)
        self.second.weight = self.first.weight
        self.fc = nn.Linear(3, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.tanh(self.second(torch.tanh(self.first(x)))).mean((2, 3)))


class FunctionalUse(nn.Module):
    """Uses a layer's weight once more, past the layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3)
        self.fc = nn.Linear(3, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.conv(x))
        return self.fc(torch.tanh(F.conv2d(x, self.conv.weight)).mean((2, 3)))


class OwnParameter(nn.Module):
    """A parameter of a module without a rule."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.scale = nn.Parameter(torch.ones(4, 1, 1))
        self.fc = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc((torch.tanh(self.conv(x)) * self.scale).mean((2, 3)))


class OwnConv(nn.Conv2d):
    """A subclass that computes something else."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).square()


class PatchesAsBatch(nn.Module):
    """Runs a layer on patches stacked in the batch dimension, out of order."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.fc = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        left, right = torch.tanh(self.conv(torch.cat(x.chunk(2, dim=3)))).chunk(2)
        return self.fc((left + right).mean((2, 3)))


class SequenceFirst(nn.Module):
    """Its sequences are `(T, N, C)`."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(3, 5)
        self.fc = nn.Linear(5, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.tanh(self.project(x.flatten(2).permute(2, 0, 1))).mean(0))


class ThreeTokens(nn.Module):
    """Its sequences are `(T, N, C)`, with as many tokens as images have channels."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(64, 5)
        self.fc = nn.Linear(5, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.tanh(self.project(x.flatten(2).transpose(0, 1))).mean(0))


class WithoutGradients(nn.Module):
    """Calls a trainable layer with gradients disabled."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.fc = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            x = torch.tanh(self.conv(x))
        return self.fc(x.mean((2, 3)))


def parametrised() -> nn.Module:
    conv = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3))
    return nn.Sequential(conv, nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))


COVERED = {
    "residual": Residual,
    "torchvision ResNet": partial(torchvision_resnet, resnet.BasicBlock),
    "torchvision ResNeXt": partial(
        torchvision_resnet, resnet.Bottleneck, groups=4, width_per_group=4
    ),
    "repeated": Repeated,
    "in place": InPlace,
    "in place first": InPlaceFirst,
    "detached input": DetachedInput,
    "keyword call": KeywordCall,
    "unused layer": UnusedLayer,
    "checkpointed": Checkpointed,
}
UNCOVERED = {
    "shared parameter": (SharedParameter, "shared"),
    "functional use": (FunctionalUse, "'conv.weight' is used outside its layer"),
    "own parameter": (OwnParameter, "no layer rule covers parameter 'scale'"),
    "in place first": (InPlaceFirstAndOwnParameter, "no layer rule covers parameter 'scale'"),
    "own layer": (
        lambda: nn.Sequential(
            OwnConv(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, CLASSES)
        ),
        "OwnConv",
    ),
    "parametrised": (parametrised, "no layer rule"),
    "patches": (PatchesAsBatch, "samples in its first dimension"),
    "sequence first": (SequenceFirst, "samples in its first dimension"),
    "three tokens": (ThreeTokens, "samples in its first dimension"),
    "without gradients": (WithoutGradients, "gradients disabled"),
}


@pytest.fixture(params=COVERED)
def covered(request: pytest.FixtureRequest) -> nn.Module:
    return perturbed(COVERED[request.param]())


@pytest.fixture(params=UNCOVERED)
def uncovered(request: pytest.FixtureRequest) -> tuple[nn.Module, str]:
    build, reason = UNCOVERED[request.param]
    return perturbed(build()), reason


def assert_equals_naive(model: nn.Module, images: Tensor, labels: Tensor) -> None:
    gradients = reference.gradients(model, images, labels)
    expected = reference.susceptibilities(model, images, labels)
    for order in (1, 2):
        result = sample_gradients(model, images, labels, order)
        logits = torch.cat([model(x.clone()[None]).detach() for x in images])
        assert relative_error(result.logits, logits) < 1e-12
        assert relative_error(result.losses, reference.losses(model, images, labels)) < 1e-12
        assert relative_error(result.squared_norms, gradients.square().sum(1)) < 1e-11
        inputs = reference.input_gradients(model, images, labels)
        assert relative_error(result.input_gradients, inputs) < 1e-11
    assert relative_error(result.susceptibilities, expected) < 1e-11

    for views in (1, 2):
        max_norm = float(reference.gradients(model, images, labels, views).norm(dim=1).median())
        clipped = clipped_gradient_sum(
            model, images, labels, max_norm, multiplicity=views, input_gradients=True
        )
        total = reference.clipped_sum(model, images, labels, max_norm, views)
        assert relative_error(flatten(clipped.sums), flatten(total)) < 1e-11
        assert relative_error(clipped.input_gradients, inputs) < 1e-11


def test_covered_models_equal_naive(covered: nn.Module, images: Tensor, labels: Tensor) -> None:
    assert covers(covered, images)
    assert_equals_naive(covered, images, labels)


def test_uncovered_models_equal_naive_and_say_why(
    uncovered: tuple[nn.Module, str],
    images: Tensor,
    labels: Tensor,
    caplog: pytest.LogCaptureFixture,
) -> None:
    model, reason = uncovered
    with caplog.at_level(logging.WARNING, logger="gradval"):
        assert choose_way(model, images, 1) == choose_way(model, images, 2) == "vmap"
    (record,) = caplog.records
    assert reason in record.getMessage() and "torch.func.vmap" in record.getMessage()
    assert_equals_naive(model, images, labels)
    assert len(caplog.records) == 1, "the reason is logged once a model"


def test_fallback_in_chunks_equals_naive(
    images: Tensor, labels: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gradval.ghost.vmapped.CHUNK_BYTES", 1)
    assert_equals_naive(perturbed(OwnParameter()), images, labels)


def test_frozen_layers_do_not_count(images: Tensor, labels: Tensor) -> None:
    model = perturbed(torchvision_resnet(resnet.BasicBlock))
    for module in (model.conv1, model.layer1, model.layer2[1]):
        module.requires_grad_(False)
    assert covers(model, images)
    assert_equals_naive(model, images, labels)
    assert not any(
        name.startswith("layer1") for name in clipped_gradient_sum(model, images, labels, 1.0).sums
    )


def test_freezing_after_a_pass_is_noticed(images: Tensor, labels: Tensor) -> None:
    model = perturbed(OwnParameter())
    assert not covers(model, images)
    model.scale.requires_grad_(False)
    assert covers(model, images)
    assert_equals_naive(model, images, labels)


def test_a_first_dimension_that_happens_to_fit_the_batch_is_noticed(
    images: Tensor, labels: Tensor
) -> None:
    assert_equals_naive(perturbed(ThreeTokens()), images[:2], labels[:2])
    model, images, labels = perturbed(ThreeTokens()), images[:3], labels[:3]
    squares = reference.gradients(model, images, labels).square().sum(1)
    assert relative_error(sample_gradients(model, images, labels, 1).squared_norms, squares) < 1e-11


def test_a_rule_that_computes_something_else_than_its_layer_is_not_used(
    images: Tensor, labels: Tensor, caplog: pytest.LogCaptureFixture
) -> None:
    class Doubling(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:
            return 2 * super().forward(input)

    class LinearAsItWas(LayerRule):
        def run(self, layer: Doubling, inputs: Tensor) -> tuple[Tensor, Tensor]:
            return inputs, F.linear(inputs, layer.weight, layer.bias)

    register_layer_rule(Doubling, LinearAsItWas())
    # A head of zeros: the logits alone would not tell.
    model = nn.Sequential(nn.Flatten(), Doubling(192, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    nn.init.zeros_(model[3].weight)
    with caplog.at_level(logging.WARNING, logger="gradval"):
        assert choose_way(model, images, 1) == "vmap"
    assert "the rule of Doubling does not compute what '1' does" in caplog.text
    assert_equals_naive(perturbed(model), images, labels)


def test_a_rule_registered_after_a_pass_is_used(images: Tensor) -> None:
    class Scaling(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))

        def forward(self, x: Tensor) -> Tensor:
            return x * self.weight

    class ScalingRule(LayerRule):
        def per_sample_gradients(
            self, layer: Scaling, activation: Tensor, output_grad: Tensor, views: int = 1
        ) -> dict[str, Tensor]:
            return {"weight": (activation * output_grad).view(-1, views, 192).sum((1, 2))}

    model = nn.Sequential(nn.Flatten(), Scaling(), nn.Linear(192, 3)).double()
    assert not covers(model, images)
    register_layer_rule(Scaling, ScalingRule())
    assert covers(model, images)


def test_a_layer_that_takes_anothers_place_is_noticed_and_nothing_is_kept(images: Tensor) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 3)).double()
    assert covers(model, images)
    old = weakref.ref(model[0].weight)
    model[0] = OwnConv(3, 4, 3).double()
    gc.collect()
    assert old() is None
    assert not covers(model, images)
    model[0].weight = nn.Parameter(model[0].weight.detach().clone())
    known = weakref.ref(model)
    del model
    gc.collect()
    assert known() is None


def test_model_on_one_pixel_images(labels: Tensor) -> None:
    model = perturbed(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Flatten(), nn.Linear(8, 3)))
    images = torch.randn(4, 3, 1, 1, dtype=torch.float64)
    assert_equals_naive(model, images, labels)


def test_instance_norm_without_running_statistics_is_accepted(images: Tensor) -> None:
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.InstanceNorm2d(4), nn.Flatten(), nn.Linear(144, 3))
    assert covers(body.double(), images)


def test_model_without_trainable_parameters_is_refused(images: Tensor, labels: Tensor) -> None:
    model = perturbed(Residual()).requires_grad_(False)
    with pytest.raises(ValueError, match="no parameter that requires gradients"):
        sample_gradients(model, images, labels, order=1)


def test_input_modified_in_place_after_its_use_is_refused(images: Tensor, labels: Tensor) -> None:
    class Overwriting(DetachedInput):
        def forward(self, x: Tensor) -> Tensor:
            hidden = torch.cat([x, x])[: len(x)] * 1
            output = self.conv(hidden)
            hidden.zero_()
            return self.fc(output.mean((2, 3)))

    with pytest.raises(ValueError, match="input of a Conv2d layer is modified in place"):
        sample_gradients(perturbed(Overwriting()), images, labels, order=1)


def test_batch_that_leaves_the_first_dimension_later_is_refused(
    images: Tensor, labels: Tensor
) -> None:
    class Fickle(PatchesAsBatch):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) if len(x) > 3 else self.fc(self.conv(x).mean((2, 3)))

    with pytest.raises(ValueError, match="Conv2d layer has 8 rows for a batch of 4 samples"):
        sample_gradients(perturbed(Fickle()), images, labels, order=1)


def test_feature_maps_are_refused_as_logits(images: Tensor, labels: Tensor) -> None:
    model = nn.Conv2d(3, 4, 3).double()
    with pytest.raises(ValueError, match=r"logits of shape \(4, classes\), not \(4, 4, 6, 6\)"):
        sample_gradients(model, images, labels, order=1)


def test_fallback_draws_dropout_for_each_sample(labels: Tensor) -> None:
    model = nn.Sequential(nn.Flatten(), nn.PReLU(), nn.Dropout(), nn.Linear(192, 3)).double()
    images = torch.ones(4, 3, 8, 8, dtype=torch.float64)
    losses = clipped_gradient_sum(model, images, torch.zeros_like(labels), 1.0).losses
    assert len(losses.unique()) == 4


@pytest.mark.parametrize(("label", "order"), [(-100, 0), (-1, 1), (3, 0), (3, 1), (7, 2)])
@pytest.mark.parametrize("build", [Residual, OwnParameter])
def test_labels_outside_the_classes_are_refused(
    build: type[nn.Module], images: Tensor, label: int, order: int
) -> None:
    labels = torch.tensor([0, 1, label, 2])
    expected = rf"label of sample 2 is {label}, but the model has 3 classes"
    with pytest.raises(ValueError, match=expected):
        sample_gradients(perturbed(build()), images, labels, order)
    with pytest.raises(ValueError, match=expected):
        clipped_gradient_sum(perturbed(build()), images, labels, 1.0)


class TestStateIsLeftAlone:
    """Whatever happens, a pass leaves no trace in the model or the random state."""

    @pytest.fixture(params=[Residual, OwnParameter, Repeated])
    def model(self, request: pytest.FixtureRequest) -> Iterator[nn.Module]:
        model = perturbed(request.param())
        next(model.parameters()).requires_grad_(False)
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, 0.5)
        model.fc.eval()
        weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        flags = [p.requires_grad for p in model.parameters()]
        training = [m.training for m in model.modules()]
        attributes = [set(m.__dict__) for m in model.modules()]
        state = torch.get_rng_state()
        yield model
        assert torch.equal(torch.get_rng_state(), state)
        assert [set(m.__dict__) for m in model.modules()] == attributes
        assert [m.training for m in model.modules()] == training
        assert [p.requires_grad for p in model.parameters()] == flags
        assert all((p.grad == 0.5).all() for p in model.parameters())
        for name, tensor in model.state_dict().items():
            assert torch.equal(tensor, weights[name])

    def test_after_passes(self, model: nn.Module, images: Tensor, labels: Tensor) -> None:
        for order in (0, 1, 2):
            sample_gradients(model, images, labels, order)
        clipped_gradient_sum(model, images, labels, 1.0)
        assert not images.requires_grad and images.grad is None

    def test_after_an_error(self, model: nn.Module, images: Tensor, labels: Tensor) -> None:
        with pytest.raises(ValueError):
            sample_gradients(model, images, labels + 5, order=2)
        with pytest.raises(
            ValueError, match=r"Conv2d\) cannot be run on images of shape \(2, 8, 8\)"
        ):
            clipped_gradient_sum(model, images[:, :2], labels, 1.0)

    def test_after_an_interrupt(self, model: nn.Module) -> None:
        with pytest.raises(KeyboardInterrupt), LayerTape(model):
            raise KeyboardInterrupt


def test_probing_does_not_shift_dropout(images: Tensor, labels: Tensor) -> None:
    """A resumed run probes at another step; its random numbers must not depend on that."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.Dropout(), nn.Linear(8, 3)).double()
    torch.manual_seed(1)
    first = clipped_gradient_sum(model, images, labels, 1.0)
    torch.manual_seed(1)
    again = clipped_gradient_sum(model, images, labels, 1.0)
    assert torch.equal(first.losses, again.losses)
    assert not torch.equal(clipped_gradient_sum(model, images, labels, 1.0).losses, first.losses)


def test_an_optimiser_step_works_between_passes(images: Tensor, labels: Tensor) -> None:
    model = perturbed(Residual())
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        expected = reference.clipped_sum(model, images, labels, 0.5)
        sums = clipped_gradient_sum(model, images, labels, 0.5).sums
        assert relative_error(flatten(sums), flatten(expected)) < 1e-12
        for name, parameter in model.named_parameters():
            parameter.grad = sums[name]
        optimiser.step()
        optimiser.zero_grad()
