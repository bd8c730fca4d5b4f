"""python -m tests.mutants: the table of a mutmut run, and the survivors that docs/mutants.md does not explain.

Reads what `mutmut run` leaves in mutants/. The exit status is 1 if a survivor is not explained.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Mutant(NamedTuple):
    file: str
    line: int
    function: str
    old: str
    new: str

    def __str__(self):
        return f"{self.file}:{self.line} {self.function}\n- {self.old}\n+ {self.new}"


def report(mutants: Iterable[tuple[Mutant, str]], killed: dict[str, str]) -> bool:
    """Print how many mutants each test killed, by file, and those that survived without an explanation.

    Parameters
    ----------
    mutants : iterable of (Mutant, outcome)
        An outcome that is not in `killed` means that the mutant survived.
    killed : dict
        The heading of the column for each other outcome.

    Returns
    -------
    bool
        Whether every survivor is explained in docs/mutants.md.
    """
    explained = read_explained(Path("docs/mutants.md").read_text())
    counts, unexplained = defaultdict(Counter), []
    for mutant, outcome in mutants:
        if outcome not in killed:
            outcome = "explained" if (mutant.file, *mutant[2:]) in explained else "not explained"
            unexplained += [mutant] if outcome == "not explained" else []
        counts[mutant.file][outcome] += 1
    counts["all"] = sum(counts.values(), Counter())
    headings = killed | {"explained": "survived, explained", "not explained": "survived, not explained"}
    print(f"| module | mutants | {' | '.join(headings.values())} |\n|---|{'---:|' * (len(headings) + 1)}")
    for name, outcomes in counts.items():
        print(f"| {name} | {outcomes.total()} | {' | '.join(str(outcomes[column]) for column in headings)} |")
    print(*(f"\n{mutant}" for mutant in unexplained), sep="\n")
    return not unexplained


def read_explained(text):
    """Return (file, function, old, new) of each entry: 'file:line function', then a line '- old', then '+ new'."""
    entry = re.compile(r"^(\S+\.py):\d+ (\S+)\n- (.*)\n\+ (.*)$", re.MULTILINE)
    return {match.groups() for match in entry.finditer(text)}


def mutmut_results():
    from mutmut.stats import status_by_exit_code

    for meta in sorted(Path("mutants").rglob("*.py.meta")):
        source = str(meta.relative_to("mutants").with_suffix(""))
        for name, code in json.loads(meta.read_text())["exit_code_by_key"].items():
            yield read_mutant(name, source), status_by_exit_code[code]


def read_mutant(mutant, source):
    from mutmut.mutation.diff_apply import get_diff_for_mutant
    from mutmut.utils.format_utils import orig_function_and_class_names_from_key

    name, owner = orig_function_and_class_names_from_key(mutant)
    diff = get_diff_for_mutant(mutant, path=source).splitlines()[2:]
    old, new = ([line[1:].strip() for line in diff if line.startswith(sign)] for sign in "-+")
    text = Path(source).read_text()
    body = ast.parse(text).body
    if owner:
        body = next(node.body for node in body if isinstance(node, ast.ClassDef) and node.name == owner)
    start = next(node.lineno for node in body if isinstance(node, ast.FunctionDef) and node.name == name)
    line = [line.strip() for line in text.splitlines()].index(old[0], start - 1) + 1
    return Mutant(source, line, f"{owner}.{name}" if owner else name, " ".join(old), " ".join(new))


if __name__ == "__main__":
    columns = {"killed": "killed", "timeout": "timeout", "not checked": "not run"}
    sys.exit(not report(mutmut_results(), columns))
