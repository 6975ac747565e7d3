"""The pages as people use them: in a real browser, by mouse, keyboard and on a phone."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gradval.report.score_comparison import compare_scores, comparison_page
from gradval.report.score_sheet import write_sheet

KEPT = Path(__file__).parents[2] / "docs" / "results" / "cifar10-small"


# Of text against its ground, by the Web Content Accessibility Guidelines, level AA.
CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) =>
    c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const found = parse(getComputedStyle(node).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const node of document.querySelectorAll("body *")) {
    const text = [...node.childNodes].some((c) => c.nodeType === 3 && c.textContent.trim());
    if (!text || !node.checkVisibility() || node.closest("svg")) continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(ground(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const name = `${node.tagName}.${node.className} "${node.textContent.trim().slice(0, 30)}"`;
    if (ratio < 4.5) poor.push(`${name} ${ratio.toFixed(2)}`);
  }
  return [...new Set(poor)];
}"""
NAMELESS = """() =>
  [...document.querySelectorAll("button, a[href], select, input, img, [role=img], [tabindex]")]
  .filter((node) => node.checkVisibility() && !(node.getAttribute("aria-label") || node.alt ||
    node.textContent.trim() || node.closest("label") ||
    node.querySelector("img[alt]:not([alt=''])")))
  .map((node) => node.outerHTML.slice(0, 120))"""
TWICE = """() => { const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  return ids.filter((id, i) => ids.indexOf(id) !== i); }"""


def shown_claims(page):
    return page.locator(".claim:visible")


def gallery(page):
    page.locator("#gallery").scroll_into_view_if_needed()
    page.wait_for_selector("#samples[data-ready]")
    return page.locator("#samples")


def test_the_first_screen_says_what_was_found(open_page, study_page):
    page = open_page(study_page)
    first = page.locator(".first")
    scorecard = pd.read_csv(KEPT / "scorecard.csv")
    runs = pd.read_csv(KEPT / "runs/full.csv")
    tested = int((scorecard["verdict"] != "not run").sum())
    text = first.inner_text().replace("\u00a0", " ")
    assert f"Of {tested} claims of the paper that were tested, none is settled" in text
    private = 100 * runs.loc[runs["privacy"] == "eps1", "test_accuracy"].mean()
    assert f"{private:.1f}% at ε = 1" in text and "Two seeds settle nothing" in text
    assert "ResNet-9 for ResNet-18" in text
    # All of it is seen without scrolling.
    assert first.bounding_box()["y"] + first.bounding_box()["height"] < 900


def test_claims_are_filtered_searched_and_sorted(open_page, study_page):
    page = open_page(study_page)
    scorecard = pd.read_csv(KEPT / "scorecard.csv")
    assert shown_claims(page).count() == len(scorecard)
    page.click("#filters button[data-verdict='not run']")
    tested = (scorecard["verdict"] != "not run").sum()
    assert shown_claims(page).count() == tested
    assert f"{tested} of {len(scorecard)}" in page.inner_text("#shown")
    page.select_option("select[name=score]", "plis")
    names = shown_claims(page).evaluate_all("all => all.map((c) => c.dataset.score)")
    assert 0 < len(names) < tested and all("plis" in name.split() for name in names)
    page.select_option("select[name=score]", "")
    page.select_option("select[name=sort]", "strength")
    strengths = shown_claims(page).evaluate_all(
        "all => all.map((c) => c.dataset.strength === '' ? -1e12 : Number(c.dataset.strength))"
    )
    assert strengths == sorted(strengths, reverse=True) and len(strengths) == tested
    page.fill("input[name=text]", "table1-vog")
    found = shown_claims(page).evaluate_all("all => all.map((c) => c.id)")
    assert sorted(found) == ["table1-vog-1", "table1-vog-4", "table1-vog-8"]
    page.click("#filters button[type=reset]")
    page.wait_for_function("document.querySelectorAll('.claim:not([hidden])').length === 39")


def test_links_lead_to_claims_figures_and_terms(open_page, study_page):
    page = open_page(study_page)
    page.click("#filters button[data-verdict='undecided']")
    page.click(".named h3 a >> nth=0")
    target = page.evaluate("location.hash.slice(1)")
    assert page.locator(f"#{target}").is_visible()
    assert page.locator(f"#{target} .more").is_visible()
    page.goto(study_page.as_uri() + "#overlap-cifar10")
    page.click("#overlap-cifar10 .more a[href='#figure8']")
    assert page.locator("#figure8 img").evaluate("img => img.complete && img.naturalWidth > 500")
    for link in page.locator("a[href^='#']").evaluate_all("all => all.map((a) => a.hash.slice(1))"):
        assert page.evaluate("id => document.getElementById(id) !== null", link), link
    # Every part is one click from the top.
    menu = page.locator("nav a").all_inner_texts()
    assert menu[:4] == ["Scorecard", "Accuracy", "Figures", "Table 1"] and "Gallery" in menu
    term = page.locator("a.term", has_text="chance").first
    term.hover()
    tip = term.evaluate("node => getComputedStyle(node, '::after').content")
    assert "at random" in tip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_has_contrast_and_a_name(open_page, study_page, scheme):
    page = open_page(study_page, color_scheme=scheme)
    gallery(page).locator(".cell").first.click()
    page.wait_for_selector(".detail:not([hidden])")
    assert page.evaluate(CONTRAST) == []
    assert page.evaluate(NAMELESS) == [] and page.evaluate(TWICE) == []


def test_the_switch_overrules_the_system_and_is_remembered(open_page, study_page):
    page = open_page(study_page, color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.click("#theme")
    light = page.evaluate(ground)
    assert dark != light and page.inner_text("#theme") == "Dark"
    page.reload()
    assert page.evaluate(ground) == light


def test_a_phone_scrolls_down_alone(open_page, study_page):
    page = open_page(study_page, 390, 844, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.goto(study_page.as_uri() + "#overlap-cifar10")
    gallery(page)
    page.click("text=Compare with another setting")
    page.locator(".cell").first.tap()
    page.wait_for_selector(".detail:not([hidden])")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    small = page.locator("#theme, #filters button, #filters select, .side select").evaluate_all(
        """all => all.filter((node) =>
            node.checkVisibility() && node.getBoundingClientRect().height < 32).length"""
    )
    assert small == 0


def test_paper_shows_every_claim_and_no_controls(open_page, study_page):
    page = open_page(study_page, color_scheme="dark")
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert not page.locator("#filters").is_visible() and not page.locator(".bar").is_visible()
    assert page.locator(".claim .more:visible").count() == 39
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"


def test_the_gallery_sorts_by_any_score_and_filters(open_page, study_page, samples):
    page = open_page(study_page)
    gallery(page)
    page.locator("#samples").get_by_label("Score").select_option("loss")
    expected = np.argsort(-samples.runs[0].values["loss"].astype(np.float32), kind="stable")
    page.wait_for_function(f"document.querySelector('.cell').dataset.sample === '{expected[0]}'")
    order = page.locator(".cell").evaluate_all("all => all.map((c) => Number(c.dataset.sample))")
    assert order == expected[: len(order)].tolist()
    page.locator("#samples").get_by_label("Class").select_option(label="Planted wrong labels")
    page.locator("#samples").get_by_label("First").select_option("smallest")
    page.wait_for_function("document.querySelector('.cell').dataset.sample % 3 === 2")
    assert "200 samples, ⚑ planted" in page.inner_text("#samples [role=status]")
    captions = page.locator(".cell").all_inner_texts()
    assert captions and all("⚑" in caption for caption in captions)
    # Another privacy level: the same seed.
    page.locator("#samples").get_by_label("Privacy").select_option("eps4")
    page.wait_for_function("document.querySelector('.side h3').textContent === 'ε = 4, seed 0'")
    # The image itself is there: its sprite was decoded.
    page.wait_for_function("document.querySelector('.cell .thumb').style.backgroundImage !== ''")


def test_two_settings_are_linked_by_sample(open_page, study_page, samples):
    page = open_page(study_page)
    gallery(page)
    page.click("text=Compare with another setting")
    sides = page.locator(".side")
    tops = [set(np.argsort(-samples.runs[i].values["vog"])[:25].tolist()) for i in (0, 2)]
    # B starts at another privacy level and the last seed.
    sides.nth(1).get_by_label("Seed").select_option("0")
    common = len(tops[0] & tops[1])
    page.wait_for_function(
        """n => document.querySelector("#samples [role=status]").textContent
            .includes(` ${n} are the same`)""",
        arg=common,
    )
    cell = sides.nth(0).locator(".cell").nth(3)
    sample = cell.get_attribute("data-sample")
    cell.click()
    assert sides.nth(1).locator(f".cell.chosen[data-sample='{sample}']").is_visible()
    detail = page.locator(".detail")
    detail.wait_for()
    text = detail.inner_text()
    assert samples.files[int(sample)] in text
    rows = detail.locator("tbody tr")
    assert rows.count() == len(samples.runs)
    values = samples.runs[0].values["vog"]
    rank = int((values > values[int(sample)]).sum()) + 1
    assert rank == 4 and "4, " in rows.nth(0).inner_text()
    chance = 100 * np.exp(-samples.runs[0].values["loss"][int(sample)])
    assert f"{chance:.1f}%" in rows.nth(0).inner_text()
    # By keyboard: to the right, and down a row.
    cell.focus()
    stops = ".side >> nth=0 >> .cell[tabindex='0']"
    assert page.locator(stops).count() == 1  # the tab key stops once in a grid
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.at") == "4"
    page.keyboard.press("ArrowDown")
    assert int(page.evaluate("document.activeElement.dataset.at")) > 4
    page.keyboard.press("Enter")
    page.wait_for_function(
        "name => document.querySelector('.detail h3').textContent !== name",
        arg=samples.files[int(sample)],
    )


def test_fifty_thousand_samples_open_at_once(open_page, large_page):
    page = open_page(large_page)
    assert page.locator(".cell").count() == 0 and len(page.asked) == 1  # loaded when asked for
    start = time.perf_counter()
    page.click("text=Open the gallery")
    page.wait_for_selector("#samples[data-ready]")
    assert "50,000 samples" in page.inner_text("#samples [role=status]")
    seconds = time.perf_counter() - start
    print(f"50,000 samples listed in {seconds:.2f} s")
    assert seconds < 10  # about one on a machine that does nothing else
    assert page.locator(".cell").count() < 400
    # To the very end, where the images are those of the smallest scores.
    page.locator(".grid").evaluate("grid => { grid.scrollTop = grid.scrollHeight; }")
    page.wait_for_selector("[data-at='49999']")
    page.wait_for_function(
        "document.querySelector('[data-at=\"49999\"] .thumb').style.backgroundImage !== ''"
    )
    assert any(url.endswith(".webp") for url in page.asked)


def own_table(samples, run):
    """A table of one's own scores, as `gradval score` writes it."""
    values = samples.runs[run].values
    labels = [samples.classes[label] for label in samples.labels]
    scores = {
        name: column
        for score, v in values.items()
        for name, column in ((score, v), (f"{score}_normalised", v / v.max()))
    }
    return pd.DataFrame(
        {
            "file": samples.files,
            "label": labels,
            "predicted": labels[1:] + labels[:1],
            "group": samples.files,
            **scores,
        }
    )


def test_the_sheet_of_own_scores_is_the_page_in_small(open_page, samples, tmp_path):
    table = own_table(samples, 0)
    files = write_sheet(tmp_path / "sheet", table, samples.images, "loss", k=9)
    page = open_page(files[0])
    largest = table.sort_values("loss", ascending=False)
    assert page.locator("#largest figure").count() == 9
    name = largest["file"].iloc[0].split("/")[-1]
    assert name in page.inner_text("#largest figure >> nth=0")
    cells = gallery(page).locator(".cell")
    assert cells.first.get_attribute("data-sample") == str(largest.index[0])
    cells.first.click()
    page.wait_for_selector(".detail:not([hidden])")
    assert largest["predicted"].iloc[0] in page.locator(".detail tbody td").last.inner_text()
    assert page.evaluate(CONTRAST) == [] and page.evaluate(NAMELESS) == []


def test_two_own_scorings_stand_side_by_side(open_page, samples, tmp_path):
    a, b = own_table(samples, 0), own_table(samples, 2).sample(frac=1, random_state=0)
    statistics = compare_scores(a, b, samples.images, ["vog"], k=25, draws=20)
    text = comparison_page(
        a, b, samples.images, statistics, "vog", names=("public", "private"), k=25
    )
    (tmp_path / "comparison.html").write_text(text, encoding="utf-8")
    page = open_page(tmp_path / "comparison.html")
    overlap = statistics.set_index("statistic").loc["overlap", "value"]
    assert f"VoG: {overlap:.0f} of the 25 largest are the same" in page.inner_text(".first")
    gallery(page)
    assert page.locator(".side").count() == 2
    assert f"{overlap:.0f} are the same" in page.inner_text("#samples [role=status]")
    assert page.locator(".side h3").all_inner_texts() == ["A: public", "B: private"]
