"""README.md, docs/gradcheck.md and docs/which-line.md: the reports that they show are those that gradcheck prints."""

import re

import pytest

from tests.documents.which_line import PAGE, ROOT, commands, files, run, sections, updated

SECTIONS = [section for section in sections(PAGE.read_text(encoding="utf-8")) if commands(section)]
PAGES = ("README.md", "docs/gradcheck.md")
SHOWN = [(page, *shown) for page in PAGES for shown in commands((ROOT / page).read_text(encoding="utf-8"))]
ROUNDING = re.compile(r"\d(\.\d)?e-[1-3]\d *#*")  # differs from machine to machine


def is_shown(shown, output):
    """Whether a page shows this output, up to rounding errors; a line `...` stands for any lines."""
    shown, output = (ROUNDING.sub("tiny", text) for text in (shown, output))
    parts = re.split(r"(?m)^\.\.\.\n", shown)
    return re.fullmatch("(?:.*\n)*?".join(map(re.escape, parts)), output) is not None


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.partition("\n")[0])
def test_the_page_shows_what_gradcheck_prints(section):
    assert section == updated(section)  # else: python -m tests.documents.which_line


@pytest.mark.parametrize(("page", "command", "shown"), SHOWN, ids=[page for page, *_ in SHOWN])
def test_other_pages_show_what_gradcheck_prints(page, command, shown):
    output = run(command, ROOT)
    assert is_shown(shown, output), output


def test_all_examples_are_found():
    assert len(SECTIONS) >= 7
    assert {page for page, *_ in SHOWN} == set(PAGES)
    assert sum("```diff" in section for section in SECTIONS) >= 5


def test_another_output_shows():
    section = next(section for section in SECTIONS if "batchnorm.py" in section)
    assert updated(section.replace("suspect: line 32", "suspect: line 31")) == section
    assert is_shown("a\n...\nc\n", "a\nb\nb\n\nc\n")
    assert not is_shown("a\n...\nc\n", "a\nb\nd\n")
    assert not is_shown("a\n", "a\nb\n")
    assert is_shown("t = 5  2e-15 ##\n", "t = 5  1.3e-16 #\n")
    assert not is_shown("t = 5  2e-15 ##\n", "t = 5  2e-05 ##\n")


def test_the_changed_line_must_be_there_once():
    section = next(section for section in SECTIONS if "batchnorm.py" in section)
    assert "    dx1 = dxmu1\n" in files(section)["batchnorm.py"]
    with pytest.raises(LookupError, match="occurs 0 times"):
        files(section.replace("-    dx1 =", "-    dx3 ="))


def test_a_report_without_its_command_is_one_of_the_page():
    text = (ROOT / "docs/gradcheck.md").read_text(encoding="utf-8")
    reports = re.findall(r"```console\n(suspect: (?:.*\n)*?)```", text)
    assert reports
    assert all(report in PAGE.read_text(encoding="utf-8") for report in reports)
