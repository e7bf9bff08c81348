"""When an assignment is passed back. Each test changes one field of a valid one."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.passback.canvas import Assignment, GradingType, Override, OverrideTarget
from shared.domain.passback.rules.categories import MissingReason, NoCategory
from shared.domain.passback.rules.eligibility import (
    RULES,
    Facts,
    eligibility_findings,
)
from shared.domain.passback.rules.reasons import Finding, Reason
from tests.unit.domain.passback.baseline import ASSIGNMENT, FACTS, ROSTERED, reasons, with_assignment, with_rostered

NO_CATEGORY = NoCategory(MissingReason.NONE, ("Homework", "Tests"))


def only_finding(facts: Facts) -> Finding:
    [finding] = eligibility_findings(facts)
    return finding


def test_eligible() -> None:
    """A published, synced, dated, scored assignment for everyone is eligible."""
    assert eligibility_findings(FACTS) == ()


def test_sync_off() -> None:
    """Without "Sync to SIS" an assignment is not eligible."""
    assert only_finding(with_assignment(post_to_sis=False)) == Finding(Reason.SIS_SYNC_OFF)


def test_sync_switch_not_shown() -> None:
    """Where Canvas does not show the switch, the finding says so."""
    finding = only_finding(with_assignment(post_to_sis=None))
    assert finding == Finding(Reason.SIS_SYNC_OFF, "Canvas does not show the switch in this course")


def test_not_published() -> None:
    """An unpublished assignment is not eligible."""
    assert only_finding(with_assignment(published=False)) == Finding(Reason.NOT_PUBLISHED)


def test_not_graded_type() -> None:
    """Grading type "not graded" is not eligible."""
    assert only_finding(with_assignment(grading_type=GradingType.NOT_GRADED)) == Finding(Reason.NOT_GRADABLE)


@pytest.mark.parametrize("grading_type", [t for t in GradingType if t is not GradingType.NOT_GRADED])
def test_graded_types(grading_type: GradingType) -> None:
    """Every other grading type is eligible: each has a numeric score."""
    assert eligibility_findings(with_assignment(grading_type=grading_type)) == ()


@pytest.mark.parametrize("kind", ["not_graded", "wiki_page"])
def test_not_gradable_submission(kind: str) -> None:
    """Pages and ungraded submission types are not eligible."""
    assert only_finding(with_assignment(submission_types=(kind,))) == Finding(Reason.NOT_GRADABLE)


@pytest.mark.parametrize("kind", ["discussion_topic", "online_quiz", "external_tool", "on_paper", "none"])
def test_gradable_submission(kind: str) -> None:
    """Assignments, graded discussions and quizzes are eligible."""
    assert eligibility_findings(with_assignment(submission_types=(kind,))) == ()


@pytest.mark.parametrize(
    ("name", "kind", "attendance"),
    [
        ("Roll Call Attendance", "external_tool", True),
        ("Roll Call Attendance", "on_paper", False),
        ("Roll Call", "external_tool", False),
        ("Anything", "attendance", True),
    ],
)
def test_attendance(name: str, kind: str, attendance: bool) -> None:
    """Attendance is known by the tool's name and kind, or by the old submission type."""
    found = reasons(eligibility_findings(with_assignment(name=name, submission_types=(kind,))))
    assert found == ([Reason.ATTENDANCE] if attendance else [])


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("x" * 30, None),
        ("x" * 31, "31 characters"),
        ("&amp;" * 30, None),
        ("&amp;" * 31, "31 characters"),
    ],
)
def test_name_length(name: str, detail: str | None) -> None:
    """A name has at most 30 characters, HTML entities counting as one."""
    expected = () if detail is None else (Finding(Reason.NAME_TOO_LONG, detail),)
    assert eligibility_findings(with_assignment(name=name)) == expected


def test_due_date_missing() -> None:
    """An assignment without a due date is not eligible, and nothing is said about its term."""
    assert only_finding(with_assignment(due_at=None)) == Finding(Reason.DUE_DATE_MISSING)


def test_section_without_due_date() -> None:
    """A section whose own date is empty has no due date."""
    override = Override(OverrideTarget.SECTION, "21", changes_due_date=True, due_at=None)
    assert only_finding(with_assignment(overrides=(override,))) == Finding(Reason.DUE_DATE_MISSING)


def test_section_with_due_date() -> None:
    """A section with a date of its own needs none for Everyone Else."""
    override = Override(OverrideTarget.SECTION, "21", changes_due_date=True, due_at=ASSIGNMENT.due_at)
    assert eligibility_findings(with_assignment(due_at=None, overrides=(override,))) == ()


@pytest.mark.parametrize(
    ("due_at", "outside"),
    [
        # 17 August to 18 December in Chicago, summer time until November.
        (datetime(2026, 8, 17, 4, 59, 59, tzinfo=UTC), "2026-08-16"),
        (datetime(2026, 8, 17, 5, 0, tzinfo=UTC), None),
        (datetime(2026, 12, 19, 5, 59, 59, tzinfo=UTC), None),
        (datetime(2026, 12, 19, 6, 0, tzinfo=UTC), "2026-12-19"),
    ],
)
def test_due_date_outside_term(due_at: datetime, outside: str | None) -> None:
    """The due date counts as a day of the school's calendar, and both ends belong to the term."""
    detail = f"due {outside}, term 2026-08-17 to 2026-12-18"
    expected = () if outside is None else (Finding(Reason.DUE_DATE_OUTSIDE_TERM, detail),)
    assert eligibility_findings(with_assignment(due_at=due_at)) == expected


def test_due_date_follows_zone() -> None:
    """The district's time zone decides on which day work is due."""
    facts = replace(with_assignment(due_at=datetime(2026, 12, 19, 5, 59, 59, tzinfo=UTC)), zone=ZoneInfo("UTC"))
    assert reasons(eligibility_findings(facts)) == [Reason.DUE_DATE_OUTSIDE_TERM]


@pytest.mark.parametrize(("today", "closed"), [(date(2027, 1, 1), False), (date(2027, 1, 2), True)])
def test_term_closed(today: date, closed: bool) -> None:
    """A term is closed once its last day lies further back than the grace period."""
    expected = (Finding(Reason.TERM_CLOSED, "ended 2026-12-18, grace period 14 days"),) if closed else ()
    assert eligibility_findings(replace(FACTS, today=today)) == expected


def test_person_opens_term() -> None:
    """A sync that a person asked for goes through after the term."""
    assert eligibility_findings(replace(FACTS, today=date(2027, 6, 1), asked_for_by_person=True)) == ()


def test_no_grace() -> None:
    """Without a grace period a term closes on the day after its last."""
    assert eligibility_findings(replace(FACTS, today=date(2026, 12, 18), grace_days=0)) == ()
    assert reasons(eligibility_findings(replace(FACTS, today=date(2026, 12, 19), grace_days=0))) == [Reason.TERM_CLOSED]


def test_not_for_everyone() -> None:
    """An assignment that is not for everyone is not eligible."""
    assert only_finding(with_assignment(visible_to_everyone=False)) == Finding(Reason.NOT_ASSIGNED_TO_EVERYONE)


@pytest.mark.parametrize("target", list(OverrideTarget))
def test_extensions(target: OverrideTarget) -> None:
    """Dates for some beside Everyone Else leave an assignment eligible."""
    override = Override(target, "22", changes_due_date=True, due_at=ASSIGNMENT.due_at)
    assert eligibility_findings(with_assignment(overrides=(override,))) == ()


def test_points_missing() -> None:
    """An assignment without points possible is not eligible."""
    assert only_finding(with_assignment(points_possible=None)) == Finding(Reason.POINTS_MISSING)


def test_zero_points() -> None:
    """Zero points possible are points possible."""
    assert eligibility_findings(with_assignment(points_possible=Decimal(0))) == ()


def test_anonymous() -> None:
    """An anonymous assignment waits until Canvas shows who is who."""
    assert only_finding(with_assignment(anonymize_students=True)) == Finding(Reason.ANONYMOUS_UNTIL_POSTED)


@pytest.mark.parametrize(("published", "held"), [(None, True), (False, True), (True, False)])
def test_moderated(published: bool | None, held: bool) -> None:
    """A moderated assignment waits until Canvas says that its grades are released."""
    found = reasons(eligibility_findings(with_assignment(moderated=True, grades_published=published)))
    assert found == ([Reason.MODERATED_UNTIL_RELEASED] if held else [])


def test_not_moderated() -> None:
    """Nothing needs a release that is not moderated."""
    assert eligibility_findings(with_assignment(moderated=False, grades_published=False)) == ()


@pytest.mark.parametrize(
    ("missing", "detail"),
    [
        (NO_CATEGORY, "active categories: Homework, Tests"),
        (NoCategory(MissingReason.NONE), "active categories: none"),
        (
            NoCategory(MissingReason.INACTIVE, ("Tests",), "Homework"),
            "Homework is inactive; active categories: Tests",
        ),
        (
            NoCategory(MissingReason.EXCLUDED, ("Tests",), "Homework"),
            "Homework is excluded for this section; active categories: Tests",
        ),
    ],
)
def test_category_missing(missing: NoCategory, detail: str) -> None:
    """A group without a category says which ones the teacher has, and what is wrong with its own."""
    assert only_finding(replace(FACTS, category=missing)) == Finding(Reason.CATEGORY_MISSING, detail)


def test_category_unasked() -> None:
    """Where nobody could be asked for a category, none is missing."""
    assert eligibility_findings(replace(FACTS, category=None)) == ()


@pytest.mark.parametrize("sis_id", [None, ""])
def test_course_sis_id(sis_id: str | None) -> None:
    """A course without a SIS id is not connected."""
    facts = replace(FACTS, course=replace(FACTS.course, sis_course_id=sis_id))
    assert only_finding(facts) == Finding(Reason.COURSE_SIS_ID_MISSING)


@pytest.mark.parametrize("sis_id", [None, ""])
def test_section_sis_id(sis_id: str | None) -> None:
    """A section without a SIS id is not connected; that it is unknown as well goes without saying."""
    facts = replace(FACTS, section=replace(FACTS.section, sis_section_id=sis_id), rostered=None, category=None)
    assert only_finding(facts) == Finding(Reason.SECTION_SIS_ID_MISSING)


def test_section_unknown() -> None:
    """A SIS id that PowerSchool does not know is named, and nothing else is said about a term or a teacher."""
    facts = replace(FACTS, rostered=None, category=None, today=date(2030, 1, 1))
    assert only_finding(facts) == Finding(Reason.SECTION_UNKNOWN, "SIS id 4001")


def test_teacher_missing() -> None:
    """A section without a lead teacher has nobody to enter grades for."""
    assert only_finding(with_rostered(teacher_users_dcid=None)) == Finding(Reason.TEACHER_MISSING)


EVERYTHING_WRONG = Facts(
    course=replace(FACTS.course, sis_course_id=None),
    section=FACTS.section,
    assignment=Assignment(
        id="11",
        name="x" * 31,
        due_at=datetime(2027, 5, 1, tzinfo=UTC),
        points_possible=None,
        grading_type=GradingType.NOT_GRADED,
        published=False,
        post_to_sis=False,
        visible_to_everyone=False,
        group_id="31",
        submission_types=("attendance",),
        anonymize_students=True,
        moderated=True,
    ),
    rostered=replace(ROSTERED, teacher_users_dcid=None),
    category=NO_CATEGORY,
    today=date(2027, 6, 1),
    zone=FACTS.zone,
    grace_days=14,
)


def test_all_reasons() -> None:
    """All reasons that apply are reported, in the order of the tables, never only the first."""
    assert reasons(eligibility_findings(EVERYTHING_WRONG)) == [
        Reason.SIS_SYNC_OFF,
        Reason.NOT_PUBLISHED,
        Reason.NOT_GRADABLE,
        Reason.ATTENDANCE,
        Reason.NAME_TOO_LONG,
        Reason.NOT_ASSIGNED_TO_EVERYONE,
        Reason.POINTS_MISSING,
        Reason.ANONYMOUS_UNTIL_POSTED,
        Reason.MODERATED_UNTIL_RELEASED,
        Reason.DUE_DATE_OUTSIDE_TERM,
        Reason.TERM_CLOSED,
        Reason.CATEGORY_MISSING,
        Reason.COURSE_SIS_ID_MISSING,
        Reason.TEACHER_MISSING,
    ]


def test_one_rule_per_reason() -> None:
    """No reason has two rules."""
    codes = [rule.reason for rule in RULES]
    assert len(codes) == len(set(codes))


@given(st.integers(-400, 400), st.integers(0, 60))
def test_person_and_grace(days: int, grace: int) -> None:
    """A longer grace period never closes a term, and a person's sync is never stopped by one."""
    facts = replace(FACTS, today=FACTS.today + timedelta(days=days), grace_days=grace)
    longer = replace(facts, grace_days=grace + 1)
    assert len(eligibility_findings(longer)) <= len(eligibility_findings(facts))
    assert eligibility_findings(replace(facts, asked_for_by_person=True)) == ()
