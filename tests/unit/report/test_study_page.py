"""The page of a study: what its first screen says, its numbers, and where its sections appear."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

from gradval.report.study_page.asked import study_facts
from gradval.report.study_page.claims import ClaimView, claim_views, filters_of, section_words
from gradval.report.study_page.facts import FACTS, Facts, claim_facts, write_facts
from gradval.report.study_page.findings import find, joined, strongest, surprising
from gradval.report.study_page.how_made import costs_of
from gradval.report.study_page.interval_plot import IntervalPlot, Mark, number
from gradval.report.study_page.material import Material
from gradval.report.study_page.ranges import cut, possible
from gradval.report.study_page.sections import SECTIONS
from gradval.report.study_page.write import write_study_page
from gradval.study.config import validate
from gradval.study.datasets import Folder
from gradval.study.experiments import experiments_run, images_notice
from gradval.study.paper import read_paper

ROOT = Path(__file__).parents[3]
KEPT = ROOT / "docs" / "results"


@pytest.fixture(scope="module")
def material() -> Material:
    return Material.of(KEPT / "cifar10-small")


@pytest.fixture(scope="module")
def views(material: Material) -> list[ClaimView]:
    return claim_views(material)


def judged(
    view: ClaimView, verdict: str, p: float, strength: float = 3.0, **row: object
) -> ClaimView:
    values = {**view.row, "p_adjusted": p, "unit": "sample", "n": 5, **row}
    return replace(view, verdict=verdict, strength=strength, row=values)


def test_intervals_are_cut_to_what_is_possible() -> None:
    overlap = cut(-15.3, 48.3, possible("overlap of 25"))
    assert overlap is not None and overlap.everything
    assert (overlap.low, overlap.high) == (0, 25)
    accuracy = cut(27.8, 123.1, possible("test accuracy %"))
    assert accuracy is not None and accuracy.high == 100 and accuracy.cut_high
    assert not accuracy.cut_low and not accuracy.everything
    assert possible("overlap", k=12) == (0, 12) and possible("overlap") == (0, math.inf)
    assert possible("accuracy difference (points)") == (-100, 100)
    assert possible("something of a user's own") == (-math.inf, math.inf)
    assert cut(math.nan, math.nan, (0, 1)) is None


def test_no_interval_of_the_page_leaves_what_is_possible(views: list[ClaimView]) -> None:
    scorecard = pd.read_csv(KEPT / "cifar10-small/scorecard.csv")
    beyond = scorecard[scorecard["statistic"].eq("ssim") & (scorecard["high"] > 1)]
    assert len(beyond)  # or this test would show nothing
    for view in views:
        if view.row["id"] in set(beyond["id"]):
            assert view.interval is not None and view.interval.high == 1
            assert "cut to what is possible" in view.reading


def test_numbers_are_read_with_as_many_digits_as_they_have() -> None:
    assert [number(x) for x in (0, 0.00127, 0.552, -16.5, 1437, math.nan)] == [
        *("0", "0.0013", "0.55", "−16.5", "1,437", "")
    ]
    assert number(-0.0004, 2) == "0.00"


def test_a_drawing_says_in_words_what_it_shows() -> None:
    plot = IntervalPlot(0.5, cut(0.2, 1.4, (-1, 1)), (Mark("paper", "the paper", 0.7),))
    assert plot.description() == "ours 0.50, interval [0.20, 1.00], the paper 0.70"
    svg = plot.svg()
    assert plot.description() in svg and svg.count('class="arrow"') == 1
    assert IntervalPlot(math.nan).svg() == ""


def test_supported_claims_hold_best_and_refuted_ones_surprise(views: list[ClaimView]) -> None:
    a, b, c, d, e = (replace(view, ours=str(i)) for i, view in enumerate(views[2:7]))
    known = [
        judged(a, "supported", 0.03),
        judged(b, "supported", 0.001),
        judged(c, "refuted", 0.01, -2.0),
        judged(d, "undecided", 0.5, 4.0, unit="seed", n=2),
        judged(e, "undecided", 0.5, -4.0, unit="seed", n=2),
    ]
    assert [named.claim.id for named in strongest(known)] == [b.id, a.id, d.id]
    assert [named.why for named in strongest(known)][-1] == "leans this way, not settled"
    assert [named.claim.id for named in surprising(known)] == [c.id, e.id]
    # What does not lean by more than its interval is named on neither side.
    weak = [judged(d, "undecided", 0.5, 0.9), judged(e, "undecided", 0.5, math.nan)]
    assert strongest(weak) == surprising(weak) == []


def test_the_headline_counts_verdicts(views: list[ClaimView], material: Material) -> None:
    tested = [view for view in views if view.verdict != "not run"]
    missing = len(views) - len(tested)
    said = find(views, material)
    assert said.headline == (
        f"Of {len(tested)} claims of the paper that were tested, none is settled; "
        f"{missing} more were not run."
    )
    assert "Two seeds settle nothing" in said.caution
    settled = [judged(tested[0], "supported", 0.01), judged(tested[1], "refuted", 0.01)]
    known = settled + [judged(view, "undecided", 0.5) for view in tested[2:]]
    said = find(known, material)
    assert said.headline == (
        f"Of the paper's {len(known)} claims, 1 is supported, 1 is refuted and {len(known) - 2} "
        "stay undecided."
    )
    assert find([], Material(Path(), frozenset())).headline == "No claim of the paper was judged."


def test_sentences_come_from_the_tables(material: Material, views: list[ClaimView]) -> None:
    said = find(views, material)
    runs = pd.read_csv(material.folder / "runs/full.csv")
    means = 100 * runs.groupby("privacy")["test_accuracy"].mean()
    assert f"{means['nonprivate']:.1f}% without privacy" in said.sentences[0]
    assert f"{means['eps1']:.1f}% at ε = 1" in said.sentences[0]
    table = pd.read_csv(material.folder / "table1.csv")
    scores = table[~table["removal"].isin(["random", "none"])]
    clear = scores[(scores["difference_low"] > 0) | (scores["difference_high"] < 0)]
    assert said.sentences[1].startswith(f"Table 1: {len(clear)} of {len(scores)} removals")
    assert any("ResNet-9 for ResNet-18" in text for text in said.scale)
    assert "4,000 training images" in said.scale[-1] and "2 seeds" in said.scale[-1]


def test_the_page_says_which_models_have_learnt_nothing(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    runs = pd.DataFrame(
        {
            "dataset": "digits",
            "model": "resnet9",
            "privacy": ["nonprivate", "eps1"],
            "test_accuracy": [0.9, 0.11],
            "test_accuracy_low": [0.85, 0.08],
            "test_accuracy_high": [0.93, 0.15],
            "constant_accuracy": 0.1,
            "better_than_constant": [True, False],
            "samples": 100,
            "width": 8,
            "image_size": 8,
            "epochs": 1.0,
            "seed": 0,
            "draw": 0,
        }
    )
    runs.to_csv(tmp_path / "runs/full.csv", index=False)
    said = " ".join(find([], Material(tmp_path, frozenset({"runs/full.csv"}))).sentences)
    assert "Has learnt nothing that scores could tell: ResNet-9" in said
    assert "ε = 1: test accuracy 11.0%" in said and "non-private: test" not in said


def test_the_federation_is_summed_up_without_noise(tmp_path: Path) -> None:
    rows = [
        ("vog", "mean", math.inf, "kendall_accuracy", -0.5),
        ("loss", "mean", math.inf, "kendall_accuracy", -0.6),
        ("vog", "mean", 0.1, "kendall_accuracy", 0.9),
        ("size", "baseline", math.inf, "kendall_accuracy", 0.8),
        ("vog", "mean", math.inf, "paid_harmful", 0.4),
        ("loss", "mean", math.inf, "paid_harmful", 0.52),
    ]
    (tmp_path / "federation").mkdir()
    columns = ["method", "rule", "epsilon", "measure", "mean"]
    frame = pd.DataFrame(rows, columns=columns)
    frame.to_csv(tmp_path / "federation/summary.csv", index=False)
    (said,) = find([], Material.of(tmp_path)).sentences
    assert said == (
        "Federation, without noise: orders of sites by published scores agree with their Shapley "
        "values at Kendall's τ −0.60 to −0.50 and sites with harmful data would be paid 40 to 52 "
        "points more than an equal share."
    )


def test_words_of_the_page() -> None:
    assert joined(["a"]) == "a" and joined(["a", "b", "c"]) == "a, b and c"
    assert section_words("4.1/Fig.3") == "Section 4.1, Figure 3"
    assert section_words("Fig.1") == "Figure 1"


def test_claims_lead_to_the_figures_that_show_them(views: list[ClaimView]) -> None:
    links = {view.id: dict(view.links) for view in views}
    assert links["overlap-cifar10"] == {"figure8": "#figure8"}
    assert links["table1-vog-4"] == {"table1": "#table1"}
    assert filters_of(views)["score"] == {
        "loss": "Loss",
        "grad_norm": "Gradient norm",
        "vog": "VoG",
        "plis": "PLIS",
    }


def test_a_section_appears_where_its_table_exists(tmp_path: Path) -> None:
    for name in ("scorecard.csv", "study.json"):
        shutil.copy(KEPT / "pppd-small" / name, tmp_path / name)
    found = {s.name for s in SECTIONS if s.build(Material.of(tmp_path)) is not None}
    assert found == {"scorecard", "made"}
    audit = {
        **{"dataset": "digits", "model": "resnet9", "privacy": "eps4", "seed": 0, "draw": 0},
        **{"claimed_epsilon": 4.0, "delta": 1e-4, "epsilon_lower_bound": 0.7, "confidence": 0.95},
        **{"any_mechanism": 0.5, "sees": "steps", "canaries": 20, "guesses": 10, "correct_in": 4},
        **{"correct_out": 3, "refuted": False, "refutable": True},
    }
    pd.DataFrame([audit]).to_csv(tmp_path / "audit.csv", index=False)
    page = tmp_path / "page.html"
    write_study_page(page, Material.of(tmp_path))
    text = page.read_text(encoding="utf-8")
    assert "Audit: None of 1 claim refuted." in text
    assert '<section id="audit"' in text and "0.700" in text and 'href="#audit"' in text
    assert '<section id="table1"' not in text and 'href="#gallery"' not in text


def test_privacy_cost_and_open_questions_have_their_places(tmp_path: Path) -> None:
    row = {"dataset": "digits", "model": "resnet9", "privacy": "eps4", "kind": "full"}
    cost = {"unit": "sample", "runs": 2, "epsilon": 4.0, "sum": 8.0, "composed": 5.7}
    rows = [row | cost, row | cost | {"model": "", "privacy": "", "kind": "all"}]
    pd.DataFrame(rows).assign(delta=1e-4).to_csv(tmp_path / "privacy_cost.csv", index=False)
    (tmp_path / "figures").mkdir()
    shutil.copy(KEPT / "pppd-small/figures/table1.png", tmp_path / "figures/explained.png")
    material = Material.of(tmp_path)
    content = {section.name: section.build(material) for section in SECTIONS}
    assert {name for name, found in content.items() if found} == {"ledgers", "questions"}
    ledgers, questions = content["ledgers"], content["questions"]
    assert ledgers is not None and questions is not None
    (block,) = ledgers.tables[0].blocks
    assert block.heading == "digits: a sample, δ = 0.0001"
    assert block.rows.iloc[:, -1].tolist() == ["5.700", "5.700"]
    assert [picture.label for picture in questions.figures] == ["What scores see"]


def test_the_page_is_one_small_file_without_addresses(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    write_study_page(page, Material.of(KEPT / "pppd-small"))
    text = page.read_text(encoding="utf-8")
    assert len(text.encode()) < 3e6
    assert "http://" not in text and "https://" not in text.replace("https://arxiv.org", "")
    # What lies beside the tables is not linked from elsewhere.
    assert 'href="table1.csv"' not in text and 'href="figures/' not in text
    shutil.copytree(KEPT / "pppd-small", tmp_path / "kept")
    write_study_page(tmp_path / "kept/page.html", Material.of(tmp_path / "kept"))
    text = (tmp_path / "kept/page.html").read_text(encoding="utf-8")
    assert 'href="table1.csv"' in text and 'href="figures/figure7.png"' in text


def test_facts_come_from_config_and_paper() -> None:
    paper = read_paper(ROOT / "paper")
    study = validate(yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8")))
    figures = experiments_run(study, paper).figures
    facts = Facts.from_dict(study_facts(study, ["figure3", "figure8"], figures))
    claims = claim_facts(ROOT / "paper/claims.csv")
    assert list(facts.figures) == ["figure3", "figure8"]
    assert facts.figures["figure8"].images and not facts.figures["figure3"].images
    assert list(facts.figures["figure8"].comparisons) == ["fig8"]
    assert claims["overlap-cifar10"].sources == ["fig8"] and facts.k == study.selection.k
    assert claims["overlap-cifar10"].scores == ["vog"] and claims["fig3"].scores == []
    assert not facts.private and "seeds" in facts.notices[0]  # public data, seeded noise
    own = {"source": "folder", "path": "x", "mean": [0.5], "std": [0.5], "delta": 1e-5}
    own |= {"image_size": 8, "channels": 1}
    folder = study.model_copy(update={"datasets": {"digits": Folder.model_validate(own)}})
    assert "not private" in images_notice(folder, "digits")


def test_facts_survive_their_file_and_bad_ones_are_named(tmp_path: Path) -> None:
    facts = replace(Material.of(KEPT / "pppd-small").facts, private=["pppd"])
    (tmp_path / "scorecard.csv").touch()
    write_facts(tmp_path, facts)
    assert Material.of(tmp_path).facts == facts != Facts()
    (tmp_path / FACTS).write_text('{"tittle": 1}')
    with pytest.raises(ValueError, match=r"study\.json: is not what gradval writes.*tittle"):
        Material.of(tmp_path)
    with pytest.raises(ValueError, match="nothing: holds no tables"):
        Material.of(tmp_path / "nothing")


def test_costs_are_summed_over_the_jobs_of_a_rule(tmp_path: Path) -> None:
    for path, seconds, memory in (
        ("train_model/digits/a.jsonl", 60, 100),
        ("train_model/digits/b.jsonl", 30, 300),
        ("build_table1.jsonl", 6, 50),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(json.dumps({"s": seconds, "max_rss": memory}) + "\n")
    (tmp_path / "broken.jsonl").write_text("{")
    assert costs_of(tmp_path) == [
        {"rule": "train_model", "jobs": 2, "minutes": 1.5, "memory_mb": 300},
        {"rule": "build_table1", "jobs": 1, "minutes": 0.1, "memory_mb": 50},
    ]
