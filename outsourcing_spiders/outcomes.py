"""How a crawl can end, and the errors that end it: who raises what, and what the user does about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from traceback import extract_tb
from typing import Any, ClassVar

import outsourcing_spiders

_PACKAGE = Path(outsourcing_spiders.__path__[0])
_SPIDERS = ("spiders", "ways_in")


class CloseReason(StrEnum):
    """The closed list of reasons for which a crawl ends; stored as ``crawl_runs.reason``."""

    FINISHED = "finished"
    UP_TO_DATE = "up_to_date"
    SHUTDOWN = "shutdown"
    UNREACHABLE = "unreachable"
    BLOCKED = "blocked"
    RATE_LIMITED = "rate_limited"
    LOGIN_REQUIRED = "login_required"
    LAYOUT_CHANGED = "layout_changed"
    INCOMPLETE = "incomplete"
    PERMISSION_REQUIRED = "permission_required"
    WRONG_ARGUMENT = "wrong_argument"
    DATABASE_UNREACHABLE = "database_unreachable"
    STORAGE_FAILED = "storage_failed"
    FAILED = "failed"
    KILLED = "killed"
    """Its process ended without a word; the next crawl says so."""

    @property
    def is_success(self) -> bool:
        """Tell whether ``scrapy crawl`` exits with 0."""
        return self in (CloseReason.FINISHED, CloseReason.UP_TO_DATE, CloseReason.SHUTDOWN)


_SET_BY_USER = frozenset({"closespider_itemcount", "closespider_pagecount", "closespider_timeout"})
"""Reasons of Scrapy's for which a crawl ends because the user set it a bound."""


def close_reason(named: str) -> CloseReason:
    """Return the reason of the closed list for what Scrapy calls `named`."""
    if named in _SET_BY_USER:
        return CloseReason.SHUTDOWN
    return CloseReason(named) if named in list(CloseReason) else CloseReason.FAILED


class Outcome(Exception):
    """An end of the crawl that has a name; its message is one sentence for the user.

    `retry_at` (aware) is when the platform will let us in again, where it says so.
    """

    reason: ClassVar[CloseReason]

    def __init__(self, message: str, *, retry_at: datetime | None = None) -> None:
        super().__init__(message)
        self.retry_at = retry_at


class Unreachable(Outcome):
    """The platform did not answer, or only with errors of its own. Try again later."""

    reason = CloseReason.UNREACHABLE


class Blocked(Outcome):
    """The platform refused us or asked for a proof of being human. Wait; do not hide."""

    reason = CloseReason.BLOCKED


class RateLimited(Outcome):
    """The platform asked us to slow down, more often than a crawl should insist. Wait longer."""

    reason = CloseReason.RATE_LIMITED


class LoginRequired(Outcome):
    """The platform wants a login or did not accept the token. Check the token."""

    reason = CloseReason.LOGIN_REQUIRED


class LayoutChanged(Outcome):
    """The answer is not of the shape that the spider reads. The spider needs mending."""

    reason = CloseReason.LAYOUT_CHANGED


class Incomplete(Outcome):
    """A part of the listing could not be read. The next crawl reads on to where it is whole."""

    reason = CloseReason.INCOMPLETE


class WrongArgument(Outcome, ValueError):
    """A spider argument has no meaning. The message names the argument and what it may be."""

    reason = CloseReason.WRONG_ARGUMENT


class PermissionRequired(Outcome):
    """The platform's terms forbid programs. List it in PERMITTED_PLATFORMS if you have its permission."""

    reason = CloseReason.PERMISSION_REQUIRED


class Failed(Outcome):
    """Something on our own side is missing or broken; the message says what to do."""

    reason = CloseReason.FAILED


class StorageError(Outcome):
    """The database cannot be used; the message says why and what to do."""

    reason = CloseReason.STORAGE_FAILED


class DatabaseUnreachable(StorageError):
    """The database does not answer, or not to us. Check DATABASE_URL and the server."""

    reason = CloseReason.DATABASE_UNREACHABLE


def told(error: BaseException) -> str:
    """Say what was raised, and where in the project: in a spider, if it was there."""
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    frames = [frame for frame in extract_tb(error.__traceback__) if _PACKAGE in Path(frame.filename).parents]
    own = [frame for frame in frames if Path(frame.filename).parent.name in _SPIDERS] or frames
    return f"{said} ({Path(own[-1].filename).name}, line {own[-1].lineno}, {own[-1].name})" if own else said


_ADVICE = {
    "closespider_errorcount": "the spider made as many errors as CLOSESPIDER_ERRORCOUNT allows; see them in the log",
    "closespider_pagecount_no_item": "page after page held no project (CLOSESPIDER_PAGECOUNT_NO_ITEM)",
    "closespider_timeout_no_item": "no project came for as long as CLOSESPIDER_TIMEOUT_NO_ITEM allows",
    "memusage_exceeded": "it took more memory than MEMUSAGE_LIMIT_MB; raise it, or bound the crawl (max_pages, since)",
    "start_error": "the spider failed before its first request; see the traceback in the log",
    None: "it was forced to end before it was closed; what is stored is safe, the next crawl reads on",
}
"""What to say about reasons that come without an `Outcome`."""


def judge(reason: str | None, outcome: object, stats: Mapping[str, Any]) -> str | None:
    """Return what was wrong with a crawl, in a sentence; ``None`` when nothing was.

    `reason` is why it ended (``None``: nobody knows), `outcome` the `Outcome` that came with it, or what was raised
    instead while the crawl was set up, `stats` Scrapy's.
    """
    if isinstance(outcome, BaseException) and not isinstance(outcome, Outcome):
        return f"could not be started: {type(outcome).__name__}: {outcome}"
    if reason not in _SET_BY_USER and (reason not in list(CloseReason) or not CloseReason(reason).is_success):
        said = outcome if isinstance(outcome, Outcome) else _ADVICE.get(reason, "see the log")
        return f"{(reason or 'aborted').replace('_', ' ')}: {said}"
    missing = [
        f"{count} {what}"
        for what, count in (
            ("errors in the spider", stats.get("spider_exceptions/count", 0)),
            ("errors in the pipelines", stats.get("item_error_count", 0)),
            ("projects that are not accounted for", stats.get("outsourcing/unaccounted", 0)),
        )
        if count
    ]
    if missing:
        return f"{str(reason).replace('_', ' ')}, but with {' and '.join(missing)}; see the log"
    return None
