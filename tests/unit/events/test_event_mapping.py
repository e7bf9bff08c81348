"""What events mean."""

import json

import pytest
from event_samples import SHARD, raw

from shared.domain.passback.changes import Change, ChangeCause, ChangeKind
from shared.events import EVENT_KINDS, SIS_IMPORT_EVENTS, parse, to_change


def meaning(**changes: object) -> Change | None:
    return to_change(parse(raw(**changes)))


NO_CONTEXT = ("context_type", "context_id")


@pytest.mark.parametrize("name", ["grade_change", "submission_updated"])
def test_a_grade_change_names_course_and_assignment(name: str) -> None:
    """Events of one score mean a grade change of their assignment."""
    assert meaning(name=name) == Change(ChangeKind.GRADE, "61", ChangeCause.EVENT, assignment_id="41")


@pytest.mark.parametrize(
    "name",
    [
        "assignment_created",
        "assignment_updated",
        "assignment_group_created",
        "assignment_group_updated",
        "assignment_override_created",
        "assignment_override_updated",
        "course_updated",
        "course_section_updated",
        "enrollment_created",
        "enrollment_updated",
    ],
)
def test_everything_else_means_the_whole_course(name: str) -> None:
    """Events of assignments, groups, overrides, sections and enrollments mean a change of the whole course."""
    assert meaning(name=name) == Change(ChangeKind.ASSIGNMENT, "61", ChangeCause.EVENT)


@pytest.mark.parametrize(
    "name", ["course_grade_change", "submission_created", "enrollment_state_updated", "of_next_year", ""]
)
def test_events_without_a_row_are_of_no_interest(name: str) -> None:
    """An event that the table does not list means nothing."""
    assert meaning(name=name) is None


def test_the_context_course_comes_first() -> None:
    """The context names the course, whatever else does."""
    change = meaning(name="course_updated", body={"course_id": "62"})

    assert change is not None
    assert change.course_id == "61"


def test_the_course_of_the_body_comes_second() -> None:
    """Without a course as context, `course_id` of the body names it."""
    change = meaning(
        name="course_section_updated",
        metadata={"context_type": "CourseSection"},
        body={"course_id": 62, "context_id": "63", "context_type": "Course"},
    )

    assert change == Change(ChangeKind.ASSIGNMENT, "62")


def test_the_context_of_the_body_comes_third() -> None:
    """Without either, the body's context names the course if it is one."""
    body = {"context_id": str(SHARD + 63), "context_type": "Course"}

    assert meaning(name="assignment_updated", body=body, without=NO_CONTEXT) == Change(ChangeKind.ASSIGNMENT, "63")


def test_another_kind_of_context_is_no_course() -> None:
    """An account's id as context never passes for a course's."""
    body = {"context_id": "5", "context_type": "Account", "assignment_id": "41"}
    change = meaning(metadata={"context_type": "Account", "context_id": "5"}, body=body)

    assert change == Change(ChangeKind.GRADE, None, assignment_id="41")


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("grade_change", {"assignment_id": 41}, Change(ChangeKind.GRADE, None, assignment_id="41")),
        (
            "assignment_override_updated",
            {"assignment_id": "41", "course_section_id": 3, "type": "CourseSection"},
            Change(ChangeKind.ASSIGNMENT, None, assignment_id="41", section_id="3"),
        ),
        ("enrollment_updated", {"enrollment_id": "8"}, Change(ChangeKind.ASSIGNMENT, None, enrollment_id="8")),
    ],
)
def test_an_unknown_course_leaves_where_to_look(name: str, body: dict[str, object], expected: Change) -> None:
    """An event that names no course means a change that names its assignment, section or enrollment."""
    assert meaning(name=name, body=body, without=NO_CONTEXT) == expected


def test_an_event_that_leads_nowhere_means_nothing() -> None:
    """An event of interest without any id is of no interest."""
    assert meaning(body={}, without=NO_CONTEXT) is None


def test_a_student_without_sis_id_may_be_anyone() -> None:
    """A grade change with an empty `student_sis_id` counts: test students are not told by it."""
    assert meaning(body={"assignment_id": "41", "student_sis_id": None}) is not None


def test_the_enrollment_of_a_test_student_means_nothing() -> None:
    """A StudentViewEnrollment is of no interest."""
    assert meaning(name="enrollment_created", body={"course_id": "61", "type": "StudentViewEnrollment"}) is None


@pytest.mark.parametrize("name", sorted(SIS_IMPORT_EVENTS))
def test_an_import_of_rosters_means_nothing_by_row(name: str) -> None:
    """What a SIS import says of each of its rows is of no interest; the same event of a person is."""
    job = {"job_id": "1020000000000123", "job_tag": "SIS::CSV::ImportRefactored#run_parallel_importer"}

    assert meaning(name=name, metadata=job) is None
    assert meaning(name=name, metadata={"job_tag": "Course#sync"}) is not None
    assert meaning(name=name, metadata={"job_tag": 7}) is not None


@pytest.mark.parametrize("name", sorted(set(EVENT_KINDS) - SIS_IMPORT_EVENTS))
def test_work_and_grades_count_whoever_changes_them(name: str) -> None:
    """Whatever job it came from, an event of a grade or an assignment is of interest."""
    assert meaning(name=name, metadata={"job_tag": "SIS::CSV::ImportRefactored#run_parallel_importer"}) is not None


def test_nothing_personal_is_in_a_change() -> None:
    """No value of an event but ids reaches the change."""
    event = json.loads(raw())
    event["body"] |= {"assignment_name": "private", "grade": "private", "student_sis_id": "private"}

    for name in EVENT_KINDS:
        event["metadata"] |= {"event_name": name, "user_login": "private"}
        assert "private" not in repr(to_change(parse(json.dumps(event).encode())))
