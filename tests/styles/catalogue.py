"""The styles in which people write backward passes: one script each, in `written/`.

The last line of a script is the check that the user makes of it. A comment `# wrong: ...` or `# unlisted: ...` gives
the line that replaces its own in one of the faulty variants: a gradient times 3, or a parameter whose gradient is
found nowhere.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

__all__ = ["STYLES", "Style", "document_rows"]

WRITTEN = Path(__file__).with_name("written")
LAST_LINE = "report = "


@dataclass(frozen=True)
class Style:
    path: Path

    @property
    def name(self):
        return self.path.stem

    @property
    def text(self):
        return self.path.read_text(encoding="utf-8")

    @property
    def looks(self):
        """Return what the user's code looks like, in one line of Markdown."""
        return ast.get_docstring(ast.parse(self.text))

    @property
    def call(self):
        return self.text.splitlines()[-1].removeprefix(LAST_LINE)

    def has(self, variant):
        return f"  # {variant}: " in self.text

    def source(self, variant):
        """Return the script with the lines of a variant in place of its own, and without the comments."""
        lines = []
        for line in self.text.splitlines():
            code, *comments = line.split("  # ")
            changes = dict(comment.split(": ", 1) for comment in comments if ": " in comment)
            indent = code[: len(code) - len(code.lstrip())]
            lines.append(indent + changes[variant] if variant in changes else code)
        return "\n".join(lines) + "\n"

    def run(self, variant="right"):
        """Run a variant as a module of its own, and return its report, or the error that was raised."""
        name = f"{self.name}_{variant}"
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"{name}.py")
            path.write_text(self.source(variant), encoding="utf-8")
            spec = importlib.util.spec_from_file_location(name, path)
            module = sys.modules[name] = importlib.util.module_from_spec(spec)
            try:
                spec.loader.exec_module(module)
            except Exception as error:
                return error
            finally:
                del sys.modules[name]
        return module.report


STYLES = [Style(path) for path in sorted(WRITTEN.glob("*.py"))]


def document_rows():
    """Return the rows of the table in docs/gradcheck.md."""
    return [f"| {style.looks} | `{style.call}` |" for style in STYLES]
