"""docs/backward.png: the pages that show it, and the command that draws it."""

from tests.documents import backward_picture
from tests.documents.backward_picture import PATH
from tests.explorer.test_explorer import Page

ROOT = PATH.parents[1]


def test_the_picture_is_small_and_shown_with_its_command():
    assert PATH.read_bytes().startswith(b"\x89PNG")
    assert PATH.stat().st_size <= 200_000
    assert "](docs/backward.png)" in (ROOT / "README.md").read_text(encoding="utf-8")
    document = (ROOT / "docs" / "gradcheck.md").read_text(encoding="utf-8")
    assert "](backward.png)\n\n*(`python -m tests.documents.backward_picture`)*\n" in document


def test_the_page_in_the_picture_names_the_line():
    suspect = Page(backward_picture.page()).data["suspect"]
    assert suspect["source"] == backward_picture.LINE
    assert str(suspect["step"]) == backward_picture.STEP
