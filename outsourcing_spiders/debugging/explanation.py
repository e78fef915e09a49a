"""Why an item is what it is: each field with the raw text, and the key or selector that it came from."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from traceback import extract_tb
from typing import Any

from parsel import Selector
from scrapy.http import Response

from outsourcing_spiders.debugging.attribution import DECISION, WHOLE, fields_of
from outsourcing_spiders.debugging.noted_page import noted_page, replaced
from outsourcing_spiders.debugging.trace import Access, Trace, plain, traced
from outsourcing_spiders.items import Budget, Client, Project
from outsourcing_spiders.outcomes import Outcome
from outsourcing_spiders.parsing.rates import ExchangeRates
from outsourcing_spiders.parsing.validation import InvalidProject, validate

_BY_VALIDATION = frozenset({"budget.minimum_usd", "budget.maximum_usd"})
_PARTS: dict[str, type] = {"budget": Budget, "client": Client}
_MOST_TRIALS = 60
_UNREADABLE = "cannot be read: "
_NAMELESS = "it has no id "


@dataclass(frozen=True, slots=True)
class Source:
    """One look at the row that a field was made of."""

    path: str
    what: str
    is_there: bool
    raw: tuple[Any, ...]
    """What was there; of a place that looks at each of several objects, what was in each."""
    is_condition: bool
    """Whether it only decides, and its text is not in the field."""


@dataclass(frozen=True, slots=True)
class FieldExplanation:
    """One field of an item."""

    name: str
    """Such as ``budget.minimum``, ``extra.days``."""
    value: Any
    is_empty: bool
    sources: tuple[Source, ...]
    stored: Any
    """What validation makes of the value."""
    origin: str = ""
    """Where it comes from when nothing was looked at for it; why it is empty when what was looked at does not tell."""

    def __repr__(self) -> str:
        """Return the field's line of the table, in full."""
        from outsourcing_spiders.debugging.table import line_of

        return line_of(self)


@dataclass(slots=True)
class Explanation:
    """What a spider read of one row, or of one page of a project."""

    spider: str
    method: str
    item: Project | None = None
    fields: list[FieldExplanation] = field(default_factory=list)
    undecided: list[Source] = field(default_factory=list)
    """What was looked at and is in no field: it decides whether the row is a project, or nothing at all."""
    left_out: str | None = None
    """Why there is no item: the spider leaves the row out, and counts it as this."""
    problem: str | None = None
    """What was raised, and where."""
    refused: str | None = None
    """Why validation refuses the item."""
    unusable: list[str] = field(default_factory=list)
    """Fields whose value validation drops."""

    def __repr__(self) -> str:
        """Return the table."""
        from outsourcing_spiders.debugging.table import table_of

        return table_of(self)

    def __getitem__(self, name: str) -> FieldExplanation:
        """Return a field by its name; raises `LookupError` with the names that there are."""
        for found in self.fields:
            if found.name == name:
                return found
        names = ", ".join(found.name for found in self.fields)
        raise LookupError(f"there is no field {name!r}; there are {names or 'none: nothing was read'}")

    @property
    def verdict(self) -> str | None:
        """Say in a few words why there is no such row in the database; ``None`` when there is."""
        if self.problem:
            return f"cannot be read: {self.problem}"
        if self.left_out:
            return f"left out by the spider: {self.left_out}"
        return f"refused by validation: {self.refused}" if self.refused else None


def explain_row(spider: Any, row: Any, response: Response) -> Explanation:
    """Return what `item` of a spider reads of a row of the listing."""

    def reading(trace: Trace) -> Any:
        noting = traced(row if isinstance(row, Selector) else deepcopy(row), trace)
        _identity(spider, row)
        return spider.item(noting, response)

    return _explained(spider, "item", reading, Project(platform=spider.name, external_id="", url="", title=""))


def explain_detail(spider: Any, item: Project, response: Response) -> Explanation:
    """Return what `detail` of a spider reads of a project's page; what it leaves alone is of the listing."""

    def reading(trace: Trace) -> Any:
        with noted_page(spider, response, trace) as page:
            return spider.detail(deepcopy(item), page)

    return _explained(spider, "detail", reading, item)


class _NoId(Exception):
    """A row without an id."""


def _identity(spider: Any, row: Any) -> str:
    try:
        return str(spider.row_id(row))
    except (KeyError, TypeError, ValueError) as error:
        raise _NoId(f"{_NAMELESS}({type(error).__name__}: {error}), and is left out") from error


def _explained(spider: Any, method: str, reading: Callable[[Trace], Any], before: Project) -> Explanation:
    root = getattr(type(spider), method).__code__
    explanation = Explanation(spider.name, method)
    trace = Trace(root)
    with _counting(spider) as counted:
        try:
            item = reading(trace)
            explanation.item = None if item is None else _plain_item(item)
        except _NoId as error:
            explanation.problem = str(error)
        except Exception as error:
            explanation.problem = _told(error, root.co_filename)
        if explanation.item is None and not explanation.problem:
            explanation.left_out = ", ".join(counted) or "it returns None"
        looks = _grouped(trace.accesses)
        parts = {place: fields_of(looks[place][0], type(spider)) for place in looks}
        if explanation.item is not None:
            _try_out(explanation.item, parts, lambda place: reading(Trace(root, changed=place)))
    sources = {place: _source(looks[place]) for place in looks}
    stored = _validated(explanation)
    explanation.fields = list(_fields(explanation, before, stored, sources, parts))
    used = {place for place, found in parts.items() if any(label not in (WHOLE, DECISION) for label in found)}
    explanation.undecided = _outermost([sources[place] for place in looks if place not in used])
    return explanation


@contextmanager
def _counting(spider: Any) -> Iterator[list[str]]:
    """Let a spider count for nobody but us, and say nothing: it reads the row more than once."""
    counted: list[str] = []

    def count(what: str, by: int = 1) -> None:
        if what not in counted:
            counted.append(what)

    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with replaced(vars(spider), "count", count):
            yield counted
    finally:
        logging.disable(before)


def _grouped(accesses: list[Access]) -> dict[tuple[Any, ...], list[Access]]:
    groups: dict[tuple[Any, ...], list[Access]] = {}
    for access in accesses:
        groups.setdefault(access.place, []).append(access)
    return groups


def _source(looks: list[Access]) -> Source:
    first = looks[0]
    raws: list[Any] = []
    for look in looks:
        raws += look.raw if look.what == "selector" else [plain(look.raw)]
    return Source(first.path.removesuffix(".*"), first.what, any(look.is_there for look in looks), tuple(raws), False)


def _try_out(
    item: Project, parts: dict[tuple[Any, ...], dict[str, bool]], read: Callable[[tuple[Any, ...]], Any]
) -> None:
    """Tell by trial what the source code leaves open: which fields are others when something else is read."""
    known = _flat(item)
    unsure = [place for place, found in parts.items() if not found or any(label in ("", *_PARTS) for label in found)]
    for place in unsure[:_MOST_TRIALS]:
        other: Any = item
        with suppress(Exception):
            # A spider may stumble over what no platform sends; that tells nothing.
            other = read(place)
        if other is None:
            _merge(parts[place], {DECISION})
            continue
        after = _flat(other if other is item else _plain_item(other))
        changed = {name for name in known.keys() | after.keys() if known.get(name) != after.get(name)}
        if changed:
            for label in [label for label in parts[place] if label in ("", *_PARTS)]:
                del parts[place][label]
            _merge(parts[place], changed)


def _merge(parts: dict[str, bool], labels: set[str]) -> None:
    for label in labels:
        parts[label] = False


def _fields(
    explanation: Explanation,
    before: Project,
    stored: dict[str, Any],
    sources: dict[tuple[Any, ...], Source],
    parts: dict[tuple[Any, ...], dict[str, bool]],
) -> Iterator[FieldExplanation]:
    values = _flat(explanation.item) if explanation.item else {}
    known = _flat(before)
    labels = {label for found in parts.values() for label in found} - {WHOLE, DECISION}
    for name in _names(explanation.item, labels):
        if name in _BY_VALIDATION:
            if stored.get(name) is not None:
                yield FieldExplanation(name, stored[name], False, (), stored[name], "converted by validation")
            continue
        found = [(sources[place], of[name]) for place, of in parts.items() if name in of]
        holder = name.partition(".")[0]
        if not found and holder != name:
            found = [(sources[place], False) for place, of in parts.items() if of.get(holder) is False]
        if not found and holder == name and name in (*_PARTS, "extra"):
            inner = f"{name}."
            found = [
                (sources[place], all(lesser for label, lesser in of.items() if label.startswith(inner)))
                for place, of in parts.items()
                if any(label.startswith(inner) for label in of)
            ]
        value = values.get(name)
        if name == "budget.usd_rate" and value is None and not any(name in of for of in parts.values()):
            # A rate is told by itself, or not at all: an amount has none in it.
            found = []
        of_field = _outermost([dataclasses.replace(source, is_condition=lesser) for source, lesser in found])
        is_empty = _is_empty(value)
        origin = ""
        if is_empty and explanation.item is not None:
            origin = _why_nothing(name, of_field)
        elif not of_field and not is_empty:
            same = explanation.method == "detail" and known.get(name) == value
            origin = "the listing" if same else "set by the spider"
        yield FieldExplanation(name, value, is_empty, tuple(of_field), stored.get(name), origin)


def _why_nothing(name: str, sources: list[Source]) -> str:
    if not sources:
        return "the spider reads nothing for it"
    values = [value for source in sources if source.is_there and not source.is_condition for value in source.raw]
    return "" if all(map(_is_empty, values)) else f"which gives no {name.rpartition('.')[2]}"


def _names(item: Project | None, labels: set[str]) -> Iterator[str]:
    """Return the fields to tell of, in their order; those of a budget, a client and `extra` one by one."""
    for found in dataclasses.fields(Project):
        name = found.name
        value = getattr(item, name, None)
        inner = {label for label in labels if label.startswith(f"{name}.")}
        if name in _PARTS and value is not None:
            yield from (
                full
                for part in dataclasses.fields(_PARTS[name])
                if (full := f"{name}.{part.name}")
                and (full in inner or getattr(value, part.name) is not None or name == "budget")
            )
        elif name in _PARTS and item is None and inner:
            yield from sorted(inner)
        elif name == "extra" and (value or inner):
            yield from dict.fromkeys([*(f"extra.{key}" for key in value or ()), *sorted(inner)])
        else:
            yield name


def _flat(item: Project) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for found in dataclasses.fields(Project):
        value = getattr(item, found.name)
        if found.name in _PARTS and value is not None:
            for part in dataclasses.fields(value):
                values[f"{found.name}.{part.name}"] = getattr(value, part.name)
        elif found.name == "extra":
            values.update((f"extra.{key}", inner) for key, inner in value.items())
        else:
            values[found.name] = value
    return values


def _plain_item(item: Project) -> Project:
    for found in dataclasses.fields(item):
        setattr(item, found.name, plain(getattr(item, found.name)))
    return item


def _is_empty(value: Any) -> bool:
    return value is None or value == "unknown" or (isinstance(value, (str, list, dict)) and not value)


def _outermost(sources: list[Source]) -> list[Source]:
    """Leave out what was only passed through: the object whose key, the element whose attribute was looked at."""
    unique = list({(source.path, source.is_condition): source for source in sources}.values())
    paths = {source.path for source in unique if not source.is_condition}
    unique = [source for source in unique if not (source.is_condition and source.path in paths)]
    if any(_is_text(source) and not source.is_condition for source in unique):
        unique = [source for source in unique if not _is_object(source)]
    return [
        source
        for source in unique
        if not any(
            other is not source and other.path.startswith((f"{source.path}.", f"{source.path}[", f"{source.path} "))
            for other in unique
        )
    ]


def _is_object(source: Source) -> bool:
    return bool(source.raw) and all(isinstance(value, dict) for value in source.raw)


def _is_text(source: Source) -> bool:
    return source.is_there and any(not isinstance(value, (dict, list)) and value is not None for value in source.raw)


def _validated(explanation: Explanation) -> dict[str, Any]:
    if explanation.item is None:
        return {}
    item = deepcopy(explanation.item)
    try:
        explanation.unusable = validate(item, ExchangeRates(), now=datetime.now(UTC))
    except InvalidProject as error:
        explanation.refused = str(error)
        return {}
    return _flat(item)


def _told(error: Exception, file: str) -> str:
    """Say what was raised, and at which line of the spider."""
    said = f"{type(error).__name__}: {error}" if str(error) and not isinstance(error, Outcome) else str(error)
    frames = extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == file]
    if not own:
        return said or type(error).__name__
    return f"{said or type(error).__name__}  ({Path(own[-1].filename).name}:{own[-1].lineno}: {own[-1].line})"


def is_unreadable(said: str) -> bool:
    """Tell whether what `brief` says of a row is an error of the spider, or of the page."""
    return said.startswith((_UNREADABLE, _NAMELESS))


def brief(spider: Any, row: Any, response: Response) -> tuple[str, str]:
    """Return a row's id and its title, or why it is not stored."""
    identity = "no id"
    with _counting(spider) as counted:
        try:
            identity = _identity(spider, row)
            item = spider.item(row, response)
        except _NoId as error:
            return identity, str(error)
        except Exception as error:
            return identity, f"{_UNREADABLE}{_told(error, type(spider).item.__code__.co_filename)}"
    if item is None:
        return identity, f"left out by the spider: {', '.join(counted) or 'it returns None'}"
    title = " ".join(item.title.split()) if isinstance(item.title, str) else str(item.title)
    try:
        unusable = validate(item, ExchangeRates(), now=datetime.now(UTC))
    except InvalidProject as error:
        return identity, f"refused by validation: {error}"
    return identity, f"{title}  (without {', '.join(unusable)})" if unusable else title
