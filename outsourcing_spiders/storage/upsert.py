"""The one statement that stores projects.

A batch travels as one JSON document, in one parameter: the driver encodes one text, where ``unnest`` takes an array
for each of 30 columns and costs Python nearly three times as much.
How it compares with plain COPY: tests/benchmarks/writing.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import LargeBinary, bindparam, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from outsourcing_spiders.storage.engine import message, sqlstate
from outsourcing_spiders.storage.rows import Columns
from outsourcing_spiders.storage.tables import projects

REFRESH_LAST_SEEN = "1 hour"
"""How old ``last_seen_at`` of an unchanged project may get; every refresh costs a new row version."""


class Stored(NamedTuple):
    """What became of the rows of one statement."""

    new: int
    changed: int


_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]
SENT = [name for name in Columns.__struct_fields__ if name != "seen_at"]
TYPED = ", ".join(f"{name} {projects.c[name].type.compile(_DIALECT)}" for name in SENT)

# A full text stays when only a teaser comes, and with it the day when it has to go; so do the better of two times,
# and dollars of an old budget. {p} is the stored row, {e} the one that comes.
KEEPS_TEXT = "{p}.description_complete AND NOT {e}.description_complete"
# It stays as well when the platform shows none any more: more likely, the page was misread.
_KEEPS_ANY_TEXT = f"{KEEPS_TEXT} OR {{p}}.description_complete AND {{e}}.description IS NULL"
_PRECISIONS = "ARRAY['exact', 'minute', 'hour', 'day', 'unknown']"
_KEEPS_TIME = (
    "{p}.posted_at IS NOT NULL AND ({e}.posted_at IS NULL OR {e}.posted_precision <> 'exact' AND "
    f"array_position({_PRECISIONS}, {{p}}.posted_precision) <= array_position({_PRECISIONS}, {{e}}.posted_precision))"
)
_SAME_AMOUNTS = "({p}.budget_min, {p}.budget_max) IS NOT DISTINCT FROM ({e}.budget_min, {e}.budget_max)"
_KEEPS_DOLLARS = (
    f"{_SAME_AMOUNTS} AND ({{p}}.currency IS NOT DISTINCT FROM {{e}}.currency"
    f" OR ({{e}}.currency IS NULL AND {KEEPS_TEXT}))"
    " AND coalesce({p}.budget_min_usd, {p}.budget_max_usd) IS NOT NULL"
)
KEPT_WHEN = {
    "description": _KEEPS_ANY_TEXT,
    "description_complete": _KEEPS_ANY_TEXT,
    "posted_at": _KEEPS_TIME,
    "posted_precision": _KEEPS_TIME,
    "posted_text": _KEEPS_TIME,
    "budget_min_usd": _KEEPS_DOLLARS,
    "budget_max_usd": _KEEPS_DOLLARS,
    "expires_at": KEEPS_TEXT,
}
# What a listing does not say of a project whose own page was read before stays as that page told it.
_NO_AMOUNTS = "{e}.budget_min IS NULL AND {e}.budget_max IS NULL"
_SAYS_NOTHING = {
    **dict.fromkeys(("status", "pricing", "work_mode"), "{e}.{name} = 'unknown'"),
    **dict.fromkeys(("budget_min", "budget_max"), _NO_AMOUNTS),
    "currency": f"{{e}}.currency IS NULL AND ({_NO_AMOUNTS} OR {_SAME_AMOUNTS})",
    "skills": "cardinality({e}.skills) = 0",
}


def beside_a_full_text(name: str, stored: str, seen: str) -> str:
    """Return what becomes of a column when a teaser comes and the full text is stored."""
    if name == "extra":
        return f"{stored}.extra || {seen}.extra"
    nothing = _SAYS_NOTHING.get(name, "{e}.{name} IS NULL").format(p=stored, e=seen, name=name)
    return f"CASE WHEN {nothing} THEN {stored}.{name} ELSE {seen}.{name} END"


def _assignment(name: str) -> str:
    if keeps := KEPT_WHEN.get(name):
        return f"{name} = CASE WHEN {keeps.format(p='p', e='excluded')} THEN p.{name} ELSE excluded.{name} END"
    merged = beside_a_full_text(name, "p", "excluded")
    return f"{name} = CASE WHEN {KEEPS_TEXT.format(p='p', e='excluded')} THEN {merged} ELSE excluded.{name} END"


# What changes by itself makes no project new: a relative time ("2 hours ago") gives another moment at every
# look, the dollar moves every day, a copy may be kept longer each time it is renewed, and a teaser is no new text.
_COMPARED = [name for name in SENT if name not in ("platform", "external_id") and name not in KEPT_WHEN]


def _is_news(stored: str, seen: str) -> str:
    compared = ", ".join(f"{stored}.{name}" for name in _COMPARED)
    plain = ", ".join(f"{seen}.{name}" for name in _COMPARED)
    merged = ", ".join(beside_a_full_text(name, stored, seen) for name in _COMPARED)
    return (
        f"(CASE WHEN {KEEPS_TEXT.format(p=stored, e=seen)} THEN ({compared}) IS DISTINCT FROM ({merged})"
        f" ELSE ({compared}, {stored}.description, {stored}.description_complete)"
        f" IS DISTINCT FROM"
        f" ({plain}, coalesce({seen}.description, {stored}.description), {seen}.description_complete) END"
        f" OR ({seen}.posted_precision = 'exact' AND {seen}.posted_at IS NOT NULL"
        f" AND {stored}.posted_at IS DISTINCT FROM {seen}.posted_at))"
    )


# Each row looks its project up by its key (the lateral join, which OFFSET keeps from being made a join of two
# tables): a plan that was made while the table was small would otherwise read all of it for each batch.
_INCOMING = f"""
SELECT r.*, s.is_news, s.first_seen_at AS known_since, s.last_seen_at AS known_until
FROM (
    SELECT {", ".join(SENT)}, least(seen_at, now()) AS seen_at
    FROM json_to_recordset(CAST(convert_from(:rows, 'UTF8') AS json)) AS sent({TYPED}, seen_at timestamptz)
) AS r
LEFT JOIN LATERAL (
    SELECT p.first_seen_at, p.last_seen_at, {_is_news("p", "r")} AS is_news FROM projects p
    WHERE p.platform = r.platform AND p.external_id = r.external_id OFFSET 0
) AS s ON true
"""  # noqa: S608 - made of column names, nothing from outside
_IS_STALE = f"((NOT is_news AND known_until < seen_at - interval '{REFRESH_LAST_SEEN}') OR seen_at < known_since)"

# Unchanged rows are left out before the insert touches them: a conflict that ends in no update still locks its
# row, which writes to the log. The condition is asked again in the update, since another crawl may have been
# faster. Rows are written in the order of their keys, so that two crawls never wait for each other in a circle.
# A row from the spool says when it was seen: it never undoes what was seen later, it only makes the project
# older. Its clock may be ahead of the server's, but nothing was seen in the future (`least` passes over null,
# which is now).
UPSERT = text(
    f"""
WITH incoming AS MATERIALIZED ({_INCOMING}), written AS (
    INSERT INTO projects AS p ({", ".join(SENT)}, first_seen_at, last_seen_at, changed_at)
    SELECT {", ".join(SENT)}, seen_at, seen_at, seen_at FROM incoming
    WHERE known_until IS NULL OR (is_news AND seen_at >= known_until)
    ORDER BY platform, external_id
    ON CONFLICT (platform, external_id) DO UPDATE SET
        {", ".join(_assignment(name) for name in SENT if name not in ("platform", "external_id"))},
        last_seen_at = excluded.last_seen_at,
        changed_at = excluded.changed_at
    WHERE {_is_news("p", "excluded")} AND excluded.last_seen_at >= p.last_seen_at
    RETURNING (xmax = 0) AS is_new
)
SELECT
    (SELECT count(*) FROM written WHERE is_new) AS new,
    (SELECT count(*) FROM written WHERE NOT is_new) AS changed,
    (SELECT count(*) FROM incoming WHERE {_IS_STALE}) AS stale
"""  # noqa: S608
).bindparams(bindparam("rows", type_=LargeBinary))

# Rows that somebody else holds are passed over: who holds them renews them.
_REFRESH = text(
    f"""
WITH stale AS MATERIALIZED (
    SELECT platform, external_id, seen_at, expires_at FROM ({_INCOMING}) AS i WHERE {_IS_STALE}
),
free AS (
    SELECT p.platform, p.external_id, stale.seen_at, stale.expires_at
    FROM stale JOIN projects p USING (platform, external_id)
    FOR NO KEY UPDATE OF p SKIP LOCKED
)
UPDATE projects p SET
    first_seen_at = least(p.first_seen_at, free.seen_at),
    last_seen_at = greatest(p.last_seen_at, free.seen_at),
    expires_at = CASE WHEN p.expires_at IS NULL THEN NULL ELSE greatest(p.expires_at, free.expires_at) END
FROM free WHERE p.platform = free.platform AND p.external_id = free.external_id
"""  # noqa: S608
).bindparams(bindparam("rows", type_=LargeBinary))


async def upsert(connection: AsyncConnection, lines: Iterable[bytes]) -> Stored:
    """Store rows that `rows.prepare` made, one for each project, sorted by key; what is left was unchanged."""
    rows = {"rows": b"[" + b",".join(lines) + b"]"}
    new, changed, stale = (await connection.execute(UPSERT, rows)).one()
    if stale:
        await connection.execute(_REFRESH, rows)
    return Stored(new, changed)


async def upsert_by_halves(
    lines: Sequence[bytes], write: Callable[[Sequence[bytes]], Awaitable[Stored]]
) -> tuple[Stored, dict[int, str]]:
    """Store `lines` with `write`; where it is refused, halve until the refused lines stand alone.

    Returns what became of the others, and the reason for each refused line by its index. One bad line
    of 1,000 costs twenty statements. What `write` raises and is no refusal goes to the caller.
    """
    try:
        return await write(lines), {}
    except DBAPIError as error:
        if not is_refusal(error):
            raise
        if len(lines) == 1:
            return Stored(0, 0), {0: message(error)}
    middle = len(lines) // 2
    first, refused = await upsert_by_halves(lines[:middle], write)
    second, refused_later = await upsert_by_halves(lines[middle:], write)
    refused |= {middle + index: reason for index, reason in refused_later.items()}
    return Stored(first.new + second.new, first.changed + second.changed), refused


def is_refusal(error: Exception) -> bool:
    """Tell whether the database refuses what it was sent, whoever sends it and however often.

    SQLSTATE 22: a value that a column cannot hold; 23: a constraint; 54: larger than an index takes.
    """
    return isinstance(error, DBAPIError) and sqlstate(error)[:2] in ("22", "23", "54")
