"""The rules of the FAQ for teachers, one test per sentence, which its docstring quotes.

Each test drives what production runs: the comparison of both sides with its plan, and the sync that carries it out.

Source: "Instructor FAQ: Canvas and PowerTeacher Grade Passback", as the product rules state it.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from shared.domain.passback.audit import WriteKind
from shared.domain.passback.canvas import (
    Checkpoint,
    GradebookRow,
    GradingType,
    Override,
    OverrideTarget,
    Section,
    Submission,
)
from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.course_state import State
from shared.domain.passback.powerschool import ActualAssignment, DesiredAssignment, Mark, RosteredStudent, Score
from shared.domain.passback.rules.reasons import Reason
from shared.ports.passback import ScoreRow
from tests.manual_clock import ManualClock
from tests.unit.domain.passback.baseline import (
    ASSIGNMENT,
    COURSE,
    FALL,
    GROUP,
    HOMEWORK,
    ROSTERED,
    SECTION_DCID,
    TESTS,
    actual,
    desired,
    graded,
    placed,
    row,
    scores,
)
from tests.unit.workers.grade_passback.school import NOW, ROWS, School, change_set, decimals, link_of
from workers.grade_passback.compare import compare

OTHER_SECTION = Section("22", "Period 2", "4002")
OTHER_ROSTER = replace(ROSTERED, sis_section_id="4002", dcid=4002, students={"S3": RosteredStudent(503, active=True)})
FAR = date(2027, 1, 2)
Value = tuple[Decimal | None, bool, bool]


def school_with(*submissions: Submission, sis_user_id: str | None = "S1", **changes: object) -> School:
    """Return a school with one assignment, changed in these fields, and one student's submission of it, scored 8."""
    school = School()
    submission = submissions[0] if submissions else graded("8")
    school.canvas.rows = (GradebookRow("71", sis_user_id, frozenset({"21"}), {"11": submission}),)
    school.canvas.content = replace(COURSE, assignments=(replace(ASSIGNMENT, **changes),))  # type: ignore[arg-type]
    return school


def reasons(school: School, *, by_person: bool = False) -> list[Reason]:
    """Return why the assignment is not in PowerSchool, as the comparison and its plan say."""
    comparison = compare(school.reader.read("1", asked_for_by_person=by_person))
    planned = [f.finding for f in comparison.plan.findings if f.student_dcid is None]
    return [finding.reason for finding in (*comparison.placements[0].findings, *planned)]


def blocked(**changes: object) -> list[Reason]:
    """Return the reasons for an assignment with these changes; a sync writes it exactly if there are none."""
    school = school_with(**changes)
    found = reasons(school)
    school.sync()
    assert school.writes() == ([] if found else ["create", "scores"])
    return found


def sent(school: School) -> ActualAssignment:
    """Sync, and return what PowerSchool has of the assignment."""
    school.sync()
    return school.powerschool.assignments_there[link_of(school)]


def values(there: ActualAssignment) -> dict[int, Value]:
    """Return points, missing and exempt in PowerSchool, by STUDENTS.DCID."""
    return {dcid: (score.points, score.missing, score.exempt) for dcid, score in there.scores.items()}


def student_reasons(school: School) -> list[Reason]:
    """Sync, and return why students' scores of the assignment were not sent."""
    school.sync()
    return [student.finding.reason for student in school.record().students]


def person_syncs(school: School) -> None:
    """Sync the course because a person asked for it."""
    lease, asked = school.changes.lease("1"), change_set(cause=ChangeCause.PERSON)
    school.outcome_handler.run(lease, asked, lambda: school.course_sync.run(asked, lambda: None, lease.token))


def test_eligible_baseline() -> None:
    """The assignment that every test below changes in one point is eligible and sends its score."""
    assert blocked() == []
    assert values(sent(school_with())) == {501: (Decimal(8), False, False)}


class TestWhatIsSent:
    @pytest.mark.parametrize(
        ("change", "field", "now"),
        [
            ({"name": "Essay"}, "name", "Essay"),
            ({"name": "A &amp; B &notes"}, "name", "A &amp; B &notes"),
            ({"description": "New."}, "description", "New."),
            ({"points_possible": Decimal(20)}, "points", Decimal(20)),
            ({"due_at": datetime(2026, 10, 8, 4, 59, tzinfo=UTC)}, "due_date", date(2026, 10, 7)),
        ],
    )
    def test_fields(self, change: dict[str, object], field: str, now: object) -> None:
        """name, points possible, due date, description: "of the assignment, as Canvas has them now"."""
        school = School()
        school.sync()
        school.edit("11", **change)
        assert getattr(sent(school), field) == now

    def test_section_due_date(self) -> None:
        """Rule: "per-section due dates go to that section"."""
        thursday = datetime(2026, 10, 2, 4, 59, tzinfo=UTC)
        override = Override(OverrideTarget.SECTION, "22", changes_due_date=True, due_at=thursday)
        school = two_sections(overrides=(override,))
        school.sync()
        days = {a.section_dcid: a.due_date for a in school.powerschool.assignments_there.values()}
        assert days == {SECTION_DCID: date(2026, 9, 30), 4002: date(2026, 10, 1)}

    def test_category(self) -> None:
        """Rule: "the PowerSchool category associated with the Canvas assignment group"."""
        school = school_with()
        school.powerschool.categories_there = (HOMEWORK, TESTS)
        group = replace(GROUP, name="tests")
        school.canvas.content = replace(school.canvas.content, groups={group.id: group})
        assert sent(school).category_id == TESTS.id

    def test_decimals(self) -> None:
        """Rule: "exactly as in Canvas, decimals kept (10.5 stays 10.5)"."""
        assert str(sent(school_with(graded("10.5"))).scores[501].points) == "10.5"

    def test_extra_credit(self) -> None:
        """Rule: "above points possible is extra credit and goes unchanged"."""
        there = sent(school_with(graded("12")))
        assert (there.points, there.scores[501].points) == (10, 12)

    @pytest.mark.parametrize(
        ("submission", "score"),
        [
            (graded(None, missing=True), (Decimal(0), True, False)),
            (graded(None, excused=True), (Decimal(0), False, True)),
            (graded("3", missing=True), (Decimal(3), True, False)),
        ],
    )
    def test_flags(self, submission: Submission, score: Value) -> None:
        """missing, excused: "as flags; with no score, a score of 0 goes with the flag"."""
        school = school_with(submission)
        # Missing alone creates no assignment: a classmate is graded.
        school.canvas.rows = (*school.canvas.rows, replace(ROWS[1], submissions={"11": graded("5")}))
        assert values(sent(school))[501] == score

    @pytest.mark.parametrize(
        ("omitted", "category", "counted"), [(True, True, False), (False, False, False), (False, True, True)]
    )
    def test_counted(self, omitted: bool, category: bool, counted: bool) -> None:
        """counted: "not, where Canvas does not count it; else as the PowerSchool category's default says"."""
        school = school_with(omitted_from_final_grade=omitted)
        school.powerschool.categories_there = (replace(HOMEWORK, counted=category, scores_published=category),)
        there = sent(school)
        assert (there.counted, there.scores_published) == (counted, category)
        school.edit(omitted_from_final_grade=not omitted)
        assert sent(school).counted is (omitted and category)

    def test_a_withdrawn_flag(self) -> None:
        """Rule: "That 0 is passback's own: when the flag is withdrawn and no score came, flag and 0 go again"."""
        school = school_with(graded(None, excused=True))
        assert values(sent(school)) == {501: (Decimal(0), False, True)}
        school.grade("S1", "11", None)
        assert values(sent(school)) == {501: (None, False, False)}

    def test_a_teachers_own_marks(self) -> None:
        """A teacher's own marks in PowerSchool: "left as they are by every write"."""
        school, own = school_with(), frozenset({Mark.LATE, Mark.COLLECTED})
        there = sent(school)
        marked = replace(there, scores={501: Score(Decimal(8), marks=own)})
        school.powerschool.assignments_there[link_of(school)] = marked
        school.grade("S1", "11", "9")
        assert sent(school).scores[501] == Score(Decimal(9), marks=own)

    def test_what_is_stored_differently(self) -> None:
        """Rule: "reported once and not written again until either side changes"."""
        school = school_with(name="Quiz \U0001f389 time")
        school.powerschool.stores = lambda stored: replace(stored, name=stored.name.replace("\U0001f389", "??"))
        sent(school)
        school.writes()
        sent(school)
        assert (school.writes(), school.reasons(), school.record().state) == (
            [],
            [Reason.STORED_DIFFERENTLY],
            State.SYNCED,
        )

    def test_late_and_weights_are_never_sent(self) -> None:
        """never: "late status, weights, Learning Mastery data" have no place in what is sent."""
        assert not {"weight", "late", "outcomes"} & {*Score.__struct_fields__, *ScoreRow.__slots__}
        assert not {"weight", "late", "outcomes"} & set(DesiredAssignment.__slots__)

    def test_attendance_is_never_sent(self) -> None:
        """never: "the Attendance (Roll Call) assignment"."""
        found = blocked(name="Roll Call Attendance", submission_types=("external_tool",))
        assert found == [Reason.ATTENDANCE]

    def test_deletions_are_never_sent(self) -> None:
        """never: "deletions"."""
        school = School()
        school.sync()
        school.writes()
        school.assign()
        school.sync()
        assert (school.writes(), len(school.powerschool.assignments_there)) == ([], 2)

    def test_hidden_scores(self) -> None:
        """Rule: "Hidden (unposted) scores are sent; turning SIS sync off is how a teacher keeps them back"."""
        assert placed(row(graded("8", posted_at=None))).scores == placed(row(graded("8"))).scores == scores({501: "8"})
        assert blocked(post_to_sis=False) == [Reason.SIS_SYNC_OFF]

    def test_a_discussion_with_checkpoints(self) -> None:
        """Rule: "due on its last checkpoint's day in that section, points and score of the parent"."""
        parts = tuple(Checkpoint(datetime(2026, 10, day, 4, 59, tzinfo=UTC)) for day in (2, 5))
        there = sent(school_with(due_at=None, checkpoints=parts))
        assert (there.due_date, there.points, there.scores[501].points) == (date(2026, 10, 4), 10, 8)


def two_sections(rows: Iterable[GradebookRow] = (), **changes: object) -> School:
    """Return a school whose course has a second section with one student, graded unless `rows` says otherwise."""
    school = school_with(**changes)
    school.canvas.content = replace(school.canvas.content, sections=(*COURSE.sections, OTHER_SECTION))
    own = tuple(rows) or (GradebookRow("73", "S3", frozenset({"22"}), {"11": graded("9")}),)
    school.canvas.rows = (*school.canvas.rows, *own)
    school.rosters.remembered = {"4001": ROSTERED, "4002": OTHER_ROSTER}
    return school


class TestWhenAnAssignmentIsEligible:
    def test_all_reasons(self) -> None:
        """Rule: "all reasons that apply are reported, never only the first"."""
        assert blocked(post_to_sis=False, published=False, due_at=None, points_possible=None) == [
            Reason.SIS_SYNC_OFF,
            Reason.NOT_PUBLISHED,
            Reason.POINTS_MISSING,
            Reason.DUE_DATE_MISSING,
        ]

    def test_sis_sync_off(self) -> None:
        """Rule: ""Sync to SIS" (`post_to_sis`) is off"."""
        assert blocked(post_to_sis=False) == [Reason.SIS_SYNC_OFF]

    def test_not_published(self) -> None:
        """Rule: "it is not published"."""
        assert blocked(published=False) == [Reason.NOT_PUBLISHED]

    def test_not_gradable(self) -> None:
        """Rule: "grading type is "not graded""."""
        assert blocked(grading_type=GradingType.NOT_GRADED) == [Reason.NOT_GRADABLE]

    @pytest.mark.parametrize("kind", ["online_upload", "discussion_topic", "online_quiz"])
    def test_gradable(self, kind: str) -> None:
        """Rule: "assignments, graded discussions and quizzes are eligible"."""
        assert blocked(submission_types=(kind,)) == []

    @pytest.mark.parametrize(("name", "too_long"), [("n" * 30, False), ("n" * 31, True), ("&amp;" * 30, False)])
    def test_name_too_long(self, name: str, too_long: bool) -> None:
        """Rule: "the name is longer than 30 characters, an HTML entity counting as the one that it stands for"."""
        assert blocked(name=name) == ([Reason.NAME_TOO_LONG] if too_long else [])

    def test_due_date_missing(self) -> None:
        """Rule: "no due date"."""
        assert blocked(due_at=None) == [Reason.DUE_DATE_MISSING]

    @pytest.mark.parametrize(
        ("due_at", "outside"),
        [
            (datetime(2026, 12, 19, 5, 59, 59, tzinfo=UTC), False),
            (datetime(2026, 12, 19, 6, 0, 0, tzinfo=UTC), True),
        ],
    )
    def test_due_date_outside_term(self, due_at: datetime, outside: bool) -> None:
        """Rule: "the due date, as a local calendar date of the school, is outside the section's PowerSchool term"."""
        assert blocked(due_at=due_at) == ([Reason.DUE_DATE_OUTSIDE_TERM] if outside else [])

    @pytest.mark.parametrize(("today", "closed"), [(FAR - timedelta(days=1), False), (FAR, True)])
    def test_term_closed(self, today: date, closed: bool) -> None:
        """Rule: "the term ended longer ago than the grace period"."""
        assert reasons(school_on(today)) == ([Reason.TERM_CLOSED] if closed else [])

    def test_term_closed_and_a_person_asks(self) -> None:
        """Rule: "a sync asked for by a person still goes through"."""
        school = school_on(date(2027, 6, 1))
        assert (reasons(school), reasons(school, by_person=True)) == ([Reason.TERM_CLOSED], [])
        person_syncs(school)
        assert school.powerschool.points("Reading 1") == {501: 8}

    def test_not_assigned_to_everyone(self) -> None:
        """Rule: "only assigned to particular students, groups, sections or modules"."""
        assert blocked(visible_to_everyone=False) == [Reason.NOT_ASSIGNED_TO_EVERYONE]

    @pytest.mark.parametrize("target", [OverrideTarget.SECTION, OverrideTarget.STUDENTS])
    def test_beside_everyone_else(self, target: OverrideTarget) -> None:
        """Rule: "section dates beside Everyone Else, and extensions for single students, are fine"."""
        override = Override(target, "22", changes_due_date=True, due_at=ASSIGNMENT.due_at)
        assert blocked(overrides=(override,)) == []

    def test_points_missing(self) -> None:
        """Rule: "points possible is empty"."""
        assert blocked(points_possible=None) == [Reason.POINTS_MISSING]

    def test_hidden_graders(self) -> None:
        """Rule: "Canvas is still hiding who got what"."""
        assert blocked(anonymize_students=True) == [Reason.ANONYMOUS_UNTIL_POSTED]
        assert blocked(moderated=True) == [Reason.MODERATED_UNTIL_RELEASED]
        assert blocked(moderated=True, grades_published=True) == []

    @pytest.mark.parametrize("hidden", [True, False])
    def test_hidden_in_gradebook(self, hidden: bool) -> None:
        """Rule: "Canvas hides it from its own gradebook (`hide_in_gradebook`, `suppress_assignment`)"."""
        assert blocked(hidden_in_gradebook=hidden) == ([Reason.HIDDEN_IN_GRADEBOOK] if hidden else [])

    def test_category_missing(self) -> None:
        """Rule: "the assignment group has no PowerSchool category, and no default is set"."""
        essays = replace(GROUP, name="Essays")
        for default, expected in (("", [Reason.CATEGORY_MISSING]), ("Homework", [])):
            school = School(default_category=default)
            assignments = (replace(ASSIGNMENT),)
            school.canvas.content = replace(COURSE, assignments=assignments, groups={essays.id: essays})
            assert reasons(school) == expected

    def test_name_taken(self) -> None:
        """Rule: "neither the assignment nor its grades are sent, and nothing is duplicated"."""
        school = school_with()
        by_hand = actual(desired(due_date=date(2026, 10, 7)), id=7900, created_by_plugin=None, scores={})
        school.powerschool.assignments_there[7900] = by_hand
        school.sync()
        assert (school.writes(), school.reasons()) == ([], [Reason.NAME_TAKEN])

    def test_several_of_one_name(self) -> None:
        """Rule: "the one already in PowerSchool goes, else the graded one with the lowest id"."""
        school = School()
        school.edit("12", name=ASSIGNMENT.name)
        school.sync()
        assert school.powerschool.points(ASSIGNMENT.name) == decimals(S1="8", S2="9.5")
        assert (school.reasons("11"), school.reasons("12")) == ([], [Reason.NAME_TAKEN])

    def test_exchanged_names(self) -> None:
        """Rule: "names exchanged between two of passback's own are exchanged"."""
        school = School()
        school.sync()
        school.edit("11", name="Reading 2")
        school.edit("12", name="Reading 1")
        school.sync()
        assert school.powerschool.points("Reading 1") == decimals(S1="5", S2="6")
        assert school.reasons("11") == school.reasons("12") == []

    @pytest.mark.parametrize(
        ("disconnect", "reason"),
        [
            ({"sis_course_id": None}, Reason.COURSE_SIS_ID_MISSING),
            ({"sections": (replace(COURSE.sections[0], sis_section_id=None),)}, Reason.SECTION_SIS_ID_MISSING),
            ({"sections": (replace(COURSE.sections[0], sis_section_id="4999"),)}, Reason.SECTION_UNKNOWN),
        ],
    )
    def test_not_connected(self, disconnect: dict[str, object], reason: Reason) -> None:
        """Rule: "the course or section is not connected to PowerSchool"."""
        school = school_with()
        school.canvas.content = replace(school.canvas.content, **disconnect)  # type: ignore[arg-type]
        assert reasons(school) == [reason]

    def test_not_graded_yet(self) -> None:
        """Rule: "it is created in PowerSchool when the first score or excuse exists in that section"."""
        school = school_with(graded(None))
        school.sync()
        assert (school.writes(), school.reasons()) == ([], [Reason.NOT_GRADED_YET])
        assert school.record().state is State.WAITING
        assert sent(school_with(graded(None, excused=True))).scores[501].exempt

    def test_missing_alone(self) -> None:
        """Rule: "Missing alone never creates one"."""
        school = school_with(graded(None, missing=True))
        school.sync()
        assert (school.writes(), school.reasons()) == ([], [Reason.NOT_GRADED_YET])

    def test_section_by_section(self) -> None:
        """Created "in that section" only: a section without a score keeps waiting beside one that has some."""
        school = two_sections([GradebookRow("73", "S3", frozenset({"22"}), {"11": graded(None)})])
        school.sync()
        assert {a.section_dcid for a in school.powerschool.assignments_there.values()} == {SECTION_DCID}
        assert reasons(school) == [Reason.NOT_GRADED_YET]


def school_on(today: date) -> School:
    """Return a school with one assignment on a day, at noon in Chicago."""
    noon = datetime(today.year, today.month, today.day, 18, tzinfo=UTC)
    school = School(clock=ManualClock(noon))
    school.canvas.content = replace(COURSE, assignments=(ASSIGNMENT,))
    school.canvas.rows = (GradebookRow("71", "S1", frozenset({"21"}), {"11": graded("8")}),)
    return school


class TestPerScore:
    def test_student_sis_id_missing(self) -> None:
        """Per score: `student_sis_id_missing`."""
        assert student_reasons(school_with(sis_user_id=None)) == [Reason.STUDENT_SIS_ID_MISSING]

    def test_student_unknown(self) -> None:
        """Per score: `student_unknown`."""
        assert student_reasons(school_with(sis_user_id="S9")) == [Reason.STUDENT_UNKNOWN]

    def test_student_not_in_section(self) -> None:
        """Per score: `student_not_in_section`."""
        school = school_with()
        dropped = replace(ROSTERED, students={"S1": RosteredStudent(501, active=False)})
        school.rosters.remembered = {"4001": dropped}
        assert student_reasons(school) == [Reason.STUDENT_NOT_IN_SECTION]

    def test_score_cleared(self) -> None:
        """A score that was sent and is now empty in Canvas: reported, and cleared only if the setting says so."""
        for clear_scores, found, writes in ((False, [Reason.SCORE_CLEARED], []), (True, [], ["clear"])):
            school = School(clear_scores=clear_scores)
            school.sync()
            school.writes()
            school.grade("S1", "11", None)
            assert (student_reasons(school), school.writes()) == (found, writes)

    def test_test_student(self) -> None:
        """Rule: "A test student is never sent"."""
        school = school_with(sis_user_id=None)
        school.sync()
        assert school.writes() == []


class TestOverwriting:
    @pytest.fixture
    def synced(self) -> School:
        school = School()
        school.sync()
        school.writes()
        return school

    def by_hand(self, school: School, **changes: object) -> None:
        """Change what a teacher can change in PowerSchool."""
        there = school.powerschool.assignments_there
        there[link_of(school)] = replace(there[link_of(school)], **changes)  # type: ignore[arg-type]

    def test_canvas_wins(self, synced: School) -> None:
        """Canvas wins: a value changed by hand in PowerSchool is put back at the next sync of that assignment."""
        was = synced.powerschool.assignments_there[link_of(synced)]
        self.by_hand(synced, due_date=date(2026, 10, 7), scores={**was.scores, 501: Score(Decimal(3))})
        synced.sync()
        now = synced.powerschool.assignments_there[link_of(synced)]
        assert (now.due_date, values(now)) == (was.due_date, values(was))

    def test_says_what_it_replaced(self, synced: School) -> None:
        """Rule: "the audit entry says what it replaced"."""
        was = synced.powerschool.assignments_there[link_of(synced)]
        self.by_hand(synced, scores={**was.scores, 501: Score(Decimal(3))})
        synced.sync()
        entry = synced.entries()[-1]
        assert entry.kind is WriteKind.SCORES
        (change,) = entry.scores
        assert change.before is not None
        assert (change.before.points, change.after and change.after.points) == (3, 8)

    def test_foreign_assignments(self, synced: School) -> None:
        """Rule: "Assignments that this service did not create are never touched"."""
        foreign = actual(desired("99", "Lab"), id=7900, created_by_plugin=None)
        synced.powerschool.assignments_there[7900] = foreign
        synced.sync()
        assert (synced.writes(), synced.powerschool.assignments_there[7900]) == ([], foreign)

    def test_deleted_in_canvas(self, synced: School) -> None:
        """Rule: "An assignment deleted in Canvas stays in PowerSchool"."""
        synced.assign()
        synced.sync()
        assert (synced.writes(), len(synced.powerschool.assignments_there)) == ([], 2)

    def test_deleted_in_powerschool(self, synced: School) -> None:
        """An assignment deleted in PowerSchool by hand is created again at the next sync, with all its scores."""
        del synced.powerschool.assignments_there[link_of(synced)]
        synced.sync()
        assert synced.writes() == ["create", "scores"]
        assert synced.powerschool.points("Reading 1") == decimals(S1="8", S2="9.5")

    def test_unchanged(self, synced: School) -> None:
        """Rule: "An unchanged score is never sent again"."""
        synced.sync()
        assert synced.writes() == []


def test_concluded_course() -> None:
    """Ways to start a sync: a person, "also for a concluded course"."""
    school = school_on(FALL.last_day + timedelta(days=90))
    assert reasons(school) == [Reason.TERM_CLOSED]
    person_syncs(school)
    assert school.powerschool.points("Reading 1") == {501: 8}


def test_late_deductions() -> None:
    """The score goes "exactly as in Canvas": what a late policy left of it, or the missing policy gave."""
    assert sent(school_with(graded("7.25", missing=True))).scores[501].points == Decimal("7.25")
    assert NOW.date() > date(2026, 9, 30), "the assignment is past due"
