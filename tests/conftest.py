"""Settings of all tests, and copies of the checkout in which the workflow can run."""

import shutil
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run: a test passes or fails for what the code is, not for luck.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def copy_checkout(tmp_path_factory):
    """Function that copies parts of the checkout into a new folder and returns it.

    With `save_every`, trainings of the copy save their state after so many seconds.
    """

    def copy(parts, save_every=None):
        folder = tmp_path_factory.mktemp("checkout")
        for part in parts:
            source, target = ROOT / part, folder / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        if save_every is not None:
            resume = folder / "src/gradval/training/resume.py"
            text = resume.read_text()
            assert "SAVE_EVERY_SECONDS, MOST_STRETCH = 60.0," in text
            resume.write_text(text.replace("MOST_STRETCH = 60.0,", f"MOST_STRETCH = {save_every},"))
        return folder

    return copy
