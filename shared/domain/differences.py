"""What differs between a desired and an actual assignment, in the fields and scores that passback owns."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

import msgspec

from shared.domain.description import fitted
from shared.domain.desired import DesiredAssignment, DesiredScore
from shared.domain.powerschool import ActualAssignment, ActualScore
from shared.domain.scoring import exact


class OwnedField(StrEnum):
    """The fields of a PowerSchool assignment that follow Canvas. Every other belongs to the teacher."""

    NAME = "name"
    DESCRIPTION = "description"
    DUE_DATE = "due_date"
    POINTS = "points"
    CATEGORY = "category"


def changed_fields(desired: DesiredAssignment, actual: ActualAssignment) -> tuple[OwnedField, ...]:
    """Return the owned fields in which PowerSchool differs from Canvas."""
    equal = {
        OwnedField.NAME: desired.name.strip() == actual.name.strip(),
        OwnedField.DESCRIPTION: _says_the_same(desired.description, actual.description),
        OwnedField.DUE_DATE: desired.due_date == actual.due_date,
        OwnedField.POINTS: exact(desired.points) == actual.points,
        OwnedField.CATEGORY: desired.category_id == actual.category_id,
    }
    return tuple(field for field, same in equal.items() if not same)


def differing_scores(
    desired: Mapping[int, DesiredScore], actual: Mapping[int, ActualScore]
) -> tuple[DesiredScore, ...]:
    """Return the scores to send, by STUDENTS.DCID, as exactly as PowerSchool can hold them.

    Equal ones are left out: families are notified of every write.
    """
    differing = [dcid for dcid, score in desired.items() if not _agrees(score, actual.get(dcid))]
    return tuple(_as_held(desired[dcid]) for dcid in sorted(differing))


def leftover_scores(
    desired: DesiredAssignment, actual: ActualAssignment, sent_to: frozenset[int]
) -> dict[int, ActualScore]:
    """Return what PowerSchool still holds of scores that were sent and are empty in Canvas now, by STUDENTS.DCID."""
    cleared = sorted(desired.unscored & sent_to & actual.scores.keys())
    return {dcid: actual.scores[dcid] for dcid in cleared if says_something(actual.scores[dcid])}


def _says_the_same(desired: str, actual: str) -> bool:
    return desired == actual or _comparable(desired) == _comparable(actual)


def _comparable(description: str) -> str:
    return " ".join(fitted(description).split())


def _agrees(desired: DesiredScore, actual: ActualScore | None) -> bool:
    """Say whether the row needs no write. A score code that a teacher entered is replaced, whatever it is worth.

    PowerSchool keeps an exempt row with or without a score; it counts neither way.
    """
    if actual is None or actual.is_code:
        return False
    if actual.missing != desired.missing or actual.exempt != desired.exempt:
        return False
    points = Decimal(0) if actual.points is None and actual.exempt else actual.points
    return points == desired.points or points == exact(desired.points)


def _as_held(score: DesiredScore) -> DesiredScore:
    points = exact(score.points)
    return score if points is score.points else msgspec.structs.replace(score, points=points)


def says_something(score: ActualScore) -> bool:
    """Say whether the row holds more than an emptied one: a score or a flag that passback sends."""
    return score.points is not None or score.missing or score.exempt
