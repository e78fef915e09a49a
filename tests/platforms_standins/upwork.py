"""Stand in for Upwork: its GraphQL API with OAuth2, and the public search page whose tiles scripts put there.

Known from answers built to the official schema: `_upwork_schema`, the form of an answer and of a missing permission.
Documented: addresses, `Authorization: Bearer`, the optional `X-Upwork-API-TenantId`, tokens of 86,400 seconds with
rotating refresh tokens, names of filters, `after` as an offset in text, errors with HTTP 200, 300 requests a minute.
Known from a real tile (2024) and other readers' code (2026): see `_upwork_pages`, `_upwork_state`; `q`,
`sort=recency`, `page`, `per_page=10|20|50`, `category2_uid`, `t`, `hourly_rate=10-`, `amount=500-`, `client_hires=10-`;
at most 100 pages and 5,000 results; 410 for the old feeds; the challenge's status, header, title, tokens and size; a
gone job's page.
Guesses: `first` cut to 50, 10 without one; no order without RECENCY; `endCursor: null` on an empty page; 401 with a
JSON body for a bad token, or an error with 200 (`expired_form`); an unknown tenant's error; `Retry-After` with 429;
texts of errors but that of the permission; the body of the 500 for `pagination_eq`; what a page beyond the last shows
(`past_end`), featured jobs before the newest on the first page; that a closed job's page is that of a gone one; the
rest of robots.txt; all that `_upwork_odd` marks so. Not served: the authorisation page, skill pages, old queries.

In a test:
    async with UpworkStandIn(projects=120, seed=1, now=…) as site: ... site.base_url ... site.projects ...
In a process of its own:
    python tests/platforms_standins/upwork.py --projects 5000
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import re
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from aiohttp import web

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from platforms_standins import _upwork_pages as pages
from platforms_standins import _upwork_state as states
from platforms_standins import _upwork_truth as truth
from platforms_standins._board import Board
from platforms_standins._server import HTML_TYPE, JSON, Answer, StandInProcess, arguments, run
from platforms_standins._server import standin_process as _standin_process
from platforms_standins._upwork_api import API_FAULTS, Api
from platforms_standins._upwork_jobs import PACE, Job, JobMaker
from platforms_standins._upwork_odd import ODD
from platforms_standins._upwork_search import page_number, per_page, search
from platforms_standins._upwork_tokens import Tokens

ROBOTS = "User-agent: *\nDisallow: /jobs/rss\nDisallow: /jobs/atom\n"
_LIMITS = ((300, 60.0), (40_000, 86_400.0))
#: Pages whose tiles are kept for their scripts.
_KEPT = 500


class UpworkStandIn(Board[Job]):
    """Serve `projects` jobs made from `seed`, the newest a minute old at `now`.

    `odd_rows`: bend some of the newest 100 into the odd cases; `odd` has the id of each by its name. `featured`: how
    many of the older ones lead the first page of the search. `arrivals_per_request`: new jobs on top before each
    answer with a list. `layout`: one of `_upwork_pages.LAYOUTS`. `render_delay`: milliseconds before the page's
    script shows the tiles. `past_end`: what a page beyond the last one shows, `empty` or `last`. `token_seconds`:
    life of an access token; `expired_form`: how a bad one is refused, `401` or `errors`. `tenant_required`: refuse
    queries without the header of the organisation. `frozen`: the site's clock stands still but for `advance`.
    The rest is as in `StandIn`. The same seed and `now` make the same bytes, until the clock moves on.
    """

    methods = ("GET", "HEAD", "POST")
    robots = ROBOTS
    pace = PACE
    odd_cases = ODD
    layouts = pages.LAYOUTS
    switches = (
        "arrivals_per_request",
        "render_delay",
        "past_end",
        "token_seconds",
        "expired_form",
        "tenant_required",
        "scopes",
        "robots",
        "robots_status",
        "enforce_rate_limit",
    )
    actions = (*Board.actions, "advance", "grant", "expire", "rotate")
    OWN_FAULTS = ("site_challenge", "site_challenge_bare", "login_page", "script_missing", *API_FAULTS)

    def __init__(
        self,
        projects: int = 120,
        seed: int = 1,
        now: float | None = None,
        *,
        odd_rows: bool = True,
        featured: int = 2,
        arrivals_per_request: int = 0,
        layout: str = "nuxt3",
        render_delay: int = 0,
        past_end: str = "empty",
        token_seconds: float = 86_400,
        expired_form: str = "401",
        tenant_required: bool = False,
        frozen: bool = False,
        **options: Any,
    ) -> None:
        self._maker = JobMaker(seed)
        self.render_delay = render_delay
        self.past_end = past_end
        self.tokens = Tokens(seed, f"standin-client-{seed}", f"standin-secret-{seed}", token_seconds)
        self.expired_form = expired_form
        self.tenant_required = tenant_required
        self._kept: dict[str, str] = {}
        options.setdefault("rate_windows", _LIMITS)
        super().__init__(
            projects,
            seed,
            now,
            odd_rows=odd_rows,
            arrivals_per_request=arrivals_per_request,
            layout=layout,
            frozen=frozen,
            **options,
        )
        self._api = Api(self)
        self.scopes: list[str] = list(self._api.scopes)
        plain = [job for job in self._rows[30:] if job.odd is None]
        for job in plain[:: max(1, len(plain) // featured)][:featured] if featured else ():
            job.featured = True

    # --- what the site knows ----------------------------------------------------------------------------------

    def make(self, serial: int, posted: float) -> Job:
        """Return the `serial`-th job; `posted` in Unix seconds."""
        return self._maker.make(serial, posted)

    def keep_open(self, project: Job) -> None:
        """Do nothing: jobs have no deadline."""

    def told(self, project: Job) -> JSON:
        """Return what a perfect reader of the API stores."""
        return truth.from_api(project)

    @property
    def projects(self) -> list[JSON]:
        """Return what a perfect reader of the API stores, newest first."""
        return [truth.from_api(job) for job in self.open_jobs()]

    @property
    def tile_projects(self) -> list[JSON]:
        """Return what a perfect reader of the rendered search page stores, in the page's order (`sort=recency`)."""
        return [truth.from_tile(job, self.clock(), self.layout) for job in self.shown_jobs()]

    @property
    def state_projects(self) -> list[JSON]:
        """Return what a perfect reader of the search page's state stores, in the page's order."""
        return [truth.from_state(job, self.layout) for job in self.shown_jobs()]

    @property
    def detailed_projects(self) -> list[JSON]:
        """Return what is stored after the states of the search page and of the jobs' own pages were read."""
        return [truth.from_page(job, self.layout) for job in self.shown_jobs()]

    def open_jobs(self) -> list[Job]:
        """Return the jobs that lists have, newest first."""
        return [job for job in self._rows if not job.closed]

    def shown_jobs(self) -> list[Job]:
        """Return the same in the order of the search page: featured ones first."""
        return sorted(self.open_jobs(), key=lambda job: not job.featured)

    def state(self) -> JSON:
        """Return what every board tells, what the pages show, and what the token endpoint wants."""
        views = {"tile_projects": self.tile_projects, "state_projects": self.state_projects}
        credentials = {
            "client_id": self.tokens.client_id,
            "client_secret": self.tokens.client_secret,
            "refresh_token": self.tokens.refresh_token,
            "tenant_id": self._api.tenant,
        }
        own = {"total": len(self.open_jobs()), "credentials": credentials}
        return super().state() | json.loads(json.dumps(views, default=str)) | own

    def listed_ids(self) -> list[int]:
        """Return the ids of the jobs that lists have, newest first."""
        return [job.id for job in self.open_jobs()]

    # --- how it moves -----------------------------------------------------------------------------------------

    def advance(self, seconds: float) -> float:
        """Let time pass; return the new present in Unix seconds."""
        self.now += seconds
        return self.clock()

    def grant(self) -> str:
        """Return a new access token, as if the user had just let the program in."""
        return self.tokens.access(self.clock())

    def expire(self) -> None:
        """End all access tokens that were given out."""
        self.tokens.expire()

    def rotate(self) -> str:
        """Return a new refresh token: the one before is refused, as if another program had used it."""
        return self.tokens.rotate()

    def change(self, action: str, **values: Any) -> Any:
        """Carry out a change as `Board.change` does."""
        if action == "set" and "token_seconds" in values:
            self.tokens.seconds = values.pop("token_seconds")
        return super().change(action, **values)

    # --- answers ----------------------------------------------------------------------------------------------

    def routes(self) -> list[tuple[str, Callable[[web.BaseRequest, re.Match[str]], Answer]]]:
        """Return the addresses of the API, of the search page with its scripts, and of jobs."""
        return [
            (r"/graphql", lambda request, _: self._api.query(request)),
            (r"/api/v3/oauth2/token", lambda request, _: self._api.token(request)),
            (r"/nx/search/jobs", self._search),
            (r"/_nuxt/entry\.js", self._script),
            (r"/_nuxt/tiles", self._tiles),
            (r"/cdn-cgi/challenge-platform/scripts/jsd/main\.js", lambda *_: _javascript("")),
            (r"/freelance-jobs/apply/[^/]*?_?(~0[12][0-9a-f]+)", self._job),
            (r"/jobs/(?:[^/]*_)?(~0[12][0-9a-f]+)", self._job),
            (r"/ab/feed/.*", lambda request, _: self.error(410, request)),
            (r"/ab/account-security/login|/login", lambda *_: _page(pages.login())),
        ]

    def limited(self, path: str) -> bool:
        """Tell that an enforced limit governs queries, and nothing else."""
        return self.enforce_rate_limit and path == "/graphql"

    def position(self, request: web.BaseRequest) -> int:
        """Return how many jobs stand before the page that is asked for."""
        if request.path.rstrip("/") == "/graphql":
            return self._api.position()
        return per_page(request.query) * (page_number(request.query) - 1)

    def wait(self) -> int:
        """Return the seconds until the rate limit lets the next request through."""
        now, waits = time.monotonic(), [1.0]
        for limit, window in self.rate_windows:
            within = [moment for moment in self._admitted if moment > now - window]
            if len(within) >= limit:
                waits.append(within[-limit] + window - now)
        return math.ceil(max(waits))

    def error(self, status: int, request: web.BaseRequest, new_errors: bool | None = None) -> Answer:
        """Return an error answer: JSON of the API, a page elsewhere."""
        if request.path.startswith(("/graphql", "/api/")):
            return self._api.error(status)
        text = (
            f"<!DOCTYPE html><html><head><title>{status} - Upwork</title></head><body><h1>{status}</h1></body></html>"
        )
        return _page(text, status)

    def answer(self, request: web.BaseRequest, alteration: str | None) -> Answer:
        """Answer as the network before the site does."""
        answer = self._before(request, alteration) or super().answer(request, alteration)
        answer.headers.setdefault("Server", "cloudflare")
        return answer

    def _before(self, request: web.BaseRequest, alteration: str | None) -> Answer | None:
        if alteration in ("site_challenge", "site_challenge_bare"):
            answer = _page(pages.challenge(), 403)
            if alteration == "site_challenge":
                answer.headers["cf-mitigated"] = "challenge"
            return answer
        if alteration == "login_page":
            return _page(pages.login())
        posted = request.path.rstrip("/") in ("/graphql", "/api/v3/oauth2/token")
        return self.error(405, request) if posted != (request.method == "POST") and request.method != "HEAD" else None

    def _search(self, request: web.BaseRequest, _: re.Match[str]) -> Answer:
        self.arrive()
        query = {name: request.query.getall(name)[-1] for name in request.query}
        rows = search(self.shown_jobs(), query)
        count, number = per_page(query), page_number(query)
        last = min(states.MOST_PAGES, -(-min(len(rows), states.CAP) // count))
        if self.past_end == "last":
            number = max(1, min(number, last))
        shown = rows[count * (number - 1) : count * number] if number <= last else []
        terms, layout, now = query.get("q", "").split(), self.layout, self.clock()
        found = [states.job_state(job, place, terms, layout) for place, job in enumerate(shown, 1)]
        state = states.search_state(found, total=len(rows), offset=count * (number - 1), count=count, layout=layout)
        tiles = pages.listing(shown, now, layout, terms, query | {"page": str(number)}, last)
        key = "" if layout == "unrendered" else self._keep(request.path_qs, tiles)
        title = f"{query.get('q') or 'Freelance'} Jobs | Upwork"
        return _page(pages.shell(title, _scripts(state, layout), key, self.render_delay))

    def _keep(self, address: str, tiles: str) -> str:
        key = hashlib.sha256(f"{address}\n{tiles}".encode()).hexdigest()[:16]
        self._kept[key] = tiles
        if len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]
        return key

    def tiles_of(self, page: str) -> str:
        """Return what the script of a search page, as the server sent it, puts into it."""
        found = re.search(r'data-key="(\w+)"', page)
        return self._kept[found[1]] if found else ""

    def _tiles(self, request: web.BaseRequest, _: re.Match[str]) -> Answer:
        tiles = self._kept.get(request.query.get("key", ""))
        if tiles is None or pages.SCRIPT_HEADER not in request.headers:
            return self.error(404, request)
        return _page(tiles)

    def _script(self, request: web.BaseRequest, _: re.Match[str]) -> Answer:
        return self.error(404, request) if self.alteration == "script_missing" else _javascript(pages.SCRIPT)

    def _job(self, request: web.BaseRequest, match: re.Match[str]) -> Answer:
        cipher = match[1]
        job = next((row for row in self._rows if cipher in (row.ciphertext, row.old_ciphertext)), None)
        job = None if job is None or job.closed else job
        return _page(pages.detail(job, _scripts(states.detail_state(job), self.layout)))


def _scripts(state: JSON, layout: str) -> str:
    """Return the scripts that hold the state in this layout."""
    if layout in ("stateless", "marker_gone"):
        return ""
    if layout in ("nuxt2", "2024"):
        return f"<script>{states.nuxt2(state)}</script>"
    flat = states.nuxt3(state)
    return pages.data_script(flat[: len(flat) // 2] if layout == "unreadable" else flat)


def _page(text: str, status: int = 200) -> Answer:
    return Answer(text.encode("utf-8", "replace"), status, HTML_TYPE)


def _javascript(text: str) -> Answer:
    return Answer(text.encode(), content_type="text/javascript; charset=utf-8")


def standin_process(**options: Any) -> AbstractContextManager[StandInProcess]:
    """Run the stand-in in a process of its own: `with standin_process(projects=5000) as site:`."""
    return _standin_process(Path(__file__), **options)


def main() -> None:
    """Serve from the command line."""
    parser = argparse.ArgumentParser(description="Stand in for Upwork.")
    arguments(parser)
    parser.add_argument("--projects", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--featured", type=int, default=2)
    parser.add_argument("--arrivals-per-request", type=int, default=0)
    parser.add_argument("--odd-rows", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--layout", choices=pages.LAYOUTS, default="nuxt3")
    parser.add_argument("--render-delay", type=int, default=0)
    parser.add_argument("--past-end", choices=("empty", "last"), default="empty")
    parser.add_argument("--token-seconds", type=float, default=86_400)
    parser.add_argument("--expired-form", choices=("401", "errors"), default="401")
    parser.add_argument("--tenant-required", action=argparse.BooleanOptionalAction, default=False)
    parser.add_argument("--frozen", action=argparse.BooleanOptionalAction, default=False)
    options = vars(parser.parse_args())
    run(lambda: UpworkStandIn(**options))


if __name__ == "__main__":
    main()
