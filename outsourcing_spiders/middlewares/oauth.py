"""Give requests the access token that their platform wants, and renew it when it ends, in mid-crawl, too."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote_plus, urlencode, urlsplit

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest, NotConfigured
from scrapy.http import Response
from scrapy.http.request import NO_CALLBACK
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from outsourcing_spiders.extensions.log_redaction import add_secrets
from outsourcing_spiders.middlewares.outcomes import GivenUp, refuse
from outsourcing_spiders.outcomes import (
    Blocked,
    DatabaseUnreachable,
    Failed,
    LayoutChanged,
    LoginRequired,
    Outcome,
    RateLimited,
    StorageError,
    Unreachable,
)
from outsourcing_spiders.parsing.money import decimal_or_none
from outsourcing_spiders.pipelines.storage import StoragePipeline
from outsourcing_spiders.platforms.json_api import decode
from outsourcing_spiders.platforms.oauth import OAuthSpider
from outsourcing_spiders.storage.credentials import Tokens, Vault
from outsourcing_spiders.storage.engine import Database, message

logger = logging.getLogger(__name__)

_TRIED = "access_token_renewed"
_CODE = re.compile(r"[a-z_]{1,40}")


class OAuthMiddleware:
    """Send the access token of an `OAuthSpider` with its requests; ask again, once, where it is refused.

    Tokens come from the database (`storage.credentials`), where all crawls share them, and from the platform when
    those have ended. Where a crawl stores nothing, the database is opened for that alone: a refresh token that
    rotates is worth nothing once it was used and is not kept.
    """

    def __init__(self, crawler: Crawler, *, client_id: str, client_secret: str, granted: str) -> None:
        self._crawler = crawler
        self._client = client_id, client_secret
        self._granted = granted
        self._tokens: Tokens | None = None
        self._lock = asyncio.Lock()

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Make the middleware; raises `NotConfigured` for spiders that send no such token."""
        spider = crawler.spider
        if not isinstance(spider, OAuthSpider):
            raise NotConfigured("the spider sends no token that is renewed")
        values = (str(crawler.settings.get(name) or "").strip() for name in spider.oauth.settings)
        client_id, client_secret, granted = values
        return cls(crawler, client_id=client_id, client_secret=client_secret, granted=granted)

    async def process_request(self, request: Request) -> None:
        """Put the token into the request; raises `middlewares.outcomes.Refused` when there is none to be had."""
        if not self._spider.takes_token(request):
            return
        tokens = self._tokens
        if tokens is None or not tokens.is_good(datetime.now(UTC)):
            tokens = await self._other(than=None)
        request.headers["Authorization"] = f"Bearer {tokens.access_token}"

    async def process_response(self, request: Request, response: Response) -> Response | Request:
        """Return the answer, or the request with another token where the one that it had was refused."""
        if (
            not self._spider.takes_token(request)
            or not self._spider.is_token_refused(response)
            or request.meta.get(_TRIED)
        ):
            return response
        self._crawler.stats.inc_value("outsourcing/tokens/refused")
        sent = (request.headers.get("Authorization") or b"").decode("latin-1").removeprefix("Bearer ")
        await self._other(than=sent)
        again = request.copy()
        again.meta[_TRIED] = True
        again.dont_filter = True
        return again

    @property
    def _spider(self) -> OAuthSpider:
        spider = self._crawler.spider
        assert isinstance(spider, OAuthSpider)
        return spider

    async def _other(self, *, than: str | None) -> Tokens:
        """Return good tokens, others `than` the access token that was refused."""
        # In a task of its own: what was given out is stored even when the request that wanted it is given up.
        return await asyncio.shield(asyncio.ensure_future(self._find(than)))

    async def _find(self, refused: str | None) -> Tokens:
        async with self._lock:
            tokens = self._tokens
            if tokens is not None and tokens.access_token != refused and tokens.is_good(datetime.now(UTC)):
                return tokens
            self._check_settings()
            try:
                async with self._engine() as engine:
                    self._tokens = await self._from(engine, refused)
            except Outcome as outcome:
                refuse(self._crawler, outcome)
            return self._tokens

    async def _from(self, engine: AsyncEngine, refused: str | None) -> Tokens:
        spider, (client_id, client_secret) = self._spider, self._client
        # Two clients have two tokens, and so have a platform and its sandbox.
        client = hashlib.sha256(client_id.encode()).hexdigest()[:12]
        name = f"{spider.name} at {urlsplit(spider.token_address).netloc}, client {client}"
        vault = Vault(name, secret=client_secret, granted=self._granted)
        try:
            kept = await vault.load(engine)
            if kept is not None:
                self._hide(kept)
                if kept.access_token != refused and kept.is_good(datetime.now(UTC)):
                    return kept
            return await vault.renew(engine, self._ask, refused=refused, on_load=self._hide)
        except (OSError, DBAPIError) as error:
            raise DatabaseUnreachable(
                f"the token of {spider.name} cannot be renewed, since there is nowhere to keep what comes "
                f"({message(error)}); start the database"
            ) from error

    @asynccontextmanager
    async def _engine(self) -> AsyncIterator[AsyncEngine]:
        """Give the database of the crawl, or one that is open for a moment."""
        pipeline = self._crawler.get_item_pipeline(StoragePipeline)
        if pipeline is not None and pipeline.store.is_open:
            yield pipeline.store.database.engine
            return
        settings = self._crawler.settings
        database = Database(
            settings.get("DATABASE_URL") or "",
            embedded_root=Path(settings["EMBEDDED_POSTGRES_FOLDER"]),
            migrate=settings.getbool("DATABASE_MIGRATE"),
        )
        try:
            await database.open()
        except StorageError as error:
            raise type(error)(
                f"{error}. The tokens of {self._spider.name} are kept there: each is good once, so none is used "
                "without a database"
            ) from error
        try:
            yield database.engine
        finally:
            await database.close()

    def _check_settings(self) -> None:
        values = (*self._client, self._granted)
        missing = [name for name, value in zip(self._spider.oauth.settings, values, strict=True) if not value]
        if missing:
            refuse(self._crawler, LoginRequired(f"{self._spider.name} needs {', '.join(missing)}; set them"))

    def _hide(self, tokens: Tokens) -> None:
        account = self._spider.oauth.account
        add_secrets({f"{account}_ACCESS_TOKEN": tokens.access_token, f"{account}_REFRESH_TOKEN": tokens.refresh_token})

    async def _ask(self, refresh_token: str) -> Tokens:
        """Return what the platform gives for a refresh token, which is used up then."""
        spider = self._spider
        basic = b64encode(":".join(map(quote_plus, self._client)).encode()).decode()
        add_secrets({f"{spider.oauth.account}_BASIC_TOKEN": basic})
        request = Request(
            spider.token_address,
            method="POST",
            headers={
                "Accept": "application/json",
                "Authorization": f"Basic {basic}",
                "Content-Type": "application/x-www-form-urlencoded",
            },
            body=urlencode({"grant_type": "refresh_token", "refresh_token": refresh_token}),
            # Nobody but us looks at the answer: a page that holds a token is not kept. It is not asked for twice:
            # whether the first one was heard is not known, and a token that is used twice may end them all.
            callback=NO_CALLBACK,
            meta={"dont_redirect": True, "handle_httpstatus_all": True, "dont_retry": True},
            dont_filter=True,
        )
        self._crawler.stats.inc_value("outsourcing/tokens/renewed")
        lost = (
            f"the answer of {spider.token_address} was lost; if the next crawl says that the refresh token is not "
            f"accepted, authorise the program again and set {spider.oauth.settings[2]}"
        )
        try:
            response = await self._crawler.engine.download_async(request)
        except (asyncio.CancelledError, GivenUp):
            logger.error("Given up while a token was renewed: %s", lost)
            raise
        except IgnoreRequest:
            raise
        except Exception as error:
            raise Unreachable(f"{lost} ({type(error).__name__})") from error
        tokens = self._read(response, refresh_token)
        self._hide(tokens)
        logger.info("%s gave a new access token", spider.token_address)
        return tokens

    def _read(self, response: Response, refresh_token: str) -> Tokens:
        answer: Any = None
        with suppress(ValueError):
            answer = decode(response.body)
        answer = answer if isinstance(answer, dict) else {}
        access, refresh = answer.get("access_token"), answer.get("refresh_token") or refresh_token
        if response.status != 200 or not _is_token(access) or not _is_token(refresh):
            raise self._refusal(response, answer)
        # By this machine's clock, against which it is held.
        issued, seconds = datetime.now(UTC), decimal_or_none(answer.get("expires_in"))
        lasts = None if seconds is None or not 0 <= seconds < 10**9 else timedelta(seconds=float(seconds))
        expires = None if lasts is None else issued + lasts
        return Tokens(access_token=access, refresh_token=refresh, issued_at=issued, expires_at=expires)

    def _refusal(self, response: Response, answer: dict[str, Any]) -> Outcome:
        status = response.status
        client_id, client_secret, refresh_token = self._spider.oauth.settings
        code = answer.get("error")
        code = code if isinstance(code, str) and _CODE.fullmatch(code) else None
        where = f"{response.url} answered {status}" + (f" ({code})" if code else "")
        if code == "invalid_grant":
            return LoginRequired(
                f"{where}: the refresh token is not accepted (any more); authorise the program again and set "
                f"{refresh_token}"
            )
        if code in ("invalid_client", "unauthorized_client") or status == 401:
            return LoginRequired(f"{where}: check {client_id} and {client_secret}")
        if code is not None:
            return Failed(f"{where}: it does not understand how we renew a token; the spider needs mending")
        if status == 429:
            return RateLimited(f"{where}: too many requests; wait before the next crawl")
        if status >= 500 or status == 408:
            return Unreachable(f"{where}; try again later")
        if status == 403 or b"cf-mitigated" in {name.lower() for name in response.headers}:
            return Blocked(f"{where}: it refuses us; wait before the next crawl")
        said = "without a token" if status == 200 else "to a request for a token"
        return LayoutChanged(
            f"{where} {said}; if the next crawl says that the refresh token is not accepted, authorise the program "
            f"again and set {refresh_token}"
        )


def _is_token(value: object) -> bool:
    # What goes into a header.
    return isinstance(value, str) and value.isascii() and value.isprintable() and bool(value.strip())
