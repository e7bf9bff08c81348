"""What PowerSchool holds in a form that passback cannot read is left as it is, and everything else goes on."""

from dataclasses import replace

from shared.domain.outcome import Done
from shared.domain.passback.course_state import State
from shared.domain.passback.rules.reasons import Reason
from tests.unit.workers.grade_passback.school import School, decimals, link_of


def test_an_unreadable_score_stays(school: School) -> None:
    """The other student's new score arrives; this one is neither written nor cleared, and is reported."""
    school.sync()
    there = school.powerschool.assignments_there[link_of(school)]
    left = {dcid: score for dcid, score in there.scores.items() if dcid != 501}
    odd = replace(there, scores=left, unreadable_scores={501: "score_points"})
    school.powerschool.assignments_there[link_of(school)] = odd
    for sis_id in ("S1", "S2"):
        school.grade(sis_id, "11", "1")
    assert school.sync() == Done()
    assert school.powerschool.points("Reading 1") == decimals(S2="1")
    (student,) = school.record().students
    assert (student.student_sis_id, student.finding.reason) == ("S1", Reason.VALUE_UNREADABLE)
    assert school.record().state is State.SYNCED


def test_an_unreadable_assignment_stays(school: School) -> None:
    """It is not created again and not written to; the other assignment's score arrives."""
    school.sync()
    there = school.powerschool.assignments_there[link_of(school)]
    odd = replace(there, name="", unreadable="due_date")
    school.powerschool.assignments_there[link_of(school)] = odd
    school.writes()
    for assignment_id in ("11", "12"):
        school.grade("S1", assignment_id, "1")
    assert school.sync() == Done()
    assert school.powerschool.writes == [("scores", (link_of(school, "12"),))]
    assert [(finding.reason, finding.detail) for finding in school.record().findings] == [
        (Reason.VALUE_UNREADABLE, "due_date")
    ]
    assert school.record().state is State.BLOCKED
