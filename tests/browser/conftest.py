"""A real browser, Debian's Chromium, and pages to open in it."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from gradval.report.study_page import gallery as galleries
from gradval.report.study_page.gallery import Collection, GalleryRun, write_gallery
from gradval.report.study_page.material import Material
from gradval.report.study_page.write import write_study_page
from gradval.study.names import privacy_label

KEPT = Path(__file__).parents[2] / "docs" / "results" / "cifar10-small"
SCREENSHOTS = "GRADVAL_SCREENSHOTS"


def chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser")


def install_chromium() -> str:
    """Install Chromium from the system's packages; return why that is not possible, if so."""
    if shutil.which("apt-get") is None or os.getuid() != 0:
        return "needs root and apt-get to install chromium"
    for command in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
        try:
            done = subprocess.run(
                ["apt-get", *command],
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                capture_output=True,
                text=True,
                timeout=300,
            )
        except subprocess.TimeoutExpired:
            return f"apt-get {command[0]} took more than 300 s"
        if done.returncode != 0:
            return f"apt-get {command[0]} failed: {done.stderr.strip()[-200:]}"
    return ""


@pytest.fixture(scope="session")
def browser():
    """A running Chromium without a window; the tests are skipped where it cannot be installed."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if chromium() is None and (reason := install_chromium()):
        pytest.skip(f"no Chromium on this machine: {reason}")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        yield started
        started.close()


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory) -> Path:
    """Where pictures of every state are kept: $GRADVAL_SCREENSHOTS, or a folder of pytest's."""
    named = os.environ.get(SCREENSHOTS)
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def open_page(browser, screenshots, request):
    """Function that opens a page and returns it.

    When the test ends, a picture of the page is kept, and it must have written no error on the
    console and asked for nothing but files.
    """
    opened = []

    def open_(path: Path, width=1280, height=900, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(15_000)
        page = context.new_page()
        page.complaints, page.asked = [], []
        page.on(
            "console",
            lambda said: said.type == "error" and page.complaints.append(said.text),
        )
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda asked: page.asked.append(asked.url))
        page.goto(path.as_uri())
        opened.append(page)
        return page

    yield open_
    for number, page in enumerate(opened):
        page.screenshot(path=screenshots / f"{request.node.name}-{number}.png")
        strange = [url for url in page.asked if not url.startswith(("file:", "data:", "blob:"))]
        complaints = page.complaints
        page.context.close()
        assert complaints == [] and strange == []


def collection(count: int, name: str = "digits") -> Collection:
    """Real digits, again and again, with scores by a seeded generator: two levels, two seeds."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    which = np.arange(count) % len(digits.target)
    images = (digits.images[which, None] * 255 / 16).astype(np.uint8)
    rng = np.random.default_rng(0)
    runs = [
        GalleryRun(
            {"Privacy": (privacy, privacy_label(privacy)), "Seed": (str(seed), f"seed {seed}")},
            {
                score: rng.exponential(size=count) + images.mean(axis=(1, 2, 3)) / 100
                for score in ("loss", "vog")
            },
        )
        for privacy in ("nonprivate", "eps4")
        for seed in (0, 1)
    ]
    sites = [str(i % 3) for i in range(count)]
    return Collection(
        name,
        name,
        [str(i) for i in range(10)],
        digits.target[which],
        [f"{name}/<{i:05d}>" for i in range(count)],
        images,
        runs,
        {"loss": "Loss", "vog": "VoG"},
        columns={"Site": sites, "Planted": ["wrong labels" if s == "2" else "" for s in sites]},
    )


@pytest.fixture(scope="session")
def samples() -> Collection:
    return collection(600)


@pytest.fixture(scope="session")
def study_page(tmp_path_factory, samples) -> Path:
    """The page of the kept study on CIFAR-10, with a small gallery in it."""
    page = tmp_path_factory.mktemp("study") / "index.html"
    gallery = write_gallery(page.parent / "gallery", [samples], page=page)
    assert gallery.folder == ""
    write_study_page(page, Material.of(KEPT), gallery)
    return page


@pytest.fixture(scope="session")
def large_page(tmp_path_factory) -> Path:
    """A page with 50,000 samples, of which the parts lie beside it."""
    page = tmp_path_factory.mktemp("large") / "index.html"
    gallery = write_gallery(
        page.parent / "gallery", [collection(50_000, "many")], page=page, images="selected"
    )
    assert gallery.folder == "gallery" and galleries.MOST_INLINE < 5e6
    write_study_page(page, Material.of(KEPT), gallery)
    return page
