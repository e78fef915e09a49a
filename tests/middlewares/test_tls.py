"""Chains of certificates without their intermediate one: completed, and never verified less than others."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import REPOSITORY, scrapy_environment
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID
from OpenSSL import SSL
from platforms_standins._freemoa_tls import NAMES, Chain, make_chain, to_der
from platforms_standins._server import Answer
from platforms_standins.freemoa import FreemoaStandIn
from scrapy import Request
from twisted.internet.ssl import Certificate
from twisted.web.client import BrowserLikePolicyForHTTPS

from outsourcing_spiders.middlewares.rendering import Addresses
from outsourcing_spiders.middlewares.tls import (
    CompletingHandler,
    Unfit,
    _Chains,
    check_trust,
    issuer_address,
    read_issuer,
    without_issuer,
)

ADDRESS = "http://ca.example/issuer.crt"


# --- handshakes in memory -----------------------------------------------------------------------------------------


@dataclass
class Protocol:
    """What Twisted's side of a connection is told."""

    failures: list[Any] = field(default_factory=list)
    factory: Any = field(default_factory=lambda: SimpleNamespace(wrappedFactory=None))

    def failVerification(self, failure: Any) -> None:  # noqa: N802 - the name is Twisted's
        self.failures.append(failure)


class Peer:
    """A host that sends some certificates, and what a client makes of them who trusts `root`."""

    def __init__(self, chain: Chain, *, trusts: str, sends: tuple[str, ...] = ()) -> None:
        self._server = SSL.Context(SSL.TLS_METHOD)
        key = serialization.load_pem_private_key(chain.key.encode(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._server.use_privatekey(key)
        self._server.use_certificate(certificate(chain.server))
        for pem in sends:
            self._server.add_extra_chain_cert(certificate(pem))
        self.chains = _Chains(BrowserLikePolicyForHTTPS(trustRoot=Certificate.loadPEM(trusts)))

    def shake_hands(self, host: str = NAMES[0]) -> SSL.Connection | None:
        """Return the client's side of a handshake that failed; ``None`` when both sides are content."""
        protocol = Protocol()
        client = self.chains.creatorForNetloc(host.encode(), 443).clientConnectionForTLS(protocol)
        assert self.chains.last[host] is client
        assert client.get_verify_mode() == SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
        server = SSL.Connection(self._server)
        client.set_connect_state()
        server.set_accept_state()
        done: set[SSL.Connection] = set()
        for _ in range(10):
            for side, other in ((client, server), (server, client)):
                try:
                    side.do_handshake()
                    done.add(side)
                except SSL.WantReadError:
                    pass
                except SSL.Error:
                    return client
                with contextlib.suppress(SSL.WantReadError):
                    other.bio_write(side.bio_read(100_000))
            if len(done) == 2:
                return client if protocol.failures else None
        raise AssertionError("the handshake did not end")


def certificate(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


@pytest.mark.parametrize("host", [NAMES[0], "127.0.0.1"])
def test_a_chain_is_completed(host: str) -> None:
    chain = make_chain(issuer_at=ADDRESS)
    peer = Peer(chain, trusts=chain.root, sends=(chain.stale,))
    failed = peer.shake_hands(host)
    assert failed is not None
    lacking = without_issuer(failed)
    assert lacking == certificate(chain.server)
    assert issuer_address(lacking) == ADDRESS
    issuer = read_issuer(to_der(chain.intermediate), lacking)
    check_trust(issuer, failed)
    peer.chains.extra[host] = [issuer]
    assert peer.shake_hands(host) is None


def test_a_whole_chain_lacks_nothing() -> None:
    chain = make_chain()
    peer = Peer(chain, trusts=chain.root, sends=(chain.intermediate,))
    assert peer.shake_hands() is None
    assert without_issuer(peer.chains.last[NAMES[0]]) is None


def test_a_completed_chain_is_for_its_host_alone() -> None:
    chain = make_chain()
    peer = Peer(chain, trusts=chain.root)
    peer.chains.extra["other.example"] = [certificate(chain.intermediate)]
    assert peer.shake_hands() is not None


def test_the_name_of_the_host_is_verified_in_a_completed_chain() -> None:
    chain = make_chain(names=("elsewhere.example",))
    peer = Peer(chain, trusts=chain.root)
    for host in (NAMES[0], "127.0.0.1"):
        peer.chains.extra[host] = [certificate(chain.intermediate)]
        assert peer.shake_hands(host) is not None
    peer.chains.extra["elsewhere.example"] = [certificate(chain.intermediate)]
    assert peer.shake_hands("elsewhere.example") is None


def test_an_intermediate_certificate_is_no_root() -> None:
    chain, other = make_chain(), make_chain()
    peer = Peer(chain, trusts=other.root)
    failed = peer.shake_hands()
    assert failed is not None
    with pytest.raises(Unfit, match="no trusted root has signed CN=Stand-in Domain"):
        check_trust(certificate(chain.intermediate), failed)
    # Even if it were taken: OpenSSL goes on to a root.
    peer.chains.extra[NAMES[0]] = [certificate(chain.intermediate)]
    assert peer.shake_hands() is not None


@pytest.mark.parametrize("issuer", ["Evil CA", "EVIL  ca"])
def test_a_self_signed_issuer_is_not_taken(issuer: str) -> None:
    # The second is the same name to OpenSSL, and another one to a comparison of bytes.
    chain, key = make_chain(), ec.generate_private_key(ec.SECP256R1())
    peer = Peer(chain, trusts=chain.root)
    failed = peer.shake_hands()
    assert failed is not None
    now = datetime.datetime.now(datetime.UTC)
    evil = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Evil CA")]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    with pytest.raises(Unfit, match="no trusted root"):
        check_trust(evil, failed)


def test_a_server_cannot_sign_for_others() -> None:
    ours, theirs = make_chain(), make_chain()
    peer = Peer(theirs, trusts=ours.root)
    # A certificate that a trusted root stands behind, but of a server: it signs nothing.
    peer.chains.extra[NAMES[0]] = [certificate(ours.server), certificate(ours.intermediate)]
    assert peer.shake_hands() is not None


def test_what_is_no_connection_lacks_nothing() -> None:
    chain = make_chain()
    chains = Peer(chain, trusts=chain.root).chains
    creator = chains.creatorForNetloc(b"www.freemoa.net", 443)
    assert without_issuer(creator.clientConnectionForTLS(Protocol())) is None


# --- what a certificate and an answer say -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["https://ca.example/x.crt", "ldap://ca.example/x", "ftp://ca.example/x", "http:///x.crt", "http://me@ca.example/x",
     "http://ca.example:port/x", "http://ca.example:0/x", "file:///etc/passwd", "http://ca.example/" + "x" * 1_000,
     None],
)  # fmt: skip
def test_an_address_is_plain_http_or_none(address: str | None) -> None:
    with pytest.raises(Unfit, match="does not say where"):
        issuer_address(certificate(make_chain(issuer_at=address).server))


def test_other_ways_are_passed_over() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    now = datetime.datetime.now(datetime.UTC)
    ways = [
        x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier("http://ocsp/")),
        x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, x509.DirectoryName(name)),
        x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(ADDRESS)),
    ]
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.AuthorityInformationAccess(ways), critical=False).sign(key, hashes.SHA256())
    )  # fmt: skip
    assert issuer_address(made) == ADDRESS


def test_an_answer_must_be_the_certificate_of_the_issuer() -> None:
    chain, other = make_chain(), make_chain()
    issued = certificate(chain.server)
    for body in (b"", b"<html>", b"\x30\x82", chain.intermediate.encode(), to_der(chain.root), to_der(chain.server)):
        with pytest.raises(Unfit, match="no certificate of its issuer"):
            read_issuer(body, issued)
    with pytest.raises(Unfit, match="not the one that signed it"):
        # Of the same name, with another key.
        read_issuer(to_der(other.intermediate), issued)
    assert read_issuer(to_der(chain.intermediate), issued).public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize("private", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "localhost"])
async def test_a_certificate_cannot_point_into_our_network(private: str) -> None:
    handler = CompletingHandler.__new__(CompletingHandler)
    handler._answers, handler._addresses = {}, Addresses()
    with pytest.raises(Unfit, match="leads into a private network"):
        await handler._fetch(Request("https://93.184.215.14/"), f"http://{private}/latest/meta-data")


# --- crawls -------------------------------------------------------------------------------------------------------


async def crawl(site: FreemoaStandIn, folder: Path, *options: str, trusts: str) -> tuple[int | None, str]:
    """Run `scrapy crawl`, as production does it: with a reactor, and Scrapy's own handler under ours."""
    (folder / "root.pem").write_text(trusts)
    environment = scrapy_environment(folder) | {"SSL_CERT_FILE": str(folder / "root.pem")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "scrapy", "crawl", "freemoa", "-a", f"base_url={site.base_url}",
        "-s", "STORAGE_ENABLED=0", "-s", "DOWNLOAD_DELAY=0", "-s", "RETRY_TIMES=0", *options,
        cwd=REPOSITORY, env=environment, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    printed, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, printed.decode()


async def test_a_crawl_works_without_the_intermediate_certificate(tmp_path: Path) -> None:
    async with FreemoaStandIn(25, tls="incomplete") as site:
        assert site.chain is not None
        code, printed = await crawl(site, tmp_path, trusts=site.chain.root)
        assert code == 0, printed
        assert [seen.path for seen in site.requests] == ["/robots.txt", "/m4/s41"] + 3 * ["/m4a/s41a"]
        # Once, for all connections.
        assert [asked["path"] for asked in site.issuer_requests] == ["/DomainValidationCA.crt"]
        assert site.issuer_requests[0]["headers"]["user-agent"].startswith("outsourcing_spiders/")
    assert "127.0.0.1 sends no intermediate certificate; CN=Stand-in Domain Validation CA completes" in printed


async def test_without_the_handler_a_crawl_does_not_work(tmp_path: Path) -> None:
    async with FreemoaStandIn(25, tls="incomplete") as site:
        assert site.chain is not None
        code, _ = await crawl(site, tmp_path, "-s", "DOWNLOAD_HANDLERS={}", trusts=site.chain.root)
        assert (code, site.requests, site.issuer_requests) == (1, [], [])


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("root not trusted", "no trusted root has signed CN=Stand-in Domain Validation CA"),
        ("another one", "what is there is not the one that signed it"),
        ("not there", "answered 404"),
        ("elsewhere", "answered 302"),
        ("too large", "got no answer"),
        ("another host", ""),
    ],
)
async def test_a_crawl_ends_when_the_chain_cannot_be_trusted(case: str, said: str, tmp_path: Path) -> None:
    names = ("elsewhere.example",) if case == "another host" else NAMES
    async with FreemoaStandIn(25, tls="incomplete", names=names) as site:
        assert site.chain is not None
        other = make_chain()
        if case == "another one":
            site.issuer.body = to_der(other.intermediate)
        elif case == "not there":
            site.issuer = Answer(b"", 404)
        elif case == "elsewhere":
            site.issuer = Answer(b"", 302, headers={"Location": "/other.crt"})
        elif case == "too large":
            site.issuer.body += b"x" * 100_000
        code, printed = await crawl(site, tmp_path, trusts=(other if case == "root not trusted" else site.chain).root)
        # Nothing was asked of a host that could not be trusted.
        assert site.requests == []
        assert len(site.issuer_requests) == 1
    assert code == 1, printed
    assert said in printed
    assert "certificate" in printed
    assert "unreachable" in printed.lower()
