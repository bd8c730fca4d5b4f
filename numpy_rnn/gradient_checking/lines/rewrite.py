"""Rewrite the source of functions so that a probe sees each operation on arrays.

Every operation becomes a call of a method of the probe. Line numbers stay those of the file:

    z = x @ W + b           z = probe.op(3, "add", probe.op(2, "matmult", x, W), b); probe.note(4, "note", z)
    dx[t] = f(dz)           probe.at(7, False, dx)[t] = probe.call(6, f, dz)
    dx[t] += dz             probe.add_at(9, False, "add", dx)[t] = dz
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["PROBE", "Node", "Rewriter"]

PROBE = "<probe>"  # a name that no code of the user has
BARE = {"super", "locals", "globals", "vars", "isinstance", "len", "range", "print"}  # calls that stay as they are


@dataclass(frozen=True)
class Node:
    """A place in the source: an expression, or the target of a statement."""

    filename: str
    line: int
    text: str
    function: str
    start: int = 0  # columns, in characters
    end: int = 0

    @property
    def adds(self) -> bool:
        return " += " in self.text or ".add.at(" in self.text

    def loops(self) -> list[ast.For]:
        """Return the loops around the line, the outermost first."""
        tree = ast.parse("".join(linecache.getlines(self.filename)))
        loops = [n for n in ast.walk(tree) if isinstance(n, ast.For) and n.lineno <= self.line <= (n.end_lineno or 0)]
        return sorted(loops, key=lambda n: n.lineno)


class Rewriter(ast.NodeTransformer):
    def __init__(self, filename: str, nodes: list[Node]) -> None:
        self.filename, self.nodes = filename, nodes
        self.functions = [""]
        self.texts: dict[ast.AST, str] = {}  # the source of expressions and statements, before they are rewritten

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.expr | ast.Assign | ast.AugAssign | ast.Return):
            self.texts[node] = ast.unparse(node)
        return super().visit(node)

    def probe(self, method: str, place: ast.AST, *arguments: Any, keywords: Any = ()) -> ast.Call:
        """Build `probe.method(number of the place, *arguments)`."""
        columns, text = columns_of(self.filename, place), self.texts.get(place) or ast.unparse(place)
        self.nodes.append(Node(self.filename, getattr(place, "lineno", 0), text, self.functions[-1], *columns))
        given = [a if isinstance(a, ast.expr) else ast.Constant(a) for a in (len(self.nodes) - 1, *arguments)]
        function = ast.Attribute(ast.Name(PROBE, ast.Load()), method, ast.Load())
        return ast.copy_location(ast.Call(function, given, list(keywords)), place)

    def notes(self, kind: str, places: Iterable[ast.AST]) -> list[ast.stmt]:
        """Return statements that note the values of names."""
        calls = [self.probe("note", place, kind, loaded(place)) for place in places]
        return [ast.copy_location(ast.Expr(call), call) for call in calls]

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.functions.append(node.name)
        names = [ast.copy_location(ast.Name(a.arg, ast.Load()), a) for a in node.args.args]
        notes = self.notes("argument", names)
        self.generic_visit(node)
        node.body = [*notes, *node.body]
        self.functions.pop()
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        return self.probe("op", node, name_of(node.op), self.visit(node.left), self.visit(node.right))

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        return self.probe("op", node, "negative", node.operand) if isinstance(node.op, ast.USub) else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in BARE:
            return node
        return self.probe("call", node, node.func, *node.args, keywords=node.keywords)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        is_chosen = has_item(node.slice)
        self.generic_visit(node)
        if not isinstance(node.ctx, ast.Del):
            node.value = self.probe("at", node, is_chosen, node.value)
        return node

    def visit_For(self, node: ast.For) -> ast.AST:
        notes = self.notes("note", stored(node.target))
        self.visit_comprehension(node)
        node.body = [*notes, *node.body]
        return node

    def visit_comprehension(self, node: ast.comprehension | ast.For) -> ast.AST:
        iterated = node.iter
        self.generic_visit(node)
        self.texts[node.iter] = self.texts[iterated]
        node.iter = self.probe("iterate", node.iter, node.iter)
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        if node.value is not None:
            node.value = self.probe("note", node, "return", self.bound(node.value, node, True))
        return node

    def visit_Assign(self, node: ast.Assign) -> Any:
        node.value = self.bound(node.value, node)
        notes = self.notes("note", [name for target in node.targets for name in stored(target)])
        node.targets = [self.visit(target) for target in node.targets]
        return [node, *notes]

    def bound(self, value: ast.expr, place: ast.AST, passes: bool = False) -> ast.expr:
        """Rewrite a value that gets a name or is returned. One that is only another name for an array is copied."""
        if isinstance(value, ast.Tuple):
            value.elts = [self.bound(e, place, True) for e in value.elts]
            return value
        new: ast.expr = self.visit(value)
        is_name = isinstance(value, ast.Name | ast.Attribute | ast.Subscript | ast.Call)
        return self.probe("alias", place, passes, new) if is_name else new

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        name, value, target = name_of(node.op), self.visit(node.value), node.target
        if isinstance(target, ast.Subscript):
            is_chosen = has_item(target.slice)
            self.generic_visit(target)
            target.value = self.probe("add_at", node, is_chosen, name, target.value)
        else:
            value = self.probe("add_to", node, name, loaded(target), value)
        return ast.copy_location(ast.Assign([target], value), node)


def loaded(target: ast.AST) -> ast.expr:
    """Return the expression for the value of what is assigned to."""
    return ast.parse(ast.unparse(target), mode="eval").body


def stored(target: ast.AST) -> list[ast.AST]:
    """Return the names and attributes that an assignment to a target binds."""
    nodes = (n for n in ast.walk(target) if isinstance(n, ast.Name | ast.Attribute))
    return [n for n in nodes if isinstance(n.ctx, ast.Store)]


def columns_of(filename: str, place: ast.AST) -> tuple[int, int]:
    """Return where a place starts and ends in its line; ast counts bytes."""
    line, start = getattr(place, "lineno", 0), getattr(place, "col_offset", 0)
    source = linecache.getline(filename, line).rstrip().encode()
    end = getattr(place, "end_col_offset", 0) if getattr(place, "end_lineno", 0) == line else len(source)
    return len(source[:start].decode(errors="replace")), len(source[:end].decode(errors="replace"))


def has_item(index: ast.AST) -> bool:
    """Whether an index is itself an element of something, such as `targets[t]`."""
    return any(isinstance(n, ast.Subscript) for n in ast.walk(index))


def name_of(operator: ast.operator) -> str:
    return type(operator).__name__.lower()
