"""`gradval job`, `site` and `rank`: from a hospital's folder to a ranking, on the command line."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from gradval.cli.main import main
from gradval.federation.plans import AveragePlan, SumPlan, read_job
from gradval.federation.site_store import read_site
from gradval.privacy.accountants import SampledGaussian, epsilon

JOB = ["--sizes", "60,40", "--classes", "2", "--channels", "1", "--image-size", "8", "--width", "8",
       "--epsilon", "4", "--delta", "1e-3", "--batch-size", "20", "--epochs", "4",
       "--local-steps", "2"]  # fmt: skip


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("normal", "ill"):
        (tmp_path / "xrays" / name).mkdir(parents=True)
        for i in range(3):
            pixels = rng.integers(0, 256, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "xrays" / name / f"p{i}.png")
    return tmp_path / "xrays"


@pytest.mark.parametrize("method", ["sum", "average"])
def test_a_jobs_noise_keeps_the_epsilon_that_was_asked_for(tmp_path, capsys, method):
    path = tmp_path / "job.json"
    assert main(["job", str(path), "--method", method, *JOB]) == 0
    job, said = read_job(path), capsys.readouterr().out
    assert job.digest in said and "2 of 2 sites must answer" in said
    phase = job.plan.executed(job.plan.rounds)
    event = SampledGaussian(phase.sampling_rate, phase.noise_multiplier, phase.steps)
    assert 3.5 < epsilon([event], 1e-3) <= 4
    assert isinstance(job.plan, SumPlan if method == "sum" else AveragePlan)


def test_what_does_not_go_together_is_said(tmp_path, capsys):
    path = str(tmp_path / "job.json")
    assert main(["job", path, *JOB, "--least", "3"]) == 2
    assert "--least: 3, but there are 2 sites" in capsys.readouterr().err
    assert main(["job", path, *JOB, "--sizes", "ten,20"]) == 2
    assert "--sizes: must be whole numbers, not ten,20" in capsys.readouterr().err


def test_a_site_holds_its_images_and_the_job(tmp_path, images, capsys):
    path, out = tmp_path / "job.json", tmp_path / "site0"
    assert main(["job", str(path), *JOB]) == 0
    site = ["site", str(images), "--job", str(path), "--out", str(out)]
    assert main([*site, "--classes", "normal,ill"]) == 0
    held = read_site(out)
    assert held.images.shape == (6, 1, 8, 8) and sorted(held.labels) == [0, 0, 0, 1, 1, 1]
    assert held.job.digest == read_job(path).digest and out.stat().st_mode & 0o777 == 0o700
    capsys.readouterr()
    assert main([*site, "--classes", "normal,ill,other"]) == 2
    assert "3 classes (normal, ill, other), but the job is for 2" in capsys.readouterr().err


def test_sites_are_ranked_by_what_they_published(tmp_path, capsys):
    tables = []
    for site, mean in (("a", 1.0), ("b", 3.0), ("c", -0.5)):
        folder = tmp_path / site / "released"
        folder.mkdir(parents=True)
        counts = [10, 10] if site != "b" else [0, 20]
        rows = [
            ("mean", "mean", mean),
            *(("histogram", f"bin{i}", n) for i, n in enumerate(counts)),
        ]
        table = pd.DataFrame(rows, columns=["statistic", "key", "value"])
        table.to_csv(folder / "vog-statistics-1.csv", index=False)
        tables.append(str(folder / "vog-statistics-1.csv"))
    assert main(["rank", *tables, "--floor", "0", "--reward", "100"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["site", "published", "rank", "reward", "distance"]
    assert [line[0] for line in lines[1:]] == ["b", "a", "c"]
    assert [float(line[3]) for line in lines[1:]] == [75, 25, 0]
    assert float(lines[1][4]) > float(lines[2][4])
    assert main(["rank", tables[0], "--floor", "0"]) == 2
    pd.DataFrame({"x": [1]}).to_csv(tmp_path / "bad.csv", index=False)
    assert main(["rank", tables[0], str(tmp_path / "bad.csv"), "--floor", "0"]) == 2
    assert "no published mean" in capsys.readouterr().err
