"""`gradval score`, `sheet`, `compare` and `release` as somebody at a site uses them."""

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import own_site
import pandas as pd
import pytest
import torch

from gradval.cli.main import main
from gradval.scores.results import read_results

RUN = [sys.executable, "-m", "gradval"]


@pytest.fixture(scope="module")
def scored(command: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scored") / "out"
    assert main([*command, "--out", str(out)]) == 0
    return out


def refused(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    """The one line of a command that refuses its input."""
    try:
        code = main(arguments)
    except SystemExit as request:
        code = request.code
    said = capsys.readouterr().err.splitlines()
    assert code == 2, said
    lines = [line for line in said if line.startswith("error: ")]
    assert len(lines) == 1 and said[-1] == lines[0], said
    return lines[0]


def test_scores_are_those_of_a_loop_in_double_precision(site: Path, scored: Path) -> None:
    names, images, labels = own_site.read_images(site / "images")
    paths = [site / f"ckpt_{step}.pt" for step in (2, 4, 6, 8, 10)]
    table = read_results(scored).table
    assert table["file"].tolist() == names
    assert table["label"].tolist() == [own_site.CLASSES[i] for i in labels]
    for name, expected in own_site.expected_scores(paths, images, labels).items():
        np.testing.assert_allclose(table[name], expected, rtol=1e-4, atol=1e-6, err_msg=name)
        for class_name in own_site.CLASSES:
            normalised = table.loc[table["label"] == class_name, f"{name}_normalised"]
            assert (normalised.min(), normalised.max()) == (0, 1)


def test_scores_for_comparison_know_the_constants_of_the_images(
    site: Path, command: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    chosen = ["--scores", "el2n,tracin,brightness", "--out", str(out)]
    assert main([*command, *chosen, "--score-options", '{"el2n": {"checkpoints": "all"}}']) == 0
    table = read_results(out).table
    options = json.loads((out / "run.json").read_text())["scores"]
    assert options["el2n"] == {"checkpoints": "all"}
    assert len(options["brightness"]["mean"]) == len(options["brightness"]["std"]) > 0
    # In units of 0 to 1, whatever the model sees.
    assert table["brightness"].between(0, 1).all() and table["brightness"].std() > 0
    assert table["el2n"].between(0, 2**0.5).all() and (table["tracin"] > 0).all()
    assert main([*command, *chosen, "--score-options", '{"el2n": {"checkpoints": "all"}}']) == 0


def test_the_table_is_the_same_as_text_and_for_its_owner_alone(scored: Path) -> None:
    results = read_results(scored)
    text = pd.read_csv(scored / "scores.csv")
    assert list(text) == list(results.table)
    for name in results.scores:
        np.testing.assert_allclose(text[name], results.table[name], rtol=1e-6)
    for name in ("scores.csv", "scores.parquet"):
        assert stat.S_IMODE((scored / name).stat().st_mode) == 0o600
    assert {path.name for path in scored.iterdir()} >= {"scores.csv", "scores.parquet", "run.json"}
    assert not (scored / ".unfinished").exists()
    made = json.loads((scored / "run.json").read_text())
    files = [Path(item["file"]).name for item in made["model"]["checkpoints"]]
    assert files == ["ckpt_2.pt", "ckpt_4.pt", "ckpt_6.pt", "ckpt_8.pt", "ckpt_10.pt"]


def test_the_same_question_again_computes_nothing_and_another_is_refused(
    command: list[str], scored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (scored / "scores.parquet").stat().st_mtime_ns
    assert main([*command, "--out", str(scored)]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert (scored / "scores.parquet").stat().st_mtime_ns == before
    line = refused(capsys, [*command, "--sigma", "2", "--out", str(scored)])
    assert "sigma" in line and "--overwrite" in line


def test_a_killed_scoring_goes_on_with_the_same_bits(
    command: list[str], scored: Path, tmp_path: Path
) -> None:
    # A score of its own that kills the process at the second part, the first time.
    (tmp_path / "deadly.py").write_text(
        "import os, signal\n"
        "from pathlib import Path\n"
        "from gradval.scores.registry import Score\n"
        "def f(context, options):\n"
        "    flag = Path(os.environ['FLAG'])\n"
        "    with Path(os.environ['SEEN']).open('a') as seen:\n"
        "        print(context.first, file=seen)\n"
        "    if context.first and not flag.exists():\n"
        "        flag.touch()\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return context.losses\n"
        "SCORE = Score(f, order=0)\n"
    )
    environment = os.environ | {"FLAG": str(tmp_path / "flag"), "SEEN": str(tmp_path / "seen")}
    arguments = [
        *RUN,
        *command,
        *("--scores", "loss,grad_norm,vog,plis,deadly", "--batch-size", "8"),
        *("--out", str(tmp_path / "out")),
    ]
    patched = [sys.executable, "-c", PARTS_OF_8, *arguments[3:]]
    first = subprocess.run(patched, cwd=tmp_path, env=environment, capture_output=True)
    assert first.returncode == -9 and not (tmp_path / "out" / "run.json").exists()
    again = subprocess.run(patched, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    # The first part was not computed again.
    assert (tmp_path / "seen").read_text().split() == ["0", "8", "8", "16"]
    resumed, whole = read_results(tmp_path / "out").table, read_results(scored).table
    np.testing.assert_array_equal(resumed["deadly"], resumed["loss"])
    for name in ("loss", "grad_norm", "vog", "plis"):
        # The other one was scored in batches of another size.
        np.testing.assert_allclose(resumed[name], whole[name], rtol=1e-5, atol=1e-7)


PARTS_OF_8 = (
    "import sys; from gradval.scores import parts; parts.LEAST_PART = 8; "
    "from gradval.cli.main import main; sys.exit(main())"
)


def test_bad_input_ends_in_one_line(
    command: list[str], site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"0.weight": torch.ones(2)}, tmp_path / "short.pt")
    torch.save(own_site.build(), tmp_path / "pickled.pt")
    (tmp_path / "broken.pt").write_bytes(b"PK\x03\x04 nothing")
    (tmp_path / "raises.py").write_text("def build(num_classes):\n    return 1 / 0\n")
    out = ["--out", str(tmp_path / "out")]
    for changes, said in (
        (["--checkpoints", f"{tmp_path}/none_*.pt"], "no file .*none_"),
        (["--checkpoints", f"{tmp_path}/short.pt"], "without '0.weight'|without '1.weight'"),
        (["--checkpoints", f"{tmp_path}/pickled.pt"], r"Python objects .*state_dict\(\)"),
        (["--checkpoints", f"{tmp_path}/broken.pt"], "broken.pt: not a readable"),
        (["--checkpoints", f"{site}/ckpt_2.pt"], "vog needs at least 2 checkpoints"),
        (["--num-classes", "3"], r"'5.weight' is \(2, 24\).*\(3, 24\).*--num-classes"),
        (["--model", "torchvision:resnet81"], "no such classifier; did you mean 'resnet"),
        (["--model", "nowhere.models:build"], "nowhere.models"),
        (["--model", f"{tmp_path}/raises.py:build"], "ZeroDivisionError.*raises.py, line 2"),
        (["--model", f"{tmp_path}/raises.py:bild"], "has no 'bild'"),
        (["--model-args", "{"], "not JSON"),
        (["--scores", "lose"], "unknown score 'lose'; did you mean 'loss'"),
        (["--mean", "125"], "units of 0"),
        (["--device", "tpu"], "device 'tpu'"),
        (["--size", "0"], "at least 1"),
        (["--classes", "cat,cow"], "class 'dog' is not among cat, cow"),
        (["--split", "test"], "no images in test"),
    ):
        assert re.search(said, refused(capsys, [*command, *changes, *out])), changes
    assert "no-such-folder" in refused(capsys, ["score", "no-such-folder", *command[2:], *out])
    assert "holds no finished scores" in refused(capsys, ["sheet", str(tmp_path)])


def test_a_model_that_has_learnt_nothing_is_told_of(
    command: list[str], site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = own_site.build()
    torch.nn.init.zeros_(model[5].weight)
    torch.nn.init.zeros_(model[5].bias)
    torch.save(model.state_dict(), tmp_path / "constant.pt")
    arguments = [*command, "--checkpoints", f"{tmp_path}/constant.pt", "--scores", "loss"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    assert "warning: the final model is no better than the constant" in capsys.readouterr().out
    assert main(["sheet", str(tmp_path / "out")]) == 0
    page = (tmp_path / "out" / "sheet-loss.html").read_text()
    assert "no better than the constant answer" in page


def test_a_model_that_has_learnt_is_not_warned_of(scored: Path) -> None:
    made = read_results(scored).run["constant_answer"]
    assert made["better"] and made["constant_accuracy"] == 0.5


def test_the_sheet_shows_file_and_score_under_each_image(
    scored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sheet", str(scored), "--by", "vog", "--class", "dog", "--k", "3"]) == 0
    table = read_results(scored).table
    dogs = table[table["label"] == "dog"].sort_values("vog")
    rows = pd.read_csv(scored / "sheet-vog-dog.csv")
    assert rows["file"].tolist() == [*dogs["file"][::-1][:3], *dogs["file"][:3]]
    page = (scored / "sheet-vog-dog.html").read_text()
    shown = re.findall(r"<figcaption><b>(\d)\. (\S+)</b>.*?<br>\n(\S+)<br>", page)
    expected = [
        (str(row.rank), f"{row.score:.4g}", row.file.split("/")[1]) for row in rows.itertuples()
    ]
    assert shown == expected
    assert len(re.findall(r'<img src="data:image/png;base64,', page)) == 6
    assert "http" not in page
    for suffix in ("html", "png", "csv"):
        assert stat.S_IMODE((scored / f"sheet-vog-dog.{suffix}").stat().st_mode) == 0o600
    assert "no score 'vig'" in refused(capsys, ["sheet", str(scored), "--by", "vig"])
    assert "no class 'cow'" in refused(capsys, ["sheet", str(scored), "--class", "cow"])


def test_a_scoring_agrees_with_itself_and_less_with_another(
    command: list[str], site: Path, scored: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    early = [str(site / f"ckpt_{step}.pt") for step in (2, 4)]
    arguments = [*command, "--checkpoints", *early, "--scores", "loss,vog", "--out", str(other)]
    assert main(arguments) == 0
    assert main(["compare", str(scored), str(scored), "--out", str(tmp_path / "same")]) == 0
    same = pd.read_csv(tmp_path / "same" / "comparison.csv").set_index(["score", "statistic"])
    assert same.loc[("loss", "overlap"), "value"] == 6
    assert same.loc[("vog", "spearman"), "value"] == pytest.approx(1)
    # Of 24 samples 6 are selected: 6 * 6 / 24 by chance.
    assert same.loc[("loss", "overlap"), "chance"] == pytest.approx(1.5)
    assert main(["compare", str(scored), str(other), "--out", str(tmp_path / "two")]) == 0
    two = pd.read_csv(tmp_path / "two" / "comparison.csv").set_index(["score", "statistic"])
    assert set(two.index.get_level_values(0)) == {"loss", "vog"}
    a, b = (read_results(folder).table["loss"] for folder in (scored, other))
    assert two.loc[("loss", "spearman"), "value"] == pytest.approx(a.corr(b, "spearman"))
    assert (tmp_path / "two" / "comparison.png").read_bytes().startswith(b"\x89PNG")
