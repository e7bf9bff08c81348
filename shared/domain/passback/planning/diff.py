"""Compares a desired with an actual assignment, in the fields and scores that passback owns."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

import msgspec

from shared.domain.passback.planning.description import same
from shared.domain.passback.planning.desired import DesiredAssignment
from shared.domain.passback.powerschool import ActualAssignment, Score
from shared.domain.passback.rules.score import to_powerschool_decimal


class OwnedField(StrEnum):
    """The fields of a PowerSchool assignment that follow Canvas. Every other belongs to the teacher."""

    NAME = "name"
    DESCRIPTION = "description"
    DUE_DATE = "due_date"
    POINTS = "points"
    CATEGORY = "category"
    COUNTED = "counted"
    SCORES_PUBLISHED = "scores_published"


def changed_fields(desired: DesiredAssignment, actual: ActualAssignment) -> tuple[OwnedField, ...]:
    """Return the owned fields in which PowerSchool differs from Canvas; a value that one does not show is equal."""
    equal = {
        OwnedField.NAME: desired.name.strip() == actual.name.strip(),
        OwnedField.DESCRIPTION: desired.description is None or same(desired.description, actual.description),
        OwnedField.DUE_DATE: desired.due_date == actual.due_date,
        OwnedField.POINTS: to_powerschool_decimal(desired.points) == actual.points,
        OwnedField.CATEGORY: desired.category_id == actual.category_id,
        OwnedField.COUNTED: _is_equal_or_unknown(desired.counted, actual.counted),
        OwnedField.SCORES_PUBLISHED: _is_equal_or_unknown(desired.scores_published, actual.scores_published),
    }
    return tuple(field for field, same in equal.items() if not same)


def differing_scores(desired: Mapping[int, Score], actual: Mapping[int, Score]) -> dict[int, Score]:
    """Return the scores that differ, by STUDENTS.DCID in order, as exactly as PowerSchool can hold them.

    Equal ones are left out: families are notified of every write.
    """
    differing = [dcid for dcid, score in desired.items() if not agrees(score, actual.get(dcid))]
    return {dcid: _rounded(desired[dcid]) for dcid in sorted(differing)}


def agrees(desired: Score, actual: Score | None) -> bool:
    """Say whether the row needs no write. A score code that a teacher entered is replaced, whatever it is worth.

    PowerSchool keeps an exempt row with or without a score; it counts neither way.
    """
    if actual is None or actual.is_code:
        return False
    if actual.missing != desired.missing or actual.exempt != desired.exempt:
        return False
    points = Decimal(0) if actual.points is None and actual.exempt else actual.points
    return points == desired.points or points == to_powerschool_decimal(desired.points)


def stale_scores(desired: DesiredAssignment, actual: ActualAssignment, sent_to: frozenset[int]) -> dict[int, Score]:
    """Return the scores in PowerSchool that were sent and are empty in Canvas now, by STUDENTS.DCID."""
    cleared = sorted(desired.unscored & sent_to & actual.scores.keys())
    return {dcid: actual.scores[dcid] for dcid in cleared if has_value(actual.scores[dcid])}


def _rounded(score: Score) -> Score:
    points = to_powerschool_decimal(score.points)
    return score if points is score.points else msgspec.structs.replace(score, points=points)


def has_value(score: Score) -> bool:
    """Say whether the row holds more than an emptied one: a score or a flag that passback sends."""
    return score.points is not None or score.missing or score.exempt


def is_flag_zero(score: Score) -> bool:
    """Say whether the row holds nothing but what a flag alone brings: the flag, and a 0 or no score."""
    return not score.is_code and has_value(score) and not score.points


def _is_equal_or_unknown(desired: bool | None, actual: bool | None) -> bool:
    return desired is None or actual is None or desired == actual
