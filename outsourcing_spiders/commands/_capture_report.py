"""What a fixture is worth: which fields are empty, and what changed since it was last read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from outsourcing_spiders.commands._capture_fixture import Items

# Filled in later than the spider, or never empty.
_NOT_THE_SPIDERS = ("platform", "description_complete", "minimum_usd", "maximum_usd", "expires_at")
_GROUPS = {
    "budget": ("minimum", "maximum", "currency", "period", "text", "usd_rate"),
    "client": ("country", "rating", "reviews", "verified"),
}
_LONGEST = 60


def filled(items: Items) -> dict[str, int]:
    """Count the items that have something in a field, for each field that a spider fills."""
    counts: dict[str, int] = {}
    for item in items:
        for name, value in item.items():
            if name in _NOT_THE_SPIDERS:
                continue
            for field in (f"{name}.{inner}" for inner in _GROUPS.get(name, ())):
                counts[field] = counts.get(field, 0) + _has((value or {}).get(field.partition(".")[2]))
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


def differences(before: Items, after: Items, *, values: bool = True) -> Iterator[str]:
    """Say what changed between two readings, in a line for each field; without `values`, only where."""
    old, new = _by_id(before), _by_id(after)
    both = [identity for identity in new if identity in old]
    gone, come = [name for name in old if name not in new], [name for name in new if name not in old]
    if gone:
        yield f"{len(gone)} of {len(old)} items gone, such as {gone[0]}"
    if come:
        yield f"{len(come)} of {len(new)} items new, such as {come[0]}"
    changed: dict[str, list[tuple[str, Any, Any]]] = {}
    for identity in both:
        one, other = dict(_flat(old[identity])), dict(_flat(new[identity]))
        for name in {**one, **other}:
            if one.get(name) != other.get(name):
                changed.setdefault(name, []).append((identity, one.get(name), other.get(name)))
    for name, found in changed.items():
        identity, was, now = found[0]
        example = f"{identity}: {_short(was)} -> {_short(now)}" if values else identity
        yield f"{name}: {len(found)} of {len(both)}, such as {example}"
    if not (gone or come) and list(old) != list(new):
        yield "the items came in another order"


def _by_id(items: Items) -> dict[str, dict[str, Any]]:
    return {item["external_id"]: item for item in items}


def _flat(item: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in item.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", found) for inner, found in value.items())
        else:
            yield name, value


def _any(value: Any) -> bool:
    return any(map(_has, value.values())) if isinstance(value, dict) else _has(value)


def _has(value: Any) -> bool:
    return value not in (None, "", "unknown") and value != [] and value != {}


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
