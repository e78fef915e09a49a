"""Stand in for PeoplePerHour's job listing (`/freelance-jobs`) and its job pages, faithful on the wire.

Known from a real answer (2026-09-17, trimmed) and the live study beside it: the script with its four assignments
`window.PPHReact={};`, `initialState={…};`, `data={…};`, `serverTime='…';`, of which only the state is JSON;
`freelanceJobs.main`, `featured` and `completed` as lists of ids, the records in `entities.projects` in the order of
their numbers; the kinds and values of id, title, url, posted_dt, budget, currency, project_type, proposalCount,
item_state, location_type, etiquettes and both categories; ids that fall while posted_dt does not always; times in UTC
without a zone; what a card shows: "$54/hr" for 40 pounds an hour, "8 minutes ago", a title with a capital letter,
hashed class names with ⤍ and ⤚.
Known from the same study's notes: all keys of a record; 20 to a page; `total-pages`, `total-items`; the category
paths; null budgets; onsite. From other readers' code: `/freelance-{words}-jobs`.
Guesses: the values of all other keys (null or empty here; `expiry_dt` like `posted_dt`, a country's name in `client`,
`where_can_bid` a list of codes); markup in `proj_desc`; that the records of `featured` and `completed` stand among
the others and that some of them are in no main list; that a page beyond the last is the last once more; job pages but
for their addresses; robots.txt; every layout but `current`; all the odd cases marked so in `_peopleperhour_odd`.

In a test:
    async with PeoplePerHourStandIn(projects=60, seed=1, now=…) as site: ... site.base_url ... site.projects ...
In a process of its own:
    python tests/platforms_standins/peopleperhour.py --projects 721
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from aiohttp import web

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from platforms_standins import _peopleperhour_pages as pages
from platforms_standins._peopleperhour_odd import ODD
from platforms_standins._peopleperhour_projects import CATEGORIES, ProjectMaker, Row, moment, slug
from platforms_standins._peopleperhour_truth import expected
from platforms_standins._server import HTML_TYPE, JSON, Answer, StandIn, StandInProcess, arguments, run
from platforms_standins._server import standin_process as _standin_process

PAGE_SIZE = 20
PACE = 900  # seconds between two new projects
_FEATURED = _COMPLETED = 3


class PeoplePerHourStandIn(StandIn):
    """Serve `projects` open projects made from `seed`, newest first.

    `odd_rows`: bend some into the odd cases, each once; `odd` has their ids. `beside` has the ids that stand only in
    the lists beside the main one: a reader must not take them in. `layout`: one of `_peopleperhour_pages.LAYOUTS`.
    `arrivals_per_request`: new projects before each listing answer. `ticking`: let the clock run; else it stands
    at `now` until `advance`. The rest is as in `StandIn`. The same seed and `now` make the same bytes.
    """

    robots = "User-agent: *\nDisallow: /site/\nDisallow: /user/\nAllow: /freelance-jobs\n"
    OWN_FAULTS = ("empty_page", "totals_missing")

    layout = "current"

    def __init__(
        self,
        projects: int = 250,
        seed: int = 1,
        now: float | None = None,
        *,
        odd_rows: bool = True,
        layout: str = "current",
        arrivals_per_request: int = 0,
        ticking: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(now=now, **options)
        self.seed = seed
        self.ticking = ticking
        self.odd: dict[str, str] = {}
        self.arrivals_per_request = arrivals_per_request
        self.set_layout(layout)
        self._maker = ProjectMaker(seed)
        self._next = 0
        self._latest = 0
        self._rows: list[Row] = []
        self._by_id: dict[int, Row] = {}
        self._generate(projects, odd_rows)

    def _generate(self, projects: int, odd_rows: bool) -> None:
        rng = random.Random(f"{self.seed}:peopleperhour:times")
        newest = int(self.now) - 120
        extra = [self._make(newest - PACE * (projects + 40 - place)) for place in range(_FEATURED - 1 + _COMPLETED)]
        # Up to half a pace more than apart: neighbours change places in time now and then, never in their ids.
        self._rows = [
            self._make(newest - PACE * (projects - 1 - place) - (rng.randrange(1400) if place < projects - 1 else 0))
            for place in range(projects)
        ][::-1]
        self._latest = newest if projects else 0
        if odd_rows:
            places = range(1, projects)
            for place, name in zip(rng.sample(places, min(len(places), len(ODD))), ODD, strict=False):
                self._bend(self._rows[place], name)
        plain = [row for row in self._rows[PAGE_SIZE:] if row.odd is None]
        self._featured = plain[-1:] + extra[: _FEATURED - 1]
        self._completed = extra[_FEATURED - 1 :]
        for row in self._featured:
            row.attributes["isFeatured"] = True
            row.attributes["etiquettes"] = row.attributes["etiquettes"] | {"featured": True}
        for row in self._completed:
            completed = moment(self.now - 3600)
            row.attributes.update(item_state="completed", open=False, completed_dt=completed, proj_status="Completed")
            row.listed = False
        self.beside = [str(row.id) for row in extra]

    def _make(self, posted: int) -> Row:
        row = self._maker.make(self._next, posted)
        self._next += 1
        self._by_id[row.id] = row
        return row

    def _bend(self, row: Row, name: str) -> None:
        ODD[name](row, random.Random(f"{self.seed}:{row.serial}:{name}"))
        row.odd = name
        self.odd.setdefault(name, str(row.id))

    # --- what the site knows of itself ----------------------------------------------------------------------

    @property
    def projects(self) -> dict[str, JSON]:
        """Return what a perfect reader stores of the main list, by id, in its order."""
        return {str(row.id): expected(row) for row in self._rows if row.listed}

    def listed_ids(self) -> list[str]:
        """Return the ids of the main list, newest first."""
        return [str(row.id) for row in self._rows if row.listed]

    def row(self, project_id: int | str) -> Row:
        """Return a project as the site holds it; KeyError when there is none."""
        return self._by_id[int(project_id)]

    def state(self) -> JSON:
        """Return the ids of the main list, those beside it, the odd ones by name and what a reader stores."""
        ids = self.listed_ids()
        told = {"total": len(ids), "ids": ids, "beside": self.beside, "odd": self.odd}
        return told | {"now": self.clock(), "projects": self.projects}

    def clock(self) -> float:
        """Return the present in Unix seconds; it stands still unless the site is `ticking`."""
        return super().clock() if self.ticking else max(float(int(self.now)), self.latest())

    def latest(self) -> float:
        """Return when the newest project was posted, in Unix seconds."""
        return self._latest

    # --- movement -------------------------------------------------------------------------------------------

    def change(self, action: str, **values: Any) -> Any:
        """Carry out `add`, `bid`, `edit`, `close`, `remove`, `advance`, `layout` or `set`, asked for over HTTP."""
        actions: dict[str, Callable[..., Any]] = {
            "add": self.add,
            "bid": self.bid,
            "edit": self.edit,
            "close": self.close,
            "remove": self.remove,
            "advance": self.advance,
            "layout": self.set_layout,
            "set": self._set,
        }
        if action not in actions:
            raise ValueError(f"no such change: {action}; known: {', '.join(actions)}")
        return actions[action](**values)

    def add(self, n: int = 1, odd: str | None = None) -> list[str]:
        """Post `n` new projects, a second apart, bent into the case `odd`; return their ids, newest first."""
        made = []
        for _ in range(n):
            self._latest = max(self._latest, int(self.clock())) + 1
            row = self._make(self._latest)
            if odd:
                self._bend(row, odd)
            self._rows.insert(0, row)
            made.append(str(row.id))
        return made[::-1]

    def bid(self, project_id: int | str, count: int = 1) -> int:
        """Let `count` more proposals arrive; return how many there are."""
        row = self.row(project_id)
        total = int(row.get("proposalCount") or 0) + count
        row.attributes["proposalCount"] = total
        return total

    def edit(self, project_id: int | str, **attributes: Any) -> None:
        """Replace attributes of a project; a new `proj_desc` is plain text."""
        row = self.row(project_id)
        row.attributes.update(attributes)
        if "proj_desc" in attributes:
            row.text = None

    def close(self, project_id: int | str) -> None:
        """Complete a project: it leaves the main list; its page says so."""
        row = self.row(project_id)
        row.listed = False
        row.attributes.update(item_state="completed", open=False, completed_dt=moment(self.clock()))

    def remove(self, project_id: int | str) -> None:
        """Take a project away altogether: its page is 404."""
        self._rows.remove(self._by_id.pop(int(project_id)))

    def advance(self, seconds: float) -> float:
        """Let time pass; return the new present."""
        self.now += seconds
        return self.clock()

    def set_layout(self, name: str) -> None:
        """Switch all pages to the layout `name`."""
        if name not in pages.LAYOUTS:
            raise ValueError(f"no such layout: {name}; known: {', '.join(pages.LAYOUTS)}")
        self.layout = name

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            switches = (
                "arrivals_per_request",
                "robots",
                "robots_status",
                "enforce_rate_limit",
                "rate_windows",
                "ticking",
            )
            if name not in switches:
                raise ValueError(f"no such switch: {name}")
            setattr(self, name, value)

    # --- answers --------------------------------------------------------------------------------------------

    def routes(self) -> list[tuple[str, Callable[[web.BaseRequest, re.Match[str]], Answer]]]:
        """Return the addresses of the listing, narrowed and not, and of a project's page."""
        return [
            (r"/freelance-jobs(?:/([^/]+))?(?:/([^/]+))?", self._by_category),
            (r"/freelance-jobs/[^/]+/[^/]+/(?:[^/]*-)?(\d+)", self._detail),
            (r"/freelance-([^/]+)-jobs", self._by_words),
        ]

    def limited(self, path: str) -> bool:
        """Tell that only an enforced limit governs a path: the platform tells of none in its headers."""
        return self.enforce_rate_limit

    def position(self, request: web.BaseRequest) -> int:
        """Return how many projects come before the requested page."""
        page = request.query.get("page", "1")
        return (int(page) - 1) * PAGE_SIZE if page.isdigit() else 0

    def error(self, status: int, request: web.BaseRequest, new_errors: bool | None = None) -> Answer:
        """Return an error page."""
        page = f"<!DOCTYPE html><html><head><title>Error {status}</title></head><body><h1>{status}</h1></body></html>"
        return Answer(page.encode(), status, HTML_TYPE)

    def _by_category(self, request: web.BaseRequest, match: re.Match[str]) -> Answer:
        self._arrive()
        known = {slug(name): [slug(one) for one in subcategories] for name, (subcategories, _) in CATEGORIES.items()}
        category, subcategory = match[1], match[2]
        if (category and category not in known) or (subcategory and subcategory not in known[category]):
            return self.error(404, request)

        def matches(row: Row) -> bool:
            parts = row.attributes["url"].rpartition("/freelance-jobs/")[2].split("/")
            return (not category or parts[0] == category) and (not subcategory or parts[1] == subcategory)

        return self._listing(request, [row for row in self._rows if row.listed and matches(row)])

    def _by_words(self, request: web.BaseRequest, match: re.Match[str]) -> Answer:
        self._arrive()
        terms = match[1].lower().split("-")

        def matches(row: Row) -> bool:
            text = f"{row.get('title')} {row.get('proj_desc') or ''}".lower()
            return all(term in text for term in terms)

        return self._listing(request, [row for row in self._rows if row.listed and matches(row)])

    def _arrive(self) -> None:
        if self.arrivals_per_request:
            self.add(self.arrivals_per_request)

    def _listing(self, request: web.BaseRequest, rows: list[Row]) -> Answer:
        last = -(-len(rows) // PAGE_SIZE)
        asked = request.query.get("page", "1")
        page = min(max(1, int(asked) if asked.isdigit() else 1), max(1, last))
        alterations = {"empty_page": "list_empty", "totals_missing": "totals_missing"}
        text = pages.listing(
            rows[(page - 1) * PAGE_SIZE : page * PAGE_SIZE],
            self._featured,
            self._completed,
            page=page,
            pages=last,
            total=len(rows),
            now=self.clock(),
            layout=alterations.get(self.alteration or "", self.layout),
        )
        return Answer(text.encode(), content_type=HTML_TYPE)

    def _detail(self, request: web.BaseRequest, match: re.Match[str]) -> Answer:
        row = self._by_id.get(int(match[1]))
        if row is None:
            return self.error(404, request)
        return Answer(pages.detail(row, now=self.clock(), layout=self.layout).encode(), content_type=HTML_TYPE)


def standin_process(**options: Any) -> AbstractContextManager[StandInProcess]:
    """Run the stand-in in a process of its own: `with standin_process(projects=60, ticking=False) as site:`."""
    return _standin_process(Path(__file__), **options)


def main() -> None:
    """Serve from the command line."""
    parser = argparse.ArgumentParser(description="Stand in for PeoplePerHour's job listing.")
    arguments(parser)
    parser.add_argument("--projects", type=int, default=250)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--arrivals-per-request", type=int, default=0)
    parser.add_argument("--layout", choices=pages.LAYOUTS, default="current")
    parser.add_argument("--odd-rows", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--ticking", action=argparse.BooleanOptionalAction, default=True)
    options = vars(parser.parse_args())
    run(lambda: PeoplePerHourStandIn(**options))


if __name__ == "__main__":
    main()
