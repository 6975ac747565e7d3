"""Reports of sites: charged, repeatable, refused, and composed with training in a ledger."""

import numpy as np
import pytest

from gradval.federation.reports import ReportOptions, publish_report, queries, report_events
from gradval.privacy.accountants import SampledGaussian, epsilon
from gradval.privacy.budget import Budget, BudgetExceeded
from gradval.privacy.events import Events, PlainTraining, PrivateTraining
from gradval.privacy.ledger import check, compose

OPTIONS = ReportOptions({"vog": (0.0, 1.0), "plis": (0.0, 5.0)}, epsilon=2.0)
TRAINING = PrivateTraining(
    phase="full", samples=300, sampling_rate=0.1, noise_multiplier=1.5, steps=20,
    clipping_norm=1.0, randomness="seeded",
)  # fmt: skip


def scores(seed=0, count=50):
    rng = np.random.default_rng(seed)
    return {"vog": rng.random(count), "plis": 5 * rng.random(count)}


def groups(count=50):
    return [f"p{i // 2}" for i in range(count)]


def publish(budget, options=OPTIONS, **others):
    return publish_report(scores(), groups(), options, budget, source="run", **others)


def test_the_parts_of_a_report_cost_its_epsilon_together(tmp_path):
    budget = Budget(tmp_path / "b.jsonl", 2.0)
    rows = publish(budget)
    assert budget.spent == pytest.approx(2.0)
    assert sum(query.epsilon for query in queries(OPTIONS, 50)) == pytest.approx(2.0)
    keys = {(row["score"], row["statistic"]) for row in rows}
    assert len(keys) == 10 and all(np.isfinite(row["value"]) for row in rows)


def test_a_rerun_publishes_the_same_and_more_is_refused(tmp_path):
    budget = Budget(tmp_path / "b.jsonl", 2.0)
    assert publish(budget) == publish(budget)
    with pytest.raises(BudgetExceeded):
        publish(budget, again=True)
    other = ReportOptions(OPTIONS.bounds, epsilon=0.5)
    with pytest.raises(BudgetExceeded):
        publish(budget, other)
    assert budget.spent == pytest.approx(2.0)


def test_other_data_are_another_question(tmp_path):
    budget = Budget(tmp_path / "b.jsonl", None)
    publish(budget)
    publish_report(scores(1), groups(), OPTIONS, budget, source="run")
    assert budget.spent == pytest.approx(4.0)


def test_groups_are_hidden_as_one(tmp_path):
    options = ReportOptions(OPTIONS.bounds, ["mean"], 1e4, unit="group")
    rows = publish(Budget(tmp_path / "b.jsonl", None), options)
    assert rows[0]["units"] == 25
    assert rows[0]["value"] == pytest.approx(scores()["vog"].mean(), abs=0.01)


def test_a_secret_number_is_not_told(tmp_path):
    options = ReportOptions(OPTIONS.bounds, relation="add_remove")
    assert {row["units"] for row in publish(Budget(tmp_path / "b.jsonl", None), options)} == {None}


@pytest.mark.parametrize("relation", ["replace", "add_remove"])
def test_the_ledger_composes_training_and_report(relation):
    options = ReportOptions(OPTIONS.bounds, epsilon=0.5, relation=relation)
    events = report_events(Events(events=(TRAINING,)), options, 50)
    ledger = compose(events, delta=1e-4, target_epsilon=8.0, accountants=["pld", "rdp"])
    check(ledger)
    (group,) = ledger["groups"]
    trained = epsilon([SampledGaussian(0.1, 1.5, 20)], 1e-4)
    assert group["epsilon"]["pld"] == pytest.approx(trained + 0.5)
    assert ledger["target_epsilon"] is None and ("blank" in ledger["neighbouring_relation"]) == (
        relation == "replace"
    )


def test_what_cannot_be_composed_is_refused():
    plain = PlainTraining(phase="full", samples=300, sampling_rate=0.1, steps=20)
    with pytest.raises(ValueError, match="from a private run only"):
        report_events(Events(events=(plain,)), OPTIONS, 50)
    grouped = Events(events=(TRAINING.model_copy(update={"unit": "group"}),))
    with pytest.raises(ValueError, match="does not compose"):
        report_events(grouped, OPTIONS, 50)
    secret = ReportOptions(OPTIONS.bounds, ["mean"], relation="add_remove")
    once = report_events(Events(events=(TRAINING,)), secret, 50)
    with pytest.raises(ValueError, match="no neighbouring relation is common"):
        report_events(once, ReportOptions(OPTIONS.bounds, ["mean"]), 50)


def test_a_score_that_is_missing_is_named(tmp_path):
    with pytest.raises(ValueError, match="plis is to be published, but was not computed"):
        publish_report({"vog": scores()["vog"]}, groups(), OPTIONS, Budget(tmp_path / "b", None),
                       source="run")  # fmt: skip
