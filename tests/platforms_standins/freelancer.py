"""Stand in for Freelancer.com's public projects API (`/api/projects/0.1/`), faithful on the wire.

Known from real answers (2022 complete, 2026 trimmed): the envelope, every key of an ordinary row, their
order, types and nulls; the currencies with their ids, signs and countries; `owner_id` null and `users` {} for
anonymous callers; states and sub-states; the long tails of `bid_avg`; `preview_description` as the first 100
characters; the 401 body; the script `webapp-state` of a project's page.
Known from documentation or other readers' code: `limit` silently cut to 100; projections that count by the
presence of their key; `compact`; pages with fewer rows than asked for; the 429 body, the `RateLimit-*`
headers, no Retry-After; both forms of error bodies; filters and their combination; the bare array of
`/jobs/`.
Guesses: a default `limit` of 10; what an unknown sort field or a malformed number gets (400); how a contest looks;
that rows of closed projects can linger in a listing; which price a price filter compares; the answers of `/categories`
and `/self/`; all the odd cases marked so in `_freelancer_odd`; the texts of errors that nobody quoted.

In a test:
    async with FreelancerStandIn(projects=250, seed=1) as site: ... site.base_url ... site.odd["deleted"] ...
In a process of its own:
    python tests/platforms_standins/freelancer.py --projects 20000 --prerender
"""

from __future__ import annotations

import argparse
import hashlib
import html
import json
import re
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from platforms_standins._freelancer_projects import (
    CATEGORIES,
    CURRENCIES,
    JSON,
    SKILLS,
    Row,
)
from platforms_standins._freelancer_queries import (
    full_row,
    page_document,
    projections,
    switched_on,
    user,
)
from platforms_standins._freelancer_site import MOST_ROWS, Board
from platforms_standins._server import (
    HTML_TYPE,
    Answer,
    StandIn,
    StandInProcess,
    arguments,
    run,
)
from platforms_standins._server import (
    standin_process as _standin_process,
)

KNOWN_TOKEN = "standin-token"

# status: error code, code in the form of new_errors, message
_ERRORS = {
    200: ("RestExceptionCodes.UNKNOWN_ERROR", "UNKNOWN_ERROR", "Something went wrong on our side"),
    400: ("RestExceptionCodes.BAD_FORM", "BAD_REQUEST", "The request could not be understood"),
    401: (
        "RestExceptionCodes.NOT_AUTHENTICATED",
        "UNAUTHORIZED",
        "You must be logged in to perform this request",
    ),
    404: ("RestExceptionCodes.NOT_FOUND", "NOT_FOUND", "There is nothing at this address"),
    429: (
        "AuthorisationExceptionCodes.RATE_LIMITED",
        "RATE_LIMITED",
        "You have made too many of these requests.",
    ),
}


class FreelancerStandIn(Board, StandIn):
    """Serve `projects` open projects made from `seed`.

    `odd_rows`: bend some rows into the odd cases, all of them within 250 rows; `odd` has an id for each name,
    `odd_all` all ids. `short_pages`: leave one or two rows out of some pages. `arrivals_per_request`: new
    projects on top before each listing answer. `prerender`: encode the plain listing's pages at the start.
    `tokens`: accepted values of the token header. `reveal_owners`: answer as before 2026, with owner ids, and
    users when asked for.
    The rest is as in `StandIn`. The same seed and `now` make the same bytes.
    """

    OWN_FAULTS = (
        "total_missing",
        "total_string",
        "total_null",
        "total_too_large",
        "total_too_small",
        "empty_page",
        "rows_missing",
        "projects_missing",
        "projects_null",
        "result_null",
    )

    def __init__(
        self,
        projects: int = 250,
        seed: int = 1,
        now: float | None = None,
        *,
        odd_rows: bool = True,
        short_pages: bool = True,
        arrivals_per_request: int = 0,
        prerender: bool = False,
        tokens: Iterable[str] = (KNOWN_TOKEN,),
        reveal_owners: bool = False,
        contests: int = 5,
        **options: Any,
    ) -> None:
        StandIn.__init__(self, now=now, **options)
        self._pages: dict[tuple[Any, ...], Answer] = {}
        Board.__init__(
            self,
            projects,
            seed,
            int(self.now) - 30,
            odd_rows=odd_rows,
            short_pages=short_pages,
            contests=contests,
        )
        self.arrivals_per_request = arrivals_per_request
        self.tokens = set(tokens)
        self.reveal_owners = reveal_owners
        if prerender:
            self._prerender()

    def change(self, action: str, **values: Any) -> Any:
        """Carry out `add`, `bid`, `edit`, `close`, `resurface`, or `set` a switch, asked for over HTTP."""
        if action == "set":
            for name in values:
                if name not in ("arrivals_per_request", "short_pages", "enforce_rate_limit", "rate_windows"):
                    raise ValueError(f"no such switch: {name}")
            self.__dict__.update(values)
            return self._changed()
        if action not in ("add", "bid", "edit", "close", "resurface"):
            raise ValueError(f"no such change: {action}")
        return getattr(self, action)(**values)

    def state(self) -> JSON:
        """Return the number of listed projects, their ids newest first, and the odd ones by name."""
        return {
            "total": len(self.listed_ids()),
            "ids": self.listed_ids(),
            "odd": self.odd,
            "now": self.clock(),
        }

    def _changed(self, row: Row | None = None) -> None:
        super()._changed(row)
        self._pages.clear()

    # --- listing --------------------------------------------------------------------------------------------

    def _active(self, request: web.BaseRequest, _: re.Match[str]) -> Answer:
        if self.arrivals_per_request:
            self.add(self.arrivals_per_request)
        try:
            limit = min(int(request.query.get("limit", "10")), MOST_ROWS)
            offset = max(0, int(request.query.get("offset", "0")))
            filters, rows = self.select(request.query)
        except ValueError:
            return self.error(400, request)
        alter = self.alteration
        asked = projections(request.query)
        users = self.reveal_owners and "user_details" in request.query
        key = (filters, asked, users, limit, offset)
        answer = self._pages.get(key)
        if answer is None or alter:
            page = [] if alter == "empty_page" else self.shown(rows[offset : offset + limit], offset)
            if alter == "rows_missing":
                page = [row for row in page if row.serial % 2]
            answer = self._listing(page, len(rows), asked, users, self._request_id(request), alter)
            if not alter:
                self._pages[key] = answer
        return answer

    def _listing(
        self,
        rows: Iterable[Row],
        total: int | None,
        asked: tuple[bool, ...],
        users: bool,
        request_id: str,
        alter: str | None = None,
    ) -> Answer:
        if alter == "result_null":
            return Answer(b'{"status":"success","result":null,"request_id":"%b"}' % request_id.encode())
        rows = list(rows)
        people = {str(row.owner_id): user(row) for row in rows if row.owner_id} if users else {}
        parts = {
            b"projects": b"[" + b",".join(self._encode(row, asked) for row in rows) + b"]",
            b"users": msgspec.json.encode(people),
            b"selected_bids": b"null",
            b"total_count": msgspec.json.encode(total),
        }
        if alter == "projects_missing":
            del parts[b"projects"]
        elif alter == "projects_null":
            parts[b"projects"] = b"null"
        elif alter == "total_missing":
            del parts[b"total_count"]
        elif alter in _TOTALS:
            parts[b"total_count"] = msgspec.json.encode(_TOTALS[alter](total or 0))
        result = b",".join(b'"%b":%b' % part for part in parts.items())
        return Answer(b'{"status":"success","result":{%b},"request_id":"%b"}' % (result, request_id.encode()))

    def _shape(self, row: Row, asked: tuple[bool, ...]) -> JSON:
        return full_row(row, asked, reveal_owner=self.reveal_owners)

    def _encode(self, row: Row, asked: tuple[bool, ...]) -> bytes:
        if asked not in row.encoded:
            row.encoded[asked] = _json(self._shape(row, asked))
        return row.encoded[asked]

    def _prerender(self) -> None:
        rows = [row for row in self._rows if row.listed]
        for offset in range(0, len(rows), MOST_ROWS):
            page = self.shown(rows[offset : offset + MOST_ROWS], offset)
            for compact in (False, True):
                asked = (True, True, True, True, compact)
                answer = self._listing(page, len(rows), asked, False, self._hex(str(offset)))
                answer.pack()
                self._pages[((), asked, False, MOST_ROWS, offset)] = answer
            for row in page:
                row.encoded.clear()  # the page has its bytes: keeping both doubles the memory

    # --- the other answers ----------------------------------------------------------------------------------

    def routes(self) -> list[tuple[str, Callable[[web.BaseRequest, re.Match[str]], Answer]]]:
        """Return the addresses of the API and the two pages beside it."""
        api = r"/api/projects/0\.1"
        return [
            (api + "/projects/active", self._active),
            (api + "/projects", self._by_ids),
            (api + r"/projects/(\d+)", self._one),
            (api + "/jobs", self._jobs),
            (api + "/jobs/search", self._jobs_by_name),
            (api + "/currencies", self._currencies),
            (api + "/categories", self._categories),
            (r"/api/users/0\.1/self", self._self),
            (r"/projects/(.+?)", self._page),
            (r"/robots\.txt", self._robots),
        ]

    def limited(self, path: str) -> bool:
        """Tell whether the path is one of the API's."""
        return path.startswith("/api/")

    def answer(self, request: web.BaseRequest, alteration: str | None) -> Answer:
        """Refuse unknown tokens, then answer."""
        token = request.headers.get("Freelancer-OAuth-V1")
        if token is not None and token not in self.tokens and self.limited(request.path):
            return self.error(401, request)
        return super().answer(request, alteration)

    def error(self, status: int, request: web.BaseRequest, new_errors: bool | None = None) -> Answer:
        """Return an error in the form that the request asked for, legacy by default; a page outside the API."""
        if not self.limited(request.path):
            return Answer(f"<!DOCTYPE html><title>{status}</title>".encode(), status, HTML_TYPE)
        code, new_code, message = _ERRORS.get(status, _ERRORS[200])
        if new_errors is None:
            new_errors = switched_on(request.query, "new_errors")
        body: JSON = {"status": "error"}
        if new_errors:
            body["error"] = {"code": new_code, "detail": message, "http_code": status, "source": "standin"}
        else:
            body |= {"message": message, "error_code": code}
        headers = {"RateLimit-Remaining": "0"} if status == 429 else {}
        return Answer(_json(body | {"request_id": self._request_id(request)}), status, headers=headers)

    def _success(self, result: Any, request: web.BaseRequest) -> Answer:
        return Answer(_json({"status": "success", "result": result, "request_id": self._request_id(request)}))

    def _by_ids(self, request: web.BaseRequest, _: re.Match[str]) -> Answer:
        wanted = request.query.getall("projects[]", []), request.query.getall("seo_urls[]", [])
        if not any(wanted):
            return self.error(400, request)
        found = [self._by_id.get(int(number)) for number in wanted[0] if number.isdigit()]
        found += [self._by_address.get(address) for address in wanted[1]]
        rows = sorted((row for row in found if row), key=lambda row: -row.serial)
        users = self.reveal_owners and "user_details" in request.query
        return self._listing(rows, None, projections(request.query), users, self._request_id(request), self.alteration)

    def _one(self, request: web.BaseRequest, match: re.Match[str]) -> Answer:
        row = self._by_id.get(int(match[1]))
        if row is None:
            return self.error(404, request)
        full = self._shape(row, projections(request.query))
        if self.reveal_owners and "user_details" in request.query:
            full["owner"] = user(row)
        return self._success(full, request)

    def _jobs(self, request: web.BaseRequest, _: re.Match[str]) -> Answer:
        numbers, names = request.query.getall("jobs[]", []), request.query.getall("job_names[]", [])
        found = SKILLS
        if numbers or names:
            lowered = {name.lower() for name in names}
            found = [s for s in SKILLS if str(s["id"]) in numbers or s["name"].lower() in lowered]
        return self._success(found, request)

    def _jobs_by_name(self, request: web.BaseRequest, _: re.Match[str]) -> Answer:
        names = {name.lower() for name in request.query.getall("job_names[]", [])}
        keys = ("name", "id", "local")
        found = [{key: skill[key] for key in keys} for skill in SKILLS if skill["name"].lower() in names]
        return self._success(found, request)

    def _currencies(self, request: web.BaseRequest, _: re.Match[str]) -> Answer:
        codes = request.query.getall("currency_codes[]", list(CURRENCIES))
        return self._success({"currencies": [CURRENCIES[code] for code in codes if code in CURRENCIES]}, request)

    def _categories(self, request: web.BaseRequest, _: re.Match[str]) -> Answer:
        found = [{"id": number, "name": name} for number, name in CATEGORIES.items()]
        return self._success({"categories": found}, request)

    def _self(self, request: web.BaseRequest, _: re.Match[str]) -> Answer:
        if request.headers.get("Freelancer-OAuth-V1") is None:
            return self.error(401, request)
        return self._success({"id": 60_000_001, "username": "standin", "role": "freelancer"}, request)

    def _page(self, request: web.BaseRequest, match: re.Match[str]) -> Answer:
        row = self._by_address.get(match[1])
        if row is None and match[1].isdigit():
            row = self._by_id.get(int(match[1]))
        if row is None:
            return self.error(404, request)
        now = int(self.now * 1000)
        document = {"rawDocument": page_document(row), "timeFetched": now, "timeUpdated": now}
        state = {"store": {"projectsSeo": {"0": {"documents": {match[1]: document}}}}}
        script = _json(state).decode().replace("</", "<\\/")
        title = html.escape(row.get("title") or "")
        page = (
            f"<!DOCTYPE html><html lang='en'><head><title>{title} | Freelancer</title></head><body>"
            f'<script id="webapp-state" type="application/json">{script}</script></body></html>'
        )
        return Answer(page.encode("utf-8", "replace"), content_type=HTML_TYPE)

    def _robots(self, request: web.BaseRequest, _: re.Match[str]) -> Answer:
        return Answer(b"User-agent: *\nDisallow: /login\nDisallow: /users/\n", content_type="text/plain")

    def _request_id(self, request: web.BaseRequest) -> str:
        return self._hex(request.path_qs)

    def _hex(self, text: str) -> str:
        # The real ones are unlike each other; these are the same for the same request, so that answers
        # repeat.
        return hashlib.blake2b(f"{self.seed}:{text}".encode("utf-8", "replace"), digest_size=16).hexdigest()


# What a fault makes of `total_count`.
_TOTALS: dict[str, Callable[[int], Any]] = {
    "total_string": str,
    "total_null": lambda total: None,
    "total_too_large": lambda total: 3 * total + 1000,
    "total_too_small": lambda total: total // 3,
}


def _json(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        # A lone surrogate has no UTF-8; the escape is how it gets onto the wire.
        return json.dumps(value, separators=(",", ":")).encode()


def standin_process(**options: Any) -> AbstractContextManager[StandInProcess]:
    """Run the stand-in in a process of its own: `with standin_process(projects=20000, prerender=True) as site:`."""
    return _standin_process(Path(__file__), **options)


def main() -> None:
    """Serve from the command line."""
    parser = argparse.ArgumentParser(description="Stand in for Freelancer.com's projects API.")
    arguments(parser)
    parser.add_argument("--projects", type=int, default=250)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--arrivals-per-request", type=int, default=0)
    parser.add_argument("--odd-rows", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--short-pages", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--prerender", action=argparse.BooleanOptionalAction, default=False)
    parser.add_argument("--reveal-owners", action=argparse.BooleanOptionalAction, default=False)
    options = vars(parser.parse_args())
    run(lambda: FreelancerStandIn(**options))


if __name__ == "__main__":
    main()
