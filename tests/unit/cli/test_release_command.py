"""`gradval release`: what is refused, what is published, and that nothing is drawn twice."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gradval.cli.main import main
from gradval.federation.publish import Site, publish
from gradval.privacy.events import Events, PlainTraining, PrivateTraining, write_events
from gradval.privacy.recompute import recompute
from gradval.scores.results import write_results

COUNT = 200
PHASE = {"phase": "full", "samples": COUNT, "sampling_rate": 0.1, "steps": 100}
PRIVATE = PrivateTraining(**PHASE, noise_multiplier=2.0, clipping_norm=1.0, randomness="secret")
ARGUMENTS = ("--score", "loss", "--bounds", "0", "3", "--epsilon", "1")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    loss = np.linspace(-1, 5, COUNT)
    table = pd.DataFrame(
        {
            "file": [f"{i}.png" for i in range(COUNT)],
            "label": "cat",
            "group": [f"patient{i % 50}" for i in range(COUNT)],
            "predicted": "cat",
            "loss": loss,
            "loss_normalised": loss,
        }
    )
    write_results(tmp_path / "out", table, {"classes": ["cat"]})
    return tmp_path / "out"


def release(out: Path, *more: str, arguments: tuple[str, ...] = ARGUMENTS) -> int:
    return main(["release", str(out), *arguments, *more])


def ledger_of(out: Path) -> dict:
    return json.loads((out / "released" / "ledger.json").read_text())


def test_a_release_needs_a_private_training_or_a_public_model(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert release(out) == 2
    said = capsys.readouterr().err
    assert "--events" in said and "--public-model" in said and said.count("\n") == 1
    write_events(tmp_path / "plain.json", Events(events=(PlainTraining(**PHASE),)))
    assert release(out, "--events", str(tmp_path / "plain.json")) == 2
    assert "without differential privacy" in capsys.readouterr().err
    assert not (out / "released").exists()


def test_of_a_public_model_the_release_alone_costs(out: Path) -> None:
    assert release(out, "--public-model") == 0
    (group,) = ledger_of(out)["groups"]
    assert 0.9 < group["epsilon"]["pld"] <= 1 + 1e-3
    assert all(row.agrees for row in recompute(out / "released" / "ledger.json"))
    released = pd.read_csv(out / "released" / "loss.csv")
    assert list(released) == ["position", "loss"]
    noise = released["loss"] - np.linspace(-1, 5, COUNT).clip(0, 3)
    # Laplace noise of scale 3: mean absolute value 3, known to 3 / sqrt(200).
    assert 3 - 5 * 3 / COUNT**0.5 < noise.abs().mean() < 3 + 5 * 3 / COUNT**0.5
    published = {path.name for path in (out / "released").iterdir()}
    assert published == {"loss.csv", "events.json", "ledger.json"}
    budget = out / "budget.jsonl"
    assert budget.stat().st_mode & 0o077 == 0 and ".png" not in budget.read_text()


def test_with_a_private_training_both_are_composed(out: Path, tmp_path: Path) -> None:
    write_events(tmp_path / "events.json", Events(events=(PRIVATE,)))
    assert release(out, "--events", str(tmp_path / "events.json")) == 0
    (group,) = ledger_of(out)["groups"]
    assert group["events"] == [0, 1] and group["epsilon"]["pld"] > 1.05


def test_the_same_question_gives_the_same_draw_and_another_is_added(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert release(out, "--public-model") == 0
    first = (out / "released" / "loss.csv").read_bytes()
    assert release(out, "--public-model") == 0
    assert "released before" in capsys.readouterr().out
    assert (out / "released" / "loss.csv").read_bytes() == first
    assert len(ledger_of(out)["events"]) == 2
    other = ("--score", "loss", "--bounds", "0", "3", "--epsilon", "2")
    assert release(out, "--public-model", arguments=other) == 0
    assert (out / "released" / "loss.csv").read_bytes() == first
    assert (out / "released" / "loss-2.csv").is_file()
    (group,) = ledger_of(out)["groups"]
    assert 2 < group["epsilon"]["pld"] <= 3 + 1e-3


def test_a_lost_file_is_the_same_draw(out: Path) -> None:
    assert release(out, "--public-model") == 0
    first = (out / "released" / "loss.csv").read_bytes()
    (out / "released" / "loss.csv").unlink()
    assert release(out, "--public-model") == 0
    assert (out / "released" / "loss.csv").read_bytes() == first
    assert len(ledger_of(out)["events"]) == 2


def test_a_draw_that_dies_was_recorded_before(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gradval.federation.publish.release", dies)
    site = Site.of(out, public_model=True)
    table = pd.read_parquet(out / "scores.parquet")
    with pytest.raises(KeyboardInterrupt):
        publish(site, table, "loss", (0.0, 3.0), 1.0)
    assert site.budget.spent == 1 and len(site.executed().events) == 2
    assert not (out / "released" / "loss.csv").exists()


def test_a_budget_that_two_scorings_share_is_not_exceeded(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--public-model", "--budget", str(tmp_path / "budget"), "--limit", "1.5")
    assert release(out, *more) == 0
    other = tmp_path / "other"
    table = pd.read_parquet(out / "scores.parquet")
    write_results(other, table.assign(loss=table["loss"] + 1), {"classes": ["cat"]})
    assert release(other, *more) == 2
    assert "1 of 1.5 is spent" in capsys.readouterr().err
    assert not (other / "released").exists()
    # The same scores in another folder: the same draw, and its ledger counts it.
    same = tmp_path / "same"
    write_results(same, table, {"classes": ["cat"]})
    assert release(same, *more) == 0
    draws = [(folder / "released" / "loss.csv").read_bytes() for folder in (out, same)]
    assert draws[0] == draws[1] and len(ledger_of(same)["events"]) == 2


def test_statistics_are_published_with_little_noise(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--score", "loss", "--bounds", "0", "3", "--epsilon", "20")
    more = ("--public-model", "--statistics", "mean,quantiles")
    assert release(out, *more, arguments=arguments) == 0
    (path,) = (out / "released").glob("loss-statistics-*.csv")
    first = pd.read_csv(path).set_index("key")["value"]
    clipped = np.linspace(-1, 5, COUNT).clip(0, 3)
    # Scale 3 / (200 * 10) for the mean; candidates of quantiles lie 0.03 apart.
    assert first["mean"] == pytest.approx(clipped.mean(), abs=0.03)
    for level in (0.25, 0.5, 0.75):
        assert first[f"q{level}"] == pytest.approx(np.quantile(clipped, level), abs=0.3)
    (group,) = ledger_of(out)["groups"]
    assert 19 < group["epsilon"]["pld"] <= 20 * 1.001
    capsys.readouterr()
    assert release(out, *more, arguments=arguments) == 0
    assert "released before" in capsys.readouterr().out
    assert len(ledger_of(out)["events"]) == 3
    assert release(out, "--public-model", "--statistics", "median") == 2
    assert "median" in capsys.readouterr().err


def test_of_groups_one_value_each_is_released(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_events(tmp_path / "events.json", Events(events=(PRIVATE,)))
    assert release(out, "--unit", "group", "--events", str(tmp_path / "events.json")) == 2
    assert "unit: group, but sample before" in capsys.readouterr().err
    assert release(out, "--unit", "group", "--public-model") == 0
    assert len(pd.read_csv(out / "released" / "loss.csv")) == 50
    assert "group" in ledger_of(out)["neighbouring_relation"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (("--bounds", "3", "0"), "low < high"),
        (("--epsilon", "0"), "epsilon of a release"),
        (("--epsilon", "nan"), "epsilon of a release"),
        (("--score", "loss_normalised"), "no score 'loss_normalised'"),
        (("--score", "vog"), "no score 'vog'"),
        (("--delta", "0.5"), "delta"),
    ],
)
def test_what_cannot_be_released_is_refused_before_it_is_recorded(
    out: Path, capsys: pytest.CaptureFixture[str], changes: tuple[str, ...], said: str
) -> None:
    assert release(out, "--public-model", *changes) == 2
    assert said in capsys.readouterr().err
    assert not (out / "released").exists() and not (out / "budget.jsonl").exists()
