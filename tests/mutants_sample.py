"""python -m tests.mutants_sample: change numpy_rnn in 300 random places, one at a time, and run the tests each time.

Each mutant gets its own copy of the project. The tests of the mutated package run first and, if they pass, all the
others. Prints a table by module and the survivors; the exit status is 1 if docs/mutants.md does not explain one.
Results are kept in mutants/sample.jsonl. The command continues an interrupted run; `make mutants-sample` starts over.
"""

import argparse
import ast
import itertools
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutants import Mutant, report

RESULTS = Path("mutants/sample.jsonl")
IGNORED = shutil.ignore_patterns(".venv", ".*_cache", ".hypothesis", "mutants", "build", "dist", "__pycache__")
COLUMNS = {"own": "killed by the package's tests", "others": "killed by other tests", "timeout": "timeout"}

# For each operator, its name in ast and what takes its place.
OPERATORS = {"Lt": "< <= >=", "LtE": "<= < >", "Gt": "> >= <=", "GtE": ">= > <", "Eq": "== !=", "NotEq": "!= =="}
OPERATORS |= {"Is": "is is_not", "IsNot": "is_not is", "In": "in not_in", "NotIn": "not_in in", "And": "and or"}
OPERATORS |= {"Or": "or and", "Add": "+ -", "Sub": "- +", "Mult": "* /", "Div": "/ *", "FloorDiv": "// /"}
OPERATORS |= {"Mod": "% //", "Pow": "** *", "MatMult": "@ *", "BitAnd": "& |", "BitOr": "| &"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", help="files to change (default: all of numpy_rnn)")
    parser.add_argument("--number", type=int, default=300, help="number of mutants (default: 300)")
    parser.add_argument("--seed", type=int, default=0, help="random seed of the sample (default: 0)")
    parser.add_argument("--jobs", type=int, default=2, help="mutants to test at the same time (default: 2)")
    parser.add_argument("--limit", type=int, default=1800, help="seconds after which a test run ends (default: 1800)")
    options = parser.parse_args()

    files = options.files or [str(path) for path in sorted(Path("numpy_rnn").rglob("*.py"))]
    mutants = list(draw(files, options.number, options.seed))
    if run_tests(mutants[0][0], Path(mutants[0][0].file).read_bytes(), options.limit) != "survived":
        sys.exit("the tests fail on an unchanged copy of the project: mutants would show nothing")
    RESULTS.parent.mkdir(exist_ok=True)
    known = dict(map(json.loads, RESULTS.read_text().splitlines())) if RESULTS.exists() else {}
    outcomes = []
    with ThreadPoolExecutor(options.jobs) as pool, RESULTS.open("a") as results:
        run = pool.map(lambda m: known.get(str(m[0])) or run_tests(*m, options.limit), mutants)
        for (mutant, _), outcome in zip(mutants, run, strict=True):
            outcomes.append((mutant, outcome))
            if str(mutant) not in known:
                print(json.dumps([str(mutant), outcome]), file=results, flush=True)
            print(f"{len(outcomes)}/{len(mutants)} {outcome}: {mutant}", file=sys.stderr, flush=True)
    sys.exit(not report(outcomes, COLUMNS))


def draw(files, number, seed):
    """Yield (Mutant, mutated source), from each file in proportion to its number of possible edits, at least one."""
    edits = {file: list(find_edits(Path(file).read_bytes())) for file in files}
    total = sum(map(len, edits.values()))
    for file, candidates in edits.items():
        share = min(len(candidates), max(1, round(number * len(candidates) / total)))
        # One generator for each file: a change to one file leaves the samples from the others as they are.
        for function, line, start, end, text in random.Random(f"{seed} {file}").sample(candidates, share):
            source = Path(file).read_bytes()
            mutated = source[:start] + text.encode() + source[end:]
            first = source.rindex(b"\n", 0, start) + 1
            last = source.index(b"\n", end), mutated.index(b"\n", start + len(text.encode()))
            lines = source[first : last[0]], mutated[first : last[1]]
            yield Mutant(file, line, function, *(" ".join(x.decode().split()) for x in lines)), mutated


def find_edits(source):
    """Yield (function, line, start, end, text) for each possible edit: `text` replaces source[start:end]."""
    starts = [0, *itertools.accumulate(map(len, source.splitlines(keepends=True)))]

    def start(node):
        return starts[node.lineno - 1] + node.col_offset

    def end(node):
        return starts[node.end_lineno - 1] + node.end_col_offset

    def text(node):
        return source[start(node) : end(node)].decode()

    def operator(left, symbol, right):
        old, *others = (name.replace("_", " ") for name in OPERATORS.get(type(symbol).__name__, "none").split())
        between = source[end(left) : start(right)].decode()
        for new in others if old in between else ():
            yield end(left), start(right), between.replace(old, new, 1)

    def edits(node):
        match node:
            case ast.Compare(left=left, ops=symbols, comparators=others):
                for triple in zip([left, *others], symbols, others, strict=False):
                    yield from operator(*triple)
            case ast.BoolOp(op=symbol, values=values):
                for left, right in itertools.pairwise(values):
                    yield from operator(left, symbol, right)
            case ast.BinOp(left=left, op=symbol, right=right):
                yield from operator(left, symbol, right)
            case ast.AugAssign(target=target, op=symbol, value=value):
                yield from operator(target, symbol, value)
                yield start(node), end(node), "pass"
            case ast.UnaryOp(operand=operand):
                yield start(node), end(node), f"({text(operand)})"
            case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
                yield start(test), end(test), f"(not ({text(test)}))"
            case ast.Constant(value=bool(value)):
                yield start(node), end(node), str(not value)
            case ast.Constant(value=int(value)):
                yield start(node), end(node), str(value + 1)
                yield start(node), end(node), str(value - 1) if value else "(-1)"
            case ast.Constant(value=float(value)):
                yield start(node), end(node), repr(2 * value or 1.0)
            case ast.Return(value=ast.expr() as value) if text(value) != "None":
                yield start(value), end(value), "None"
            case ast.Expr(value=ast.Call()) | ast.Assign(targets=[ast.Attribute() | ast.Subscript(), *_]):
                yield start(node), end(node), "pass"
            case ast.Call(args=arguments, keywords=keywords):
                for left, right in itertools.pairwise([a for a in arguments if not isinstance(a, ast.Starred)][:2]):
                    yield start(left), end(right), f"{text(right)}, {text(left)}"
                for before, keyword in itertools.pairwise([None, *arguments, *keywords]):
                    if isinstance(keyword, ast.keyword):
                        yield end(before) if before else start(keyword), end(keyword), "" if before else "**{}"

    def walk(node, function):
        if is_text_or_type(node):
            return
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            function = [*function, node.name]
        for first, last, new in edits(node):
            if new.encode() != source[first:last]:
                yield ".".join(function) or "module", node.lineno, first, last, new
        for name, field in ast.iter_fields(node):
            if name not in ("annotation", "returns", "decorator_list"):
                for child in field if isinstance(field, list) else [field]:
                    yield from walk(child, function) if isinstance(child, ast.AST) else ()

    return walk(ast.parse(source), [])


def is_text_or_type(node):
    """Whether a mutant would change only what people read, or the types."""
    if isinstance(node, ast.If):
        return ast.unparse(node.test) == "TYPE_CHECKING"
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) or ast.unparse(node).startswith("warnings.")
    return isinstance(node, ast.Raise | ast.JoinedStr)


def run_tests(mutant, source, limit):
    """Return which tests killed the mutant ("own" or "others"), "timeout", or "survived"."""
    part = Path(mutant.file).parts[1]
    own = Path("tests", f"test_{part}" if part.endswith(".py") else part)
    stages = {"own": [own]} if own.exists() else {}
    stages["others"] = ["tests", "README.md", "docs", f"--ignore={own}"]
    with tempfile.TemporaryDirectory(prefix="mutant-") as directory:
        project = Path(shutil.copytree(".", Path(directory, "project"), ignore=IGNORED))
        (project / mutant.file).write_bytes(source)
        for stage, tests in stages.items():
            status = run_pytest(project, tests, limit)
            if status:
                return "timeout" if status == -signal.SIGKILL else stage
    return "survived"


def run_pytest(project, tests, limit):
    options = ["-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "--hypothesis-profile=mutants"]
    child = subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, *map(str, tests)],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project), "TMPDIR": str(project.parent)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # A mutated size must not take all of the machine's memory.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (24 << 30, 24 << 30)),
    )
    try:
        return child.wait(limit)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        return child.wait()


if __name__ == "__main__":
    main()
