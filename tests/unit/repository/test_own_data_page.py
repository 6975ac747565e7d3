"""The commands of docs/own-data.md do what the page says."""

import re
import shlex
from pathlib import Path

import own_site
import pytest

from gradval.cli.main import main

PAGE = Path(__file__).parents[3] / "docs" / "own-data.md"


def test_every_command_of_the_page_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own_site.write_images(tmp_path / "images")
    (tmp_path / "mine.py").write_text(own_site.MODEL_FILE)
    _, images, labels = own_site.read_images(tmp_path / "images")
    own_site.write_checkpoints(tmp_path, images, labels)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    commands = [line for block in blocks for line in block.splitlines() if line]
    assert len(commands) == 6
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "gradval"
        assert main(arguments) == 0, (command, capsys.readouterr().err)
    for file in (
        *("scores.csv", "scores.parquet", "run.json", "comparison.csv", "comparison.png"),
        *("sheet-plis.html", "released/loss.csv", "released/ledger.json"),
    ):
        assert (tmp_path / "scored" / file).is_file(), file
