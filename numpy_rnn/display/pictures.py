"""The palette and style of all pictures, and the one place that imports matplotlib."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["BLUE", "COLOURS", "GREEN", "GREY", "ORANGE", "PINK", "RED", "SKY", "figures", "plain", "render"]

# The palette of Okabe and Ito, which is safe for colour-blind readers.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#666666")
BLUE, RED, GREEN, PINK, SKY, ORANGE, GREY = COLOURS
# Fonts of various systems, for characters that matplotlib's own font does not have.
FONTS = ("Noto Sans CJK SC", "WenQuanYi Zen Hei", "Microsoft YaHei", "PingFang SC", "Arial Unicode MS")
STYLE: dict[Any, Any] = {
    "font.size": 11,
    "axes.titlesize": 12.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.1,
    "figure.constrained_layout.w_pad": 0.1,
    "legend.frameon": False,
}


@contextmanager
def figures() -> Iterator[Any]:
    """Yield matplotlib's `Figure`, with the style set for what is drawn in the block. pyplot is not touched.

    Raises ModuleNotFoundError, with the pip line, if matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
        from matplotlib.font_manager import fontManager
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("matplotlib is not installed: pip install matplotlib") from error
    installed = {font.name for font in fontManager.ttflist}
    families = ["sans-serif", *(name for name in FONTS if name in installed)]
    with rc_context({**STYLE, "font.family": families}):
        yield Figure


def plain(text: str) -> str:
    r"""Return `text` with each $ as \$: matplotlib would take what is between two of them for a formula."""
    return text.replace("$", r"\$")


def render(figure: Any, kind: str) -> tuple[bytes, str]:
    """Return a matplotlib figure as a file of some kind, such as "png", and the characters that no font has."""
    picture = io.BytesIO()
    with warnings.catch_warnings(record=True) as caught:
        warnings.filterwarnings("always", "Glyph .* missing", UserWarning)
        figure.savefig(picture, format=kind)
    glyphs = [re.match(r"Glyph (\d+) .*missing", str(warning.message)) for warning in caught]
    return picture.getvalue(), "".join(dict.fromkeys(chr(int(glyph[1])) for glyph in glyphs if glyph))
