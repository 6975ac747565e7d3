"""The samples of a study for looking at: values as columns, images as sprites, in small parts.

A page opened from a disk may not read other files, but it may load scripts and pictures. So what a
gallery holds is written as scripts that hand over one *part* each (`gradval.part(name, value)`),
and as pictures of many images each. Parts are loaded when they are first looked at; if all of them
are small they stand in the page itself.
"""

import base64
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gradval.runtime.files import atomic_path, write_text

MOST_INLINE = 1_500_000  # bytes of all parts that still stand in the page
PER_SPRITE = 1024  # images of one picture
LARGEST = 96  # pixels a side; larger images are scaled down
SMALL = 32  # up to this side images are kept without loss
QUALITY = 80
SELECTED_EACH = 12  # of either end of each score, run and class
MOST_SELECTED = 4000


class ImagesAt(Protocol):
    """Images by position: an array, or something that loads them."""

    def __getitem__(self, positions: NDArray[np.int64], /) -> NDArray[np.uint8]: ...


@dataclass(frozen=True)
class GalleryRun:
    """One scoring of all samples.

    Attributes:
        key: what it is of, in the order in which it is chosen: such as model, privacy, seed, draw,
            each a pair of value and label.
        values: score -> `(N,)` float, higher = more.
        predicted: `(N,)` predicted classes, if they are known.
    """

    key: Mapping[str, tuple[str, str]]
    values: Mapping[str, NDArray[np.floating]]
    predicted: Sequence[str] | None = None


@dataclass(frozen=True)
class Collection:
    """Samples that are looked at together.

    Attributes:
        name, title: of the data set.
        classes: names; a label is a position in it.
        labels: `(N,)` integers.
        files: `(N,)` names of samples.
        images: uint8 `(N, C, H, W)`, C = 1 or 3, or an object that gives those at positions; `None`
            for none.
        runs: scorings, all of these samples.
        scores: name -> label.
        columns: further text of each sample, heading -> `(N,)`, such as its group or site.
        notice: what is to be known of the images.
        always: positions of samples whose images are shown in any case.
    """

    name: str
    title: str
    classes: Sequence[str]
    labels: NDArray[np.integer]
    files: Sequence[str]
    images: ImagesAt | None
    runs: Sequence[GalleryRun]
    scores: Mapping[str, str]
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notice: str = ""
    always: Sequence[int] = ()


@dataclass(frozen=True)
class Gallery:
    """What a page needs to show samples.

    Attributes:
        collections: name -> title, in order.
        folder: of the parts beside the page, relative to it; empty if they stand in the page.
        parts: name -> JSON, of those that stand in the page.
        notices: about the images.
        score: by which samples are sorted at first; the last there is by default.
        paired: whether two settings stand side by side at first.
        k: size of the selections of which the common samples are marked; 0 for the usual.
    """

    collections: Mapping[str, str]
    folder: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    notices: Sequence[str] = ()
    score: str = ""
    paired: bool = False
    k: int = 0


def write_gallery(
    folder: Path,
    collections: Sequence[Collection],
    *,
    page: Path,
    images: str = "all",
    k: int = 0,
) -> Gallery:
    """Write the parts of a gallery, or keep them for the page if they are small.

    Args:
        folder: for the parts; made, and empty if the page holds them.
        collections: what is shown.
        page: the page beside which the folder lies.
        images: `all`, or `selected`: those at either end of a score in some run and class.
        k: as in `Gallery`.
    """
    parts, pictures, notices = gallery_parts(collections, images, MOST_SELECTED)
    titles = {collection.name: collection.title for collection in collections}
    folder.mkdir(parents=True, exist_ok=True)
    if sum(map(len, parts.values())) + sum(map(len, pictures.values())) * 4 // 3 <= MOST_INLINE:
        return inline_gallery(titles, parts, pictures, notices, k=k)
    for name, text in parts.items():
        call = f"gradval.part({json.dumps(name)},{text})"
        write_text(folder / f"{name.replace('/', '-')}.js", call)
    for name, sprite in pictures.items():
        with atomic_path(folder / f"sprite-{name}.webp") as temporary:
            temporary.write_bytes(sprite)
    return Gallery(titles, folder.relative_to(page.parent).as_posix(), notices=notices, k=k)


def inline_gallery(
    titles: Mapping[str, str],
    parts: Mapping[str, str],
    pictures: Mapping[str, bytes],
    notices: Sequence[str],
    **options: Any,
) -> Gallery:
    """A gallery that stands in the page; options are those of `Gallery`, the others as returned by
    `gallery_parts`."""
    held = dict(parts)
    for name, sprite in pictures.items():
        data = base64.b64encode(sprite).decode()
        held[f"sprite/{name}"] = json.dumps(f"data:image/webp;base64,{data}")
    # Nothing in a script may look like its end.
    safe = {name: text.replace("<", "\\u003c") for name, text in held.items()}
    return Gallery(titles, parts=safe, notices=notices, **options)


def gallery_parts(
    collections: Sequence[Collection], images: str, most: int
) -> tuple[dict[str, str], dict[str, bytes], list[str]]:
    """What a gallery holds.

    Args:
        collections: what is shown.
        images: as in `write_gallery`.
        most: images of a collection that are selected.

    Returns:
        Name of each part -> its JSON; name of each picture -> WebP; what is to be said of them.
    """
    parts: dict[str, str] = {}
    pictures: dict[str, bytes] = {}
    notices = []
    for collection in collections:
        shown, each = shown_positions(collection, images, most)
        if len(shown) < len(collection.labels) and collection.images is not None:
            notices.append(
                f"{collection.title}: {len(shown):,} of {len(collection.labels):,} images are "
                f"here, those among the {each} largest or smallest of a class by some "
                "score in some run. Scores and ranks are of all."
            )
        notices += [collection.notice] if collection.notice else []
        for number, sprite in enumerate(sprites(collection.images, shown)):
            pictures[f"{collection.name}-{number}"] = sprite
        for name, value in _parts(collection, shown):
            parts[name] = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return parts, pictures, notices


def shown_positions(
    collection: Collection, images: str, most: int = MOST_SELECTED
) -> tuple[NDArray[np.int64], int]:
    """Positions of the samples whose images are shown, ascending; how many of either end they are.

    Of `selected` as many as `SELECTED_EACH` of either end of each score, run and class, fewer if
    they would be more than `most` in all.
    """
    count = len(collection.labels)
    if collection.images is None:
        return np.arange(0), 0
    if images == "all":
        return np.arange(count), count
    members = [np.flatnonzero(collection.labels == i) for i in range(len(collection.classes))]
    ends = []
    for run in collection.runs:
        for values in run.values.values():
            for within in members:
                order = within[np.argsort(values[within], kind="stable")]
                each = min(SELECTED_EACH, len(order))
                ends.append(np.stack([order[:each], order[::-1][:each]]))
    for each in range(SELECTED_EACH, 0, -1):
        chosen = np.unique(np.concatenate([end[:, :each].ravel() for end in ends]))
        if len(chosen) <= most:
            break
    return np.union1d(chosen, np.asarray(collection.always, np.int64)), each


def sprites(images: ImagesAt | None, shown: NDArray[np.int64]) -> Iterator[bytes]:
    """Pictures of up to `PER_SPRITE` images each, in rows of 32, as WebP."""
    if images is None:
        return
    for start in range(0, len(shown), PER_SPRITE):
        tiles = [_tile(image) for image in np.asarray(images[shown[start : start + PER_SPRITE]])]
        height, width = tiles[0].shape[:2]
        rows = -(-len(tiles) // 32)
        sheet = np.zeros((rows * height, min(32, len(tiles)) * width, 3), np.uint8)
        for i, tile in enumerate(tiles):
            top, left = i // 32 * height, i % 32 * width
            sheet[top : top + height, left : left + width] = tile
        buffer = io.BytesIO()
        lossless = max(height, width) <= SMALL
        # Effort 2: three times as fast as the usual 4, and about as small.
        Image.fromarray(sheet).save(
            buffer, "WEBP", lossless=lossless, quality=50 if lossless else QUALITY, method=2
        )
        yield buffer.getvalue()


def _tile(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image (C, H, W) as (H, W, 3), at most `LARGEST` a side."""
    pixels = np.broadcast_to(image, (3, *image.shape[1:])).transpose(1, 2, 0)
    side = max(pixels.shape[:2])
    if side <= LARGEST:
        return pixels
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    return np.asarray(picture)


def _parts(collection: Collection, shown: NDArray[np.int64]) -> Iterator[tuple[str, Any]]:
    """The parts of a collection: what it is, its samples, and each run."""
    name = collection.name
    tile = [0, 0]
    if len(shown):
        tile = list(_tile(np.asarray(collection.images[shown[:1]])[0]).shape[1::-1])  # type: ignore[index]
    yield (
        name,
        {
            "title": collection.title,
            "count": len(collection.labels),
            "classes": list(map(str, collection.classes)),
            "scores": dict(collection.scores),
            "keys": [
                {heading: list(pair) for heading, pair in run.key.items()}
                for run in collection.runs
            ],
            "tile": tile,
            "perSprite": PER_SPRITE,
            "all": len(shown) == len(collection.labels),
            "columns": list(collection.columns),
        },
    )
    yield (
        f"{name}/samples",
        {
            "labels": _packed(collection.labels, np.uint16),
            "files": list(map(str, collection.files)),
            "shown": _packed(shown, np.uint32),
            "columns": {heading: _coded(values) for heading, values in collection.columns.items()},
        },
    )
    for number, run in enumerate(collection.runs):
        part: dict[str, Any] = {
            "values": {score: _packed(v, np.float32) for score, v in run.values.items()}
        }
        if run.predicted is not None:
            part["predicted"] = _coded(run.predicted)
        yield f"{name}/run{number}", part


def _packed(values: NDArray[Any], kind: type[np.generic]) -> str:
    """An array as base64 of its bytes, the lowest first."""
    little = np.dtype(kind).newbyteorder("<")
    return base64.b64encode(np.ascontiguousarray(values, little).tobytes()).decode()


def _coded(values: Sequence[str]) -> dict[str, Any]:
    """Text of each sample as its distinct values and a number each."""
    texts = np.asarray(list(map(str, values)), dtype=object)
    names, codes = np.unique(texts.astype(str), return_inverse=True)
    return {"names": names.tolist(), "codes": _packed(codes, np.uint32)}
