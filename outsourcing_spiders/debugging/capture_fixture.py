"""Make a fixture of an answer: what it is read with, and the page without secrets and personal data."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
from scrapy.http import Response
from scrapy.settings import Settings

from outsourcing_spiders.debugging.fixtures import Meta, to_json
from outsourcing_spiders.items import Project
from outsourcing_spiders.parsing.redaction import PRIVATE, redact, scrub_personal, secrets_of

_KEPT_HEADERS = ("Content-Type", "Date", "Link")
_REMOVED = {
    "secret": re.compile(r"\[(?:hidden|[A-Z][A-Z0-9]*_[A-Z0-9_]+)\]"),
    "e-mail address": re.compile(r"\[e-mail\]"),
    "telephone number": re.compile(r"\[phone\]"),
    "name": re.compile(r"\[name\]"),
    "private value": re.compile(r"\[private\]"),
}


def meta_of(response: Response, *, arguments: dict[str, str], date: str, item: Project | None, detail: bool) -> Meta:
    """Return what a live answer has to be read with; `date` stands in for a ``Date`` header that it has not."""
    request = response.request
    assert request is not None
    headers = {name: value.decode("latin-1") for name in _KEPT_HEADERS if (value := response.headers.get(name))}
    place = request.cb_kwargs.get("place")
    return Meta(
        read_by="detail" if detail else "parse",
        address=response.url,
        status=response.status,
        headers={**headers, "Date": headers.get("Date", date)},
        method=request.method if request.method != "GET" else msgspec.UNSET,
        body=request.body.decode("utf-8", "replace") if request.body else msgspec.UNSET,
        place=place if isinstance(place, (int, str)) and place != "" else msgspec.UNSET,
        render=request.meta.get("render", msgspec.UNSET),
        arguments=arguments or msgspec.UNSET,
        item=to_json([item])[0] if item else msgspec.UNSET,
    )


def scrub(text: str, settings: Settings, private_keys: tuple[str, ...] = ()) -> str:
    """Return a text without secrets, e-mail addresses, telephone numbers and the values of private keys."""
    return scrub_personal(redact(text, secrets_of({str(name): settings[name] for name in settings})), private_keys)


def scrub_body(body: bytes, encoding: str, settings: Settings, private_keys: tuple[str, ...] = ()) -> bytes:
    """Return a page without them, otherwise byte for byte what it was."""
    text = body.decode(encoding, "surrogateescape")
    clean = scrub(text, settings, private_keys)
    if clean != text and _is_json(text) and not _is_json(clean):
        # In ASCII, which every encoding has: texts may hold what that of the page has not.
        clean = json.dumps(_scrub_value(json.loads(text), settings, private_keys))
    return clean.encode(encoding, "surrogateescape")


def removed(before: bytes, after: bytes) -> dict[str, int]:
    """Count what was taken out of a page."""
    texts = [body.decode("latin-1") for body in (before, after)]
    counts = {what: [len(mark.findall(text)) for text in texts] for what, mark in _REMOVED.items()}
    return {what: new - old for what, (old, new) in counts.items() if new > old}


def suffix_of(response: Response) -> str:
    """Return what a page's file name ends with: by what the page is, since some send JSON as HTML."""
    text = response.body.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:1] in (b"{", b"["):
        return ".json"
    return ".xml" if text[:5] == b"<?xml" and b"<html" not in text[:1000].lower() else ".html"


def scrubbed(meta: Meta, settings: Settings) -> Meta:
    """Return what a page is read with, without secrets and personal data."""
    return msgspec.convert(_scrub_value(msgspec.to_builtins(meta), settings), Meta)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _scrub_value(value: Any, settings: Settings, private_keys: tuple[str, ...] = ()) -> Any:
    if isinstance(value, str):
        return scrub(value, settings, private_keys)
    if isinstance(value, dict):
        return {
            scrub(key, settings): (
                PRIVATE if inner and key in private_keys else _scrub_value(inner, settings, private_keys)
            )
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_scrub_value(inner, settings, private_keys) for inner in value]
    return value
