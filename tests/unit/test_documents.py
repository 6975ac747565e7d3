"""The documents speak of what is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_the_privacy_page_names_exists():
    text = (ROOT / "docs/privacy.md").read_text()
    cited = re.findall(r"`((?:tests/)?[\w/]*\.py)?::(\w+)`", text)
    assert len(cited) > 30
    file = ""
    for name, test in cited:
        file = name or file
        path = ROOT / file if file.startswith("tests/") else ROOT / "tests/unit" / file
        assert re.search(rf"^def {test}\(", path.read_text(), re.M), f"{path.name}::{test}"
