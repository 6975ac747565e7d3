"""A digest changes with the code that a script runs, and with nothing else."""

import shutil
from pathlib import Path

import pytest

from gradval.runtime import code

ROOT = Path(__file__).parents[3]
SCRIPTS = ROOT / "workflow/scripts"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package that may be edited."""
    copy = tmp_path / "gradval"
    shutil.copytree(code.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "PACKAGE", copy)
    code._parse.cache_clear()
    yield copy
    code._parse.cache_clear()


def digests():
    code._parse.cache_clear()
    return {path.stem: code.code_digest(path) for path in sorted(SCRIPTS.glob("*.py"))}


def changed_by(path, text):
    before = digests()
    path.write_text(path.read_text() + text)
    after = digests()
    return {name for name in before if before[name] != after[name]}


def test_comments_do_not_count(package):
    assert changed_by(package / "data/store.py", "\n# A remark.\n") == set()


def test_vog_concerns_scoring_alone(package):
    assert changed_by(package / "scores/vog.py", "\nX = 1\n") == {"score_samples"}


def test_training_loop_concerns_training_alone(package):
    assert changed_by(package / "training/loop.py", "\nX = 1\n") == {
        "audit_training",
        "train_model",
        "retrain_pruned",
    }


def test_ghost_norms_concern_scores_and_training(package):
    assert changed_by(package / "ghost/conv.py", "\nX = 1\n") == {
        "audit_training",
        "score_samples",
        "train_model",
        "retrain_pruned",
    }


def test_figures_concern_only_what_is_drawn(package):
    assert changed_by(package / "report/figures/style.py", "\nX = 1\n") == {
        "compare_free_scores",
        "plot_figure",
        "plot_learning_curves",
        "build_table1",
    }


def test_the_store_concerns_everyone_who_reads_it(package):
    changed = changed_by(package / "data/store.py", "\nX = 1\n")
    assert {"prepare_dataset", "train_model", "score_samples", "compare_selections"} <= changed
    assert "build_scorecard" not in changed


def test_the_script_itself_counts(tmp_path):
    script = tmp_path / "a.py"
    script.write_text("import gradval.runtime.files\n")
    first = code.code_digest(script)
    script.write_text("import gradval.runtime.files\nX = 1\n")
    code._parse.cache_clear()
    assert code.code_digest(script) != first
