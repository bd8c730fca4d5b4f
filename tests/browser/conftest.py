"""Headless Chromium for `make test-browser`. `make test` skips these tests, which have the marker `browser`."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from numpy_rnn.gradient_checking.page import backward_page
from tests.browser.explorer_page import ExplorerPage
from tests.browser.lesson import Lesson

MEASURE = Path(__file__).with_name("measure.js").read_text("utf-8")
PICTURES = Path(__file__).parents[2] / "build" / "screenshots"

# Switch off what Chromium does by itself: updates, accounts, reports.
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
    "--disable-gpu",
]


def find_chromium():
    """Return the path of Chromium or Chrome, or of the program that the environment variable CHROMIUM names."""
    chosen = os.environ.get("CHROMIUM")
    names = [chosen] if chosen else ["chromium", "chromium-browser", "google-chrome"]
    for name in names:
        if path := shutil.which(name):
            return path
    raise pytest.UsageError(
        f"no browser: {', '.join(names)} not found. Install Chromium (Debian, Ubuntu: apt-get install chromium), or "
        "set the environment variable CHROMIUM to the executable of a Chrome or Chromium"
    )


def pytest_collection_finish(session):
    """Report what is missing once, before the first test."""
    if not any(item.get_closest_marker("browser") for item in session.items):
        return
    find_chromium()
    try:
        import playwright  # noqa: F401
    except ModuleNotFoundError:
        raise pytest.UsageError(
            "playwright is not installed: pip install playwright (or run make test-browser)"
        ) from None


@contextmanager
def launched():
    """Yield a browser."""
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        try:
            chromium = playwright.chromium.launch(
                executable_path=find_chromium(), args=QUIET, chromium_sandbox=os.geteuid() != 0
            )
        except Error as error:
            path, why = find_chromium(), str(error).splitlines()[0]
            pytest.exit(
                f"{path} does not start ({why}); try it by hand: {path} --headless --dump-dom about:blank",
                returncode=pytest.ExitCode.USAGE_ERROR,
            )
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def browser():
    with launched() as chromium:
        yield chromium


@pytest.fixture
def visit(browser):
    """Open a file in a new tab, which must not log errors, request anything else, or open a dialog."""

    @contextmanager
    def visit(path, width=1280, scheme="light"):
        phone = width < 600
        context = browser.new_context(
            viewport={"width": width, "height": 844 if phone else 900},
            color_scheme=scheme,
            reduced_motion="reduce",  # scroll at once
            has_touch=phone,
            is_mobile=phone,
            offline=True,
        )
        tab = context.new_page()
        heard = []
        tab.on("console", lambda message: heard.append(f"{message.type}: {message.text}"))
        tab.on("pageerror", lambda error: heard.append(f"error: {error}"))
        tab.on("request", lambda request: heard.append(f"request: {request.url}"))
        tab.on("dialog", lambda dialog: (heard.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        tab.goto(path.as_uri())
        tab.evaluate(MEASURE)
        try:
            yield ExplorerPage(tab)
        finally:
            context.close()
        assert [words for words in heard if not words.startswith("request: data:")] == [f"request: {path.as_uri()}"]

    return visit


@pytest.fixture(scope="session")
def lesson():
    """T, E, H and V all differ, so that a transposed matrix is noticed."""
    return Lesson("Hello, world", embedding_dim=5, hidden_size=10, epochs=40)


@pytest.fixture(scope="session")
def lesson_page(lesson, tmp_path_factory):
    return lesson.write(tmp_path_factory.mktemp("lesson"))


@pytest.fixture
def page(visit, lesson_page):
    """The page of the lesson, 1280 px wide."""
    with visit(lesson_page) as page:
        yield page


@pytest.fixture
def write_report(tmp_path):
    """Write the page of a report, and return its path."""

    def write(report):
        path = tmp_path / "page.html"
        path.write_text(backward_page(report), encoding="utf-8")
        return path

    return write


@pytest.fixture
def rng():
    return np.random.default_rng(0)
