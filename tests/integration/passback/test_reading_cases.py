"""Field cases of reading Canvas and PowerSchool: both sandboxes, the real clients, and the use cases between them."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from shared.domain.passback.changes import ChangeCause, PendingChanges
from shared.domain.passback.rules.reasons import Reason
from shared.sandbox.district.small import student_dcid_of, user_id_of
from shared.sandbox.ids import Ids
from tests.fakes import write_check
from tests.integration.passback.test_refusals_are_explained import NOON, Town, town
from workers.grade_passback.explain.response import ExplainQuery


@pytest.fixture
def here() -> Iterator[Town]:
    with town() as one:
        yield one


def sync(here: Town, course_id: int, cause: ChangeCause = ChangeCause.RECONCILE, graded: Iterable[int] = ()) -> None:
    """Sync a course once, as the task does."""
    lease = here.changes.lease(str(course_id))
    ids = frozenset(map(str, graded))
    changes = PendingChanges(str(course_id), NOON, NOON, 1, frozenset({cause}), ids, 0)
    check = write_check(here.changes, lease, here.clock, timedelta(minutes=5))
    here.outcome_handler.run(lease, changes, lambda: here.course_sync.run(changes, check, lease.token))


def gradebook(here: Town, section_dcid: int) -> dict[str, Any]:
    """Return what passback made in a section of PowerSchool, by name."""
    rows = httpx.get(f"{here.powerschool_url}/_sandbox/state").json()
    return {row["name"]: row for row in rows if row["section_dcid"] == section_dcid and row["created_by_plugin"]}


def explained(here: Town, course_id: int, assignment_id: int) -> list[str]:
    """Return the reasons that `explain` gives for an assignment, of all its sections."""
    answer: Any = here.explainer.explain(ExplainQuery(str(course_id), str(assignment_id), None))
    (assignment,) = answer["assignments"]
    return [reason["code"] for section in assignment["sections"] for reason in section["reasons"]]


def students_of(here: Town, course_id: int, assignment_id: int) -> dict[str | None, str]:
    """Return the reason of each student whom the last sync left out of an assignment, by SIS id."""
    record = here.stores.records.course(str(course_id))
    assert record is not None
    (assignment,) = [a for a in record.assignments if a.assignment_id == str(assignment_id)]
    return {s.student_sis_id: s.finding.reason.value for section in assignment.sections for s in section.students}


LAST_DAY = NOON.date() - timedelta(days=40)
DAY = timedelta(days=1)
STAYED, LAST_ITSELF, DAY_AFTER, LEFT_SCHOOL, LEFT_BEFORE, NO_SHOW = Ids.STUDENTS_CLOSED


def end_enrollments(here: Town) -> None:
    """Let the six students of the closed course have left it in the six ways that extracts show."""
    rows: dict[int, dict[str, Any]] = {
        STAYED: {"exit_date": None},
        LAST_ITSELF: {"exit_date": LAST_DAY},
        DAY_AFTER: {"exit_date": LAST_DAY + DAY},
        LEFT_SCHOOL: {"exit_date": LAST_DAY + 25 * DAY, "dropped": True},
        LEFT_BEFORE: {"exit_date": LAST_DAY - DAY, "dropped": True},
        NO_SHOW: {"entry_date": LAST_DAY - 100 * DAY, "exit_date": LAST_DAY - 100 * DAY, "dropped": True},
    }
    for number, row in rows.items():
        at = {"section_dcid": Ids.CLOSED_DCID, "student_dcid": student_dcid_of(number)}
        dates = {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in row.items()}
        here.powerschool("edit_enrollment", **at, **dates)
    here.powerschool("change_student", student_dcid=student_dcid_of(LEFT_SCHOOL), enroll_status=2)


def test_a_finished_course_can_be_synced_by_hand(here: Town) -> None:
    """Who was there on the last day gets late grades, whatever ended the stay; who left before it does not."""
    end_enrollments(here)
    sync(here, Ids.CLOSED_COURSE, ChangeCause.PERSON)
    scores = gradebook(here, Ids.CLOSED_DCID)["Warm-up 1"]["scores"]
    there = (STAYED, LAST_ITSELF, DAY_AFTER, LEFT_SCHOOL)
    assert sorted(map(int, scores)) == [student_dcid_of(number) for number in there]
    gone = dict.fromkeys((str(LEFT_BEFORE), str(NO_SHOW)), "student_not_in_section")
    assert students_of(here, Ids.CLOSED_COURSE, 1031) == gone


def test_a_row_before_the_one_that_lasted_changes_nothing(here: Town) -> None:
    """A student who was dropped, and came back on a second row, is there; in whichever order the rows are."""
    at = {"section_dcid": Ids.CLOSED_DCID, "student_dcid": student_dcid_of(STAYED)}
    here.powerschool("drop_student", **at)
    here.powerschool("enroll_student", **at, entry_date=(LAST_DAY - 90 * DAY).isoformat())
    here.powerschool("edit_enrollment", **at, exit_date=LAST_DAY.isoformat())
    sync(here, Ids.CLOSED_COURSE, ChangeCause.PERSON)
    assert str(student_dcid_of(STAYED)) in gradebook(here, Ids.CLOSED_DCID)["Warm-up 1"]["scores"]


def test_a_powerschool_that_refuses_who_left_is_explained(here: Town) -> None:
    """Whether it takes scores of somebody who has left the school is not public: the others arrive in any case."""
    end_enrollments(here)
    here.faults(refuse_departed=True)
    sync(here, Ids.CLOSED_COURSE, ChangeCause.PERSON)
    scores = gradebook(here, Ids.CLOSED_DCID)["Warm-up 1"]["scores"]
    assert sorted(map(int, scores)) == [student_dcid_of(number) for number in (STAYED, LAST_ITSELF, DAY_AFTER)]
    assert students_of(here, Ids.CLOSED_COURSE, 1031)[str(LEFT_SCHOOL)] == "student_refused"


DISCUSSION = 1025
FIRST_POST, REPLIES = 88_001, 88_002


def add_discussion(here: Town, *days: int, overrides: tuple[dict[str, Any], ...] = ()) -> None:
    """Let the healthy course have a discussion whose parts are due on these days; the last one has the overrides."""
    dates = [(NOON + timedelta(days=each)).isoformat() for each in days]
    tags = ("reply_to_topic", "reply_to_entry")
    parts: list[dict[str, Any]] = [
        {"id": key, "tag": tag, "due_at": due_at, "points_possible": 5}
        for key, tag, due_at in zip((FIRST_POST, REPLIES), tags, dates, strict=True)
    ]
    parts[-1]["overrides"] = list(overrides)
    work = {"id": DISCUSSION, "name": "Discussion", "submission_types": ["discussion_topic"], "checkpoints": parts}
    here.canvas("create_assignment", assignment=work)


def grade_part(here: Town, tag: str, number: int, score: float | None) -> None:
    """Grade a part of the discussion."""
    here.canvas("grade_checkpoint", assignment_id=DISCUSSION, tag=tag, user_id=user_id_of(number), score=score)


def points(row: Any) -> dict[int, str]:
    """Return the points in a row of the gradebook by STUDENTS.DCID."""
    return {int(dcid): score["points"] for dcid, score in row["scores"].items()}


ONE, TWO = Ids.STUDENTS_HEALTHY[:2]


def test_a_discussion_with_checkpoints_is_one_assignment(here: Town) -> None:
    """Due on the day of its last checkpoint, worth what all are worth, with the sum of the parts as score."""
    add_discussion(here, 1, 4)
    grade_part(here, "reply_to_topic", ONE, 4.5)
    sync(here, Ids.HEALTHY_COURSE)
    made = gradebook(here, Ids.HEALTHY_DCID)
    row = made["Discussion"]
    assert (row["due_date"], float(row["points"])) == ((NOON.date() + timedelta(days=4)).isoformat(), 10)
    assert points(row) == {student_dcid_of(ONE): "4.5"}


def test_a_checkpoint_has_dates_of_its_own_in_a_section(here: Town) -> None:
    """The last checkpoint of the section counts; here the replies are due before the first post."""
    section = Ids.HEALTHY_COURSE * 10 + 1
    section_date = {"id": 9, "course_section_id": section, "due_at": (NOON + timedelta(days=2)).isoformat()}
    add_discussion(here, 3, 9, overrides=(section_date,))
    grade_part(here, "reply_to_entry", ONE, 5)
    sync(here, Ids.HEALTHY_COURSE)
    due_date = gradebook(here, Ids.HEALTHY_DCID)["Discussion"]["due_date"]
    assert due_date == (NOON.date() + timedelta(days=3)).isoformat()


def test_a_checkpoints_grade_arrives_although_no_event_names_the_discussion(here: Town) -> None:
    """The event has the checkpoint's id, which is in no list."""
    add_discussion(here, 1, 4)
    grade_part(here, "reply_to_topic", ONE, 4)
    sync(here, Ids.HEALTHY_COURSE)
    grade_part(here, "reply_to_entry", ONE, 5)
    sync(here, Ids.HEALTHY_COURSE, ChangeCause.EVENT, graded=[REPLIES])
    assert points(gradebook(here, Ids.HEALTHY_DCID)["Discussion"]) == {student_dcid_of(ONE): "9"}


def test_a_discussion_without_any_date_has_a_remedy_that_works(here: Town) -> None:
    """Its checkpoints take a due date, the discussion itself takes none."""
    add_discussion(here, 1, 4)
    parts = [{"id": key, "tag": tag} for key, tag in ((FIRST_POST, "reply_to_topic"), (REPLIES, "reply_to_entry"))]
    here.canvas("edit_assignment", assignment_id=DISCUSSION, changes={"checkpoints": parts})
    grade_part(here, "reply_to_topic", ONE, 4)
    sync(here, Ids.HEALTHY_COURSE)
    assert explained(here, Ids.HEALTHY_COURSE, DISCUSSION) == ["due_date_missing"]
    assert "for each of them" in Reason.DUE_DATE_MISSING.remedy
    here.canvas(
        "edit_assignment",
        assignment_id=DISCUSSION,
        changes={"checkpoints": [{**part, "due_at": NOON.isoformat()} for part in parts]},
    )
    sync(here, Ids.HEALTHY_COURSE)
    assert "Discussion" in gradebook(here, Ids.HEALTHY_DCID)


FIRST, SECOND = Ids.HEALTHY_COURSE * 10 + 1, Ids.HEALTHY_COURSE * 10 + 2


def grade(here: Town, assignment_id: int, number: int, score: float) -> None:
    """Enter a score in the healthy course."""
    here.canvas("grade", assignment_id=assignment_id, user_id=user_id_of(number), score=score)


def edit(here: Town, assignment_id: int, **changes: object) -> None:
    """Change an assignment of the healthy course."""
    here.canvas("edit_assignment", assignment_id=assignment_id, changes=changes)


def test_exchanged_names_are_exchanged(here: Town) -> None:
    """PowerSchool refuses two of one name and day: one of them has a temporary name meanwhile."""
    due_at = NOON.isoformat()
    for assignment_id, score in ((FIRST, 5), (SECOND, 6)):
        edit(here, assignment_id, due_at=due_at)
        grade(here, assignment_id, ONE, score)
    sync(here, Ids.HEALTHY_COURSE)
    before = gradebook(here, Ids.HEALTHY_DCID)
    edit(here, FIRST, name="Warm-up 2")
    edit(here, SECOND, name="Warm-up 1")
    grade(here, FIRST, TWO, 7)
    sync(here, Ids.HEALTHY_COURSE)
    after = gradebook(here, Ids.HEALTHY_DCID)
    ids = [[row[name]["assignment_section_id"] for name in ("Warm-up 1", "Warm-up 2")] for row in (before, after)]
    assert ids[1] == ids[0][::-1]
    assert points(after["Warm-up 2"])[student_dcid_of(TWO)] == "7"
    here.writes()
    sync(here, Ids.HEALTHY_COURSE)
    assert (here.writes(), explained(here, Ids.HEALTHY_COURSE, FIRST)) == ([], [])


def test_of_two_of_one_name_the_first_graded_one_arrives(here: Town) -> None:
    """The other one is told which Canvas assignment is in its way, and arrives once it is renamed."""
    edit(here, SECOND, name="Warm-up 1")
    for assignment_id, score in ((FIRST, 5), (SECOND, 6)):
        grade(here, assignment_id, ONE, score)
    sync(here, Ids.HEALTHY_COURSE)
    made = gradebook(here, Ids.HEALTHY_DCID)
    assert (made.keys(), points(made["Warm-up 1"])[student_dcid_of(ONE)]) == ({"Warm-up 1"}, "5")
    assert explained(here, Ids.HEALTHY_COURSE, SECOND) == ["name_taken"]
    edit(here, SECOND, name="Warm-up 2")
    sync(here, Ids.HEALTHY_COURSE)
    assert points(gradebook(here, Ids.HEALTHY_DCID)["Warm-up 2"])[student_dcid_of(ONE)] == "6"


def test_a_name_that_is_taken_holds_no_score_back(here: Town) -> None:
    """The assignment keeps its old name in PowerSchool and goes on."""
    grade(here, FIRST, ONE, 5)
    grade(here, SECOND, ONE, 6)
    sync(here, Ids.HEALTHY_COURSE)
    edit(here, FIRST, name="Warm-up 2")
    grade(here, FIRST, TWO, 7)
    sync(here, Ids.HEALTHY_COURSE)
    assert points(gradebook(here, Ids.HEALTHY_DCID)["Warm-up 1"])[student_dcid_of(TWO)] == "7"
    assert explained(here, Ids.HEALTHY_COURSE, FIRST) == ["name_taken"]
