"""Stand in for Wishket (위시켓): the listing with its LZString query, its JSON twin, the projects' own pages.

Known from real answers (August to October 2026): the markup of a card, of an ordinary 기간제 one and of one in
private matching; the texts 월 금액, 등록일자, 마감 2주 전, 지원자 없음; the labels and values of a project's page as a
member sees it.
Known from other readers' code: the query `d` (`compressToBase64("k=v&k=v")`) with `c`, `ff`, `page`, `s`,
`srt=new`, `pt=task_based`, `ecd=True`; that a bare `?page=2` does nothing; the twin `{"result": cards, "count": N}`
for `X-Requested-With: XMLHttpRequest`; ten projects a page; 다음 among `.pagination .page-link`; the texts 예상 금액,
협의 후 결정, 지원자 5명; JSON-LD with a salary in 만원, as text or as an object, without a zone, now and then with
escaped entities; the class names of a project's page and that 로그인하고 marks what is locked; `Crawl-delay: 5`.
Guesses: what a query that cannot be decoded gets (all projects, as without one); the order without `srt=new`;
what a page beyond the last shows (the last; `past_end` switches); the markup of a closed card; that a 외주 card has
no start, no level and plain skills; how the page of a project nests what its class names name; that JSON-LD has the
description even for visitors; the text of an empty listing; the rest of robots.txt, the address of the terms; what
`ecd` means (without closed ones), `pt=term_based`; all of `ODD` but `private` and `undecided`; how the layout of 2023
differed from today's.

In a test:
    async with WishketStandIn(projects=120, seed=1, now=…) as site: ... site.base_url ... site.projects ...
In a process of its own:
    python tests/platforms_standins/wishket.py --projects 5000
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

from aiohttp import web
from lzstring import LZString

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from platforms_standins._board import Board
from platforms_standins._server import HTML_TYPE, JSON, Answer, StandInProcess, arguments, run
from platforms_standins._server import standin_process as _standin_process
from platforms_standins._wishket_pages import LAYOUTS, cards, detail, listing, login, robots, terms
from platforms_standins._wishket_projects import ODD, PACE, TASK, ProjectMaker, WishketProject, detailed, listed

ROWS = 10
_CATEGORIES = {"development": "개발", "design": "디자인", "planning": "기획", "marketing": "마케팅", "etc": "기타"}


class WishketStandIn(Board[WishketProject]):
    """Serve `projects` projects made from `seed`, the newest a minute old at `now`.

    `odd_rows`: bend some of the newest 100 into the odd cases; `odd` has the id of each by its name.
    `arrivals_per_request`: new projects on top before each listing answer. `layout`: one of `LAYOUTS`.
    `past_end`: what a page beyond the last one shows, `last` or `empty`. `frozen`: the site's clock stands still.
    The rest is as in `StandIn`. The same seed and `now` make the same bytes, until the clock moves on.
    """

    pace = PACE
    odd_cases = ODD
    layouts = LAYOUTS
    switches = ("arrivals_per_request", "past_end", "robots", "robots_status", "enforce_rate_limit")
    OWN_FAULTS = (
        "list_missing",
        "list_empty",
        "renamed",
        "result_null",
        "count_missing",
        "count_null",
        "count_string",
        "count_too_large",
        "next_missing",
    )

    def __init__(
        self,
        projects: int = 120,
        seed: int = 1,
        now: float | None = None,
        *,
        odd_rows: bool = True,
        arrivals_per_request: int = 0,
        layout: str = "2026",
        past_end: str = "last",
        frozen: bool = False,
        **options: Any,
    ) -> None:
        self._maker = ProjectMaker(seed)
        self.past_end = past_end
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
        self.robots = robots()

    def make(self, serial: int, posted: float) -> WishketProject:
        """Return the `serial`-th project; `posted` in Unix seconds."""
        return self._maker.make(serial, posted)

    def keep_open(self, project: WishketProject) -> None:
        """Move the deadline of a project ahead, when it is over."""
        if project.deadline <= self.clock():
            project.deadline = self.make(0, self.clock()).deadline

    def told(self, project: WishketProject) -> JSON:
        """Return what a perfect reader stores of a card; see `listed`."""
        return listed(project, self.clock())

    @property
    def detailed_projects(self) -> list[JSON]:
        """Return what a perfect reader stores after it read the projects' own pages too, newest first."""
        return [detailed(project, self.clock()) for project in self._rows]

    # --- answers ----------------------------------------------------------------------------------------------

    def routes(self) -> list[tuple[str, Callable[[web.BaseRequest, re.Match[str]], Answer]]]:
        """Return the addresses of the listing, the projects and the terms."""
        return [
            (r"/project", self._listing),
            (r"/project/(\d+)", self._detail),
            (r"/service-terms", lambda *_: _page(terms())),
            (r"/login|/accounts/login", lambda *_: _page(login())),
        ]

    def position(self, request: web.BaseRequest) -> int:
        """Return how many projects stand before the page that is asked for."""
        return ROWS * (_page_number(query_of(request.query.get("d", ""))) - 1)

    def error(self, status: int, request: web.BaseRequest, new_errors: bool | None = None) -> Answer:
        """Return an error page; with 200 a page without anything."""
        text = {404: "페이지를 찾을 수 없습니다.", 429: "요청이 너무 많습니다."}.get(status, "일시적인 오류입니다.")
        return _page(f"<!DOCTYPE html><html><title>{status}</title><body><h1>{text}</h1></body></html>", status)

    def answer(self, request: web.BaseRequest, alteration: str | None) -> Answer:
        """Answer as the site's nginx does."""
        answer = super().answer(request, alteration)
        answer.headers.setdefault("Server", "nginx")
        return answer

    def _listing(self, request: web.BaseRequest, _: re.Match[str]) -> Answer:
        self.arrive()
        query = query_of(request.query.get("d", ""))
        rows = self.select(query)
        last = max(1, -(-len(rows) // ROWS))
        number = _page_number(query)
        if self.past_end == "last":
            number = min(number, last)
        shown = rows[ROWS * (number - 1) : ROWS * number]
        alter = self.alteration
        layout = alter if alter in LAYOUTS else self.layout
        found = cards(shown, self.clock(), layout)
        if request.headers.get("X-Requested-With", "").lower() == "xmlhttprequest":
            return self._twin(found, len(rows), layout)
        pages = [] if layout == "list_missing" else _links(query, number, last)
        return _page(listing(found, layout, pages[:-1] if alter == "next_missing" and number < last else pages))

    def _twin(self, found: str, count: int, layout: str) -> Answer:
        alter = self.alteration
        body: JSON = {"result": found, "count": count}
        if layout == "list_missing":
            del body["result"]
        if alter == "result_null":
            body["result"] = None
        elif alter == "count_missing":
            del body["count"]
        elif alter in _COUNTS:
            body["count"] = _COUNTS[alter](count)
        return Answer(json.dumps(body).encode())

    def select(self, query: dict[str, str]) -> Sequence[WishketProject]:
        """Return the projects that a query asks for, in its order."""
        rows = [row for row in self._rows if _matches(row, query, self.clock())]
        if query.get("srt") != "new":
            # Not the newest first: whoever needs that has to ask.
            rows.sort(key=lambda row: -row.interests)
        return rows

    def _detail(self, request: web.BaseRequest, match: re.Match[str]) -> Answer:
        row = self._by_id.get(int(match[1]))
        if row is None or row.gone:
            return self.error(404, request)
        layout = self.alteration if self.alteration in LAYOUTS else self.layout
        return _page(detail(row, self.clock(), layout))


_COUNTS: dict[str | None, Callable[[int], Any]] = {
    "count_null": lambda count: None,
    "count_string": str,
    "count_too_large": lambda count: 3 * count + 100,
}


def _page(text: str, status: int = 200) -> Answer:
    return Answer(text.encode("utf-8", "replace"), status, HTML_TYPE)


def query_of(packed: str) -> dict[str, str]:
    """Return the pairs that a `d` packs; none when it cannot be unpacked."""
    try:
        text = LZString().decompressFromBase64(packed)
    except (LookupError, TypeError, UnboundLocalError, ValueError):
        # What the library raises over text that it did not make, a blank for a plus among it.
        return {}
    return dict(parse_qsl(text or "", keep_blank_values=True))


def packed(**query: str | int) -> str:
    """Return the address of a listing, with its query packed as the site's own pages do it."""
    # As they are: the queries that were seen have plain commas in them.
    text = "&".join(f"{name}={value}" for name, value in query.items())
    return f"/project/?d={quote(LZString().compressToBase64(text), safe='')}"


def _page_number(query: dict[str, str]) -> int:
    number = query.get("page", "1")
    return max(1, int(number)) if number.isascii() and number.isdigit() and len(number) < 10 else 1


def _links(query: dict[str, str], number: int, last: int) -> list[tuple[str, str]]:
    first = max(1, min(number - 2, last - 4))
    links = [(str(page), packed(**query | {"page": page})) for page in range(first, min(last, first + 4) + 1)]
    if number < last:
        links.append(("다음", packed(**query | {"page": number + 1})))
    return links


def _matches(row: WishketProject, query: dict[str, str], now: float) -> bool:
    def among(name: str) -> list[str]:
        return [part for part in query.get(name, "").split(",") if part]

    categories = [_CATEGORIES.get(code) for code in among("c")]
    words = query.get("s", "").lower().split()
    text = " ".join((row.title, *row.skills)).lower()
    kind = {"task_based": True, "term_based": False}.get(query.get("pt", ""))
    return (
        (not categories or row.category in categories)
        and (not among("ff") or bool(set(among("ff")) & set(row.forms)))
        and (kind is None or kind == (row.kind == TASK))
        and (query.get("ecd") != "True" or row.is_open(now))
        and all(word in text for word in words)
    )


def standin_process(**options: Any) -> AbstractContextManager[StandInProcess]:
    """Run the stand-in in a process of its own: `with standin_process(projects=5000) as site:`."""
    return _standin_process(Path(__file__), **options)


def main() -> None:
    """Serve from the command line."""
    parser = argparse.ArgumentParser(description="Stand in for Wishket.")
    arguments(parser)
    parser.add_argument("--projects", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--arrivals-per-request", type=int, default=0)
    parser.add_argument("--odd-rows", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--layout", choices=LAYOUTS, default="2026")
    parser.add_argument("--past-end", choices=("last", "empty"), default="last")
    parser.add_argument("--frozen", action=argparse.BooleanOptionalAction, default=False)
    options = vars(parser.parse_args())
    run(lambda: WishketStandIn(**options))


if __name__ == "__main__":
    main()
