"""The documents speak of what is there."""

import re
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[3]


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


def test_every_test_that_the_privacy_pages_name_exists():
    pages = sorted((ROOT / "docs/privacy").glob("*.md"))
    text = "\n".join(page.read_text() for page in pages)
    cited = re.findall(r"`((?:tests/)?[\w/]*\.py)?::(\w+)`", text)
    assert len(cited) > 30
    file = ""
    for name, test in cited:
        file = name or file
        (path,) = ROOT.glob(file if file.startswith("tests/") else f"tests/unit/*/{file}")
        assert re.search(rf"^def {test}\(", path.read_text(), re.M), f"{path.name}::{test}"


def test_the_tables_of_audits_are_what_was_measured():
    text = (ROOT / "docs/audit.md").read_text()
    heading = (
        "| mistake | claimed ε | q | steps | runs | lowest bound | mean | highest | any mechanism "
        "| refuted |"
    )
    printed = [
        line
        for part in text.split(heading + "\n")[1:]
        for line in part.split("\n\n")[0].splitlines()[1:]
    ]
    table = pd.read_csv(ROOT / "docs/audit/audits.csv")
    measured = [
        f"| {mistake} | {target:g} | {rate:g} | {steps} | {len(rows)} "
        f"| {rows['epsilon_lower_bound'].min():.2f} | {rows['epsilon_lower_bound'].mean():.2f} "
        f"| {rows['epsilon_lower_bound'].max():.2f} | {rows['any_mechanism'].mean():.2f} "
        f"| {rows['refuted'].sum()} |"
        for (mistake, target, rate, steps), rows in table.groupby(
            ["mistake", "target", "rate", "steps"], sort=False
        )
    ]
    assert len(printed) > 10 and sorted(printed) == sorted(measured)
