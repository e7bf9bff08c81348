"""The sentence on top, the groups below it and the badges tell the same, whoever is held back and why."""

from dataclasses import replace

import pytest

from shared.domain.passback.course_state import SectionRecord, State, StudentRecord
from shared.domain.passback.rules.reasons import Finding, Reason
from tests.unit.web.lti.canvas_site import CanvasSite
from workers.grade_passback.explain.response import ExplainQuery
from workers.web.lti.session import LtiRole

AGREES = SectionRecord("4001", State.SYNCED, (), (), 5, 6, 2, 2)


def held(reason: Reason, section: SectionRecord = AGREES) -> SectionRecord:
    """Return the section with one student whose score is held back."""
    return replace(section, students=(StudentRecord("73", "S3", Finding(reason)),))


NOBODY_THERE = replace(AGREES, scores_there=0)
SECTIONS = {
    "agrees": (AGREES, "1 of 1 assignment agrees with PowerSchool.", "PowerSchool agrees with Canvas.", "agrees"),
    "an administrator": (
        held(Reason.STUDENT_NOT_IN_SECTION),
        "0 of 1 assignment agree with PowerSchool; 1 agrees for all but some students.",
        "PowerSchool agrees with Canvas for all but some students.",
        "all but 1",
    ),
    "the teacher": (
        held(Reason.SCORE_CLEARED),
        "0 of 1 assignment agree with PowerSchool; 1 needs you.",
        "PowerSchool agrees with Canvas for all but some students, who need you.",
        "all but 1",
    ),
    "everybody, by an administrator": (
        held(Reason.STUDENT_UNKNOWN, NOBODY_THERE),
        "0 of 1 assignment agree with PowerSchool; 1 needs somebody else.",
        "Not sent as it is: this assignment needs somebody else.",
        "every score held back",
    ),
    "everybody, by the teacher": (
        held(Reason.SCORE_CLEARED, NOBODY_THERE),
        "0 of 1 assignment agree with PowerSchool; 1 needs you.",
        "Not sent as it is: this assignment needs you.",
        "every score held back",
    ),
    "a student waits": (
        held(Reason.RETRYING),
        "0 of 1 assignment agree with PowerSchool; 1 waits.",
        "This assignment waits, and goes to PowerSchool by itself.",
        "all but 1",
    ),
    "by choice": (
        SectionRecord("4001", State.BLOCKED, (Finding(Reason.SIS_SYNC_OFF),)),
        "No assignment of this course goes to PowerSchool.",
        "This assignment is not to be sent to PowerSchool.",
        "not to be sent",
    ),
}


@pytest.mark.parametrize("who", SECTIONS)
def test_sentence_group_and_badge_agree(who: str) -> None:
    """And so do the page of the assignment, and the number of students that `explain` lists."""
    section, headline, sentence, badge = SECTIONS[who]
    canvas = CanvasSite()
    canvas.sync()
    service = canvas.site.service
    record = service.records.course("1")
    assert record is not None
    service.records.save(replace(record, assignments=(replace(record.assignments[0], sections=(section,)),)))
    said = canvas.frame().text("/lti/course")
    assert headline in said
    assert badge in said
    assert sentence in canvas.frame().text("/lti/assignment", assignment="11")
    assert badge in canvas.frame((), role=LtiRole.ADMIN).text("/lti/course") or not section.students
    explained = service.explainer.explain_stored(ExplainQuery("1"))
    (assignment,) = explained["assignments"]  # type: ignore[misc, attr-defined]
    assert len(assignment["sections"][0]["students"]) == len(section.students)
    assert ("Agrees with PowerSchool (1)" in said) == (who == "agrees")
