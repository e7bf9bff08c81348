"""The key of this installation that signs proofs: ECDSA on P-256 with SHA-256, which `openssl dgst` checks.

The first process that signs makes the key. Whoever can read Redis can sign: a proof shows that nobody changed it on
the way, and that it comes from this installation.
"""

import hashlib
from typing import TYPE_CHECKING

import redis

from shared.adapters.redis.client import text
from shared.adapters.redis.keys import Keys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

KEY_ID_CHARS = 16


class ProofKey:
    """Signs with the installation's private key, and returns its public key."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._key = keys.proof_key

    def sign(self, document: bytes) -> bytes:
        """Return the signature of the document, in DER."""
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA  # noqa: PLC0415  # loads OpenSSL
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

        return self._private().sign(document, ECDSA(SHA256()))

    def public_pem(self) -> str:
        """Return the public key as PEM, for those who check proofs."""
        from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415

        encoded = self._private().public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
        return encoded.decode()

    @property
    def key_id(self) -> str:
        """Return what names the key: the beginning of the SHA-256 of its public key as PEM."""
        return hashlib.sha256(self.public_pem().encode()).hexdigest()[:KEY_ID_CHARS]

    def _private(self) -> "EllipticCurvePrivateKey":
        from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

        stored = self._redis.get(self._key)
        if stored is None:
            made = ec.generate_private_key(ec.SECP256R1())
            pem = made.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
            # Another process may have made one meanwhile: everybody uses the one that is stored.
            self._redis.set(self._key, pem, nx=True)
            stored = self._redis.get(self._key)
            assert stored is not None
        key = form.load_pem_private_key(text(stored).encode(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key
