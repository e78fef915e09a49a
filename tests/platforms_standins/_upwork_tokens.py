"""Keep the OAuth2 tokens of the Upwork stand-in: rotating refresh tokens, access tokens that expire.

Documented of the platform: the address, an access token of 86,400 seconds, that refresh tokens rotate. The fields of
request and answer and the errors are those of RFC 6749; which of them the platform uses was not seen.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote_plus

JSON = dict[str, object]


@dataclass(slots=True)
class Tokens:
    """Issue and check tokens; the same seed makes the same ones in the same order."""

    seed: int
    client_id: str
    client_secret: str
    seconds: float
    """For how long an access token is good."""
    refresh_token: str = ""
    """The one that is good now."""
    used: set[str] = field(default_factory=set)
    """Refresh tokens that were good once."""
    expires: dict[str, float] = field(default_factory=dict)
    """When each access token ends, in Unix seconds."""
    issued: int = 0

    def __post_init__(self) -> None:
        self.refresh_token = self._make("refresh")

    def _make(self, kind: str) -> str:
        self.issued += 1
        return "oauth2v2_" + hashlib.sha256(f"{self.seed}:{kind}:{self.issued}".encode()).hexdigest()[:32]

    def access(self, now: float) -> str:
        """Return a new access token."""
        token = self._make("access")
        self.expires[token] = now + self.seconds
        return token

    def rotate(self) -> str:
        """Return a new refresh token; the one before is good no more."""
        self.used.add(self.refresh_token)
        self.refresh_token = self._make("refresh")
        return self.refresh_token

    def expire(self) -> None:
        """End all access tokens that were given out."""
        self.expires = dict.fromkeys(self.expires, float("-inf"))

    def fault_of(self, authorization: str, now: float) -> str | None:
        """Return what is wrong with the Authorization header of a query; None when it is good."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return "no access token was sent"
        end = self.expires.get(token.strip())
        if end is None:
            return "the access token is not known"
        return None if now < end else "the access token is expired"

    def answer(self, sent: bytes, content_type: str, authorization: str, now: float) -> tuple[int, JSON]:
        """Return status and body for a request to the token endpoint."""
        if "application/x-www-form-urlencoded" not in content_type:
            return _refused("invalid_request", "the body is no form")
        form = {name: values[-1] for name, values in parse_qs(sent.decode("utf-8", "replace")).items()}
        client = _basic(authorization) or (form.get("client_id", ""), form.get("client_secret", ""))
        if client != (self.client_id, self.client_secret):
            return _refused("invalid_client", "unknown client or wrong secret", 401)
        if form.get("grant_type") != "refresh_token":
            return _refused("unsupported_grant_type", "only refresh_token is served here")
        token = form.get("refresh_token")
        if not token:
            return _refused("invalid_request", "refresh_token is missing")
        if token != self.refresh_token:
            used = token in self.used
            return _refused("invalid_grant", "the refresh token was used already" if used else "no such refresh token")
        access = self.access(now)
        return 200, {
            "access_token": access,
            "refresh_token": self.rotate(),
            "token_type": "Bearer",
            "expires_in": int(self.seconds) if self.seconds >= 1 else self.seconds,
        }


def _basic(authorization: str) -> tuple[str, str] | None:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(value).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return unquote_plus(name), unquote_plus(secret)


def _refused(error: str, description: str, status: int = 400) -> tuple[int, JSON]:
    return status, {"error": error, "error_description": description}
