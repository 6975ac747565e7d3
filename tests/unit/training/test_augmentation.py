"""Augmented views: what they are, that they are averaged before clipping, and resumed exactly."""

import pytest
import reference
import torch
from reference import seeded_noise
from test_training import OPTIONS, assert_same, run_until, tiny_data, tiny_model, trainer
from torch import Tensor
from torch.nn import functional as F

from gradval.privacy.plan import PhasePlan
from gradval.training.augmentation import Augmentation
from gradval.training.recipe import Recipe
from gradval.training.steps import PRIVATE_STEPS, NonPrivateStep, Step

FLIP_CROP = {"augmentation": "flip-crop", "multiplicity": 3}
AVERAGING = [name for name, kind in PRIVATE_STEPS.items() if kind.averages_views]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def views_of(kind: str, images: Tensor, multiplicity: int = 1, seed: int = 0) -> Tensor:
    augmentation = Augmentation(kind, multiplicity)
    return augmentation.views(images, augmentation.draw(len(images), generator(seed)))


def possible_views(image: Tensor, margin: int) -> list[Tensor]:
    """Every view of one image by padding, cropping and flipping it."""
    size = image.shape[1]
    padded = F.pad(image[None], (margin,) * 4, mode="reflect")[0]
    crops = [
        padded[:, top : top + size, left : left + size]
        for top in range(2 * margin + 1)
        for left in range(2 * margin + 1)
    ]
    return crops + [crop.flip(2) for crop in crops]


@pytest.mark.parametrize(("kind", "margin"), [("flip", 0), ("flip-crop", 2)])
def test_views_are_the_possible_ones_equally_often(kind: str, margin: int) -> None:
    images = torch.randn(2, 3, 16, 16)
    views = views_of(kind, images, 2000).unflatten(0, (2, 2000))
    for image, seen in zip(images, views, strict=True):
        possible = possible_views(image, margin)
        counts = [int((seen == view).all((1, 2, 3)).sum()) for view in possible]
        assert sum(counts) == 2000
        mean = 2000 / len(possible)
        # Chi-squared: its mean is about the number of views, its variance twice that.
        statistic = sum((count - mean) ** 2 / mean for count in counts)
        assert statistic < len(possible) + 5 * (2 * len(possible)) ** 0.5


def test_every_view_draws_for_itself() -> None:
    views = views_of("flip-crop", torch.randn(4, 1, 32, 32), 5).unflatten(0, (4, 5))
    differing = [len(sample.flatten(1).unique(dim=0)) for sample in views]
    assert sum(differing) > 15
    again = views_of("flip-crop", torch.arange(2.0)[:, None, None, None].expand(2, 3, 8, 8), 3)
    # Consecutive views belong to one sample.
    assert again[:, 0, 0, 0].tolist() == [0, 0, 0, 1, 1, 1]


def test_without_augmentation_images_are_themselves_and_nothing_is_drawn() -> None:
    images, source = torch.randn(3, 1, 8, 8), generator()
    augmentation = Augmentation()
    before = source.get_state()
    assert torch.equal(augmentation.views(images, augmentation.draw(3, source)), images)
    assert torch.equal(source.get_state(), before)


def test_views_of_one_channel_have_the_usual_layout() -> None:
    assert views_of("flip-crop", torch.randn(3, 1, 8, 8), 2).stride() == (64, 64, 8, 1)


def step_with_views(kind: str, model: torch.nn.Module, max_norm: float = 1.0) -> Step:
    """A step without noise whose samples have three views, rate 0.3 and denominator 10."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    if kind == "nonprivate":
        return NonPrivateStep(model, optimizer, 10.0, multiplicity=3)
    return PRIVATE_STEPS[kind](
        model,
        optimizer,
        10.0,
        noise_multiplier=0.0,
        clipping_norm=max_norm,
        noise=seeded_noise(),
        multiplicity=3,
    )


def samples_with_views(count: int) -> tuple[Tensor, Tensor]:
    """Three views of each of a few samples, and their labels."""
    data = tiny_data(dtype=torch.float64)
    views = views_of("flip-crop", data.images[0:count], 3)
    return views, data.labels[:count].repeat_interleave(3)


@pytest.mark.parametrize("kind", [*AVERAGING, "nonprivate"])
def test_gradients_of_views_are_averaged_before_clipping(kind: str) -> None:
    model, before = tiny_model(dtype=torch.float64), tiny_model(dtype=torch.float64)
    views, labels = samples_with_views(4)
    norms = reference.gradients(before, views, labels, 3).norm(dim=1)
    # All but one are clipped.
    max_norm = torch.inf if kind == "nonprivate" else float(norms.sort().values[:2].mean())
    expected = reference.clipped_sum(before, views, labels, max_norm, 3)
    step = step_with_views(kind, model, max_norm)
    batches = (slice(0, 3), slice(3, 12))
    losses = torch.cat([step.accumulate(views[rows], labels[rows]).losses for rows in batches])
    step.update()
    for (name, old), new in zip(before.named_parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(new, old - 0.03 * expected[name], rtol=1e-10, atol=1e-13)
    means = reference.losses(before, views, labels).unflatten(0, (-1, 3)).mean(1)
    torch.testing.assert_close(losses, means, rtol=1e-10, atol=0)


@pytest.mark.parametrize("kind", AVERAGING)
def test_a_sample_of_three_views_contributes_one_clipping_norm(kind: str) -> None:
    model, before = tiny_model(dtype=torch.float64), tiny_model(dtype=torch.float64)
    max_norm = 1e-4  # far below the norm of the gradient of any view
    step = step_with_views(kind, model, max_norm)
    step.accumulate(*samples_with_views(1))
    step.update()
    pairs = zip(model.parameters(), before.parameters(), strict=True)
    moved = torch.cat([(new - old).detach().flatten() for new, old in pairs])
    contribution = float(moved.norm()) * 10 / 0.3
    assert contribution == pytest.approx(max_norm, rel=1e-2) and contribution <= max_norm


@pytest.mark.parametrize("noise", [None, 1.1])
@pytest.mark.parametrize("recipe", [FLIP_CROP, {"augmentation": "flip"}])
def test_interruptions_do_not_change_the_views(tmp_path, noise, recipe) -> None:
    phase, path = PhasePlan(40, 0.4, 5, noise), tmp_path / "resume.pt"
    base = trainer(phase, recipe).run()
    for stop_at in (1, 3, 4):
        job = trainer(phase, recipe, resume_path=path, fingerprint="x", save_every=0)
        with pytest.raises(KeyboardInterrupt):
            run_until(job, stop_at)
    result = trainer(phase, recipe, resume_path=path, fingerprint="x").run()
    assert_same(base.weights, result.weights)
    assert result.metrics == base.metrics
    plain = trainer(phase).run()
    assert not all(torch.equal(plain.weights[n], w) for n, w in result.weights.items())


def test_way_of_clipping_and_physical_batch_do_not_change_the_result() -> None:
    phase = PhasePlan(40, 0.4, 3, 1.1)
    base = trainer(phase, FLIP_CROP).run().weights
    for change in [{"physical_batch_size": 7}, *({"clipping": n} for n in AVERAGING)]:
        found = trainer(phase, FLIP_CROP | change).run().weights
        for name, value in base.items():
            torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5, msg=name)


def test_views_count_as_images_in_memory(monkeypatch) -> None:
    job = trainer(PhasePlan(40, 0.4, 3, 1.1), FLIP_CROP | {"physical_batch_size": 7})
    accumulate, sizes = job.step_kind.accumulate, []

    def record(images, labels):
        sizes.append(len(images))
        return accumulate(images, labels)

    monkeypatch.setattr(job.step_kind, "accumulate", record)
    job.run()
    assert max(sizes) == 6 and all(size % 3 == 0 for size in sizes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"multiplicity": 2}, "multiplicity is 2, but without augmentation all views are the same"),
        (FLIP_CROP | {"physical_batch_size": 2}, "physical_batch_size is 2, but must hold the 3"),
        (FLIP_CROP | {"clipping": "ghost"}, "clipping is ghost, which clips every view by itself"),
    ],
)
def test_what_does_not_go_together_is_named(change, message) -> None:
    recipe = Recipe.from_config(OPTIONS | change)
    with pytest.raises(ValueError, match=message):
        recipe.check(private=True, free_scores=False)
    with pytest.raises(ValueError, match=message):
        trainer(recipe=change)


def test_free_scores_need_the_images_themselves() -> None:
    with pytest.raises(ValueError, match=r"free scores .* need augmentation none, not flip"):
        trainer(recipe={"augmentation": "flip"}, observers=["free_scores"])


def test_ghost_clipping_refuses_views() -> None:
    with pytest.raises(ValueError, match="clips every view by itself"):
        step_with_views("ghost", tiny_model())
