"""Files, folders and archives as people have them: the table of docs/data_cases.md, row by row."""

import re
from pathlib import Path

import archive_cases  # noqa: F401
import file_cases  # noqa: F401
import image_cases  # noqa: F401
import layout_cases  # noqa: F401
import pytest
from folder_cases import CASES

DOCUMENT = Path(__file__).parents[3] / "docs" / "data_cases.md"


def test_the_document_lists_every_case_with_its_outcome() -> None:
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", DOCUMENT.read_text(encoding="utf-8"), re.M)
    listed = [row for row in rows if row not in (("case", "what happens"), ("---", "---"))]
    assert sorted(listed) == sorted((name, outcome) for name, (outcome, _) in CASES.items())


@pytest.mark.parametrize("name", CASES)
def test_case(name: str, tmp_path: Path) -> None:
    CASES[name][1](tmp_path)
