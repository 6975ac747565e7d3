"""The workflow as a user runs it, on a minimal config, in a copy of the checkout."""

import json
import os
import re
import subprocess
import sys

import pandas as pd
import pytest
import yaml
from running import MINIMAL, PARTS, planned, snakemake


@pytest.fixture(scope="module")
def checkout(copy_checkout):
    return copy_checkout(PARTS)


@pytest.fixture(scope="module")
def finished(checkout):
    """A checkout in which the whole minimal study has been run, and its audit."""
    snakemake(checkout, "all", "audit", "--configfile", MINIMAL)
    # The audit is on the page once it is there.
    snakemake(checkout, "index", "--configfile", MINIMAL)
    return checkout


def test_one_figure_builds_only_what_it_needs(checkout):
    jobs = planned(checkout, "figure6", "--configfile", MINIMAL)
    assert jobs["train_model"] == jobs["score_samples"] == 2  # eps 1 and 8, one seed
    assert jobs["compare_selections"] == jobs["plot_figure"] == 1
    assert "retrain_pruned" not in jobs and "build_scorecard" not in jobs


def test_table1_needs_the_first_phases_alone(checkout):
    jobs = planned(checkout, "table1", "--configfile", MINIMAL)
    assert jobs["train_model"] == jobs["prune_dataset"] == jobs["retrain_pruned"] == 1
    assert jobs["release_scores"] == 1
    assert "compare_selections" not in jobs


def test_the_default_config_lays_out_the_whole_study(checkout):
    jobs = planned(checkout)
    assert jobs["train_model"] == 8 * 2 + 3 * 2  # full runs, and first phases before pruning
    assert jobs["plot_figure"] == 10 and jobs["retrain_pruned"] == 6
    assert jobs["write_ledgers"] == 8 and jobs["write_pruned_ledgers"] == 3  # for all seeds
    assert "release_scores" not in jobs


def test_every_seed_is_trained_under_every_draw(checkout):
    draws = ["--config", "grid={draws: [0, 1]}"]
    jobs = planned(checkout, *draws)
    assert jobs["train_model"] == 2 * (8 * 2 + 3 * 2) and jobs["retrain_pruned"] == 12
    assert jobs["write_ledgers"] == 8  # a job for all runs of a setting
    # The default target compares privacy levels once there are draws.
    assert jobs["compare_levels"] == 1 and "compare_levels" not in planned(checkout)
    jobs = planned(checkout, "levels", *draws)
    assert jobs["train_model"] == jobs["score_samples"] == 8 * 2 * 2
    assert "retrain_pruned" not in jobs
    # A figure of one run needs the first seed and draw alone.
    assert planned(checkout, "figure1", *draws)["train_model"] == 1
    run = "results/digits/resnet9/eps4/seed1/draw1/full/scores/vog.parquet"
    assert planned(checkout, run, *draws)["train_model"] == 1


def test_levels_without_a_second_draw_say_so(checkout):
    output = snakemake(checkout, "--dry-run", "levels", check=False)
    assert "config: levels needs at least two of each of grid.seeds, grid.draws and" in output
    assert "Traceback" not in output


def test_one_ledger_needs_the_runs_of_its_own_setting_alone(checkout):
    jobs = planned(checkout, "results/digits/resnet9/eps4/seed0/draw0/full/ledger.json")
    assert jobs["train_model"] == 2 and jobs["write_ledgers"] == jobs["plan_privacy"] == 1
    assert "score_samples" not in jobs and "retrain_pruned" not in jobs


def test_an_unknown_target_is_one_line_with_those_there_are(checkout):
    output = snakemake(checkout, "--dry-run", "figur6", check=False)
    line = "there is no target 'figur6'; did you mean 'figure6'? there are all, figure1,"
    assert line in output and "audit" in output and "Traceback" not in output


def test_a_dry_run_says_once_what_the_study_costs(checkout):
    output = snakemake(checkout, "--dry-run")
    assert output.count("Expected cost of the whole study") == 1
    assert re.search(r"training +16 +\d+\.\d+", output) and "cost.gpu_speedup" in output


def test_everything_is_there(finished):
    results = finished / "results"
    for i in range(1, 11):
        for suffix in ("png", "pdf"):
            assert (results / f"figures/figure{i}.{suffix}").stat().st_size > 5000
    for name in ("scorecard.csv", "scorecard.html", "table1.csv", "table1.md", "table1.tex"):
        assert (results / name).stat().st_size > 500
    scorecard = pd.read_csv(results / "scorecard.csv")
    assert len(scorecard) == len(pd.read_csv(finished / "paper" / "claims.csv"))
    # One seed settles nothing about seeds, and on substitutes no number is the paper's.
    of_seeds = scorecard[scorecard["unit"] == "seed"]
    assert set(of_seeds["verdict"]) <= {"undecided", "not run"}
    assert scorecard["number_matches"].isna().all()
    assert set(scorecard["scale"].dropna()) == {"substitute"}
    levels = pd.read_csv(results / "levels" / "digits_summary.csv")
    assert set(levels["score"]) == {"loss", "grad_norm", "vog", "plis"}
    assert set(levels["quantity"]) == {"across"}  # one seed and draw determine nothing else
    for score in ("loss", "grad_norm", "vog", "plis"):
        path = results / f"digits/resnet9/eps4/seed0/draw0/full/scores/{score}.parquet"
        scores = pd.read_parquet(path)
        assert list(scores) == ["index", "id", "label", "value", "normalised"]
        assert len(scores) == 1437 and scores.notna().all().all()
        assert scores["normalised"].min() == 0 and scores["normalised"].max() == 1
    assert not list(finished.rglob("resume.pt"))


def test_free_scores_are_compared_run_by_run(finished):
    table = pd.read_csv(finished / "results/free_scores.csv")
    assert (table["compared"] == "free").all()  # there is only one seed
    found = {level: list(rows["score"]) for level, rows in table.groupby("privacy")}
    private = ["loss", "grad_norm", "vog"]
    assert found == {
        "eps1": private,
        "eps4": private,
        "eps8": private,
        "nonprivate": ["loss", "vog"],
    }
    assert table["spearman"].between(-1, 1).all() and table["overlap"].between(0, 25).all()
    assert (finished / "results/figures/free_scores.png").stat().st_size > 5000


def test_free_scores_that_are_not_collected_say_so(checkout):
    output = snakemake(checkout, "--dry-run", "free_scores", check=False)
    assert "config: free_scores needs runs that collect them: set scores.free to true" in output


def test_ledgers_meet_the_target_and_name_what_is_not_private(finished):
    for target in (1, 4, 8):
        path = finished / f"results/digits/resnet9/eps{target}/seed0/draw0/full/ledger.json"
        full = json.loads(path.read_text())
        assert 0.99 * target < full["groups"][0]["epsilon"]["pld"] <= target
    run = finished / "results/digits/resnet9/eps4/seed0/draw0/pruned"
    pruned = json.loads((run / "vog/ledger.json").read_text())
    kept, removed = (group["epsilon"]["pld"] for group in pruned["groups"])
    assert removed < kept <= 4
    assert pruned["selection"] == "raw"
    assert any("selection itself carries no" in note for note in pruned["notes"])
    assert pruned["events"][1]["samples"] == 1437 - 359
    none = json.loads((run / "none/ledger.json").read_text())
    assert 0.99 * 4 < none["groups"][0]["epsilon"]["pld"] <= 4
    plain = finished / "results/digits/resnet9/nonprivate/seed0/draw0/full/ledger.json"
    assert json.loads(plain.read_text())["private"] is False


def test_a_released_selection_is_paid_for_and_shown_beside_the_raw_one(finished):
    run = finished / "results/digits/resnet9/eps4/seed0/draw0"
    released = pd.read_parquet(run / "first/released_scores.parquet")
    assert list(released) == ["index", "loss", "grad_norm", "vog", "plis"]  # no ids, no labels
    kept = pd.read_csv(run / "pruned/kept.csv")
    # The bounds of VoG are 0.1 apart and the release is at epsilon 1.
    removed = released["vog"].nlargest(359).index
    assert set(kept.index[~kept["kept_vog_released"]]) == set(removed)
    path = run / "pruned/vog_released/ledger.json"
    ledger = json.loads(path.read_text())
    assert [event["mechanism"] for event in ledger["events"]] == ["gaussian", "laplace", "gaussian"]
    assert ledger["events"][1]["noise_multiplier"] == 1
    kept_epsilon, removed_epsilon = (group["epsilon"]["pld"] for group in ledger["groups"])
    assert removed_epsilon < kept_epsilon and 3.96 < kept_epsilon <= 4
    # Whoever publishes the file pays for all of its columns.
    whole = json.loads((run / "first/released_scores.ledger.json").read_text())
    assert len(whole["events"]) == 5 and whole["groups"][0]["epsilon"]["pld"] > kept_epsilon
    command = [sys.executable, "-m", "gradval", "ledger", str(path)]
    environment = {**os.environ, "PYTHONPATH": str(finished / "src")}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    table = (finished / "results/table1.md").read_text()
    assert "| ε = 4 |" in table and "| ε = 4, released |" in table
    page = (finished / "results/runs/pruned_ledger.html").read_text()
    assert "gaussian + laplace + gaussian" in page and "replace one sample by a blank one" in page


def assert_only_ledgers_are_written(jobs):
    assert jobs["write_ledgers"] == 4
    assert jobs["write_pruned_ledgers"] == jobs["write_release_ledgers"] == 1
    spent = {"plan_privacy", "train_model", "score_samples", "release_scores", "prune_dataset"}
    assert not {*spent, "retrain_pruned", "audit_training"} & jobs.keys()


def test_another_sentence_in_the_ledgers_trains_nothing(finished):
    ledger = finished / "src/gradval/privacy/ledger.py"
    original = ledger.read_text()
    assert "once the seed is known" in original
    ledger.write_text(original.replace("once the seed is known", "when the seed is known"))
    try:
        jobs = planned(finished, "all", "audit", "--configfile", MINIMAL)
    finally:
        ledger.write_text(original)
    assert_only_ledgers_are_written(jobs)


def test_another_accountant_trains_nothing(finished, tmp_path):
    overlay = tmp_path / "accountants.yaml"
    overlay.write_text("privacy: {accountants: [pld, rdp, prv]}\n")
    jobs = planned(finished, "all", "audit", "--configfile", MINIMAL, str(overlay))
    assert_only_ledgers_are_written(jobs)


def test_the_audit_states_its_bound_beside_the_claim(finished):
    (audit,) = pd.read_csv(finished / "results/audit.csv").to_dict("records")
    ledger = finished / "results/digits/resnet9/eps4/seed0/draw0/full/ledger.json"
    claim = json.loads(ledger.read_text())["groups"][0]["epsilon"]["pld"]
    assert audit["claimed_epsilon"] == pytest.approx(claim) and not audit["refuted"]
    assert audit["epsilon_lower_bound"] < claim and audit["guesses"] == 10
    text = (finished / "results/audit.md").read_text()
    assert "| lower bound |" in text and "None of 1 claim refuted." in text
    assert not planned(finished, "audit", "--configfile", MINIMAL)


def test_open_questions_are_answered_from_what_is_there(finished):
    """Scores for comparison, variants, and removals of other sizes, without a new first phase."""
    run = "results/digits/resnet9/eps4/seed0/draw0"
    compared = [f"{run}/full/scores/{name}.parquet" for name in ("el2n", "tracin", "edge_density")]
    overlays = ("--configfile", MINIMAL, "tests/workflow/questions.yaml")
    targets = ("scales", "doses", f"{run}/full/variants.parquet", *compared)
    jobs = planned(finished, *targets, *overlays)
    assert jobs["score_for_comparison"] == jobs["score_variants"] == jobs["retrain_dose"] == 1
    assert not {"train_model", "score_samples", "prepare_dataset"} & jobs.keys()
    snakemake(finished, *targets, *overlays)

    el2n, tracin, edges = (pd.read_parquet(finished / path)["value"] for path in compared)
    assert el2n.between(0, 2**0.5).all() and edges.between(0, 1).all() and (tracin > 0).all()
    variants = pd.read_parquet(finished / run / "full/variants.parquet")
    assert {"vog_all", "vog_logit_std", "el2n_first", "tracin_all"} <= set(variants)
    assert "vog_early" not in variants  # half of two checkpoints is one
    usual = pd.read_parquet(finished / run / "full/scores/vog.parquet")["value"]
    assert variants["vog_all"].to_numpy() == pytest.approx(usual.to_numpy(), rel=1e-5)
    assert variants["el2n_first"].to_numpy() == pytest.approx(el2n.to_numpy(), rel=1e-5)

    scales = pd.read_csv(finished / "results/questions/scales.csv")
    assert set(scales["variant"]) == {"minmax", "raw", "zscore"}
    arms = pd.read_csv(finished / run / "doses/30/arms.csv")
    assert set(arms["score"]) == {"loss", "random"} and len(arms) == 20
    removed = arms.groupby("score")["removed"].sum()
    assert set(removed) == {431} and arms["recall"].between(0, 1).all()
    events = json.loads((finished / run / "doses/30/loss_largest_class/events.json").read_text())
    assert len(events["events"]) == 2
    doses = pd.read_csv(finished / "results/questions/doses.csv")
    assert set(doses["quantity"]) == {"accuracy", "per 1,000 removed", "worst recall", "uneven"}
    for name in ("scales", "doses"):
        assert (finished / f"results/figures/{name}.png").stat().st_size > 5000


def test_questions_that_cannot_be_answered_say_why(checkout):
    for target, message in (
        ("planted", "config: planted needs a data set of the grid with something planted: see"),
        ("doses", "config: doses needs pruning.doses, with pruning.dataset, pruning.model and it"),
    ):
        output = snakemake(checkout, "--dry-run", target, check=False)
        assert message in output and "Traceback" not in output


def test_a_second_run_has_nothing_to_do(finished):
    # The page shows what was asked for since it was written.
    snakemake(finished, "index", "--configfile", MINIMAL)
    assert "Nothing to be done" in snakemake(finished, "--configfile", MINIMAL)


def test_a_deleted_score_file_rebuilds_what_depends_on_it(finished):
    scores = finished / "results/digits/resnet9/eps8/seed0/draw0/full/scores/vog.parquet"
    kept = scores.read_bytes()
    scores.unlink()
    try:
        jobs = planned(finished, "--configfile", MINIMAL)
    finally:
        scores.write_bytes(kept)
        snakemake(finished, "--touch", "--configfile", MINIMAL)
    assert jobs["score_samples"] == 1 and "train_model" not in jobs
    # Of the paper's comparisons those that see eps 8, three of which are figures.
    experiments = yaml.safe_load((finished / "paper/experiments.yaml").read_text())
    sides = [(c["a"], c["b"]) for c in experiments["comparisons"].values()]
    seen = sum("eps8" in (a["privacy"], b["privacy"]) for a, b in sides)
    assert jobs["compare_selections"] == seen >= 6 and jobs["plot_figure"] == 3
    assert "retrain_pruned" not in jobs


def test_report_holds_figures_table_scorecard_and_ledger(finished):
    snakemake(finished, "--configfile", MINIMAL, "--report", "report.html")
    report = (finished / "report.html").read_text()
    for part in ("figure10.png", "table1.html", "scorecard.html", "full_ledger.html", "index.html"):
        assert part in report
    assert r"href=\"results/index.html\"" in report


def test_the_page_says_what_was_found_and_shows_samples(finished):
    page = (finished / "results/index.html").read_text()
    scorecard = pd.read_csv(finished / "results/scorecard.csv")
    assert scorecard["id"].map(lambda name: f'id="{name}"' in page).all()
    tested = (scorecard["verdict"] != "not run").sum()
    assert f"Of {tested} claims of the paper that were tested" in page
    for section in ("accuracy", "table1", "free", "federation", "audit", "ledgers", "gallery"):
        assert f'<section id="{section}"' in page
    assert len(page.encode()) < 3e6 and 'id="part:digits/run0"' in page
    # What no table says is kept beside them: the page can be written again.
    facts = json.loads((finished / "results/study.json").read_text())
    assert facts["made"]["torch"] and any(c["rule"] == "train_model" for c in facts["costs"])
    # Without images there is neither a gallery nor a figure that shows some.
    snakemake(finished, "index", "--configfile", MINIMAL, "--config", "report={images: none}")
    page = (finished / "results/index.html").read_text()
    assert 'id="samples"' not in page and 'id="figure6"' not in page
    assert 'id="figure3"' in page


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("sede=1", "config: top level: unknown key 'sede'"),
        ("grid={seeds: 3}", "config: grid.seeds: 3 is a number, but must be a list"),
        ("grid={privacy: [eps0]}", "config: grid.privacy.0: 'eps0' is not allowed"),
        ("grid={models: [vgg]}", "config: grid.models: 'vgg' is not known; allowed are resnet9"),
        (
            "comparisons={fig6: {dataset: digits, a: &a {model: resnet9, privacy: eps4, score: "
            "vog}, b: *a}}",
            "config: comparisons.fig6: the paper's experiments have one of this name",
        ),
        (
            "substitutes={classes: {bird: '11'}}",
            "config: substitutes.classes.bird: data set digits has no class '11'; allowed are 0",
        ),
        (
            "datasets={digits: {mean: [78]}}",
            "config: datasets.digits.mean.0: must be in units of 0 to 1, not 0 to 255, but is 78",
        ),
    ],
)
def test_a_wrong_config_is_one_line_before_any_job(checkout, tmp_path, override, expected):
    key, value = override.split("=", 1)
    overlay = tmp_path / "wrong.yaml"
    overlay.write_text(f"{key}: {value}\n")
    output = snakemake(checkout, "--dry-run", "--configfile", str(overlay), check=False)
    lines = [line for line in output.splitlines() if line.startswith("config: ")]
    assert len(lines) == 1 and lines[0].startswith(expected), output
    assert "Traceback" not in output and "rule " not in output


def test_a_key_that_is_given_twice_is_one_line_before_any_job(checkout, tmp_path):
    overlay = tmp_path / "twice.yaml"
    overlay.write_text("grid: {seeds: [1]}\ngrid: {seeds: [2]}\n")
    output = snakemake(checkout, "--dry-run", "--configfile", str(overlay), check=False)
    assert "twice.yaml: grid: given twice, in lines 1 and 2" in output
    assert "Traceback" not in output


def test_claims_that_are_not_about_their_experiments_stop_the_workflow(copy_checkout):
    folder = copy_checkout(PARTS)
    experiments = folder / "paper/experiments.yaml"
    before = "a: { model: resnet18, privacy: eps1, score: vog }"
    text = experiments.read_text()
    assert before in text
    experiments.write_text(text.replace(before, before.replace("eps1", "eps4"), 1))
    output = snakemake(folder, "--dry-run", check=False)
    assert "claims.csv: fig6-ssim: setting_a is 'eps1', but comparisons.fig6 of" in output
    assert "Traceback" not in output


def test_own_comparisons_and_figures_are_targets(checkout, tmp_path):
    overlay = tmp_path / "own.yaml"
    overlay.write_text(
        """
comparisons:
  widths:
    dataset: digits
    a: { model: resnet9, privacy: eps4, score: plis }
    b: { model: resnet18, privacy: eps4, score: plis }
figures:
  two-widths: { kind: pair, title: Two models, comparison: widths }
"""
    )
    jobs = planned(checkout, "two-widths", "--configfile", str(overlay))
    assert jobs["train_model"] == 4 and jobs["compare_selections"] == jobs["plot_figure"] == 1


def test_numbers_on_the_command_line_are_numbers(checkout):
    jobs = planned(checkout, "figure6", "--config", "grid={seeds: [0, 1, 2]}", "selection={k: 9}")
    assert jobs["train_model"] == 6


def test_a_figure_that_is_not_run_says_why(checkout, tmp_path):
    overlay = tmp_path / "left-out.yaml"
    overlay.write_text("substitutes: {datasets: {pppd: null}}\n")
    output = snakemake(checkout, "--dry-run", "figure7", "--configfile", str(overlay), check=False)
    assert "figure7 shows settings that this config does not train" in output


def test_a_federation_by_averages_accounts_for_each_site(finished):
    seed = finished / "results/federation/mixed/seed0"
    sites = pd.read_csv(seed / "sites.csv")
    executed = json.loads((seed / "site_events.json").read_text())
    events = [executed[f"site{number}"]["events"][0] for number in sites["site"]]
    assert [event["samples"] for event in events] == sites["images"].tolist()
    model = json.loads((seed / "events.json").read_text())["events"][0]
    assert {event["noise_multiplier"] for event in events} == {model["noise_multiplier"]}
    promised = pd.read_csv(seed / "guarantees.csv").set_index(["site", "hides"])
    assert set(promised["trusts"]) == {"nobody but itself"}
    # Site 4 holds every sample three times, and its groups are these three.
    sample, group = promised.loc[(4, "sample")], promised.loc[(4, "group")]
    assert group["members"] == 3 and group["training"] > sample["training"]
    assert sample["training"] <= 8 and group["report"] == pytest.approx(4)
    found = pd.read_csv(finished / "results/federation/summary.csv")
    assert {"person", "patient"} < set(found["rule"]) and "vog_query" in set(found["method"])
