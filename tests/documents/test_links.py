"""All pages: links lead to files and anchors that exist, the map is complete, and GitHub renders the maths."""

import re
import subprocess
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
PATTERNS = ("*.md", "docs/*.md", "benchmarks/*.md", "numpy_rnn/**/*.md")
PAGES = sorted(path.relative_to(ROOT).as_posix() for pattern in PATTERNS for path in ROOT.glob(pattern))


def text_of(page):
    """Return a page without its code."""
    text = re.sub(r"(?ms)^ *(```+).*?^ *\1 *$", "", (ROOT / page).read_text(encoding="utf-8"))
    return re.sub(r"`[^`\n]+`", "", text)


@cache
def anchors(page):
    """Return the anchors that GitHub makes from the headings of a page, and those that the page defines itself."""
    text = (ROOT / page).read_text(encoding="utf-8")
    without_code = re.sub(r"(?ms)^ *(```+).*?^ *\1 *$", "", text)
    headings = re.findall(r"(?m)^#+ +(.*?) *$", without_code)
    slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    return {*slugs, *re.findall(r'<a id="([^"]+)">', without_code)}


@cache
def tracked():
    """Return the files that a clone has, or None where this is not a repository."""
    try:
        run = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        return None
    return set(run.stdout.splitlines())


def broken(page, text):
    """Return the relative links of a page that lead nowhere."""
    bad = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = unquote(target).partition("#")
        path = (ROOT / page).parent.joinpath(name).resolve() if name else ROOT / page
        file = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else ""
        files = tracked()
        exists = path.exists() if files is None else file in files or any(f.startswith(f"{file}/") for f in files)
        if not exists or (anchor and anchor not in anchors(file)):
            bad.append(target)
    return bad


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_tracked_files_and_anchors(page):
    assert broken(page, text_of(page)) == []


def test_the_map_shows_what_ls_shows():
    table, _, _ = (ROOT / "README.md").read_text(encoding="utf-8").split("## The map\n\n")[1].partition("\n\n")
    named = [name.rstrip("/") for row in table.splitlines() for name in re.findall(r"`([\w./]+)`", row.split("|")[1])]
    modules = {path.name for path in (ROOT / "numpy_rnn").glob("[!_]*.py")}
    packages = {path.parent.name for path in (ROOT / "numpy_rnn").glob("*/__init__.py")}
    assert sorted(named) == sorted(["numpy_rnn", *modules, *packages])


def test_a_broken_link_shows():
    links = "[a](docs/none.md) [b](#none) [c](docs/backprop.md#none) [d](.venv/bin/python) [e](../README.md)"
    assert len(broken("README.md", links)) == 5
    assert broken("README.md", "[a](docs/backprop.md#r3) [b](docs) [c](https://example.org/none)") == []


# GitHub reads Markdown before it reads maths: within $...$ it takes these for its own.
TAKEN = re.compile(r"\*|<|\||\\[^\w\s]|[^\w\s]_\w")


def misread(text):
    """Return the formulas between dollars that GitHub would not render as written."""
    assert text.count("$") % 2 == 0
    formulas = text.split("$")[1::2]
    return [formula for formula in formulas if TAKEN.search(formula) or formula != formula.strip() or "\n" in formula]


@pytest.mark.parametrize("page", PAGES)
def test_formulas_survive_markdown(page):
    for paragraph in text_of(page).split("\n\n"):
        assert misread(paragraph) == []


def test_a_misread_formula_shows():
    assert len(misread(r"$a * b$ $a \, b$ $W_{hh}_t$ $ a$ $|a|$ $a < b$")) == 6
    assert misread(r"$dW_{hh} = \sum_t dz_t h_{t-1}^\top$ and $\lVert g \rVert$") == []
