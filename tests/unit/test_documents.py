"""The documents speak of what is there."""

import csv
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_link_to_a_file_leads_somewhere():
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    links = [
        (page, link)
        for page in pages
        for link in re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text())
    ]
    assert len(links) > 30
    missing = [f"{page.name}: {link}" for page, link in links if not (page.parent / link).exists()]
    assert missing == []


def test_every_test_that_the_privacy_page_names_exists():
    text = (ROOT / "docs/privacy.md").read_text()
    cited = re.findall(r"`((?:tests/)?[\w/]*\.py)?::(\w+)`", text)
    assert len(cited) > 30
    file = ""
    for name, test in cited:
        file = name or file
        path = ROOT / file if file.startswith("tests/") else ROOT / "tests/unit" / file
        assert re.search(rf"^def {test}\(", path.read_text(), re.M), f"{path.name}::{test}"


def test_the_table_of_broken_trainings_is_what_was_measured():
    text = (ROOT / "docs/privacy.md").read_text()
    _, after = text.split("| mistake | right guesses of 200 | lower bound | caught |\n")
    printed = after.split("\n\n")[0].splitlines()[1:]
    with (ROOT / "docs/audit/variants.csv").open(newline="") as file:
        measured = [
            f"| {row['mistake']} | {row['correct']} | {float(row['epsilon_lower_bound']):.2f} "
            f"| {'yes' if row['refuted'] == 'True' else 'no'} |"
            for row in csv.DictReader(file)
        ]
    assert printed == measured
