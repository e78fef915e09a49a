"""Stand in for Freemoa (프리모아): a page without data, and the JSON behind it.

Known from a real answer (October 2026, personal data removed): every key of a row but `client_id`, their order,
types and nulls; of the detail's `VIEW` and `META`, and that `ERROR.NO` 0 stands for success.
Known from other readers' code and the site's own script as they describe it: `POST /m4a/s41a` with its form and the
envelope `{NOW, ERROR{NO, MSG}, DATA{PROJECT{LIST, PAGINATION{currentPage, nextPage, totalRows}}}}`, ten rows a page;
the session cookie of `GET /m4/s41`, Referer, Origin and X-Requested-With, without which an HTML page with status 200
comes; `client_id` being the client's e-mail address; `POST /m4a/s41v` with `ERROR.NO` -1 for visitors; costs in
만원; `workType` 1, 2, 3; naive Korean `INS_TIME`; what the rendered page looks like (`D-15일`, `D-DAY`,
`li.proj-list-item_li_new`); the intermediate certificate that is missing, and the outdated one in its place; that
`sS` is searched for.
Guesses: the name of the cookie; the place of `client_id` among the keys; `NOW` as Unix seconds; the types within
`PAGINATION`, `nextPage` on the last page (null); the order without `sm=3`; an empty list beyond the end; what
`sS`, `workType`, `loc[]` filter exactly; the other numbers of errors; the text of the block; robots.txt; all of
`ODD` but the kinds of work; how the rows of 2025 differed. Projects come faster than on the real site.

In a test:
    async with FreemoaStandIn(projects=120, seed=1, now=…) as site: ... site.base_url ... site.projects ...
In a process of its own:
    python tests/platforms_standins/freemoa.py --projects 5000
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from platforms_standins._board import Board
from platforms_standins._freemoa_pages import BLOCK, LOGIN, ROBOTS, SCRIPT, SHELL
from platforms_standins._freemoa_projects import ODD, PACE, FreemoaProject, ProjectMaker, detailed, listed, row, view
from platforms_standins._freemoa_tls import NAMES, Chain, make_chain, to_der
from platforms_standins._server import HTML_TYPE, JSON, Answer, StandInProcess, arguments, run
from platforms_standins._server import standin_process as _standin_process

ROWS = 10
COOKIE = "PHPSESSID"
NEEDS = ("cookie", "referer", "origin", "x-requested-with")
#: `2026` the rows of today · `2025` fewer keys, numbers as numbers, `totalRows` as text; still readable ·
#: `marker_missing` another envelope · `renamed` other keys in the rows · `list_missing` no list ·
#: `list_empty` no rows, though `totalRows` says that there are.
LAYOUTS = ("2026", "2025", "marker_missing", "renamed", "list_missing", "list_empty")
LOGIN_NEEDED = (-1, "로그인이 필요한 서비스입니다.")


class FreemoaStandIn(Board[FreemoaProject]):
    """Serve `projects` projects made from `seed`, the newest a minute old at `now`.

    `odd_rows`: bend some of the newest 100 into the odd cases; `odd` has the id of each by its name.
    `arrivals_per_request`: new projects on top before each listing answer. `layout`: one of `LAYOUTS`.
    `needs`: what of `NEEDS` a request for JSON must have, else it gets the block page. `login_for_detail`: give the
    detail to nobody. `tls`: serve https, with the `incomplete` chain of the real host or a `complete` one, for
    `names`; `chain` has the certificates from the start of the site on. The missing one is at an http address of its
    own, which the site's certificate names; `issuer` is the answer there. `frozen`: the site's clock stands still. The
    rest is as in `StandIn`. The same seed and `now` make the same bytes.
    """

    methods = ("GET", "HEAD", "POST")
    pace = PACE
    odd_cases = ODD
    layouts = LAYOUTS
    switches = ("arrivals_per_request", "needs", "login_for_detail", "robots", "robots_status", "enforce_rate_limit")
    actions = (*Board.actions, "forget_sessions")
    OWN_FAULTS = (
        "block",
        "login_required",
        "marker_missing",
        "renamed",
        "list_missing",
        "list_empty",
        "list_null",
        "list_object",
        "total_missing",
        "total_null",
        "total_string",
        "total_too_large",
        "total_too_small",
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
        needs: Iterable[str] = NEEDS,
        login_for_detail: bool = True,
        tls: str | None = None,
        names: tuple[str, ...] = NAMES,
        frozen: bool = False,
        **options: Any,
    ) -> None:
        if tls not in (None, "incomplete", "complete"):
            raise ValueError(f"tls is incomplete or complete, not {tls}")
        self._maker = ProjectMaker(seed)
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
        self.robots = ROBOTS
        self.needs = tuple(needs)
        self.login_for_detail = login_for_detail
        self.tls = tls
        self.names = names
        self.chain: Chain | None = None
        self.issuer = Answer(b"", content_type="application/pkix-cert")
        self.issuer_requests: list[JSON] = []
        self._issuers: web.ServerRunner | None = None
        self._sessions: set[str] = set()
        self._sessions_made = 0

    def make(self, serial: int, posted: float) -> FreemoaProject:
        """Return the `serial`-th project; `posted` in Unix seconds."""
        return self._maker.make(serial, posted)

    def keep_open(self, project: FreemoaProject) -> None:
        """Move the deadline of a project ahead, when it is over."""
        if project.closes <= self.clock():
            project.closes = self.make(0, self.clock()).closes

    def told(self, project: FreemoaProject) -> JSON:
        """Return what a perfect reader stores of a row; see `listed`."""
        return listed(project, self.clock())

    @property
    def detailed_projects(self) -> list[JSON]:
        """Return what a perfect reader stores who may read the details too, newest first; see `detailed`."""
        return [detailed(project, self.clock()) for project in self._rows]

    def state(self) -> JSON:
        """Return what any board tells, and with TLS the PEM of the authorities' certificates."""
        if self.chain is None:
            return super().state()
        return super().state() | {"certificates": {"root": self.chain.root, "intermediate": self.chain.intermediate}}

    def forget_sessions(self) -> None:
        """Let all sessions end: whoever has a cookie needs a new one."""
        self._sessions.clear()

    # --- serving ----------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self.tls is None:
            return await super().__aenter__()
        self._issuers = web.ServerRunner(web.Server(self._hand_out), access_log=None, shutdown_timeout=0.2)
        await self._issuers.setup()
        await web.TCPSite(self._issuers, "127.0.0.1", 0).start()
        self.chain = make_chain(
            names=self.names, issuer_at=f"http://127.0.0.1:{self._issuers.addresses[0][1]}/DomainValidationCA.crt"
        )
        self.issuer.body = to_der(self.chain.intermediate)
        self._runner = web.ServerRunner(web.Server(self._handle), access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        context = self.chain.context(complete=self.tls == "complete")
        await web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=context).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await super().__aexit__(*exc_info)
        if self._issuers is not None:
            await self._issuers.cleanup()

    async def _hand_out(self, request: web.BaseRequest) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.issuer_requests.append({"path": request.path, "headers": headers})
        answer = self.issuer
        return web.Response(
            body=answer.body, status=answer.status, headers={"Content-Type": answer.content_type, **answer.headers}
        )

    @property
    def base_url(self) -> str:
        """Return the site's address without a slash at the end, of https when it speaks that."""
        return super().base_url.replace("http:", "https:") if self.tls else super().base_url

    # --- answers ----------------------------------------------------------------------------------------------

    def routes(self) -> list[tuple[str, Callable[[web.BaseRequest, re.Match[str]], Answer]]]:
        """Return the addresses of the pages and of the JSON behind them."""
        return [
            (r"/m4/s4[12]", self._shell),
            (r"/m4a/s41a", self._listing),
            (r"/m4a/s41v", self._detail),
            (r"/js/m4/s41\.js", lambda *_: Answer(SCRIPT.encode(), content_type="text/javascript; charset=utf-8")),
            (r"/m0/s02|/login", lambda *_: _page(LOGIN)),
        ]

    def position(self, request: web.BaseRequest) -> int:
        """Return how many projects stand before the page that is asked for."""
        # Read already, but handed to handlers only later.
        return ROWS * (_page_number(_form(request._read_bytes or b"")) - 1)

    def error(self, status: int, request: web.BaseRequest, new_errors: bool | None = None) -> Answer:
        """Return an error page; where JSON is asked for with 200, an error inside of it."""
        if status == 200 and request.path.startswith("/m4a/"):
            return self._answered({}, -99, "일시적인 오류가 발생했습니다.")
        return _page(f"<!DOCTYPE html><html><title>{status}</title><body><h1>{status}</h1></body></html>", status)

    def _answered(self, data: JSON, number: int = 0, message: str | None = None) -> Answer:
        body = {"NOW": int(self.clock()), "ERROR": {"NO": number, "MSG": message}, "DATA": data}
        return Answer(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"))

    def _shell(self, request: web.BaseRequest, _: re.Match[str]) -> Answer:
        answer = _page(SHELL)
        if request.cookies.get(COOKIE) not in self._sessions:
            self._sessions_made += 1
            session = hashlib.blake2b(f"{self.seed}:{self._sessions_made}".encode(), digest_size=13).hexdigest()
            self._sessions.add(session)
            answer.headers["Set-Cookie"] = f"{COOKIE}={session}; path=/; HttpOnly"
        return answer

    def lacks(self, request: web.BaseRequest) -> list[str]:
        """Return what of `needs` a request for JSON does not have."""
        host = request.headers.get("Host")
        has = {
            "cookie": request.cookies.get(COOKIE) in self._sessions,
            "referer": urlsplit(request.headers.get("Referer", "")).netloc == host,
            "origin": urlsplit(request.headers.get("Origin", "")).netloc == host,
            "x-requested-with": request.headers.get("X-Requested-With", "").lower() == "xmlhttprequest",
        }
        return [name for name in self.needs if not has[name]]

    def _refused(self, request: web.BaseRequest) -> Answer | None:
        if request.method != "POST" or self.alteration == "block" or self.lacks(request):
            return _page(BLOCK)
        return self._answered({}, *LOGIN_NEEDED) if self.alteration == "login_required" else None

    def _listing(self, request: web.BaseRequest, _: re.Match[str]) -> Answer:
        if refused := self._refused(request):
            return refused
        self.arrive()
        form = _form(self.sent)
        found, number = self.select(form), _page_number(form)
        layout = self.alteration if self.alteration in LAYOUTS else self.layout
        shown = found[ROWS * (number - 1) : ROWS * number]
        rows = [] if layout == "list_empty" else [row(project, self.clock(), layout) for project in shown]
        if layout == "renamed":
            rows = [{f"p{place}": value for place, value in enumerate(one.values())} for one in rows]
        pages: JSON = {
            "currentPage": number,
            "nextPage": number + 1 if ROWS * number < len(found) else None,
            "totalRows": str(len(found)) if layout == "2025" else len(found),
        }
        listing: JSON = {"LIST": rows, "PAGINATION": pages}
        if layout == "list_missing":
            listing = {"ITEMS": rows, "PAGINATION": pages}
        elif layout == "marker_missing":
            return Answer(json.dumps({"code": 0, "payload": listing}).encode())
        _alter(listing, self.alteration)
        return self._answered({"PROJECT": listing})

    def select(self, form: dict[str, list[str]]) -> list[FreemoaProject]:
        """Return the projects that a form asks for, in its order."""
        words = form.get("sS", [""])[-1].lower().split()
        work_type, regions = form.get("workType", [""])[-1], form.get("loc[]", [])

        def wanted(project: FreemoaProject) -> bool:
            text = " ".join((project.title, *project.skills)).lower()
            return (
                all(word in text for word in words)
                and work_type in ("", project.work_type)
                and (not regions or row(project, self.clock()).get("pv_code") in regions)
            )

        found = [project for project in self._rows if wanted(project)]
        if form.get("sm", [""])[-1] != "3":
            # Not the newest first: whoever needs that has to ask.
            found.sort(key=lambda project: -project.applicants)
        return found

    def _detail(self, request: web.BaseRequest, _: re.Match[str]) -> Answer:
        if refused := self._refused(request):
            return refused
        if self.login_for_detail:
            return self._answered({}, *LOGIN_NEEDED)
        number = _form(self.sent).get("pno", [""])[-1]
        project = self._by_id.get(int(number)) if number.isascii() and number.isdigit() else None
        if project is None or project.gone:
            return self._answered({}, -2, "존재하지 않는 프로젝트입니다.")
        meta = {
            "pno": number, "isopen": "1", "isNowApply": "1" if project.is_open(self.clock()) else "0",
            "starHide": False, "company_info": "", "company_authHpYn": "Y",
        }  # fmt: skip
        return self._answered({"VIEW": view(project, self.clock()), "META": meta})


_TOTALS: dict[str | None, Callable[[int], Any]] = {
    "total_null": lambda total: None,
    "total_string": str,
    "total_too_large": lambda total: 3 * total + 100,
    "total_too_small": lambda total: total // 3,
}


def _alter(listing: JSON, alteration: str | None) -> None:
    """Work a fault on the answer's `PROJECT`."""
    pages = listing["PAGINATION"]
    if alteration == "list_null":
        listing["LIST"] = None
    elif alteration == "list_object":
        listing["LIST"] = {str(place): one for place, one in enumerate(listing["LIST"])}
    elif alteration == "total_missing":
        del pages["totalRows"]
    elif alteration in _TOTALS:
        pages["totalRows"] = _TOTALS[alteration](int(pages["totalRows"]))


def _page(text: str, status: int = 200) -> Answer:
    return Answer(text.encode(), status, HTML_TYPE)


def _form(sent: bytes) -> dict[str, list[str]]:
    return parse_qs(sent.decode("utf-8", "replace"), keep_blank_values=True)


def _page_number(form: dict[str, list[str]]) -> int:
    number = form.get("page", ["1"])[-1]
    return max(1, int(number)) if number.isascii() and number.isdigit() and len(number) < 10 else 1


def standin_process(**options: Any) -> AbstractContextManager[StandInProcess]:
    """Run the stand-in in a process of its own: `with standin_process(projects=5000) as site:`."""
    return _standin_process(Path(__file__), **options)


def main() -> None:
    """Serve from the command line."""
    parser = argparse.ArgumentParser(description="Stand in for Freemoa.")
    arguments(parser)
    parser.add_argument("--projects", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--arrivals-per-request", type=int, default=0)
    parser.add_argument("--odd-rows", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--layout", choices=LAYOUTS, default="2026")
    parser.add_argument("--login-for-detail", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--frozen", action=argparse.BooleanOptionalAction, default=False)
    options = vars(parser.parse_args())
    run(lambda: FreemoaStandIn(**options))


if __name__ == "__main__":
    main()
