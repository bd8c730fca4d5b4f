"""Self-contained web pages: a frame with its style sheets, its scripts and its data put into it.

`theme.css` and `elements.js` are what all pages share.
"""

from __future__ import annotations

import json
import re
from importlib import resources

__all__ = ["fill"]


def fill(package: str, data: object) -> str:
    """Return `page.html` of a package, with the files that it names and `data` as JSON put into it.

    A file that the package does not have is one of those in this directory. The page needs no network.
    """
    folders = [resources.files(package), resources.files(__package__)]

    def read(name: str) -> str:
        return next(file for folder in folders if (file := folder.joinpath(name)).is_file()).read_text("utf-8")

    page = read("page.html")
    page = re.sub('<link rel="stylesheet" href="(.*?)">', lambda link: f"<style>\n{read(link[1])}</style>", page)
    page = re.sub('<script src="(.*?)"></script>', lambda tag: f"<script>\n{read(tag[1])}</script>", page)
    # Only "<" can end a script element or open another. Written as \\u003c it does neither.
    text = json.dumps(data).replace("<", "\\u003c")
    return page.replace(
        '<script type="application/json" id="data"></script>',
        f'<script type="application/json" id="data">{text}</script>',
    )
