"""State dicts as people have them."""

from argparse import Namespace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from gradval.models.checkpoint_files import find_checkpoints
from gradval.models.state_dicts import StateDicts, fitted, read_state_dict


def build() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))


@pytest.fixture
def weights() -> dict[str, Tensor]:
    torch.manual_seed(3)
    return {name: torch.randn(t.shape).to(t.dtype) for name, t in build().state_dict().items()}


def prefixed(prefix: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in weights.items()}


FORMS = {
    "plain": lambda w: w,
    "data parallel": lambda w: prefixed("module.", w),
    "compiled": lambda w: prefixed("_orig_mod.", w),
    "lightning": lambda w: {
        "epoch": 3,
        "state_dict": prefixed("model.", w) | {"criterion.weight": torch.ones(2)},
        "optimizer_states": [],
    },
    "lightning net": lambda w: {"state_dict": prefixed("net.backbone.", w)},
    "trainer": lambda w: {"model_state_dict": w, "optimizer_state_dict": {}, "loss": 0.5},
    "model key": lambda w: {"model": w, "epoch": 1},
    "with its average": lambda w: (
        prefixed("model.", w) | prefixed("ema.model.", {n: t * 0 for n, t in w.items()})
    ),
    "half precision": lambda w: {n: t.half() if t.is_floating_point() else t for n, t in w.items()},
    "without counters": lambda w: {n: t for n, t in w.items() if "num_batches" not in n},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_weights(
    form: str, weights: dict[str, Tensor], tmp_path: Path
) -> None:
    torch.save(FORMS[form](weights), tmp_path / "one.pt")
    (loaded,) = StateDicts([tmp_path / "one.pt"], build())
    for name, tensor in loaded.state_dict().items():
        if "num_batches" not in name:
            tolerance = 1e-3 if form == "half precision" else 0
            torch.testing.assert_close(tensor, weights[name], rtol=tolerance, atol=tolerance)


def test_safetensors_and_old_files_are_read(weights: dict[str, Tensor], tmp_path: Path) -> None:
    save_file(weights, tmp_path / "one.safetensors")
    torch.save(weights, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    for path in tmp_path.iterdir():
        read = read_state_dict(path)
        assert all(torch.equal(read[name], tensor) for name, tensor in weights.items())


def test_each_checkpoint_is_loaded_in_turn_and_again(
    weights: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / f"{i}.pt" for i in range(3)]
    for i, path in enumerate(paths):
        torch.save({n: t + i for n, t in weights.items()}, path)
    for kept in (2**30, 0):
        monkeypatch.setattr("gradval.models.state_dicts.KEPT_BYTES", kept)
        loaded = StateDicts(paths, build())
        for _ in range(2):
            seen = [module.state_dict()["3.bias"].clone() for module in loaded]
            for i, bias in enumerate(seen):
                torch.testing.assert_close(bias, weights["3.bias"] + i)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w: {n: t for n, t in w.items() if n != "0.bias"}, "without '0.bias' of the model"),
        (lambda w: w | {"4.bias": torch.ones(1)}, "has '4.bias', which the model has not"),
        (lambda w: w | {"3.bias": torch.ones(5)}, r"'3.bias' is \(5,\).* \(2,\).*--num-classes"),
        (lambda w: w | {"3.bias": torch.tensor([1, float("nan")])}, "'3.bias' is not finite"),
    ],
)
def test_what_does_not_fit_is_named(change, said, weights: dict[str, Tensor]) -> None:
    with pytest.raises(ValueError, match=f"^here: {said}"):
        fitted(change(weights), build(), "here")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"state_dict": {}, "hparams": Namespace(a=1)}, "Python objects .*Namespace"),
        ([1, 2], "must hold a state dict .* not a list"),
        ({"epoch": 1}, "must hold a state dict .* dict of epoch"),
    ],
)
def test_what_is_no_state_dict_is_refused(content, said: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "one.pt")
    with pytest.raises(ValueError, match=said):
        read_state_dict(tmp_path / "one.pt")


def test_names_are_sorted_as_people_count(tmp_path: Path) -> None:
    names = ["epoch=1.ckpt", "epoch=2.ckpt", "epoch=10.ckpt", "last.ckpt"]
    for name in names:
        (tmp_path / name).touch()
    found = find_checkpoints([f"{tmp_path}/*.ckpt", f"{tmp_path}/last.ckpt"])
    assert [path.name for path in found] == names
    with pytest.raises(ValueError, match=r"no file .*none"):
        find_checkpoints([f"{tmp_path}/none*"])
