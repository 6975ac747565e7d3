"""A table of labels: which files are images of which class, and of which group and split."""

import csv
import io
import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path

from gradval.data.sources.files import read_files
from gradval.data.sources.layout import Entry, Placement, looks_like_image
from gradval.data.sources.listing import MAX_FILE_BYTES, Listing
from gradval.data.store import SPLITS

COLUMNS = ("file", "label", "group", "split")


def place_by_labels(path: Path, listing: Listing, labels: str) -> Placement:
    """Place the files that a table lists; all others are left out.

    The columns are `file` (relative to the table's folder, or to the data if the table lies
    elsewhere), `label`, and if wanted `group` and `split` (`train` or `test`). Without `split` it
    is the first folder of every file, if that is train or test for all; else all are `train`.

    Args:
        path: of the folder or archive.
        listing: what is there.
        labels: name of the table in the folder or archive, or the path of another file.

    Raises:
        ValueError: there is no such table, or a row of it is wrong; the message names its line.
    """
    table, text = _find(path, listing, labels)
    entries: dict[str, Entry] = {}
    for line, row in _rows(labels, text):
        where = f"{labels}, line {line}"
        name = _name(listing, posixpath.dirname(table), row["file"])
        if name is None:
            raise ValueError(f"{where}: there is no file {row['file']!r} in {path}")
        if name in entries:
            raise ValueError(f"{where}: {row['file']} is listed twice")
        if not row["label"]:
            raise ValueError(f"{where}: the label of {row['file']} is empty")
        if "group" in row and not row["group"]:
            raise ValueError(f"{where}: the group of {row['file']} is empty")
        if row.get("split", "train") not in SPLITS:
            raise ValueError(f"{where}: split must be train or test, not {row['split']!r}")
        split = row.get("split", "")
        entries[name] = Entry(split, row["label"], name, row.get("group"))
    found = sorted(_with_splits([*entries.values()]), key=lambda e: (e.split, e.class_name, e.name))
    ignored = dict(listing.ignored) | {
        name: f"not in {labels}" if looks_like_image(name) else "no image by its name"
        for name in listing.files
        if name not in entries and name != table
    }
    return Placement(f"table of labels {labels}", found, ignored)


def _with_splits(entries: list[Entry]) -> Iterator[Entry]:
    """The entries, with what their folders say of the split where the table says nothing."""
    firsts = [next((p for p in e.name.split("/")[:-1] if p in SPLITS), None) for e in entries]
    by_folder = all(firsts)
    for entry, first in zip(entries, firsts, strict=True):
        split = entry.split or (first if by_folder and first else "train")
        yield Entry(split, entry.class_name, entry.name, entry.group)


def _find(path: Path, listing: Listing, labels: str) -> tuple[str, str]:
    """The table's name in the tree (nothing if it lies elsewhere), and its text."""
    inside = sorted(
        (name for name in listing.files if name == labels or name.endswith(f"/{labels}")),
        key=lambda name: name.count("/"),
    )
    if len(inside) > 1:
        raise ValueError(f"{path}: holds {inside[0]} and {inside[1]}; set `labels` to one of them")
    table = Path(labels).expanduser()
    if not inside and not table.is_file():
        raise ValueError(f"labels: there is no {labels}, neither in {path} nor by itself")
    size = listing.files[inside[0]].size if inside else table.stat().st_size
    if size > MAX_FILE_BYTES:
        raise ValueError(f"{labels}: larger than {MAX_FILE_BYTES >> 20} MiB")
    if inside:
        name = inside[0]
        ((_, content),) = read_files(path, {name: listing.files[name]})
    else:
        name, content = "", table.read_bytes()
    try:
        return name, content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{labels}: not UTF-8 ({error}); save it as UTF-8") from error


def _rows(labels: str, text: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Line number and columns of each row."""
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        names = [name.strip() for name in reader.fieldnames or []]
        if not {"file", "label"} <= set(names):
            raise ValueError(
                f"{labels}: its first line must name the columns file,label (and group, split), "
                f"with commas between them, not {', '.join(names) or 'nothing'}"
            )
        reader.fieldnames = names
        for row in reader:
            if None in row or None in row.values():
                raise ValueError(f"{labels}, line {reader.line_num}: not {len(names)} columns")
            yield reader.line_num, {key: row[key].strip() for key in COLUMNS if key in row}
    except csv.Error as error:
        raise ValueError(f"{labels}, line {reader.line_num}: {error}") from error


def _name(listing: Listing, folder: str, file: str) -> str | None:
    """Name in the tree of a file of the table."""
    bases = [folder] if folder else ["", *(f for f in listing.folders if "/" not in f)]
    for base in bases:
        name = posixpath.normpath(posixpath.join(base, file))
        if name in listing.files:
            return name
    return None
