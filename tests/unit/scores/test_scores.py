"""All scores: closed forms, naive loops, invariances, refusals, and what scoring leaves behind."""

from collections.abc import Callable, Iterator

import pytest
import reference
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gradval.scores import (
    gradient_norm_scores,
    loss_scores,
    plis_scores,
    score_samples,
    vog_scores,
)
from gradval.scores.batching import choose_batch_size
from gradval.scores.compute import compute_scores
from gradval.scores.registry import Score, ScoreOptions

CLASSES, SAMPLES = 4, 7

ScoreCall = Callable[..., Tensor]


def softmax_regression() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 4, CLASSES))


def small_net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.GroupNorm(2, 6),
        nn.ReLU(inplace=True),
        nn.Dropout(),
        nn.Conv2d(6, 8, 3, stride=2, bias=False),
        nn.Softplus(),
        nn.Flatten(),
        nn.Linear(8, CLASSES),
    )


def build(make: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = make().double().eval()
        for parameter in model.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
        return model


@pytest.fixture(params=[softmax_regression, small_net])
def model(request: pytest.FixtureRequest) -> nn.Module:
    return build(request.param)


@pytest.fixture
def checkpoints() -> list[nn.Module]:
    return [build(small_net, seed) for seed in (1, 2, 3)]


@pytest.fixture
def images() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(SAMPLES, 3, 4, 4, dtype=torch.float64, generator=generator)


@pytest.fixture
def labels() -> Tensor:
    return torch.arange(SAMPLES) % CLASSES


def vog_of_one(model: nn.Module, images: Tensor, labels: Tensor, **options: object) -> Tensor:
    """VoG as a function of one model, for tests that treat all scores alike."""
    partner = build(small_net, 5).to(next(model.parameters()).dtype)
    return vog_scores([model, partner], images, labels, **options)


ALL: list[ScoreCall] = [loss_scores, gradient_norm_scores, plis_scores, vog_of_one]


class Lazy:
    """Images that exist only when sliced, as those of a store do."""

    def __init__(self, images: Tensor) -> None:
        self.images = images
        self.most = 0

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: slice) -> Tensor:
        part = self.images[index].clone()
        self.most = max(self.most, len(part))
        return part


class TestSoftmaxRegression:
    """With logits W x + b, every score has a closed form."""

    @pytest.fixture
    def model(self) -> nn.Module:
        return build(softmax_regression)

    @pytest.fixture
    def residuals(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """p - y, the gradient with respect to the logits."""
        with torch.no_grad():
            return model(images).softmax(1) - F.one_hot(labels, CLASSES)

    def test_loss(self, model: nn.Module, images: Tensor, labels: Tensor) -> None:
        with torch.no_grad():
            expected = -model(images).softmax(1)[torch.arange(SAMPLES), labels].log()
        assert torch.allclose(loss_scores(model, images, labels), expected, rtol=1e-13)

    def test_gradient_norm(
        self, model: nn.Module, images: Tensor, labels: Tensor, residuals: Tensor
    ) -> None:
        expected = (residuals.square().sum(1) * (images.flatten(1).square().sum(1) + 1)).sqrt()
        assert torch.allclose(gradient_norm_scores(model, images, labels), expected, rtol=1e-13)

    def test_plis(
        self, model: nn.Module, images: Tensor, labels: Tensor, residuals: Tensor
    ) -> None:
        # grad ||r||^2 (||x||^2 + 1) = 2 (||x||^2 + 1) W^T (diag p - p p^T) r + 2 ||r||^2 x
        weight = model[1].weight.detach()
        p = residuals + F.one_hot(labels, CLASSES)
        x = images.flatten(1)
        curvature = p * residuals - p * (p * residuals).sum(1, keepdim=True)
        jacobian = 2 * (x.square().sum(1, keepdim=True) + 1) * (curvature @ weight)
        jacobian += 2 * residuals.square().sum(1, keepdim=True) * x
        for sigma in (1.0, 0.3, 5.0):
            expected = jacobian.norm(dim=1) / sigma**2
            actual = plis_scores(model, images, labels, sigma)
            assert torch.allclose(actual, expected, rtol=1e-12)


def test_scores_equal_naive_loops(
    model: nn.Module, checkpoints: list[nn.Module], images: Tensor, labels: Tensor
) -> None:
    expected = {
        "loss": reference.losses(model, images, labels),
        "grad_norm": reference.gradients(model, images, labels).norm(dim=1),
        "vog": reference.vog(checkpoints, images, labels),
        "plis": reference.plis(model, images, labels, 0.7),
    }
    actual = score_samples(model, checkpoints, images, labels, sigma=0.7)
    assert list(actual) == ["loss", "grad_norm", "vog", "plis"]
    for name, values in expected.items():
        assert torch.allclose(actual[name], values, rtol=1e-10, atol=0), name


def test_one_by_one_equals_all_at_once(
    model: nn.Module, checkpoints: list[nn.Module], images: Tensor, labels: Tensor
) -> None:
    together = score_samples(model, checkpoints, images, labels, sigma=2.0)
    alone = {
        "loss": loss_scores(model, images, labels),
        "grad_norm": gradient_norm_scores(model, images, labels),
        "vog": vog_scores(checkpoints, images, labels),
        "plis": plis_scores(model, images, labels, sigma=2.0),
    }
    for name, values in alone.items():
        assert torch.allclose(together[name], values, rtol=1e-12, atol=0), name


def test_loss_norm_and_plis_share_one_pass(
    model: nn.Module, images: Tensor, labels: Tensor
) -> None:
    calls = []
    model.register_forward_hook(lambda *_: calls.append(1))
    # The trial runs of the first time are remembered.
    score_samples(model, (), images, labels, ("plis",), batch_size=2)
    calls.clear()
    score_samples(model, (), images, labels, ("plis",), batch_size=2)
    alone = len(calls)
    calls.clear()
    score_samples(model, (), images, labels, ("loss", "grad_norm", "plis"), batch_size=2)
    assert len(calls) == alone


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 100])
def test_batch_size_changes_nothing(
    model: nn.Module,
    checkpoints: list[nn.Module],
    images: Tensor,
    labels: Tensor,
    batch_size: int,
) -> None:
    expected = score_samples(model, checkpoints, images, labels)
    actual = score_samples(model, checkpoints, images, labels, batch_size=batch_size)
    for name, values in expected.items():
        assert torch.allclose(actual[name], values, rtol=1e-11, atol=0), name


def test_order_of_the_samples_changes_nothing(
    model: nn.Module, checkpoints: list[nn.Module], images: Tensor, labels: Tensor
) -> None:
    order = torch.tensor([3, 6, 0, 2, 5, 1, 4])
    expected = score_samples(model, checkpoints, images, labels)
    actual = score_samples(model, checkpoints, images[order], labels[order], batch_size=3)
    for name, values in expected.items():
        assert torch.allclose(actual[name], values[order], rtol=1e-11, atol=0), name


def test_plis_equals_finite_differences(images: Tensor, labels: Tensor) -> None:
    """On a smooth model, the gradient of the squared norm by central differences."""
    model = build(
        lambda: nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1, stride=2),
            nn.GroupNorm(2, 4),
            nn.Softplus(),
            nn.Flatten(),
            nn.Linear(16, CLASSES),
        )
    )
    x, y, step = images[:1], labels[:1], 1e-5
    differences = []
    for pixel in range(x.numel()):
        shift = torch.zeros(x.numel()).double()
        shift[pixel] = step
        shift = shift.view_as(x)
        up, down = (gradient_norm_scores(model, x + s, y).square() for s in (shift, -shift))
        differences.append((up - down) / (2 * step))
    expected = torch.cat(differences).norm()
    assert float(plis_scores(model, x, y)) == pytest.approx(float(expected), rel=1e-7)


@pytest.mark.parametrize("score", ALL)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_result_has_the_dtype_of_the_model(
    score: ScoreCall, images: Tensor, labels: Tensor, dtype: torch.dtype
) -> None:
    model = build(small_net).to(dtype)
    for given in (images.float(), images.double()):
        result = score(model, given, labels)
        assert result.dtype == dtype and result.device.type == "cpu"
        assert result.shape == (SAMPLES,) and not result.requires_grad
    # Float32 images lose nothing that matters.
    assert torch.allclose(score(model, images, labels), result, rtol=1e-3)


@pytest.mark.parametrize("score", ALL)
def test_images_may_be_loaded_when_needed(
    score: ScoreCall, model: nn.Module, images: Tensor, labels: Tensor
) -> None:
    lazy = Lazy(images)
    assert torch.equal(
        score(model, lazy, labels, batch_size=2), score(model, images, labels, batch_size=2)
    )
    assert lazy.most == 2


@pytest.mark.parametrize("score", ALL)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32])
def test_labels_may_be_integers_of_any_kind(
    score: ScoreCall, model: nn.Module, images: Tensor, labels: Tensor, dtype: torch.dtype
) -> None:
    expected = score(model, images, labels)
    assert torch.equal(score(model, images, labels.to(dtype)), expected)


@pytest.mark.parametrize("score", ALL)
def test_no_samples_have_no_scores(score: ScoreCall, model: nn.Module, images: Tensor) -> None:
    result = score(model, images[:0], torch.empty(0, dtype=torch.int64))
    assert result.shape == (0,) and result.dtype == torch.float64


@pytest.mark.parametrize("score", ALL)
def test_scoring_is_in_evaluation_mode(score: ScoreCall, images: Tensor, labels: Tensor) -> None:
    model = build(small_net)
    expected = score(model, images, labels)
    assert torch.equal(score(model.train(), images, labels), expected)


@pytest.mark.parametrize("score", ALL)
class TestStateIsLeftAlone:
    @pytest.fixture
    def watched(self) -> Iterator[nn.Module]:
        """A model of mixed flags that must be just the same afterwards."""
        model = build(small_net).train()
        model[1].eval()
        model[0].weight.requires_grad_(False)
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, 0.5)
        training = [m.training for m in model.modules()]
        flags = [p.requires_grad for p in model.parameters()]
        weights = [p.detach().clone() for p in model.parameters()]
        attributes = [set(m.__dict__) for m in model.modules()]
        state = torch.get_rng_state()
        yield model
        assert torch.equal(torch.get_rng_state(), state)
        assert [m.training for m in model.modules()] == training
        assert [p.requires_grad for p in model.parameters()] == flags
        assert [set(m.__dict__) for m in model.modules()] == attributes
        assert all((p.grad == 0.5).all() for p in model.parameters())
        assert all(map(torch.equal, model.parameters(), weights))

    def test_after_scoring(
        self, score: ScoreCall, watched: nn.Module, images: Tensor, labels: Tensor
    ) -> None:
        score(watched, images, labels)
        assert not images.requires_grad

    def test_after_a_failure_half_way(
        self, score: ScoreCall, watched: nn.Module, images: Tensor, labels: Tensor
    ) -> None:
        images[5] = torch.inf
        with pytest.raises(ValueError, match="image 5"):
            score(watched, images, labels, batch_size=2)


@pytest.mark.parametrize("score", ALL)
class TestRefusals:
    def test_batch_norm_without_running_statistics(
        self, score: ScoreCall, images: Tensor, labels: Tensor
    ) -> None:
        norm = nn.BatchNorm2d(3, track_running_stats=False)
        model = nn.Sequential(norm, nn.Flatten(), nn.Linear(48, CLASSES)).double()
        for given in (images, images[:0]):
            with pytest.raises(ValueError, match="BatchNorm2d"):
                score(model, given, labels[: len(given)])

    @pytest.mark.parametrize("label", [-100, -1, CLASSES])
    def test_label_outside_the_classes(
        self, score: ScoreCall, model: nn.Module, images: Tensor, labels: Tensor, label: int
    ) -> None:
        labels[6] = label
        with pytest.raises(ValueError, match=f"label of sample 6 is {label}, .* 4 classes"):
            score(model, images, labels, batch_size=2)

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
    def test_images_that_are_not_finite(
        self, score: ScoreCall, model: nn.Module, images: Tensor, labels: Tensor, value: float
    ) -> None:
        images[4, 2, 3, 3] = images[6, 0, 0, 0] = value
        with pytest.raises(ValueError, match="image 4 has pixels that are NaN or infinite"):
            score(model, images, labels, batch_size=3)

    def test_lengths_that_differ(
        self, score: ScoreCall, model: nn.Module, images: Tensor, labels: Tensor
    ) -> None:
        with pytest.raises(ValueError, match="7 images, but 6 labels"):
            score(model, images, labels[:6])

    def test_images_of_another_shape_or_type(
        self, score: ScoreCall, model: nn.Module, images: Tensor, labels: Tensor
    ) -> None:
        for wrong in (images[:, 0], (images * 9).to(torch.uint8), images.flatten(1)):
            with pytest.raises(ValueError, match=r"images must be a floating tensor of shape"):
                score(model, wrong, labels)
        with pytest.raises(ValueError, match=r"not ndarray"):
            score(model, images.numpy(), labels)

    def test_labels_of_another_shape_or_type(
        self, score: ScoreCall, model: nn.Module, images: Tensor, labels: Tensor
    ) -> None:
        for wrong in (labels.double(), labels[:, None], labels > 0, labels.tolist()):
            with pytest.raises(ValueError, match="labels must be an integer tensor"):
                score(model, images, wrong)

    def test_scores_that_are_not_finite(
        self, score: ScoreCall, model: nn.Module, images: Tensor, labels: Tensor
    ) -> None:
        images[5] = 1e200
        with pytest.raises(ValueError, match="logits of sample 5 are not finite"):
            score(
                build(lambda: nn.Sequential(Cube(), softmax_regression())),
                images,
                labels,
                batch_size=2,
            )

    def test_diverged_weights(
        self, score: ScoreCall, model: nn.Module, images: Tensor, labels: Tensor
    ) -> None:
        next(model.parameters()).data.fill_(float("nan"))
        with pytest.raises(ValueError, match="logits of sample 0 are not finite"):
            score(model, images, labels)

    @pytest.mark.parametrize("batch_size", [0, -1])
    def test_batch_size(
        self, score: ScoreCall, model: nn.Module, images: Tensor, labels: Tensor, batch_size: int
    ) -> None:
        with pytest.raises(ValueError, match="batch_size is"):
            score(model, images, labels, batch_size=batch_size)


class Cube(nn.Module):
    """Overflows for large pixels."""

    def forward(self, x: Tensor) -> Tensor:
        return x**3


@pytest.mark.parametrize("sigma", [0.0, -1.0, float("nan"), float("inf")])
def test_sigma_must_be_positive(
    model: nn.Module, images: Tensor, labels: Tensor, sigma: float
) -> None:
    with pytest.raises(ValueError, match="sigma is"):
        plis_scores(model, images, labels, sigma)


@pytest.mark.parametrize("score", ALL)
@pytest.mark.parametrize("batch_size", [None, 3])
def test_models_that_begin_in_place_leave_the_images_alone(
    score: ScoreCall, images: Tensor, labels: Tensor, batch_size: int | None
) -> None:
    in_place, plain = (
        build(lambda i=i: nn.Sequential(nn.ReLU(inplace=i), *small_net())) for i in (True, False)
    )
    before = images.clone()
    scores = score(in_place, images, labels, batch_size=batch_size)
    assert torch.equal(images, before)
    assert torch.allclose(scores, score(plain, images, labels), rtol=1e-12)


def test_images_that_no_gradient_reaches_have_no_vog_and_no_plis(
    images: Tensor, labels: Tensor
) -> None:
    class Detached(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.detach())

    models = [build(lambda: Detached(*softmax_regression()), seed) for seed in (0, 1)]
    for target in ("loss", "logit"):
        assert (vog_scores(models, images, labels, target=target) == 0).all()
    assert (plis_scores(models[0], images, labels) == 0).all()


@pytest.mark.parametrize("margin", [5.0, 15.0, 25.0, 35.0])
def test_confident_samples_have_scores_in_float32(
    images: Tensor, labels: Tensor, margin: float
) -> None:
    model = build(small_net)
    with torch.no_grad():
        logits = model(images)
        labels = logits.argmax(1)
        two = logits.topk(2).values
        for parameter in model[-1].parameters():
            parameter *= margin / float((two[:, 0] - two[:, 1]).max())
    names = ("loss", "grad_norm", "plis")
    expected = score_samples(model, (), images, labels, names)
    found = score_samples(model.float(), (), images.float(), labels, names)
    for name in names:
        assert torch.allclose(found[name].double(), expected[name], rtol=1e-3), name


def test_frozen_models_have_no_gradient_norm(images: Tensor, labels: Tensor) -> None:
    model = build(small_net).requires_grad_(False)
    assert loss_scores(model, images, labels).isfinite().all()
    for score in (gradient_norm_scores, plis_scores):
        with pytest.raises(ValueError, match="no parameter that requires gradients"):
            score(model, images, labels)


def computed(function: Callable, order: int, images: Tensor, labels: Tensor) -> Tensor:
    """A new score of a small model."""
    return compute_scores(
        {"new": Score(function, order)},
        build(small_net),
        (),
        images,
        labels,
        options={"new": ScoreOptions()},
        sigma=1.0,
        batch_size=3,
        progress=False,
    )["new"]


def test_a_new_score_is_one_function(images: Tensor, labels: Tensor) -> None:
    found = computed(lambda c, _: c.input_gradients.flatten(1).norm(dim=1), 1, images, labels)
    expected = reference.input_gradients(build(small_net), images, labels).flatten(1).norm(dim=1)
    assert torch.allclose(found, expected, rtol=1e-10)


def test_too_low_an_order_is_noticed(images: Tensor, labels: Tensor) -> None:
    with pytest.raises(ValueError, match="declare the score with order=2"):
        computed(lambda context, _: context.susceptibilities, 1, images, labels)


def test_a_score_that_is_not_finite_is_refused(images: Tensor, labels: Tensor) -> None:
    with pytest.raises(ValueError, match="score 'new' of sample 2 is inf"):
        computed(lambda c, _: c.losses / (c.labels - 2).abs(), 0, images, labels)


def test_one_number_a_sample_is_asked_for(images: Tensor, labels: Tensor) -> None:
    with pytest.raises(ValueError, match=r"'new' of 3 samples has shape \(\), not \(3,\)"):
        computed(lambda context, _: context.losses.mean(), 0, images, labels)


def test_unknown_names_and_options_are_refused(images: Tensor, labels: Tensor) -> None:
    model = build(small_net)
    with pytest.raises(ValueError, match=r"'el2m'; .*known are loss, .* and your own"):
        score_samples(model, (), images, labels, ("loss", "el2m"))
    with pytest.raises(ValueError, match="options of 'vog', which is not among the scores"):
        score_samples(model, (), images, labels, ("loss",), options={"vog": {"target": "logit"}})
    with pytest.raises(ValueError, match="'loss' and 'loss' have the same name"):
        score_samples(model, (), images, labels, ("loss", "loss"))


class TestAutomaticBatchSize:
    @pytest.mark.parametrize(("saved", "most"), [(1, 256), (2**18, 128), (2**19, 64), (2**20, 64)])
    def test_small_images_come_in_larger_batches(
        self, saved: int, most: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gradval.scores.batching.saved_bytes", lambda *_: saved)
        monkeypatch.setattr("gradval.scores.batching._budget", lambda _: 2.0**40)
        assert choose_batch_size(nn.Identity(), torch.zeros(1, 3, 4, 4), order=2) == most

    def test_shrinks_with_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        image = torch.zeros(1, 3, 4, 4).double()
        sizes = []
        for budget in (1, 5e4, 1e5):
            monkeypatch.setattr("gradval.scores.batching.CPU_BUDGET_BYTES", budget)
            sizes.append([choose_batch_size(build(small_net), image, o) for o in (0, 1, 2)])
        assert sizes[0] == [1, 1, 1]
        assert all(a >= b >= c for a, b, c in sizes)
        assert 1 < sizes[1][2] < sizes[2][2] < 64
