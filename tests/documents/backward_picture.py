"""Redraw docs/backward.png: `python -m tests.documents.backward_picture`. Needs what `make test-browser` needs."""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy_rnn as nr
from numpy_rnn.gradient_checking.page import backward_page
from tests.browser.conftest import launched
from tests.foreign.catalogue import SLIPS
from tests.foreign.points import arguments
from tests.foreign.slip import changed

PATH = Path(__file__).parents[2] / "docs" / "backward.png"
SLIP = "lstm_steps: the forget gate's derivative is missing"
STEP = "4"  # the reader selects this time step,
LINE = "da_f = df"  # and points at this line of backward


def page() -> str:
    """Return the page of an LSTM in which the derivative of the forget gate's sigmoid is missing."""
    slip = next(slip for slip in SLIPS if str(slip) == SLIP)
    with changed(slip) as (module, _), contextlib.chdir(Path(module.__file__).parent):
        return backward_page(nr.gradcheck(*arguments(slip.layer, module)))


def draw(browser: Any, path: Path = PATH) -> None:
    """Take a screenshot of the page, with 64 colours, which are enough for text."""
    from PIL import Image

    tab = browser.new_page(viewport={"width": 1280, "height": 900}, device_scale_factor=1.5, reduced_motion="reduce")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.html"
        file.write_text(page(), encoding="utf-8")
        tab.goto(file.as_uri())
        tab.locator("#step").fill(STEP)
        tab.set_viewport_size({"width": 1280, "height": tab.evaluate("document.body.scrollHeight")})
        tab.locator(".backward .row").filter(has_text=LINE).focus()
        screenshot = tab.screenshot()
    tab.close()
    Image.open(io.BytesIO(screenshot)).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    with launched() as browser:
        draw(browser)
