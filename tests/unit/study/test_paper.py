"""The paper's claims against its experiments: whatever differs is an error that names both."""

import csv
import shutil

import pytest
import yaml
from study.configs import ROOT

from gradval.study.config_errors import ConfigError
from gradval.study.paper import read_claims, read_paper


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(ROOT / "paper", tmp_path / "paper")
    return tmp_path / "paper"


def change_experiment(folder, path, value):
    file = folder / "experiments.yaml"
    content = yaml.safe_load(file.read_text())
    *blocks, key = path.split(".")
    block = content
    for name in blocks:
        block = block[name]
    if value is None:
        del block[key]
    else:
        block[key] = value
    file.write_text(yaml.safe_dump(content))


def change_claim(folder, identifier, column, value):
    file = folder / "claims.csv"
    rows = read_claims(file)
    (row,) = (row for row in rows if row["id"] == identifier)
    row[column] = value
    with file.open("w", newline="") as target:
        writer = csv.DictWriter(target, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def complaint(folder):
    with pytest.raises(ConfigError) as error:
        read_paper(folder)
    text = str(error.value)
    assert "\n" not in text
    return text.removeprefix(f"{folder}/")


def test_the_papers_claims_are_about_its_experiments():
    paper = read_paper(ROOT / "paper")
    assert len(paper.claims) == 74 and len(paper.figures) == 10


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (
            "comparisons.fig6.a.privacy",
            "eps4",
            "claims.csv: fig6-ssim: setting_a is 'eps1', but comparisons.fig6 of experiments.yaml "
            "has 'eps4'",
        ),
        ("comparisons.fig6.b.score", "plis", "claims.csv: fig6-ssim: score_b is 'vog', but comp"),
        ("comparisons.fig6.dataset", "pppd", "claims.csv: fig6-ssim: dataset is 'cifar10', but"),
        (
            "comparisons.fig6.class",
            "bird",
            "claims.csv: fig6-ssim: subset is 'class airplane', but",
        ),
        ("comparisons.fig6.class", None, "claims.csv: fig6-ssim: subset is 'class airplane', but"),
        (
            "comparisons.fig6.end",
            "smallest",
            "claims.csv: fig6-ssim: subset is 'largest', but comp",
        ),
        (
            "comparisons.fig9.end",
            "largest",
            "claims.csv: fig9-ssim: subset is 'smallest', but comp",
        ),
        (
            "comparisons.fig2.b.model",
            "resnet18",
            "claims.csv: fig2-ssim: model is 'resnet101', but",
        ),
        ("comparisons.dp-vog.b.privacy", "eps8", "claims.csv: fig3: setting_b is 'eps4', but comp"),
        (
            "comparisons.dp-loss.class",
            "bird",
            "claims.csv: loss-pearson: subset is 'class all', bu",
        ),
        ("comparisons.fig8", None, "experiments.yaml: figures: there is no comparison 'fig8'"),
        (
            "comparisons.plis-eps4-eps8",
            None,
            "claims.csv: plis-eps-4-8: experiments.yaml has no comparison 'plis-eps4-eps8'",
        ),
        (
            "table1.model",
            "resnet9",
            "claims.csv: table1-loss-1: model is 'resnet18', but table1 of",
        ),
        ("table1.privacy", ["eps4", "eps8"], "claims.csv: table1-loss-1: table1.privacy of exper"),
        ("table1.scores", ["loss", "vog"], "claims.csv: table1-gradnorm-1: table1.scores of expe"),
        ("comparisons.fig6.a.colour", 1, "experiments.yaml: comparisons.fig6.a: unknown key 'colo"),
    ],
)
def test_an_experiment_that_is_not_its_claims_is_named(folder, path, value, expected):
    change_experiment(folder, path, value)
    assert complaint(folder).startswith(expected)


@pytest.mark.parametrize(
    ("identifier", "column", "value", "expected"),
    [
        ("fig6-ssim", "setting_a", "eps=4", "fig6-ssim: setting_a is 'eps4', but comparisons.fig6"),
        ("fig6-ssim", "source", "fig66", "fig6-ssim: experiments.yaml has no comparison 'fig66'"),
        ("fig3", "reference", "dp-los", "fig3: experiments.yaml has no comparison 'dp-los'"),
        ("fig6-ssim", "subset", "some", "the subset 'some' is not understood; it reads like"),
        (
            "table1-vog-4",
            "source",
            "loss/eps4",
            "table1-vog-4: score_a is 'vog', but the source loss/eps4 has 'loss'",
        ),
        ("table1-vog-4", "setting_a", "eps=8", "table1-vog-4: setting_a is 'eps8', but the source"),
        ("prune-time", "dataset", "pppd", "prune-time: dataset is 'pppd', but table1 of experim"),
        (
            "pppd-accuracy-gap",
            "source",
            "eps4|eps8",
            "pppd-accuracy-gap: setting_a is 'eps1', but the source eps4|eps8 has 'eps4'",
        ),
    ],
)
def test_a_claim_that_is_not_about_its_source_is_named(folder, identifier, column, value, expected):
    change_claim(folder, identifier, column, value)
    assert complaint(folder).removeprefix("claims.csv: ").startswith(expected)


def test_a_setting_that_the_paper_does_not_state_may_be_any(folder):
    change_claim(folder, "fig6-ssim", "setting_a", "")
    read_paper(folder)


def test_a_comparison_that_is_given_twice_is_named(folder):
    file = folder / "experiments.yaml"
    file.write_text(file.read_text().replace("  fig7:\n", "  fig6:\n"))
    assert complaint(folder).startswith("experiments.yaml: comparisons.fig6: given twice, in lines")
