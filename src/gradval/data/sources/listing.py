"""What lies in a folder, tar or zip archive: every visible file, by a name that can be printed.

Links are followed, within archives too. What cannot be read whatever the layout (links to nowhere,
devices, names that lead out of the archive) is refused by name here.
"""

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

# No data set of images that this package can train on has more files, nor larger ones.
MAX_FILES = 2_000_000
MAX_FILE_BYTES = 2**28
MAX_ARCHIVE_BYTES = 2**40
MAX_LINKS_IN_A_ROW = 40

# Left by operating systems and programs; nobody's data. Compared without case.
CLUTTER = {
    "__macosx": "left by macOS",
    "thumbs.db": "left by Windows",
    "ehthumbs.db": "left by Windows",
    "desktop.ini": "left by Windows",
    "$recycle.bin": "left by Windows",
    "system volume information": "left by Windows",
    "@eadir": "left by a NAS",
    "lost+found": "left by the file system",
}


@dataclass(frozen=True)
class Member:
    """One entry of a folder or archive.

    Attributes:
        raw: its name there.
        kind: what it is; a `link` names its target relative to its own folder, a `hard link`
            relative to the archive.
        size: of a file, in bytes.
        target: of a link.
        reason: why an `unreadable` one cannot be read.
        path: its name with slashes, where `raw` has none.
    """

    raw: str
    kind: Literal["file", "folder", "link", "hard link", "unreadable"]
    size: int = 0
    target: str = ""
    reason: str = ""
    path: str = ""


@dataclass(frozen=True)
class File:
    """A file's name in its folder or archive (of a link: its target's), and its size in bytes."""

    stored: str
    size: int


@dataclass(frozen=True)
class Listing:
    """All that lies in a folder or archive; names are relative, with slashes, and printable.

    Attributes:
        files: by name, in the order in which they were found.
        folders: names of all folders.
        ignored: what is left out whatever the layout -> why. A hidden folder counts once.
    """

    files: dict[str, File]
    folders: set[str]
    ignored: dict[str, str] = field(default_factory=dict)


def gather(path: Path, members: Iterable[Member]) -> Listing:
    """Make a listing of what was found at `path`: links resolved, clutter left out.

    Raises:
        ValueError: a name is refused; one line that names the file.
    """
    known: dict[str, Member] = {}
    for member in members:
        name = _clean(path, member.path or member.raw)
        if name == ".":
            continue
        if name in known and not known[name].kind == member.kind == "folder":
            raise ValueError(f"{path}: {name} is in the archive twice; pack it anew")
        known[name] = member
        if len(known) > MAX_FILES:
            raise ValueError(f"{path}: holds more than {MAX_FILES:,} files")
    listing = Listing({}, set())
    for name, member in known.items():
        _add(path, name, member, known, listing)
    for name in [*listing.files]:
        listing.folders.update(_parents(name))
    return listing


def printable(raw: str) -> str:
    """A name as text of one line: bytes that are not UTF-8, and control characters, are escaped."""
    if raw.isascii() and raw.isprintable():
        return raw
    text = raw.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def clutter(name: str) -> tuple[str, str] | None:
    """The part of a name that is to be left out with all below it, and why; `None` if nothing."""
    parts = name.split("/")
    for depth, part in enumerate(parts, 1):
        reason = "hidden" if part.startswith(".") else CLUTTER.get(part.casefold())
        if reason is not None:
            return "/".join(parts[:depth]), reason
    return None


def _clean(path: Path, raw: str) -> str:
    """A printable, relative name without `.`; as tar does, a leading slash is dropped."""
    if ".." in raw.split("/"):
        raise ValueError(f"{path}: {printable(raw)} leads out of the archive; pack it anew")
    return posixpath.normpath(printable(raw).lstrip("/") or ".")


def _add(path: Path, name: str, member: Member, known: dict[str, Member], listing: Listing) -> None:
    left_out = clutter(name)
    if left_out is not None:
        listing.ignored[left_out[0]] = left_out[1]
    elif member.kind == "unreadable":
        raise ValueError(f"{path}: {name} is {member.reason}; remove it")
    elif member.kind == "folder":
        listing.folders.add(name)
    elif member.kind == "file":
        listing.files[name] = File(member.raw, member.size)
    else:
        _add_link(path, name, known, listing)
    if len(listing.files) > MAX_FILES:
        raise ValueError(f"{path}: holds more than {MAX_FILES:,} files")


def _add_link(path: Path, name: str, known: dict[str, Member], listing: Listing) -> None:
    """Add the file that a link of an archive leads to, or all files of the folder."""
    target = _target(path, name, known)
    found = None if target is None else known.get(target)
    if found is not None and found.kind == "file":
        listing.files[name] = File(found.raw, found.size)
        return
    below = [other for other in known if other.startswith(f"{target}/")]
    if target is None or not (below or found):
        raise ValueError(f"{path}: {name} is a link to nothing in the archive; remove it")
    if name.startswith(f"{target}/"):
        raise ValueError(f"{path}: {name} is a link to a folder that contains it; remove it")
    listing.folders.add(name)
    for other in below:
        member = known[other]
        if "link" in member.kind:
            member = known.get(_target(path, other, known) or "", member)
        if "link" in member.kind or (member.kind == "folder" and known[other] is not member):
            raise ValueError(f"{path}: {other} is a link in a linked folder; put its files there")
        _add(path, name + other.removeprefix(target), member, known, listing)


def _target(path: Path, name: str, known: dict[str, Member]) -> str | None:
    """Where a link of an archive ends, links on the way followed; `None` if outside or nowhere."""
    for _ in range(MAX_LINKS_IN_A_ROW):
        parts = name.split("/")
        heads = ["/".join(parts[: i + 1]) for i in range(len(parts))]
        link = next((h for h in heads if h in known and "link" in known[h].kind), None)
        if link is None:
            return name
        member, rest = known[link], name.removeprefix(link)
        base = posixpath.dirname(link) if member.kind == "link" else ""
        name = posixpath.normpath(posixpath.join(base, printable(member.target))) + rest
        if name.startswith(("/", "..")):
            return None
    raise ValueError(f"{path}: {name} is a link that leads back to itself; remove it")


def _parents(name: str) -> Iterator[str]:
    while name := posixpath.dirname(name):
        yield name
