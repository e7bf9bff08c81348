"""Proofs for people and machines: each difference in a sentence, and a proof as JSON with its signature."""

from typing import cast

import msgspec

from shared.adapters.redis.course_data.proofs import SignedProof
from shared.domain.passback.agreement import ASSIGNMENT, SCORE, Difference, Result
from shared.domain.passback.powerschool import WrittenField
from shared.domain.passback.proof import DifferenceCount
from shared.domain.passback.rules.reasons import Reason
from shared.domain.wording import counted
from workers.grade_passback.explain.response import Json

_TEXTS = {
    Difference.NOT_IN_POWERSCHOOL: "PowerSchool does not have it",
    Difference.OTHER_VALUE: "PowerSchool has another value",
    Difference.ONLY_IN_POWERSCHOOL: "only PowerSchool has it",
}
_REASONS = {str(reason): reason for reason in Reason}


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
        "signature": signed.signature_base64,
    }
