"""Every command of README and documentation does what its page says, or would, were it not long."""

import pkgutil
import re
import runpy
import subprocess
from pathlib import Path

import own_site
import pytest
import yaml
from repository.documented import PAGES, ROOT, commands, configs, inline_commands, write_files
from snakemake.cli import get_argument_parser
from snakemake.utils import update_config

from gradval.cli import commands as cli
from gradval.cli.main import build_parser, main
from gradval.study.config import validate

DOCS = ROOT / "docs"
# What is a user's own machine's, and not ours to test.
OTHERS = {
    "cd",
    "git",
    "ls",
    "pip",
    "python",
    "python3",
    ".",
    "$EDITOR",
    "tmux",
    "squeue",
    "scancel",
}


def run(page: Path, capsys: pytest.CaptureFixture[str]) -> int:
    """Run every command of a page here, and return how many there were."""
    found = commands(page)
    for program, *arguments in found:
        if program == "python":
            runpy.run_path(arguments[0])
            continue
        assert program == "gradval"
        assert main(arguments) == 0, (arguments, capsys.readouterr().err)
    return len(found)


def test_the_tutorial_and_what_goes_on_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("tutorial.md", "own-score.md"):
        write_files(DOCS / name, tmp_path)
    assert run(DOCS / "tutorial.md", capsys) == 8
    said = capsys.readouterr().out
    assert "150 images" in said and "against the constant answer" in said
    assert "warning" not in said  # the model has learnt
    for file in ("scores.csv", "sheet-plis.html", "comparison.csv", "released/ledger.json"):
        assert (tmp_path / "scored" / file).is_file(), file
    assert run(DOCS / "own-score.md", capsys) == 2
    assert (tmp_path / "saliency/sheet-saliency.html").is_file()
    assert run(DOCS / "publishing.md", capsys) == 2


def test_the_commands_for_a_model_and_images_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own_site.write_images(tmp_path / "images")
    (tmp_path / "mine.py").write_text(own_site.MODEL_FILE)
    _, images, labels = own_site.read_images(tmp_path / "images")
    own_site.write_checkpoints(tmp_path, images, labels)
    monkeypatch.chdir(tmp_path)
    assert run(DOCS / "own-data.md", capsys) == 6
    for file in (
        *("scores.csv", "scores.parquet", "run.json", "comparison.csv", "comparison.png"),
        *("sheet-plis.html", "released/loss.csv", "released/ledger.json"),
    ):
        assert (tmp_path / "scored" / file).is_file(), file


@pytest.mark.parametrize("name", ["own-data.md", "own-score.md", "module.md"])
def test_every_config_that_is_shown_is_one(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADVAL_PLUGINS", str(tmp_path))
    write_files(DOCS / "own-score.md", tmp_path)
    (tmp_path / "my_score.py").write_text((tmp_path / "saliency.py").read_text())
    (tmp_path / "mine.py").write_text(own_site.MODEL_FILE)
    blocks = configs(DOCS / name)
    assert blocks
    for block in blocks:
        config = yaml.safe_load((ROOT / "config.yaml").read_text())
        update_config(config, block.get("gradval", block))
        study = validate(config)
        assert study.scores.plugins or study.models["mine"].checkpoints


def test_the_page_of_the_command_line_has_every_command() -> None:
    found = {module.name.replace("_", "-") for module in pkgutil.iter_modules(cli.__path__)}
    shown = re.findall(r"^<!-- help: ([\w-]+) -->$", (DOCS / "cli.md").read_text(), re.M)
    assert set(shown) == found and len(shown) == len(found)


def targets() -> set[str]:
    """What Snakemake can be asked for by name."""
    rules = [p.read_text() for p in (ROOT / "Snakefile", *(ROOT / "workflow/rules").glob("*.smk"))]
    named = {name for text in rules for name in re.findall(r"^rule (\w+):", text, re.M)}
    return named | set(yaml.safe_load((ROOT / "paper/experiments.yaml").read_text())["figures"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_is_one(page: Path) -> None:
    for program, *arguments in [*commands(page), *inline_commands(page)]:
        shown = " ".join([program, *arguments])
        if program == "gradval":
            assert build_parser().parse_args(arguments).run, shown
        elif program == "snakemake":
            options = get_argument_parser().parse_args(arguments)
            for config in options.configfile or []:
                # One of the reader's own is a copy, of a name that says so.
                own = Path(config).name.startswith(("my-", "site"))
                assert own or (ROOT / config).is_file(), shown
            for target in options.targets:
                assert target in targets() or target.startswith(("results/", "resources/")), shown
        elif program == "make":
            subprocess.run(["make", "-n", *arguments], cwd=ROOT, check=True, capture_output=True)
        else:
            assert program in OTHERS, shown
