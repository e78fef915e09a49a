"""What a page tells, held against what is stored of the same projects."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from outsourcing_spiders.debugging.differences import Change, apart, is_filled
from outsourcing_spiders.items import Project
from outsourcing_spiders.storage.rows import Columns, prepare
from outsourcing_spiders.storage.stored_rows import COLUMNS, Pair

_FEW = 3
# What the platform's own clients and bidders change every day.
_MOVING = ("status", "bid_count", "bid_average", "closes_at")
_NEVER_EMPTY = ("url", "title", "description_complete")


@dataclass(slots=True, kw_only=True)
class Comparison:
    """A page beside the database."""

    new: list[str]
    same: int
    changed: int
    changes: list[Change]
    empty: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Columns that are empty in all rows of the page: in how many stored ones they are filled, of how many."""


def hold_against(pairs: Sequence[Pair], *, listed: Collection[str] = ()) -> Comparison:
    """Compare; `listed` are the columns that the listing is known to fill where a project's own page tells more."""
    changes: dict[str, Change] = {}
    known = [pair for pair in pairs if pair.stored is not None]
    changed = set()
    for pair in known:
        was, now = _flat(pair.stored or ()), _flat(pair.merged)
        for name in {**was, **now}:
            if was.get(name) != now.get(name):
                changes.setdefault(name, Change(name)).values.append((pair.external_id, was.get(name), now.get(name)))
                changed.add(pair.external_id)
    return Comparison(
        new=[pair.external_id for pair in pairs if pair.stored is None],
        same=len(known) - len(changed),
        changed=len(changed),
        # What changes every day last.
        changes=sorted(changes.values(), key=lambda change: change.name in _MOVING),
        empty=_empty(known, listed),
    )


def filled_columns(projects: Iterable[Project]) -> frozenset[str]:
    """Return the columns that are filled in some rows of `projects`."""
    rows = [msgspec.json.decode(prepare(project).line, type=Columns) for project in projects]
    return frozenset(name for name in COLUMNS if any(is_filled(getattr(row, name)) for row in rows))


def _flat(values: Sequence[Any]) -> dict[str, Any]:
    row = dict(zip(COLUMNS, values, strict=True))
    return row | {f"extra.{name}": value for name, value in row.pop("extra").items()}


def _empty(known: Sequence[Pair], listed: Collection[str]) -> dict[str, tuple[int, int]]:
    found = {}
    for place, name in enumerate(COLUMNS):
        if name in _NEVER_EMPTY or any(is_filled(pair.seen[place]) for pair in known):
            continue
        # What only a project's own page tells is not missing from a listing.
        stored = [pair.stored[place] for pair in known if pair.stored and (name in listed or not pair.is_beside_full)]
        if was := sum(map(is_filled, stored)):
            found[name] = (was, len(stored))
    return found


def broken_lines(found: Comparison) -> Iterator[str]:
    """Say which fields the page has lost: the signs of a broken layout."""
    for name, (was, rows) in found.empty.items():
        yield f"broken?  {name} is empty in every row of the page, and filled in {was} of the {rows} stored ones"


def change_lines(found: Comparison, *, every_value: bool = False) -> Iterator[str]:
    """Say what else differs, and end with the counts."""
    most = None if every_value else _FEW
    if found.new:
        more = f", and {len(found.new) - _FEW} more" if most and len(found.new) > most else ""
        yield f"new      {', '.join(found.new[:most])}{more}"
    for change in found.changes:
        if change.name in found.empty and not every_value:
            continue
        yield f"{change.name}: {len(change.values)} changed"
        for identity, was, now in change.values[:most]:
            one, other = apart(_plain(was), _plain(now))
            yield f"    {identity}  {one} -> {other}"
        if most and len(change.values) > most:
            yield f"    and {len(change.values) - most} more (-v shows them)"
    yield f"{plural(len(found.new), 'new project')}, {found.changed} changed, {found.same} as stored"


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (bool, int, list, dict)) else str(value)


def plural(count: int, what: str) -> str:
    """Return a number of things."""
    return f"{count} {what}{'' if count == 1 else 's'}"
