"""A page as a browser would see it: well formed, self-contained, and its text."""

from html.parser import HTMLParser

VOID = ("meta", "br")


class Page(HTMLParser):
    """Checks that every tag is closed in order and nothing is loaded, and collects the text.

    Attributes:
        text: everything between tags but styles, as it stands.
        cells: text of each cell of tables, headings included.
        tags: (tag, attributes) of every tag that is opened.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.cells: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        names = dict(attributes)
        assert not names.keys() & {"src", "href"} and tag not in ("script", "link")
        self.tags.append((tag, names))
        if tag in ("td", "th"):
            self.cells.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            assert "url(" not in data and "@import" not in data
            return
        self.text += data
        if {"td", "th"} & set(self.open):
            self.cells[-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every such tag."""
        return [attributes for name, attributes in self.tags if name == tag]
