"""Rows and pages that note what is read of them: which key or selector, what was there, and from where in the code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType
from typing import Any, NamedTuple

from parsel import Selector, SelectorList

_MISSING: Any = object()
_PROJECT = "outsourcing_spiders."
_MOST_TEXT = 2_000


class Position(NamedTuple):
    """Where in a file an expression stands; columns count bytes of UTF-8, as the syntax tree does."""

    line: int
    end_line: int
    column: int
    end_column: int


class Spot(NamedTuple):
    """What a function was at when something was read."""

    code: CodeType
    position: Position
    namespace: dict[str, Any]
    """The globals of the function."""


@dataclass(eq=False, slots=True)
class Access:
    """One look at a row or a page."""

    path: str
    """Keys (``budget.minimum``, ``jobs[*].name``) or selectors (``h2 a``, ``h2 a @href``), from the row on."""
    what: str
    """``key``, ``selector`` or ``attribute``."""
    is_there: bool
    raw: Any
    """What was there, as the platform wrote it; of elements, their texts."""
    spots: tuple[Spot, ...]
    """From the reading method inward."""

    @property
    def place(self) -> tuple[Any, ...]:
        """Return what tells one place that reads from another; of one that reads often, always the same."""
        return (self.path, *((spot.code, spot.position) for spot in self.spots))


@dataclass(eq=False, slots=True)
class Trace:
    """What was read, in order; `root` is the method of the spider that reads.

    `changed` is the `Access.place` at which something else is to be read than what is there.
    """

    root: CodeType
    changed: tuple[Any, ...] | None = None
    accesses: list[Access] = field(default_factory=list)
    rest: bool = False
    """Whether nothing is noted: while a text is taken for the notes themselves."""

    def note(self, path: str, what: str, raw: Any, *, is_there: bool = True) -> bool:
        """Note what is read; return whether it is to be changed."""
        if self.rest:
            return False
        access = Access(path, what, is_there, raw, self._spots())
        self.accesses.append(access)
        return self.changed is not None and access.place == self.changed

    def _spots(self) -> tuple[Spot, ...]:
        spots: list[Spot] = []
        frame = sys._getframe(2)
        while frame is not None:
            code, namespace = frame.f_code, frame.f_globals
            name = str(namespace.get("__name__", ""))
            if code is self.root or (name.startswith(_PROJECT) and name != __name__) or _same_file(code, self.root):
                position = _positions(code)[frame.f_lasti // 2]
                spots.append(Spot(code, position, namespace))
                if code is self.root:
                    return tuple(reversed(spots))
            frame = frame.f_back  # type: ignore[assignment]
        return ()


def _same_file(code: CodeType, other: CodeType) -> bool:
    return code.co_filename == other.co_filename


@lru_cache(maxsize=512)
def _positions(code: CodeType) -> tuple[Position, ...]:
    return tuple(
        Position(line or 0, end or line or 0, column or 0, 1 << 20 if last is None else last)
        for line, end, column, last in code.co_positions()
    )


# --- JSON --------------------------------------------------------------------------------------------------------


def traced(value: Any, trace: Trace, path: str = "") -> Any:
    """Return a value of JSON, or a selector, that notes what is read of it; other values as they are."""
    if isinstance(value, TracedDict | TracedList):
        return value
    if isinstance(value, dict):
        return TracedDict(value, trace, path)
    if isinstance(value, SelectorList):
        return traced_elements(value, trace, path)
    if isinstance(value, Selector):
        return traced_selector(value, trace, path)
    if isinstance(value, list):
        return TracedList(traced(inner, trace, f"{path}[*]") for inner in value)
    return value


def plain(value: Any) -> Any:
    """Return a value without the means to note anything."""
    if isinstance(value, dict):
        return {key: plain(dict.__getitem__(value, key)) for key in dict.keys(value)}
    if isinstance(value, list):
        return [plain(inner) for inner in list.__iter__(value)]
    return value


class TracedList(list[Any]):
    """A list whose objects note what is read of them."""

    def __deepcopy__(self, memo: dict[int, Any]) -> list[Any]:
        return plain(self)  # type: ignore[no-any-return]


class TracedDict(dict[Any, Any]):
    """An object that notes which of its keys are read."""

    __slots__ = ("path", "trace")

    def __init__(self, value: dict[Any, Any], trace: Trace, path: str) -> None:
        super().__init__(value)
        self.trace = trace
        self.path = path

    def _of(self, key: object) -> str:
        return f"{self.path}.{key}" if self.path else str(key)

    def _read(self, key: object) -> Any:
        value = super().get(key, _MISSING)
        is_changed = self.trace.note(
            self._of(key), "key", None if value is _MISSING else value, is_there=value is not _MISSING
        )
        return other_than(value) if is_changed else value

    def __getitem__(self, key: Any) -> Any:
        value = self._read(key)
        if value is _MISSING:
            raise KeyError(key)
        return traced(value, self.trace, self._of(key))

    def get(self, key: Any, default: Any = None) -> Any:
        value = self._read(key)
        return default if value is _MISSING else traced(value, self.trace, self._of(key))

    def pop(self, key: Any, *default: Any) -> Any:
        value = self._read(key)
        return super().pop(key, *default) if value is _MISSING else traced(super().pop(key), self.trace, self._of(key))

    def __contains__(self, key: object) -> bool:
        value = self._read(key)
        return value is not _MISSING

    def __iter__(self) -> Iterator[Any]:
        self.trace.note(self._of("*"), "key", dict(super().items()))
        return super().__iter__()

    def keys(self) -> Any:
        return list(self)

    def values(self) -> Any:
        return [traced(super(TracedDict, self).__getitem__(key), self.trace, self._of("*")) for key in self]

    def items(self) -> Any:
        return [(key, traced(super(TracedDict, self).__getitem__(key), self.trace, self._of("*"))) for key in self]

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[Any, Any]:
        return plain(self)  # type: ignore[no-any-return]


def other_than(value: Any) -> Any:
    """Return another value of the same kind; what has none such is not there."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return f"{value}7" if isinstance(value, str) else None


# --- HTML --------------------------------------------------------------------------------------------------------


class TracedElements(SelectorList["TracedSelector"]):
    """What a selector found."""


class TracedSelector(Selector):
    """An element that notes what is looked for in it."""

    __slots__ = ("path", "response", "trace")
    selectorlist_cls = TracedElements  # type: ignore[assignment]
    trace: Trace
    path: str

    def css(self, query: str) -> Any:
        before, self.trace.rest = self.trace.rest, True
        try:
            found = super().css(query)
        finally:
            self.trace.rest = before
        return self._found(query, found)

    def xpath(self, query: str, *args: Any, **kwargs: Any) -> Any:
        return self._found(query, super().xpath(query, *args, **kwargs))

    def _found(self, query: str, found: Any) -> Any:
        trace = self.trace
        path = f"{self.path} {query}" if self.path else query
        raw = None if trace.rest else [_text(element) for element in list.__iter__(found)]
        if trace.note(path, "selector", raw, is_there=bool(found)):
            found = TracedElements()
        for element in list.__iter__(found):
            element.trace, element.path = trace, path
        return found

    @property
    def attrib(self) -> Any:
        return _Attributes(super().attrib, self.trace, self.path)


class _Attributes(TracedDict):
    """Attributes of an element."""

    __slots__ = ()

    def _of(self, key: object) -> str:
        return f"{self.path} @{key}".strip()

    def _read(self, key: object) -> Any:
        value = dict.get(self, key, _MISSING)
        is_changed = self.trace.note(
            self._of(key), "attribute", None if value is _MISSING else value, is_there=value is not _MISSING
        )
        return other_than(value) if is_changed else value


def traced_selector(selector: Selector, trace: Trace, path: str = "") -> TracedSelector:
    """Return the same element, noting."""
    made = TracedSelector(root=selector.root, type=selector.type, namespaces=selector.namespaces)
    made.trace, made.path = trace, path
    return made


def traced_elements(found: SelectorList[Any], trace: Trace, path: str) -> TracedElements:
    """Return the same elements, noting."""
    return TracedElements(traced_selector(element, trace, path) for element in found)


def _text(element: Selector) -> str:
    root = element.root
    if not hasattr(root, "xpath"):
        return str(root)[:_MOST_TEXT]
    return " ".join(root.xpath("string()").split())[:_MOST_TEXT]


def untouched(value: Any) -> Any:
    """Return a copy that shares nothing with `value`, and notes nothing."""
    return deepcopy(plain(value))
