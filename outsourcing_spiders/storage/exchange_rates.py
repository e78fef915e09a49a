"""Exchange rates in the database: what platforms told, and what was taken from the central bank."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from outsourcing_spiders.parsing.rates import Rate
from outsourcing_spiders.storage.tables import exchange_rates


async def load_rates(connection: AsyncConnection) -> list[Rate]:
    """Return the newest stored rate of each currency."""
    c = exchange_rates.c
    statement = (
        select(c.currency, c.day, c.usd_per_unit, c.source)
        .ext(distinct_on(c.currency))
        .order_by(c.currency, c.day.desc(), c.source)
    )
    return [Rate(*row) for row in await connection.execute(statement)]


async def store_rates(connection: AsyncConnection, rates: Sequence[Rate]) -> None:
    """Store rates; the last one of a day and source stays."""
    if not rates:
        return
    statement = insert(exchange_rates)
    statement = statement.on_conflict_do_update(
        index_elements=["currency", "day", "source"], set_={"usd_per_unit": statement.excluded.usd_per_unit}
    )
    await connection.execute(statement, [rate._asdict() for rate in sorted(rates)])
