"""Scores for comparison: each against its definition, one sample and checkpoint at a time."""

import numpy as np
import pytest
import reference
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gradval.scores import score_samples
from gradval.scores.brightness import brightness_of
from gradval.scores.checkpoint_passes import positions
from gradval.scores.contrast import contrast_of
from gradval.scores.edge_density import edge_density_of
from gradval.scores.registry import options_of
from gradval.scores.run_facts import with_facts
from gradval.training.learning_rates import mean_learning_rates
from gradval.training.recipe import Recipe

CLASSES, SAMPLES = 3, 6


def build(seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1),
            nn.GroupNorm(2, 4),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(64, CLASSES),
        ).double()


@pytest.fixture(scope="module")
def models() -> list[nn.Module]:
    return [build(seed).eval() for seed in range(4)]


@pytest.fixture(scope="module")
def samples() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(SAMPLES, 3, 4, 4, dtype=torch.float64, generator=generator)
    return images, torch.arange(SAMPLES) % CLASSES


def score(models, samples, name: str, **options) -> Tensor:
    return score_samples(
        models[-1], models, *samples, (name,), options={name: options}, batch_size=4
    )[name]


def error_norm(model: nn.Module, image: Tensor, label: Tensor) -> float:
    with torch.no_grad():
        return float((model(image[None])[0].softmax(0) - F.one_hot(label, CLASSES)).norm())


def norms(models, samples) -> Tensor:
    """Gradient norms, checkpoints by samples."""
    return torch.stack([reference.gradients(model, *samples).norm(dim=1) for model in models])


@pytest.mark.parametrize(
    ("which", "chosen"),
    [("first", [0]), ("early", [0, 1]), ("late", [2, 3]), ("last", [3]), ("all", [0, 1, 2, 3])],
)
def test_el2n_and_grand_are_means_over_the_chosen_checkpoints(models, samples, which, chosen):
    errors = [
        np.mean([error_norm(models[k], x, y) for k in chosen])
        for x, y in zip(*samples, strict=True)
    ]
    found = score(models, samples, "el2n", checkpoints=which)
    np.testing.assert_allclose(found, errors, rtol=1e-12)
    found = score(models, samples, "grand", checkpoints=which)
    torch.testing.assert_close(found, norms(models, samples)[chosen].mean(0), rtol=1e-10, atol=0)


def test_both_are_early_scores_unless_told_otherwise(models, samples):
    for name in ("el2n", "grand"):
        alone = score(models[:1], samples, name)
        assert torch.equal(score(models, samples, name), alone)


def test_el2n_keeps_the_digits_of_confident_samples():
    model = nn.Sequential(nn.Flatten(), nn.Linear(1, 2, bias=False))
    model[1].weight.data = torch.tensor([[30.0], [0.0]])
    image, label = torch.ones(1, 1, 1, 1), torch.tensor([0])
    found = score([model], (image, label), "el2n")
    assert float(found) == pytest.approx(2**0.5 * np.exp(-30.0), rel=1e-5)


def test_tracin_weighs_squared_norms_by_learning_rates(models, samples):
    squares = norms(models, samples).square()
    rates = [0.4, 0.3, 0.2, 0.1]
    expected = (torch.tensor(rates, dtype=torch.float64)[:, None] * squares).sum(0)
    found = score(models, samples, "tracin", learning_rates=rates)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=0)
    late = score(models, samples, "tracin", learning_rates=rates, checkpoints="late")
    torch.testing.assert_close(late, 0.2 * squares[2] + 0.1 * squares[3], rtol=1e-10, atol=0)
    found = score(models, samples, "tracin")
    torch.testing.assert_close(found, squares.sum(0), rtol=1e-10, atol=0)
    with pytest.raises(ValueError, match=r"tracin.learning_rates: 2 are given for 4 checkpoints"):
        score(models, samples, "tracin", learning_rates=[0.1, 0.2])


class Answers(nn.Module):
    """Answers sample i, whose only pixel is i, with the i-th of its classes."""

    def __init__(self, classes: list[int]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.classes = torch.tensor(classes)

    def forward(self, images: Tensor) -> Tensor:
        index = images.flatten(1)[:, 0].round().long()
        return self.weight * F.one_hot(self.classes[index], 2).float() + 0 * images.sum()


def test_forgetting_counts_right_then_wrong_and_puts_what_was_never_learnt_on_top():
    # Right at checkpoint 1, 2, 3, 4 (label 1): never forgotten; once; twice; late; never.
    right = [[1, 1, 1, 1], [1, 0, 0, 1], [1, 0, 1, 0], [0, 0, 1, 1], [0, 0, 0, 0]]
    models = [Answers([row[k] for row in right]) for k in range(4)]
    images = torch.arange(5.0).reshape(5, 1, 1, 1)
    labels = torch.ones(5, dtype=torch.int64)
    found = score(models, (images, labels), "forgetting")
    assert found.tolist() == [0, 1, 2, 0, 4]
    with pytest.raises(ValueError, match="forgetting needs at least 2 checkpoints, but there are"):
        score(models[:1], (images, labels), "forgetting")


def test_several_scores_together_are_what_each_is_alone_and_share_passes(models, samples):
    loads = []

    class Counted(list):
        def __iter__(self):
            for model in super().__iter__():
                loads.append(model)
                yield model

    names = ("el2n", "grand", "forgetting", "tracin", "vog_window", "vog")
    together = score_samples(models[-1], Counted(models), *samples, names, batch_size=SAMPLES)
    # Two for the check of distinct modules, one sweep for the passes, one for each kind of VoG; of
    # el2n's own sweep, the first, only the first checkpoint.
    assert len(loads) <= 2 + 4 + 4 + 1 + 4 + 4
    for name in names:
        torch.testing.assert_close(together[name], score(models, samples, name), rtol=1e-9, atol=0)


@pytest.mark.parametrize("target", ["loss", "logit"])
@pytest.mark.parametrize("statistic", ["printed", "std"])
def test_vog_over_a_window_is_vog_of_those_checkpoints(models, samples, target, statistic):
    options = {"target": target, "statistic": statistic}
    for which, chosen in (
        ("all", [0, 1, 2, 3]),
        ("late", [2, 3]),
        (3, [0, 2, 3]),
        ([0, 3], [0, 3]),
    ):
        found = score(models, samples, "vog_window", checkpoints=which, **options)
        some = [models[k] for k in chosen]
        assert torch.equal(found, score(some, samples, "vog", **options))


def test_which_checkpoints_in_one_line():
    assert positions("early", 5, "x") == (0, 1, 2) and positions("late", 5, "x") == (2, 3, 4)
    assert positions(3, 5, "x") == (0, 2, 4) and positions(1, 5, "x") == (4,)
    assert options_of("el2n", {"checkpoints": [2, 0, 2]}).checkpoints == [0, 2]
    for given in ("middle", 0, True, [], [-1], [0.5]):
        with pytest.raises(
            ValueError, match=r"^el2n.checkpoints: .* is not allowed: must be first"
        ):
            options_of("el2n", {"checkpoints": given})
    with pytest.raises(ValueError, match="el2n: checkpoint 5 is chosen, but there are 0 to 4"):
        positions([5], 5, "el2n")
    with pytest.raises(ValueError, match="vog_window: 9 checkpoints are chosen, but there are 5"):
        positions(9, 5, "vog_window")
    with pytest.raises(ValueError, match="el2n needs at least 1 checkpoint, but there are none"):
        positions("first", 0, "el2n")


def naive_sobel(grey: np.ndarray) -> np.ndarray:
    """Magnitude of both derivatives, edges repeated, of a 2-D image."""
    padded = np.pad(grey, 1, mode="symmetric")
    smooth = np.array([1, 2, 1]) / 4
    kernel = np.outer([1, 0, -1], smooth)
    found = np.zeros_like(grey)
    for i, j in np.ndindex(grey.shape):
        window = padded[i : i + 3, j : j + 3]
        found[i, j] = np.hypot((window * kernel).sum(), (window * kernel.T).sum()) / 2**0.5
    return found


def test_image_statistics_one_image_at_a_time():
    pixels = np.random.default_rng(0).random((4, 3, 6, 5))
    for image, bright, contrast, edges in zip(
        pixels,
        brightness_of(pixels),
        contrast_of(pixels),
        edge_density_of(pixels, 0.2),
        strict=True,
    ):
        grey = 0.2125 * image[0] + 0.7154 * image[1] + 0.0721 * image[2]
        assert bright == pytest.approx(grey.mean()) and contrast == pytest.approx(grey.std())
        assert edges == (naive_sobel(grey) > 0.2).mean()
    flat = np.full((1, 1, 6, 5), 0.3)
    found = [function(flat)[0] for function in (brightness_of, contrast_of, edge_density_of)]
    assert found == pytest.approx([0.3, 0, 0])


def test_image_statistics_are_of_the_pixels_whatever_the_normalisation(models):
    mean, std = [0.1, 0.2, 0.3], [0.5, 0.25, 0.125]
    pixels = torch.rand(SAMPLES, 3, 4, 4, dtype=torch.float64)
    shaped = [torch.tensor(v, dtype=torch.float64).reshape(1, 3, 1, 1) for v in (mean, std)]
    samples = ((pixels - shaped[0]) / shaped[1], torch.arange(SAMPLES) % CLASSES)
    for name, function in (("brightness", brightness_of), ("contrast", contrast_of)):
        options = with_facts(options_of(name), {"mean": mean, "std": std, "learning_rates": [1]})
        found = score(models, samples, name, **options.model_dump())
        np.testing.assert_allclose(found, function(pixels.numpy()), rtol=1e-9)
        raw = score(models, (pixels, samples[1]), name)
        np.testing.assert_allclose(raw, function(pixels.numpy()), rtol=1e-9)
    with pytest.raises(ValueError, match="mean has 1 numbers for images of 3 channels; give one a"):
        score(models, samples, "brightness", mean=[0.5])


def test_facts_fill_what_is_open_and_nothing_else():
    facts = {"learning_rates": [0.1, 0.2], "mean": [0.5]}
    assert with_facts(options_of("tracin"), facts).learning_rates == [0.1, 0.2]
    given = options_of("tracin", {"learning_rates": [1.0]})
    assert with_facts(given, facts) == given
    assert with_facts(options_of("vog"), facts) == options_of("vog")


def test_learning_rates_are_means_of_the_steps_that_led_to_each_checkpoint():
    recipe = Recipe.from_config(
        {
            **{"epochs": 1, "first_epochs": 1, "second_epochs": 1, "batch_size": 8},
            **{"physical_batch_size": 8, "learning_rate": 0.4, "schedule": "cosine"},
            **{"warmup": 0.2, "momentum": 0.9, "weight_decay": 0.0, "ema_decay": 0.0},
            **{"clipping_norm": 1.0, "clipping": "bookkeeping", "checkpoints": 2},
        }
    )
    rates = [recipe.learning_rate_at(step, 10) for step in range(10)]
    expected = [np.mean(rates[:4]), np.mean(rates[4:])]
    assert mean_learning_rates(recipe, [4, 10]) == pytest.approx(expected)
