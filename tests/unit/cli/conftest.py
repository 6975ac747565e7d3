"""A site with images and checkpoints, made once for all tests of the command line."""

from pathlib import Path

import own_site
import pytest


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    own_site.write_images(folder / "images")
    (folder / "mine.py").write_text(own_site.MODEL_FILE)
    _, images, labels = own_site.read_images(folder / "images")
    own_site.write_checkpoints(folder, images, labels)
    return folder


@pytest.fixture(scope="session")
def command(site: Path) -> list[str]:
    """Arguments of a scoring of that site; `--out` is left to the test."""
    return [
        *("score", str(site / "images"), "--model", f"{site}/mine.py:build"),
        *("--checkpoints", f"{site}/ckpt_*.pt", "--size", str(own_site.SIZE), "--channels", "1"),
        *("--mean", str(own_site.MEAN), "--std", str(own_site.STD), "--device", "cpu"),
    ]
