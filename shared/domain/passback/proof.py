"""Defines the proof of a verification: what was compared of a course, when, what differs and why. Ids and counts only.

The document that is signed is the proof as JSON: keys in alphabetical order, no spaces, UTF-8, a line feed at the end.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from shared.domain.passback.agreement import SCORE, ComparedValue, Difference, NotCompared, Result
from shared.domain.passback.powerschool import AssignmentKey
from shared.domain.passback.rules.reasons import Reason
from shared.domain.wording import counted

FORMAT = "passback-proof-1"
# These may be something else at the next reading: the proof is not complete.
UNREAD = frozenset({Reason.RETRYING, Reason.VALUE_UNREADABLE})
_SEVERITY = (Result.DIFFERS, Result.NOT_WRITTEN, Result.STORED_DIFFERENTLY, Result.EQUAL)


class Counts(msgspec.Struct, frozen=True):
    """How many values were compared, and with which result."""

    equal: int = 0
    stored_differently: int = 0
    differs: int = 0
    left: int = 0

    @property
    def compared(self) -> int:
        """Return how many there are."""
        return self.equal + self.stored_differently + self.differs + self.left


class DifferenceCount(msgspec.Struct, frozen=True):
    """How many values of an assignment in a section (SECTIONS.DCID) differ in the same way, and why."""

    assignment_id: str
    section_dcid: int
    what: str
    result: Result
    why: str
    count: int


class Proof(msgspec.Struct, frozen=True):
    """What a verification found.

    Both systems were read between `read_from` and `read_until`, as often as `reads` says; without `is_settled`, changes
    were still on their way. `assignments` counts each in each section. `powerschool_only` counts assignments of the
    sections that passback has no link to. The digests are those of the two exported files; `key_id` names the key that
    signed.
    """

    course_id: str
    canvas: str
    powerschool: str
    read_from: datetime
    read_until: datetime
    reads: int
    is_settled: bool
    assignments: Counts
    scores: Counts
    differences: tuple[DifferenceCount, ...]
    not_compared: tuple[NotCompared, ...]
    powerschool_only: int
    rows_sha256: str
    scores_sha256: str
    key_id: str
    format: str = FORMAT

    @property
    def only_in_powerschool(self) -> int:
        """Return how many scores only PowerSchool has: teachers' own, and those of students who left."""
        return sum(each.count for each in self.differences if _is_only_in_powerschool(each))

    @property
    def scores_differing(self) -> int:
        """Return how many scores differ that Canvas has, or that a sync empties."""
        return sum(each.count for each in self.differences if each.what == SCORE and not _is_only_in_powerschool(each))

    @property
    def assignments_differing(self) -> int:
        """Return how many assignments differ in a field, or are not in PowerSchool, in one section or several."""
        return len({each.assignment_id for each in self.differences if each.what != SCORE})

    @property
    def is_due(self) -> bool:
        """Say whether a sync makes something equal."""
        return bool(self.assignments.differs or self.scores.differs)

    @property
    def is_equal(self) -> bool:
        """Say whether nothing differs, but for scores that only PowerSchool has."""
        return not (self.scores_differing or self.assignments_differing)

    @property
    def is_complete(self) -> bool:
        """Say whether everything could be read, and no change was on its way."""
        return self.is_settled and not any(UNREAD & set(part.reasons) for part in self.not_compared)

    @property
    def sentence(self) -> str:
        """Return what was found, in words: `1,204 scores, all equal`."""
        scores = f"{self.scores.compared:,} score{'' if self.scores.compared == 1 else 's'}"
        if self.scores_differing:
            parts = [f"{scores}, {self.scores_differing:,} {_differ(self.scores_differing)}"]
        else:
            parts = [f"{scores}, all equal" if self.scores.compared else "no scores"]
        if number := self.assignments_differing:
            parts.append(f"{counted(number, 'assignment')} {_differ(number)}")
        if number := self.only_in_powerschool:
            parts.append(f"{counted(number, 'score')} only in PowerSchool")
        if number := len({part.assignment_id for part in self.not_compared if not part.scores}):
            parts.append(f"{counted(number, 'assignment')} not compared")
        if number := sum(part.scores for part in self.not_compared):
            parts.append(f"{counted(number, 'score')} held back")
        if not self.is_settled:
            parts.append("changes were on their way")
        return "; ".join(parts)


def document_of(proof: Proof) -> bytes:
    """Return the proof as it is signed and stored."""
    return msgspec.json.encode(proof, order="sorted") + b"\n"


def proof_of(document: bytes) -> Proof:
    """Return the proof that a document holds. Raises `ValueError` for any other document."""
    return msgspec.json.decode(document, type=Proof)


def counts_of(results: Iterable[Result]) -> Counts:
    """Return how often each result is there."""
    found = Counter(results)
    return Counts(*(found[result] for result in Result))


def assignment_results(values: Iterable[ComparedValue]) -> list[Result]:
    """Return a result for each assignment of each section: the most serious one of its fields."""
    by_key: dict[AssignmentKey, set[Result]] = {}
    for value in values:
        if value.what != SCORE:
            by_key.setdefault(value.key, set()).add(value.result)
    return [next(result for result in _SEVERITY if result in results) for results in by_key.values()]


def difference_counts(values: Iterable[ComparedValue]) -> tuple[DifferenceCount, ...]:
    """Return what differs, in order, without students."""
    found = Counter((v.key, v.what, v.result, v.why) for v in values if not v.is_equal)
    return tuple(
        DifferenceCount(key.assignment_id, key.section_dcid, what, result, why, count)
        for (key, what, result, why), count in sorted(found.items())
    )


def not_compared_parts(parts: Sequence[NotCompared]) -> tuple[NotCompared, ...]:
    """Return what was not compared, each once and in order."""
    rows = {(p.assignment_id, p.section_dcid or 0, p.reasons, p.scores): p for p in parts}
    return tuple(part for _, part in sorted(rows.items()))


def _is_only_in_powerschool(difference: DifferenceCount) -> bool:
    return (difference.result, difference.why) == (Result.NOT_WRITTEN, Difference.ONLY_IN_POWERSCHOOL)


def _differ(number: int) -> str:
    return "differs" if number == 1 else "differ"
