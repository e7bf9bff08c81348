"""The proofs of verifications: a stream per course, bounded by age and count; and the key that signs them.

They are signed by ECDSA on P-256 with SHA-256, which `openssl dgst` checks. Whoever can read Redis can sign: a proof
shows that nobody changed it on the way, and that it comes from this installation.
"""

import hashlib
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, cast

import redis
from redis.typing import EncodableT

from shared.adapters.redis.client import clock_ms, milliseconds, text
from shared.adapters.redis.keys import Keys
from shared.domain.passback.proof import Proof, proof_of

MAX_PROOFS = 500

_Entries = list[tuple[bytes, dict[bytes, bytes]]]


@dataclass(frozen=True, slots=True)
class SignedProof:
    """A proof with the document that was signed, and the signature: ECDSA with SHA-256, in DER."""

    proof: Proof
    document: bytes
    signature: bytes


class Proofs:
    """Stores proofs as they were signed. They contain neither a student nor a score."""

    def __init__(self, client: redis.Redis, keys: Keys, max_age: timedelta) -> None:
        self._redis = client
        self._keys = keys
        self._max_age = max_age

    def add(self, signed: SignedProof) -> None:
        """Store a proof. What is too old, or too much, is deleted."""
        key = self._keys.proofs(signed.proof.course_id)
        with self._redis.pipeline() as pipeline:
            # A district that verifies every night has hundreds for each course.
            fields: dict[EncodableT, EncodableT] = {
                "document": zlib.compress(signed.document),
                "signature": signed.signature,
            }
            pipeline.xadd(key, fields, maxlen=MAX_PROOFS)
            pipeline.xtrim(key, minid=self._oldest(), approximate=False)
            pipeline.pexpire(key, milliseconds(self._max_age))
            pipeline.execute()

    def of_course(self, course_id: str, limit: int = 50) -> list[SignedProof]:
        """Return the course's proofs, the newest first; none that is too old."""
        entries = self._redis.xrevrange(self._keys.proofs(course_id), "+", self._oldest(), count=limit)
        return _proofs(cast("_Entries", entries))

    def newest(self, course_id: str) -> SignedProof | None:
        """Return the course's newest proof, None if it was never verified."""
        return next(iter(self.of_course(course_id, 1)), None)

    def newest_of(self, course_ids: Iterable[str]) -> list[SignedProof]:
        """Return the newest proof of each of these courses that has one, in their order."""
        oldest = self._oldest()
        with self._redis.pipeline(transaction=False) as pipeline:
            for course_id in course_ids:
                pipeline.xrevrange(self._keys.proofs(course_id), "+", oldest, count=1)
            found = cast("Sequence[_Entries]", pipeline.execute())
        return [proof for entries in found for proof in _proofs(entries)]

    def _oldest(self) -> str:
        return str(max(0, clock_ms(self._redis.time()) - milliseconds(self._max_age)))


def _proofs(entries: _Entries) -> list[SignedProof]:
    documents = [(zlib.decompress(fields[b"document"]), fields[b"signature"]) for _, fields in entries]
    return [SignedProof(proof_of(document), document, signature) for document, signature in documents]


if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

KEY_ID_CHARS = 16


class ProofKey:
    """One private key, as it was read: what it names and signs belongs together, also while it is being replaced."""

    def __init__(self, private: "EllipticCurvePrivateKey") -> None:
        from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415  # loads OpenSSL

        self._private = private
        encoded = private.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
        self.public_pem = encoded.decode()
        # The beginning of the SHA-256 of the public key as PEM.
        self.key_id = hashlib.sha256(encoded).hexdigest()[:KEY_ID_CHARS]

    def sign(self, document: bytes) -> bytes:
        """Return the signature of the document, in DER."""
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA  # noqa: PLC0415
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

        return self._private.sign(document, ECDSA(SHA256()))


class ProofKeys:
    """The key that signs now, and the public keys of those before it."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._key = keys.proof_key
        self._retired = keys.retired_proof_keys

    def current(self) -> ProofKey:
        """Return the key that signs now; the first call makes it."""
        stored = self._redis.get(self._key)
        if stored is None:
            # Another process may have made one meanwhile: everybody uses the one that is stored.
            self._redis.set(self._key, _new_pem(), nx=True)
            stored = self._redis.get(self._key)
            assert stored is not None
        return _key_of(stored)

    def replace(self) -> ProofKey:
        """Make a new key that signs from now on, and return it. The public key of the one before stays."""
        self.current()
        made = _new_pem()

        def exchange(pipeline: redis.client.Pipeline) -> None:
            before = _key_of(cast("bytes", pipeline.get(self._key)))
            pipeline.multi()
            pipeline.hset(self._retired, before.key_id, before.public_pem)
            pipeline.set(self._key, made)

        # Begins again where somebody else replaced the key meanwhile.
        self._redis.transaction(exchange, self._key)
        return _key_of(made)

    def public_pem(self, key_id: str) -> str | None:
        """Return the public key of this id, current or earlier; None for an unknown one."""
        current = self.current()
        if key_id == current.key_id:
            return current.public_pem
        stored = self._redis.hget(self._retired, key_id)
        return None if stored is None else text(stored)

    def retired(self) -> dict[str, str]:
        """Return the public keys of the earlier keys, by their ids."""
        return {text(key_id): text(pem) for key_id, pem in self._redis.hgetall(self._retired).items()}


def _new_pem() -> bytes:
    from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    made = ec.generate_private_key(ec.SECP256R1())
    return made.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())


def _key_of(stored: bytes | str) -> ProofKey:
    from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = form.load_pem_private_key(text(stored).encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return ProofKey(key)
