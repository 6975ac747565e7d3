"""Kept evidence: what is written is read, and judged as before, on a small study."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from planted import comparisons_of

from gradval.evidence import Evidence, RunSetting, build_scorecard, read_claims
from gradval.evidence.kept import KeptStudy, read_kept, recompute_scorecard, write_kept
from gradval.evidence.levels import ScoreTable, levels_by_seed
from gradval.evidence.simulation import simulate_study

TABLE = next(path for path in Path(__file__).parents[3].glob("*/claims.csv"))


@pytest.fixture(scope="module")
def claims() -> pd.DataFrame:
    return read_claims(TABLE)


@pytest.fixture(scope="module")
def study(claims: pd.DataFrame) -> KeptStudy:
    rng = np.random.default_rng(0)
    rows, values = [], []
    for score, p, s, d in itertools.product(
        ("loss", "grad_norm", "vog", "plis"), ("nonprivate", "eps4"), range(5), range(2)
    ):
        rows.append(("resnet18", p, s, d, score))
        values.append(rng.normal(size=200).astype(np.float32))
    runs = pd.DataFrame(rows, columns=["model", "privacy", "seed", "draw", "score"])
    table = ScoreTable("cifar10", np.arange(200) % 4, runs, np.stack(values))
    simulated = simulate_study(claims, 1.0, 5, 2, rng)
    frames = {
        name: getattr(simulated, name) for name in ("statistics", "selections", "runs", "full")
    }
    actual = RunSetting("cifar10", "resnet18", "resnet18", "nonprivate", "eps4")
    kinds = ("removal", "accuracy", "saving", "overhead", "levels")
    context = dict.fromkeys([*comparisons_of(claims), *kinds], actual) | {"fig2": None}
    ids = {"cifar10": [f"{i:05d}.png" for i in range(200)]}
    return KeptStudy([table], frames, context, ids)


def test_recomputed_scorecard_is_the_same(
    study: KeptStudy, claims: pd.DataFrame, tmp_path: Path
) -> None:
    """The scorecard of the study, made without the kept files, and that of the files."""
    levels = levels_by_seed(study.scores[0])
    evidence = Evidence(**dict(study.tables), levels=levels)
    made = build_scorecard(claims, evidence, study.context)
    sizes = write_kept(study, tmp_path)
    pd.testing.assert_frame_equal(recompute_scorecard(tmp_path, claims), made)
    assert (made["verdict"] != "not run").sum() > 25 and made["n"].max() == 5
    # 80 vectors of 200 float32 are 64 kB; names and footers come on top.
    assert sizes["scores_cifar10.parquet"] < 120_000


def test_what_is_written_is_read(study: KeptStudy, tmp_path: Path) -> None:
    write_kept(study, tmp_path)
    back = read_kept(tmp_path)
    assert back.context == study.context and back.ids == study.ids
    np.testing.assert_array_equal(back.scores[0].values, study.scores[0].values)
    pd.testing.assert_frame_equal(back.scores[0].runs, study.scores[0].runs, check_dtype=False)
    for name, frame in study.tables.items():
        pd.testing.assert_frame_equal(back.tables[name], frame.reset_index(drop=True))


def test_other_scores_give_another_scorecard(
    study: KeptStudy, claims: pd.DataFrame, tmp_path: Path
) -> None:
    write_kept(study, tmp_path)
    before = recompute_scorecard(tmp_path, claims).set_index("id")
    changed = study.scores[0].values.copy()
    vog = (study.scores[0].runs["score"] == "vog").to_numpy()
    changed[vog] = changed[vog][0]  # every run has the same VoG
    table = ScoreTable("cifar10", study.scores[0].labels, study.scores[0].runs, changed)
    write_kept(KeptStudy([table], study.tables, study.context, study.ids), tmp_path)
    after = recompute_scorecard(tmp_path, claims).set_index("id")
    differ = before["ours"].ne(after["ours"]) & before["ours"].notna()
    assert {"vog-all-levels", "interaction"} <= set(differ[differ].index)
    assert after.loc["vog-all-levels", "ours"] == 0.0


def test_a_missing_file_is_named(study: KeptStudy, tmp_path: Path) -> None:
    write_kept(study, tmp_path)
    (tmp_path / "runs.parquet").unlink()
    with pytest.raises(FileNotFoundError, match=r"runs\.parquet"):
        read_kept(tmp_path)
