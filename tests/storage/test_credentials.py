"""Tokens that rotate: sealed, used once, renewed by one and shared by all, whatever breaks meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from outsourcing_spiders.outcomes import StorageError
from outsourcing_spiders.storage import credentials
from outsourcing_spiders.storage.credentials import Tokens, Vault


class Platform:
    """Gives out tokens; a refresh token is good once, and using one again is an error."""

    def __init__(self, granted: str = "granted-1", lasts: timedelta | None = timedelta(hours=24)) -> None:
        self.good = granted
        self.lasts = lasts
        self.asked: list[str] = []
        self.before: Callable[[], Any] | None = None
        self.is_asked = asyncio.Event()

    async def __call__(self, refresh_token: str) -> Tokens:
        """Renew."""
        self.asked.append(refresh_token)
        self.is_asked.set()
        if refresh_token != self.good:
            raise ValueError("invalid_grant")
        # Others get the chance to do the same.
        await asyncio.sleep(0)
        if self.before is not None:
            await self.before()
        number, now = len(self.asked), datetime.now(UTC)
        self.good = f"refresh-{number}"
        expires = None if self.lasts is None else now + self.lasts
        return Tokens(access_token=f"access-{number}", refresh_token=self.good, issued_at=now, expires_at=expires)


def vault(granted: str = "granted-1", secret: str = "client-secret", name: str = "here") -> Vault:
    return Vault(name, secret=secret, granted=granted)


async def renew(engine: AsyncEngine, platform: Platform, refused: str | None = None, **of: str) -> str:
    """Return the access token that a renewal gives."""
    tokens = await vault(**of).renew(engine, platform, refused=refused, on_load=lambda _: None)
    return tokens.access_token


async def rows(engine: AsyncEngine) -> list[tuple[str, bytes]]:
    async with engine.connect() as connection:
        found = await connection.execute(text("SELECT name, sealed FROM credentials ORDER BY name"))
        return [(name, bytes(sealed)) for name, sealed in found]


async def test_a_token_is_renewed_once_and_kept(engine: AsyncEngine) -> None:
    platform = Platform()
    assert await vault().load(engine) is None
    assert await renew(engine, platform) == "access-1"
    kept = await vault().load(engine)
    assert kept is not None
    assert (kept.access_token, kept.refresh_token) == ("access-1", "refresh-1")
    # Another crawl, later: what is good is taken, and nothing is asked for.
    assert await renew(engine, platform) == "access-1"
    assert await renew(engine, platform, refused="access-1") == "access-2"
    assert platform.asked == ["granted-1", "refresh-1"]


async def test_the_table_alone_opens_nothing(engine: AsyncEngine) -> None:
    await renew(engine, Platform())
    ((_, sealed),) = await rows(engine)
    for word in (b"access-1", b"refresh-1", b"granted-1", b"client-secret"):
        assert word not in sealed
    assert "access-1" not in repr(await vault().load(engine))
    assert await vault(secret="another-secret").load(engine) is None
    # A row that was moved to another name opens neither.
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE credentials SET name = 'elsewhere'"))
    assert await vault(name="elsewhere").load(engine) is None


async def test_many_crawls_at_once_use_a_refresh_token_once(engine: AsyncEngine) -> None:
    platform = Platform()
    assert set(await asyncio.gather(*(renew(engine, platform) for _ in range(4)))) == {"access-1"}
    assert set(await asyncio.gather(*(renew(engine, platform, refused="access-1") for _ in range(4)))) == {"access-2"}
    assert platform.asked == ["granted-1", "refresh-1"]


async def test_two_names_do_not_wait_for_each_other(engine: AsyncEngine) -> None:
    slow, waiting = Platform(), asyncio.Event()
    slow.before = waiting.wait
    first = asyncio.ensure_future(renew(engine, slow))
    await slow.is_asked.wait()
    assert await renew(engine, Platform(), name="elsewhere") == "access-1"
    waiting.set()
    assert await first == "access-1"


async def test_a_newly_granted_token_begins_anew_and_an_old_one_does_not_come_back(engine: AsyncEngine) -> None:
    platform = Platform()
    await renew(engine, platform)
    platform.good = "granted-2"
    assert await vault("granted-2").load(engine) is None
    assert await renew(engine, platform, granted="granted-2") == "access-2"
    # A machine whose settings still have the first one takes part in the chain of the second.
    kept = await vault("granted-1").load(engine)
    assert kept is not None
    assert kept.access_token == "access-2"
    assert await renew(engine, platform, refused="access-2") == "access-3"
    assert platform.asked == ["granted-1", "granted-2", "refresh-2"]


async def test_a_granted_token_that_is_refused_leaves_what_is_stored(engine: AsyncEngine) -> None:
    platform = Platform()
    await renew(engine, platform)
    before = await rows(engine)
    with pytest.raises(ValueError, match="invalid_grant"):
        await renew(engine, platform, granted="mistyped")
    assert await rows(engine) == before
    assert await renew(engine, platform, refused="access-1") == "access-3"


async def test_another_client_secret_begins_anew(engine: AsyncEngine, caplog: pytest.LogCaptureFixture) -> None:
    platform = Platform()
    await renew(engine, platform)
    platform.good = "granted-1"
    assert await renew(engine, platform, secret="another-secret") == "access-2"
    assert "sealed with another client secret" in caplog.text


async def test_an_access_token_is_renewed_before_it_ends(engine: AsyncEngine) -> None:
    now = datetime.now(UTC)
    for lasts, passed, is_good in [
        (timedelta(hours=24), timedelta(hours=23, minutes=58), True),
        (timedelta(hours=24), timedelta(hours=23, minutes=59), False),
        (timedelta(seconds=10), timedelta(seconds=8.9), True),
        (timedelta(seconds=10), timedelta(seconds=9), False),
        (timedelta(0), timedelta(0), False),
    ]:
        tokens = Tokens(access_token="a", refresh_token="r", issued_at=now, expires_at=now + lasts)
        assert tokens.is_good(now + passed) is is_good
    assert Tokens(access_token="a", refresh_token="r", issued_at=now, expires_at=None).is_good(now)
    platform = Platform(lasts=timedelta(0))
    assert [await renew(engine, platform) for _ in range(2)] == ["access-1", "access-2"]


async def test_a_database_that_takes_nothing_uses_no_token_up(engine: AsyncEngine) -> None:
    platform = Platform()
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE credentials ADD CONSTRAINT nothing CHECK (false) NOT VALID"))
    with pytest.raises(DBAPIError):
        await renew(engine, platform)
    assert platform.asked == []


async def cut(engine: AsyncEngine) -> None:
    """End the connection that renews."""
    async with engine.connect() as connection:
        await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND state = 'idle in transaction' AND pid <> pg_backend_pid()"
            )
        )


async def test_a_token_whose_connection_is_cut_is_stored_by_another_one(engine: AsyncEngine) -> None:
    platform = Platform()
    platform.before = lambda: cut(engine)
    assert await renew(engine, platform) == "access-1"
    platform.before = None
    assert await renew(engine, platform, refused="access-1") == "access-2"
    assert platform.asked == ["granted-1", "refresh-1"]


async def test_a_token_that_cannot_be_stored_is_told_and_used(
    engine: AsyncEngine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "_RESCUES", (0.0, 0.0))

    async def forbid() -> None:
        await cut(engine)
        async with engine.begin() as connection:
            await connection.execute(text("ALTER TABLE credentials ADD CONSTRAINT nothing CHECK (false) NOT VALID"))

    platform = Platform()
    platform.before = forbid
    with caplog.at_level(logging.ERROR):
        assert await renew(engine, platform) == "access-1"
    (told,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert "authorise the program again" in told
    assert not {"access-1", "refresh-1", "granted-1"} & set(told.replace(",", " ").split())
    assert await rows(engine) == []


async def test_a_lock_that_is_never_given_up_is_told(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "LOCK_SECONDS", 0.05)
    slow, waiting, other = Platform(), asyncio.Event(), Platform()
    slow.before = waiting.wait
    first = asyncio.ensure_future(renew(engine, slow))
    await slow.is_asked.wait()
    with pytest.raises(StorageError, match="another crawl has been renewing the token of here"):
        await renew(engine, other)
    waiting.set()
    assert await first == "access-1"
    assert other.asked == []


async def test_an_unreachable_server_uses_no_token_up() -> None:
    async def connect() -> Any:
        raise ConnectionRefusedError("nobody there")

    nowhere = create_async_engine("postgresql+asyncpg://", async_creator=connect)
    platform = Platform()
    with pytest.raises((OSError, DBAPIError)):
        await renew(nowhere, platform)
    assert platform.asked == []
    await nowhere.dispose()


async def test_what_is_stored_is_told_before_it_is_used(engine: AsyncEngine) -> None:
    platform, told = Platform(), []
    await renew(engine, platform)
    await vault().renew(engine, platform, refused="access-1", on_load=told.append)
    assert [tokens.refresh_token for tokens in told] == ["refresh-1"]
