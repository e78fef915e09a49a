"""What two readings differ in: which fields are empty, which fell out, which have another value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from outsourcing_spiders.debugging.fixtures import Items

# Filled in later than the spider, or never empty.
_NOT_THE_SPIDERS = ("platform", "description_complete", "minimum_usd", "maximum_usd", "expires_at")
_GROUPS = {
    "budget": ("minimum", "maximum", "currency", "period", "text", "usd_rate"),
    "client": ("country", "rating", "reviews", "verified"),
}
_LONGEST = 60


@dataclass(slots=True)
class Change:
    """A field that has another value: in which items, what it was and what it is."""

    name: str
    values: list[tuple[str, Any, Any]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Differences:
    """What two readings of the same page differ in."""

    both: int
    """Items that are in both."""
    gone: list[str]
    come: list[str]
    changes: list[Change]
    is_reordered: bool

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self.gone or self.come or self.changes or self.is_reordered)


def compare(before: Items, after: Items) -> Differences:
    """Compare two readings, item by item and field by field."""
    old, new = _by_id(before), _by_id(after)
    changes: dict[str, Change] = {}
    for identity in (both := [identity for identity in new if identity in old]):
        one, other = dict(flat(old[identity])), dict(flat(new[identity]))
        for name in {**one, **other}:
            was, now = one.get(name), other.get(name)
            if was != now:
                changes.setdefault(name, Change(name)).values.append((identity, was, now))
    return Differences(
        both=len(both),
        gone=[identity for identity in old if identity not in new],
        come=[identity for identity in new if identity not in old],
        changes=list(changes.values()),
        is_reordered=both != [identity for identity in old if identity in new],
    )


def differences(before: Items, after: Items, *, values: bool = True) -> Iterator[str]:
    """Say what changed between two readings, in a line for each field; without `values`, only where."""
    found = compare(before, after)
    if found.gone:
        yield f"{len(found.gone)} of {len(before)} items gone, such as {found.gone[0]}"
    if found.come:
        yield f"{len(found.come)} of {len(after)} items new, such as {found.come[0]}"
    for change in found.changes:
        identity, was, now = change.values[0]
        example = f"{identity}: {shown(was)} -> {shown(now)}" if values else identity
        yield f"{change.name}: {len(change.values)} of {found.both}, such as {example}"
    if found.is_reordered:
        yield "the items came in another order"


def filled(items: Items) -> dict[str, int]:
    """Count the items that have something in a field, for each field that a spider fills."""
    counts: dict[str, int] = {}
    for item in items:
        for name, value in item.items():
            if name in _NOT_THE_SPIDERS:
                continue
            for inner in _GROUPS.get(name, ()):
                counts[f"{name}.{inner}"] = counts.get(f"{name}.{inner}", 0) + is_filled((value or {}).get(inner))
            counts[name] = counts.get(name, 0) + _any(value)
    return counts


def empty_fields(items: Items) -> list[str]:
    """Name the fields that are empty in all items; a budget or a client that is, as one."""
    counts = filled(items)
    return [name for name, count in counts.items() if not count and ("." not in name or counts[name.partition(".")[0]])]


def fell_out(before: Items, after: Items) -> list[str]:
    """Say which fields had something, and have nothing now: where a layout broke."""
    old, new = filled(before), filled(after)
    return [
        f"{name}: 0 of {len(after)}, was {old[name]} of {len(before)}"
        for name in new
        if not new[name] and old.get(name)
    ]


def flat(item: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Return the fields of an item, those of its budget and client and its extras as ``budget.minimum``."""
    for name, value in item.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", found) for inner, found in value.items())
        else:
            yield name, value


def is_filled(value: Any) -> bool:
    """Tell whether a field says anything."""
    return value not in (None, "", "unknown") and value != [] and value != {}


def shown(value: Any) -> str:
    """Return a value for a line of a report."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def apart(one: Any, other: Any) -> tuple[str, str]:
    """Return two values for a line of a report; of long texts what is around the first letter that differs."""
    texts = (one, other)
    if not (isinstance(one, str) and isinstance(other, str)) or max(map(len, texts)) <= _LONGEST:
        return shown(one), shown(other)
    same = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(map(len, texts)))
    begin = max(0, same - _LONGEST // 3)
    first, second = (("…" if begin else "") + text[begin : begin + _LONGEST] for text in texts)
    return shown(first), shown(second)


def _by_id(items: Items) -> dict[str, dict[str, Any]]:
    return {item["external_id"]: item for item in items}


def _any(value: Any) -> bool:
    return any(map(is_filled, value.values())) if isinstance(value, dict) else is_filled(value)
