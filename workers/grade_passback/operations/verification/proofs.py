"""Shows proofs: each difference in a sentence, as JSON, and as files for a registrar.

`sha256sum` and `openssl` check the files without passback.
"""

import csv
import hashlib
import io
import os
from base64 import b64encode
from pathlib import Path
from typing import IO, cast

import msgspec

from shared.adapters.redis.course_data.proofs import KEY_ID_CHARS, ProofKeys, SignedProof
from shared.domain.passback.agreement import ASSIGNMENT, SCORE, Difference, Result
from shared.domain.passback.course_state import CourseSummary
from shared.domain.passback.powerschool import WrittenField
from shared.domain.passback.proof import DifferenceCount
from shared.domain.passback.rules.reasons import Reason
from shared.domain.wording import counted
from workers.grade_passback.explain.response import Json
from workers.grade_passback.operations.history import safe_cell
from workers.grade_passback.operations.verification.verifier import Verification

_TEXTS = {
    Difference.NOT_IN_POWERSCHOOL: "PowerSchool does not have it",
    Difference.OTHER_VALUE: "PowerSchool has another value",
    Difference.ONLY_IN_POWERSCHOOL: "only PowerSchool has it",
}
_REASONS = {str(reason): reason for reason in Reason}
SUMS, PUBLIC_KEY, SUMMARY, HELP = "SHA256SUMS", "public-key.pem", "summary.csv", "HOW-TO-CHECK.txt"
SIGNATURE_COMMAND = f"openssl dgst -sha256 -verify {PUBLIC_KEY} -signature {SUMS}.sig {SUMS}"
SUMS_COMMAND = f"sha256sum --check {SUMS}"
ADDED_COMMAND = f"(cut -c 67- {SUMS}; echo {SUMS}; echo {SUMS}.sig; ls -A) | sort | uniq -u"
COLUMNS = (
    "course_id", "course", "schools", "terms", "read_from", "read_until", "result", "assignments", "scores",
    "scores_equal", "scores_stored_differently", "scores_differ", "scores_left", "only_in_powerschool",
    "assignments_differ", "not_compared", "settled", "rows_sha256", "scores_sha256", "key_id",
)  # fmt: skip
_HELP = f"""How to check these files without passback

In this directory, run:

  {SIGNATURE_COMMAND}
  {SUMS_COMMAND}
  {ADDED_COMMAND}

The first one prints "Verified OK": the list of digests is the one that the school district's passback signed. The
second one prints OK for each file: no file was changed. The third one prints nothing: no file was added.

The key that signed this list has the id KEY_ID: the first {KEY_ID_CHARS} characters of the SHA-256 of {PUBLIC_KEY}.

Get {PUBLIC_KEY} from the district on another way, and compare it with the one here: whoever can exchange all files can
exchange the key as well.

For each course N: course-N.json is the proof, course-N.sig its own signature, course-N.csv a line for each value that
was compared, course-N-scores.csv the same with the values. Each proof names its key as key_id; an earlier key than that
of the list is in public-key-ID.pem. The proof has the digests of both as rows_sha256 and
scores_sha256. deploy/guides/verify.md of passback explains every column.
"""


def difference_sentence(difference: DifferenceCount) -> str:
    """Return what differs, how, and what becomes of it."""
    where = f"assignment {difference.assignment_id}, section {difference.section_dcid}"
    what = {
        SCORE: counted(difference.count, "score"),
        ASSIGNMENT: "the assignment",
    }.get(difference.what) or WrittenField(difference.what).label
    return f"{where}, {what}: {_why(difference)}"


def _why(difference: DifferenceCount) -> str:
    if difference.result is Result.DIFFERS:
        return f"{_TEXTS[Difference(difference.why)]}; a sync makes it equal."
    if difference.why == Difference.ONLY_IN_POWERSCHOOL:
        return "only PowerSchool has it, and it stays: a teacher's own, or of a student who left."
    if difference.why in set(Difference):
        return f"{_TEXTS[Difference(difference.why)]}; a sync leaves it."
    reason = _REASONS[difference.why]
    return f"not equal. {reason.message} {reason.remedy}"


def proof_json(signed: SignedProof) -> Json:
    """Return a proof with the exact text that was signed, and the signature in Base64."""
    proof = signed.proof
    fields = cast("Json", msgspec.to_builtins(proof))
    differences = [{**msgspec.to_builtins(each), "sentence": difference_sentence(each)} for each in proof.differences]
    return {
        **fields,
        "differences": differences,
        "sentence": proof.sentence,
        "is_equal": proof.is_equal,
        "is_complete": proof.is_complete,
        "document": signed.document.decode(),
        "signature": b64encode(signed.signature).decode(),
    }


class ExportFailed(Exception):
    """The directory cannot be written; the message says why."""


class ProofExport:
    """A directory that only its owner can read, with the files of each course and a signed list of their digests."""

    def __init__(self, directory: Path, keys: ProofKeys) -> None:
        """Make the directory. Raises `ExportFailed` if it is there and not empty, or cannot be made."""
        self._directory = directory
        self._keys = keys
        self._key = keys.current()
        self._sums: dict[str, str] = {}
        self._rows: list[list[object]] = []
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
            if directory.is_symlink() or any(directory.iterdir()):
                raise ExportFailed(f"{directory} is not empty: name a new directory")
            self._write(PUBLIC_KEY, self._key.public_pem.encode())
            self._write(HELP, _HELP.replace("KEY_ID", self._key.key_id).encode())
        except OSError as error:
            raise ExportFailed(f"{directory} cannot be written: {error.strerror}") from None

    def add(self, verification: Verification, summary: CourseSummary | None, *, with_scores: bool) -> None:
        """Write what was verified now."""
        name = f"course-{verification.proof.course_id}"
        self.add_proof(verification.signed, summary)
        self._write(f"{name}.csv", verification.rows)
        if with_scores:
            self._write(f"{name}-scores.csv", verification.scores)

    def add_proof(self, signed: SignedProof, summary: CourseSummary | None) -> None:
        """Write a proof. The lines that it has the digests of are not stored."""
        name = f"course-{signed.proof.course_id}"
        self._write(f"{name}.json", signed.document)
        self._write(f"{name}.sig", signed.signature)
        self._add_key(signed.proof.key_id)
        self._rows.append(_row(signed, summary))

    def finish(self) -> None:
        """Write the table of all courses, and the signed list of digests."""
        with self._open(SUMMARY) as out:
            out.write(_table(self._rows))
        self._sums[SUMMARY] = hashlib.sha256(_table(self._rows)).hexdigest()
        sums = "".join(f"{digest}  {name}\n" for name, digest in sorted(self._sums.items())).encode()
        for name, content in ((SUMS, sums), (f"{SUMS}.sig", self._key.sign(sums))):
            with self._open(name) as out:
                out.write(content)

    def _add_key(self, key_id: str) -> None:
        """Write the public key of an earlier key, once. One that was lost with Redis is not there."""
        name = f"public-key-{key_id}.pem"
        if key_id != self._key.key_id and name not in self._sums and (pem := self._keys.public_pem(key_id)):
            self._write(name, pem.encode())

    def _write(self, name: str, content: bytes) -> None:
        with self._open(name) as out:
            out.write(content)
        self._sums[name] = hashlib.sha256(content).hexdigest()

    def _open(self, name: str) -> IO[bytes]:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        return os.fdopen(os.open(self._directory / name, flags, 0o600), "wb")


def summary_csv(proofs: list[tuple[SignedProof, CourseSummary | None]]) -> bytes:
    """Return a line for each course's proof."""
    return _table([_row(signed, summary) for signed, summary in proofs])


def _table(rows: list[list[object]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([[safe_cell(cell) for cell in row] for row in rows])
    return out.getvalue().encode()


def _row(signed: SignedProof, summary: CourseSummary | None) -> list[object]:
    proof, scores = signed.proof, signed.proof.scores
    return [
        proof.course_id, summary.name if summary else "", " ".join(map(str, summary.schools)) if summary else "",
        " ".join(summary.terms) if summary else "", proof.read_from.isoformat(timespec="seconds"),
        proof.read_until.isoformat(timespec="seconds"), proof.sentence, proof.assignments.compared, scores.compared,
        scores.equal, scores.stored_differently, scores.differs, scores.left, proof.only_in_powerschool,
        proof.assignments_differing, len(proof.not_compared), proof.is_settled, proof.rows_sha256, proof.scores_sha256,
        proof.key_id,
    ]  # fmt: skip
