"""Make a throw-away chain of certificates, so that a stand-in can leave out the intermediate one as Freemoa does.

In its place comes one that is of no use: the root's key, signed by an older root that nobody knows, and expired.
"""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

#: Names that the server's certificate is for.
NAMES = ("www.freemoa.net", "freemoa.net", "localhost")


@dataclass(frozen=True)
class Chain:
    """A root that nobody trusts yet, an intermediate that it signed, a server that the intermediate signed. PEM.

    `stale` is what the server sends when it leaves the intermediate out.
    """

    root: str
    intermediate: str
    server: str
    key: str
    stale: str

    def context(self, *, complete: bool) -> ssl.SSLContext:
        """Return a server's context that sends its own certificate, and the intermediate one when `complete`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory(prefix="standin-tls-") as folder:
            file = Path(folder) / "chain.pem"
            file.touch(mode=0o600)
            file.write_text(self.key + self.server + (self.intermediate if complete else self.stale))
            context.load_cert_chain(file)
        return context


def to_der(pem: str) -> bytes:
    """Return a certificate as authorities hand them out."""
    return x509.load_pem_x509_certificate(pem.encode()).public_bytes(serialization.Encoding.DER)


def make_chain(*, names: tuple[str, ...] = NAMES, issuer_at: str | None = None) -> Chain:
    """Make a chain that is valid from yesterday on for a month.

    `names`: whom the server's certificate is for. `issuer_at`: address of its issuer's, as the certificate tells it.
    """
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    root_key, intermediate_key, server_key, old_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(4))
    root = _certificate("Stand-in Root CA", root_key, "Stand-in Root CA", root_key, start, path_length=1)
    intermediate = _certificate(
        "Stand-in Domain Validation CA", intermediate_key, "Stand-in Root CA", root_key, start, path_length=0
    )
    server = _certificate(
        names[0], server_key, "Stand-in Domain Validation CA", intermediate_key, start, names=names, issuer_at=issuer_at
    )
    stale = _certificate(
        "Stand-in Root CA",
        root_key,
        "Stand-in Old Root CA",
        old_key,
        start - datetime.timedelta(days=60),
        path_length=1,
    )
    key = server_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Chain(_pem(root), _pem(intermediate), _pem(server), key.decode(), _pem(stale))


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    start: datetime.datetime,
    path_length: int | None = None,
    names: tuple[str, ...] = NAMES,
    issuer_at: str | None = None,
) -> x509.Certificate:
    """Return a certificate; with a `path_length` of an authority, else of a server for `names`.

    Who is for all of `NAMES` is for the loopback address, too.
    """
    authority = path_length is not None
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=31))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=path_length), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=authority,
                crl_sign=authority,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    if not authority:
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        if names == NAMES:
            alternatives.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    if issuer_at is not None:
        way = x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(issuer_at)
        )
        builder = builder.add_extension(x509.AuthorityInformationAccess([way]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
