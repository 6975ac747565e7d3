"""How a script reports what went wrong."""

from pathlib import Path

import pytest

from gradval.runtime.jobs import job, job_name


def test_a_job_is_named_by_rule_and_wildcards():
    log = Path("logs/train_model/cifar10/resnet18/eps4/seed0/draw0/full.log")
    assert job_name(log) == "train_model cifar10/resnet18/eps4/seed0/draw0/full"
    assert job_name(Path("elsewhere/one.log")) == "one"


def test_bad_input_is_one_line_on_the_terminal_and_in_the_log(tmp_path, capsys):
    log = tmp_path / "logs/score/x.log"
    with pytest.raises(SystemExit), job(log):
        raise ValueError("so it is")
    start, error = log.read_text().splitlines()
    assert capsys.readouterr().err == "error: so it is (job score x)\n" == f"{error}\n"
    assert start.startswith("started within ")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (SystemExit("interrupted after step 3 of 9"), "interrupted after step 3 of 9 (job x)\n"),
        (KeyboardInterrupt(), "interrupted (job x)\n"),
    ],
)
def test_a_job_that_is_stopped_says_so_in_both_places(tmp_path, capsys, error, line):
    log = tmp_path / "x.log"
    with pytest.raises(SystemExit, match="1"), job(log):
        raise error
    _, last = log.read_text().splitlines()
    assert capsys.readouterr().err == line == f"{last}\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_that_holds_the_log_too_is_one_line(tmp_path, capsys):
    log = tmp_path / "x.log"
    log.symlink_to("/dev/full")
    with pytest.raises(SystemExit), job(log):
        raise OSError(28, "No space left on device", "weights.safetensors")
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1 and "No space left on device: 'weights.safetensors'" in errors
