"""The empirical audit: its statistics on known cases, the right training, and broken ones."""

import math

import numpy as np
import pytest
import torch
from broken_privacy import BROKEN, QuarterOfTheNoise
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import seeded_noise
from small_audit import (
    AUDIT,
    CONFIDENCE,
    DELTA,
    EVERYONE,
    OPTIONS,
    RECIPE,
    SAMPLED,
    audit,
    small_store,
)

from gradval.audit.canaries import CanaryModel, canary_scores, insert_canaries
from gradval.audit.lower_bound import (
    count_correct,
    epsilon_lower_bound,
    guess_inclusion,
    p_value,
)
from gradval.audit.run import AuditPlan, audit_training
from gradval.models.architectures import build_model
from gradval.privacy.plan import PhasePlan
from gradval.training.steps import PRIVATE_STEPS


@pytest.mark.parametrize(
    ("canaries", "guesses", "correct", "delta", "printed"),
    # Appendix D (page 46) and section 7 (Figure 11); the latter is cut off, not rounded.
    [(1000, 100, 75, 1e-4, 0.673), (100_000, 1510, 1439, 1e-5, 2.675)],
)
def test_bounds_that_the_paper_prints(canaries, guesses, correct, delta, printed):
    bound = epsilon_lower_bound(correct, guesses, canaries, delta, CONFIDENCE)
    assert bound == pytest.approx(printed, abs=1e-3)


def test_all_guesses_right_has_a_closed_form_without_delta():
    # The bound solves q^r = 1 - confidence.
    q = 0.05 ** (1 / 400)
    assert epsilon_lower_bound(400, 400, 400, 0.0, CONFIDENCE) == pytest.approx(
        math.log(q / (1 - q)), abs=2e-6
    )


def test_the_delta_term_is_the_worst_shift_of_the_number_of_right_guesses():
    canaries, guesses, correct, epsilon, delta = 300, 40, 33, 0.8, 1e-4
    accuracy = math.exp(epsilon) / (1 + math.exp(epsilon))
    pmf = [
        math.comb(guesses, k) * accuracy**k * (1 - accuracy) ** (guesses - k)
        for k in range(guesses + 1)
    ]
    pure = sum(pmf[correct:])
    # With probability 2 m delta / i everybody gains i right guesses, for the best i.
    gain = max(2 * canaries * delta / i * sum(pmf[correct - i : correct]) for i in range(1, 34))
    assert p_value(correct, guesses, canaries, epsilon, 0.0) == pytest.approx(pure, rel=1e-9)
    assert p_value(correct, guesses, canaries, epsilon, delta) == pytest.approx(
        pure + gain, rel=1e-9
    )
    # The term is not negligible, and grows with delta and with the canaries not guessed at.
    assert gain > pure / 10
    bounds = [
        epsilon_lower_bound(correct, guesses, m, d, CONFIDENCE)
        for m, d in ((300, 0.0), (300, 1e-4), (300, 1e-3), (1000, 1e-3))
    ]
    assert bounds == sorted(bounds, reverse=True) and len(set(bounds)) == 4


@settings(max_examples=40)
@given(st.integers(1, 200), st.data())
def test_more_right_guesses_never_lower_the_bound(guesses, data):
    correct = data.draw(st.integers(0, guesses - 1))
    canaries, delta = guesses + data.draw(st.integers(0, 100)), data.draw(st.floats(0, 1e-3))
    few, more = (
        epsilon_lower_bound(v, guesses, canaries, delta, CONFIDENCE) for v in (correct, correct + 1)
    )
    assert 0 <= few <= more
    assert few <= epsilon_lower_bound(correct, guesses, canaries, delta, 0.9)
    if few > 0:  # what is refuted is refuted at the stated confidence
        assert p_value(correct, guesses, canaries, few, delta) < 0.05 + 1e-9


def randomised_response(epsilon, canaries, rng):
    """Scores of an epsilon-DP release of each coin: the coin, flipped as often as allowed."""
    included = rng.random(canaries) < 0.5
    lies = rng.random(canaries) < 1 / (1 + math.exp(epsilon))
    return included, (included ^ lies).astype(float)


def test_randomised_response_is_bounded_by_its_epsilon_as_often_as_stated():
    rng, runs, canaries, guesses = np.random.default_rng(0), 2000, 400, 100
    exceeded, bounds = 0, {}
    for _ in range(runs):
        included, released = randomised_response(1.0, canaries, rng)
        # Ties among equal answers are broken by position, which is independent of the coins.
        correct = count_correct(guess_inclusion(released, guesses), included)
        if correct not in bounds:
            bounds[correct] = epsilon_lower_bound(correct, guesses, canaries, 0.0, CONFIDENCE)
        exceeded += bounds[correct] > 1.0
    # At most 5% in expectation; beyond 6.5% would be three standard deviations.
    assert 0.01 < exceeded / runs < 0.065


def test_many_guesses_come_close_to_randomised_response():
    included, released = randomised_response(1.0, 100_000, np.random.default_rng(1))
    correct = count_correct(guess_inclusion(released, 90_000), included)
    assert 0.95 < epsilon_lower_bound(correct, 90_000, 100_000, 0.0, CONFIDENCE) < 1.0


def test_chance_refutes_nothing():
    assert epsilon_lower_bound(50, 100, 1000, 1e-5, CONFIDENCE) == 0.0
    assert p_value(0, 100, 1000, 0.0, 1e-5) == 1.0


def test_guesses_are_the_extremes_and_the_rest_abstain():
    scores = np.array([0.3, -2.0, 5.0, 0.1, -0.4, 1.0])
    guessed = guess_inclusion(scores, 4)
    assert guessed.tolist() == [0, -1, 1, 0, -1, 1]
    included = np.array([True, False, True, False, True, False])
    assert count_correct(guessed, included) == 2
    assert guess_inclusion(scores, 6).tolist() == [1, -1, 1, -1, -1, 1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: guess_inclusion(np.zeros(4), 3), "even and in 2..4, got 3"),
        (lambda: guess_inclusion(np.zeros(4), 6), "even and in 2..4, got 6"),
        (lambda: guess_inclusion(np.array([0.0, np.nan]), 2), "not finite"),
        (lambda: p_value(5, 4, 9, 1.0, 0.0), "correct <= guesses <= canaries"),
        (lambda: p_value(3, 4, 9, -1.0, 0.0), "epsilon must be at least 0"),
        (lambda: epsilon_lower_bound(3, 4, 9, 0.0, 1.0), "confidence must be in"),
    ],
)
def test_arguments_out_of_range_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.fixture(scope="module")
def store():
    return small_store()


@pytest.mark.parametrize(
    ("phase", "informative"), [(SAMPLED, 0.0), (EVERYONE, 0.1), ((4.0, 0.3, 30), 0.8)]
)
def test_the_bound_on_the_right_training_is_below_the_claim(store, phase, informative):
    result = audit(store, phase=phase)
    assert 0.99 * phase[0] < result.claimed_epsilon <= phase[0]
    assert informative <= result.epsilon_lower_bound < result.claimed_epsilon
    # A claim that no outcome could refute would not be audited at all.
    assert not result.refuted and result.highest_bound > result.claimed_epsilon
    assert 420 < result.included < 580 and result.steps == phase[2]


@pytest.mark.parametrize("name", BROKEN)
def test_broken_trainings_are_caught(store, name):
    result = audit(store, BROKEN[name])
    assert result.refuted and result.epsilon_lower_bound > 1.2 > result.claimed_epsilon


def test_a_quarter_of_the_noise_is_caught(store):
    result = audit(store, QuarterOfTheNoise, phase=EVERYONE)
    assert result.refuted and result.epsilon_lower_bound > 1.2


def test_an_audit_can_be_repeated_and_its_coins_depend_on_the_seed(store):
    few = {"audit": AuditPlan(60, 20, CONFIDENCE), "phase": (4.0, 0.3, 30)}
    first = audit(store, **few)
    assert audit(store, **few) == first
    assert audit(store, **few, seed=1).included != first.included


def test_a_phase_without_noise_makes_no_claim_to_audit(store):
    with pytest.raises(ValueError, match="not a differentially private event"):
        audit_training(
            store,
            model_options=OPTIONS,
            recipe=RECIPE,
            phase=PhasePlan(200, 0.05, 60),
            audit=AUDIT,
            delta=DELTA,
            accountant="pld",
            seed=0,
            stream="test",
        )


def canary_model(canaries, seed=0):
    model = build_model(
        "resnet9", channels=1, classes=10, image_size=8, width=4, groups=2, seed=seed
    )
    return CanaryModel(model, classes=10, canaries=canaries, clipping_norm=0.7)


def test_images_pass_through_a_canary_model_unchanged(store):
    model = canary_model(100)
    data = insert_canaries(store, np.ones(100, dtype=bool), torch.device("cpu"))
    assert data.images.shape == (300, 3, 8, 8) and data.test_images.shape == (200, 3, 8, 8)
    numbered = data.images[0:300]
    with torch.no_grad():
        logits = model(numbered)
        torch.testing.assert_close(logits[:200], model.model(numbered[:200, :1]))
    assert (logits[200:] == 0).all()


def test_every_canary_is_heard_in_its_own_column_also_when_flipped_and_cropped(store):
    included = np.arange(600) % 3 > 0
    data, model = insert_canaries(store, included, torch.device("cpu")), canary_model(600)
    places = data.images[200:800]
    cropped = torch.zeros_like(places)
    cropped[:, :, 3:] = places[:, :, :-3].flip(3)  # three rows are padded with zeros
    for images in (places, cropped):
        logits = model(images)
        (heard,) = torch.autograd.grad(logits[:, 0].sum(), model.sink.weight)
        torch.testing.assert_close(heard[0], 70.0 * torch.from_numpy(included).float())


@pytest.mark.parametrize("kind", PRIVATE_STEPS)
def test_a_canary_contributes_the_clipping_norm_in_its_own_column_and_an_absent_one_nothing(
    store, kind
):
    included = np.array([True, False, True, False, False])
    data = insert_canaries(store, included, torch.device("cpu"))
    model = canary_model(5)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    step = PRIVATE_STEPS[kind](
        model,
        torch.optim.SGD(model.parameters(), lr=1.0),
        1.0,
        noise_multiplier=0.0,
        clipping_norm=0.7,
        noise=seeded_noise(),
    )
    step.accumulate(data.images[200:205], data.labels[200:205])
    step.update()
    after = model.state_dict()
    moved = (after["sink.weight"] - before["sink.weight"]).norm(dim=0)
    # Opacus's ghost clipping keeps a margin of 1.2e-3 to the clipping norm.
    margin = 1.3e-3 if kind == "ghost" else 1e-4
    torch.testing.assert_close(moved, 0.7 * torch.tensor([1.0, 0, 1, 0, 0]), rtol=margin, atol=0)
    assert all(torch.equal(after[name], before[name]) for name in before if name != "sink.weight")
    scores = canary_scores(after)
    # The inner product of a canary's update with itself, up to one factor.
    assert scores[0] == pytest.approx(scores[2]) and scores[0] > 0.6
    assert (scores[[1, 3, 4]] == 0).all()
