"""The driver's connections, which can all be ended at once."""

from __future__ import annotations

import asyncio
from weakref import WeakSet

import asyncpg


class Connections:
    """Make the connections of an engine, and end them all at once.

    A server that says nothing is waited for by whoever asks it, by whoever cancels that, and by whoever takes leave.
    """

    def __init__(self) -> None:
        self._made: WeakSet[asyncpg.Connection] = WeakSet()
        self._making: set[asyncio.Timeout] = set()
        self.is_cut_off = False
        """Whether `cut_off` was called."""

    async def make(self, dsn: str, patience: float) -> asyncpg.Connection:
        """Return a new connection within `patience` seconds; raises what the driver does, after `cut_off` `OSError`."""
        if self.is_cut_off:
            raise ConnectionAbortedError("the database is asked nothing any more: the process ends")
        async with asyncio.timeout(None) as limit:
            self._making.add(limit)
            try:
                connection = await asyncpg.connect(
                    dsn,
                    timeout=patience,
                    server_settings={"application_name": "outsourcing_spiders", "timezone": "UTC", "jit": "off"},
                )
            finally:
                self._making.discard(limit)
        self._made.add(connection)
        return connection

    def cut_off(self) -> None:
        """End what there is, without a word to the server, and make none any more."""
        self.is_cut_off = True
        while self._making:
            self._making.pop().reschedule(0)
        for connection in self._made:
            connection.terminate()
