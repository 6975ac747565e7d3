"""Scores of whole datasets as tables."""

import logging

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from gradval.scores import parts as module
from gradval.scores import score_samples
from gradval.scores.constant_answer import against_constant_answer
from gradval.scores.dataset import score_dataset

SCORES = ("loss", "grad_norm", "vog", "plis")


def build(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Softplus(), nn.Flatten())
    return model.append(nn.Linear(4 * 36, 3)).double()


@pytest.fixture
def samples() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(10, 3, 8, 8, dtype=torch.float64, generator=generator)
    return images, torch.arange(10) % 3


class Dictionaries(Dataset):
    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict[str, object]:
        return {"pixel_values": self.images[index], "label": int(self.labels[index]), "id": "x"}


@pytest.mark.parametrize("kind", ["tensors", "dataset", "shuffled loader", "dictionaries"])
def test_every_kind_of_dataset_gives_what_score_samples_gives(kind: str, samples) -> None:
    model, checkpoints = build(2), [build(0), build(1), build(2)]
    given = {
        "tensors": lambda: samples,
        "dataset": lambda: TensorDataset(*samples),
        "shuffled loader": lambda: DataLoader(TensorDataset(*samples), batch_size=3, shuffle=True),
        "dictionaries": lambda: Dictionaries(*samples),
    }[kind]()
    table = score_dataset(model, given, checkpoints, SCORES, batch_size=4)
    expected = score_samples(model, checkpoints, *samples, SCORES)
    for name in SCORES:
        np.testing.assert_allclose(table[name], expected[name], rtol=1e-9, err_msg=name)
    with torch.no_grad():
        np.testing.assert_array_equal(table["predicted"], model.eval()(samples[0]).argmax(1))
    assert table["label"].tolist() == samples[1].tolist()


def test_an_interrupted_call_goes_on_where_it_stopped(samples, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "LEAST_PART", 2)
    model, checkpoints = build(2), [build(0), build(2)]
    whole = score_dataset(model, samples, checkpoints, SCORES, batch_size=2)
    starts = []
    compute = module.compute_scores

    def counted(*arguments, **named):
        starts.append(named["first"])
        if len(starts) == 3:
            raise KeyboardInterrupt
        return compute(*arguments, **named)

    monkeypatch.setattr(module, "compute_scores", counted)
    resume = tmp_path / "parts"
    with pytest.raises(KeyboardInterrupt):
        score_dataset(model, samples, checkpoints, SCORES, batch_size=2, resume=resume)
    # Other weights find nothing that is theirs.
    other = score_dataset(build(5), samples, (), ("loss",), batch_size=2, resume=tmp_path / "other")
    resumed = score_dataset(model, samples, checkpoints, SCORES, batch_size=2, resume=resume)
    assert starts == [0, 2, 4, 0, 2, 4, 6, 8, 4, 6, 8]
    assert resumed.equals(whole) and not resume.exists()
    assert not np.allclose(other["loss"], whole["loss"])


def test_kept_parts_are_those_of_the_same_model_and_samples(samples, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module.Parts, "remove", lambda self: None)
    for model in (build(0), build(1)):
        for images in (samples[0], samples[0] + 1):
            for sigma in (1.0, 2.0):
                given = {"scores": ("loss", "plis"), "sigma": sigma}
                kept = score_dataset(model, (images, samples[1]), resume=tmp_path, **given)
                assert kept.equals(score_dataset(model, (images, samples[1]), **given))


def test_what_is_no_dataset_is_refused(samples) -> None:
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(())

    class Random(Dictionaries):
        def __getitem__(self, index):
            return torch.randn(3, 8, 8), 0

    class Ragged(Dictionaries):
        def __getitem__(self, index):
            return torch.zeros(3, 8, 8 + index), 0

    class Unlabelled(Dictionaries):
        def __getitem__(self, index):
            return {"image": self.images[index]}

    for given, said in (
        (Stream(), "map-style"),
        (3, "map-style"),
        (Random(*samples), "another image each time"),
        (Ragged(*samples), "cannot be put into a batch"),
        (Unlabelled(*samples), "keys image and label"),
        ((samples[0][:0], samples[1][:0]), "no samples"),
        ((samples[0], samples[1] + 1), "label of sample 2 is 3"),
    ):
        with pytest.raises(ValueError, match=said):
            score_dataset(build(0), given, scores=("loss",), batch_size=2)
    with pytest.raises(ValueError, match="vog needs at least 2 checkpoints, but there are 1"):
        score_dataset(build(0), samples, [build(1)])
    with pytest.raises(ValueError, match="10 samples, but 2 files"):
        score_dataset(build(0), samples, scores=("loss",), files=["a", "b"])


def test_a_model_that_knows_nothing_is_warned_of(samples, caplog) -> None:
    model = build(0)
    nn.init.zeros_(model[4].weight)
    with caplog.at_level(logging.WARNING, logger="gradval"):
        score_dataset(model, samples, scores=("grad_norm",))
    assert "no better than the constant answer" in caplog.text


def test_the_constant_answer_is_the_share_of_each_class() -> None:
    labels = np.array([0] * 75 + [1] * 25)
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    constant = -np.log(np.where(labels == 0, 0.75, 0.25))
    same = against_constant_answer(constant, np.zeros(100, int), labels)
    assert (same.accuracy, same.constant_accuracy, same.constant_label) == (0.75, 0.75, 0)
    assert same.constant_loss == pytest.approx(entropy) and not same.better
    # Always the larger class, but less sure where it is wrong.
    assert against_constant_answer(constant - 0.1, np.zeros(100, int), labels).better
    # Overconfident, yet right.
    assert against_constant_answer(constant + 1, labels, labels).better
    # Two more right of a hundred may be luck.
    lucky = np.where(np.arange(100) >= 98, 1, 0)
    assert not against_constant_answer(constant, lucky, labels).better
