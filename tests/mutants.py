"""python -m tests.mutants: the table of a mutation run, and the survivors that docs/mutants.md does not explain.

Reads what `mutmut run` leaves in mutants/. The exit status is 1 if a survivor is not explained.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections import Counter
from pathlib import Path

from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.format_utils import orig_function_and_class_names_from_key

COLUMNS = ("killed", "timeout", "explained", "not explained", "not checked")


def main():
    explained = read_explained(Path("docs/mutants.md").read_text())
    unexplained, total = [], Counter()
    print("| module | mutants | killed | timeout | survived, explained | survived, not explained | not run |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for meta in sorted(Path("mutants").rglob("*.py.meta")):
        source = str(meta.relative_to("mutants").with_suffix(""))
        counts = Counter()
        for mutant, code in json.loads(meta.read_text())["exit_code_by_key"].items():
            outcome = status_by_exit_code[code]
            if outcome not in COLUMNS:  # survived, or no test calls the function
                line, *mutation = read_mutation(mutant, source)
                outcome = "explained" if (source, *mutation) in explained else "not explained"
                if outcome == "not explained":
                    function, old, new = mutation
                    unexplained.append(f"{source}:{line} {function}\n- {old}\n+ {new}")
            counts[outcome] += 1
        if counts:
            print_row(source, counts)
            total += counts
    print_row("all", total)
    for entry in unexplained:
        print(f"\n{entry}")
    sys.exit(bool(unexplained))


def print_row(name, counts):
    print(f"| {name} | {counts.total()} | {' | '.join(str(counts[column]) for column in COLUMNS)} |")


def read_mutation(mutant, source):
    """Return the line of a mutant in its file, the function, and the code before and after (of lines, joined)."""
    name, owner = orig_function_and_class_names_from_key(mutant)
    diff = get_diff_for_mutant(mutant, path=source).splitlines()[2:]
    old, new = ([line[1:].strip() for line in diff if line.startswith(sign)] for sign in "-+")
    text = Path(source).read_text()
    body = ast.parse(text).body
    if owner:
        body = next(node.body for node in body if isinstance(node, ast.ClassDef) and node.name == owner)
    start = next(node.lineno for node in body if isinstance(node, ast.FunctionDef) and node.name == name)
    lines = [line.strip() for line in text.splitlines()]
    return lines.index(old[0], start - 1) + 1, f"{owner}.{name}" if owner else name, " ".join(old), " ".join(new)


def read_explained(text):
    """Return (file, function, old, new) of each entry: 'file:line function', then a line '- old', then '+ new'."""
    entry = re.compile(r"^(\S+\.py):\d+ (\S+)\n- (.*)\n\+ (.*)$", re.MULTILINE)
    return {match.groups() for match in entry.finditer(text)}


if __name__ == "__main__":
    main()
