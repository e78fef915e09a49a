"""Which field of an item a look at a row ends in, by where in the source it stands.

A field is told from the syntax tree: the argument of `Project`, `Budget` or `Client` that encloses the look, or that
uses the variable which the look was assigned to, through as many variables and functions as it takes. Nothing
is run for it. What stands in a condition (``… if HERE else …``) has a part in a field too, a lesser one.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from outsourcing_spiders.debugging.trace import Access, Position
from outsourcing_spiders.items import Budget, Client, Project

DECISION = "?"
"""In place of a field: whether the row is a project at all."""
WHOLE = ""
"""In place of a field: all that is returned."""

Parts = dict[str, bool]
"""Fields that something has a part in, and whether only as a condition. One that begins with = is final."""

_HOLDERS = ("budget", "client", "extra")
_FIELDS = frozenset(found.name for found in dataclasses.fields(Project))
_MAKERS = (Project, Budget, Client, dataclasses.replace)
_WITH_PARTS = ("Project", "Budget", "Client", "Posted", "dict", "Row", "Mapping")
_MOST_DEPTH = 40
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_COMPREHENSIONS = "<"


def fields_of(access: Access, owner: type) -> Parts:
    """Return the fields that an access has a part in, such as ``budget.minimum``; `owner` is the spider's class."""
    parts: Parts = {WHOLE: False}
    for function, position in reversed(_activations(access, owner)):
        chain = function.chain(position)
        found: Parts = {}
        for label, is_condition in parts.items():
            if label.startswith("=") or label == DECISION:
                _add(found, label, is_condition)
            else:
                _merge(found, function.parts(chain, label, is_condition, frozenset()))
        parts = found
    final: Parts = {}
    for label, is_condition in parts.items():
        _add(final, _final(label.removeprefix("=")), is_condition)
    if len(final) > 1 and final.get(WHOLE):
        # Which of several returns is taken; what each of them takes is known.
        del final[WHOLE]
    return final


def _final(label: str) -> str:
    first, _, rest = label.partition(".")
    if label in (WHOLE, DECISION):
        return label
    if first not in _FIELDS:
        return WHOLE
    return f"{first}.{rest.partition('.')[0]}" if rest and first in _HOLDERS else first


def _activations(access: Access, owner: type) -> list[tuple[_Function, Position]]:
    """Return the functions that were at work, each with the innermost place in its own text."""
    active: list[tuple[_Function, Position]] = []
    for spot in access.spots:
        if spot.code.co_name.startswith(_COMPREHENSIONS):
            # A part of the function that it stands in, wherever it is run.
            for depth in range(len(active) - 1, -1, -1):
                function = active[depth][0]
                if function.holds(spot.code, spot.position):
                    active[depth:] = [(function, spot.position)]
                    break
        elif (node := _node(spot.code)) is not None:
            active.append((_Function(node, spot.namespace, owner, spot.code.co_filename), spot.position))
    return active


class _Function:
    """A function's syntax tree, and what its names stand for."""

    def __init__(self, node: ast.AST, namespace: dict[str, Any], owner: type, file: str) -> None:
        self.node: Any = node
        self.namespace = namespace
        self.owner = owner
        self.file = file

    def holds(self, code: CodeType, position: Position) -> bool:
        """Tell whether a place is in the function's text."""
        return code.co_filename == self.file and self.node.lineno <= position.line <= self.node.end_lineno

    def chain(self, position: Position) -> list[ast.AST]:
        """Return the nodes around a place, from the function inward."""
        chain = [self.node]
        while (inner := next((child for child in _children(chain[-1]) if _covers(child, position)), None)) is not None:
            chain.append(inner)
        return chain

    def parts(self, chain: list[ast.AST], label: str, is_condition: bool, seen: frozenset[Any]) -> Parts:
        """Return the fields of what the function returns that the innermost node of `chain` has a part in."""
        found: Parts = {}
        if len(seen) > _MOST_DEPTH:
            return {WHOLE: is_condition}
        for depth in range(len(chain) - 1, 0, -1):
            node, parent = chain[depth], chain[depth - 1]
            if isinstance(parent, (ast.stmt, ast.withitem)):
                _merge(found, self._at_statement(chain, depth, label, is_condition, seen))
                return found
            if isinstance(parent, ast.NamedExpr) and node is parent.value:
                _merge(found, self._flow(parent.target, label, is_condition, seen))
            elif isinstance(parent, ast.IfExp) and node is parent.test:
                is_condition = True
            elif isinstance(parent, ast.comprehension):
                if node in parent.ifs:
                    is_condition = True
                elif node is parent.iter:
                    # What is made of the elements is the value of the whole comprehension.
                    pass
            elif isinstance(parent, ast.Dict) and node in parent.values:
                key = parent.keys[parent.values.index(node)]
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    label = _joined(key.value, label)
            elif isinstance(parent, ast.keyword):
                call = chain[depth - 2]
                if isinstance(call, ast.Call) and ((parent.arg and self._makes(call)) or self._is_dict(call)):
                    label = _joined(parent.arg or "", label)
                elif isinstance(call, ast.Call) and parent.arg:
                    inside = self._inside(call, parent.arg, label, is_condition, seen)
                    if inside is not None:
                        for rest, lesser in inside.items():
                            _merge(found, self._outward(chain[: depth - 1], rest, lesser, seen))
                        return found
            elif isinstance(parent, ast.Call) and node in parent.args and not _after_star(parent, node):
                inside = self._inside(parent, parent.args.index(node), label, is_condition, seen)
                if inside is not None:
                    for rest, lesser in inside.items():
                        _merge(found, self._outward(chain[:depth], rest, lesser, seen))
                    return found
        return found

    def _outward(self, chain: list[ast.AST], label: str, is_condition: bool, seen: frozenset[Any]) -> Parts:
        if label.startswith("=") or label == DECISION:
            return {label: is_condition}
        return self.parts(chain, label, is_condition, seen)

    def _at_statement(
        self, chain: list[ast.AST], depth: int, label: str, is_condition: bool, seen: frozenset[Any]
    ) -> Parts:
        statement: Any = chain[depth - 1]
        node, inner = chain[depth], chain[depth + 1 :]
        found: Parts = {}
        if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            if node is statement.value:
                for target in targets:
                    _merge(found, self._flow(_element(target, node, inner), label, is_condition, seen))
        elif isinstance(statement, (ast.For, ast.AsyncFor)) and node is statement.iter:
            _merge(found, self._flow(statement.target, label, is_condition, seen))
        elif isinstance(statement, ast.withitem):
            if statement.optional_vars is not None:
                _merge(found, self._flow(statement.optional_vars, label, is_condition, seen))
        elif isinstance(statement, ast.Return):
            _add(found, label, is_condition)
        elif isinstance(statement, ast.Expr):
            value: Any = statement.value
            if isinstance(value, (ast.Yield, ast.YieldFrom)):
                _add(found, label, is_condition)
            elif isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
                _merge(found, self._flow(value.func.value, label, is_condition, seen))
        elif isinstance(statement, (ast.If, ast.While)) and node is statement.test:
            _merge(found, self._governed(statement, seen))
        elif isinstance(statement, (ast.Assert, ast.Raise)):
            _add(found, DECISION, True)
        return found

    def _governed(self, statement: Any, seen: frozenset[Any]) -> Parts:
        """Return what a condition decides."""
        found: Parts = {}
        for inner in ast.walk(ast.Module(body=[*statement.body, *statement.orelse], type_ignores=[])):
            if isinstance(inner, ast.Assign):
                for target in inner.targets:
                    _merge(found, self._flow(target, WHOLE, True, seen))
            elif isinstance(inner, ast.Return):
                is_nothing = inner.value is None or (
                    isinstance(inner.value, ast.Constant) and inner.value.value is None
                )
                _add(found, DECISION if is_nothing and self.node.name == "item" else WHOLE, True)
        return found

    def _flow(self, target: ast.AST, label: str, is_condition: bool, seen: frozenset[Any]) -> Parts:
        """Return what is made of something that is assigned."""
        found: Parts = {}
        if isinstance(target, (ast.Tuple, ast.List)):
            for inner in target.elts:
                _merge(found, self._flow(inner, label, is_condition, seen))
        elif isinstance(target, ast.Starred):
            return self._flow(target.value, label, is_condition, seen)
        elif isinstance(target, ast.Name):
            return self._uses(target.id, label, is_condition, seen)
        elif isinstance(target, (ast.Attribute, ast.Subscript)):
            step = _step(target)
            base = target.value
            label = _joined(step, label) if step else label
            if isinstance(base, ast.Name) and self._is_item(base.id):
                return {f"={label}": is_condition}
            return self._flow(base, label, is_condition, seen)
        return found

    def _uses(self, name: str, label: str, is_condition: bool, seen: frozenset[Any]) -> Parts:
        found: Parts = {}
        mark = (id(self.node), name, label)
        if mark in seen or name in ("self", "cls"):
            return found
        for chain in self._chains_to(name):
            rest: str | None = label
            if (key := _key(chain)) is not None:
                # A dict and a dataclass are told apart by their parts.
                rest = _without(key, label)
            if rest is not None:
                _merge(found, self.parts(chain, rest, is_condition, seen | {mark}))
        return found

    def _chains_to(self, name: str) -> Iterator[list[ast.AST]]:
        def walk(chain: list[ast.AST]) -> Iterator[list[ast.AST]]:
            for child in _children(chain[-1]):
                inner = [*chain, child]
                if isinstance(child, ast.Name) and child.id == name and isinstance(child.ctx, ast.Load):
                    yield inner
                yield from walk(inner)

        return walk([self.node])

    def _is_item(self, name: str) -> bool:
        """Tell whether a name is an item of the listing, which the function completes."""
        arguments = self.node.args
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            if argument.arg == name:
                return argument.annotation is not None and "Project" in ast.unparse(argument.annotation)
        return False

    def _called(self, call: ast.Call) -> Any:
        func = call.func
        if isinstance(func, ast.Name):
            return self.namespace.get(func.id)
        if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name):
            holder = self.owner if func.value.id in ("self", "cls") else self.namespace.get(func.value.id)
            return getattr(holder, func.attr, None)
        return None

    def _makes(self, call: ast.Call) -> bool:
        called = self._called(call)
        return any(called is maker for maker in _MAKERS)

    def _is_dict(self, call: ast.Call) -> bool:
        return isinstance(call.func, ast.Name) and call.func.id == "dict"

    def _inside(
        self, call: ast.Call, argument: int | str, label: str, is_condition: bool, seen: frozenset[Any]
    ) -> Parts | None:
        """Return what a function of the project makes of an argument; ``None`` for any other function."""
        named: Any = self._called(call)
        called = inspect.unwrap(getattr(named, "__func__", named)) if callable(named) else None
        if not isinstance(called, FunctionType) or not _is_ours(called, self.file):
            return None
        node: Any = _node(called.__code__)
        if node is None or not _returns_parts(node):
            return None
        names = [found.arg for found in (*node.args.posonlyargs, *node.args.args)]
        if names[:1] in (["self"], ["cls"]):
            names = names[1:]
        name = argument if isinstance(argument, str) else names[argument] if argument < len(names) else None
        if name is None:
            return None
        inner = _Function(node, called.__globals__, self.owner, called.__code__.co_filename)
        found = inner._uses(name, label, is_condition, seen)
        # A function that only looks at it decides all the same what comes out.
        return {key: lesser for key, lesser in found.items() if key != DECISION} or {WHOLE: is_condition}


def _is_ours(function: FunctionType, file: str) -> bool:
    return str(function.__module__).startswith("outsourcing_spiders.") or function.__code__.co_filename == file


def _returns_parts(node: Any) -> bool:
    """Tell whether a function may return something with parts of its own: a budget, a client, fields by name."""
    return node.returns is None or any(name in ast.unparse(node.returns) for name in _WITH_PARTS)


@cache
def _tree(file: str) -> ast.Module | None:
    try:
        return ast.parse(Path(file).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return None


@cache
def _node(code: CodeType) -> ast.AST | None:
    tree = _tree(code.co_filename)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, _FUNCTIONS) and node.name == code.co_name:
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            if first == code.co_firstlineno:
                return node
    return None


def _children(node: ast.AST) -> Iterable[ast.AST]:
    return ast.iter_child_nodes(node)


def _covers(node: ast.AST, position: Position) -> bool:
    if not hasattr(node, "lineno"):
        return any(_covers(child, position) for child in _children(node))
    first: Any = node
    return (first.lineno, first.col_offset) <= (position.line, position.column) and (
        position.end_line,
        min(position.end_column, first.end_col_offset if position.end_column >= 1 << 20 else position.end_column),
    ) <= (first.end_lineno, first.end_col_offset)


def _step(node: ast.AST) -> str | None:
    """Return the name of the part that an expression takes of its value."""
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
        return node.slice.value
    return None


def _key(chain: list[ast.AST]) -> str | None:
    """Return the name of the part that is taken of the innermost node; ``None`` when all of it is."""
    node, around, call = chain[-1], *reversed([None, None, *chain][-3:-1])
    if isinstance(around, ast.Call) and around.args[:1] == [node] and len(around.args) > 1:
        # A function that is given the keys to go by.
        keys = [key.value for key in around.args[1:] if isinstance(key, ast.Constant) and isinstance(key.value, str)]
        return keys[0] if len(keys) == len(around.args) - 1 else None
    if not (isinstance(around, (ast.Attribute, ast.Subscript)) and node is around.value):
        return None
    if isinstance(around, ast.Attribute) and around.attr in ("get", "pop") and isinstance(call, ast.Call):
        first = call.args[0] if call.args else None
        return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
    step = _step(around)
    return step if isinstance(around, ast.Subscript) or step in _PARTS else None


def _without(step: str, label: str) -> str | None:
    """Return what is left of a label past one of its parts; ``None`` when it is another part that is meant."""
    first, _, rest = label.partition(".")
    return rest if not label or first == step else None


_PARTS = _FIELDS | {found.name for kind in (Budget, Client) for found in dataclasses.fields(kind)}


def _after_star(call: ast.Call, node: ast.AST) -> bool:
    """Tell whether the number of an argument is not known, since some stand for several."""
    before = call.args[: call.args.index(node) + 1]  # type: ignore[arg-type]
    return any(isinstance(argument, ast.Starred) for argument in before)


def _element(target: ast.AST, value: ast.AST, inner: list[ast.AST]) -> ast.AST:
    """Return the one of several targets that an element of several values is assigned to."""
    for element in inner:
        targets, values = getattr(target, "elts", None), getattr(value, "elts", None)
        if not targets or not values or len(targets) != len(values) or element not in values:
            break
        target, value = targets[values.index(element)], element
    return target


def _joined(first: str, rest: str) -> str:
    return f"{first}.{rest}" if first and rest else first or rest


def _add(parts: Parts, label: str, is_condition: bool) -> None:
    parts[label] = parts.get(label, True) and is_condition


def _merge(parts: Parts, more: Parts) -> None:
    for label, is_condition in more.items():
        _add(parts, label, is_condition)
