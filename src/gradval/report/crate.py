"""A finished study as an RO-Crate: what a repository of data wants to know of each file.

The crate is `ro-crate-metadata.json` beside the files (https://w3id.org/ro/crate), or a ZIP archive
of both. What shows single samples of data that are not public is left out.
"""

import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

from gradval.data.store import sha256_of
from gradval.report.study_page.facts import FACTS, Facts
from gradval.report.study_page.material import Material

METADATA = "ro-crate-metadata.json"
PAPER = "https://arxiv.org/abs/2305.02942"
TITLE = (
    "Incentivising the federation: gradient-based metrics for data selection and valuation in "
    "private decentralised training"
)
AUTHORS = "Dmitrii Usynin, Daniel Rueckert, Georgios Kaissis"
SUFFIXES = (".csv", ".md", ".tex", ".html", ".json", ".png", ".pdf", ".parquet", ".webp", ".js")
WEIGHTS = ".safetensors"
FORMATS = {
    ".md": "text/markdown",
    ".tex": "application/x-tex",
    ".parquet": "application/vnd.apache.parquet",
    ".webp": "image/webp",
    WEIGHTS: "application/octet-stream",
}
PAGES = ("index.html", "page.html")


@dataclass(frozen=True)
class Crate:
    """What was written.

    Attributes:
        path: of the metadata or of the archive.
        files: how many it describes.
        left_out: files that show samples of data that are not public.
    """

    path: Path
    files: int
    left_out: list[str]


def write_crate(
    folder: str | Path, licence: str, *, weights: bool = False, archive: str | Path | None = None
) -> Crate:
    """Describe a study's results, in place or as an archive.

    Args:
        folder: `results/` of a finished study, with its `study.json`.
        licence: under which they may be used: an address, or a name.
        weights: whether models and checkpoints belong to it.
        archive: a ZIP file to write instead of the metadata in place.

    Raises:
        ValueError: the study is not finished, or rocrate is not installed.
    """
    try:
        from rocrate.model.contextentity import ContextEntity
        from rocrate.rocrate import ROCrate
    except ImportError:
        raise ValueError("needs rocrate: pip install 'gradval[deposit]'") from None
    folder = Path(folder)
    material = Material.of(folder)
    if FACTS not in material.files or "scorecard.csv" not in material.files:
        raise ValueError(f"{folder}: holds no finished study ({FACTS} and scorecard.csv)")
    facts = material.facts
    crate = ROCrate()
    root = crate.root_dataset
    root["name"], root["description"] = facts.title, facts.subtitle
    root["license"] = licence
    paper = {"@type": "ScholarlyArticle", "name": TITLE, "author": AUTHORS}
    root["citation"] = crate.add(ContextEntity(crate, PAPER, properties=paper))
    kept, left_out = [], []
    for name in _deposited(material, weights):
        if facts.private and shows_samples(name, facts):
            left_out.append(name)
        else:
            kept.append(crate.add_file(folder / name, name, properties=_described(folder / name)))
    software = {
        "@type": "SoftwareApplication",
        "name": "gradval",
        "softwareVersion": version("gradval"),
        **({"identifier": facts.made["Commit"]} if "Commit" in facts.made else {}),
    }
    made = "; ".join(f"{name}: {value}" for name, value in facts.made.items())
    root["mentions"] = crate.add_action(
        crate.add(ContextEntity(crate, "#gradval", properties=software)),
        identifier="#study",
        result=kept,
        properties={"name": "snakemake --cores all", "description": made},
    )
    if archive is None:
        crate.metadata.write(folder)
        return Crate(folder / METADATA, len(kept), left_out)
    crate.write_zip(archive)
    return Crate(Path(archive), len(kept), left_out)


def shows_samples(name: str, facts: Facts) -> bool:
    """Whether a file of a study shows single samples of the data: images, or exact scores."""
    path = PurePosixPath(name)
    if path.parts[0] == "figures":
        figure = facts.figures.get(path.stem)
        return figure is not None and figure.images
    return (
        name in PAGES
        or path.parts[0] in ("gallery", "kept")
        or path.name == "selections.csv"
        or path.suffix in (".parquet", WEIGHTS)
    )


def _deposited(material: Material, weights: bool) -> Iterator[str]:
    """Files that belong to a deposit, in order."""
    suffixes = (*SUFFIXES, WEIGHTS) if weights else SUFFIXES
    for name in sorted(material.files):
        hidden = any(part.startswith(".") for part in name.split("/"))
        if name.endswith(suffixes) and name != METADATA and not hidden:
            yield name


def _described(path: Path) -> dict[str, Any]:
    kind = FORMATS.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    return {
        "name": path.name,
        "encodingFormat": kind or "application/octet-stream",
        "contentSize": str(path.stat().st_size),
        "sha256": sha256_of(path),
    }
