"""Ledgers: composed from events, recomputed from their files, and refused if they hide anything."""

import json
import math
import re
import subprocess
import sys
import time
from itertools import pairwise

import pytest
from test_events import event, everything, second, vog

from gradval.__main__ import main
from gradval.privacy import accountants
from gradval.privacy import ledger as ledgers
from gradval.privacy.accountants import NEIGHBOURING_RELATION, SampledGaussian, epsilon
from gradval.privacy.events import extended
from gradval.privacy.plan import PhasePlan, plan_phases
from gradval.privacy.recompute import recompute
from gradval.privacy.release import release_event, released_events

STATEMENT = {"delta": 1e-4, "target_epsilon": 8, "accountants": ("pld", "rdp")}


def make_ledger(accountants=("pld", "rdp")):
    """Of a run that was pruned by raw scores."""
    events = extended(None, event(), second(selection="raw"))
    return ledgers.compose(events, **STATEMENT | {"accountants": accountants})


def plain_ledger():
    events = extended(None, event(PhasePlan(1437, 0.18, 40)))
    return ledgers.compose(events, **STATEMENT | {"target_epsilon": None})


def planned(selection, second_plan, *releases):
    """Events of the two phases of a plan, and the releases between them."""
    plan = plan_phases(
        1437,
        batch_size=256,
        epochs=30,
        first_epochs=10,
        second_epochs=20,
        removed_fraction=0.25,
        target_epsilon=4,
        delta=1e-4,
        release_epsilon=1,
    )
    last = event(plan[second_plan], name="second", selection=selection)
    return extended(None, event(plan["first"]), *releases, last)


def test_epsilon_is_that_of_what_concerns_each_group():
    ledger = make_ledger()
    kept, removed = ledger["groups"]
    assert (kept["name"], kept["events"]) == ("kept", [0, 1])
    assert (removed["name"], removed["events"]) == ("removed", [0])
    both = [SampledGaussian(0.18, 1.6, 40), SampledGaussian(0.24, 1.6, 40)]
    for name in ("pld", "rdp"):
        assert kept["epsilon"][name] == epsilon(both, 1e-4, name)
        assert removed["epsilon"][name] == epsilon(both[:1], 1e-4, name)
    assert ledger["selection"] == "raw" and ledger["randomness"] == "seeded"
    assert ledger["notes"] == [ledgers.RAW_SELECTION, ledgers.FIXED_SEED]


@pytest.mark.parametrize(
    ("selection", "plan", "groups", "notes"),
    [
        ("raw", "second_pruned", {"kept": [0, 1], "removed": [0]}, [ledgers.RAW_SELECTION]),
        ("random", "second_pruned", {"kept": [0, 1], "removed": [0]}, []),
        ("none", "second_unpruned", {"everyone": [0, 1]}, []),
    ],
)
def test_two_phases_meet_the_target_for_those_kept(selection, plan, groups, notes):
    ledger = ledgers.compose(planned(selection, plan), **STATEMENT | {"target_epsilon": 4})
    assert {group["name"]: group["events"] for group in ledger["groups"]} == groups
    assert 3.99 < ledger["groups"][0]["epsilon"]["pld"] <= 4
    assert ledger["notes"] == [*notes, ledgers.FIXED_SEED]
    assert ledger["neighbouring_relation"] == NEIGHBOURING_RELATION


def test_ledger_of_a_released_selection(tmp_path):
    accounted = {"target_epsilon": 4, "accountants": ("pld", "rdp", "prv")}
    events = planned("released", "second_released", vog())
    ledger = ledgers.compose(events, **STATEMENT | accounted)
    assert [e["mechanism"] for e in ledger["events"]] == ["gaussian", "laplace", "gaussian"]
    kept, removed = ledger["groups"]
    assert (kept["events"], removed["events"]) == ([0, 1, 2], [0, 1])
    assert 3.99 < kept["epsilon"]["pld"] <= 4 and removed["epsilon"]["pld"] < 4
    assert ledger["neighbouring_relation"] == ledgers.BLANKING_RELATION
    assert ledger["notes"] == [ledgers.RELEASED_SELECTION, ledgers.FIXED_SEED]
    path = tmp_path / "ledger.json"
    path.write_text(json.dumps(ledger))
    assert all(row.agrees and row.stated is not None for row in recompute(path))
    forged = ledger | {"neighbouring_relation": NEIGHBOURING_RELATION}
    with pytest.raises(ValueError, match=r"neighbouring_relation: .* 'replace one sample"):
        ledgers.check(forged)
    # Less noise than was planned would be found out.
    ledger["events"][1]["noise_multiplier"] /= 1.2
    path.write_text(json.dumps(ledger))
    assert not any(row.agrees for row in recompute(path))


def test_the_ledger_of_released_scores_pays_for_all_of_them():
    training, statement = extended(None, event()), STATEMENT | {"target_epsilon": 4}
    releases = [release_event(name, (0, 1), 1.0, 1437) for name in ("loss", "vog", "plis")]
    alone, one, all_three = (
        # The target is that of the training: releases come on top.
        ledgers.compose(released_events(training, releases[:n]), **statement)
        for n in (0, 1, 3)
    )
    assert alone["target_epsilon"] == 4 and all_three["target_epsilon"] is None
    (group,) = all_three["groups"]
    assert group["events"] == [0, 1, 2, 3]
    assert ledgers.RELEASED_SCORES in all_three["notes"]
    assert ledgers.RELEASED_SCORES not in alone["notes"]
    assert all_three["neighbouring_relation"] == ledgers.BLANKING_RELATION
    spent = [ledger["groups"][0]["epsilon"]["pld"] for ledger in (alone, one, all_three)]
    # Laplace noise composes little better than by addition.
    assert 0.7 < spent[1] - spent[0] < 1 and 2.2 < spent[2] - spent[0] < 3


def test_secret_noise_is_said_and_a_run_without_privacy_too():
    ledger = ledgers.compose(extended(None, event(secret=True)), **STATEMENT)
    assert ledger["randomness"] == "secret" and ledger["notes"] == [ledgers.SECRET_NOISE]
    assert plain_ledger() == {"private": False, "notes": [ledgers.NON_PRIVATE]}


def test_what_breaks_the_promise_is_refused():
    plain = event(PhasePlan(1437, 0.18, 40))
    for events in ([plain], [plain, second()]):
        with pytest.raises(ValueError, match="target is epsilon 8, but a phase was not private"):
            ledgers.compose(extended(None, *events), **STATEMENT)
    with pytest.raises(ValueError, match=r"groups\[0\]\.epsilon\.pld: .* exceeds target_epsilon"):
        ledgers.compose(extended(None, event()), **STATEMENT | {"target_epsilon": 1})


def test_equal_events_are_composed_once(monkeypatch):
    composed = []

    def count(events, delta):
        composed.append(events)
        return 1.0

    monkeypatch.setitem(accountants.ACCOUNTANTS, "pld", count)
    accountants._composed.cache_clear()
    try:
        for _ in range(5):
            ledgers.compose(everything(), **STATEMENT | {"accountants": ("pld",)})
    finally:
        accountants._composed.cache_clear()
    assert len(composed) == 2  # those kept and those removed


def test_ledger_can_be_recomputed_from_its_file(tmp_path):
    path = tmp_path / "ledger.json"
    path.write_text(json.dumps(make_ledger()))
    rows = {(row.group, row.accountant): row for row in recompute(path)}
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
    path.write_text(json.dumps(plain_ledger()))
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
    stated = forged["groups"][0]["epsilon"]
    forged["target_epsilon"] = stated["pld"] = 0.9995 * stated["pld"]
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
        "not valid JSON  ": b"[" * 100_000,
        "must be a valid dictionary": b"[1]",
        "$.notes: is missing": b'{"private": false}',
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
        (lambda x: x.pop("delta"), r"\$\.delta: is missing"),
        (lambda x: x.update(epsilon=3), r"\$\.epsilon: is not a known key"),
        (lambda x: x["events"][0].update(sampling="shuffled"), r"events\[0\]\.sampling"),
        (lambda x: x["events"][1].update(noise_multiplier=0), r"events\[1\]\.noise_multiplier"),
        (lambda x: x["events"][1].update(mechanism="laplace"), r"events\[1\]"),
        (lambda x: x["events"][0].update(mechanism="none"), r"events\[0\]"),
        # Groups that understate what concerns them, in each way.
        (lambda x: x["groups"][0].update(events=[1]), r"\[0\]\.events: .* kept is \[0, 1\]"),
        (lambda x: x["groups"][1].update(events=[1]), r"\[1\]\.events: .* removed is \[0\]"),
        (lambda x: x["groups"][1].update(events=[]), r"\[1\]\.events: .* removed is \[0\]"),
        (lambda x: x["groups"][0].update(events=[0, 0]), r"\[0\]\.events: .* kept is \[0, 1\]"),
        (lambda x: x["groups"][0].update(events=[0, 7]), r"\[0\]\.events: .* kept is \[0, 1\]"),
        (lambda x: x["groups"][1].update(name="everyone"), r"groups: kept, everyone, but"),
        (lambda x: x["groups"][1].update(name="nobody"), r"groups\[1\]\.name: must be 'everyone'"),
        (lambda x: x["groups"].pop(0), r"groups: removed, but those .* are kept, removed"),
        (lambda x: x["groups"].clear(), r"\$\.groups: .* at least 1 item"),
        (
            lambda x: x.update(accountant="gdp"),
            r"\$\.accountant: unknown accountant 'gdp'; known are",
        ),
        (lambda x: x["groups"][0]["epsilon"].update(gdp=1.0), r"groups\[0\].*unknown accountant"),
        (lambda x: x.update(accountant="rdp"), r"groups\[0\]\.epsilon: rdp.* is missing"),
        (
            lambda x: x.update(neighbouring_relation=ledgers.BLANKING_RELATION),
            r"neighbouring_relation: .* 'add or remove one sample'",
        ),
        (lambda x: x.update(target_epsilon=2), r"groups\[0\]\.epsilon\.pld: .* exceeds target"),
        (lambda x: x["groups"][1]["epsilon"].update(pld=math.nan), r"\.pld: must be a finite"),
        (lambda x: x["groups"][1]["epsilon"].update(pld="1"), r"\.pld: must be a valid number"),
        (lambda x: x.update(delta=1 / 1437), r"delta: \S+ promises nothing for 1437 samples"),
        (lambda x: x.pop("selection"), r"\$\.selection: is missing"),
        (lambda x: x.update(selection="none"), r"selection: that of these events is 'raw'"),
        (lambda x: x["events"][1].update(selection="none"), r"selection: that .* is 'none'"),
        (lambda x: x["events"][1].update(selection="released"), r"\[1\]\.selection: released, but"),
        (lambda x: x["notes"].remove(ledgers.RAW_SELECTION), r"notes: without .*Which samples"),
        (lambda x: x.update(randomness="secret"), r"randomness: that of these events is 'seeded'"),
        (lambda x: x["events"].extend(x["events"] * 1000), r"\$\.events: .* at most 100 items"),
    ],
)
def test_a_ledger_that_does_not_conform_is_named(change, message):
    ledger = make_ledger(("pld",))
    change(ledger)
    with pytest.raises(ValueError, match=message) as refusal:
        ledgers.check(ledger)
    assert "\n" not in str(refusal.value)


def test_hostile_numbers_within_all_bounds_cost_little_and_exit_with_two(tmp_path, capsys):
    path = tmp_path / "ledger.json"
    hostile = make_ledger(("pld",))
    hostile["events"][0] |= {"steps": 10**7, "noise_multiplier": 0.05, "sampling_rate": 1.0}
    path.write_text(json.dumps(hostile))
    begin = time.process_time()
    code, _, errors = run_command(path, capsys)
    assert code == 2 and "above 1000, which promises nothing" in errors and errors.count("\n") == 1
    assert time.process_time() - begin < 20


def test_more_noise_is_less_epsilon():
    spent = [
        ledgers.compose(
            extended(None, event(PhasePlan(1437, 0.18, 40, noise))),
            **STATEMENT | {"target_epsilon": None},
        )["groups"][0]["epsilon"]["pld"]
        for noise in (1.0, 2.0, 4.0)
    ]
    assert all(a > b for a, b in pairwise(spent))


def test_reading_and_writing_a_ledger_loads_no_torch():
    code = "import sys, gradval.privacy.ledger; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
