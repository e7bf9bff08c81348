"""The contract of `Proofs` and of the key that signs them."""

import subprocess
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
import redis
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shared.adapters.redis.course_data.proofs import ProofKey, ProofKeys, Proofs, SignedProof
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.erasure import RedisErasure
from shared.domain.passback.proof import Counts, Proof, document_of

NOON = datetime(2031, 3, 4, 12, tzinfo=UTC)
A_YEAR = timedelta(days=365)


def signed(course_id: str, scores: int = 1) -> SignedProof:
    counts = Counts(equal=scores)
    proof = Proof(
        course_id, "https://canvas.example", "https://ps.example", NOON, NOON, 1, True, counts, counts, (), (), 0, "a",
        "b", "c",
    )  # fmt: skip
    return SignedProof(proof, document_of(proof), b"\x00signature\xff")


def scores_of(proofs: Sequence[SignedProof]) -> list[tuple[str, int]]:
    return [(each.proof.course_id, each.proof.scores.compared) for each in proofs]


def test_the_newest_proof_comes_first(client: redis.Redis, keys: Keys) -> None:
    """As it was signed, byte for byte; per course, and the newest of several courses in their order."""
    proofs = Proofs(client, keys, A_YEAR)
    for one in (signed("101"), signed("101", 2), signed("102", 3)):
        proofs.add(one)
    assert scores_of(proofs.of_course("101")) == [("101", 2), ("101", 1)]
    assert scores_of(proofs.of_course("101", 1)) == [("101", 2)]
    assert proofs.newest("101") == signed("101", 2)
    assert proofs.newest("103") is None
    assert scores_of(proofs.newest_of(["102", "103", "101"])) == [("102", 3), ("101", 2)]
    assert proofs.newest_of([]) == []


def test_old_proofs_are_deleted(client: redis.Redis, keys: Keys) -> None:
    """None is returned that is older than it may be; the next one deletes them, and the last one ends by itself."""
    Proofs(client, keys, A_YEAR).add(signed("101"))
    old = f"{1_000_000_000_000}-0"
    client.delete(keys.proofs("101"))
    client.xadd(keys.proofs("101"), {"document": zlib.compress(signed("101").document), "signature": b"s"}, id=old)
    proofs = Proofs(client, keys, A_YEAR)
    assert proofs.newest("101") is None
    proofs.add(signed("101", 5))
    assert client.xlen(keys.proofs("101")) == 1
    assert 0 < client.pttl(keys.proofs("101")) <= A_YEAR.total_seconds() * 1000


def test_proofs_are_erased_with_their_course_and_by_age(client: redis.Redis, keys: Keys) -> None:
    """They hold nothing of a student, so that the erasure of one leaves them."""
    proofs, erasure = Proofs(client, keys, A_YEAR), RedisErasure(client, keys)
    for course_id in ("101", "102"):
        proofs.add(signed(course_id))
    erasure.course("101", dry_run=False)
    assert scores_of(proofs.newest_of(["101", "102"])) == [("102", 1)]
    assert erasure.before(datetime.now(UTC) + timedelta(days=1), dry_run=True)["proofs"] == 1
    assert erasure.before(datetime.now(UTC) + timedelta(days=1), dry_run=False)["proofs"] == 1
    assert proofs.newest("102") is None


def test_all_processes_sign_with_one_key(client: redis.Redis, keys: Keys) -> None:
    """The first one makes it; it names itself by its public key."""
    one, other = ProofKeys(client, keys), ProofKeys(client, keys)
    assert one.current().public_pem == other.current().public_pem
    assert one.current().key_id == other.current().key_id
    assert "PRIVATE" not in one.current().public_pem


def test_what_a_replaced_key_signed_can_be_checked(client: redis.Redis, keys: Keys) -> None:
    """Its public key stays, by its id; the private one is gone, and all processes sign with the new one."""
    one, other = ProofKeys(client, keys), ProofKeys(client, keys)
    first = one.current()
    second, third = one.replace(), other.replace()
    assert len({first.key_id, second.key_id, third.key_id}) == len([first, second, third])
    assert one.current().key_id == third.key_id
    for key in (first, second, third):
        assert other.public_pem(key.key_id) == key.public_pem
    assert (other.public_pem("0" * 16), set(one.retired())) == (None, {first.key_id, second.key_id})
    assert not any(b"PRIVATE" in value for value in client.hvals(keys.retired_proof_keys))
    checked = serialization.load_pem_public_key(one.retired()[first.key_id].encode())
    assert isinstance(checked, ec.EllipticCurvePublicKey)
    checked.verify(first.sign(b"a proof"), b"a proof", ec.ECDSA(hashes.SHA256()))


def test_two_replacements_at_once_know_their_own_keys(client: redis.Redis, keys: Keys) -> None:
    """Both return the key that they made; the one that another replaced meanwhile is an earlier key then."""
    one, other = ProofKeys(client, keys), ProofKeys(redis.Redis.from_pool(client.connection_pool), keys)
    exchange, later = client.transaction, list[ProofKey]()

    def overtaken(*args: object) -> None:
        exchange(*args)
        later.append(other.replace())

    with patch.object(client, "transaction", overtaken):
        made = one.replace()
    assert made.key_id in one.retired()
    assert one.current().key_id == later[0].key_id != made.key_id


@pytest.mark.parametrize("is_changed", [False, True])
def test_openssl_checks_a_signature(client: redis.Redis, keys: Keys, tmp_path: Path, is_changed: bool) -> None:
    """And rejects that of another document."""
    key = ProofKeys(client, keys).current()
    document = signed("101").document
    (tmp_path / "key.pem").write_text(key.public_pem)
    (tmp_path / "proof.sig").write_bytes(key.sign(document))
    (tmp_path / "proof.json").write_bytes(document.replace(b'"equal":1', b'"equal":2') if is_changed else document)
    line = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "proof.sig", "proof.json"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is not is_changed
