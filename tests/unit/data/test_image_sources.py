"""Images in folders, tar archives and official layouts: what is read, and how bad data is named."""

import hashlib
import io
import os
import pickle
import resource
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gradval.data.class_names import CIFAR10
from gradval.data.sources import decoding, load_source
from gradval.data.sources.modes import BadImage, PixelRules
from gradval.data.store import Store, open_store, write_store

OPTIONS = {
    "source": "folder",
    "image_size": 8,
    "channels": 3,
    "resize": "squash",
    "on_bad_image": "fail",
    "on_duplicate": "fail",
    "mean": [0.5] * 3,
    "std": [0.25] * 3,
    "subset_seed": 0,
}


def pixels(seed: int, size: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


def save(path: Path, array: np.ndarray, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Four training and two test images of each of two classes, as PNG files."""
    root = tmp_path / "images"
    for seed, (split, name, i) in enumerate(
        (split, name, i)
        for split, count in (("train", 4), ("test", 2))
        for name in ("cat", "dog")
        for i in range(count)
    ):
        save(root / split / name / f"{i}.png", pixels(seed))
    return root


def decode(content: bytes, channels: int, size: int, resize: str) -> tuple[np.ndarray, bool]:
    decoded = decoding.decode(content, size, resize, PixelRules(channels))
    return decoded.pixels, decoded.resized


def load(path: Path, **options: object) -> Store:
    return load_source("mine", OPTIONS | {"path": str(path)} | options, path.parent / "scratch")


def pack(folder: Path, name: str, prefix: str = "") -> Path:
    archive = folder.parent / name
    with tarfile.open(archive, "w:gz" if name.endswith("gz") else "w") as tar:
        # Against the alphabet, and with a top folder: neither may matter.
        for path in sorted(folder.rglob("*"), reverse=True):
            tar.add(path, prefix + path.relative_to(folder).as_posix(), recursive=False)
    return archive


def test_a_folder_becomes_the_very_pixels_with_ids_that_lead_back(images: Path) -> None:
    store = load(images)
    assert store.classes == ("cat", "dog")
    assert store.train.labels.tolist() == [0] * 4 + [1] * 4
    assert store.test.labels.tolist() == [0, 0, 1, 1]
    for split in (store.train, store.test):
        for image, name in zip(split.images, split.ids, strict=True):
            np.testing.assert_array_equal(
                image.transpose(1, 2, 0), np.asarray(Image.open(images / name))
            )
    write_store(store, images.parent / "store")
    np.testing.assert_array_equal(
        open_store(images.parent / "store").train.images, store.train.images
    )


@pytest.mark.parametrize("name", ["images.tar", "images.tar.gz"])
@pytest.mark.parametrize("prefix", ["", "./", "top/"])
def test_an_archive_is_read_like_the_folder(images: Path, name: str, prefix: str) -> None:
    (images / "README.txt").write_text("not an image")
    (images / "train/cat/.DS_Store").write_bytes(b"x")
    folder, archive = load(images), load(pack(images, name, prefix))
    for split in ("train", "test"):
        a, b = getattr(folder, split), getattr(archive, split)
        np.testing.assert_array_equal(a.images, b.images)
        np.testing.assert_array_equal(a.labels, b.labels)
        assert [i.removeprefix("top/") for i in b.ids] == list(a.ids)


def test_nothing_is_left_in_the_scratch_folder(images: Path) -> None:
    store = load(images)
    assert not any((images.parent / "scratch").iterdir())
    assert store.train.images.any()


def encoded(array: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind)
    return buffer.getvalue()


def test_grey_colour_and_sixteen_bit_images() -> None:
    colour = pixels(0)
    grey = colour[:, :, 0]
    result, resized = decode(encoded(colour), 3, 8, "squash")
    np.testing.assert_array_equal(result, colour.transpose(2, 0, 1))
    assert not resized
    np.testing.assert_array_equal(decode(encoded(grey), 3, 8, "squash")[0], np.stack([grey] * 3))
    np.testing.assert_array_equal(decode(encoded(grey), 1, 8, "squash")[0], grey[None])
    # The weights of ITU-R 601, as Pillow documents them.
    luma = colour @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(decode(encoded(colour), 1, 8, "squash")[0][0], luma, atol=1)
    deep = grey.astype(np.uint16) * 257
    np.testing.assert_array_equal(decode(encoded(deep), 1, 8, "squash")[0], grey[None])
    jpeg, _ = decode(encoded(np.full((8, 8, 3), 90, np.uint8), "JPEG"), 3, 8, "squash")
    assert np.abs(jpeg.astype(int) - 90).max() <= 1


def test_squash_keeps_all_and_crop_keeps_the_middle() -> None:
    wide = np.zeros((8, 32, 3), np.uint8)
    wide[:, 12:20] = 255
    cropped, resized = decode(encoded(wide), 3, 8, "crop")
    assert resized and (cropped == 255).all()
    squashed, _ = decode(encoded(wide), 3, 8, "squash")
    assert abs(squashed.mean() / 255 - 0.25) < 0.01


def test_a_turned_photograph_is_set_upright() -> None:
    array = np.zeros((8, 8, 3), np.uint8)
    array[0] = 255
    image, buffer = Image.fromarray(array), io.BytesIO()
    exif = image.getexif()
    exif[0x0112] = 3  # turned by 180 degrees
    image.save(buffer, "PNG", exif=exif)
    upright, _ = decode(buffer.getvalue(), 3, 8, "squash")
    assert upright[:, -1].min() == 255 and upright[:, :-1].max() == 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "an empty file"),
        (b"hello, I am text", "not an image"),
        (encoded(pixels(0, 64), "JPEG")[:900], "truncated"),
        (encoded(pixels(0, 64))[:2000], "truncated"),
    ],
)
def test_a_broken_file_is_a_bad_image(content: bytes, reason: str) -> None:
    with pytest.raises(BadImage, match=reason):
        decode(content, 3, 8, "squash")


def test_a_bad_image_is_named_or_skipped_and_counted(images: Path) -> None:
    expected = load(images)
    (images / "train/cat/1.png").write_bytes(encoded(pixels(0, 64))[:2000])
    (images / "train/dog/notes.txt").write_text("text")
    with pytest.raises(ValueError, match=r"datasets.mine: .*images: train/cat/1.png is not a r"):
        load(images)
    for path in (images, pack(images, "bad.tar.gz")):
        store = load(path, on_bad_image="skip")
        assert store.provenance["bad_images_skipped"] == 2
        assert (
            "train/dog/notes.txt: not an image of a format that is read"
            in store.provenance["bad_images"]
        )
        assert list(store.train.ids) == [i for i in expected.train.ids if i != "train/cat/1.png"]
        kept = [i for i, name in enumerate(expected.train.ids) if name != "train/cat/1.png"]
        np.testing.assert_array_equal(store.train.images, expected.train.images[kept])


def test_classes_must_be_in_both_splits_and_have_images(images: Path) -> None:
    save(images / "test/bird/0.png", pixels(99))
    with pytest.raises(ValueError, match="class 'bird' is in test but not in train"):
        load(images)
    (images / "train/bird").mkdir()
    with pytest.raises(ValueError, match="class 'bird' has no images in train"):
        load(pack(images, "empty.tar"))
    save(images / "train/bird/0.png", pixels(98))
    assert load(images).classes == ("bird", "cat", "dog")
    (images / "test/bird/0.png").unlink()
    with pytest.raises(ValueError, match="class 'bird' has no images in test"):
        load(images)


def test_a_class_of_bad_images_only_is_named(images: Path) -> None:
    for path in (images / "train/cat").iterdir():
        path.write_text("text")
    with pytest.raises(ValueError, match="data set mine, train split: class 'cat' has no images"):
        load(images, on_bad_image="skip")
    assert not (images.parent / "store").exists()


def test_duplicates_across_the_splits(images: Path) -> None:
    # The same pixels in another file format, and a repeat within the split.
    same = np.asarray(Image.open(images / "test/dog/1.png"))
    save(images / "train/cat/2.bmp", same)
    save(images / "train/dog/9.png", np.asarray(Image.open(images / "train/dog/0.png")))
    message = r"train/cat/2.bmp \(train\) and test/dog/1.png \(test\) are the same image"
    with pytest.raises(ValueError, match=message):
        load(images)
    kept, skipped = load(images, on_duplicate="keep"), load(images, on_duplicate="skip")
    assert len(kept.train) == 10 and len(skipped.train) == 9
    assert "train/cat/2.bmp" not in skipped.train.ids
    for store in (kept, skipped):
        assert store.provenance["duplicates_across_splits"] == 1
        assert store.provenance["duplicates_within_splits"] == {"train": 1, "test": 0}


def test_missing_and_damaged_data_are_named(images: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere: no such file or folder"):
        load(tmp_path / "nowhere")
    (tmp_path / "text.tar").write_text("text")
    with pytest.raises(ValueError, match=r"text.tar: neither a folder nor a tar or zip archive"):
        load(tmp_path / "text.tar")
    with pytest.raises(
        ValueError, match=r"images, but no folders, such as 0.png; expected are train"
    ):
        load(images / "train" / "cat")
    archive = pack(images, "cut.tar.gz")
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"cut.tar.gz: damaged archive"):
        load(archive)


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_a_damaged_byte_of_an_archive_never_loses_images_silently(
    images: Path, tmp_path: Path, suffix: str
) -> None:
    archive = tmp_path / f"images.{suffix}"
    kind = suffix.removeprefix("tar").removeprefix(".")
    with tarfile.open(archive, f"w:{kind}") as tar:  # type: ignore[call-overload]
        tar.add(images, "mine")
        members = tar.getmembers()
    assert len(load(archive).train) == 8
    content = bytearray(archive.read_bytes())
    # Of a plain archive the header in its middle; of a compressed one any byte is checked.
    place = members[len(members) // 2].offset + 5 if suffix == "tar" else len(content) // 2
    content[place] ^= 1
    archive.write_bytes(content)
    with pytest.raises(ValueError, match=rf"images.{suffix}: .*damaged") as error:
        load(archive)
    assert "\n" not in str(error.value)


def test_a_wrong_checksum_is_named(images: Path) -> None:
    archive = pack(images, "images.tar")
    right = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert len(load(archive, sha256=right).train) == 8
    with pytest.raises(ValueError, match=f"images.tar: wrong checksum, sha256 is {right}"):
        load(archive, sha256="0" * 64)


def test_a_subset_is_stratified_and_repeatable(images: Path) -> None:
    for i in range(4, 8):
        save(images / f"train/dog/{i}.png", pixels(100 + i))
    whole = load(images)
    draws = [load(images, train_images=6, test_images=2, subset_seed=s) for s in (0, 0, 1)]
    assert draws[0].train.ids == draws[1].train.ids != draws[2].train.ids
    for store in draws:
        assert np.bincount(store.train.labels).tolist() == [2, 4]
        assert np.bincount(store.test.labels).tolist() == [1, 1]
        where = [list(whole.train.ids).index(name) for name in store.train.ids]
        np.testing.assert_array_equal(store.train.images, whole.train.images[where])
    with pytest.raises(ValueError, match="train_images: 99 images are asked for, but there are 12"):
        load(images, train_images=99)


def test_a_test_split_is_drawn_where_there_is_none(images: Path) -> None:
    store = load(images / "train", test_fraction=0.25, split_seed=0)
    assert len(store.train) == 6 and len(store.test) == 2
    assert np.bincount(store.test.labels).tolist() == [1, 1]
    assert not set(store.train.ids) & set(store.test.ids)


def test_a_full_disk_is_named_and_leaves_nothing(images: Path, tmp_path: Path) -> None:
    for i in range(40):
        save(images / f"train/cat/big{i}.png", pixels(200 + i))
    program = f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, {resource.RLIM_INFINITY}))
from pathlib import Path
from gradval.data.sources import load_source
load_source("mine", {OPTIONS | {"path": str(images)}}, Path({str(tmp_path / "disk")!r}))
"""
    source = str(Path(__file__).parents[3] / "src")
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": source},
        capture_output=True,
        text=True,
    )
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert last.startswith("OSError") and "disk" in last and "MiB are needed for images" in last
    assert not any((tmp_path / "disk").iterdir())


def test_pppd_takes_the_kind_of_pneumonia_from_the_name(tmp_path: Path) -> None:
    root = tmp_path / "chest_xray"
    names = {
        "NORMAL/IM-0001.jpeg": 0,
        "PNEUMONIA/person1_bacteria_2.jpeg": 1,
        "PNEUMONIA/person3_virus_4.jpeg": 2,
    }
    for seed, split in enumerate(("train", "test", "val")):
        for i, name in enumerate(names):
            save(root / split / name, pixels(10 * seed + i, 16))
    options = {"source": "pppd", "channels": 1, "mean": [0.5], "std": [0.25]}
    for path in (tmp_path, pack(tmp_path, "../xray.tar")):
        store = load(path, **options)
        assert store.classes == ("normal", "bacterial", "viral")
        assert len(store.train) == len(store.test) == 3
        assert store.image_shape == (1, 8, 8) and store.provenance["resized_images"] == 6
        for name, label in zip(store.train.ids, store.train.labels, strict=True):
            assert label == names[name.split("train/")[1]]
    save(root / "train/PNEUMONIA/person5_fungus_6.jpeg", pixels(50))
    with pytest.raises(ValueError, match=r"person5_fungus_6.jpeg: the name must say bacteria or"):
        load(tmp_path, **options)


def test_cinic10_leaves_out_valid_and_counts_the_origins(tmp_path: Path) -> None:
    root, seed = tmp_path / "cinic", 0
    for split in ("train", "valid", "test"):
        for name in CIFAR10:
            for file in (f"cifar10-{split}-{seed}", f"n0208{seed:04d}_{seed}"):
                save(root / split / name / f"{file}.png", pixels(seed, 32))
                seed += 1
    store = load(root, source="cinic10", image_size=32)
    assert store.classes == CIFAR10 and len(store.train) == len(store.test) == 20
    assert store.provenance["images_by_origin"] == {"cifar10": 20, "imagenet": 20}
    save(root / "train/zebra/x.png", pixels(999))
    with pytest.raises(ValueError, match="class 'zebra' is unexpected; the classes are airplane"):
        load(root, source="cinic10", image_size=32)


@pytest.fixture
def official(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """CIFAR-10's official format with 60 random images, and torchvision told their checksums."""
    from torchvision.datasets import CIFAR10 as Official

    root = tmp_path / Official.base_folder
    root.mkdir()
    rng = np.random.default_rng(0)
    sums = {}
    for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
        content = {
            "data": rng.integers(0, 256, (10, 3072), dtype=np.uint8),
            "labels": list(range(10)),
        }
        (root / name).write_bytes(pickle.dumps(content))
    (root / "batches.meta").write_bytes(pickle.dumps({"label_names": list(CIFAR10)}))
    for path in root.iterdir():
        sums[path.name] = hashlib.md5(path.read_bytes()).hexdigest()
    monkeypatch.setattr(
        Official, "train_list", [(f"data_batch_{i}", sums[f"data_batch_{i}"]) for i in range(1, 6)]
    )
    monkeypatch.setattr(Official, "test_list", [("test_batch", sums["test_batch"])])
    monkeypatch.setattr(Official, "meta", Official.meta | {"md5": sums["batches.meta"]})
    return root


def test_official_cifar10_as_folder_and_as_archive(official: Path, tmp_path: Path) -> None:
    archive = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(official, official.name)
    batches = [pickle.loads((official / f"data_batch_{i}").read_bytes()) for i in range(1, 6)]
    expected = np.concatenate([b["data"] for b in batches]).reshape(-1, 3, 32, 32)
    for path in (official, archive):
        store = load(path, source="cifar10", image_size=32)
        np.testing.assert_array_equal(store.train.images, expected)
        assert store.train.labels.tolist() == list(range(10)) * 5
        assert store.train.ids[17] == "train/00017" and store.classes == CIFAR10
        assert not list((tmp_path / "scratch").glob("*"))
    store = load(official, source="cifar10", image_size=32, train_images=20)
    assert np.bincount(store.train.labels).tolist() == [2] * 10


def test_official_cifar10_is_not_converted(official: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"image_size: the official CIFAR-10 has 32, not 64"):
        load(official, source="cifar10", image_size=64)
    archive = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(official, official.name)
    with pytest.raises(ValueError, match=r"cifar-10-python.tar.gz: wrong checksum"):
        load(archive, source="cifar10", image_size=32, sha256="0" * 64)


def test_damaged_official_cifar10_is_named(official: Path) -> None:
    (official / "data_batch_3").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"batches-py: a file is missing or its checksum"):
        load(official, source="cifar10", image_size=32)


def test_cifar10_as_images_in_folders(tmp_path: Path) -> None:
    for seed, (split, name) in enumerate((s, n) for s in ("train", "test") for n in CIFAR10):
        save(tmp_path / "jpeg" / split / name / "0.jpg", pixels(seed, 32))
    store = load(tmp_path / "jpeg", source="cifar10", image_size=32)
    assert store.classes == CIFAR10 and store.train.labels.tolist() == list(range(10))


def test_a_download_without_a_connection_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision.datasets import CIFAR10 as Official

    monkeypatch.setattr(Official, "url", "http://127.0.0.1:9/cifar-10-python.tar.gz")
    options = OPTIONS | {"source": "cifar10", "image_size": 32}
    with pytest.raises(ValueError, match=r"cannot be downloaded .* set `path` to it") as error:
        load_source("cifar10", options, tmp_path / "scratch")
    assert "\n" not in str(error.value)
    assert not any((tmp_path / "scratch").iterdir())
