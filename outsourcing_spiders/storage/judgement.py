"""Compare a crawl with earlier ones of its kind: pure functions over numbers.

Shares (a field's, the accepted items') follow a beta-binomial distribution: each crawl has a share of its own around
the usual one, and rows are drawn by it. How far shares spread is estimated from the crawls themselves, but never below
what a few rows of each would tell: three crawls cannot know how they vary, and thousands of rows would make a natural
change of a platform look certain. What came is strange when so few rows had a chance below `_CHANCE`: with thirty
fields, six platforms and a crawl each hour that is one false alarm in two hundred days. 10 rows without a field that
95 % had are enough for it, so are 100 with it in 70 %.
Amounts (rows, seconds a request) are compared by median and median deviation of their logarithms: one odd crawl in
the past moves neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import exp, lgamma, log
from typing import Literal

from outsourcing_spiders.outcomes import CloseReason

Kind = Literal["vanished", "fell", "rejected", "rows", "slow", "reason"]

RECENT = 20
"""Crawls of its kind that one is compared with, the newest ones."""
FEWEST_RUNS, _FEWEST_PAST_ROWS, _FEWEST_ROWS = 3, 50, 10
"""Before there are so many earlier crawls, rows in them and rows in this one, nothing is said of a share."""
_SMALLEST_RUN = 5
"""Rows of an earlier crawl, or of several together, that say anything about its shares."""
_DEPTH = 5
"""Crawls of a listing read the same part of it when none has so many times the rows of the other."""
_CHANCE, _BACK_CHANCE = 1e-6, 1e-3
_FIRMEST, _FIRMNESS_OF_A_RUN = 100, 5
"""Rows that all earlier crawls together, and each of them, are worth in knowing a share."""
_DROP, _ACCEPTED_DROP = 0.15, 0.10
"""By how much a share has to fall to be worth a word: of a field's rows, of the accepted items."""
_COUNTED_UP_TO = 400
"""Rows of a crawl that the chance is computed with: more of them add nothing beyond `_FIRMEST`."""
_FEWEST_AMOUNTS = 5
_FAR = 5.0
"""Deviations from the median."""
_USUAL_SPREAD = 0.15
"""Least deviation of a logarithm: amounts that were the same each time may differ by a sixth."""

SUCCESS = frozenset({CloseReason.FINISHED, CloseReason.UP_TO_DATE})
AT_ONCE = frozenset({CloseReason.LAYOUT_CHANGED, CloseReason.LOGIN_REQUIRED, CloseReason.FAILED})
_IN_A_ROW = frozenset({CloseReason.UNREACHABLE, CloseReason.BLOCKED, CloseReason.RATE_LIMITED, CloseReason.INCOMPLETE})
"""Reasons that pass by themselves: told when a second crawl in a row ends so. Others are the user's own."""

PARTS = LISTED, DETAILED = "listed", "detailed"
"""What an item was read from: the listing alone, or the listing and the project's own page."""


@dataclass(slots=True)
class Shares:
    """In how many of `rows` each field was filled."""

    rows: int = 0
    filled: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Run:
    """One crawl, as far as it is compared; `bounds` says how much of the listing was asked for."""

    id: int
    started_at: datetime
    reason: str
    seconds: float
    requests: int
    scraped: int
    rejected: int
    message: str = ""
    """Why it ended, in a sentence, where that is known."""
    bounds: str = ""
    listed: Shares = field(default_factory=Shares)
    detailed: Shares = field(default_factory=Shares)


@dataclass(slots=True, frozen=True)
class Finding:
    """Something that is not as it was: `words` is a sentence without its end, `part` what a field was read from."""

    subject: str
    """Its key: ``field:budget``, ``rows``, ``rejected``, ``slow``, ``reason``."""
    kind: Kind
    words: str
    since: datetime
    since_run: int
    part: str = ""


Past = Callable[[str], Sequence[Run]]
"""Return the earlier crawls that a subject may be compared with, newest first."""


def judge(run: Run, past: Past) -> list[Finding]:
    """Return what is strange about a crawl, the gravest first."""
    fields = [finding for name in _names(past("field")) if (finding := _field(run, name, past(f"field:{name}")))]
    found = [
        _reason(run, past("reason")),
        _rejected(run, past("rejected")),
        *sorted(fields, key=lambda finding: finding.kind == "fell"),
        _rows(run, past("rows")),
        _slow(run, past("slow")),
    ]
    told: list[Finding] = []
    for finding in found:
        # Where the whole budget is gone, nothing is to be said of its parts.
        if finding and finding.subject.partition(".")[0] not in {other.subject for other in told}:
            told.append(finding)
    return told


def is_back(subject: str, run: Run, past: Sequence[Run], since: Sequence[Run] = ()) -> str | None:
    """Say in words that `subject` is again as it was in `past`; ``None`` when it is not, or cannot be told.

    `since` are the crawls between, newest first, which were not as in `past`.
    """
    if subject == "reason":
        return f"it ends as {run.reason} again" if run.reason in SUCCESS else None
    if subject == "rejected":
        pairs = [(old.scraped - old.rejected, old.scraped) for old in past]
        if run.scraped < _FEWEST_ROWS or _is_low(run.scraped - run.rejected, run.scraped, pairs, drop=0.05, back=True):
            return None
        return f"no more items are rejected than usual: {run.rejected} of {run.scraped:,}"
    if subject in ("rows", "slow"):
        value, values = _amounts(subject, run, past)
        if value is None or not values:
            return None
        usual = median(values)
        if subject == "rows":
            return f"as many rows as usual: {run.scraped:,}" if value >= 0.7 * usual else None
        return f"as fast as usual: {_seconds(value)} a request" if value <= 1.5 * usual else None
    name = subject.partition(":")[2]
    told: list[tuple[int, int]] = []
    for part in PARTS:
        pairs = _pairs(part, name, past)
        # Where the listing tells it, the few own pages of this crawl are no reason to wait for more.
        filled, rows = _total(_with_enough(run, part, () if told else since), part, name)
        if not _shares(run, part).rows or rows < _FEWEST_ROWS or not any(before for before, _ in pairs):
            continue
        if not filled or _is_low(filled, rows, pairs, drop=_ACCEPTED_DROP, back=True):
            return None
        told.append((filled, rows))
    return f"`{name}` is back: in {told[0][0]:,} of {told[0][1]:,} rows" if told else None


def brief(kind: str, subject: str) -> str:
    """Return the finding in two or three words, for a table."""
    name = subject.partition(":")[2]
    return {
        "vanished": f"{name} vanished",
        "fell": f"{name} missing more often",
        "rejected": "more rejected",
        "rows": "fewer rows",
        "slow": "slower",
        "reason": "fails",
    }.get(kind, kind)


# --- fields -------------------------------------------------------------------------------------------------------


def _field(run: Run, name: str, past: Sequence[Run]) -> Finding | None:
    return next((finding for part in PARTS if (finding := _field_of(run, part, name, past))), None)


def _field_of(run: Run, part: str, name: str, past: Sequence[Run]) -> Finding | None:
    if not _shares(run, part).rows:
        return None
    # What the listing tells of other projects, it told of these: their own pages only came with it.
    read_from = LISTED if any(old.listed.filled.get(name) for old in past) else part
    if _shares(run, part).filled.get(name, 0):
        here = _with_enough(run, part, past)
        first, past = here[-1], past[len(here) - 1 :]
    else:
        # Crawls too small to tell may have been without it, too.
        without = next((at for at, old in enumerate(past) if _shares(old, part).filled.get(name, 0)), len(past))
        here = _with_enough(run, part, past[:without])
        first = next((old for old in reversed(past[:without]) if _shares(old, part).rows), run)
        past = past[without:]
    filled, rows = _total(here, part, name)
    # The newest rows of a listing differ from all of it: fewer bids, more open dates.
    alike = past if part == DETAILED else [old for old in past if _same_depth(run, old)]
    pairs = _pairs(part, name, alike)
    if rows < _FEWEST_ROWS or not _is_low(filled, rows, pairs, drop=_DROP):
        return None
    where = "projects' own pages" if read_from == DETAILED else ""
    crawls = sum(1 for each in here if _shares(each, part).rows)
    told = f"in {filled:,} of {rows:,} rows{f' of {crawls} crawls' if crawls > 1 else ''}"
    before = f"before in {_percent(sum(k for k, _ in pairs), sum(n for _, n in pairs))}"
    if not filled:
        words = f"`{name}` vanished{where and f' from the {where}'}: {told}, {before}"
        return Finding(f"field:{name}", "vanished", words, first.started_at, first.id, read_from)
    words = f"`{name}` is missing more often{where and f' on the {where}'}: {told} "
    words += f"({_percent(filled, rows)}), {before}"
    return Finding(f"field:{name}", "fell", words, first.started_at, first.id, read_from)


def _with_enough(run: Run, part: str, past: Iterable[Run]) -> list[Run]:
    """Return the crawl, and of those before it as many as it takes for a share to be told, newest first.

    A project's own page is read once, a few a crawl: no crawl alone would ever say that its layout broke. Of the
    listing each crawl reads the same rows again, and more crawls tell no more.
    """
    taken, rows = [run], _shares(run, part).rows
    if part == DETAILED:
        for old in past:
            if rows >= _FEWEST_ROWS:
                break
            taken.append(old)
            rows += _shares(old, part).rows
    return taken


def _total(runs: Iterable[Run], part: str, name: str) -> tuple[int, int]:
    shares = [_shares(run, part) for run in runs]
    return sum(each.filled.get(name, 0) for each in shares), sum(each.rows for each in shares)


def _names(past: Iterable[Run]) -> list[str]:
    """Return the fields that any earlier crawl had; those that hold others before these."""
    return sorted(
        {name for run in past for part in PARTS for name, filled in _shares(run, part).filled.items() if filled}
    )


def _shares(run: Run, part: str) -> Shares:
    return run.detailed if part == DETAILED else run.listed


def _pairs(part: str, name: str, past: Iterable[Run]) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    filled = rows = 0
    for shares in (_shares(run, part) for run in past):
        # Small crawls of projects' own pages say together what a larger one does alone.
        if part == LISTED:
            filled = rows = 0
        filled, rows = filled + shares.filled.get(name, 0), rows + shares.rows
        if rows >= _SMALLEST_RUN:
            pairs.append((filled, rows))
            filled = rows = 0
    return pairs[:RECENT]


def _same_depth(run: Run, other: Run) -> bool:
    return run.listed.rows <= _DEPTH * other.listed.rows and other.listed.rows <= _DEPTH * run.listed.rows


# --- other measures -----------------------------------------------------------------------------------------------


def _reason(run: Run, past: Sequence[Run]) -> Finding | None:
    told = [old for old in past if old.reason in SUCCESS | AT_ONCE | _IN_A_ROW]
    if run.reason not in AT_ONCE | _IN_A_ROW:
        return None
    first, failed, same = run, 1, 1
    for old in told:
        if old.reason in SUCCESS:
            break
        failed += 1
        if run.reason in _IN_A_ROW or (old.reason == run.reason and failed == same + 1):
            first, same = old, failed
    before = told[failed - 1 :][:RECENT]
    good = [old.reason for old in before if old.reason in SUCCESS]
    if len(good) < max(FEWEST_RUNS, 0.7 * len(before)) or (run.reason in _IN_A_ROW and failed < 2):
        return None
    usual = max(sorted(set(good)), key=good.count)
    words = f"it ends as {run.reason}, usually as {usual}{run.message and f': {run.message}'}"
    return Finding("reason", "reason", words, first.started_at, first.id)


def _rejected(run: Run, past: Sequence[Run]) -> Finding | None:
    pairs = [(old.scraped - old.rejected, old.scraped) for old in past if old.scraped >= _SMALLEST_RUN][:RECENT]
    if run.scraped < _FEWEST_ROWS or not _is_low(run.scraped - run.rejected, run.scraped, pairs, drop=_ACCEPTED_DROP):
        return None
    total = sum(n for _, n in pairs)
    before = _percent(total - sum(k for k, _ in pairs), total)
    words = (
        f"more items are rejected: {run.rejected:,} of {run.scraped:,} ({_percent(run.rejected, run.scraped)}), "
        f"before {before}; see the table rejected_items"
    )
    return Finding("rejected", "rejected", words, run.started_at, run.id)


def _rows(run: Run, past: Sequence[Run]) -> Finding | None:
    value, values = _amounts("rows", run, past)
    if value is None or len(values) < _FEWEST_AMOUNTS:
        return None
    usual = median(values)
    if usual < 2 * _FEWEST_ROWS or value > usual / 2 or _deviations(value, values) > -_FAR:
        return None
    words = f"far fewer rows: {run.scraped:,}, usually about {usual:,.0f}"
    return Finding("rows", "rows", words, run.started_at, run.id)


def _slow(run: Run, past: Sequence[Run]) -> Finding | None:
    value, values = _amounts("slow", run, past)
    if value is None or len(values) < _FEWEST_AMOUNTS:
        return None
    usual = median(values)
    # A pause that a platform asks for once is no matter.
    if value < 3 * usual or run.seconds - usual * run.requests < 60 or _deviations(value, values) < _FAR:
        return None
    words = f"much slower: {_seconds(value)} a request, usually {_seconds(usual)}"
    return Finding("slow", "slow", words, run.started_at, run.id)


def _amounts(subject: str, run: Run, past: Sequence[Run]) -> tuple[float | None, list[float]]:
    """Return what of `run` is compared and that of its like: those that ended the same way, asked for as much."""

    def amount(one: Run) -> float | None:
        if one.reason not in SUCCESS:
            return None
        return float(one.scraped) if subject == "rows" else one.seconds / one.requests if one.requests else None

    alike = [amount(old) for old in past if (old.reason, old.bounds) == (run.reason, run.bounds)][:RECENT]
    return amount(run), [value for value in alike if value is not None]


# --- statistics ---------------------------------------------------------------------------------------------------


def _is_low(filled: int, rows: int, pairs: Sequence[tuple[int, int]], *, drop: float, back: bool = False) -> bool:
    """Tell whether `filled` of `rows` is less than earlier crawls make likely, and by `drop` at least."""
    total = sum(n for _, n in pairs)
    if not back and (len(pairs) < FEWEST_RUNS or total < _FEWEST_PAST_ROWS):
        return False
    if not rows or not total or filled / rows > sum(k for k, _ in pairs) / total - drop:
        return False
    if rows > _COUNTED_UP_TO:
        filled, rows = round(filled * _COUNTED_UP_TO / rows), _COUNTED_UP_TO
    return chance_of_so_few(filled, rows, *spread_of(pairs)) < (_BACK_CHANCE if back else _CHANCE)


def spread_of(pairs: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """Return the two parameters of the beta distribution of a share, from ``(filled, rows)`` of earlier crawls.

    By the method of moments: crawls that differ more than chance lets them make it flat, and nothing surprising.
    """
    total, squares = sum(n for _, n in pairs), sum(n * n for _, n in pairs)
    share = (sum(k for k, _ in pairs) + 0.5) / (total + 1)
    differing = sum(n * (k / n - share) ** 2 for k, n in pairs) / (share * (1 - share))
    room = total - squares / total - (len(pairs) - 1)
    likeness = (differing - (len(pairs) - 1)) / room if room > 0 else 0.0
    firmness = min(_FIRMEST, _FIRMNESS_OF_A_RUN * len(pairs), 1 / min(max(likeness, 1e-9), 0.99) - 1)
    return share * firmness, (1 - share) * firmness


def chance_of_so_few(filled: int, rows: int, a: float, b: float) -> float:
    """Return the chance that at most `filled` of `rows` are filled when the share is beta-distributed by `a`, `b`."""
    fixed = lgamma(rows + 1) + lgamma(a + b) - lgamma(a) - lgamma(b) - lgamma(rows + a + b)
    return sum(
        exp(fixed - lgamma(k + 1) - lgamma(rows - k + 1) + lgamma(k + a) + lgamma(rows - k + b))
        for k in range(filled + 1)
    )


def _deviations(value: float, values: Sequence[float]) -> float:
    """Return how many deviations `value` is from the median, in logarithms."""
    logs = [log(each + 1e-3) for each in values]
    middle = median(logs)
    spread = max(1.4826 * median(abs(each - middle) for each in logs), _USUAL_SPREAD)
    return (log(value + 1e-3) - middle) / spread


def median(values: Iterable[float]) -> float:
    """Return the median of at least one value; to import `statistics` would take as long as a small crawl compares."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _percent(part: int, whole: int) -> str:
    share = 100 * part / whole if whole else 0.0
    return f"{share:.0f} %" if share >= 1 or not part else "under 1 %"


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
