"""Which certificate authorities a client trusts."""

import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.adapters.http.exchange import certificates

NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority.test")])


def authority(path: Path, key_path: Path | None = None) -> Path:
    """A private authority's certificate in a PEM file, which a server at the loopback address may use itself."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    if key_path:
        key_path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    return path


def test_a_private_authority_is_trusted_beside_the_public_ones(tmp_path: Path) -> None:
    """`PASSBACK_CA_BUNDLE` adds to them: PowerSchool may have a public certificate, and Redis a private one."""
    public = httpx.create_ssl_context().cert_store_stats()["x509_ca"]

    assert certificates(authority(tmp_path / "ca.pem")).cert_store_stats()["x509_ca"] == public + 1


def test_a_private_authority_without_key_identifiers_is_trusted(tmp_path: Path) -> None:
    """Whatever the interpreter's default: a certificate that Python 3.11 accepts is not rejected by 3.13."""
    bundle, key = tmp_path / "ca.pem", tmp_path / "key.pem"
    authority(bundle, key)
    at_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    at_server.load_cert_chain(bundle, key)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = certificates(bundle).wrap_bio(to_client, to_server, server_hostname="127.0.0.1")
    server = at_server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for side in (client, server):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()

    assert client.getpeercert() is not None
