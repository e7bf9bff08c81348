"""Which certificate authorities a client trusts."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.adapters.http.exchange import _certificates

NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority.test")])


def authority(path: Path) -> Path:
    """A private authority's certificate in a PEM file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return path


def test_a_private_authority_is_trusted_beside_the_public_ones(tmp_path: Path) -> None:
    """`PASSBACK_CA_BUNDLE` adds to them: PowerSchool may have a public certificate, and Redis a private one."""
    public = httpx.create_ssl_context().cert_store_stats()["x509_ca"]

    assert _certificates(authority(tmp_path / "ca.pem")).cert_store_stats()["x509_ca"] == public + 1
