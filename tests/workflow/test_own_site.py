"""A site with a model of its own, for whose workflow this one is a module."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest
from running import PARTS, snakemake

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
import own_site

SNAKEFILE = """
configfile: "site.yaml"

module gradval:
    snakefile: "checkout/Snakefile"
    config: config["valuation"]

use rule * from gradval

rule all_of_it:
    default_target: True
    input:
        "results/runs/full_ledger.html",
        "results/figures/most.png",
        "results/mine/mine/nonprivate/seed0/draw0/full/scores/contrast.parquet",
"""
CONFIG = """
valuation:
  grid: { datasets: [mine], models: [mine], privacy: [nonprivate], seeds: [0] }
  datasets:
    mine:
      source: folder
      path: images
      test_fraction: 0.25
      split_seed: 0
      image_size: 8
      channels: 1
      mean: [0.4]
      std: [0.2]
      delta: 1.0e-3
  models:
    mine:
      architecture: mine.py:build
      arguments: { width: 6 }
      checkpoints: { files: ["ckpt_*.pt"], training: unknown }
  scores: { plugins: [contrast] }
  selection: { k: 5 }
  figures:
    most:
      kind: extremes
      title: Most
      dataset: mine
      model: mine
      privacy: nonprivate
      score: vog
"""
CONTRAST = """
from gradval.scores.registry import Score

def contrast(context, options):
    return context.images.flatten(1).std(1)

SCORE = Score(contrast, order=0)
"""
RUN = "results/mine/mine/nonprivate/seed0/draw0/full"


@pytest.fixture(scope="module")
def site(copy_checkout, tmp_path_factory):
    """A workflow that has this one as a module; its own model is not trained but scored."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "checkout").symlink_to(copy_checkout(PARTS))
    own_site.write_images(folder / "images")
    _, images, labels = own_site.read_images(folder / "images")
    own_site.write_checkpoints(folder, images, labels)
    for name, text in {
        "Snakefile": SNAKEFILE,
        "site.yaml": CONFIG,
        "mine.py": own_site.MODEL_FILE,
        "contrast.py": CONTRAST,
    }.items():
        (folder / name).write_text(text)
    return folder


def test_own_checkpoints_are_scored_in_a_module_of_an_own_workflow(site: Path) -> None:
    snakemake(site)
    run = site / RUN
    table = pd.read_parquet(run / "scores/vog.parquet")
    files, images, labels = own_site.read_images(site / "images")
    paths = [site / f"ckpt_{step}.pt" for step in (2, 4, 6, 8, 10)]
    expected = own_site.expected_scores(paths, images, labels)["vog"]
    by_file = dict(zip(files, expected.tolist(), strict=True))
    assert len(table) == 18
    assert list(table["value"]) == pytest.approx([by_file[i] for i in table["id"]], rel=1e-4)
    assert (run / "scores/contrast.parquet").is_file()
    assert json.loads((run / "events.json").read_text())["events"][0]["phase"] == "unknown training"
    ledger = json.loads((run / "ledger.json").read_text())
    assert not ledger["private"] and "how is not known" in ledger["notes"][0]
    assert pd.read_csv(site / "results/runs/full.csv")["checkpoints"].tolist() == [5]
