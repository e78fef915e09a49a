"""Complete the certificate chain of hosts that leave out an intermediate certificate, with verification on throughout.

Browsers do the same: a server's certificate says where its issuer's is to be had (RFC 5280, 4.2.2.1, "CA Issuers").
A spider that needs it says so: ``custom_settings = {"DOWNLOAD_HANDLERS": {"https": CompletingHandler's path}}``.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import AuthorityInformationAccessOID
from OpenSSL import SSL, crypto
from scrapy import Request
from scrapy.core.downloader.handlers.http11 import HTTP11DownloadHandler
from scrapy.crawler import Crawler
from scrapy.exceptions import DownloadFailedError
from scrapy.http import Response
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer  # type: ignore[import-untyped]

from outsourcing_spiders.middlewares.rendering import Addresses

logger = logging.getLogger(__name__)

_SECONDS = 10.0
_LARGEST = 64 * 1024
_LONGEST_ADDRESS = 1_000
# OpenSSL's X509_V_ERR_UNABLE_TO_…: GET_ISSUER_CERT, GET_ISSUER_CERT_LOCALLY, VERIFY_LEAF_SIGNATURE.
_LACKS_ISSUER = (2, 20, 21)


class Unfit(ValueError):
    """A certificate that does not complete a chain; the message says why."""


class CompletingHandler(HTTP11DownloadHandler):
    """Download as Scrapy does; fetch the intermediate certificate that a host's chain lacks, and ask the host again.

    The certificate comes from the address in the one that it issued, over http, once a crawl, in at most
    10 s and 64 KB of DER. It is no new trust: it is taken only if it signed that certificate and is itself signed by
    a root that is trusted already, and the next handshake verifies all of the chain, and the host's name. One missing
    certificate can be had so, not two in a row.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        # Set there from a setting that Scrapy 2.19 deprecated, for handlers of one's own.
        self._chains = _Chains(self._contextFactory)
        self._contextFactory = self._chains  # type: ignore[assignment] # zope's interfaces are no types
        self._addresses = Addresses()
        self._answers: dict[str, bytes] = {}
        self._turn = asyncio.Lock()

    async def download_request(self, request: Request) -> Response:
        """Return the response; raises what Scrapy raises when the chain cannot be completed."""
        try:
            return await super().download_request(request)
        except DownloadFailedError:
            if not await self._complete(request):
                raise
        return await super().download_request(request)

    async def _complete(self, request: Request) -> bool:
        """Tell whether the chain of the request's host is more complete than it was."""
        host = urlsplit(request.url).hostname or ""
        # Whoever comes later finds what the first one fetched.
        before = len(self._chains.extra.get(host, ()))
        async with self._turn:
            if len(self._chains.extra.get(host, ())) > before:
                return True
            connection = self._chains.last.pop(host, None)
            lacking = None if connection is None else without_issuer(connection)
            if connection is None or lacking is None:
                return False
            try:
                issuer = read_issuer(await self._fetch(request, issuer_address(lacking)), lacking)
                check_trust(issuer, connection)
            except Unfit as problem:
                logger.warning("%s sends no intermediate certificate, and none can be had: %s", request.url, problem)
                return False
            if issuer in self._chains.extra.setdefault(host, []):
                return False
            self._chains.extra[host].append(issuer)
            name = issuer.subject.rfc4514_string()
            logger.info("%s sends no intermediate certificate; %s completes its chain", host, name)
            return True

    async def _fetch(self, request: Request, address: str) -> bytes:
        if address in self._answers:
            return self._answers[address]
        # Who sent the certificate is not known yet: nobody may point us at what only we can reach.
        if await self._addresses.may_be_private(address) and not await self._addresses.is_private(request.url):
            raise Unfit(f"{address} leads into a private network")
        # What fails is not asked again, either.
        self._answers[address] = b""
        meta: dict[str, Any] = {"download_timeout": _SECONDS, "download_maxsize": _LARGEST}
        if "proxy" in request.meta:
            meta["proxy"] = request.meta["proxy"]
        asked = Request(address, headers={"User-Agent": self._crawler.settings["USER_AGENT"]}, meta=meta)
        try:
            response = await super().download_request(asked)
        except Exception as error:
            # Whatever it is, the crawl ends for what the platform's own host did.
            raise Unfit(f"{address} got no answer: {error}") from error
        if response.status != 200:
            raise Unfit(f"{address} answered {response.status}")
        self._answers[address] = response.body
        return response.body


@implementer(IPolicyForHTTPS)
class _Chains:
    """Make TLS connections as `policy` does, with what is known beside the certificates that a host sends."""

    def __init__(self, policy: Any) -> None:
        self._policy = policy
        self.extra: dict[str, list[x509.Certificate]] = {}
        """Intermediate certificates, verified, by the host that leaves them out."""
        self.last: dict[str, SSL.Connection] = {}
        """The newest connection to each host, for what the other side sent in a handshake that failed."""

    def creatorForNetloc(self, hostname: bytes, port: int) -> _Creator:  # noqa: N802 - the name is Twisted's
        """Return what makes a connection to a host."""
        return _Creator(self, hostname.decode("ascii").lower(), self._policy.creatorForNetloc(hostname, port))


@implementer(IOpenSSLClientConnectionCreator)
class _Creator:
    def __init__(self, chains: _Chains, host: str, creator: Any) -> None:
        self._chains = chains
        self._host = host
        self._creator = creator

    def clientConnectionForTLS(self, protocol: Any) -> SSL.Connection:  # noqa: N802 - the name is Twisted's
        connection: SSL.Connection = self._creator.clientConnectionForTLS(protocol)
        for certificate in self._chains.extra.get(self._host, ()):
            # Not a root: OpenSSL takes none but self-signed ones for that, unless it is told to.
            _store(connection).add_cert(crypto.X509.from_cryptography(certificate))
        self._chains.last[self._host] = connection
        return connection


def without_issuer(connection: SSL.Connection) -> x509.Certificate | None:
    """Return the certificate whose issuer is missing from what the other side sent; ``None`` when that is not it."""
    sent = connection.get_peer_cert_chain() or []
    if not sent:
        return None
    try:
        crypto.X509StoreContext(_store(connection), sent[0], sent[1:]).verify_certificate()
    except crypto.X509StoreContextError as error:
        return error.certificate.to_cryptography() if error.errors[0] in _LACKS_ISSUER else None
    return None


def issuer_address(certificate: x509.Certificate) -> str:
    """Return where a certificate says that its issuer's is to be had, over http; raises `Unfit`."""
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        raise Unfit("the certificate does not say where its issuer's is") from None
    for way in access:
        if way.access_method == AuthorityInformationAccessOID.CA_ISSUERS and _is_plain(way.access_location.value):
            return str(way.access_location.value)
    raise Unfit("the certificate does not say where its issuer's is")


def read_issuer(body: bytes, issued: x509.Certificate) -> x509.Certificate:
    """Return the certificate in an answer, in DER, which must be the one that signed `issued`; raises `Unfit`."""
    try:
        issuer = x509.load_der_x509_certificate(body)
        issued.verify_directly_issued_by(issuer)
    except InvalidSignature:
        raise Unfit("what is there is not the one that signed it") from None
    except (ValueError, TypeError) as error:
        raise Unfit(f"what is there is no certificate of its issuer ({error})") from None
    return issuer


def check_trust(issuer: x509.Certificate, connection: SSL.Connection) -> None:
    """Raise `Unfit` for a certificate that no root which a connection trusts has signed, as no self-signed one is."""
    context = crypto.X509StoreContext(_store(connection), crypto.X509.from_cryptography(issuer))
    try:
        context.verify_certificate()
    except crypto.X509StoreContextError as error:
        raise Unfit(f"no trusted root has signed {issuer.subject.rfc4514_string()} ({error})") from None


def _store(connection: SSL.Connection) -> crypto.X509Store:
    store = connection.get_context().get_cert_store()
    assert store is not None
    return store


def _is_plain(address: object) -> bool:
    if not isinstance(address, str) or len(address) > _LONGEST_ADDRESS:
        return False
    try:
        parts = urlsplit(address)
        return parts.scheme == "http" and bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        return False
