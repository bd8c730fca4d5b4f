"""Rewrite the source of functions so that a probe sees each operation on arrays.

Every operation becomes a call of a method of the probe. Line numbers stay those of the file:

    z = x @ W + b           z = probe.op(3, "add", probe.op(2, "matmul", x, W), b); probe.note(4, z)
    dx[t] += f(dz)          probe.add_to_item(7, "add", dx, t, probe.call(6, f, dz))
"""

from __future__ import annotations

import ast
import builtins
import linecache
from dataclasses import dataclass
from typing import Any

__all__ = ["PROBE", "Node", "Rewriter"]

PROBE = "\0probe"  # a constant in the rewritten code, in whose place the probe is put
BARE = (
    "super",
    "locals",
    "globals",
    "vars",
    "isinstance",
    "len",
    "range",
    "print",
)  # calls that are left as they are


@dataclass(frozen=True)
class Node:
    """A place in the source: an expression, or the target of a statement."""

    filename: str
    line: int
    text: str
    function: str
    start: int = 0  # columns, in characters
    end: int = 0


class Rewriter(ast.NodeTransformer):
    def __init__(self, filename: str, nodes: list[Node]) -> None:
        self.filename, self.nodes = filename, nodes
        self.functions: list[str] = []
        self.changed: list[set[str]] = [set()]
        self.parameters: list[set[str]] = [set()]
        self.temporaries = 0

    def probe(self, method: str, place: ast.AST, *arguments: Any, keywords: Any = (), text: str = "") -> ast.Call:
        """Build `probe.method(number of the place, *arguments)`."""
        line = getattr(place, "lineno", 0)
        function = self.functions[-1] if self.functions else ""
        self.nodes.append(
            Node(self.filename, line, text or ast.unparse(place), function, *columns(self.filename, place))
        )
        number = ast.Constant(len(self.nodes) - 1)
        arguments = tuple(a if isinstance(a, ast.AST) else ast.Constant(a) for a in arguments)
        call = ast.Call(ast.Attribute(ast.Constant(PROBE), method, ast.Load()), [number, *arguments], list(keywords))
        return ast.fix_missing_locations(ast.copy_location(call, place))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.functions.append(node.name)
        self.changed.append(changed_in_place(node))
        self.parameters.append({a.arg for a in node.args.args})
        notes = [
            as_statement(self.probe("argument", a, ast.Name(a.arg, ast.Load()), text=a.arg)) for a in node.args.args
        ]
        head = [node.body[0]] if is_docstring(node.body[0]) else []
        node.body = [*head, *notes, *self.block(node.body[len(head) :])]
        self.functions.pop()
        self.changed.pop()
        self.parameters.pop()
        return node

    def bound(self, value: ast.expr, place: ast.AST, text: str, final: bool = False, safe: bool = True) -> ast.expr:
        """Rewrite a value that gets a name or is returned. One that is only another name for an array is copied."""
        if isinstance(value, ast.Tuple):
            value.elts = [self.bound(e, place, text, True, safe) for e in value.elts]
            return value
        plain = isinstance(value, ast.Name | ast.Attribute | ast.Subscript)
        if not plain and not isinstance(value, ast.Call):
            return self.visit(value)  # type: ignore[no-any-return]
        root: ast.AST = value
        while isinstance(root, ast.Attribute | ast.Subscript | ast.Call):
            root = root.func if isinstance(root, ast.Call) else root.value
        name = root.id if isinstance(root, ast.Name) else ""
        if final and name in self.parameters[-1] and root is not value:
            return self.visit(value)  # type: ignore[no-any-return]  # `return self.grad`: it may be written to
        kept = final or (safe and name not in self.changed[-1])
        return self.probe("alias", place, kept, final, plain, self.visit(value), text=text)

    def block(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        result: list[ast.stmt] = []
        for statement in statements:
            new = self.visit(statement)
            result += new if isinstance(new, list) else [new]
        return result

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        text = ast.unparse(node)
        return self.probe("op", node, name_of(node.op), self.visit(node.left), self.visit(node.right), text=text)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        text = ast.unparse(node)
        node.operand = self.visit(node.operand)
        if not isinstance(node.op, ast.USub) or isinstance(node.operand, ast.Constant):
            return node
        return self.probe("op", node, "negative", node.operand, text=text)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        text = ast.unparse(node)
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in BARE:
            return node
        return self.probe("call", node, node.func, *node.args, keywords=node.keywords, text=text)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        if not isinstance(node.ctx, ast.Load):
            return self.generic_visit(node)
        text = ast.unparse(node)
        return self.probe("item", node, self.visit(node.value), self.index(node.slice), text=text)

    def index(self, node: ast.expr) -> ast.expr:
        """Return an index as an ordinary expression: `1:, k` is (slice(1, None, None), k)."""
        if isinstance(node, ast.Slice):
            ends = [ast.Constant(None) if e is None else self.visit(e) for e in (node.lower, node.upper, node.step)]
            return self.probe("slice", ast.copy_location(ast.Constant(None), node), *ends)
        if isinstance(node, ast.Tuple):
            return ast.copy_location(ast.Tuple([self.index(e) for e in node.elts], ast.Load()), node)
        return self.visit(node)  # type: ignore[no-any-return]

    def visit_For(self, node: ast.For) -> ast.AST:
        node.iter = self.probe("iterate", node.iter, self.visit(node.iter))
        names = [n for n in ast.walk(node.target) if isinstance(n, ast.Name)]
        notes = [as_statement(self.probe("note", n, ast.Name(n.id, ast.Load()), text=n.id)) for n in names]
        node.body, node.orelse = [*notes, *self.block(node.body)], self.block(node.orelse)
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        node.iter = self.probe("iterate", node.iter, self.visit(node.iter))
        node.ifs = [self.visit(test) for test in node.ifs]
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        if node.value is not None:
            text = ast.unparse(node)
            node.value = self.probe("leave", node, self.bound(node.value, node, text, final=True), text=text)
        return node

    def visit_Assign(self, node: ast.Assign) -> Any:
        text = ast.unparse(node)
        names = {n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)}
        is_unpacked = isinstance(node.targets[0], ast.Tuple | ast.List) and not isinstance(node.value, ast.Tuple)
        node.value = self.bound(node.value, node, text, safe=not names & self.changed[-1])
        if is_unpacked:
            node.value = self.probe("unpack", node, node.value, text=text)
        after: list[ast.stmt] = []
        targets = []
        for target in node.targets:
            new, stores = self.target(target, node, text)
            targets.append(new)
            after += stores
        node.targets = targets
        return [node, *after]

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        if node.value is None:
            return node
        return self.visit(ast.copy_location(ast.Assign([node.target], node.value), node))

    def target(self, target: ast.expr, statement: ast.stmt, text: str) -> tuple[ast.expr, list[ast.stmt]]:
        """Return what to assign to, and the statements that follow: stores into arrays, and notes."""
        if isinstance(target, ast.Tuple | ast.List):
            parts = [self.target(e, statement, text) for e in target.elts]
            target.elts = [new for new, _ in parts]
            return target, [s for _, stores in parts for s in stores]
        if isinstance(target, ast.Subscript):
            self.temporaries += 1
            name, written = f"_stored_{self.temporaries}", ast.unparse(target)
            is_chosen = has_item(target.slice)
            place = self.visit(target.value), self.index(target.slice)
            stored = ast.Name(name, ast.Load())
            store = self.probe("set_item", target, is_chosen, *place, stored, text=written)
            return ast.copy_location(ast.Name(name, ast.Store()), target), [as_statement(store)]
        if isinstance(target, ast.Name | ast.Attribute):
            value = ast.parse(ast.unparse(target), mode="eval").body
            return target, [as_statement(self.probe("note", target, value, text=ast.unparse(target)))]
        return target, []

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        text, name, value = ast.unparse(node), name_of(node.op), self.visit(node.value)
        target = node.target
        if isinstance(target, ast.Subscript):
            whole = has_item(target.slice)
            where = self.visit(target.value), self.index(target.slice)
            return as_statement(self.probe("add_to_item", node, whole, name, *where, value, text=text))
        if isinstance(target, ast.Attribute):
            where = self.visit(target.value), ast.Constant(target.attr)
            return as_statement(self.probe("add_to_attribute", node, name, *where, value, text=text))
        old = ast.copy_location(ast.Name(target.id, ast.Load()), target)
        return ast.copy_location(ast.Assign([target], self.probe("add_to", node, name, old, value, text=text)), node)


def columns(filename: str, place: ast.AST) -> tuple[int, int]:
    """Return where a place starts and ends in its line; ast counts bytes."""
    line, start = getattr(place, "lineno", 0), getattr(place, "col_offset", 0)
    source = linecache.getline(filename, line).rstrip().encode()
    end = getattr(place, "end_col_offset", 0) if getattr(place, "end_lineno", 0) == line else len(source)
    return len(source[:start].decode(errors="replace")), len(source[:end].decode(errors="replace"))


def changed_in_place(function: ast.FunctionDef) -> set[str]:
    """Return the names of arrays that a function may write to, other than by binding the name again."""
    changed = set()
    for node in ast.walk(function):
        written: list[ast.AST] = []
        if isinstance(node, ast.AugAssign):
            written = [node.target]
        elif isinstance(node, ast.Assign):
            written = [t for t in node.targets if isinstance(t, ast.Subscript | ast.Attribute)]
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            written = [node.value]  # np.add.at(a, ...), np.multiply(a, b, out), a.fill(0), a.append(b)
        elif isinstance(node, ast.keyword) and node.arg == "out":
            written = [node.value]
        elif isinstance(node, ast.Call):
            module, _, name = ast.unparse(node.func).rpartition(".")
            written = [] if module in ("np", "numpy") or hasattr(builtins, name) else list(node.args)
        changed |= {n.id for w in written for n in ast.walk(w) if isinstance(n, ast.Name)}
    return changed


def has_item(index: ast.AST) -> bool:
    """Whether an index is itself an element of something, such as `targets[t]`."""
    return any(isinstance(n, ast.Subscript) for n in ast.walk(index))


def is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def as_statement(call: ast.Call) -> ast.stmt:
    return ast.copy_location(ast.Expr(call), call)


def name_of(operator: ast.operator) -> str:
    return type(operator).__name__.lower()
