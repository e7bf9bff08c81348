"""Reading both sides: when rosters are read again, and that every reason is told."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from shared.domain.passback.canvas import Section, Submission
from shared.domain.passback.powerschool import RosteredStudent
from shared.domain.passback.rules.reasons import Reason
from tests.unit.domain.passback.baseline import ROSTERED, actual, desired
from tests.unit.workers.grade_passback.school import ROWS, School, decimals, row

NEWCOMER = row("S3", "73", a11="7")


def test_a_known_class_needs_no_fresh_roster(school: School) -> None:
    """Where every student is known, PowerSchool's rosters are not read again."""
    school.sync()
    assert school.rosters.refreshes == 0


def test_a_newcomer_makes_the_roster_fresh(school: School) -> None:
    """A student whom the remembered roster lacks causes one fresh reading, and is scored in the same run."""
    school.canvas.rows = (*ROWS, NEWCOMER)
    school.enroll("S3", 503)
    school.sync()
    assert school.rosters.refreshes == 1
    assert school.powerschool.points("Reading 1") == {**decimals(S1="8", S2="9.5"), 503: Decimal(7)}


def test_a_student_who_came_back_makes_the_roster_fresh(school: School) -> None:
    """A student who was not active and is again causes a fresh reading as well."""
    students = {**ROSTERED.students, "S2": RosteredStudent(502, active=False)}
    school.rosters.remembered = {"4001": replace(ROSTERED, students=students)}
    school.rosters.current = {"4001": ROSTERED}
    school.sync()
    assert school.powerschool.points("Reading 1") == decimals(S1="8", S2="9.5")


def test_an_unknown_student_is_asked_for_once(school: School) -> None:
    """A student whom PowerSchool really lacks is reported, and later syncs do not read the rosters again for it."""
    school.canvas.rows = (*ROWS, NEWCOMER)
    school.sync()
    school.sync()
    assert school.rosters.refreshes == 1
    assert [(s.student_sis_id, s.finding.reason) for s in school.record().students] == [("S3", Reason.STUDENT_UNKNOWN)]


def test_an_unknown_student_without_a_score_is_no_news(school: School) -> None:
    """Nothing is to be sent for a student without a score, so that no roster is read for one, however often."""
    school.canvas.rows = (*ROWS, row("S3", "73", a11=None))
    school.sync()
    assert school.rosters.refreshes == 0


def test_a_student_of_an_unknown_section_is_no_news(school: School) -> None:
    """The students of a Canvas section that PowerSchool lacks are not looked for at every sync."""
    school.canvas.content = replace(
        school.canvas.content, sections=(*school.canvas.content.sections, Section("22", "Period 2", "4002"))
    )
    school.canvas.rows = (*ROWS, replace(NEWCOMER, section_ids=frozenset({"22"})))
    school.sync()
    assert school.rosters.refreshes == 0


def test_a_test_student_is_no_news(school: School) -> None:
    """A student without a SIS id is told at once; no roster could know it."""
    school.canvas.rows = (*ROWS, replace(NEWCOMER, sis_user_id=None))
    school.sync()
    assert school.rosters.refreshes == 0


def test_a_fresh_roster_that_makes_more_eligible_brings_its_scores(school: School) -> None:
    """Where a fresh roster lifts a block, the scores of what it held back are read and sent in the same run."""
    students = {**ROSTERED.students, "S3": RosteredStudent(503, active=True)}
    short = replace(ROSTERED.term, last_day=datetime(2026, 10, 6, tzinfo=UTC).date())
    due_at = datetime(2026, 10, 20, tzinfo=UTC)
    school.edit("12", due_at=due_at)
    school.rosters.remembered = {"4001": replace(ROSTERED, term=short)}
    school.rosters.current = {"4001": replace(ROSTERED, students=students)}
    school.canvas.rows = (*ROWS, NEWCOMER)
    school.sync()
    assert school.powerschool.points("Reading 2") == decimals(S1="5", S2="6")


def test_a_taken_name_is_told_beside_other_reasons(school: School) -> None:
    """An assignment that a rule keeps back learns at once that its name is taken, too."""
    school.edit(post_to_sis=False, name="Quiz")
    school.powerschool.assignments_there[7900] = actual(desired(name="Quiz"), id=7900, created_by_plugin=None)
    school.sync()
    assert school.reasons() == [Reason.SIS_SYNC_OFF, Reason.NAME_TAKEN]


def test_ones_own_name_is_not_taken(school: School) -> None:
    """An assignment that is in PowerSchool already does not stand in its own way once a rule keeps it back."""
    school.sync()
    school.edit(post_to_sis=False)
    school.sync()
    assert school.reasons() == [Reason.SIS_SYNC_OFF]


def test_no_scores_are_asked_for_where_nothing_is_eligible(school: School) -> None:
    """Without an eligible assignment Canvas's gradebook is not read."""
    school.edit("11", post_to_sis=False)
    school.edit("12", post_to_sis=False)
    school.sync()
    assert "gradebook" not in school.canvas.faults.calls


def test_an_ungraded_assignment_waits(school: School) -> None:
    """An assignment that nobody has a score for is not created yet, and says so."""
    school.grade("S1", "11", None)
    school.grade("S2", "11", None)
    school.sync()
    assert school.reasons() == [Reason.NOT_GRADED_YET]
    assert school.powerschool.names() == ["Reading 2"]


def test_a_cleared_score_is_told(school: School) -> None:
    """A score that was sent and is empty now stays in PowerSchool; the record names the Canvas user."""
    school.sync()
    school.grade("S2", "11", None)
    school.sync()
    assert [(s.user_id, s.finding.reason) for s in school.record().students] == [("72", Reason.SCORE_CLEARED)]
    assert school.powerschool.points("Reading 1") == decimals(S1="8", S2="9.5")


def test_an_excuse_goes_as_a_flag(school: School) -> None:
    """An excused student is exempt in PowerSchool."""
    excused = Submission("11", None, excused=True, workflow_state="graded")
    first = replace(ROWS[0], submissions={**ROWS[0].submissions, "11": excused})
    school.canvas.rows = (first, ROWS[1])
    school.sync()
    there = next(a for a in school.powerschool.assignments_there.values() if a.name == "Reading 1")
    assert there.scores[501].exempt
