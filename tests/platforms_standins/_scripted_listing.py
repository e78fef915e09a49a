"""Serve a listing whose rows only JavaScript puts there, and pages that misbehave; for the tests of rendering.

No platform's wire format: the page asks for its rows 50 ms after it has loaded, as single-page sites do. Run as a
program it is a process of its own: ``python _scripted_listing.py --asset-delay 0.05``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

from aiohttp import web

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from platforms_standins._server import HTML_TYPE, Answer, StandIn, arguments, run

ROWS = 20
_ROW = "Developer {number} wanted — 日本語, café"

_LISTING = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Projects</title>
<link rel="stylesheet" href="/style/main.css">
<style>@font-face{font-family:Own;src:url(/font/own.woff2)} body{font-family:Own}</style>
<script src="/script/first.js"></script><script src="/script/second.js" defer></script></head>
<body><h1>Page %(page)d</h1><p id="left"></p>%(images)s<ul id="projects"></ul>
<script>
setTimeout(async () => {
  const rows = await (await fetch("/rows/%(page)d")).json();
  document.querySelector("#projects").innerHTML = rows.map((row) => `<li class="job">${row}</li>`).join("");
}, 50);
</script></body></html>
"""
_HELD = """<!DOCTYPE html><html><body><ul id="projects"></ul><script>
(async () => {
  const rows = await (await fetch(location.pathname.replace("held", "kept"))).json();
  document.querySelector("#projects").innerHTML = rows.map((row) => `<li class="job">${row}</li>`).join("");
})();
</script></body></html>
"""
_STATEFUL = """<!DOCTYPE html><html><body><p id="seen"></p><script>
const left = [localStorage.length, sessionStorage.length, window.name.length, 0];
const opening = indexedDB.open("visits");
opening.onupgradeneeded = () => opening.result.createObjectStore("pages");
opening.onsuccess = () => {
  const store = opening.result.transaction("pages", "readwrite").objectStore("pages");
  store.count().onsuccess = (event) => {
    left[3] = event.target.result;
    store.put(1, Math.random());
    localStorage.visits = sessionStorage.visits = window.name = "many";
    document.querySelector("#seen").innerHTML = `<b>${left.join(" ")}</b>`;
  };
};
addEventListener("pagehide", () => { sessionStorage.left = "yes"; });
</script></body></html>
"""
_RUDE = """<!DOCTYPE html><html><body><h1>Rude</h1><script>
alert("stop"); confirm("really?"); window.open("/popup"); navigator.sendBeacon("/beacon", "x");
const found = [];
if (navigator.serviceWorker) navigator.serviceWorker.register("/worker.js").catch(() => {});
for (const [tag, name, address] of [["iframe", "src", "/frame"], ["video", "src", "/media/film.mp4"],
     ["img", "src", "/image/1.png"], ["script", "src", "file:///etc/passwd"]]) {
  const element = document.createElement(tag); element[name] = address; document.body.append(element);
}
const link = document.createElement("a"); link.href = "/download"; link.download = "x.bin"; link.click();
const blank = document.createElement("a"); blank.href = "/popup"; blank.target = "_blank"; blank.click();
setTimeout(() => { document.body.insertAdjacentHTML("beforeend", "<p id=done>done</p>"); }, 300);
</script></body></html>
"""
_PROBING = """<!DOCTYPE html><html><body><script>
(async () => {
  const tell = [];
  for (const address of %s) {
    try { await fetch(address, {mode: "no-cors"}); tell.push("reached"); } catch { tell.push("refused"); }
  }
  document.body.insertAdjacentHTML("beforeend", `<p id=done>${tell.join(" ")}</p>`);
})();
</script></body></html>
"""
_CHATTY = "<script>setInterval(() => navigator.sendBeacon('/beacon', 'x'), 4)</script>"
_CHALLENGE = """<!DOCTYPE html><html lang="en-US"><head><title>Just a moment...</title></head>
<body><h1>Checking your browser</h1></body></html>
"""
_PLAIN = "<!DOCTYPE html><html><body><h1>{}</h1></body></html>"


class ScriptedListing(StandIn):
    """A listing at ``/list/<page>``, and a page for each thing that can go wrong.

    `asset_delay`: seconds before an image, font, stylesheet or script comes. `kept`: browsers may keep them, as most
    sites have it for what all their pages share; else ``no-store``.
    """

    def __init__(self, *, asset_delay: float = 0.0, images: int = 6, kept: bool = True, **options: Any) -> None:
        self.asset_delay = asset_delay
        self.images = images
        self.keeping = {"Cache-Control": "public, max-age=3600" if kept else "no-store"}
        self.held = asyncio.Queue[str]()
        """Pages at ``/held/<name>`` that wait for rows; those asked for once more have them."""
        self._had: set[str] = set()
        super().__init__(**options)

    def routes(self) -> list[tuple[str, Any]]:
        """Return what is served."""
        return [
            (r"/list/(\d+)", self._listing),
            (r"/rows/(\d+)", self._rows),
            (r"/held/(\w+)", lambda *_: _html_page(_HELD)),
            (r"/kept/(\w+)", self._hold),
            (r"/(style|font|image|script|media)/.*", self._asset),
            (r"/status/(\d+)", self._status),
            (r"/challenge", lambda *_: Answer(_CHALLENGE.encode(), 403, HTML_TYPE, {"cf-mitigated": "challenge"})),
            (r"/blocked", lambda *_: Answer(_CHALLENGE.encode(), 200, HTML_TYPE)),
            (r"/moved/(\d+)", lambda _, match: _moved(f"/list/{match[1]}")),
            (r"/moved-to", lambda request, _: _moved(request.query["url"])),
            (r"/led", lambda *_: _html("<script>location.replace('/list/7')</script>")),
            (
                r"/led-to",
                lambda request, _: _html(f"<script>location.href={json.dumps(request.query['url'])}</script>"),
            ),
            (r"/hang", lambda *_: _html("<script>while (true) {}</script>")),
            (r"/large", lambda *_: _html(f"<p>{'x' * 300_000}</p>")),
            (r"/chatty/\d+", lambda *_: _html(_CHATTY + "x" * 300_000)),
            (r"/grown", lambda *_: _html("<script>document.body.append('x'.repeat(300000))</script>")),
            (r"/state", lambda *_: _html_page(_STATEFUL)),
            (r"/rude", lambda *_: _html_page(_RUDE)),
            (r"/probing", lambda request, _: _html_page(_PROBING % json.dumps(request.query.getall("url")))),
            (r"/headers", lambda *_: _html("<script>fetch('/sub')</script>")),
            (r"/download", lambda *_: Answer(b"x" * 1000, 200, "application/octet-stream")),
            (r"/nothing", lambda *_: Answer(b"", 204, HTML_TYPE)),
            (r"/robots\.txt", lambda *_: Answer(b"User-agent: *\nAllow: /\n", 200, "text/plain")),
            (r"/(sub|secret|frame|popup|beacon|worker\.js|favicon\.ico)", lambda *_: _html("")),
        ]

    def error(self, status: int, request: web.BaseRequest, new_errors: bool | None = None) -> Answer:
        """Return an error page."""
        return Answer(_PLAIN.format(f"Error {status}").encode(), status, HTML_TYPE)

    def limited(self, path: str) -> bool:
        """Count the pages only."""
        return path.startswith("/list/")

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.asset_delay and re.match(r"/(style|font|image|script|media)/", request.path):
            await asyncio.sleep(self.asset_delay)
        return await super()._handle(request)

    def _listing(self, request: web.BaseRequest, match: re.Match[str]) -> Answer:
        page = int(match[1])
        images = "".join(f'<img src="/image/{page}-{number}.png" alt="">' for number in range(self.images))
        return _html_page(_LISTING % {"page": page, "images": images})

    def _rows(self, request: web.BaseRequest, match: re.Match[str]) -> Answer:
        first = int(match[1]) * ROWS
        return Answer(json.dumps([_ROW.format(number=number) for number in range(first, first + ROWS)]).encode())

    def _hold(self, request: web.BaseRequest, match: re.Match[str]) -> Answer:
        count = ROWS if match[1] in self._had else 0
        if not count:
            self._had.add(match[1])
            self.held.put_nowait(match[1])
        return Answer(json.dumps([_ROW.format(number=number) for number in range(count)]).encode())

    def _asset(self, request: web.BaseRequest, match: re.Match[str]) -> Answer:
        kinds = {"style": "text/css", "script": "text/javascript", "image": "image/png", "font": "font/woff2"}
        body = {"style": b"h1{color:red}" * 100, "script": b"window.loaded = (window.loaded || 0) + 1;"}
        return Answer(body.get(match[1], b"x" * 5_000), 200, kinds.get(match[1], "video/mp4"), self.keeping)

    def _status(self, request: web.BaseRequest, match: re.Match[str]) -> Answer:
        status, body = int(match[1]), _PLAIN.format("Refused").encode()
        headers = {"Retry-After": "120", "Set-Cookie": "one=1"}
        return Answer(b"" if "empty" in request.query else body, status, HTML_TYPE, headers)


def _html(body: str) -> Answer:
    return _html_page(f"<!DOCTYPE html><html><body>{body}</body></html>")


def _html_page(page: str) -> Answer:
    return Answer(page.encode(), 200, HTML_TYPE)


def _moved(url: str) -> Answer:
    return Answer(b"", 302, HTML_TYPE, {"Location": url})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments(parser)
    parser.add_argument("--asset-delay", type=float, default=0.0, help="seconds before an image, font, script comes")
    parser.add_argument("--images", type=int, default=6, help="on each page")
    parser.add_argument("--no-store", action="store_true", help="no browser may keep an image, font, script")
    options = parser.parse_args()
    run(
        lambda: ScriptedListing(
            asset_delay=options.asset_delay, images=options.images, kept=not options.no_store, port=options.port,
            now=options.now, enforce_rate_limit=options.enforce_rate_limit,
        )
    )  # fmt: skip
