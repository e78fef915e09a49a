"""Stand in for Guru.com's job listing (`/d/jobs/`) and its job pages, faithful on the wire.

Known from real answers (a listing page's state scripts and first card of 2026-09, the posting data of a job page of
2025-02): `window.__query` and `window.__pageData` with their keys, 20 to a page, the card's markup with its classes,
unescaped ampersands and `&SearchUrl=` in links, the teaser cut after 200 characters, "3 hrs ago", "Send before Oct
19, 2026", "1 Quote Received" with its tooltip, $1k-$2.5k, preferred locations; the JobPosting with its blanks, odd
capitals, dates of seven decimals, lower-case skills and "YEAR" as the unit of a fixed price.
Known from other readers' notes: the addresses `/d/jobs/pg/N/`, `/c/`, `/sc/`, `/skill/`, `/q/`; the pager's id; "27
mins ago", "on Feb 22, 2026", "No Quotes Received", "Under $250", the hourly form; `.feedback-score`; the selectors of
a job's page and its "Show more" link for visitors; a robots.txt of 406 or 403; the tokens of a block with status 200
(fault `incapsula`).
Guesses: how featured cards look and that they lead the first page; dates in UTC; singulars ("1 min ago"); the score
in per cent; an empty list with its totals beyond the last page; pages of closed and unknown jobs; that visitors get
1,000 characters on a job's page and the full text in its data; the headers of the content network on good answers;
every layout but the current one; all the odd cases marked so in `_guru_odd`.

In a test:
    async with GuruStandIn(projects=60, seed=1, now=…) as site: ... site.base_url ... site.projects["2100421"] ...
In a process of its own:
    python tests/platforms_standins/guru.py --projects 221
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
from urllib.parse import quote, unquote

from aiohttp import web

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from platforms_standins import _guru_pages
from platforms_standins._guru_odd import ODD
from platforms_standins._guru_projects import PAGE_SIZE, ProjectMaker, Row, slug
from platforms_standins._guru_truth import HOME, VIEWS, expected
from platforms_standins._server import HTML_TYPE, JSON, Answer, StandIn, StandInProcess, arguments, run
from platforms_standins._server import standin_process as _standin_process

ROBOTS = "User-agent: *\nDisallow: /work/\nDisallow: /login.aspx\n"
_FILTERS = ("c", "sc", "skill", "q", "l")
# How an answer looks that came through the content network, good ones too.
_NETWORK = {"X-CDN": "Imperva", "X-Iinfo": "9-81-82 NNNN CT(0 0 0) RT(0 0) q(0 0 0 -1) r(1 1) U12"}


class GuruStandIn(StandIn):
    """Serve `projects` open jobs made from `seed`, newest first, `featured` of the older ones before them.

    `odd_rows`: bend some into the odd cases, each once; `odd` has their ids. `layout` and `detail_layout`: one of
    `_guru_pages.LAYOUTS` and `DETAIL_LAYOUTS`. `arrivals_per_request`: new jobs before each listing answer.
    `robots_status`: what robots.txt answers, 406 as most programs get it; 200 gives it a text. `ticking`:
    let the clock run; else it stands at `now` until `advance`. The rest is as in `StandIn`. The same seed and `now`
    make the same bytes.
    """

    OWN_FAULTS = ("empty_page", "totals_missing")

    def __init__(
        self,
        projects: int = 221,
        seed: int = 1,
        now: float | None = None,
        *,
        odd_rows: bool = True,
        featured: int = 2,
        layout: str = "current",
        detail_layout: str = "current",
        arrivals_per_request: int = 0,
        robots_status: int = 406,
        ticking: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(now=now, **options)
        self.seed = seed
        self.ticking = ticking
        self.odd: dict[str, str] = {}
        self.arrivals_per_request = arrivals_per_request
        self.robots_status = robots_status
        self.set_layout(layout, detail_layout)
        self._maker = ProjectMaker(seed)
        self._next = 0
        self._latest = 0
        self._rows: list[Row] = []
        self._by_id: dict[int, Row] = {}
        self._generate(projects, odd_rows, featured)

    def _generate(self, projects: int, odd_rows: bool, featured: int) -> None:
        rng = random.Random(f"{self.seed}:guru:times")
        times: list[int] = []
        moment = int(self.now) - 300
        for place in range(projects):
            times.append(moment)
            # Minutes, then hours, then days: the newest pages show all three ways to write a time.
            mean = 1500 if place < 6 else 5000 if place < 25 else min(110_000, 30_000_000 // projects)
            moment -= 60 + int(rng.uniform(0.2, 1.8) * mean)
        self._rows = [self._make(posted) for posted in reversed(times)][::-1]
        self._latest = times[0] if times else 0
        places = range(2, projects)
        if odd_rows:
            for place, name in zip(rng.sample(places, min(len(places), len(ODD))), ODD, strict=False):
                self._bend(self._rows[place], name)
        plain = [row for row in self._rows[PAGE_SIZE:] if row.odd is None]
        for row in plain[:: max(1, len(plain) // featured)][:featured] if featured else ():
            row.featured = True
            row.odd = "featured"
            self.odd.setdefault("featured", str(row.id))

    def _make(self, posted: int) -> Row:
        row = self._maker.make(self._next, posted, int(self.clock()))
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
        """Return what a perfect reader of cards and pages stores now, by id, in the order of the listing."""
        return self.expected("full")

    def expected(self, view: str = "full") -> dict[str, JSON]:
        """Return what a perfect reader stores of the `list` alone, of the `detail` pages alone, or of both (`full`)."""
        if view not in VIEWS:
            raise ValueError(f"no such view: {view}; known: {', '.join(VIEWS)}")
        now = int(self.clock())
        return {str(row.id): expected(row, view, now) for row in self._listed()}

    def listed_ids(self) -> list[str]:
        """Return the ids in the order of the listing."""
        return [str(row.id) for row in self._listed()]

    def row(self, project_id: int | str) -> Row:
        """Return a job as the site holds it; KeyError when there is none."""
        return self._by_id[int(project_id)]

    def state(self) -> JSON:
        """Return the ids in the order of the listing, the odd ones by name and what a reader stores."""
        ids = self.listed_ids()
        return {"total": len(ids), "ids": ids, "odd": self.odd, "now": self.clock(), "projects": self.projects}

    def clock(self) -> float:
        """Return the present in Unix seconds; it stands still unless the site is `ticking`."""
        return super().clock() if self.ticking else max(float(int(self.now)), self.latest())

    def latest(self) -> float:
        """Return when the newest job was posted, in Unix seconds."""
        return self._latest

    # --- movement -------------------------------------------------------------------------------------------

    def change(self, action: str, **values: Any) -> Any:
        """Carry out `add`, `quote`, `edit`, `close`, `remove`, `advance`, `layout` or `set`, asked for over HTTP."""
        actions: dict[str, Callable[..., Any]] = {
            "add": self.add,
            "quote": self.quote,
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
        """Post `n` new jobs, a second apart, bent into the case `odd`; return their ids, newest first."""
        made = []
        for _ in range(n):
            self._latest = max(self._latest, int(self.clock())) + 1
            row = self._make(self._latest)
            if odd:
                self._bend(row, odd)
            self._rows.insert(0, row)
            made.append(str(row.id))
        return made[::-1]

    def quote(self, project_id: int | str, count: int = 1) -> int:
        """Let `count` more quotes arrive; return how many there are."""
        row = self.row(project_id)
        row.quotes = (row.quotes or 0) + count
        return row.quotes

    def edit(self, project_id: int | str, **fields: Any) -> None:
        """Replace fields of a job, by their names in `Row`."""
        row = self.row(project_id)
        for name, value in fields.items():
            getattr(row, name)
            setattr(row, name, value)

    def close(self, project_id: int | str) -> None:
        """Close a job: it leaves the listing; its page says so."""
        self.row(project_id).listed = False

    def remove(self, project_id: int | str) -> None:
        """Take a job away altogether: its page is 404."""
        self._rows.remove(self._by_id.pop(int(project_id)))

    def advance(self, seconds: float) -> float:
        """Let time pass; return the new present."""
        self.now += seconds
        return self.clock()

    def set_layout(self, name: str | None = None, detail: str | None = None) -> None:
        """Switch the listing to the layout `name`, the job pages to `detail`."""
        for layout, known in ((name, _guru_pages.LAYOUTS), (detail, _guru_pages.DETAIL_LAYOUTS)):
            if layout is not None and layout not in known:
                raise ValueError(f"no such layout: {layout}; known: {', '.join(known)}")
        self.layout = name or self.layout
        self.detail_layout = detail or self.detail_layout

    layout = detail_layout = "current"

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            if name not in ("arrivals_per_request", "robots_status", "enforce_rate_limit", "rate_windows", "ticking"):
                raise ValueError(f"no such switch: {name}")
            setattr(self, name, value)

    # --- answers --------------------------------------------------------------------------------------------

    def routes(self) -> list[tuple[str, Callable[[web.BaseRequest, re.Match[str]], Answer]]]:
        """Return the addresses of the listing, of a job's page and of the few others that links lead to."""
        return [
            (r"/d/jobs((?:/(?:c|sc|skill|q|l|pg)/[^/]+)*)", self._listing),
            (r"/jobs/[^/]*/(\d+)(?:&.*)?", self._detail),
            (r"/robots\.txt", self._robots),
            (r"/login\.aspx", self._login),
        ]

    def limited(self, path: str) -> bool:
        """Tell that only an enforced limit governs a path: the platform tells of none in its headers."""
        return self.enforce_rate_limit

    def position(self, request: web.BaseRequest) -> int:
        """Return how many jobs come before the requested page."""
        found = re.search(r"/pg/(\d+)", request.path)
        return (int(found[1]) - 1) * PAGE_SIZE if found else 0

    def error(self, status: int, request: web.BaseRequest, new_errors: bool | None = None) -> Answer:
        """Return an error page."""
        page = f"<!DOCTYPE html><html><head><title>Error {status}</title></head><body><h1>{status}</h1></body></html>"
        return self._html(page, status)

    @staticmethod
    def _html(page: str, status: int = 200) -> Answer:
        return Answer(page.encode(), status, HTML_TYPE, dict(_NETWORK))

    def _listed(self) -> list[Row]:
        return sorted((row for row in self._rows if row.listed), key=lambda row: not row.featured)

    def _listing(self, request: web.BaseRequest, match: re.Match[str]) -> Answer:
        if self.arrivals_per_request:
            self.add(self.arrivals_per_request)
        pairs = re.findall(r"/([a-z]+)/([^/]+)", match[1])
        asked = [(name, unquote(value)) for name, value in pairs if name in _FILTERS]
        if "q" in request.query:
            asked.append(("q", request.query["q"]))
        page = dict(pairs).get("pg", "1")
        if not page.isdigit() or not int(page):
            return self.error(404, request)
        rows = [row for row in self._listed() if all(_matches(row, *one) for one in asked)]
        start = (int(page) - 1) * PAGE_SIZE
        path = "/d/jobs/" + "".join(f"{name}/{quote(value)}/" for name, value in asked)
        layout = "list_empty" if self.alteration == "empty_page" else self.layout
        text = _guru_pages.listing(
            rows[start : start + PAGE_SIZE],
            path=path,
            page=int(page),
            total=len(rows),
            now=int(self.clock()),
            keyword=dict(asked).get("q", ""),
            layout=layout,
            home=HOME,
        )
        if self.alteration == "totals_missing":
            text = re.sub(r'"(TotalResults|NumResults)": ?\d+, ?', "", text)
        return self._html(text)

    def _detail(self, request: web.BaseRequest, match: re.Match[str]) -> Answer:
        row = self._by_id.get(int(match[1]))
        return self._html(_guru_pages.detail(row, self.detail_layout)) if row else self.error(404, request)

    def _robots(self, request: web.BaseRequest, _: re.Match[str]) -> Answer:
        if self.robots_status == 200:
            return Answer(ROBOTS.encode(), content_type="text/plain")
        return self.error(self.robots_status, request)

    def _login(self, request: web.BaseRequest, _: re.Match[str]) -> Answer:
        return self._html("<!DOCTYPE html><title>Log In - Guru</title><form action='/login.aspx' method='post'></form>")


def _matches(row: Row, name: str, value: str) -> bool:
    if name == "c":
        return bool(row.category and row.category[0] == value)
    if name == "sc":
        return bool(row.subcategory and row.subcategory[0] == value)
    if name == "skill":
        return any(address == value for address, _ in row.skills)
    if name == "l":
        return any(slug(place) == value.strip() for place in row.locations)
    text = " ".join([row.title, row.description or "", *(skill for _, skill in row.skills)]).lower()
    return all(term in text for term in value.lower().replace("-", " ").split())


def standin_process(**options: Any) -> AbstractContextManager[StandInProcess]:
    """Run the stand-in in a process of its own: `with standin_process(projects=60, ticking=False) as site:`."""
    return _standin_process(Path(__file__), **options)


def main() -> None:
    """Serve from the command line."""
    parser = argparse.ArgumentParser(description="Stand in for Guru.com's job listing.")
    arguments(parser)
    parser.add_argument("--projects", type=int, default=221)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--featured", type=int, default=2)
    parser.add_argument("--arrivals-per-request", type=int, default=0)
    parser.add_argument("--robots-status", type=int, default=406)
    parser.add_argument("--layout", choices=_guru_pages.LAYOUTS, default="current")
    parser.add_argument("--detail-layout", choices=_guru_pages.DETAIL_LAYOUTS, default="current")
    parser.add_argument("--odd-rows", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--ticking", action=argparse.BooleanOptionalAction, default=True)
    options = vars(parser.parse_args())
    run(lambda: GuruStandIn(**options))


if __name__ == "__main__":
    main()
