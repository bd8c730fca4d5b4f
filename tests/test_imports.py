"""The architecture: which module may import which. Read from the source, not from what happens to be loaded."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]

# The rooms of numpy_rnn, from top to bottom: each may import those below it. `numpy_rnn` itself collects the public
# names, so it is above the packages that define them and below the command line, which uses them.
ROOMS = [
    "__main__",
    "cli",
    "numpy_rnn",
    "explorer",
    "learn",
    "training",
    "gradient_checking",
    "tracing",
    "generation",
    "storage",
    "char_rnn",
    "layers",
    "optim",
    "text",
    "parameters",
    "display",
    "blas",
    "checks",
    "textbook",
    "textbook_gru",
    "textbook_lstm",
    "version",
]

# What the model, the optimizer and generation load.
LOADED = ["char_rnn", "checks", "generation", "layers", "optim", "parameters", "version"]
LOADED += ["display.instead", "display.terminal", "text.lines", "text.vocabulary"]


class Import(NamedTuple):
    importer: str  # numpy_rnn.storage.files
    imported: str  # a module, or a name in one
    at_once: bool  # at module level, not inside a function
    for_types: bool  # under `if TYPE_CHECKING:`


def sources(*packages: str) -> dict[str, Path]:
    """Return the files of packages by their module's name."""
    paths = [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]
    return {".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p for p in paths}


def read_imports(module: str, path: Path) -> list[Import]:
    def visit(node: ast.AST, at_once: bool, for_types: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            yield from (Import(module, alias.name, at_once, for_types) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno} is a relative import"
            yield from (Import(module, f"{node.module}.{alias.name}", at_once, for_types) for alias in node.names)
        in_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        checks_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for child in ast.iter_child_nodes(node):
            yield from visit(child, at_once and not in_function, for_types or checks_types)

    return list(visit(ast.parse(path.read_text()), True, False))


MODULES = sources("numpy_rnn")
IMPORTS = [found for module, path in MODULES.items() for found in read_imports(module, path)]


def within(imports: list[Import]) -> Iterator[tuple[str, str]]:
    """Return (importing module, imported module) for those imports that stay in numpy_rnn."""
    for found in imports:
        target = found.imported
        if target.partition(".")[0] == "numpy_rnn":
            while target not in MODULES:
                target = target.rpartition(".")[0]
            yield found.importer, target


def room(module: str) -> str:
    return [*module.split("."), "numpy_rnn"][1]


def test_each_room_has_its_place():
    assert {room(module) for module in MODULES} == set(ROOMS)
    assert len(list((ROOT / "numpy_rnn").glob("*.py"))) <= 10


def test_imports_point_downwards():
    place = {name: i for i, name in enumerate(ROOMS)}
    arrows = within([found for found in IMPORTS if (found.importer, found.for_types) != ("numpy_rnn", True)])
    upward = {f"{a} imports {b}" for a, b in arrows if place[room(a)] > place[room(b)]}
    assert not upward


def test_no_modules_import_each_other():
    graph: dict[str, set[str]] = {module: set() for module in MODULES}
    for importer, imported in within([found for found in IMPORTS if not found.for_types]):
        graph[importer].add(imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


def test_numpy_is_all_that_is_needed_at_once():
    foreign = {
        (found.importer, found.imported)
        for found in IMPORTS
        if found.at_once and not found.for_types
        if found.imported.partition(".")[0] not in {"numpy", "numpy_rnn", *sys.stdlib_module_names}
    }
    assert not foreign


def test_the_package_does_not_know_who_uses_it():
    users = {(found.importer, found.imported.partition(".")[0]) for found in IMPORTS}
    assert not {(module, user) for module, user in users if user in ("tests", "benchmarks")}
    assert {module for module, user in users if user == "torch_reference"} <= {"numpy_rnn.cli.tutorial"}


def test_importing_numpy_rnn_or_the_command_line_does_not_import_numpy():
    """Because the number of threads has to be set before."""
    code = "import sys, numpy_rnn.cli as cli; print('numpy' in sys.modules, callable(cli.main))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False True\n"


def test_all_public_names_are_there():
    import numpy_rnn as nr

    assert all(getattr(nr, name).__name__.rpartition(".")[2] == name for name in nr.__all__)
    with pytest.raises(AttributeError, match="module 'numpy_rnn' has no attribute 'nothing'"):
        nr.nothing  # noqa: B018


def test_a_model_loads_no_more_than_it_needs():
    code = "import sys; from numpy_rnn import CharRNN, Adam, schedules, generate, Vocabulary; "
    code += "print(*(name for name in sys.modules if name.partition('.')[0] == 'numpy_rnn'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    expected = [f"numpy_rnn.{name}." for name in LOADED]
    loaded = [f"{module}." for module in done.stdout.split()]
    assert "numpy_rnn.char_rnn." in loaded
    # Each is listed, in a package that is listed, or the package of a module that is listed.
    assert [m for m in loaded if not any(m.startswith(name) or name.startswith(m) for name in expected)] == []


@pytest.mark.parametrize("package", ["numpy_rnn", "torch_reference", "benchmarks", "tests"])
def test_no_file_has_more_than_250_lines(package):
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources(package).values()}
    assert {path: count for path, count in lines.items() if count > 250} == {}
