"""Which actions the sandbox Canvas announces, and with what ids and times."""

from datetime import timedelta

import pytest
from canvas_client import ALICE, ASSIGNMENT, BOB, CAROL, COURSE, NOW, QUIZ, TOMORROW, World, a_seed

from shared.sandbox.canvas.sandbox import CanvasSandbox
from shared.sandbox.canvas.seed import CourseSeed, Section
from shared.sandbox.canvas.state import UnknownObject
from tests.manual_clock import ManualClock

GLOBAL = 10 * 10**13
HERE = (COURSE, ASSIGNMENT)


def test_a_score_entered_by_a_person_is_announced_twice() -> None:
    """GradeActions emits grade_change, then submission_updated."""
    world = World()
    world.canvas.grade(*HERE, ALICE, 8.5)
    assert world.names() == ["grade_change", "submission_updated"]
    body = world.body("grade_change")
    assert (body["score"], body["old_score"], body["student_sis_id"]) == (8.5, None, "5001")
    assert (body["grading_complete"], body["muted"]) == (True, False)


def test_the_same_score_again_is_not_announced() -> None:
    """Saving an equal score emits nothing."""
    world = World()
    world.canvas.grade(*HERE, ALICE, 8.5)
    world.announced.clear()
    world.canvas.grade(*HERE, ALICE, 8.5)
    assert world.names() == []


def test_ids_of_grade_change_are_global_text() -> None:
    """grade_change carries global ids as text."""
    world = World()
    world.canvas.grade(*HERE, ALICE, 8.5)
    assert world.body("grade_change")["assignment_id"] == str(GLOBAL + ASSIGNMENT)
    assert world.metadata("grade_change")["context_id"] == str(GLOBAL + COURSE)


def test_metadata_names_the_district_and_the_actor() -> None:
    """The metadata carries the root account's uuid, the teacher as actor, and personal data."""
    world = World(root_account_uuid="uuid-of-district")
    world.canvas.grade(*HERE, ALICE, 8.5)
    metadata = world.metadata("grade_change")
    assert metadata["root_account_uuid"] == "uuid-of-district"
    assert metadata["context_role"] == "TeacherEnrollment"
    assert metadata["user_login"] == "teacher790@canvas.example"


def test_an_excuse_looks_like_a_cleared_score() -> None:
    """Excusing emits grade_change with nulls, in which nothing says excused."""
    world = World()
    world.canvas.grade(*HERE, ALICE, 8.5)
    world.announced.clear()
    assert world.canvas.excuse(*HERE, ALICE).excused
    body = world.body("grade_change")
    assert (body["score"], body["grade"], body["old_score"]) == (None, None, 8.5)
    assert "excused" not in body


def test_clearing_unsubmitted_work_emits_grade_change_only() -> None:
    """A cleared score of work that was not handed in emits no submission_updated."""
    world = World()
    world.canvas.grade(*HERE, ALICE, 8.5)
    world.announced.clear()
    world.canvas.clear(*HERE, ALICE)
    assert world.names() == ["grade_change"]


def test_marking_unsubmitted_work_missing_is_silent() -> None:
    """Missing, not submitted and not graded: no event at all."""
    world = World()
    assert world.canvas.mark_missing(*HERE, ALICE).late_policy_status == "missing"
    assert world.names() == []


def test_marking_submitted_work_missing_emits_submission_updated() -> None:
    """Missing after submitting: submission_updated, no grade_change."""
    world = World()
    world.canvas.submit(*HERE, ALICE)
    world.announced.clear()
    world.canvas.mark_missing(*HERE, ALICE)
    assert world.names() == ["submission_updated"]


def test_a_passing_due_date_is_silent() -> None:
    """Work becomes missing when its due date passes, without any event."""
    world = World()
    submission = world.canvas.submission(world.canvas.course(COURSE), ASSIGNMENT, ALICE)
    world.clock.advance(timedelta(days=2))
    assert world.canvas.course(COURSE).is_missing(submission, world.clock.now())
    assert world.names() == []


def test_a_quiz_grades_itself_with_the_student_as_actor() -> None:
    """An autograded quiz: grader_id null in the event, the student as actor, a negative grader in REST."""
    world = World()
    submission = world.canvas.quiz_submit(COURSE, QUIZ, ALICE, 9)
    assert world.names() == ["submission_created", "quiz_submitted", "grade_change", "submission_updated"]
    assert world.body("grade_change")["grader_id"] is None
    metadata = world.metadata("grade_change")
    assert (metadata["context_role"], metadata["user_id"]) == ("StudentEnrollment", str(GLOBAL + ALICE))
    assert submission.grader_id == -78


def test_a_quiz_that_waits_for_an_essay_is_not_complete() -> None:
    """A partly graded quiz is pending_review, and its grade_change says grading is not complete."""
    world = World()
    submission = world.canvas.quiz_submit(COURSE, QUIZ, ALICE, 4, waits_for_essay=True)
    assert submission.workflow_state == "pending_review"
    assert world.body("grade_change")["grading_complete"] is False


def test_hiding_grades_repeats_every_graded_score() -> None:
    """Hiding emits one grade_change per graded submission, with the same score and muted."""
    world = World()
    world.canvas.grade(*HERE, ALICE, 8)
    world.canvas.grade(*HERE, BOB, 9)
    world.announced.clear()
    world.canvas.hide(*HERE)
    assert world.names() == ["grade_change", "grade_change"]
    bodies = [event.payload["body"] for event in world.announced]
    assert all(body["score"] == body["old_score"] and body["muted"] for body in bodies)


def test_the_missing_policy_emits_no_grade_change() -> None:
    """The missing policy scores in bulk: silent, or submission_updated if the feature says so."""
    world = World()
    world.clock.advance(timedelta(days=2))
    world.canvas.apply_missing_policy(*HERE)
    assert world.names() == []
    world.canvas.apply_missing_policy(COURSE, QUIZ, announced=True)
    assert set(world.names()) == {"submission_updated"}


def test_the_late_policy_lowers_the_score_and_keeps_what_was_entered() -> None:
    """A late deduction emits grade_change; entered_score stays."""
    world = World()
    world.clock.advance(timedelta(days=2))
    world.canvas.submit(*HERE, ALICE)
    world.canvas.grade(*HERE, ALICE, 10)
    world.announced.clear()
    (submission,) = world.canvas.apply_late_policy(*HERE, percent=20)
    assert (submission.score, submission.entered_score) == (8, 10)
    assert "grade_change" in world.names()


def test_editing_points_floods_from_a_job() -> None:
    """A points edit emits assignment_updated and, from a job, a grade_change per graded submission."""
    world = World()
    world.canvas.grade(*HERE, ALICE, 8)
    world.announced.clear()
    world.canvas.edit_assignment(*HERE, {"points_possible": 20})
    assert world.names() == ["assignment_updated", "grade_change"]
    body, metadata = world.body("grade_change"), world.metadata("grade_change")
    assert (body["old_points_possible"], body["points_possible"]) == (10, 20)
    assert metadata["job_tag"]
    assert "user_id" not in metadata


def test_a_resubmission_keeps_the_score() -> None:
    """Handing in again after grading keeps the score, which no longer matches."""
    world = World()
    world.canvas.submit(*HERE, ALICE)
    world.canvas.grade(*HERE, ALICE, 8)
    submission = world.canvas.submit(*HERE, ALICE)
    assert (submission.score, submission.attempt) == (8, 2)
    assert (submission.workflow_state, submission.grade_matches_current_submission) == ("submitted", False)


def test_assignment_events_do_not_tell_eligibility() -> None:
    """Neither the SIS switch nor who it is for is in assignment events."""
    world = World()
    world.canvas.edit_assignment(*HERE, {"post_to_sis": False})
    body = world.body("assignment_updated")
    assert not {"post_to_sis", "grading_type", "visible_to_everyone"} & set(body)


def test_deleting_is_an_update() -> None:
    """A deleted assignment is announced as assignment_updated with state deleted."""
    world = World()
    world.canvas.delete_assignment(*HERE)
    assert world.body("assignment_updated")["workflow_state"] == "deleted"


def test_override_events_have_integer_ids_and_no_course() -> None:
    """assignment_override events carry integers, and their body does not name the course."""
    world = World()
    added = world.canvas.add_override(*HERE, {"course_section_id": 11, "due_at": TOMORROW})
    body = world.body("assignment_override_created")
    assert (body["assignment_id"], body["course_section_id"], body["type"]) == (ASSIGNMENT, 11, "CourseSection")
    assert "course_id" not in body
    world.canvas.remove_override(*HERE, added.active_overrides[0].id)
    assert world.body("assignment_override_updated")["workflow_state"] == "deleted"
    with pytest.raises(UnknownObject):
        world.canvas.remove_override(*HERE, 999)


def test_group_events_have_local_ids() -> None:
    """assignment_group events carry local ids as text."""
    world = World()
    world.canvas.rename_group(COURSE, 31, "Classwork")
    assert world.body("assignment_group_updated")["assignment_group_id"] == "31"
    world.announced.clear()
    assert world.canvas.edit_group(COURSE, 31, {"group_weight": 40}).group_weight == 40
    assert world.names() == ["assignment_group_updated"]


def test_roster_changes_come_from_a_job_without_context() -> None:
    """Enrollment events of an SIS import carry a job, no course context, and the jobs' timestamp shape."""
    world = World()
    world.canvas.drop_student(COURSE, ALICE)
    assert world.names() == ["enrollment_updated", "enrollment_state_updated"]
    metadata = world.metadata("enrollment_updated")
    assert metadata["job_tag"].startswith("SIS::CSV::")
    assert "context_id" not in metadata
    assert metadata["event_time"] == "2026-10-05 10:00:00 -0700"
    assert world.body("enrollment_updated")["course_id"] == str(GLOBAL + COURSE)


def test_a_cross_listed_section_moves_with_its_enrollments() -> None:
    """The section remembers its course of before."""
    seed = a_seed()
    other = CourseSeed(id=9, name="Joined", sections=[Section(id=19, name="Section 19")])
    canvas = CanvasSandbox(seed.model_copy(update={"courses": [*seed.courses, other]}), ManualClock(NOW))
    section = canvas.cross_list(COURSE, 11, 9)
    assert section.nonxlist_course_id == COURSE
    assert {each.user_id for each in canvas.course(9).student_enrollments()} == {ALICE, CAROL}
    assert {each.user_id for each in canvas.course(COURSE).student_enrollments()} == {BOB, CAROL}


def test_section_events_have_the_section_as_context() -> None:
    """course_section_updated: context type CourseSection, local ids in the body."""
    world = World()
    world.canvas.rename_section(COURSE, 12, "Period 9")
    assert world.metadata("course_section_updated")["context_type"] == "CourseSection"
    assert world.body("course_section_updated")["nonxlist_course_id"] == "8"


@pytest.mark.parametrize(("leaky", "found"), [(True, True), (False, False)])
def test_urls_can_carry_a_token(leaky: bool, found: bool) -> None:
    """metadata.url carries an access token if the fault says so."""
    world = World()
    world.canvas.events.envelope.token_in_url = leaky
    world.canvas.grade(*HERE, ALICE, 8)
    assert ("access_token=" in world.metadata("grade_change")["url"]) is found


FIRST_POST, REPLIES = 8801, 8802
DISCUSSION = {
    "id": 72,
    "name": "Discussion",
    "submission_types": ["discussion_topic"],
    "checkpoints": [
        {"id": FIRST_POST, "tag": "reply_to_topic", "due_at": TOMORROW},
        {"id": REPLIES, "tag": "reply_to_entry", "due_at": TOMORROW + timedelta(days=3)},
    ],
}


def test_a_checkpoints_grade_names_the_checkpoint_and_not_the_discussion() -> None:
    """The parent's score is the sum of its parts', and no event of it is sent."""
    world = World()
    world.canvas.create_assignment(COURSE, DISCUSSION)
    world.announced.clear()
    world.canvas.grade_checkpoint(COURSE, 72, "reply_to_topic", ALICE, 4)
    whole = world.canvas.grade_checkpoint(COURSE, 72, "reply_to_entry", ALICE, 3.5)
    named = [(event.name, event.payload["body"]["assignment_id"]) for event in world.announced]
    parts = [str(GLOBAL + FIRST_POST)] * 2 + [str(GLOBAL + REPLIES)] * 2
    assert named == list(zip(["grade_change", "submission_updated"] * 2, parts, strict=True))
    assert (whole.assignment_id, whole.score) == (72, 7.5)
    assert world.canvas.grade_checkpoint(COURSE, 72, "reply_to_topic", ALICE, None).score == 3.5
    assert world.canvas.grade_checkpoint(COURSE, 72, "reply_to_entry", ALICE, None).score is None


def test_a_discussion_with_checkpoints_takes_neither_dates_nor_grades() -> None:
    """Both belong to the checkpoints, which are in no list."""
    world = World()
    world.canvas.create_assignment(COURSE, DISCUSSION)
    with pytest.raises(ValueError, match="Cannot set due_at in the parent assignment for checkpoints"):
        world.canvas.edit_assignment(COURSE, 72, {"due_at": TOMORROW})
    with pytest.raises(UnknownObject, match="valid sub assignment tag"):
        world.canvas.grade(COURSE, 72, ALICE, 8)
    path = f"/api/v1/courses/{COURSE}/assignments"
    refused = world.client.put(f"{path}/72", json={"assignment": {"due_at": TOMORROW.isoformat()}})
    assert (refused.status_code, "parent assignment" in refused.text) == (400, True)
    graded = {"submission": {"posted_grade": "4", "sub_assignment_tag": "reply_to_topic"}}
    assert world.client.put(f"{path}/72/submissions/{ALICE}", json=graded).json()["score"] == 4
    listed = world.client.get(f"{path}?include[]=checkpoints&include[]=overrides").json()
    (shown,) = [each for each in listed if each["id"] == 72]
    assert (shown["has_sub_assignments"], shown["due_at"], shown["points_possible"]) == (True, None, 10)
    assert [part["tag"] for part in shown["checkpoints"]] == ["reply_to_topic", "reply_to_entry"]
    assert {each["id"] for each in listed}.isdisjoint({FIRST_POST, REPLIES})


def test_a_checkpoint_that_is_overdue_makes_the_discussion_missing() -> None:
    """The parent has no date of its own to be missing by."""
    world = World()
    world.canvas.create_assignment(COURSE, DISCUSSION)
    course = world.canvas.course(COURSE)
    whole = world.canvas.submission(course, 72, ALICE)
    assert [course.is_missing(whole, TOMORROW + timedelta(seconds=s)) for s in (0, 1)] == [False, True]
