"""The table of models tried, row by row: models of torchvision and timm as they come."""

import csv
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

ROOT = Path(__file__).parents[3]
TABLE = list(csv.DictReader((ROOT / "docs/performance/models_tried.csv").open(encoding="utf-8")))
# Larger ones take too long for a test; the benchmark tries them.
MOST_PARAMETERS = 12e6
ROWS = [row for row in TABLE if float(row["parameters"]) < MOST_PARAMETERS]


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    """The program that wrote the table."""
    folder = ROOT / "benchmarks"
    sys.path.insert(0, str(folder))
    try:
        spec = importlib.util.spec_from_file_location("models_tried", folder / "models_tried.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["models_tried"] = module
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(folder))


def test_the_table_holds_enough_and_every_row_agrees() -> None:
    libraries = [row["library"] for row in TABLE]
    assert libraries.count("torchvision") >= 15 and libraries.count("timm") >= 3
    assert {row["way"] for row in TABLE} >= {"rules", "vmap"}
    for row in TABLE:
        assert float(row["error_float32"]) < 1e-4, row["model"]
        assert float(row["error_float64"]) < 1e-9, row["model"]


@pytest.mark.filterwarnings("ignore:.*performance drop")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['library']}:{row['model']}")
def test_scores_equal_a_loop_in_float64(row: dict[str, str], benchmark: ModuleType) -> None:
    if row["library"] == "timm":
        pytest.importorskip("timm")
    (tried,) = (
        m for m in benchmark.MODELS if (m.library, m.name) == (row["library"], row["model"])
    )
    models = [benchmark.build(tried, seed) for seed in (0, 1)]
    images = torch.randn(
        2, 3, tried.image_size, tried.image_size, generator=torch.Generator().manual_seed(2)
    )
    labels = torch.tensor([0, 1])
    assert benchmark.way_of(tried, models[0], images) == row["way"]
    (error,) = benchmark.largest_errors(tried, models, images, labels, [torch.float32])
    assert error < 1e-4
