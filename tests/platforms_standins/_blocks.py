"""What platforms answer instead of a page to a program that they do not want: shapes for `StandIn.fail`.

Made after the tokens that were reported of real answers (titles, headers, names of scripts and cookies); no whole page
was seen.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

JSON_TYPE = "application/json"
HTML_TYPE = "text/html; charset=utf-8"


@dataclass(slots=True)
class Answer:
    """What a handler answers. `packed` is the gzip form of the body where it is at hand already."""

    body: bytes
    status: int = 200
    content_type: str = JSON_TYPE
    headers: dict[str, str] = field(default_factory=dict)
    packed: bytes | None = None

    def pack(self) -> bytes:
        """Return the body compressed, and keep it for the next time."""
        if self.packed is None:
            self.packed = gzip.compress(self.body, 1, mtime=0)
        return self.packed


_CLOUDFLARE = """<!DOCTYPE html>
<html lang="en-US"><head><title>Just a moment...</title><meta name="robots" content="noindex,nofollow"></head>
<body><h1>Checking your browser</h1><noscript>Enable JavaScript and cookies to continue</noscript>
<form id="challenge-form" action="/?__cf_chl_f_tk=standin" method="POST"></form>
<script src="/cdn-cgi/challenge-platform/h/b/orchestrate/chl_page/v1"></script></body></html>
"""
_INCAPSULA = """<html style="height:100%"><head><META NAME="ROBOTS" CONTENT="NOINDEX, NOFOLLOW"></head>
<body style="margin:0px;height:100%"><iframe id="main-iframe" src="/_Incapsula_Resource?SWUDNSAI=31&xinfo=stand-in"
frameborder=0 width="100%" height="100%">Request unsuccessful. Incapsula incident ID: 0-1</iframe></body></html>
"""
_PERIMETERX = """<!DOCTYPE html>
<html lang="en"><head><title>Access to this page has been denied</title></head>
<body><div id="px-captcha"></div><p>Press &amp; Hold to confirm you are a human (and not a bot).</p>
<script>window._pxAppId = "PXstandin";</script></body></html>
"""
_DATADOME = """<html lang="en"><head><title>stand-in</title></head>
<body><p id="cmsg">Please enable JS and disable any ad blocker</p>
<script>var dd={'rt':'c','host':'geo.captcha-delivery.com'}</script>
<script src="https://ct.captcha-delivery.com/c.js"></script></body></html>
"""
_FORBIDDEN = "<html><head><title>403 Forbidden</title></head><body><h1>403 Forbidden</h1></body></html>"


def _page(text: str, status: int, **headers: str) -> Callable[[str, int | None], Answer]:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda path, wanted: Answer(text.encode(), wanted or status, HTML_TYPE, dict(told))


def _login(path: str, status: int | None) -> Answer:
    return Answer(b"", status or 302, HTML_TYPE, {"Location": f"/login?goto={quote(path, safe='')}"})


BLOCKS: dict[str, Callable[[str, int | None], Answer]] = {
    "challenge": _page(_CLOUDFLARE, 403, cf_mitigated="challenge", Server="cloudflare"),
    "incapsula": _page(_INCAPSULA, 200, X_Iinfo="1-2-3 NNNN RT(1) q(0 -1 -1 -1) r(0 -1) B10"),
    "perimeterx": _page(_PERIMETERX, 403),
    "datadome": _page(_DATADOME, 403, X_DataDome="protected"),
    "forbidden": _page(_FORBIDDEN, 403),
    "login": _login,
}
"""Make the answer to a request's path, with its usual status or the one that is wanted."""
