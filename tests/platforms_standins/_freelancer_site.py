"""Hold the data of the Freelancer.com stand-in: the projects, their order, how they move, who sees which of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from multidict import MultiMapping
from platforms_standins._freelancer_odd import ODD, RARE, contest
from platforms_standins._freelancer_projects import JSON, PACE, ProjectMaker, Row, bid_stats, free_id
from platforms_standins._freelancer_queries import FILTERS, NEWEST_FIRST, SORTS, conditions, switched_on

MOST_ROWS = 100
_BLOCK = 250  # rows in which each odd case is found once


class Board:
    """All projects of the site, newest first.

    `latest`: Unix seconds of the newest of the first `projects` ones. `odd` has the newest id of each odd
    case by its name, `odd_all` all of them.
    """

    def __init__(
        self, projects: int, seed: int, latest: int, *, odd_rows: bool, short_pages: bool, contests: int
    ) -> None:
        self.seed = seed
        self.short_pages = short_pages
        self.odd: dict[str, int] = {}
        self.odd_all: dict[str, list[int]] = {}
        self._maker = ProjectMaker(seed)
        self._next = 0
        self._latest = latest
        self._rows: list[Row] = []
        self._by_id: dict[int, Row] = {}
        self._by_address: dict[str, Row] = {}
        self._selections: dict[tuple[Any, ...], list[Row]] = {}
        self._generate(projects, odd_rows)
        self._contests = self._make_contests(contests)

    def _generate(self, projects: int, odd_rows: bool) -> None:
        places = random.Random(f"{self.seed}:odd").sample(range(2, _BLOCK), len(ODD) - 1)
        # As in the real answer: the second row of the listing is an old project that came up again.
        by_place = {1: "resurfaced"} | dict(zip(places, (name for name in ODD if name != "resurfaced"), strict=True))
        rng = random.Random(f"{self.seed}:pace")
        self._rows = [
            self._make(self._latest - PACE * (projects - 1 - serial) - rng.randrange(PACE))
            for serial in range(projects)
        ][::-1]
        if odd_rows:
            for position, row in enumerate(self._rows):
                block, place = divmod(position, _BLOCK)
                name = by_place.get(place)
                if name and (block % 4 == 0 or name not in RARE):
                    self._bend(row, name)

    def _make(self, time_submitted: int) -> Row:
        row = self._maker.make(self._next, time_submitted)
        self._next += 1
        self._by_id[row.id] = row
        self._by_address[row.fields["seo_url"]] = row
        return row

    def _bend(self, row: Row, name: str) -> None:
        ODD[name](row.fields, random.Random(f"{self.seed}:{row.serial}:{name}"))
        row.odd = name
        if name == "resurfaced":
            del self._by_id[row.id]
            row.id = row.fields["id"] = free_id(max(0, row.serial - 43_200 // PACE))
            self._by_id[row.id] = row
        self.odd.setdefault(name, row.id)
        self.odd_all.setdefault(name, []).append(row.id)

    def _make_contests(self, count: int) -> list[Row]:
        made = []
        plain = [row for row in self._rows if row.odd is None]
        for place in range(min(count, len(plain))):
            source = plain[place * len(plain) // count]
            number = 2_600_000 + place
            fields = contest(source.fields, number, random.Random(f"{self.seed}:contest:{place}"))
            made.append(Row(number, source.serial, fields, 0, odd="contest", is_contest=True))
            self.odd.setdefault("contest", number)
        return made

    def _changed(self, row: Row | None = None) -> None:
        if row is not None:
            row.touch()
        self._selections.clear()

    def latest(self) -> float:
        """Return the newest project's time in Unix seconds."""
        return self._latest

    def row(self, project_id: int) -> Row:
        """Return a project as the site holds it; KeyError when there is none."""
        return self._by_id[project_id]

    def add(self, n: int = 1, odd: str | None = None) -> list[int]:
        """Post `n` new projects, bent into the case `odd`; return their ids, newest first."""
        made = []
        for _ in range(n):
            self._latest += 1
            made.append(self._make(self._latest))
            if odd:
                self._bend(made[-1], odd)
        self._rows[:0] = made[::-1]
        self._changed()
        return [row.id for row in reversed(made)]

    def bid(self, project_id: int, count: int = 1) -> JSON:
        """Let `count` more bids arrive; return the new bid statistics."""
        row = self._by_id[project_id]
        budget = row.get("budget") or {}
        low = budget.get("minimum") or 10.0
        already = (row.get("bid_stats") or {}).get("bid_count") or 0
        rng = random.Random(f"{self.seed}:{project_id}:{already + count}")
        row.fields["bid_stats"] = bid_stats(rng, low, budget.get("maximum") or 2 * low, already + count)
        self._changed(row)
        stats: JSON = row.fields["bid_stats"]
        return stats

    def edit(self, project_id: int, **fields: Any) -> None:
        """Replace fields of a project; the preview follows a new description."""
        row = self._by_id[project_id]
        if isinstance(fields.get("description"), str):
            fields.setdefault("preview_description", fields["description"][:100])
        row.fields.update(fields)
        self._changed(row)

    def close(self, project_id: int) -> None:
        """Close a project: it leaves the listing of open ones and can still be asked for by its id."""
        row = self._by_id[project_id]
        row.listed = False
        row.fields.update(status="closed", sub_status="closed_awarded", frontend_project_status="complete")
        self._changed(row)

    def resurface(self, project_id: int) -> None:
        """Move a project to the top; its times stay, as in the real answers."""
        row = self._by_id[project_id]
        self._rows.remove(row)
        self._rows.insert(0, row)
        self._changed()

    def listed_ids(self) -> list[int]:
        """Return the ids of all listed projects, newest first, also of those that short pages leave out."""
        return [row.id for row in self._rows if row.listed]

    def visible_ids(self, limit: int = MOST_ROWS) -> list[int]:
        """Return the ids that a walk from 0 in steps of `limit` meets, in order, while nothing moves."""
        rows = [row for row in self._rows if row.listed]
        return [
            row.id for offset in range(0, len(rows), limit) for row in self.shown(rows[offset : offset + limit], offset)
        ]

    def shown(self, rows: Sequence[Row], offset: int) -> Sequence[Row]:
        """Return what a page shows of its slice: some pages lack one or two ordinary rows.

        The real site drops them after the slice was cut, so they count and the next page does not make up for
        them. Another offset drops others.
        """
        if not self.short_pages or len(rows) < 50:
            return rows
        rng = random.Random(f"{self.seed}:short:{offset}")
        drop = rng.sample([row for row in rows if row.odd is None] or list(rows), rng.choice((0, 1, 2, 2)))
        return [row for row in rows if row not in drop] if drop else rows

    def select(self, query: MultiMapping[str]) -> tuple[tuple[Any, ...], list[Row]]:
        """Return a key of what a request asks for and the rows, in its order. Raise ValueError for a bad one."""
        key = tuple((name, *query.getall(name)) for name in FILTERS if name in query)
        sort = query.get("sort_field", "")
        backwards = switched_on(query, "reverse_sort")
        if sort in NEWEST_FIRST:
            key = tuple(part for part in key if part[0] != "sort_field")
        if key not in self._selections:
            keep = conditions(query)
            rows = [row for row in self._rows if row.listed and all(test(row) for test in keep)]
            if "include_contests" in query:
                for extra in self._contests:
                    place = next((i for i, row in enumerate(rows) if row.serial <= extra.serial), len(rows))
                    rows.insert(place, extra)
            if sort in SORTS:
                rows.sort(key=SORTS[sort], reverse=True)
            elif sort not in NEWEST_FIRST:
                raise ValueError(f"sort_field: {sort}")
            self._selections[key] = rows[::-1] if backwards else rows
        return key, self._selections[key]
