"""The page itself: sections, pictures, style and script in one file."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from gradval.report.study_page.claims import claim_views
from gradval.report.study_page.findings import find
from gradval.report.study_page.gallery import Gallery
from gradval.report.study_page.material import Material
from gradval.report.study_page.rendering import render
from gradval.report.study_page.sections import SECTIONS, Content
from gradval.runtime.files import write_text

PAGE = "templates/study.html.j2"
# Wide enough for the text of a figure on a screen twice as dense as usual.
FIGURE_WIDTH, FIGURE_QUALITY = 1320, 82


@dataclass(frozen=True)
class ShownPicture:
    """A picture within the page: its data, its size in pixels, and its file if that is beside."""

    data: str
    width: int
    height: int
    file: str


def write_study_page(path: str | Path, material: Material, gallery: Gallery | None = None) -> None:
    """Write the page of a study.

    Args:
        path: of the page; it links to files beside it that lie where `material` has them.
        material: what there is.
        gallery: of its samples, if they are shown.
    """
    path = Path(path)
    views = claim_views(material)
    found = [(section, section.build(material)) for section in SECTIONS]
    sections = [(section, content) for section, content in found if content is not None]
    # Only then the files that it links to are where it says.
    beside = path.parent.resolve() == material.folder.resolve()
    page = render(
        PAGE,
        facts=material.facts,
        findings=find(views, material),
        sections=sections,
        pictures={
            picture.name: embed(material, picture.name, beside=beside)
            for _, content in sections
            for picture in content.figures
        },
        links={
            section.name: _links(content, path) if beside else [] for section, content in sections
        },
        gallery=gallery,
    )
    write_text(path, page)


def embed(material: Material, name: str, *, beside: bool) -> ShownPicture:
    """A figure as data within the page, no larger than a page needs it.

    Raises:
        ValueError: there is no such figure, or it is not a picture.
    """
    path = material.figure(name)
    if path is None:
        raise ValueError(f"{material.folder}: has no figure {name}")
    with Image.open(path) as picture:
        shown = picture.convert("RGB")
    if shown.width > FIGURE_WIDTH:
        height = round(shown.height * FIGURE_WIDTH / shown.width)
        shown = shown.resize((FIGURE_WIDTH, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    shown.save(buffer, "WEBP", quality=FIGURE_QUALITY, method=3)
    data = "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
    return ShownPicture(data, shown.width, shown.height, f"figures/{name}.png" if beside else "")


def _links(content: Content, page: Path) -> list[tuple[str, str]]:
    """Links to files beside the page, for those that there are."""
    return [(text, file) for text, file in content.links if (page.parent / file).exists()]
