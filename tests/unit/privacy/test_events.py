"""Events: what was executed survives a file, and a file of unknown origin is refused in a line."""

import json
import math

import pytest

from gradval.privacy.accountants import Laplace, SampledGaussian
from gradval.privacy.events import (
    MOST_EVENTS,
    Events,
    PublicModel,
    extended,
    read_events,
    training_event,
    write_events,
)
from gradval.privacy.plan import PhasePlan
from gradval.privacy.release import release_event, released_events

FIRST, SECOND = PhasePlan(1437, 0.18, 40, 1.6), PhasePlan(1078, 0.24, 40, 1.6)


def event(phase=FIRST, **options):
    return training_event(phase, **{"name": "first", "clipping_norm": 0.5} | options)


def second(**options):
    return event(SECOND, name="second", **options)


def vog(epsilon=1.0):
    return release_event("vog", (0, 0.1), epsilon, 1437)


def everything():
    """First phase, release, and second phase on those who are kept."""
    return extended(None, event(), vog(), second(selection="released"))


def test_events_come_back_from_their_file_to_the_last_digit(tmp_path):
    path, noise = tmp_path / "events.json", 1.5 + math.pi * 1e-9
    events = extended(None, event(FIRST.with_noise(noise)), vog(), second(selection="released"))
    write_events(path, events)
    assert read_events(path) == events
    first, released, last = json.loads(path.read_text())["events"]
    assert first["mechanism"] == "gaussian" and first["noise_multiplier"] == noise
    assert (first["samples"], first["steps"], first["sampling_rate"]) == (1437, 40, 0.18)
    # Sensitivity, unit and neighbouring relation travel with the event.
    assert (first["clipping_norm"], first["unit"], first["relation"]) == (
        0.5,
        "sample",
        "add_remove",
    )
    assert first["randomness"] == "seeded" and first["libraries"].keys() == {"torch", "opacus"}
    assert (released["bounds"], released["score"]) == ([0, 0.1], "vog")
    assert released["relation"] == "blank"
    assert (first["selection"], last["selection"]) == ("none", "released")


def test_events_are_what_accountants_count():
    first, released, _ = everything().events
    assert first.accounted() == SampledGaussian(0.18, 1.6, 40)
    assert released.accounted() == Laplace(1.0, 1)


def test_a_run_without_privacy_says_so_and_nothing_after_it_is_private(tmp_path):
    plain = event(PhasePlan(1437, 0.18, 40))
    path = tmp_path / "events.json"
    write_events(path, extended(None, plain))
    assert json.loads(path.read_text())["events"][0]["mechanism"] == "none"
    assert not read_events(path).private
    assert not extended(None, plain, second()).private
    assert extended(None, event(), second()).private
    with pytest.raises(ValueError, match="from a private run only"):
        released_events(extended(None, plain), [vog()])


def test_noise_scale_is_that_of_the_last_training():
    assert everything().noise_scale == pytest.approx(1.6 * 0.5)
    louder = event(SECOND.with_noise(3.0), name="second")
    assert extended(None, event(), louder, vog()).noise_scale == pytest.approx(3.0 * 0.5)
    assert extended(None, event(PhasePlan(1437, 0.18, 40))).noise_scale == 1
    assert Events(events=(PublicModel(),)).noise_scale == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (("vog", "public"), r"events\[0\]: a release, but no training or public model is before"),
        (("event", "public"), r"events\[1\]: a public model, but it can only be the first"),
        (("public", "event"), r"events\[1\]: a training, after which the model is not public"),
        (("event", "patients"), r"events\[1\]\.unit: group, but sample before"),
    ],
)
def test_a_public_model_comes_first_and_units_are_not_mixed(content, said):
    patients = vog().model_copy(update={"unit": "group"})
    made = {"vog": vog(), "public": PublicModel(), "event": event(), "patients": patients}
    with pytest.raises(ValueError, match=said):
        extended(None, *(made[name] for name in content))
    assert extended(None, PublicModel(), patients).private


def test_phases_that_do_not_go_together_are_refused():
    before = extended(None, event())
    with pytest.raises(ValueError, match=r"\[1\]\.randomness: secret, but seeded .* first phase"):
        extended(before, second(secret=True))
    with pytest.raises(ValueError, match=r"\[1\]\.selection: released, but no release"):
        extended(before, second(selection="released"))
    with pytest.raises(ValueError, match=r"\[0\]\.selection: raw, but no phase is before it"):
        extended(None, event(selection="raw"))
    with pytest.raises(ValueError, match=r"\[2\]\.selection: events\[1\] has one already"):
        extended(before, second(selection="raw"), second(selection="random"))
    with pytest.raises(ValueError, match=r"\[0\]: a release, but no training"):
        extended(None, vog())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e[0].update(steps=10**9), r"\$\.events\[0\]\.steps: must be less"),
        (lambda e: e[0].update(steps=-1), r"events\[0\]\.steps: must be greater"),
        (lambda e: e[0].update(steps=2.5), r"events\[0\]\.steps: must be a valid integer"),
        (lambda e: e[0].update(steps="40"), r"events\[0\]\.steps: must be .* integer, got '40'"),
        (lambda e: e[0].update(steps=True), r"events\[0\]\.steps: must be a valid integer"),
        (lambda e: e[0].update(noise_multiplier=1e-4), r"events\[0\]\.noise_multiplier: must be"),
        (lambda e: e[0].update(noise_multiplier=math.nan), r"noise_multiplier: must be a finite"),
        (lambda e: e[2].update(noise_multiplier=1e308), r"events\[2\]\.noise_multiplier: must be"),
        (lambda e: e[0].update(sampling_rate=1.01), r"events\[0\]\.sampling_rate: must be less"),
        (lambda e: e[0].update(samples=10**30), r"events\[0\]\.samples: must be less"),
        (lambda e: e[0].update(clipping_norm=0), r"events\[0\]\.clipping_norm: must be greater"),
        (lambda e: e[0].update(sampling="shuffled"), r"events\[0\]\.sampling: must be 'poisson'"),
        (lambda e: e[0].update(unit="site"), r"events\[0\]\.unit: must be 'sample'"),
        (lambda e: e[0].update(bounds=[0, 1]), r"events\[0\]\.bounds: is not a known key"),
        (lambda e: e[0].pop("steps"), r"events\[0\]\.steps: is missing"),
        (lambda e: e[0].pop("mechanism"), r"events\[0\]: .*'mechanism'"),
        (lambda e: e[0].update(mechanism="dice"), r"events\[0\]: .*'dice'"),
        (lambda e: e[0].update(phase="x" * 5000), r"events\[0\]\.phase: .* 100 characters"),
        (lambda e: e[1].update(bounds=[1, 0]), r"events\[1\]: bounds must be low < high"),
        (lambda e: e.extend(e[1:2] * MOST_EVENTS), r"\$\.events: .* at most 100 items"),
        (lambda e: e.clear(), r"\$\.events: .* at least 1 item"),
    ],
)
def test_files_of_unknown_origin_are_refused_in_one_line(tmp_path, change, message):
    path = tmp_path / "events.json"
    write_events(path, everything())
    content = json.loads(path.read_text())
    change(content["events"])
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message) as refusal:
        read_events(path)
    text = str(refusal.value)
    assert text.startswith(f"{path}: ") and "\n" not in text and len(text) < 400


@pytest.mark.parametrize("content", ["[" * 100_000, "9" * 10_000, "{", "[]", '{"a": 1}'])
def test_whatever_else_is_refused_in_one_line_too(tmp_path, content):
    path = tmp_path / "events.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="events") as refusal:
        read_events(path)
    assert str(path) in str(refusal.value) and "\n" not in str(refusal.value)


def test_a_phase_out_of_range_is_refused_before_it_is_trained():
    with pytest.raises(ValueError, match=r"event of phase first: \$\.noise_multiplier: must be"):
        event(FIRST.with_noise(1e-3))
