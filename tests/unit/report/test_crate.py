"""A finished study as an RO-Crate, read back with the same library."""

import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from gradval.cli.main import main
from gradval.data.store import sha256_of
from gradval.report.crate import PAPER, write_crate
from gradval.report.study_page.facts import write_facts
from gradval.report.study_page.material import Material

rocrate = pytest.importorskip("rocrate.rocrate", reason="rocrate is not installed")
KEPT = Path(__file__).parents[3] / "docs" / "results" / "cifar10-small"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    shutil.copytree(KEPT, folder)
    (folder / "index.html").write_text("<p>a page with a gallery</p>")
    (folder / "cifar10").mkdir()
    for name in ("scores.parquet", "weights.safetensors", ".hidden.csv"):
        (folder / "cifar10" / name).write_bytes(name.encode())
    return folder


def test_a_crate_names_every_file_with_its_checksum(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["crate", str(study), "--licence", "CC-BY-4.0"]) == 0
    crate = rocrate.ROCrate(study)
    files = {entity.id: entity for entity in crate.data_entities}
    assert f"{len(files)} files" in capsys.readouterr().out
    expected = {
        path.relative_to(study).as_posix()
        for path in study.rglob("*")
        if path.is_file() and path.name not in ("weights.safetensors", ".hidden.csv")
    } - {"ro-crate-metadata.json"}
    assert set(files) == expected and "cifar10/scores.parquet" in expected
    for name in ("scorecard.csv", "figures/figure8.png"):
        assert files[name]["sha256"] == sha256_of(study / name)
    assert files["figures/figure8.png"]["encodingFormat"] == "image/png"
    assert crate.root_dataset["license"] == "CC-BY-4.0"
    assert crate.root_dataset["citation"].id == PAPER
    action = crate.root_dataset["mentions"]
    assert {entity.id for entity in action["result"]} == set(files)
    assert action["instrument"]["identifier"] == Material.of(KEPT).facts.made["Commit"]


def test_what_shows_private_samples_is_left_out(study: Path, tmp_path: Path) -> None:
    write_facts(study, replace(Material.of(study).facts, private=["cifar10"]))
    crate = write_crate(study, "CC-BY-4.0", weights=True, archive=tmp_path / "study.zip")
    assert {"index.html", "cifar10/scores.parquet", "cifar10/weights.safetensors"} < set(
        crate.left_out
    )
    assert "figures/figure8.png" in crate.left_out  # it shows images
    with zipfile.ZipFile(tmp_path / "study.zip") as archive:
        names = set(archive.namelist())
    assert "ro-crate-metadata.json" in names and "figures/learning_curves.png" in names
    assert not names & set(crate.left_out)


def test_an_unfinished_study_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "scorecard.md").touch()
    assert main(["crate", str(tmp_path), "--licence", "CC-BY-4.0"]) == 2
    assert "holds no finished study" in capsys.readouterr().err
