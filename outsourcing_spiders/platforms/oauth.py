"""Platforms whose API wants an access token that OAuth 2 renews."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.http import Response
from scrapy.settings import BaseSettings

from outsourcing_spiders.platforms.base import PlatformSpider

_ORDER = 560


@dataclass(frozen=True, slots=True)
class OAuth2:
    """Where a platform gives out access tokens for refresh tokens, and whose settings hold what it asks for."""

    token_url: str
    settings: tuple[str, str, str]
    """Names: client id, client secret, the refresh token that a person was granted; the last one ends so."""

    @property
    def account(self) -> str:
        """What the names of the settings begin with."""
        return self.settings[2].removesuffix("_REFRESH_TOKEN")


class OAuthSpider(PlatformSpider):
    """Send an access token with every request to the host that is crawled, and to no other.

    `middlewares.oauth` gets it, keeps it in the database, and renews it when it ends in mid-crawl.
    """

    oauth: ClassVar[OAuth2]

    @classmethod
    def update_settings(cls, settings: BaseSettings) -> None:
        """Turn the middleware on that has the tokens."""
        super().update_settings(settings)
        # Further from the downloader than pace and guard, nearer than retries: each new try has a good token.
        middlewares = settings.getdict("DOWNLOADER_MIDDLEWARES")
        middlewares["outsourcing_spiders.middlewares.oauth.OAuthMiddleware"] = _ORDER
        settings.set("DOWNLOADER_MIDDLEWARES", middlewares, priority="spider")

    @property
    def token_address(self) -> str:
        """Where tokens are given out: by the platform, or by what stands in for it."""
        is_live = self.base_url == f"{self.home}/"
        return self.oauth.token_url if is_live else self.absolute(urlsplit(self.oauth.token_url).path.lstrip("/"))

    def takes_token(self, request: Request) -> bool:
        """Tell whether a request may carry the access token."""
        ours, asked = urlsplit(self.base_url), urlsplit(request.url)
        return (ours.scheme, ours.netloc) == (asked.scheme, asked.netloc) and request.url != self.token_address

    def is_token_refused(self, response: Response) -> bool:
        """Tell whether an answer says that the access token is no good, or no more."""
        return response.status == 401
