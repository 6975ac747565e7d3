"""The claims table: what it quotes, and what is refused."""

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest
from planted import claim, claim_row, comparisons_of

from gradval.evidence import parse_claims, read_claims
from gradval.evidence.claims import PAPER_COLUMNS

TABLE = next(path for path in Path(__file__).parents[3].glob("*/claims.csv"))
NUMBERED = [
    *("fig2-ssim", "fig2-bd", "loss-pearson", "gradnorm-pearson", "fig3", "fig4-ssim", "fig4-bd"),
    *("fig5-ssim", "fig5-bd", "fig6-ssim", "pppd-accuracy-gap", "plis-eps-4-8", "plis-eps-1"),
    *("fig7-ssim", "fig7-bd", "overlap-cifar10", "overlap-cinic10"),
    *("vog-plis-pearson-a", "vog-plis-pearson-b", "vog-plis-extreme-a", "vog-plis-extreme-b"),
    *("fig9-ssim", "fig9-bd", "fig10"),
    *(f"table1-{score}-{eps}" for score in ("loss", "gradnorm", "vog", "plis") for eps in "148"),
    *("train-accuracy-rises", "prune-time", "score-overhead"),
]
# Of these rows as they quote the paper, without our columns.
PAPER_SHA256 = "daa1a0eaf1eecc68170374ed04d2fe890e15c742fcbfd786cbff8c7cc944cda8"


@pytest.fixture(scope="module")
def claims() -> pd.DataFrame:
    return read_claims(TABLE)


def test_every_printed_number_is_there_unchanged(claims: pd.DataFrame) -> None:
    quoted = claims[claims["id"].isin(NUMBERED)]
    assert quoted["id"].tolist() == NUMBERED and len(NUMBERED) == 39
    text = quoted[list(PAPER_COLUMNS)].to_csv(index=False, lineterminator="\n")
    assert hashlib.sha256(text.encode()).hexdigest() == PAPER_SHA256


def test_statements_without_a_number_are_there_too(claims: pd.DataFrame) -> None:
    others = claims[~claims["id"].isin(NUMBERED)]
    assert set(others["value"]) == {"ordering only"}
    sections = " ".join(others["section"])
    for section in ("4.1", "4.2", "4.3", "4.4", "4.5", "4.6", "5", "6"):
        assert section in sections


def test_the_papers_own_numbers_obey_its_rules(claims: pd.DataFrame) -> None:
    parsed = parse_claims(claims)
    cells = {
        (c.at[0], c.sources[0]): c.value
        for c in parsed
        if c.kind == "removal" and not math.isnan(c.value)
    }
    assert len(cells) == 12
    for row in parsed:
        if row.id.startswith("table1-") and not math.isnan(row.value):
            others = [cells[row.at[0], other] for other in row.rule.references]
            sign = 1 if row.rule.side == "above" else -1
            assert all(sign * (row.value - other) > row.rule.null for other in others)
    for level in ("eps1", "eps4", "eps8"):  # table1-order
        order = [cells[level, score] for score in ("loss", "grad_norm", "vog", "plis")]
        assert order == sorted(order, reverse=True)


def test_one_primary_contrast_stands_outside_every_family(claims: pd.DataFrame) -> None:
    families = claims.set_index("id")["family"]
    assert families["table1-contrast"] == "" == families["interaction"]
    assert families[families != ""].value_counts().min() >= 2  # else there is nothing to correct


def test_comparisons_are_named_once(claims: pd.DataFrame) -> None:
    names = comparisons_of(claims)
    assert len(names) == len(set(names)) and names[0] == "fig2"
    assert {"fig8", "xray-eps4-eps8", "grad_norm-plis", "models-cifar10"} <= set(names)
    assert not any("/" in name or "@" in name for name in names)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "above chance"),
        ({"reference": "", "side": "below", "null": "0.5"}, "below 0.5"),
        (
            {"reference": "ceiling", "side": "equal", "null": "0.05"},
            "equal to the ceiling within 0.05",
        ),
        ({"reference": "y|z", "quantifier": "some"}, "in some case above y and Z"),
        ({"reference": "y", "null": "-1"}, "above y minus 1"),
        ({"reference": "@pearson", "measure": "pearson_extremes"}, "above pearson"),
        (
            {"reference": "reliability", "side": "below", "null": "0.9", "measure": "pearson"},
            "below 0.9 when corrected for reliability",
        ),
    ],
)
def test_rules_in_words(changes: Mapping[str, str], words: str) -> None:
    assert claim(**changes).rule.in_words({"z": "Z"}) == words


def test_sources() -> None:
    removal = claim(
        kind="removal", source="loss|vog/each/0.35", measure="test_accuracy", reference="plis"
    )
    assert (removal.sources, removal.at) == (("loss", "vog"), ("each", "0.35"))
    assert removal.comparisons == ()
    images = claim(
        kind="selected_images", source="x/a|x/b|y/a", measure="contrast", reference="other_side"
    )
    assert images.comparisons == ("x", "y")
    assert claim(reference="y|z").comparisons == ("x", "y", "z")
    assert claim(reference="halfway").comparisons == ("x",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "guess"}, "kind must be one of"),
        ({"measure": "ssim"}, "measure must be one of"),
        ({"side": ">"}, "side must be one of above, below, equal, got '>'"),
        ({"quantifier": "all"}, "quantifier must be one of"),
        ({"unit": "image"}, "unit must be one of"),
        ({"null": ""}, "null must be a number, got ''"),
        ({"side": "equal"}, "null of an equality is the largest difference, above 0"),
        ({"reference": "chance|ceiling"}, "the reference chance stands alone"),
        ({"reference": "@ssim"}, "@ssim is not a measure"),
        ({"source": ""}, "source must not be empty"),
        ({"value": "many"}, "value must be a number, got 'many'"),
        ({"tolerance": ""}, "a number needs a tolerance"),
        ({"tolerance": "-1"}, "a number needs a tolerance"),
        ({"tolerance": "nan"}, "tolerance must be a number"),
        ({"unit": "sample"}, "only an overlap above chance has an exact test"),
        ({"unit": "count"}, "unit is count for the kinds saving and overhead"),
        ({"quantifier": "every_level"}, "every_level is for the kind removal"),
        ({"kind": "removal", "measure": "test_accuracy"}, "as loss|vog/eps1"),
        ({"kind": "accuracy", "measure": "test_accuracy"}, "at least two privacy levels"),
        ({"kind": "selected_images", "measure": "detail"}, "as fig7/a"),
        (
            {"kind": "saving", "measure": "training_gradients", "unit": "count"},
            "the reference of the kind saving must be empty",
        ),
    ],
)
def test_bad_claims_are_named(changes: Mapping[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=r"^claim 'c': ") as error:
        parse_claims(claim_row(**changes))
    assert message in str(error.value) and "\n" not in str(error.value)


def test_bad_claims_tables() -> None:
    with pytest.raises(ValueError, match=r"missing column.s. family"):
        parse_claims(claim_row().drop(columns="family"))
    with pytest.raises(ValueError, match="'c' occurs twice"):
        parse_claims(pd.concat([claim_row(), claim_row()]))
