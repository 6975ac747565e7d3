"""Accounting against known values, plans that meet their target, ledgers that can be recomputed."""

import json
import math
import re
from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from gradval.__main__ import main
from gradval.privacy import ledger as ledgers
from gradval.privacy.accountants import (
    ACCOUNTANTS,
    NEIGHBOURING_RELATION,
    Laplace,
    SampledGaussian,
    calibrate_noise,
    epsilon,
)
from gradval.privacy.plan import phase_of, phases_from_dict, phases_to_dict, plan_phases
from gradval.privacy.release import release_record, released_ledger
from gradval.training.second_phase import second_phase


def gaussian_epsilon(noise: float, delta: float) -> float:
    """Epsilon of one Gaussian mechanism of sensitivity 1 (Balle and Wang, 2018, theorem 8)."""

    def excess(value: float) -> float:
        a, b = 1 / (2 * noise), value * noise
        return norm.cdf(a - b) - math.exp(value) * norm.cdf(-a - b) - delta

    return brentq(excess, 1e-6, 100)


@pytest.mark.parametrize("noise", [0.7, 1.0, 3.0])
def test_unsampled_gaussian_agrees_with_the_closed_form(noise):
    # Steps compose like one mechanism with noise / sqrt(steps).
    event = SampledGaussian(1.0, noise * math.sqrt(5), 5)
    assert epsilon([event], 1e-5) == pytest.approx(gaussian_epsilon(noise, 1e-5), rel=2e-3)


def test_published_setting():
    # De et al. (2022) and facebookresearch/tan: sigma 3, 2,500 steps of 4,096 of 50,000.
    event = SampledGaussian(4096 / 50000, 3.0, 2500)
    assert epsilon([event], 1e-5, "pld") == pytest.approx(6.58, abs=0.02)
    assert epsilon([event], 1e-5, "rdp") == pytest.approx(7.10, abs=0.05)
    assert epsilon([event], 1e-5, "prv") == pytest.approx(6.58, abs=0.03)


def test_epsilon_moves_the_right_way():
    base = SampledGaussian(0.1, 1.5, 100)
    value = epsilon([base], 1e-5)
    assert epsilon([SampledGaussian(0.1, 2.0, 100)], 1e-5) < value
    assert epsilon([SampledGaussian(0.2, 1.5, 100)], 1e-5) > value
    assert epsilon([SampledGaussian(0.1, 1.5, 200)], 1e-5) > value
    assert epsilon([base], 1e-3) < value
    assert epsilon([base, base], 1e-5) == pytest.approx(
        epsilon([SampledGaussian(0.1, 1.5, 200)], 1e-5), rel=1e-3
    )
    assert epsilon([], 1e-5) == epsilon([SampledGaussian(0.1, 1.5, 0)], 1e-5) == 0


@pytest.mark.parametrize("pure", [0.25, 1.0, 3.0])
def test_laplace_agrees_with_the_closed_form(pure):
    event, delta = Laplace(1 / pure), 0.01
    # The hockey-stick divergence of Laplace distributions at distance 1.
    exact = pure + 2 * math.log1p(-delta)
    assert epsilon([event], delta, "pld") == pytest.approx(exact, abs=2e-3)
    assert exact <= epsilon([event], delta, "rdp") <= pure * (1 + 1e-9)
    assert epsilon([event], delta, "prv") == pytest.approx(pure)


def test_laplace_and_gaussians_compose_to_less_than_their_sum():
    training, release = SampledGaussian(0.18, 1.6, 40), Laplace(1.0)
    for name in ACCOUNTANTS:
        alone, both = (epsilon(e, 1e-4, name) for e in ([training], [training, release]))
        assert alone + 0.5 < both <= alone + 1 + 1e-9
        # The order of the events does not matter, and two releases cost more than one.
        assert epsilon([release, training], 1e-4, name) == pytest.approx(both)
        assert epsilon([training, Laplace(1.0, 2)], 1e-4, name) > both + 0.5


def test_composition_agrees_with_numerical_integration():
    # One Gaussian and one Laplace: delta = E_p max(0, 1 - exp(epsilon - loss)), on a fine grid.
    noise, pure, target = 1.5, 0.8, 1.5
    x = np.linspace(-14, 15, 200_001)
    gaussian = norm.pdf(x, 1, noise) * (x[1] - x[0])
    loss = (2 * x - 1) / (2 * noise**2)
    y = np.linspace(0, 1, 2001)
    inside = (y[1:] + y[:-1]) / 2
    # Loss of Laplace(scale 1 / pure) at 0 against 1: pure (1 - 2 y) between, +-pure outside.
    losses = np.concatenate([[pure, -pure], pure * (1 - 2 * inside)])
    masses = np.concatenate(
        [[0.5, 0.5 * math.exp(-pure)], 0.5 * pure * np.exp(-pure * inside) * (y[1] - y[0])]
    )
    delta = sum(
        mass * np.sum(gaussian * np.clip(1 - np.exp(target - loss - other), 0, None))
        for other, mass in zip(losses, masses, strict=True)
    )
    events = [SampledGaussian(1.0, noise, 1), Laplace(1 / pure)]
    assert epsilon(events, float(delta)) == pytest.approx(target, rel=2e-3)


@pytest.mark.parametrize("target", [0.5, 1, 4, 8, 20])
def test_calibrated_noise_meets_the_target_and_hardly_more(target):
    def events(noise):
        return [SampledGaussian(0.18, noise, 112)]

    noise = calibrate_noise(events, target, 1e-4)
    assert epsilon(events(noise), 1e-4) <= target
    assert epsilon(events(noise / 1.002), 1e-4) > target


def test_small_losses_need_the_finer_grid_and_get_it():
    # On a grid of 1e-3 these are 1.1521 and 0.0593, and epsilon 0.03 needs three times the noise.
    assert epsilon([SampledGaussian(0.001, 1.0, 30_000)], 1e-7) < 1.1
    assert epsilon([SampledGaussian(256 / 50_000, 20.0, 2000)], 1e-5) < 0.033

    def events(noise):
        return [SampledGaussian(256 / 50_000, noise, 2000)]

    noise = calibrate_noise(events, 0.03, 1e-5)
    assert noise < 25
    assert epsilon(events(noise), 1e-5) <= 0.03 < epsilon(events(noise / 1.002), 1e-5)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="sampling_rate"):
        SampledGaussian(1.5, 1, 1)
    with pytest.raises(ValueError, match="noise_multiplier"):
        SampledGaussian(0.5, 0, 1)
    with pytest.raises(ValueError, match="unknown accountant 'gdp'"):
        epsilon([], 1e-5, "gdp")
    with pytest.raises(ValueError, match="delta"):
        epsilon([], 1.0)


PLAN = {
    "batch_size": 256,
    "epochs": 30,
    "first_epochs": 10,
    "second_epochs": 20,
    "removed_fraction": 0.25,
    "delta": 1e-4,
}


def test_plan_composes_to_the_target_for_those_kept():
    phases = plan_phases(1437, **PLAN, target_epsilon=4)
    for names in (("full",), ("first", "second_pruned"), ("first", "second_unpruned")):
        total = epsilon([phases[name].event() for name in names], 1e-4)
        assert 3.99 < total <= 4
    assert phases["first"].noise_multiplier == phases["second_pruned"].noise_multiplier
    assert epsilon([phases["first"].event()], 1e-4) < 4


@pytest.mark.parametrize("accountant", ACCOUNTANTS)
def test_a_release_is_paid_for_by_the_second_phase(accountant):
    plain = plan_phases(1437, **PLAN, target_epsilon=4, accountant=accountant)
    phases = plan_phases(1437, **PLAN, target_epsilon=4, accountant=accountant, release_epsilon=0.8)
    assert {name: phases[name] for name in plain} == plain
    first, second = phases["first"].event(), phases["second_released"].event()
    total = epsilon([first, Laplace(1 / 0.8), second], 1e-4, accountant)
    assert 3.99 < total <= 4
    assert second.noise_multiplier > plain["second_pruned"].event().noise_multiplier
    assert second.steps == plain["second_pruned"].steps


def test_a_release_that_leaves_nothing_is_refused():
    with pytest.raises(ValueError, match=r"release at epsilon 3 cost .* lower release\.share"):
        plan_phases(1437, **PLAN, target_epsilon=4, release_epsilon=3)


def test_batch_size_stays_and_the_rate_rises_when_the_set_shrinks():
    phases = plan_phases(1000, **PLAN, target_epsilon=None)
    assert phases["second_pruned"].samples == 750
    for phase in phases.values():
        assert phase.expected_batch_size == pytest.approx(256)
    assert phases["second_pruned"].sampling_rate > phases["first"].sampling_rate
    assert phases["second_pruned"].steps == round(20 * 750 / 256)
    with pytest.raises(ValueError, match="without noise"):
        phases["full"].event()


def test_a_batch_larger_than_the_set_takes_everyone():
    assert phase_of(100, 256, 3) == phase_of(100, 100, 3)
    assert phase_of(100, 256, 3).sampling_rate == 1 and phase_of(100, 256, 3).steps == 3


def test_a_delta_that_promises_nothing_is_refused():
    options = {**PLAN, "delta": 1 / 1437}
    with pytest.raises(ValueError, match=r"delta is \S+, but must be below 1/1437"):
        plan_phases(1437, **options, target_epsilon=4)
    plan = plan_phases(1437, **options, target_epsilon=None)
    assert plan["full"].noise_multiplier is None


def test_plan_survives_json():
    phases = plan_phases(500, **PLAN, target_epsilon=8)
    assert phases_from_dict(json.loads(json.dumps(phases_to_dict(phases)))) == phases


def make_ledger(accountants=("pld", "rdp")):
    events = [
        ledgers.event_record(SampledGaussian(q, 1.6, 40), phase=phase, clipping_norm=1.0, samples=n)
        for phase, q, n in (("first", 0.18, 1437), ("second", 0.24, 1078))
    ]
    return ledgers.private_ledger(
        events,
        {"kept": (0, 1), "removed": (0,)},
        delta=1e-4,
        target_epsilon=8,
        accountants=accountants,
        selection="raw",
    )


def test_ledger_can_be_recomputed_from_its_file(tmp_path):
    path = tmp_path / "ledger.json"
    path.write_text(json.dumps(make_ledger()))
    rows = {(row.group, row.accountant): row for row in ledgers.recompute(path)}
    assert list(rows) == [(g, a) for g in ("kept", "removed") for a in ("pld", "rdp", "prv")]
    assert all(row.agrees for row in rows.values())
    # What the ledger does not state is recomputed too.
    assert rows["kept", "prv"].stated is None
    assert rows["kept", "prv"].recomputed == pytest.approx(rows["kept", "pld"].stated, rel=0.02)
    assert rows["removed", "pld"].stated < rows["kept", "pld"].stated < rows["kept", "rdp"].stated


def run_command(path, capsys):
    """Exit code, output and errors of `python -m gradval ledger`."""
    code = main(["ledger", str(path)])
    return code, *capsys.readouterr()


def test_ledger_command_prints_what_is_stated_beside_what_is_recomputed(tmp_path, capsys):
    path = tmp_path / "ledger.json"
    ledger = make_ledger(("pld",))
    path.write_text(json.dumps(ledger))
    code, output, errors = run_command(path, capsys)
    assert code == 0 and errors == ""
    stated = ledger["groups"][0]["epsilon"]["pld"]
    assert re.search(rf"^kept +pld +{stated:.4f} +{stated:.4f}$", output, re.M)
    assert re.search(r"^removed +rdp +- +\d+\.\d{4}$", output, re.M)
    # What no epsilon covers is said beside it.
    assert f"- {ledgers.RAW_SELECTION}\n- {ledgers.FIXED_SEED}\n" in output
    path.write_text(json.dumps(ledgers.non_private_ledger()))
    code, output, _ = run_command(path, capsys)
    assert code == 0 and "without differential privacy" in output


@pytest.mark.parametrize("factor", [0.9, 0.998, 1.002])
def test_forged_ledger_is_found_out(tmp_path, capsys, factor):
    path = tmp_path / "ledger.json"
    forged = make_ledger()
    forged["groups"][0]["epsilon"]["pld"] *= factor
    path.write_text(json.dumps(forged))
    code, output, errors = run_command(path, capsys)
    assert code == 1 and output.count("differs") == 1
    assert errors == f"error: {path}: not what the events give, to 0.1%: epsilon of kept (pld)\n"


def test_a_ledger_that_understates_what_exceeds_its_target_is_found_out(tmp_path, capsys):
    path = tmp_path / "ledger.json"
    forged = make_ledger(("pld",))
    # By less than two machines may differ.
    epsilon = forged["groups"][0]["epsilon"]
    forged["target_epsilon"] = epsilon["pld"] = 0.9995 * epsilon["pld"]
    path.write_text(json.dumps(forged))
    code, output, errors = run_command(path, capsys)
    assert code == 1 and "differs" not in output and output.count("above the target") == 1
    assert errors == f"error: {path}: epsilon of kept from the events is above the target\n"


def test_other_files_are_refused_in_one_line(tmp_path, capsys):
    path = tmp_path / "ledger.json"
    contents = {
        "No such file": None,
        "not valid JSON": b"{",
        "not valid JSON ": b"\xff\xfe",
        "is not of type 'object'": b"[1]",
        "'notes' is a required property": b'{"private": false}',
        "$.notes: without the sentence 'Trained without": b'{"private": false, "notes": []}',
        "Is a directory": tmp_path,
    }
    for message, content in contents.items():
        if isinstance(content, bytes):
            path.write_bytes(content)
        code, output, errors = run_command(content if content == tmp_path else path, capsys)
        assert (code, output) == (2, "")
        assert errors.startswith("error: ") and errors.count("\n") == 1
        assert message.strip() in errors and str(tmp_path) in errors


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x.pop("delta"), "'delta' is a required property"),
        (lambda x: x["events"][0].update(sampling="shuffled"), r"events\[0\]\.sampling"),
        (lambda x: x["events"][1].update(noise_multiplier=0), r"events\[1\]\.noise_multiplier"),
        (lambda x: x.update(epsilon=3), "Additional properties"),
        (lambda x: x["events"][1].update(mechanism="laplace"), r"events\[1\]"),
        (lambda x: x["events"][0].update(bounds=[0, 1]), r"events\[0\]: .*'bounds' was unexp"),
        (lambda x: x["groups"][1].update(events=[2]), r"groups\[1\]\.events: .* only 2 events"),
        (lambda x: x.update(accountant="rdp"), r"groups\[0\]\.epsilon: rdp.* is missing"),
        (lambda x: x["groups"][0].update(events=[0, 0, 1]), r"groups\[0\]\.events: .* non-unique"),
        (lambda x: x["groups"][0].update(events=[0]), r"events\[1\]: in no group"),
        (lambda x: x["groups"].pop(0), r"events\[1\]: in no group"),
        (lambda x: x["groups"][0].update(events=[1]), r"groups: one of them must hold all 2"),
        (
            lambda x: x.update(neighbouring_relation=ledgers.BLANKING_RELATION),
            r"neighbouring_relation: .* 'add or remove one sample'",
        ),
        (lambda x: x.update(target_epsilon=2), r"groups\[0\]\.epsilon\.pld: .* exceeds target"),
        (
            lambda x: x["groups"][1]["epsilon"].update(pld=math.nan),
            r"groups\[1\]\.epsilon\.pld: nan exceeds target",
        ),
        (lambda x: x.update(delta=1 / 1437), r"delta: \S+ promises nothing for 1437 samples"),
        (lambda x: x.pop("selection"), "'selection' is a required property"),
        (lambda x: x.update(selection="none"), r"selection: none, but there are 2 groups"),
        (lambda x: x.update(selection="released"), r"selection: released, but no event is a rel"),
        (lambda x: x["notes"].remove(ledgers.RAW_SELECTION), r"notes: without .*Which samples"),
        (lambda x: x.update(randomness="secret"), r"notes: without .*operating system's entropy"),
    ],
)
def test_ledger_schema_names_what_is_wrong(change, message):
    ledger = make_ledger(("pld",))
    change(ledger)
    with pytest.raises(ValueError, match=message):
        ledgers.check(ledger)


PRIVACY = {
    "target_epsilon": 4,
    "delta": 1e-4,
    "accountants": ["pld", "rdp", "prv"],
    "secret_noise": False,
}


def record_of(plan, phase):
    return ledgers.event_record(plan.event(), phase=phase, clipping_norm=1.0, samples=plan.samples)


def first_phase_ledger(plan, **options):
    """The ledger of the first phase of a plan."""
    return ledgers.private_ledger(
        [record_of(plan["first"], "first")],
        {"everyone": (0,)},
        **{"delta": 1e-4, "target_epsilon": 4, "accountants": ["pld", "rdp"]} | options,
    )


def ledger_after_release(removal="vog_released"):
    """The ledger that the second phase after a removal writes."""
    plan = plan_phases(1437, **PLAN, target_epsilon=4, release_epsilon=1)
    second = record_of(plan["second_released"], "second")
    phase, statement = second_phase(
        removal,
        plan,
        privacy=PRIVACY,
        first_ledger=first_phase_ledger(plan),
        releases={"vog": release_record("vog", (0, 0.1), 1.0, 1437)},
    )
    assert phase == plan["second_released"]
    return ledgers.private_ledger(
        [*statement.earlier_events, second],
        statement.groups,
        delta=statement.delta,
        target_epsilon=statement.target_epsilon,
        accountants=statement.accountants,
        selection=statement.selection,
    )


def test_ledger_of_a_released_selection(tmp_path):
    ledger = ledger_after_release()
    assert [event["mechanism"] for event in ledger["events"]] == ["gaussian", "laplace", "gaussian"]
    kept, removed = ledger["groups"]
    assert (kept["events"], removed["events"]) == ([0, 1, 2], [0, 1])
    assert 3.99 < kept["epsilon"]["pld"] <= 4 and removed["epsilon"]["pld"] < 4
    assert ledger["neighbouring_relation"] == ledgers.BLANKING_RELATION
    assert ledgers.RELEASED_SELECTION in ledger["notes"]
    assert ledgers.RAW_SELECTION not in ledger["notes"] and "opendp" in ledger["versions"]
    path = tmp_path / "ledger.json"
    path.write_text(json.dumps(ledger))
    assert all(row.agrees and row.stated is not None for row in ledgers.recompute(path))
    forged = ledger | {"neighbouring_relation": NEIGHBOURING_RELATION}
    with pytest.raises(ValueError, match=r"neighbouring_relation: .* 'replace one sample"):
        ledgers.check(forged)
    # Less noise than was planned would be found out.
    ledger["events"][1]["noise_multiplier"] /= 1.2
    path.write_text(json.dumps(ledger))
    assert not any(row.agrees for row in ledgers.recompute(path))


def test_other_removals_do_not_pay_for_a_release():
    plan = plan_phases(1437, **PLAN, target_epsilon=4)
    first = first_phase_ledger(plan)
    for removal, name, groups, selection in (
        ("vog", "second_pruned", {"kept": (0, 1), "removed": (0,)}, "raw"),
        ("random", "second_pruned", {"kept": (0, 1), "removed": (0,)}, "random"),
        ("none", "second_unpruned", {"everyone": (0, 1)}, "none"),
    ):
        phase, statement = second_phase(
            removal, plan, privacy=PRIVACY, first_ledger=first, releases={}
        )
        assert phase == plan[name]
        assert (statement.groups, statement.selection) == (groups, selection)
        assert statement.earlier_events == tuple(first["events"])
    plain = {**PRIVACY, "target_epsilon": None}
    nothing = ledgers.non_private_ledger()
    assert second_phase("vog", plan, privacy=plain, first_ledger=nothing, releases={})[1] is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"secret_noise": True}, "randomness is secret, but seeded in the config"),
        ({"delta": 1e-5, "target_epsilon": 9}, "delta is 1e-05, but 0.0001 in the config"),
        (None, "the first phase was not private"),
    ],
)
def test_phases_of_different_promises_are_not_composed(options, message):
    plan = plan_phases(1437, **PLAN, target_epsilon=4)
    plain = ledgers.non_private_ledger()
    first = plain if options is None else first_phase_ledger(plan, **options)
    with pytest.raises(ValueError, match=f"{message}: train"):
        second_phase("vog", plan, privacy=PRIVACY, first_ledger=first, releases={})


def test_the_ledger_of_released_scores_pays_for_all_of_them():
    first = first_phase_ledger(plan_phases(1437, **PLAN, target_epsilon=4, release_epsilon=1))
    records = [release_record(name, (0, 1), 1.0, 1437) for name in ("loss", "vog", "plis")]
    one, all_three = (released_ledger(first, records[:count]) for count in (1, 3))
    (group,) = all_three["groups"]
    assert group["events"] == [0, 1, 2, 3] and all_three["target_epsilon"] is None
    assert ledgers.RELEASED_SCORES in all_three["notes"]
    assert all_three["neighbouring_relation"] == ledgers.BLANKING_RELATION
    training = first["groups"][0]["epsilon"]["pld"]
    # Laplace noise composes little better than by addition.
    assert 0.7 < one["groups"][0]["epsilon"]["pld"] - training < 1
    assert 2.2 < group["epsilon"]["pld"] - training < 3
    with pytest.raises(ValueError, match="from a private run only"):
        released_ledger(ledgers.non_private_ledger(), records)


def test_noise_scale_and_spent_epsilon():
    ledger = make_ledger(("pld",))
    ledger["events"][-1]["clipping_norm"] = 0.5
    assert ledgers.noise_scale(ledger) == pytest.approx(0.8)
    assert ledgers.spent_epsilon(ledger) == ledger["groups"][0]["epsilon"]["pld"]
    plain = ledgers.non_private_ledger()
    ledgers.check(plain)
    assert ledgers.noise_scale(plain) == 1 and ledgers.spent_epsilon(plain) is None


def test_calibrated_noise_between_the_smallest_and_its_neighbour_meets_the_target():
    def events(noise):
        return [SampledGaussian(1.0, noise, 1)]

    # The search halves by factors of 1.5 and would step over 0.1317 to the smallest noise, 0.1.
    least, neighbour = (epsilon(events(noise), 1e-5, "rdp") for noise in (0.1, 1.5**-5))
    target = (least + neighbour) / 2
    noise = calibrate_noise(events, target, 1e-5, "rdp")
    assert 0.1 < noise < 1.5**-5
    assert 0.999 * target < epsilon(events(noise), 1e-5, "rdp") <= target
    assert calibrate_noise(events, 2 * least, 1e-5, "rdp") == pytest.approx(0.1)


def test_noise_falls_as_the_target_rises():
    noises = [
        calibrate_noise(lambda noise: [SampledGaussian(0.18, noise, 168)], target, 1e-4)
        for target in (1, 4, 8)
    ]
    assert all(a > b for a, b in pairwise(noises))
