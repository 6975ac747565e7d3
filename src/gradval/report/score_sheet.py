"""The samples at both ends of a score, for their owner: a picture, a table and an offline page."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from gradval.report.figures.extremes import plot_extremes
from gradval.report.figures.style import check_images, save_figure
from gradval.report.study_page.gallery import (
    Collection,
    Gallery,
    GalleryRun,
    ImagesAt,
    gallery_parts,
    inline_gallery,
)
from gradval.report.study_page.rendering import render
from gradval.runtime.files import private_path
from gradval.scores.files import NORMALISED, score_columns
from gradval.selection.select import select
from gradval.study.names import score_label

PAGE = "templates/small.html.j2"
MOST_IMAGES = 600  # on a page, beside those that are asked for
ENDS = ("largest", "smallest")
# For owners only: the samples are shown.
PRIVATE = (
    "Exact scores and the images themselves: neither is private. For the owner of the images only."
)


def extremes(
    table: pd.DataFrame, by: str, *, class_name: str | int | None = None, k: int = 16
) -> pd.DataFrame:
    """The samples with the largest and the smallest scores.

    Args:
        table: as `gradval.scores.dataset.score_dataset` returns it.
        by: a score of it.
        class_name: a label of it to choose among; `None` for all.
        k: how many of either end; fewer if there are fewer.

    Returns:
        Table end, rank (from 1), position in `table`, file, label, predicted, group, score,
        normalised.

    Raises:
        ValueError: there is no such score or class.
    """
    known = score_columns(table)
    if by not in known:
        raise ValueError(f"there is no score {by!r}; there are {', '.join(known)}")
    members = within_class(table, class_name)
    size = len(table) if members is None else int(members.sum())
    parts = []
    for end in ENDS:
        chosen = select(table[by], min(k, size), end == "largest", members)
        rows = table.iloc[chosen]
        parts.append(
            pd.DataFrame(
                {
                    "end": end,
                    "rank": np.arange(1, len(chosen) + 1),
                    "position": chosen,
                    **{name: rows[name].array for name in ("file", "label", "predicted", "group")},
                    "score": rows[by].array,
                    "normalised": rows[by + NORMALISED].array,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def within_class(table: pd.DataFrame, class_name: str | int | None) -> NDArray[np.bool_] | None:
    """Which samples are of a class; `None` for no class.

    Raises:
        ValueError: there is no such class.
    """
    if class_name is None:
        return None
    labels = table["label"].astype(str)
    members: NDArray[np.bool_] = (labels == str(class_name)).to_numpy()
    if not members.any():
        raise ValueError(
            f"there is no class {class_name!r}; there are {', '.join(labels.unique())}"
        )
    return members


def write_sheet(
    path: str | Path,
    table: pd.DataFrame,
    images: ImagesAt,
    by: str,
    *,
    class_name: str | int | None = None,
    k: int = 16,
    notes: Sequence[str] = (),
) -> list[Path]:
    """Write the largest and smallest samples as picture, table and page, readable by their owner.

    Args:
        path: of the files, without suffix.
        table, by, class_name, k: as in `extremes`.
        images: uint8 `(N, C, H, W)`, C = 1 or 3, in the order of the table, or an object that gives
            those at an array of positions.
        notes: what a reader must know, such as that the model has not learnt.

    Returns:
        The files: `.html`, `.png`, `.csv`.

    Raises:
        ValueError: as in `extremes`, or the images are not as above.
    """
    path = Path(path)
    chosen = extremes(table, by, class_name=class_name, k=k)
    positions, where = np.unique(chosen["position"].to_numpy(), return_inverse=True)
    shown = np.asarray(images[positions])[where]
    check_images(shown, "images")
    title = f"{score_label(by)}: largest and smallest"
    title += "" if class_name is None else f" of class {class_name}"
    files = [path.with_name(path.name + suffix) for suffix in (".html", ".png", ".csv")]
    with private_path(files[2]) as temporary:
        chosen.drop(columns="position").to_csv(temporary, index=False)
    ends = [(chosen["end"] == end).to_numpy() for end in ENDS]
    figure = plot_extremes(
        shown[ends[0]],
        shown[ends[1]],
        names_largest=_captions(chosen[ends[0]]),
        names_smallest=_captions(chosen[ends[1]]),
        titles=(f"largest {score_label(by)}", f"smallest {score_label(by)}"),
        title=title,
        note=" ".join(notes),
    )
    # Made first by its owner, then written into.
    with private_path(files[1]) as temporary:
        save_figure(figure, temporary)
    with private_path(files[0]) as temporary:
        page = _page(
            title, chosen, shown, own_gallery(table, images, by, chosen["position"]), notes
        )
        temporary.write_text(page, encoding="utf-8")
    return files


def _captions(rows: pd.DataFrame) -> list[str]:
    return [f"{score:.3g}" for score in rows["score"]]


def own_gallery(
    table: pd.DataFrame,
    images: ImagesAt,
    by: str,
    always: ArrayLike,
    runs: Sequence[GalleryRun] = (),
    *,
    scores: Sequence[str] = (),
    k: int = 0,
) -> Gallery:
    """A gallery of a site's own samples that stands in the page.

    Args:
        table, images, by: as in `write_sheet`.
        always: positions of samples whose images are shown in any case; others are those at
            either end of a score.
        runs: scorings; of `table` alone by default.
        scores: which; all of the table by default.
        k: size of the selections that are compared.
    """
    shown = list(scores or score_columns(table))
    classes = list(dict.fromkeys(map(str, table["label"])))
    groups = table["group"].astype(str)
    own = GalleryRun(
        {"Setting": ("own", "own scores")},
        {name: table[name].to_numpy() for name in shown},
        table["predicted"].astype(str).tolist(),
    )
    collection = Collection(
        name="own",
        title="Own images",
        classes=classes,
        labels=np.array([classes.index(label) for label in map(str, table["label"])]),
        files=table["file"].astype(str).tolist(),
        images=images,
        runs=runs or [own],
        scores={name: score_label(name) for name in shown},
        columns={} if (groups == table["file"]).all() else {"Group": groups.tolist()},
        always=np.asarray(always, np.int64).tolist(),
    )
    parts = gallery_parts([collection], "selected", MOST_IMAGES)
    return inline_gallery({"own": "Own images"}, *parts, score=by, paired=len(runs) > 1, k=k)


def _page(
    title: str,
    chosen: pd.DataFrame,
    images: NDArray[np.uint8],
    gallery: Gallery,
    notes: Sequence[str],
) -> str:
    sections = []
    for end in ENDS:
        rows = chosen[chosen["end"] == end]
        cards: list[dict[str, Any]] = [
            {
                "image": _data_url(images[i]),
                "rank": row["rank"],
                "file": row["file"],
                "name": str(row["file"]).rsplit("/", 1)[-1],
                "label": row["label"],
                "predicted": row["predicted"],
                "score": f"{row['score']:.4g}",
                "normalised": f"{row['normalised']:.2f}",
            }
            for i, row in zip(rows.index.to_numpy(), rows.to_dict("records"), strict=True)
        ]
        sections.append({"end": end, "cards": cards})
    return render(
        PAGE,
        title=title,
        findings=(),
        sections=sections,
        tables=(),
        notes=[*notes, PRIVATE],
        gallery=gallery,
    )


def _data_url(image: NDArray[np.uint8]) -> str:
    """An image (C, H, W) as a PNG within the page."""
    pixels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
