"""Templates of the page, with what all of them know."""

from typing import Any

from markupsafe import Markup

from gradval.report.scorecard import LOOKS
from gradval.report.study_page.glossary import GLOSSARY
from gradval.report.tables import PAGE_TABLE, STYLE, template

# Named in full, so that the digest of the code that writes pages counts them.
BASE = "templates/base.html.j2"
TERMS = "templates/terms.html.j2"
SCRIPT = "templates/page.js"
GALLERY = "templates/gallery.html.j2"
GALLERY_DATA = "templates/gallery_data.html.j2"
GALLERY_SCRIPT = "templates/gallery.js"


def render(name: str, **context: Any) -> Markup:
    """A template of this package (`gradval.report.tables.template`), filled in."""
    parts = {
        "base": BASE,
        "parts": PAGE_TABLE,
        "terms": TERMS,
        "style": STYLE,
        "script": SCRIPT,
        "gallery_part": GALLERY,
        "gallery_data": GALLERY_DATA,
        "gallery_script": GALLERY_SCRIPT,
        "looks": LOOKS,
        "glossary": GLOSSARY,
    }
    return Markup(template(name).render(**parts, **context))
