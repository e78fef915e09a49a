"""Explanations as tables for a terminal."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from unicodedata import east_asian_width

from outsourcing_spiders.debugging.explanation import Explanation, FieldExplanation, Source
from outsourcing_spiders.parsing.text import printable

_HEADINGS = ("field", "value", "raw", "from, or why it is empty")
_GAP = "  "
_LEAST, _NARROWEST, _WIDEST = 20, 90, 180
_MOST_VALUES = 3


def table_of(explanation: Explanation) -> str:
    """Return an explanation as a table, with what was not stored and why below it."""
    rows = [
        (found.name, "" if found.is_empty else text_of(found.value), _raw(found), _from(explanation, found))
        for found in explanation.fields
    ]
    lines = (_stacked(rows) if _columns() < _NARROWEST - 1 else _lines(rows)) if rows else []
    if explanation.undecided:
        told = (
            f"{source.path} = {cut(_raw_text(source), 40)}" if source.is_there else _why(source)
            for source in explanation.undecided
        )
        lines += textwrap.wrap(f"read, but in no field: {'; '.join(told)}", _columns(), subsequent_indent="  ")
    lines += _verdict_lines(explanation)
    return printable("\n".join(lines))


def line_of(found: FieldExplanation) -> str:
    """Return one field in full: its value, what was there, and where."""
    told = [f"{found.name}: {'nothing' if found.is_empty else text_of(found.value)}"]
    told += [
        f"  {source.path} = {_raw_text(source)}" if source.is_there else f"  {_why(source)}" for source in found.sources
    ]
    return printable("\n".join(told + ([f"  {found.origin}"] if found.origin else [])))


def text_of(value: Any) -> str:
    """Return a value as it is read, on one line."""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ").replace("+00:00", " UTC")
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, list):
        return ", ".join(map(text_of, value))
    return printable(" ".join(str(value).split()))


def width(text: str) -> int:
    """Return how many columns a text takes."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def cut(text: str, most: int) -> str:
    """Return a text in no more than so many columns."""
    if width(text) <= most:
        return text
    taken = 0
    for place, letter in enumerate(text):
        taken += width(letter)
        if taken > most - 1:
            return text[:place] + "…"
    return text


def padded(text: str, columns: int) -> str:
    """Return a text with blanks up to so many columns."""
    return text + " " * (columns - width(text))


def _lines(rows: Sequence[tuple[str, str, str, str]]) -> list[str]:
    total = _columns()
    name = max(width(row[0]) for row in rows)
    left = total - name - 3 * len(_GAP)
    wanted = [max(8, *(width(row[at]) for row in rows)) for at in (1, 2)]
    value = min(wanted[0], left * 30 // 100)
    raw = min(wanted[1], left * 32 // 100)
    source = left - value - raw
    columns = (name, value, raw)
    lines = [
        _GAP.join([*map(padded, _HEADINGS, columns), _HEADINGS[3]]),
        _GAP.join("─" * n for n in (*columns, source)),
    ]
    for row in rows:
        said = textwrap.wrap(row[3], source, subsequent_indent="  ", break_on_hyphens=False) or [""]
        first = [padded(cut(text, columns[at]), columns[at]) for at, text in enumerate(row[:3])]
        lines.append(_GAP.join([*first, said[0]]).rstrip())
        indent = " " * (sum(columns) + 3 * len(_GAP))
        lines += [indent + more for more in said[1:]]
    return lines


def _stacked(rows: Sequence[tuple[str, str, str, str]]) -> list[str]:
    """Return the cells of each field below each other: the terminal is too narrow for a table."""
    lines = []
    for name, value, raw, source in rows:
        lines.append(cut(f"{name}: {value}".rstrip(), _columns()))
        lines += [cut(f"  {'raw':<5} {raw}", _columns())] if raw else []
        why = f"  {'from' if value else 'empty':<5} {source}"
        lines += textwrap.wrap(why, _columns(), subsequent_indent="        ")
    return lines


def _columns() -> int:
    return min(max(shutil.get_terminal_size((140, 24)).columns, _LEAST), _WIDEST) - 1


def _raw(found: FieldExplanation) -> str:
    told = [_raw_text(source) for source in found.sources if source.is_there and not source.is_condition]
    return " | ".join(filter(None, told))


def _raw_text(source: Source) -> str:
    values = [_quoted(value) for value in source.raw if value is not None]
    more = f" (+{len(values) - _MOST_VALUES})" if len(values) > _MOST_VALUES else ""
    return ", ".join(values[:_MOST_VALUES]) + more


def _quoted(value: Any) -> str:
    return f"'{text_of(value)}'" if isinstance(value, str) else str(value)


def _from(explanation: Explanation, found: FieldExplanation) -> str:
    said = _sources(found) if not found.is_empty else _why_empty(explanation, found)
    if found.name in explanation.unusable:
        return f"{said}; validation drops it: {text_of(found.value)} is not usable"
    if not found.is_empty and explanation.item is not None and not explanation.refused and _differs(found):
        said += f"; stored as {text_of(found.stored)}" if found.stored not in (None, "") else "; stored as unknown"
    return said


def _differs(found: FieldExplanation) -> bool:
    return bool(found.stored != found.value) and text_of(found.stored) != text_of(found.value)


def _sources(found: FieldExplanation) -> str:
    there = [source for source in found.sources if source.is_there and any(_tells(value) for value in source.raw)]
    told = [source for source in there if not source.is_condition] or [
        source for source in found.sources if not source.is_condition
    ]
    paths = [source.path for source in told]
    if not paths and found.sources:
        return "set by the spider, by " + ", ".join(source.path for source in found.sources)
    missing = [_why(source) for source in told if source not in there]
    if missing and len(missing) == len(told):
        return f"set by the spider, as {'; '.join(missing)}"
    return ", ".join(paths) or found.origin


def _tells(value: Any) -> bool:
    return value is not None and value != "" and value != [] and value != {}


def _why_empty(explanation: Explanation, found: FieldExplanation) -> str:
    if not found.sources:
        if explanation.item is None:
            return "not read any more" if explanation.problem else "not read"
        return "the spider reads nothing for it"
    values = [source for source in found.sources if not source.is_condition]
    conditions = [source for source in found.sources if source.is_condition]
    missing = [_why(source) for source in values if not _is_told(source)]
    told = [source for source in values if _is_told(source)]
    if explanation.item is None and told:
        return ", ".join(source.path for source in told)
    reasons = [_not_read(source, found) for source in told] or missing
    reasons += [
        f"decided by {source.path} ({_raw_text(source) or _why(source)})" for source in conditions if not missing
    ]
    return "; ".join(dict.fromkeys(reasons))


def _is_told(source: Source) -> bool:
    return source.is_there and any(_tells(value) for value in source.raw)


def _not_read(source: Source, found: FieldExplanation) -> str:
    if source.raw and all(isinstance(value, (int, float)) and not value for value in source.raw if value is not None):
        return f"{source.path} is {_raw_text(source)}, which tells nothing"
    return f"{source.path}: {cut(_raw_text(source), 40)} gives no {found.name.rpartition('.')[2]}"


def _why(source: Source) -> str:
    path = source.path
    if not source.is_there:
        if source.what == "key":
            return f"no key {path!r}"
        return (
            f"no attribute {path.rpartition('@')[2]!r}" if source.what == "attribute" else f"{path!r} matches nothing"
        )
    if source.what == "selector":
        return f"{path!r} matches no text"
    value = next((value for value in source.raw), None)
    return f"{path} is {'null' if value is None else 'empty'}"


def _verdict_lines(explanation: Explanation) -> Iterable[str]:
    if explanation.verdict:
        yield f"NOT STORED  {explanation.verdict}"
    elif explanation.unusable:
        yield f"stored, without {', '.join(explanation.unusable)}: validation drops them"
    else:
        yield "stored as it is: validation finds nothing wrong"
