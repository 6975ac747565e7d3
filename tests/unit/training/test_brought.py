"""A model that was trained elsewhere leaves the files that a training leaves."""

from pathlib import Path

import own_site
import pandas as pd
import pytest
import torch

from gradval.data.store import Split, Store
from gradval.models.adopted import adopted_architecture
from gradval.models.architectures import model_for
from gradval.privacy.events import extended, read_events, training_event, write_events
from gradval.privacy.ledger import compose
from gradval.privacy.plan import PhasePlan
from gradval.runtime.files import read_json
from gradval.training.brought import adopt_model, events_stated
from gradval.training.checkpoints import Checkpoints, load_weights
from gradval.training.run import RunFiles

WRITTEN = ("weights", "checkpoints", "metrics", "summary", "timing", "events")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("brought")
    own_site.write_images(folder / "images")
    _, images, labels = own_site.read_images(folder / "images")
    own_site.write_checkpoints(folder, images, labels)
    (folder / "brought_model.py").write_text(own_site.MODEL_FILE)
    return folder


@pytest.fixture(scope="module")
def store(folder: Path) -> Store:
    files, images, labels = own_site.read_images(folder / "images")
    pixels = ((images * own_site.STD + own_site.MEAN) * 255).round().to(torch.uint8).numpy()
    split = Split(pixels, labels.numpy(), files)
    return Store("mine", own_site.CLASSES, (own_site.MEAN,), (own_site.STD,), split, split, {})


@pytest.fixture
def options(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """A model's options as the config gives them."""
    monkeypatch.setenv("GRADVAL_PLUGINS", str(folder))
    name = adopted_architecture("brought_model:build", {"width": 6})
    return {"architecture": name, "width": 64, "groups": 16}


def test_every_file_of_a_training_is_there_and_is_the_model(
    folder: Path, store: Store, options: dict[str, object], tmp_path: Path
) -> None:
    paths = [folder / f"ckpt_{step}.pt" for step in (2, 4, 6, 8, 10)]
    files = RunFiles.in_folder(tmp_path, checkpoints=True)
    adopt_model(store, paths, model_options=options, training="unknown", events=None, files=files)
    assert all(getattr(files, name).is_file() for name in WRITTEN)
    last = torch.load(paths[-1])
    weights = load_weights(files.weights)
    assert all(torch.equal(weights[name], last[name]) for name in last)
    model = model_for(store, options)
    second = next(iter(torch.load(paths[1]).values()))
    found = [
        next(iter(m.state_dict().values())).clone()
        for m in Checkpoints(tmp_path / "checkpoints.safetensors", model)
    ]
    assert len(found) == 5 and torch.equal(found[1], second)
    # Evaluated as it is scored: running statistics, not those of the batch.
    model.load_state_dict(weights)
    _, images, labels = own_site.read_images(folder / "images")
    with torch.no_grad():
        correct = (model.eval()(images.float()).argmax(1) == labels).float().mean().item()
    summary = read_json(files.summary)
    assert summary["test_accuracy"] == pytest.approx(correct) and summary["checkpoints"] == 5
    assert summary["sample_gradients"] == 0
    assert pd.read_csv(files.metrics)["test_accuracy"].iloc[-1] == pytest.approx(correct)
    assert read_events(files.events).noise_scale == 1


def test_what_a_user_states_is_what_the_ledger_says(store: Store, tmp_path: Path) -> None:
    def ledger(events, target):
        return compose(events, delta=1e-3, target_epsilon=target, accountants=["pld"])

    unknown = ledger(events_stated("unknown", store), None)
    assert not unknown["private"] and "how is not known" in unknown["notes"][0]
    public = ledger(events_stated("public", store), None)
    assert public["groups"][0]["epsilon"] == {"pld": 0} and "is public" in public["notes"][0]
    event = training_event(PhasePlan(24, 0.5, 10, 2.0), name="full", clipping_norm=1.0, secret=True)
    write_events(tmp_path / "events.json", extended(None, event))
    private = events_stated("private", store, tmp_path / "events.json")
    assert private.noise_scale == 2 and ledger(private, 8.0)["randomness"] == "secret"
    with pytest.raises(ValueError, match="exceeds target_epsilon"):
        ledger(private, 0.5)


def test_what_does_not_fit_is_one_line(
    folder: Path, store: Store, options: dict[str, object], tmp_path: Path
) -> None:
    event = training_event(PhasePlan(99, 0.5, 10, 2.0), name="full", clipping_norm=1.0)
    write_events(tmp_path / "events.json", extended(None, event))
    with pytest.raises(ValueError, match="on 99 images, but mine has 24"):
        events_stated("private", store, tmp_path / "events.json")
    plain = training_event(PhasePlan(24, 0.5, 10), name="full", clipping_norm=1.0)
    write_events(tmp_path / "plain.json", extended(None, plain))
    with pytest.raises(ValueError, match="must hold private trainings"):
        events_stated("private", store, tmp_path / "plain.json")
    files = RunFiles.in_folder(tmp_path / "run", checkpoints=True)
    with pytest.raises(ValueError, match="the only checkpoint; VoG needs at least two"):
        adopt_model(
            store, [folder / "ckpt_2.pt"], model_options=options, training="unknown",
            events=None, files=files,
        )  # fmt: skip
    wider = {**options, "architecture": adopted_architecture("brought_model:build", {"width": 8})}
    paths = [folder / "ckpt_2.pt", folder / "ckpt_4.pt"]
    with pytest.raises(ValueError, match=r"ckpt_2\.pt: '0\.weight' is"):
        adopt_model(store, paths, model_options=wider, training="unknown", events=None, files=files)
    assert not (tmp_path / "run").exists()
