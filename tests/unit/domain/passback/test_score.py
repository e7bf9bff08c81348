"""Which score goes where. Each test changes one field of a graded submission."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.passback.canvas import GradebookRow, Submission
from shared.domain.passback.course_state import StudentRecord
from shared.domain.passback.planning.diff import scores_to_write
from shared.domain.passback.powerschool import RosteredSection, RosteredStudent, Score
from shared.domain.passback.rules.reasons import Finding, Reason
from shared.domain.passback.rules.score import to_powerschool_decimal
from tests.unit.domain.passback.baseline import ROSTERED, Placed, actual, desired, graded, placed, row

SECOND = RosteredSection("4002", 4002, 100, 900, ROSTERED.term, {})
NOTHING = Placed()


def of(*rows: GradebookRow, section: str = "21", second: Iterable[tuple[str, RosteredStudent]] = ()) -> Placed:
    rostered = {"21": ROSTERED, "22": replace(SECOND, students=dict(second))}
    return placed(*rows, section=section, rostered=rostered)


def score(submission: Submission) -> Score:
    return of(row(submission)).scores[501]


def report(reason: Reason, sis_user_id: str | None) -> Placed:
    return Placed(students=(StudentRecord("71", sis_user_id, Finding(reason)),))


def test_score() -> None:
    """A graded score goes to its student, and to nobody else."""
    assert of(row(graded("8"))) == Placed({501: Score(Decimal(8))})


@pytest.mark.parametrize("points", ["10.5", "0", "12", "-2", "33.333333", "0.000001"])
def test_score_exactly(points: str) -> None:
    """Decimals, zero, extra credit and negative scores go as they are."""
    assert score(graded(points)).points == Decimal(points)


@pytest.mark.parametrize(
    ("points", "kept"),
    [
        ("1.0000005", "1.000001"),
        ("1.0000004", "1.000000"),
        ("-1.0000005", "-1.000001"),
        ("66.66666666666667", "66.666667"),
    ],
)
def test_more_decimals_than_powerschool(points: str, kept: str) -> None:
    """More than six decimals are rounded half up, since PowerSchool keeps six; what it kept is not sent again."""
    wanted = replace(desired(), scores={501: score(graded(points))})
    assert [sent.points for sent in scores_to_write(wanted, None, {}).values()] == [Decimal(kept)]
    assert scores_to_write(wanted, actual(scores={501: Score(Decimal(kept))}), {}) == {}


def test_excused_without_score() -> None:
    """Excused is a flag, and a score of 0 goes with it."""
    assert score(graded(None, excused=True)) == Score(Decimal(0), exempt=True)


def test_missing_without_score() -> None:
    """Missing is a flag, and a score of 0 goes with it, although nobody graded the work."""
    submission = graded(None, missing=True, workflow_state="unsubmitted")
    assert score(submission) == Score(Decimal(0), missing=True)


def test_missing_with_score() -> None:
    """Missing work keeps the score that Canvas's missing policy gave it."""
    assert score(graded("5", missing=True)) == Score(Decimal(5), missing=True)


def test_excused_with_score() -> None:
    """An excused score that Canvas still shows goes with the flag."""
    assert score(graded("5", excused=True)) == Score(Decimal(5), exempt=True)


@pytest.mark.parametrize("state", ["unsubmitted", "submitted", "graded"])
def test_nothing_to_send(state: str) -> None:
    """A student without a score or a flag is unscored."""
    assert of(row(graded(None, workflow_state=state))) == Placed(unscored=frozenset({501}))


def test_resubmitted() -> None:
    """A resubmission keeps the last score until it is graded again."""
    assert score(graded("8", workflow_state="submitted")).points == 8


def test_unfinished() -> None:
    """A partial quiz score is neither sent nor taken as cleared; a 0 that went with a flag is no longer due."""
    unfinished = Placed(unfinished=frozenset({501}))
    assert of(row(graded("3", workflow_state="pending_review"))) == unfinished
    assert of(row(graded(None, workflow_state="pending_review"))) == unfinished


@pytest.mark.parametrize("flag", ["excused", "missing"])
def test_unfinished_with_flag(flag: str) -> None:
    """A flag goes, however far the grading is."""
    submission = graded("3", workflow_state="pending_review", **{flag: True})
    assert score(submission).points == 3


@pytest.mark.parametrize("points", ["8", None])
def test_no_longer_assigned(points: str | None) -> None:
    """Work that is no longer assigned to the student is left alone: neither sent nor cleared."""
    assert of(row(graded(points, assignment_visible=False))) == NOTHING
    assert of(row(graded(points, assignment_visible=False, missing=True))) == NOTHING


def test_other_assignment() -> None:
    """Only the assignment that was asked for is looked at."""
    assert of(row(graded("8", assignment_id="12"))) == NOTHING


def test_other_section() -> None:
    """Only students of the section that was asked for are looked at."""
    assert of(row(graded("8"), section_ids=["22"])) == NOTHING


@pytest.mark.parametrize("submission", [graded("8"), graded(None, excused=True), graded(None, missing=True)])
def test_without_sis_id(submission: Submission) -> None:
    """A student without a SIS id who has something to send is reported."""
    assert of(row(submission, sis_user_id=None)) == report(Reason.STUDENT_SIS_ID_MISSING, None)


def test_without_sis_id_without_score() -> None:
    """A student without a SIS id, such as the Test Student, is not mentioned without a score."""
    assert of(row(graded(None), sis_user_id=None)) == NOTHING


def test_unknown_student() -> None:
    """A SIS id in no roster of the course is unknown."""
    assert of(row(graded("8"), "S9")) == report(Reason.STUDENT_UNKNOWN, "S9")


def test_unknown_student_without_score() -> None:
    """An unknown student without a score is not mentioned."""
    assert of(row(graded(None), "S9")) == NOTHING


def test_dropped_student() -> None:
    """A student who is not active in the section any more is reported, with a score only."""
    dropped = replace(ROSTERED, students={"S1": RosteredStudent(501, active=False)})
    found = placed(row(graded("8")), rostered={"21": dropped})
    assert found == report(Reason.STUDENT_NOT_IN_SECTION, "S1")
    assert placed(row(graded(None)), rostered={"21": dropped}) == NOTHING


def test_student_of_another_section() -> None:
    """A student whom PowerSchool has only in a section that Canvas does not list is reported."""
    found = of(row(graded("8"), "S3"), second=[("S3", RosteredStudent(503, active=True))])
    assert found == report(Reason.STUDENT_NOT_IN_SECTION, "S3")


def test_moved_student() -> None:
    """A student listed in two sections is scored where PowerSchool has the student, and not reported elsewhere."""
    moved = row(graded("8"), "S3", ["21", "22"])
    student = [("S3", RosteredStudent(503, active=True))]
    assert of(moved, second=student) == NOTHING
    assert of(moved, section="22", second=student).scores == {503: Score(Decimal(8))}


def test_moved_student_not_active_anywhere() -> None:
    """A student listed in two sections and active in neither is reported in both."""
    moved = row(graded("8"), "S3", ["21", "22", "29"])
    student = [("S3", RosteredStudent(503, active=False))]
    for section in ("21", "22"):
        assert of(moved, section=section, second=student) == report(Reason.STUDENT_NOT_IN_SECTION, "S3")


def test_student_in_two_sections() -> None:
    """A student who is active in two sections is scored in both."""
    both = row(graded("8"), "S1", ["21", "22"])
    student = [("S1", RosteredStudent(501, active=True))]
    assert of(both, second=student).scores == of(both, section="22", second=student).scores != {}


def test_a_row_that_says_nothing_hides_none_after_it() -> None:
    """Rows of another section, without the assignment, or not to be looked at are passed over, not an end."""
    elsewhere = replace(row(graded("1")), section_ids=frozenset({"22"}))
    without = replace(row(graded("2")), submissions={})
    unassigned = row(graded("3", assignment_visible=False))
    student = replace(row(graded("8")), user_id="72", sis_user_id="S2")
    assert of(elsewhere, without, unassigned, student).scores == {502: Score(Decimal(8))}


def test_whole_class() -> None:
    """One student who cannot be placed keeps nobody else's score back."""
    rows = [row(graded("8")), row(graded(None), "S2"), row(graded("1"), "S9")]
    assert of(*rows) == Placed(
        {501: Score(Decimal(8))},
        frozenset({502}),
        (StudentRecord("71", "S9", Finding(Reason.STUDENT_UNKNOWN)),),
    )


@given(st.decimals(-10_000, 10_000, places=6, allow_nan=False))
def test_exact_up_to_six_decimals(value: Decimal) -> None:
    """A number of up to six decimals is not changed at all."""
    assert to_powerschool_decimal(value) is value


@given(st.decimals(-10_000, 10_000, places=12, allow_nan=False))
def test_exact_beyond(value: Decimal) -> None:
    """Any number is changed by at most half of the sixth decimal, and only once."""
    assert abs(to_powerschool_decimal(value) - value) <= Decimal("0.0000005")
    assert to_powerschool_decimal(to_powerschool_decimal(value)) == to_powerschool_decimal(value)
