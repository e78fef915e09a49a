"""Look at every answer before the spider does, and end the crawl for one that is not what was asked for."""

from __future__ import annotations

import logging
from typing import NoReturn, Self

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.retry import get_retry_request
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Response
from scrapy.http.request import NO_CALLBACK

from outsourcing_spiders.middlewares.kept_pages import decoded_headers, keep_page
from outsourcing_spiders.middlewares.outcomes import refuse
from outsourcing_spiders.outcomes import Blocked, LayoutChanged, LoginRequired, Outcome, Unreachable
from outsourcing_spiders.parsing.challenges import Kind, Verdict, judge

logger = logging.getLogger(__name__)

_PASSES = frozenset({Kind.GOOD, Kind.RATE_LIMIT, Kind.OTHER})
"""What is left to others: pace, retry and the spider itself."""
_FLAW = "not what was asked for: "
"""How the flag of an answer begins that passes all the same."""
_MANY = 5


class Withheld(IgnoreRequest):
    """A project's own page that the platform does not show to us, as it may do with one among many."""


class BlockGuardMiddleware:
    """Let good answers pass; end the crawl for a block, a login page, a page of another shape.

    A request says what its answer has to be: ``meta["marker"]`` is a text, or a tuple of texts of which a good page
    holds one; an ``Accept`` that begins with ``application/json`` asks for JSON. An answer that was cut off is asked
    for again, as often as the setting ``RETRY_TIMES`` says. Rate limits and errors in the platform's own words pass.
    A project's own page (``meta["detail_page"]``) is one of many. One of another shape is asked for once more, then
    passes with a flag (`flaw_of`), and the spider counts it; one that is cut off each time is one that cannot be had.
    One that is refused or leads to a login, though no service that keeps programs out is seen in it, may be for members
    only: its errback gets `Withheld`. The fifth in a row, with no good one between them, ends the crawl.
    The page that ends the crawl is kept for diagnosis.

    The setting ``BLOCK_GUARD`` off: what would have ended the crawl is only logged.
    """

    def __init__(self, crawler: Crawler, *, only_warns: bool) -> None:
        self._crawler = crawler
        self._only_warns = only_warns
        self._withheld = 0
        """How many pages of projects in a row were withheld."""

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the middleware."""
        return cls(crawler, only_warns=not crawler.settings.getbool("BLOCK_GUARD", True))

    async def process_response(self, request: Request, response: Response) -> Response | Request:
        """Return the answer, or a request to ask again; raises `Withheld` and `middlewares.outcomes.Refused`."""
        # robots.txt, which has rules of its own.
        if request.callback is NO_CALLBACK:
            return response
        verdict = _judge(request, response)
        is_one_of_many = bool(request.meta.get("detail_page"))
        if is_one_of_many and verdict.kind is Kind.GOOD:
            self._withheld = 0
        if verdict.kind in _PASSES:
            return response
        outcome = _outcome(response, verdict)
        if self._only_warns:
            logger.warning("%s", outcome)
            return response
        self._crawler.stats.inc_value(f"outsourcing/guard/{verdict.kind}")
        if verdict.kind is Kind.TRUNCATED:
            if (again := self._ask_again(request)) is not None:
                return again
            if is_one_of_many:
                # It may come whole another time.
                raise IgnoreRequest(f"{response.url}: {verdict.evidence}, each time")
        if verdict.kind is Kind.LAYOUT and is_one_of_many:
            if (again := self._ask_again(request, most=1)) is not None:
                return again
            response.flags.append(_FLAW + verdict.evidence)
            return response
        if is_one_of_many and _may_be_private(response, verdict):
            self._withheld += 1
            if self._withheld < _MANY:
                raise Withheld(str(outcome))
        return await self._end(response, outcome, verdict)

    async def _end(self, response: Response, outcome: Outcome, verdict: Verdict) -> NoReturn:
        finding = f"{verdict.vendor}: {verdict.evidence}" if verdict.vendor else verdict.evidence
        await keep_page(self._crawler, response, outcome.reason, finding)
        refuse(self._crawler, outcome)

    def _ask_again(self, request: Request, *, most: int | None = None) -> Request | None:
        if request.meta.get("dont_retry"):
            return None
        spider = self._crawler.spider
        assert spider is not None
        # What is given up is logged as the end of the crawl.
        return get_retry_request(
            request, spider=spider, reason="not the page", max_retry_times=most,
            priority_adjust=request.meta.get("priority_adjust"), give_up_log_level=logging.DEBUG,
        )  # fmt: skip


def flaw_of(response: Response) -> str | None:
    """Return why the page of a project is not what was asked for, as the guard found; ``None`` when it is."""
    return next((flag.removeprefix(_FLAW) for flag in response.flags if flag.startswith(_FLAW)), None)


def _may_be_private(response: Response, verdict: Verdict) -> bool:
    is_plain_refusal = verdict.kind is Kind.BLOCKED and verdict.vendor is None and response.status == 403
    return is_plain_refusal or verdict.kind is Kind.LOGIN


def _judge(request: Request, response: Response) -> Verdict:
    redirects: list[str] = request.meta.get("redirect_urls") or [request.url]
    return judge(
        status=response.status,
        headers=[(name, value) for name, values in decoded_headers(response) for value in values],
        body=response.body,
        url=response.url,
        asked_url=redirects[0],
        json_asked=(request.headers.get("Accept") or b"").lstrip().lower().startswith(b"application/json"),
        marker=request.meta.get("marker"),
    )


def _outcome(response: Response, verdict: Verdict) -> Outcome:
    where = f"{response.url} answered {response.status}"
    because = verdict.evidence
    match verdict.kind:
        case Kind.BLOCKED if verdict.vendor:
            return Blocked(f"{where}: {verdict.vendor} keeps programs out ({because}); wait before the next crawl")
        case Kind.BLOCKED:
            return Blocked(f"{where}: it refuses us ({because}); wait before the next crawl")
        case Kind.LOGIN:
            return LoginRequired(f"{where}: it wants a login ({because}); check the token, if the platform takes one")
        case Kind.TRUNCATED:
            return Unreachable(f"{where}: what comes is cut off each time ({because}); try again later")
        case _:
            return LayoutChanged(f"{where}, but not with what the spider reads ({because}); the spider needs mending")
