"""Serve a stand-in of a platform: listening, request log, faults, rate limit, compression, control, own process.

Nothing here belongs to one platform. A stand-in derives from `StandIn`, lists its `routes()` and answers with
`Answer`s; the rest is done here. Loopback only.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from email.utils import formatdate
from pathlib import Path
from typing import Any, Self

from aiohttp import web
from platforms_standins._blocks import BLOCKS
from platforms_standins._blocks import HTML_TYPE as HTML_TYPE
from platforms_standins._blocks import JSON_TYPE as JSON_TYPE
from platforms_standins._blocks import Answer as Answer

JSON = dict[str, Any]


@dataclass(slots=True)
class Seen:
    """One request as it arrived; `at` is monotonic seconds, `status` 0 while unanswered or when it was cut off.

    `query` has a list for names that end with `[]`, else the last value. `headers` has lower-case names. `body` is
    what was posted.
    """

    at: float
    method: str
    path: str
    query: dict[str, str | list[str]]
    headers: dict[str, str]
    status: int = 0
    body: str = ""


@dataclass(slots=True)
class Fault:
    """A switched-on fault; see `StandIn.fail`."""

    kind: str
    path: str = ""
    times: int | None = None
    every: int | None = None
    after: int = 0
    from_offset: int | None = None
    status: int | None = None
    retry_after: int | None = None
    retry_after_date: bool = False
    new_errors: bool | None = None
    delay: float = 0.0
    matched: int = 0
    hits: int = 0


class StandIn:
    """Serve one platform on the loopback interface, in the running event loop.

    `now`: Unix seconds that the site takes for the present when it starts (default: the real time).
    `enforce_rate_limit`: answer 429 when one of `rate_windows` (requests, seconds) is full.
    Use it as an async context manager; `base_url` is known inside.
    """

    #: Methods that any path may be asked with.
    methods: tuple[str, ...] = ("GET", "HEAD")
    #: Text and status of `/robots.txt`; without a text it is a path as any other.
    robots: str | None = None
    robots_status = 200
    #: Kinds of `fail` that any platform knows; the rest reaches the handlers as `alteration`.
    COMMON_FAULTS = (
        "status",
        *BLOCKS,
        "error_envelope",
        "truncated",
        "cut_short",
        "reset",
        "slow",
        "held",
        "invalid_json",
        "empty_body",
    )
    #: Kinds that this platform's own handlers know.
    OWN_FAULTS: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        now: float | None = None,
        port: int = 0,
        enforce_rate_limit: bool = False,
        rate_windows: Sequence[tuple[int, float]] = ((50, 60.0), (1000, 3600.0)),
    ) -> None:
        self.now = time.time() if now is None else now
        self.enforce_rate_limit = enforce_rate_limit
        self.rate_windows = list(rate_windows)
        self.requests: list[Seen] = []
        self.faults: list[Fault] = []
        self.alteration: str | None = None
        self.sent = b""
        self._port = port
        self._started = time.monotonic()
        self._admitted: deque[float] = deque()
        self._healed = asyncio.Event()
        self._runner: web.ServerRunner | None = None
        self._routes = [(re.compile(pattern + r"/?"), handler) for pattern, handler in self.routes()]

    # --- what a platform fills in ---------------------------------------------------------------------------

    def routes(self) -> list[tuple[str, Callable[[web.BaseRequest, re.Match[str]], Answer]]]:
        """Return pattern and handler pairs; the first whose pattern matches the whole path answers."""
        raise NotImplementedError

    def error(self, status: int, request: web.BaseRequest, new_errors: bool | None = None) -> Answer:
        """Return the platform's error answer for an HTTP status (200: an error inside a successful answer)."""
        raise NotImplementedError

    def limited(self, path: str) -> bool:
        """Tell whether the rate limit governs this path."""
        return True

    def position(self, request: web.BaseRequest) -> int:
        """Return how far into the listing a request reads, for faults with `from_offset`."""
        return int(request.query.get("offset", "0"))

    def latest(self) -> float:
        """Return the newest time that the site's data holds: its clock is never behind that."""
        return 0.0

    def change(self, action: str, **values: Any) -> Any:
        """Carry out a change asked for over HTTP; return something JSON can hold."""
        raise ValueError(f"no such change: {action}")

    def state(self) -> JSON:
        """Return what another process may want to know about the site."""
        return {}

    # --- faults, clock --------------------------------------------------------------------------------------

    def fail(self, kind: str = "status", **options: Any) -> Fault:
        """Switch a fault on.

        Which requests: `path` (part of the path), `from_offset`, then of those that match: `after` (leave the
        first N alone), `times` (only the next N), `every` (each K-th). With neither it stays until `heal()`.
        What happens, by `kind`: `status` (with `status`, default 500; `retry_after` seconds, as an HTTP date
        with `retry_after_date`; `new_errors` chooses the form of the body), those of `_blocks.BLOCKS` such as
        `challenge` (`status` overrules theirs), `error_envelope` (error body with 200), `truncated` (fewer bytes than
        Content-Length), `cut_short` (three fifths of the bytes, and a Content-Length that fits), `reset`, `slow`
        (`delay` seconds, then the real answer), `held` (the real answer at the next `heal()`), `invalid_json`,
        `empty_body`, and the platform's own.
        """
        if kind not in self.COMMON_FAULTS and kind not in self.OWN_FAULTS:
            raise ValueError(f"no such fault: {kind}; known: {', '.join(self.COMMON_FAULTS + self.OWN_FAULTS)}")
        fault = Fault(kind, **options)
        self.faults.append(fault)
        return fault

    def heal(self) -> None:
        """Switch all faults off, and answer what they held."""
        self.faults.clear()
        self._healed.set()
        self._healed = asyncio.Event()

    def clock(self) -> float:
        """Return the site's present in Unix seconds: what its Date header says."""
        return max(self.now + time.monotonic() - self._started, self.latest())

    def _due(self, request: web.BaseRequest) -> Fault | None:
        for fault in self.faults:
            if fault.path not in request.path:
                continue
            if fault.from_offset is not None and self.position(request) < fault.from_offset:
                continue
            fault.matched += 1
            turn = fault.matched - fault.after
            if turn <= 0 or (fault.every and turn % fault.every):
                continue
            if fault.times is not None and fault.hits >= fault.times:
                continue
            fault.hits += 1
            return fault
        return None

    # --- serving --------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(web.Server(self._handle), access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def base_url(self) -> str:
        """Return `http://127.0.0.1:<port>` without a slash at the end."""
        return f"http://127.0.0.1:{self._port}"

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.startswith("/_standin/"):
            return await self._control(request)
        seen = Seen(
            time.monotonic(),
            request.method,
            request.path,
            {
                name: request.query.getall(name) if name.endswith("[]") else request.query.getall(name)[-1]
                for name in request.query
            },
            {name.lower(): value for name, value in request.headers.items()},
        )
        self.requests.append(seen)
        if not request.headers.get("User-Agent"):
            return self._cut(request)
        sent = await request.read() if request.method == "POST" else b""
        seen.body = sent.decode("utf-8", "replace")
        answer, fault = None, None
        headers = self._rate_headers(request)
        if headers.pop("refused", None):
            answer = self.error(429, request)
        else:
            self.sent = sent
            fault = self._due(request)
            if fault is not None and fault.kind == "reset":
                return self._cut(request, reset=True)
            if fault is not None and fault.delay:
                await asyncio.sleep(fault.delay)
            if fault is not None and fault.kind == "held":
                await self._healed.wait()
            answer = self._faulty(fault, request) if fault is not None else None
            # Another request may have come while this one was delayed.
            self.sent = sent
            answer = answer or self.answer(request, fault.kind if fault is not None else None)
            if fault is not None and fault.kind == "cut_short":
                answer = replace(answer, body=answer.body[: len(answer.body) * 3 // 5], packed=None)
        seen.status = answer.status
        answer_headers = {"Date": formatdate(self.clock(), usegmt=True), **headers, **answer.headers}
        if fault is not None and fault.kind == "truncated":
            return await self._truncate(request, answer, answer_headers)
        body = answer.body
        if "gzip" in request.headers.get("Accept-Encoding", "") and len(body) > 500:
            body = answer.pack()
            answer_headers["Content-Encoding"] = "gzip"
            answer_headers["Vary"] = "Accept-Encoding"
        answer_headers["Content-Type"] = answer.content_type
        return web.Response(body=body, status=answer.status, headers=answer_headers)

    def answer(self, request: web.BaseRequest, alteration: str | None) -> Answer:
        """Let the handler of the request's path answer; `alteration` is a fault that only it can work.

        What was posted is in `self.sent`.
        """
        if request.path == "/robots.txt" and self.robots is not None:
            return Answer(self.robots.encode(), self.robots_status, "text/plain; charset=utf-8")
        for pattern, handler in self._routes:
            match = pattern.fullmatch(request.path)
            if match:
                if request.method not in self.methods:
                    return self.error(405, request)
                # Handlers are plain functions: no other request comes between this and the answer.
                self.alteration = alteration
                return handler(request, match)
        return self.error(404, request)

    def _faulty(self, fault: Fault, request: web.BaseRequest) -> Answer | None:
        if fault.kind == "status":
            answer = self.error(fault.status or 500, request, fault.new_errors)
            if fault.retry_after is not None:
                moment = formatdate(self.clock() + fault.retry_after, usegmt=True)
                answer.headers["Retry-After"] = moment if fault.retry_after_date else str(fault.retry_after)
            return answer
        if fault.kind in BLOCKS:
            return BLOCKS[fault.kind](request.path_qs, fault.status)
        if fault.kind == "error_envelope":
            return self.error(200, request, fault.new_errors)
        if fault.kind == "invalid_json":
            return Answer(b'{"status":"success","result":{"projects":[{"id":1,,"title":NaN}')
        return Answer(b"") if fault.kind == "empty_body" else None

    def _rate_headers(self, request: web.BaseRequest) -> dict[str, str]:
        if not self.limited(request.path):
            return {}
        now = time.monotonic()
        longest = max(window for _, window in self.rate_windows)
        while self._admitted and self._admitted[0] <= now - longest:
            self._admitted.popleft()
        # A limit that is not enforced must not slow down a reader that obeys it.
        windows = self.rate_windows if self.enforce_rate_limit else [(10**6, self.rate_windows[0][1])]
        first = windows[0][0]
        told = ", ".join([str(first)] + [f"{limit};window={window:g}" for limit, window in windows])
        headers = {"RateLimit-Limit": told}
        if not self.enforce_rate_limit:
            return headers | {"RateLimit-Remaining": str(first - 1)}
        left = min(
            limit - sum(1 for moment in self._admitted if moment > now - window) for limit, window in self.rate_windows
        )
        if left <= 0:
            return headers | {"RateLimit-Remaining": "0", "refused": "yes"}
        self._admitted.append(now)
        return headers | {"RateLimit-Remaining": str(left - 1)}

    @staticmethod
    def _cut(request: web.BaseRequest, *, reset: bool = False) -> web.Response:
        transport = request.transport
        if transport is not None:
            if reset:
                # Without lingering the kernel sends a reset instead of an orderly end.
                transport.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
            transport.abort()
        return web.Response()

    @staticmethod
    async def _truncate(request: web.BaseRequest, answer: Answer, headers: dict[str, str]) -> web.StreamResponse:
        headers = headers | {"Content-Type": answer.content_type, "Content-Length": str(len(answer.body))}
        response = web.StreamResponse(status=answer.status, headers=headers)
        await response.prepare(request)
        await response.write(answer.body[: len(answer.body) // 2])
        if request.transport is not None:
            request.transport.close()
        return response

    # --- control over HTTP ----------------------------------------------------------------------------------

    async def _control(self, request: web.BaseRequest) -> web.Response:
        what = request.path.removeprefix("/_standin/").strip("/")
        sent: JSON = await request.json() if request.method == "POST" else {}
        result: Any
        try:
            if what == "requests":
                result = [asdict(seen) for seen in self.requests]
                if request.method == "DELETE":
                    self.requests.clear()
            elif what == "faults":
                if request.method == "POST":
                    self.fail(**sent)
                elif request.method == "DELETE":
                    self.heal()
                result = [asdict(fault) for fault in self.faults]
            elif what == "change":
                result = self.change(**sent)
            elif what == "state":
                result = self.state()
            else:
                return web.Response(status=404, text="requests, faults, change or state")
        except (KeyError, TypeError, ValueError) as error:
            return web.Response(status=400, text=str(error))
        return web.Response(text=json.dumps(result), content_type=JSON_TYPE)


# --- in a process of its own --------------------------------------------------------------------------------


class StandInProcess:
    """Talk to a stand-in that runs in another process."""

    def __init__(self, base_url: str, process: subprocess.Popen[str]) -> None:
        self.base_url = base_url
        self.process = process

    def _call(self, method: str, what: str, body: JSON | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.base_url}/_standin/{what}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def requests(self, *, clear: bool = False) -> list[JSON]:
        """Return the request log, and empty it with `clear`."""
        found: list[JSON] = self._call("DELETE" if clear else "GET", "requests")
        return found

    def fail(self, kind: str = "status", **options: Any) -> None:
        """Switch a fault on, as `StandIn.fail` does."""
        self._call("POST", "faults", {"kind": kind, **options})

    def heal(self) -> None:
        """Switch all faults off."""
        self._call("DELETE", "faults")

    def change(self, action: str, **values: Any) -> Any:
        """Change the site: `change("add", n=3)`, `change("edit", project_id=…, description=…)`."""
        return self._call("POST", "change", {"action": action, **values})

    def state(self) -> JSON:
        """Return the site's own account of itself."""
        found: JSON = self._call("GET", "state")
        return found


@contextlib.contextmanager
def standin_process(script: Path | str, **options: Any) -> Iterator[StandInProcess]:
    """Run a stand-in's module as a process, with `options` as its command line; end it on leaving."""
    command = [sys.executable, str(script)]
    for name, value in options.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            command.append(f"--{flag}" if value else f"--no-{flag}")
        elif value is not None:
            command += [f"--{flag}", str(value)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            base_url = process.stdout.readline().strip()
            if not base_url:
                raise RuntimeError(f"the stand-in did not start: {' '.join(command)}")
            yield StandInProcess(base_url, process)
        finally:
            process.stdin.close()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that every stand-in understands."""
    parser.add_argument("--port", type=int, default=0, help="0 (default): a free one")
    parser.add_argument("--now", type=float, default=None, help="Unix seconds the site starts at (default: now)")
    parser.add_argument("--enforce-rate-limit", action=argparse.BooleanOptionalAction, default=False)


def run(make: Callable[[], StandIn]) -> None:
    """Serve until SIGTERM or SIGINT arrives or standard input, when it is a pipe, closes. Prints the address first."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(_serve(make))
    else:
        uvloop.run(_serve(make))


async def _serve(make: Callable[[], StandIn]) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    mode = os.fstat(0).st_mode
    # Only a pipe tells that the parent went away: /dev/null, the input of background jobs, is at its end at
    # once.
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        threading.Thread(target=_until_closed, args=(loop, stop), daemon=True).start()
    async with make() as site:
        print(site.base_url, flush=True)
        await stop.wait()


def _until_closed(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while os.read(0, 4096):
        pass
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(stop.set)
