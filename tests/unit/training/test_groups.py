"""Groups as units: the executed step is the naive one, and nobody weighs more than one norm."""

import numpy as np
import pytest
import reference
import torch
from reference import flatten, relative_error
from test_training import OPTIONS, assert_same, run_until, tiny_data, tiny_model

from gradval.data.store import Split, Store
from gradval.privacy.events import read_events
from gradval.privacy.group_plan import GroupPlan, plan_group_phases
from gradval.privacy.keystream import KeyStream
from gradval.privacy.ledger import compose
from gradval.privacy.plan import PhasePlan
from gradval.training.group_run import expected_images, train_groups
from gradval.training.groups import GroupTrainer, members_of
from gradval.training.loop import Trainer
from gradval.training.recipe import Recipe
from gradval.training.run import RunFiles
from gradval.training.streams import secret_key

# Groups of 1, 2, 3, 5 and 5 images, again and again; their images do not lie side by side.
SIZES = [1, 2, 3, 5, 5] * 3
NAMES = [f"p{number}" for number, size in enumerate(SIZES) for _ in range(size)]
NAMES = [NAMES[i] for i in np.random.default_rng(3).permutation(len(NAMES))]
IMAGES, GROUPS, MOST = len(NAMES), len(SIZES), 3
PLAN = GroupPlan(IMAGES, 0.4, 6, 1.1, groups=GROUPS, images_per_group=MOST)
VARIED = {"augmentation": "flip-crop", "multiplicity": 2}


class Remembers(GroupTrainer):
    """Keeps which images were taken of the groups of the last step."""

    def _draw(self):
        self.taken = []
        return super()._draw()

    def _choose(self, members):
        self.taken.append(super()._choose(members))
        return self.taken[-1]


def group_trainer(plan=PLAN, recipe=None, *, names=NAMES, dtype=torch.float32, **options):
    options = {"key": bytes(32), "kind": Remembers} | options
    kind, key = options.pop("kind"), options.pop("key")
    data, model = tiny_data(len(names), dtype), tiny_model(dtype=dtype)
    recipe = Recipe.from_config(OPTIONS | (recipe or {}))
    return kind(model, data, plan, recipe, groups=names, key=key, **options)


def change_of_a_step(trainer, dtype=torch.float64):
    """What one step without noise moves the weights by, as one vector."""
    trainer.step_kind.private.noise_multiplier = 0.0
    trainer.run()
    before = reference.trainable(tiny_model(dtype=dtype))
    after = reference.trainable(trainer.model)
    return flatten({n: after[n].detach() - before[n].detach() for n in before})


ONE_STEP = {"learning_rate": 1.0, "momentum": 0.0, "checkpoints": 1, "physical_batch_size": 7}


@pytest.mark.parametrize("clipping", ["bookkeeping", "hooks", "functorch"])
def test_a_step_is_the_naive_sum_of_clipped_mean_gradients(clipping):
    plan = GroupPlan(IMAGES, 0.6, 1, 1.1, groups=GROUPS, images_per_group=MOST)
    recipe = ONE_STEP | {"clipping": clipping, "clipping_norm": 15.0}
    trainer = group_trainer(plan, recipe, dtype=torch.float64)
    model = tiny_model(dtype=torch.float64).train()
    found = change_of_a_step(trainer).reshape(-1)
    if clipping != "bookkeeping":
        assert len(found)
    means = [
        reference.gradients(model, trainer.data.images[p], trainer.data.labels[p]).mean(0)
        for p in map(torch.from_numpy, trainer.taken)
    ]
    norms = torch.stack(means).norm(dim=1)
    assert norms.min() < 15.0 < norms.max() and {1, 2, 3} == set(map(len, trainer.taken))
    total = sum(min(1.0, 15.0 / (float(n) + 1e-6)) * g for n, g in zip(norms, means, strict=True))
    assert len(means) != plan.expected_batch_size == 0.6 * GROUPS
    assert relative_error(found, -total / plan.expected_batch_size) < 1e-10


def test_a_whole_group_changes_the_sum_by_at_most_the_clipping_norm():
    last = max(range(GROUPS), key=lambda number: members_of(NAMES)[number][0])
    left = [i for i in range(IMAGES) if i not in members_of(NAMES)[last]]

    def total(keep):
        names = [NAMES[i] for i in keep]
        groups = len(set(names))
        plan = GroupPlan(len(names), 1.0, 1, 1.1, groups=groups, images_per_group=MOST)
        trainer = group_trainer(
            plan, ONE_STEP | {"clipping_norm": 0.7}, names=names, dtype=torch.float64
        )
        whole = tiny_data(IMAGES, torch.float64)
        trainer.data.images.images = whole.images.images[keep]
        trainer.data.labels.copy_(whole.labels[keep])
        return change_of_a_step(trainer) * groups

    difference = float((total(range(IMAGES)) - total(left)).norm())
    assert 0.69 < difference <= 0.7 * (1 + 1e-12)


@pytest.mark.parametrize("varied", [{}, VARIED])
def test_groups_of_one_are_samples_to_the_bit(varied):
    names = [str(i) for i in range(40)]
    plan = GroupPlan(40, 0.4, 6, 1.1, groups=40, images_per_group=MOST)
    by_group = group_trainer(plan, varied, names=names, kind=GroupTrainer).run()
    recipe = Recipe.from_config(OPTIONS | varied)
    plain = Trainer(tiny_model(), tiny_data(), PhasePlan(40, 0.4, 6, 1.1), recipe, key=bytes(32))
    by_sample = plain.run()
    assert_same(by_group.weights, by_sample.weights)
    assert by_group.metrics == by_sample.metrics


def test_an_interruption_changes_nothing(tmp_path):
    key = secret_key()

    def job(name):
        return group_trainer(
            recipe=VARIED, key=key, resume_path=tmp_path / name, fingerprint="x", save_every=0
        )

    base = job("whole").run()
    for stop_at in (2, 4):
        with pytest.raises(KeyboardInterrupt):
            run_until(job("parts"), stop_at)
    result = job("parts").run()
    assert_same(result.weights, base.weights)
    assert result.metrics == base.metrics


def test_groups_are_drawn_at_the_planned_rate_and_images_evenly():
    trainer = group_trainer(kind=GroupTrainer)
    drawn = torch.cat([trainer._draw() for _ in range(2000)])
    counts = torch.bincount(drawn, minlength=GROUPS) / 2000
    assert (counts - 0.4).abs().max() < 5 * (0.24 / 2000) ** 0.5
    trainer.streams.sampling.set_state(KeyStream(bytes(32)).get_state())
    five = next(m for m in trainer.members if len(m) == 5)
    taken = np.concatenate([trainer._choose(five) for _ in range(2000)])
    shares = np.array([(taken == member).mean() * MOST for member in five])
    assert np.abs(shares - MOST / 5).max() < 5 * (0.24 / 2000) ** 0.5
    assert len(taken) == MOST * 2000


def test_members_are_in_the_order_of_their_first_images():
    found = [members.tolist() for members in members_of(["b", "a", "b", "c", "a"])]
    assert found == [[0, 2], [1, 4], [3]]


def store():
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, 1, 8, 8), dtype=np.uint8)
    split = Split(images, np.arange(IMAGES) % 3, [str(i) for i in range(IMAGES)], NAMES)
    return Store("noise", ("a", "b", "c"), (0.5,), (0.3,), split, split, {})


def train(folder, **options):
    files = RunFiles.in_folder(folder, checkpoints=True)
    result = train_groups(
        store(),
        model_options={"architecture": "resnet9", "width": 4, "groups": 2},
        recipe=Recipe.from_config(OPTIONS),
        phase=PLAN,
        seed=0,
        stream="test",
        files=files,
        progress=False,
        **options,
    )
    return files, result


@pytest.mark.parametrize("secret", [False, True])
def test_what_was_executed_is_what_was_planned_and_is_accounted_by_groups(tmp_path, secret):
    files, result = train(tmp_path, secret_noise=secret)
    (event,) = read_events(files.events).events
    assert (event.unit, event.samples, event.randomness) == (
        "group",
        GROUPS,
        "secret" if secret else "seeded",
    )
    assert event.accounted() == PLAN.event() and event.steps == result.steps
    ledger = compose(
        read_events(files.events), delta=1e-3, target_epsilon=None, accountants=["pld"]
    )
    assert "group" in ledger["neighbouring_relation"]
    assert expected_images(NAMES, PLAN) == pytest.approx(0.4 * sum(min(s, MOST) for s in SIZES))
    (tmp_path / "again").mkdir()
    again, _ = train(tmp_path / "again", secret_noise=secret)
    assert (again.weights.read_bytes() == files.weights.read_bytes()) is not secret


def test_a_plan_counts_groups():
    options = {
        "batch_size": 4,
        "epochs": 3,
        "first_epochs": 1,
        "second_epochs": 1,
        "removed_fraction": 0.25,
        "target_epsilon": 4.0,
        "accountant": "rdp",
    }
    plans = plan_group_phases(GROUPS, IMAGES, images_per_group=MOST, delta=1e-2, **options)
    assert set(plans) == {"full", "first"}
    full = plans["full"]
    assert (full.groups, full.samples, full.images_per_group) == (GROUPS, IMAGES, MOST)
    assert full.sampling_rate == 4 / GROUPS and full.expected_batch_size == pytest.approx(4)
    with pytest.raises(ValueError, match="must be below 1/15, one over the groups"):
        plan_group_phases(GROUPS, IMAGES, images_per_group=MOST, delta=0.07, **options)


@pytest.mark.parametrize(
    ("recipe", "options", "line"),
    [
        ({"clipping": "ghost"}, {}, "clipping is ghost, which clips every image by itself"),
        ({"physical_batch_size": 2}, {}, "must hold the 3 images of one group"),
        ({}, {"observers": ["free_scores"]}, "free scores .* are of samples"),
        ({}, {"names": [*NAMES[:-1], "other"]}, "15 groups of 48 images, but there are 16 of 48"),
    ],
)
def test_what_does_not_go_together_is_refused_in_one_line(recipe, options, line):
    with pytest.raises(ValueError, match=line) as refused:
        group_trainer(recipe=recipe, **options)
    assert "\n" not in str(refused.value)
