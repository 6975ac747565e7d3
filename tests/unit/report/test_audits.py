"""What is asked to be audited, and how audits are reported."""

from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from gradval.report.audits import TITLE, audit_table, verdict
from gradval.report.tables import html_page, markdown_text
from gradval.study.checks import check
from gradval.study.experiments import ConfigError, Setting, audited_settings

CONFIG = yaml.safe_load((Path(__file__).parents[3] / "config.yaml").read_text())
AUDIT = {
    "dataset": "digits",
    "model": "resnet9",
    "privacy": "eps1",
    "seed": 0,
    "claimed_epsilon": 0.99951,
    "delta": 1e-4,
    "epsilon_lower_bound": 0.3969,
    "confidence": 0.95,
    "highest_bound": 4.272,
    "refuted": False,
    "canaries": 2000,
    "guesses": 400,
    "correct": 257,
}


def changed(**keys):
    config = deepcopy(CONFIG)
    config["audit"] |= keys
    return config


def test_the_default_config_audits_the_stand_ins():
    check(CONFIG, known_classes={})
    assert audited_settings(CONFIG) == [
        Setting("digits", "resnet9", privacy) for privacy in CONFIG["audit"]["privacy"]
    ]


def test_without_players_nothing_is_audited():
    config = deepcopy(CONFIG)
    config["stand_ins"]["cifar10"] = None
    check(config, known_classes={})
    assert audited_settings(config) == []


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"model": "vgg"}, r"^audit\.model: 'vgg' is neither one of models"),
        ({"dataset": "mnist"}, r"^audit\.dataset: 'mnist' is neither one of datasets"),
        ({"privacy": ["eps1", "nonprivate"]}, r"^audit\.privacy: nonprivate makes no claim"),
        ({"guesses": 2002}, r"^audit\.guesses: 2002 is more than the 2000 of audit\.canaries"),
    ],
)
def test_a_wrong_block_is_one_line_that_names_the_key(keys, message):
    with pytest.raises(ConfigError, match=message):
        check(changed(**keys), known_classes={})


def test_verdicts():
    assert str(verdict(AUDIT)) == "✓ not refuted"
    assert str(verdict(AUDIT | {"claimed_epsilon": 8.0})) == "– not refuted, nor could it be"
    assert str(verdict(AUDIT | {"refuted": True})).startswith("✗ refuted")


def test_the_table_states_bound_claim_and_confidence_in_every_format():
    table = audit_table([AUDIT, AUDIT | {"privacy": "eps4", "refuted": True}])
    for text in (markdown_text(TITLE, [table]), html_page(TITLE, [table])):
        for part in ("1.000", "0.397", "0.95", "4.272", "refuted", "add or remove one sample"):
            assert part in text
    rows = [line for line in markdown_text(TITLE, [table]).splitlines() if "| digits |" in line]
    assert rows[0].startswith("| digits | ResNet-9 | ε = 1 | 0 | 1.000 | 0.0001 | 0.397 |")
    assert "ε = 4" in rows[1] and len(rows) == 2
