"""A refusal that names nobody: halves of the batch find the bad rows, and everybody else's scores arrive."""

from dataclasses import replace
from decimal import Decimal

import pytest

from shared.domain.outcome import Done
from shared.domain.passback.course_state import State
from shared.domain.passback.powerschool import RosteredStudent
from shared.domain.passback.rules.reasons import Reason
from tests.fakes import refused
from tests.unit.domain.passback.baseline import ASSIGNMENT, ROSTERED
from tests.unit.workers.grade_passback.school import CHICAGO, School, row
from workers.grade_passback.compare import SyncPolicy
from workers.grade_passback.course_reader import CourseReader

CLASS = [f"S{number}" for number in range(1, 13)]
DCIDS = {sis_id: 500 + number for number, sis_id in enumerate(CLASS, start=1)}
EVERYBODY = set(DCIDS.values())


@pytest.fixture
def school() -> School:
    """Twelve students with a score in one assignment."""
    here = School()
    students = {sis_id: RosteredStudent(dcid, active=True) for sis_id, dcid in DCIDS.items()}
    here.rosters.remembered = {"4001": replace(ROSTERED, students=students)}
    here.canvas.rows = tuple(row(sis_id, f"7{dcid}", a11="8") for sis_id, dcid in DCIDS.items())
    here.assign(ASSIGNMENT)
    return here


def refused_students(school: School) -> list[tuple[str | None, Reason]]:
    return [(student.student_sis_id, student.finding.reason) for student in school.record().students]


def arrived(school: School) -> set[int]:
    return {dcid for dcid, points in school.powerschool.points("Reading 1").items() if points == Decimal(8)}


def test_one_bad_row_costs_one_student(school: School) -> None:
    """Eleven of twelve scores arrive; the twelfth is reported, and the assignment is fine."""
    school.powerschool.nameless_students = {507}
    assert school.sync() == Done()
    assert arrived(school) == EVERYBODY - {507}
    assert refused_students(school) == [("S7", Reason.STUDENT_REFUSED)]
    assert (school.record().state, school.record().scores_there) == (State.SYNCED, 11)


def test_two_bad_rows_cost_two_students(school: School) -> None:
    """Wherever they are in the batch."""
    school.powerschool.nameless_students = {501, 512}
    school.sync()
    assert arrived(school) == EVERYBODY - {501, 512}
    assert refused_students(school) == [("S1", Reason.STUDENT_REFUSED), ("S12", Reason.STUDENT_REFUSED)]


def test_it_stays_the_students_own_at_the_next_sync(school: School) -> None:
    """Then the bad row is a batch by itself: one request, and still not the assignment's refusal."""
    school.powerschool.nameless_students = {507}
    school.sync()
    before = school.powerschool.faults.calls["write_scores"]
    school.sync()
    assert school.powerschool.faults.calls["write_scores"] == before + 1
    assert refused_students(school) == [("S7", Reason.STUDENT_REFUSED)]
    assert school.record().state is State.SYNCED


def test_without_a_refusal_nothing_is_halved(school: School) -> None:
    """Twelve scores are one request."""
    school.sync()
    assert school.powerschool.faults.calls["write_scores"] == 1


def test_a_refusal_of_everybody_is_the_assignments(school: School) -> None:
    """It is reported once, and the search for a bad row is bounded."""
    school.powerschool.nameless_students = EVERYBODY
    school.sync()
    assert [finding.reason for finding in school.record().findings] == [Reason.REFUSED]
    assert refused_students(school) == []
    assert school.powerschool.faults.calls["write_scores"] <= 2 * 12


def test_a_large_batch_is_halved_within_a_bound() -> None:
    """A hundred bad rows cost a few dozen requests, not two hundred."""
    here, class_ = School(), [f"S{number}" for number in range(100)]
    students = {sis_id: RosteredStudent(500 + n, active=True) for n, sis_id in enumerate(class_)}
    here.rosters.remembered = {"4001": replace(ROSTERED, students=students)}
    here.canvas.rows = tuple(row(sis_id, f"7{n}", a11="8") for n, sis_id in enumerate(class_))
    here.assign(ASSIGNMENT)
    here.powerschool.nameless_students = {student.dcid for student in students.values()}
    here.sync()
    assert here.powerschool.faults.calls["write_scores"] < 75


@pytest.mark.parametrize("cause", ["powerschool_locked", "powerschool_grade_scale"])
def test_a_refusal_of_the_assignment_is_not_halved(school: School, cause: str) -> None:
    """No part of its scores would fare better."""
    school.sync()
    school.canvas.rows = tuple(row(sis_id, f"7{dcid}", a11="9") for sis_id, dcid in DCIDS.items())
    before = school.powerschool.faults.calls["write_scores"]
    school.powerschool.faults.always("write_scores", refused("PUT: 409", cause))
    school.sync()
    assert school.powerschool.faults.calls["write_scores"] == before + 1


def test_a_clear_that_is_refused_without_names_is_halved() -> None:
    """One student's old score stays; the other's is cleared."""
    here = School()
    here.assign(ASSIGNMENT)
    policy = SyncPolicy(CHICAGO, grace_days=14, default_category="", clear_scores=True)
    here.reader = CourseReader(
        here.canvas, here.rosters, here.powerschool, here.links, here.records, here.clock, policy, here.associations
    )
    here.course_sync = replace(here.course_sync, reader=here.reader)
    here.sync()
    for sis_id in ("S1", "S2"):
        here.grade(sis_id, "11", None)
    here.powerschool.uncleared_students = {501}
    here.sync()
    assert here.powerschool.points("Reading 1") == {501: Decimal(8), 502: None}
    assert [(s.student_sis_id, s.finding.reason) for s in here.record().students] == [("S1", Reason.SCORE_NOT_CLEARED)]
