"""The rules that teachers know, one test per sentence. Every docstring quotes its sentence or is it.

Source: "Instructor FAQ: Canvas and PowerTeacher Grade Passback", as the product rules state it.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from shared.domain.categories import CategoryMissing, WhyNot, match_category
from shared.domain.dates import effective_due_at, local_due_date
from shared.domain.desired import DesiredScore
from shared.domain.eligibility import findings
from shared.domain.gradebook import GradingType, Override, OverrideTarget, Submission
from shared.domain.plan import Create, Forget, Plan, Scores, Update, make_plan
from shared.domain.powerschool import ActualAssignment, ActualScore, RosteredStudent
from shared.domain.reasons import Finding, Reason
from shared.domain.scoring import SectionScores, canvas_score
from tests.unit.domain.baseline import (
    ASSIGNMENT,
    CHICAGO,
    FACTS,
    GROUP,
    HOMEWORK,
    MARKS,
    ROSTERED,
    SECTION_DCID,
    TESTS,
    actual,
    desired,
    graded,
    linked,
    placed,
    reasons,
    row,
    scores,
    with_assignment,
)

WANTED = desired()
THERE = actual()


def sent(submission: Submission, sis_user_id: str | None = "S1") -> SectionScores:
    return placed(row(submission, sis_user_id))


def planned(wanted: tuple[object, ...] = (WANTED,), there: tuple[ActualAssignment, ...] = (THERE,)) -> Plan:
    """Return the plan for an assignment that is linked to what is in PowerSchool."""
    return make_plan(wanted, there, linked((WANTED, THERE), sent_to=[501, 502]), MARKS)  # type: ignore[arg-type]


def test_eligible_baseline() -> None:
    """The assignment that every test below changes in one point is eligible and sends its score."""
    assert findings(FACTS) == ()
    assert sent(graded("8")).scores == scores({501: "8"})


class TestWhatIsSent:
    @pytest.mark.parametrize(
        ("field", "now"), [("name", "Essay"), ("description", "New."), ("points", Decimal(20)), ("category_id", 62)]
    )
    def test_fields(self, field: str, now: object) -> None:
        """name, description, due date, points possible: "of the assignment, as Canvas has them now"."""
        changed = replace(WANTED, **{field: now})
        assert planned((changed,)).writes == (Update(THERE, changed, planned((changed,)).steps[0].changed_fields),)  # type: ignore[union-attr]

    def test_section_due_date(self) -> None:
        """Rule: "per-section due dates go to that section"."""
        thursday = datetime(2026, 10, 2, 4, 59, tzinfo=UTC)
        override = Override(OverrideTarget.SECTION, "22", changes_due_date=True, due_at=thursday)
        assignment = replace(ASSIGNMENT, overrides=(override,))
        days = [
            local_due_date(due_at, CHICAGO)
            for section_id in ("21", "22")
            if (due_at := effective_due_at(assignment, section_id)) is not None
        ]
        assert days == [date(2026, 9, 30), date(2026, 10, 1)]

    def test_category(self) -> None:
        """Rule: "the PowerSchool category associated with the Canvas assignment group"."""
        found = match_category(replace(GROUP, name="tests"), SECTION_DCID, (HOMEWORK, TESTS), {})
        assert getattr(found, "category", None) == TESTS

    def test_decimals(self) -> None:
        """Rule: "exactly as in Canvas, decimals kept (10.5 stays 10.5)"."""
        assert str(sent(graded("10.5")).scores[501].points) == "10.5"

    def test_extra_credit(self) -> None:
        """Rule: "above points possible is extra credit and goes unchanged"."""
        assert ASSIGNMENT.points_possible == 10
        assert sent(graded("12")).scores[501].points == 12

    @pytest.mark.parametrize(
        ("submission", "score"),
        [
            (graded(None, missing=True), DesiredScore(501, Decimal(0), missing=True)),
            (graded(None, excused=True), DesiredScore(501, Decimal(0), exempt=True)),
            (graded("3", missing=True), DesiredScore(501, Decimal(3), missing=True)),
        ],
    )
    def test_flags(self, submission: Submission, score: DesiredScore) -> None:
        """missing, excused: "as flags; with no score, a score of 0 goes with the flag"."""
        assert sent(submission).scores == {501: score}

    def test_late_and_weights_are_never_sent(self) -> None:
        """never: "late status, weights, Learning Mastery data" have no place in what is sent."""
        assert set(DesiredScore.__struct_fields__) == {"student_dcid", "points", "missing", "exempt"}
        assert not {"weight", "late", "outcomes"} & set(type(WANTED).__slots__)

    def test_attendance_is_never_sent(self) -> None:
        """never: "the Attendance (Roll Call) assignment"."""
        roll_call = with_assignment(name="Roll Call Attendance", submission_types=("external_tool",))
        assert reasons(findings(roll_call)) == [Reason.ATTENDANCE]

    def test_deletions_are_never_sent(self) -> None:
        """never: "deletions"."""
        assert planned(()) == Plan()

    def test_hidden_scores(self) -> None:
        """Rule: "Hidden (unposted) scores are sent; turning SIS sync off is how a teacher keeps them back"."""
        assert "posted_at" not in Submission.__slots__
        assert reasons(findings(with_assignment(post_to_sis=False))) == [Reason.SIS_SYNC_OFF]


class TestWhenAnAssignmentIsEligible:
    def test_all_reasons(self) -> None:
        """Rule: "all reasons that apply are reported, never only the first"."""
        facts = with_assignment(post_to_sis=False, published=False, due_at=None, points_possible=None)
        assert reasons(findings(facts)) == [
            Reason.SIS_SYNC_OFF,
            Reason.NOT_PUBLISHED,
            Reason.POINTS_MISSING,
            Reason.DUE_DATE_MISSING,
        ]

    def test_sis_sync_off(self) -> None:
        """Rule: ""Sync to SIS" (`post_to_sis`) is off"."""
        assert reasons(findings(with_assignment(post_to_sis=False))) == [Reason.SIS_SYNC_OFF]

    def test_not_published(self) -> None:
        """Rule: "it is not published"."""
        assert reasons(findings(with_assignment(published=False))) == [Reason.NOT_PUBLISHED]

    def test_not_gradable(self) -> None:
        """Rule: "grading type is "not graded""."""
        assert reasons(findings(with_assignment(grading_type=GradingType.NOT_GRADED))) == [Reason.NOT_GRADABLE]

    @pytest.mark.parametrize("kind", ["online_upload", "discussion_topic", "online_quiz"])
    def test_gradable(self, kind: str) -> None:
        """Rule: "assignments, graded discussions and quizzes are eligible"."""
        assert findings(with_assignment(submission_types=(kind,))) == ()

    @pytest.mark.parametrize(("name", "blocked"), [("n" * 30, False), ("n" * 31, True), ("&amp;" * 30, False)])
    def test_name_too_long(self, name: str, blocked: bool) -> None:
        """Rule: "the name, HTML-unescaped, is longer than 30 characters"."""
        assert reasons(findings(with_assignment(name=name))) == ([Reason.NAME_TOO_LONG] if blocked else [])

    def test_due_date_missing(self) -> None:
        """Rule: "no due date"."""
        assert reasons(findings(with_assignment(due_at=None))) == [Reason.DUE_DATE_MISSING]

    @pytest.mark.parametrize(
        ("due_at", "blocked"),
        [
            (datetime(2026, 12, 19, 5, 59, 59, tzinfo=UTC), False),
            (datetime(2026, 12, 19, 6, 0, 0, tzinfo=UTC), True),
        ],
    )
    def test_due_date_outside_term(self, due_at: datetime, blocked: bool) -> None:
        """Rule: "the due date, as a local calendar date of the school, is outside the section's PowerSchool term"."""
        assert reasons(findings(with_assignment(due_at=due_at))) == ([Reason.DUE_DATE_OUTSIDE_TERM] if blocked else [])

    @pytest.mark.parametrize(("today", "blocked"), [(date(2027, 1, 1), False), (date(2027, 1, 2), True)])
    def test_term_closed(self, today: date, blocked: bool) -> None:
        """Rule: "the term ended longer ago than the grace period"."""
        assert reasons(findings(replace(FACTS, today=today))) == ([Reason.TERM_CLOSED] if blocked else [])

    def test_term_closed_and_a_person_asks(self) -> None:
        """Rule: "a sync asked for by a person still goes through"."""
        assert findings(replace(FACTS, today=date(2027, 6, 1), asked_for_by_person=True)) == ()

    def test_not_assigned_to_everyone(self) -> None:
        """Rule: "only assigned to particular students, groups, sections or modules"."""
        assert reasons(findings(with_assignment(visible_to_everyone=False))) == [Reason.NOT_ASSIGNED_TO_EVERYONE]

    @pytest.mark.parametrize("target", [OverrideTarget.SECTION, OverrideTarget.STUDENTS])
    def test_beside_everyone_else(self, target: OverrideTarget) -> None:
        """Rule: "section dates beside Everyone Else, and extensions for single students, are fine"."""
        override = Override(target, "22", changes_due_date=True, due_at=ASSIGNMENT.due_at)
        assert findings(with_assignment(overrides=(override,))) == ()

    def test_points_missing(self) -> None:
        """Rule: "points possible is empty"."""
        assert reasons(findings(with_assignment(points_possible=None))) == [Reason.POINTS_MISSING]

    def test_hidden_graders(self) -> None:
        """Rule: "Canvas is still hiding who got what"."""
        assert reasons(findings(with_assignment(anonymize_students=True))) == [Reason.ANONYMOUS_UNTIL_POSTED]
        assert reasons(findings(with_assignment(moderated=True))) == [Reason.MODERATED_UNTIL_RELEASED]
        assert findings(with_assignment(moderated=True, grades_published=True)) == ()

    def test_category_missing(self) -> None:
        """Rule: "the assignment group has no PowerSchool category, and no default is set"."""
        essays = replace(GROUP, name="Essays")
        missing = match_category(essays, SECTION_DCID, (HOMEWORK, TESTS), {})
        assert missing == CategoryMissing(WhyNot.NONE, ("Homework", "Tests"))
        assert reasons(findings(replace(FACTS, category=missing))) == [Reason.CATEGORY_MISSING]
        by_default = match_category(essays, SECTION_DCID, (HOMEWORK, TESTS), {}, "Homework")
        assert findings(replace(FACTS, category=by_default)) == ()

    def test_name_taken(self) -> None:
        """Rule: "neither the assignment nor its grades are sent, and nothing is duplicated"."""
        by_hand = replace(THERE, created_by_plugin=None, due_date=date(2026, 10, 7))
        plan = make_plan([WANTED], [by_hand], {}, MARKS)
        assert plan.is_empty
        assert [f.finding.reason for f in plan.findings] == [Reason.NAME_TAKEN]

    @pytest.mark.parametrize(
        ("facts", "reason"),
        [
            (replace(FACTS, course=replace(FACTS.course, sis_course_id=None)), Reason.COURSE_SIS_ID_MISSING),
            (
                replace(FACTS, section=replace(FACTS.section, sis_section_id=None), rostered=None),
                Reason.SECTION_SIS_ID_MISSING,
            ),
            (replace(FACTS, rostered=None), Reason.SECTION_UNKNOWN),
        ],
    )
    def test_not_connected(self, facts: object, reason: Reason) -> None:
        """Rule: "the course or section is not connected to PowerSchool"."""
        assert reasons(findings(facts)) == [reason]  # type: ignore[arg-type]

    def test_not_graded_yet(self) -> None:
        """Rule: "(waiting, not blocked) it is created in PowerSchool when the first score or excuse exists"."""
        ungraded = replace(WANTED, scores={})
        waiting = make_plan([ungraded], [], {}, MARKS)
        assert waiting.is_empty
        assert [f.finding.reason for f in waiting.findings] == [Reason.NOT_GRADED_YET]
        excused = replace(ungraded, scores={501: DesiredScore(501, Decimal(0), exempt=True)})
        assert [type(step) for step in make_plan([excused], [], {}, MARKS).steps] == [Create, Scores]

    def test_section_by_section(self) -> None:
        """Created "in that section" only: a section without a score keeps waiting beside one that has some."""
        other = replace(WANTED, section_dcid=4002, scores={})
        plan = make_plan([WANTED, other], [], {}, MARKS)
        assert [step.section_dcid for step in plan.writes] == [SECTION_DCID, SECTION_DCID]
        assert [(f.section_dcid, f.finding.reason) for f in plan.findings] == [(4002, Reason.NOT_GRADED_YET)]


class TestPerScore:
    def test_student_sis_id_missing(self) -> None:
        """Per score: `student_sis_id_missing`."""
        [student] = sent(graded("8"), None).students
        assert student.finding == Finding(Reason.STUDENT_SIS_ID_MISSING)

    def test_student_unknown(self) -> None:
        """Per score: `student_unknown`."""
        [student] = sent(graded("8"), "S9").students
        assert student.finding == Finding(Reason.STUDENT_UNKNOWN)

    def test_student_not_in_section(self) -> None:
        """Per score: `student_not_in_section`."""
        dropped = replace(ROSTERED, students={"S1": RosteredStudent(501, active=False)})
        [student] = placed(row(graded("8")), rostered={"21": dropped}).students
        assert student.finding == Finding(Reason.STUDENT_NOT_IN_SECTION)

    def test_score_cleared(self) -> None:
        """A score that was sent and is now empty in Canvas: reported, and cleared only if the setting says so."""
        cleared = replace(WANTED, scores={}, unscored=frozenset({501}))
        links = linked((WANTED, THERE), sent_to=[501])
        kept = make_plan([cleared], [THERE], links, MARKS)
        assert kept.is_empty
        assert [(f.student_dcid, f.finding.reason) for f in kept.findings] == [(501, Reason.SCORE_CLEARED)]
        assert len(make_plan([cleared], [THERE], links, MARKS, clear_scores=True).writes) == 1

    def test_test_student(self) -> None:
        """Rule: "A test student is never sent"."""
        assert sent(graded("8"), None).scores == {}
        assert sent(graded(None), None) == SectionScores()


class TestOverwriting:
    def test_canvas_wins(self) -> None:
        """Canvas wins: a value changed by hand in PowerSchool is put back at the next sync of that assignment."""
        by_hand = replace(THERE, due_date=date(2026, 10, 7), scores={501: ActualScore(Decimal(3))})
        assert [type(step) for step in planned(there=(by_hand,)).steps] == [Update, Scores]

    def test_says_what_it_replaced(self) -> None:
        """Rule: "the audit entry says what it replaced"."""
        by_hand = replace(THERE, scores={501: ActualScore(Decimal(3))})
        [step] = planned(there=(by_hand,)).writes
        assert isinstance(step, Scores)
        assert step.replaces == {501: ActualScore(Decimal(3))}

    def test_foreign_assignments(self) -> None:
        """Rule: "Assignments that this service did not create are never touched"."""
        foreign = actual(desired("99", "Lab"), id=7002, created_by_plugin=None)
        assert planned(there=(THERE, foreign)) == Plan()

    def test_deleted_in_canvas(self) -> None:
        """Rule: "An assignment deleted in Canvas stays in PowerSchool"."""
        assert planned(()).writes == ()

    def test_deleted_in_powerschool(self) -> None:
        """An assignment deleted in PowerSchool by hand is created again at the next sync, with all its scores."""
        wanted = replace(WANTED, scores=scores({501: "8", 502: "9"}))
        plan = planned((wanted,), ())
        assert [type(step) for step in plan.steps] == [Forget, Create, Scores]
        assert plan.scores == 2

    def test_unchanged(self) -> None:
        """Rule: "An unchanged score is never sent again"."""
        assert planned() == Plan()


def test_concluded_course() -> None:
    """Ways to start a sync: a person, "also for a concluded course"."""
    long_after = FACTS.rostered.term.last_day + timedelta(days=90) if FACTS.rostered else FACTS.today
    assert [f.reason for f in findings(replace(FACTS, today=long_after))] == [Reason.TERM_CLOSED]
    assert findings(replace(FACTS, today=long_after, asked_for_by_person=True)) == ()


def test_late_deductions() -> None:
    """The score goes "exactly as in Canvas": what a late policy left of it, or the missing policy gave."""
    score = canvas_score(graded("7.25", missing=True))
    assert score is not None
    assert score.points == Decimal("7.25")
