"""Files of scores: what is written is read, and only scores of the same samples stand together."""

from pathlib import Path

import numpy as np
import pytest

from gradval.scores.files import read_score, read_scores, write_score

VALUES = np.array([1.0, 4.0, 2.0], dtype=np.float32)


def written(folder: Path, name: str, values: np.ndarray, ids: str = "abc") -> Path:
    path = folder / f"scores/{name}.parquet"
    write_score(path, np.array(list(ids)), np.array([0, 1, 0]), values, values / 4)
    return path


def test_scores_come_back_on_both_scales_in_their_type(tmp_path: Path) -> None:
    path = written(tmp_path, "vog", VALUES)
    for scale, expected in (("raw", VALUES), ("normalised", VALUES / 4)):
        found = read_score(path, scale)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected)


def test_scores_stand_side_by_side_by_name(tmp_path: Path) -> None:
    paths = [written(tmp_path, "vog", VALUES), written(tmp_path, "loss", VALUES + 1)]
    table = read_scores(paths, "normalised")
    assert list(table) == ["index", "id", "label", "vog", "loss"]
    assert table["loss"].tolist() == [0.5, 1.25, 0.75] and table["id"].tolist() == ["a", "b", "c"]


def test_scores_of_other_samples_are_refused(tmp_path: Path) -> None:
    paths = [written(tmp_path, "vog", VALUES), written(tmp_path, "loss", VALUES, ids="acb")]
    with pytest.raises(ValueError, match=r"loss.parquet and .*vog.parquet are not of the same"):
        read_scores(paths)
