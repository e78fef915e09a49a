"""Keep the tokens that a platform renews, such as OAuth refresh tokens that rotate, and let one crawl renew at a time.

A refresh token that rotates is good once: two crawls that use the same one lock each other out, and one that is used
and then lost ends the access until a person authorises the program again. So a token is renewed under a lock that all
machines see, and what comes is stored before anybody uses it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from outsourcing_spiders.outcomes import StorageError
from outsourcing_spiders.storage.engine import message, sqlstate

logger = logging.getLogger(__name__)

LOCK_SECONDS = 90
"""How long another crawl may take to renew a token."""
_SPACE = 7_240_211
_EARLY = timedelta(seconds=60)
_RESCUES = (0.0, 0.5, 2.0)
_LOCKED_OUT = "55P03"

# An operator's own limits must not cut the transaction off while the platform is asked.
_LIMITS = text(
    "SELECT set_config('lock_timeout', :lock, true), set_config('idle_in_transaction_session_timeout', '0', true)"
)
_LOCK = text("SELECT pg_advisory_xact_lock(:space, hashtext(:name))")
_LOAD = text("SELECT sealed FROM credentials WHERE name = :name")
_STORE = text(
    """
INSERT INTO credentials (name, sealed, updated_at) VALUES (:name, :sealed, now())
ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed, updated_at = excluded.updated_at
"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a platform gives out; none of it is shown."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    """The one that renews it."""
    issued_at: datetime
    """Aware, UTC."""
    expires_at: datetime | None
    """When the access token ends: aware, UTC; ``None`` when the platform does not say."""

    def is_good(self, now: datetime) -> bool:
        """Tell whether the access token can be used for a while; a minute before its end, or a tenth, it cannot."""
        return self.expires_at is None or now < self.expires_at - min(_EARLY, (self.expires_at - self.issued_at) / 10)


class _Sealed(msgspec.Struct):
    """What is sealed."""

    tokens: Tokens
    granted: list[str]
    """Fingerprints of the refresh tokens that a person granted, newest last; those that came of them are not."""


class Vault:
    """The tokens under one `name` in the table ``credentials``, sealed under a key made from `secret`.

    `secret` is the client secret, which is in no database: the table alone opens nothing. `granted` is the refresh
    token in the settings. It counts while it is new; after that, what came of it does, until another is granted.
    A row that `secret` does not open is another client's, and is begun anew.
    """

    def __init__(self, name: str, *, secret: str, granted: str) -> None:
        self.name = name
        self._granted = granted
        self._fernet = Fernet(_key(secret, name))

    async def load(self, engine: AsyncEngine) -> Tokens | None:
        """Return what is stored; ``None`` when nothing is that came of the granted token. Raises driver's errors."""
        async with engine.connect() as connection:
            kept = await self._load(connection)
        return None if kept is None or self._is_new(kept) else kept.tokens

    async def renew(
        self,
        engine: AsyncEngine,
        ask: Callable[[str], Awaitable[Tokens]],
        *,
        refused: str | None,
        on_load: Callable[[Tokens], None],
    ) -> Tokens:
        """Return good tokens: those that another crawl has renewed meanwhile, else what `ask` makes of the old one.

        `ask` gets the refresh token and asks the platform; what it raises is passed on, and nothing has changed then.
        `refused` is the access token that the platform does not accept any more. `on_load` is told of stored tokens
        before they are used. Raises `StorageError` when another crawl holds the lock too long, and driver's errors.
        """
        renewed: _Sealed | None = None
        try:
            async with engine.begin() as connection:
                await self._lock(connection)
                kept = await self._load(connection)
                if kept is not None:
                    on_load(kept.tokens)
                is_new = kept is None or self._is_new(kept)
                if kept is not None and not is_new and _is_usable(kept.tokens, refused):
                    return kept.tokens
                # That nothing can be stored is found out while the old token is still good.
                await self._store(connection, kept)
                old = self._granted if kept is None or is_new else kept.tokens.refresh_token
                grants = [] if kept is None else kept.granted
                grants = [*grants, _fingerprint(self._granted)] if is_new else grants
                tokens = await ask(old)
                renewed = _Sealed(tokens, grants)
                await self._store(connection, renewed)
        except Exception as error:
            if renewed is None:
                if sqlstate(error) == _LOCKED_OUT:
                    raise StorageError(
                        f"another crawl has been renewing the token of {self.name} for {LOCK_SECONDS} s; "
                        "try again later"
                    ) from error
                raise
            # The old token is used up: what came of it is nowhere but here.
            await self._rescue(engine, renewed, error)
        assert renewed is not None
        return renewed.tokens

    async def _rescue(self, engine: AsyncEngine, renewed: _Sealed, error: Exception) -> None:
        for pause in _RESCUES:
            await asyncio.sleep(pause)
            try:
                async with engine.begin() as connection:
                    await self._lock(connection)
                    await self._store(connection, renewed)
            except Exception as again:
                error = again
            else:
                return
        logger.error(
            "The renewed token of %s could not be stored (%s): this crawl goes on with it, but no other can; "
            "authorise the program again and set the new refresh token",
            self.name,
            message(error),
        )

    async def _lock(self, connection: AsyncConnection) -> None:
        await connection.execute(_LIMITS, {"lock": f"{LOCK_SECONDS}s"})
        await connection.execute(_LOCK, {"space": _SPACE, "name": self.name})

    async def _load(self, connection: AsyncConnection) -> _Sealed | None:
        sealed = (await connection.execute(_LOAD, {"name": self.name})).scalar_one_or_none()
        if sealed is None:
            return None
        try:
            return msgspec.json.decode(self._fernet.decrypt(bytes(sealed)), type=_Sealed)
        except (InvalidToken, msgspec.DecodeError):
            logger.warning("The stored token of %s is sealed with another client secret; it is replaced", self.name)
            return None

    async def _store(self, connection: AsyncConnection, kept: _Sealed | None) -> None:
        sealed = self._fernet.encrypt(msgspec.json.encode(kept))
        await connection.execute(_STORE, {"name": self.name, "sealed": sealed})

    def _is_new(self, kept: _Sealed) -> bool:
        return _fingerprint(self._granted) not in kept.granted


def _is_usable(tokens: Tokens, refused: str | None) -> bool:
    return tokens.access_token != refused and tokens.is_good(datetime.now(UTC))


def _key(secret: str, name: str) -> bytes:
    # Slow derivation is for secrets that people think of; a platform's are random.
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"outsourcing_spiders {name}".encode())
    return urlsafe_b64encode(derived.derive(secret.encode()))


def _fingerprint(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
