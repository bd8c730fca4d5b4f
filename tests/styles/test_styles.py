"""Each style of hand-written code: correct code passes, a wrong gradient and a missing one are found."""

from pathlib import Path

import pytest

from tests.styles.catalogue import STYLES, document_rows
from tests.styles.verdicts import culprit, passes, unlisted_is_named

WITH_PARAMETERS = [style for style in STYLES if style.has("unlisted")]


def by_name(style):
    return style.name


@pytest.mark.parametrize("style", STYLES, ids=by_name)
def test_correct_code_passes(style):
    report = style.run("right")
    assert passes(report), str(report)
    assert report.tensors


@pytest.mark.parametrize("style", STYLES, ids=by_name)
def test_a_gradient_times_three_fails(style):
    report = style.run("wrong")
    assert culprit(report), str(report)


@pytest.mark.parametrize("style", WITH_PARAMETERS, ids=by_name)
def test_a_parameter_without_gradient_fails(style):
    name, report = culprit(style.run("wrong")), style.run("unlisted")
    assert unlisted_is_named(report, name), str(report)


def test_only_losses_and_dropout_have_no_parameters():
    assert len(STYLES) >= 25
    for style in STYLES:
        assert style.has("wrong")
        assert style.has("unlisted") or "loss" in style.name or "dropout" in style.name


def test_the_document_has_one_line_per_style():
    text = Path("docs/gradcheck.md").read_text(encoding="utf-8")
    _, _, section = text.partition("| your code looks like this | call this |\n|---|---|\n")
    assert section.partition("\n\n")[0].splitlines() == document_rows()
