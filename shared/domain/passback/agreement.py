"""Compares what PowerSchool has with what the rules want there, value by value: what a verification proves.

Values are equal where a sync writes nothing: what PowerSchool stores differently from what was sent counts as equal.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

import msgspec

from shared.domain.passback.planning.diff import (
    agrees,
    changed_fields,
    fields_to_write,
    has_value,
    is_echo,
    stored_text,
)
from shared.domain.passback.planning.links import Link
from shared.domain.passback.planning.plan import (
    ClearScoresStep,
    CreateStep,
    Plan,
    UpdateStep,
    WriteScoresStep,
)
from shared.domain.passback.powerschool import (
    OWNED_FIELDS,
    ActualAssignment,
    AssignmentKey,
    DesiredAssignment,
    Score,
    WrittenField,
)
from shared.domain.passback.rules.reasons import INFORMATIVE, Reason
from shared.domain.passback.rules.score import to_powerschool_decimal
from shared.domain.wording import plain_number

# What is compared beside the owned fields: whether the assignment is there, and each score.
ASSIGNMENT, SCORE = "assignment", "score"


class Result(StrEnum):
    """What was found of one value."""

    EQUAL = "equal"
    STORED_DIFFERENTLY = "stored_differently"
    """PowerSchool has it as it stores what was sent: a rounded number, a name without its emoji."""
    DIFFERS = "differs"
    """A sync makes it equal."""
    NOT_WRITTEN = "left"
    """It differs, and no sync changes that: a rule, PowerSchool or the teacher decides otherwise."""


class Difference(StrEnum):
    """How a value differs. What is `left` has the code of its `Reason` instead, where there is one."""

    NOT_IN_POWERSCHOOL = "not_in_powerschool"
    OTHER_VALUE = "other_value"
    ONLY_IN_POWERSCHOOL = "only_in_powerschool"
    """PowerSchool has a score where Canvas has none; the teacher's own, unless a sync empties it."""


@dataclass(frozen=True, slots=True)
class ComparedValue:
    """One value on both sides: a field of an assignment, its existence, or a student's score (STUDENTS.DCID).

    `canvas` and `powerschool` are the values as text, empty where a side has none.
    """

    key: AssignmentKey
    assignment_section_id: int | None
    what: str
    result: Result
    why: str = ""
    student_dcid: int | None = None
    canvas: str = ""
    powerschool: str = ""

    @property
    def is_equal(self) -> bool:
        """Say whether a registrar sees the same on both sides, as far as PowerSchool can store it."""
        return self.result in (Result.EQUAL, Result.STORED_DIFFERENTLY)


class NotCompared(msgspec.Struct, frozen=True):
    """An assignment of a section, or some scores of it, that the rules keep back; with the codes of the reasons.

    `section_dcid` is None for a section that PowerSchool does not have. `scores` is 0 where the whole assignment is.
    """

    assignment_id: str
    section_dcid: int | None
    reasons: tuple[str, ...]
    scores: int = 0


def compared_values(
    desired: DesiredAssignment, actual: ActualAssignment | None, link: Link | None, plan: Plan, *, is_closed: bool
) -> Iterator[ComparedValue]:
    """Yield the values of one assignment in one section; none where the rules create it later or cannot read it.

    `is_closed` says that the section's term is over: only a sync that a person asks for writes there.
    """
    if actual is None:
        if any(isinstance(step, CreateStep) for step in plan.steps_of(desired.key)):
            yield from _absent(desired, is_closed)
        return
    if not actual.unreadable:
        found = _Comparison(desired, actual, link or Link(*desired.key, desired.name, desired.due_date), plan)
        for value in (*found.fields(), *found.scores()):
            yield _closed(value) if is_closed else value


def not_compared_reasons(desired: DesiredAssignment, actual: ActualAssignment | None, plan: Plan) -> tuple[str, ...]:
    """Return why nothing of a desired assignment was compared; nothing if it was."""
    if actual is not None and not actual.unreadable:
        return ()
    if any(isinstance(step, CreateStep) for step in plan.steps_of(desired.key)):
        return ()
    return tuple(dict.fromkeys(f.finding.reason for f in plan.findings_of(desired.key) if f.student_dcid is None))


def score_text(score: Score | None) -> str:
    """Return a score in one form: the points without needless zeros, then `missing`, `excused`, `code`."""
    if score is None or not has_value(score):
        return ""
    points = to_powerschool_decimal(score.points)
    marks = {"missing": score.missing, "excused": score.exempt, "code": score.is_code}
    return " ".join(
        [*([] if points is None else [plain_number(points + 0)]), *(name for name, is_set in marks.items() if is_set)]
    )


def _absent(desired: DesiredAssignment, is_closed: bool) -> Iterator[ComparedValue]:
    result = Result.NOT_WRITTEN if is_closed else Result.DIFFERS
    why = Reason.TERM_CLOSED if is_closed else Difference.NOT_IN_POWERSCHOOL
    yield ComparedValue(desired.key, None, ASSIGNMENT, result, why, None, desired.name)
    for dcid, score in sorted(desired.scores.items()):
        yield ComparedValue(desired.key, None, SCORE, result, why, dcid, score_text(score))


def _closed(value: ComparedValue) -> ComparedValue:
    if value.result is not Result.DIFFERS:
        return value
    return replace(value, result=Result.NOT_WRITTEN, why=Reason.TERM_CLOSED)


class _Comparison:
    """One assignment that both sides have."""

    def __init__(self, desired: DesiredAssignment, actual: ActualAssignment, link: Link, plan: Plan) -> None:
        self._desired = desired
        self._actual = actual
        self._link = link
        steps = plan.steps_of(desired.key)
        self._updated = {f for s in steps if isinstance(s, UpdateStep) and not s.is_temporary for f in s.changed_fields}
        self._written = _students(s.scores for s in steps if isinstance(s, WriteScoresStep))
        self._emptied = _students(s.replaces for s in steps if isinstance(s, ClearScoresStep))
        findings = [f for f in plan.findings_of(desired.key) if f.finding.reason not in INFORMATIVE]
        self._reason = next((f.finding.reason for f in findings if f.student_dcid is None), None)
        self._reasons = {f.student_dcid: f.finding.reason for f in findings if f.student_dcid is not None}

    def fields(self) -> Iterator[ComparedValue]:
        """Yield every field that follows Canvas."""
        differing = changed_fields(self._desired, self._actual)
        to_write = fields_to_write(self._desired, self._actual, self._link.echoes)
        for field in OWNED_FIELDS:
            canvas, powerschool = _field_text(field, self._desired), _field_text(field, self._actual)
            if field not in differing:
                result, why = Result.EQUAL, ""
            elif field not in to_write:
                result, why = Result.STORED_DIFFERENTLY, ""
            elif field in self._updated:
                result, why = Result.DIFFERS, str(Difference.OTHER_VALUE)
            else:
                result, why = Result.NOT_WRITTEN, str(self._reason or Difference.OTHER_VALUE)
            yield self._value(field, result, why, None, canvas, powerschool)

    def scores(self) -> Iterator[ComparedValue]:
        """Yield the score of every student who has one on either side, and whose row can be read."""
        there = {dcid for dcid, score in self._actual.scores.items() if has_value(score)}
        for dcid in sorted((self._desired.scores.keys() | there) - self._actual.unreadable_scores.keys()):
            yield self._score(dcid)

    def _score(self, dcid: int) -> ComparedValue:
        wanted, actual = self._desired.scores.get(dcid), self._actual.scores.get(dcid)
        canvas, powerschool = score_text(wanted), score_text(actual)
        if wanted is None:
            difference = Difference.ONLY_IN_POWERSCHOOL
        elif actual is None or not has_value(actual):
            difference = Difference.NOT_IN_POWERSCHOOL
        else:
            difference = Difference.OTHER_VALUE
        if wanted is not None and agrees(wanted, actual):
            result, why = Result.EQUAL, ""
        elif wanted is not None and is_echo(self._link.echoes.get(str(dcid)), wanted, actual, self._actual.weight):
            result, why = Result.STORED_DIFFERENTLY, ""
        elif dcid in self._written | self._emptied:
            result, why = Result.DIFFERS, str(difference)
        else:
            reason = self._reasons.get(dcid) or (self._reason if wanted is not None else None)
            result, why = Result.NOT_WRITTEN, str(reason or difference)
        return self._value(SCORE, result, why, dcid, canvas, powerschool)

    def _value(
        self, what: str, result: Result, why: str, dcid: int | None, canvas: str, powerschool: str
    ) -> ComparedValue:
        section_id = self._actual.assignment_section_id
        return ComparedValue(self._desired.key, section_id, what, result, why, dcid, canvas, powerschool)


def _field_text(field: WrittenField, side: DesiredAssignment | ActualAssignment) -> str:
    """Return a field as text, empty where the side does not show it."""
    value = side.category_id if field is WrittenField.CATEGORY else getattr(side, field.value)
    return "" if value is None else stored_text(field, side)


def _students(scores: Iterable[Iterable[int]]) -> frozenset[int]:
    return frozenset(dcid for of_step in scores for dcid in of_step)
