"""Child processes find the bytecode that earlier ones have left."""

import os
import subprocess
import sys

import pytest

from gradval.runtime.bytecode import keep_bytecode


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A folder with a module in it, and an environment whose changes end with the test."""
    monkeypatch.setattr(os, "environ", {**os.environ, "PYTHONPATH": str(tmp_path)})
    os.environ.pop("PYTHONPYCACHEPREFIX", None)
    (tmp_path / "module.py").write_text("X = 1\n")
    return tmp_path


def compiled(folder):
    return sorted(path.relative_to(folder).name for path in folder.rglob("module.*.pyc"))


def import_module():
    subprocess.run([sys.executable, "-c", "import module"], check=True, env=os.environ)


def test_bytecode_is_kept_elsewhere_where_it_is_switched_off(source):
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    import_module()
    assert compiled(source) == []
    keep_bytecode(source / "kept")
    import_module()
    assert len(compiled(source / "kept")) == 1
    assert not (source / "__pycache__").exists()


def test_packages_that_cannot_be_written_have_their_bytecode_elsewhere(source, monkeypatch):
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    monkeypatch.setattr(os, "access", lambda *_: False)
    keep_bytecode(source / "kept")
    import_module()
    assert len(compiled(source / "kept")) == 1


def test_nothing_changes_where_python_keeps_it_by_itself(source, monkeypatch):
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    monkeypatch.setattr(os, "access", lambda *_: True)
    keep_bytecode(source / "kept")
    assert "PYTHONPYCACHEPREFIX" not in os.environ


def test_a_folder_that_was_chosen_stays(source):
    os.environ.update(PYTHONDONTWRITEBYTECODE="1", PYTHONPYCACHEPREFIX=str(source / "mine"))
    keep_bytecode(source / "kept")
    assert os.environ["PYTHONPYCACHEPREFIX"] == str(source / "mine")
