"""Platforms that answer with JSON: a listing by page or by cursor, and one by offset."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlencode

import msgspec
from scrapy import Request
from scrapy.http import Response

from outsourcing_spiders.outcomes import Blocked, LayoutChanged, LoginRequired, Outcome, RateLimited, Unreachable
from outsourcing_spiders.parsing.redaction import scrub_personal
from outsourcing_spiders.platforms.json_rows import JsonRowsSpider, Row
from outsourcing_spiders.platforms.listing import Page, Walk
from outsourcing_spiders.platforms.offset_walk import OffsetWalk

__all__ = ["JsonApiSpider", "JsonPagesSpider", "Row", "decode"]


class JsonPagesSpider(JsonRowsSpider):
    """Read a listing in JSON by page number, from `first_place` on, or by the cursor at `cursor_at`.

    A spider declares the attributes and says how a page is asked for (`listing_request`) and what a row means
    (`item`).
    """

    api: ClassVar[str] = ""
    """Path of the API, between the host and the paths given to `api_request`."""
    token: ClassVar[tuple[str, str] | None] = None
    """Header that carries the token, and the setting that holds it; sent only when that is set."""
    success: ClassVar[tuple[str, Any] | None] = None
    """Key and value that every good answer has."""
    error_codes: ClassVar[dict[str, type[Outcome]]] = {}
    """What codes in the body of a bad answer mean, whatever its status."""

    def api_request(
        self,
        path: str,
        parameters: Iterable[tuple[str, Any]] = (),
        *,
        headers: Mapping[str, str] | None = None,
        form: Iterable[tuple[str, Any]] | None = None,
        json: Any = None,
        **options: Any,
    ) -> Request:
        """Return a request to the API; whatever is answered reaches the callback.

        `form` or `json` is posted, the first in the form of a web page's form.
        """
        sent: dict[str, str] = {"Accept": "application/json", **(headers or {})}
        if self.token and (token := self.settings.get(self.token[1])):
            sent[self.token[0]] = token
        if form is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
            options |= {"method": "POST", "body": urlencode(list(form))}
        elif json is not None:
            sent["Content-Type"] = "application/json"
            options |= {"method": "POST", "body": msgspec.json.encode(json)}
        query = urlencode(list(parameters))
        url = self.absolute(self.api + path) + (f"?{query}" if query else "")
        # A redirect would carry the token to another host.
        meta = {"handle_httpstatus_all": True, "dont_redirect": True}
        return Request(url, headers=sent, meta=meta, errback=self.failed, **options)

    def answer(self, response: Response) -> Any:
        """Return the decoded body of a good answer; raises the `Outcome` that a bad one means."""
        try:
            answer = decode(response.body)
        except ValueError as error:
            raise self._refusal(response, str(error) or type(error).__name__) from None
        said_so = self.success is None or (isinstance(answer, dict) and self.success in answer.items())
        if response.status != 200 or not said_so:
            raise self._refusal(response, "an error")
        return answer

    def value(self, response: Response) -> Any:
        """Return the answer itself."""
        return self.answer(response)

    def _refusal(self, response: Response, problem: str) -> Outcome:
        status, body = response.status, response.body[:500].decode("utf-8", "replace").strip()
        where = f"{response.url} answered {status}"
        meaning = next((outcome for code, outcome in self.error_codes.items() if code in body), None)
        if status == 429 or meaning is RateLimited:
            return RateLimited(f"{where}: too many requests; wait before the next crawl")
        if status == 401 or meaning is LoginRequired:
            check = f"; check {self.token[1]}" if self.token else ""
            return LoginRequired(f"{where}: it wants a login, or does not accept the token{check}")
        if status >= 500 or status == 408:
            return Unreachable(f"{where} several times; try again later")
        if status not in (404, 410) and body.lower().startswith(("<!doctype html", "<html", "<head", "<body")):
            return Blocked(f"{where} with a page where JSON was asked for; wait before the next crawl")
        if status == 403:
            return Blocked(f"{where}: it refuses us; wait before the next crawl")
        # It is logged, and some rows name people.
        return LayoutChanged(f"{where} with {problem}: {scrub_personal(body, self.private_keys)[:200]!r}")


class JsonApiSpider(JsonPagesSpider):
    """Read a listing by offset, as `OffsetWalk` says; `listing_request` gets the offset."""

    page_size: ClassVar[int]
    """Rows asked for at a time."""
    page_overlap: ClassVar[int] = 5
    """Rows that two neighbouring pages share, so that rows which move between them are met."""
    pages_ahead: ClassVar[int] = 3
    """Pages asked for at once while a listing is read as a whole; pace decides when they are sent."""
    first_place = 0

    def make_walk(self) -> Walk:
        """Return a walk that asks for overlapping pages, some of them ahead."""
        return OffsetWalk(
            size=self.page_size,
            overlap=self.page_overlap,
            # A crawl that will end before the listing does asks for no page that it may not need.
            ahead=1 if self.stops_at_known or self.since else self.pages_ahead,
            max_pages=self.max_pages,
        )

    def read_on(self, place: int, ids: Sequence[str], page: Page[Row]) -> tuple[list[str], list[int]]:
        """Tell the walk what came; return the ids not seen before, and the offsets to ask for next."""
        fresh, offsets = self.walk.read(place, ids, page.total)
        return fresh, offsets


def decode(body: bytes) -> Any:
    """Return the value of a JSON document; lone surrogates, which JavaScript writes, are let through.

    Raises `ValueError`.
    """
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        # Stricter than the platforms write: the standard library takes half a character, too.
        return json.loads(body)
