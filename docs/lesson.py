"""Build the lesson: docs/backprop.md, the code and the worked examples side by side, as one HTML page.

`make lesson` writes build/lesson.html. The derivations are on the left. On the right are the lines of code and the
numbers that belong to the equations on the screen, found by their labels, such as (R3). All of it is taken from the
sources when the page is built. The page needs no network.
"""

from __future__ import annotations

import base64
import html
import os
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

try:
    from latex2mathml.converter import convert
    from markdown_it import MarkdownIt
    from mdit_py_plugins.anchors import anchors_plugin
    from mdit_py_plugins.dollarmath import dollarmath_plugin
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer
except ModuleNotFoundError as error:
    sys.exit(f"the lesson needs more packages ({error}): pip install -e '.[lesson]' (or run make lesson)")

DOCS = Path(__file__).parent
PACKAGE = DOCS.parent / "numpy_rnn"
CODE = ("textbook.py", "optim/clipping.py", "textbook_lstm.py", "textbook_gru.py")  # all labels are in these
OUTPUT = DOCS.parent / "build" / "lesson.html"


def build() -> str:
    """Return the page."""
    source = (DOCS / "backprop.md").read_text(encoding="utf-8")
    blocks = [token.content for token in MARKDOWN.parse(source) if token.type == "fence"]
    text = marked(MARKDOWN.render(source))
    headings = re.findall(r'<h2 id="(.*?)">(.*?)</h2>', text)
    parts = {
        "theme": (PACKAGE / "display" / "theme.css").read_text(encoding="utf-8"),
        "contents": "".join(f'<li><a href="#{name}">{title}</a></li>' for name, title in headings),
        "text": "".join(map(section, re.split("(?=<h[23] )", text))),
        "code": "".join(map(listing, CODE)),
        "numbers": "".join(f"<pre>{example(block)}</pre>" for block in blocks if LABELLED.search(block)),
    }
    page = (DOCS / "lesson_template.html").read_text(encoding="utf-8")
    return re.sub("<!-- (theme|contents|text|code|numbers) -->", lambda place: parts[place[1]], page)


def mathml(formula: str) -> str:
    r"""Return a LaTeX formula as MathML. The _ in \mathrm{logits_t} starts an index, as on GitHub."""
    formula = re.sub(r"\\mathrm\{(\w+)_(\w)\}", r"\\mathrm{\1}_\2", formula)
    element = convert(formula).replace(' xmlns="http://www.w3.org/1998/Math/MathML" display="inline"', "")
    element = element.replace("<mo>&#x02016;", '<mo stretchy="false">&#x02016;')
    letters = r'(?:<mi mathvariant="normal">\w</mi>){2,}'
    element = re.sub(letters, lambda word: f"<mi>{re.sub('<.*?>', '', word[0])}</mi>", element)
    return re.sub(r"<m[io]>(log|max)</m[io]>", r'<mi>\1</mi><mspace width="0.17em"/>', element)


def inline(_self, tokens, index, _options, _env) -> str:
    """Render a formula in pieces, so that a line can break before an operator that is not in parentheses."""
    pieces, depth, after_term = [[]], 0, False
    for element in ElementTree.fromstring(mathml(tokens[index].content))[0]:
        depth += {"(": 1, ")": -1}.get(element.text, 0)
        operator = depth == 0 and element.text in ("=", "+", "\N{MINUS SIGN}", "←")
        if operator and after_term:
            element.set("form", "infix")
            pieces.append([])
        after_term = not operator
        pieces[-1].append(ElementTree.tostring(element, encoding="unicode"))
    elements = (f"<math><mrow>{''.join(piece)}</mrow></math>" for piece in pieces)
    return f'<span class="formula">{"".join(elements)}</span>'


def fence(_self, tokens, index, _options, _env) -> str:
    """Render a code block: a formula, a worked example, or code."""
    kind, content = tokens[index].info, tokens[index].content
    if kind == "math":
        return mathml(content).replace("<math>", '<div class="display"><math display="block">') + "</div>\n"
    return f"<pre>{example(content) if LABELLED.search(content) else html.escape(content)}</pre>\n"


MARKDOWN = MarkdownIt("commonmark").enable("table").use(anchors_plugin, max_level=3)
MARKDOWN.use(dollarmath_plugin)
MARKDOWN.add_render_rule("math_inline", inline)
MARKDOWN.add_render_rule("fence", fence)
LABELLED = re.compile(r"^\(([A-Z]+\d+)\)", re.MULTILINE)


def example(block: str) -> str:
    """Return the lines of a worked example. One without a label belongs to the label above it, a first one to all."""
    lines, labels = [], " ".join(LABELLED.findall(block))
    for line in block.splitlines():
        own = LABELLED.match(line)
        labels = own[1] if own else labels
        shown = LABELLED.sub(link, html.escape(line))
        kind = "line head" if " " in labels else "line"
        lines.append(f'<span class="{kind}" data-labels="{labels}">{shown}\n</span>')
    return "".join(lines)


def link(label: re.Match[str]) -> str:
    """Return the link from a label such as (R3) to its definition."""
    return f'<a class="label" href="#{label[1].lower()}">({label[1]})</a>'


def listing(file: str) -> str:
    """Return a file as numbered lines, each with the labels of the comment at its end."""
    code = (PACKAGE / file).read_text(encoding="utf-8").splitlines()
    rows = [f'<div class="file"><h3 id="{file}">{file}</h3>']
    coloured = highlight("\n".join(code), PythonLexer(), HtmlFormatter(nowrap=True)).splitlines()
    for number, line in enumerate(coloured, 1):
        before, comment, after = line.partition('<span class="c1">')
        labels = re.findall(r"\(([A-Z]+\d+)\)", after)
        shown = before + comment + re.sub(r"\(([A-Z]+\d+)\)", link, after)
        mark = f' data-labels="{" ".join(labels)}"' if labels else ""
        indent = len(code[number - 1]) - len(code[number - 1].lstrip()) + 4
        row = f'<code style="--indent: {indent}ch">{shown}\n</code>'
        rows.append(f'<div class="row"{mark}><span class="number">{number}</span>{row}</div>')
    return "".join(rows) + "</div>"


def marked(text: str) -> str:
    """Return the rendered text with labels on rows and paragraphs, links that work in one file, and its pictures."""
    text = re.sub(r'<a id="(\w+)"></a>\((\w+)\)', r'<a class="label" id="\1" href="#\1">(\2)</a>', text)
    text = re.sub(r'<a href="#(\w+)">(\(\w+\))</a>', r'<a class="label" href="#\1">\2</a>', text)
    last = r"(<math>(?:(?!</math>).)*</math>)</span>([.,;:)]+)"  # no line break between a formula and its comma
    text = re.sub(last, r'<span class="whole">\1\2</span></span>', text)
    starts = r'<p>(?=<strong><a class="label" href="#\w+">\((\w+)\))'  # **[(R3)](#r3): why two terms.**
    text = re.sub(starts, r'<p data-labels="\1">', text)
    text = re.sub(f'<a href="../numpy_rnn/({"|".join(CODE)})">', r'<a href="#\1">', text)
    text = re.sub(r'<a href="(?!#|https:)[^"]*">(.*?)</a>', r"\1", text)  # a file that is not in the page
    text = re.sub(r"(?s)<table>.*?</table>", table, text)
    return re.sub(r'src="([\w/]+\.png)"', picture, text)


def table(match: re.Match[str]) -> str:
    """Return a table with labels on its rows. A row that starts with an empty cell continues the one above it."""
    label = ""

    def row(match: re.Match[str]) -> str:
        nonlocal label
        own = re.search(r'id="\w+" href="#\w+">\((\w+)\)', match[0])
        label = own[1] if own else label if match[0].startswith("<tr>\n<td></td>") else ""
        return match[0].replace("<tr>", f'<tr data-labels="{label}">') if label else match[0]

    rows = re.sub(r"(?s)<tr>.*?</tr>", row, match[0])
    kind = "equations" if "data-labels" in rows else "plain"
    return f'<div class="{kind}">{rows}</div>'


def picture(match: re.Match[str]) -> str:
    data = base64.b64encode((DOCS / match[1]).read_bytes()).decode()
    return f'src="data:image/png;base64,{data}"'


def section(text: str) -> str:
    """Return a section that names its labels: those that it defines, or else those that it mentions."""
    labels = re.findall(r'id="\w+" href="#\w+">\((\w+)\)', text) or re.findall(r'class="label".*?>\((\w+)\)', text)
    about = "" if text.startswith("<h1") else " ".join(dict.fromkeys(labels))  # the introduction is about everything
    return f'<section data-about="{about}">{text}</section>\n'


if __name__ == "__main__":
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(build(), encoding="utf-8")
    print(f"{os.path.relpath(OUTPUT)}: {OUTPUT.stat().st_size / 1000:.0f} kB, to be opened in a browser")
