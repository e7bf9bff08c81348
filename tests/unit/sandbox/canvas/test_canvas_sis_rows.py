"""What rows of SIS imports do to the sandbox Canvas."""

import json

import pytest
from sis_canvas import COURSES, EVERYTHING, SECTIONS, TERMS, USERS, SisWorld, provisioned, zip_of

from shared.events import is_sis_import_event, parse, to_change

COURSE_HEADER = COURSES.splitlines()[0]
SECTION_HEADER = SECTIONS.splitlines()[0]
ENROLLMENT_HEADER = "section_id,user_id,role,status"
USER_HEADER = "user_id,login_id,full_name,status"


def rows(header: str, *lines: str) -> str:
    return "\n".join([header, *lines, ""])


def test_an_empty_canvas_is_provisioned() -> None:
    """Terms, courses, sections, users and enrollments come to be as their rows say."""
    world = provisioned()
    assert world.roster("terms", "term_id", "start_date", "end_date") == [
        ("T1", "2026-08-10T00:00:00Z", "2026-12-18T00:00:00Z")
    ]
    assert world.roster("courses", "course_id", "short_name", "long_name", "term_id", "status") == [
        ("C1", "SCI", "Science", "T1", "available")
    ]
    assert world.roster("sections", "section_id", "course_id", "name") == [
        ("S1", "C1", "Period 1"),
        ("S2", "C1", "Period 2"),
    ]
    assert world.roster("users", "user_id", "login_id", "full_name", "declared_user_type")[0] == (
        "U1",
        "one@sandbox.example",
        "Student One",
        "student",
    )
    assert world.roster("enrollments", "section_id", "user_id", "role", "status") == [
        ("S1", "U1", "student", "active"),
        ("S1", "U9", "teacher", "active"),
        ("S2", "U2", "student", "active"),
    ]


def test_provisioned_courses_are_seen_by_rest() -> None:
    """A provisioned course, its sections and enrollments are those that REST shows, ids stable."""
    world = provisioned()
    (course,) = world.client.get("/api/v1/accounts/1/courses").json()
    world.imported(EVERYTHING)
    assert [again["id"] for again in world.client.get("/api/v1/accounts/1/courses").json()] == [course["id"]]
    enrolled = world.client.get(f"/api/v1/courses/{course['id']}/enrollments").json()
    assert {enrollment["sis_user_id"] for enrollment in enrolled} == {"U1", "U2", "U9"}


def test_imports_raise_events_of_jobs() -> None:
    """Each record that is new or changed is announced by the import's job, without actor or context."""
    world = SisWorld()
    world.imported(EVERYTHING)
    assert world.names().count("course_section_created") == 2
    assert world.names().count("enrollment_created") == world.names().count("enrollment_state_created") == 3
    (course,) = [event for event in world.announced if event.name == "course_created"]
    metadata = course.payload["metadata"]
    assert metadata["job_tag"] == "SIS::CSV::ImportRefactored#run_parallel_importer"
    assert not {"user_id", "hostname", "context_id"} & set(metadata)


def test_equal_rows_are_silent() -> None:
    """What is equal is not saved and raises no event."""
    world = provisioned()
    world.imported(EVERYTHING)
    assert world.names() == []


def test_an_empty_term_date_clears() -> None:
    """Dates of terms are cleared when empty."""
    world = provisioned()
    world.imported("term_id,name,status,start_date,end_date\nT1,Fall,active,,2026-12-18\n")
    assert world.roster("terms", "start_date", "end_date") == [(None, "2026-12-18T00:00:00Z")]


def test_a_date_that_is_none_is_noted() -> None:
    """A term keeps no date that cannot be read, and says so."""
    world = SisWorld()
    assert world.messages(TERMS.replace("2026-08-10", "10.8.2026")) == ["Bad date format for term T1"]


def test_an_empty_course_date_is_kept_and_cleared_by_word() -> None:
    """Dates of courses stay when empty; `<delete>` clears them."""
    world = provisioned()
    header = f"{COURSE_HEADER},start_date"
    world.imported(rows(header, "C1,SCI,Science,,T1,active,2026-09-01"))
    world.imported(rows(header, "C1,SCI,Science,,T1,active,"))
    assert world.roster("courses", "start_date") == [("2026-09-01T00:00:00Z",)]
    world.imported(rows(header, "C1,SCI,Science,,T1,active,<delete>"))
    assert world.roster("courses", "start_date") == [(None,)]


@pytest.mark.parametrize(
    ("before", "status", "after"),
    [
        (None, "active", "unpublished"),
        (None, "published", "available"),
        ("published", "active", "available"),
        ("active", "published", "available"),
        ("completed", "active", "available"),
        ("deleted", "active", "unpublished"),
        ("published", "completed", "completed"),
        ("published", "deleted", "deleted"),
    ],
)
def test_states_of_courses(before: str | None, status: str, after: str) -> None:
    """`active` makes a course without publishing it, and never unpublishes one."""
    world = SisWorld()
    if before:
        world.imported(rows(COURSE_HEADER, f"C1,SCI,Science,,,{before}"))
    world.imported(rows(COURSE_HEADER, f"C1,SCI,Science,,,{status}"))
    assert world.roster("courses", "status") == [(after,)]


def test_an_unknown_term_is_passed_over() -> None:
    """A course with an unknown term comes into the default term, without a message."""
    world = SisWorld()
    assert world.messages(rows(COURSE_HEADER, "C1,SCI,Science,,T7,active")) == []
    assert world.roster("courses", "term_id") == [(None,)]


def test_accounts_must_be_there() -> None:
    """A course with an unknown account is refused; accounts.csv makes one."""
    world = SisWorld(accounts=["A1"])
    course = rows(COURSE_HEADER, "C1,SCI,Science,A2,,active")
    assert world.messages(course) == ['Account not found "A2" for course C1']
    assert world.messages("account_id,parent_account_id,name,status\nA2,A1,School,active\n") == []
    assert world.messages(course) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("term_id,name,status\n,Fall,active\n", "No term_id given for a term"),
        (
            "term_id,name,status\nT1,Fall,deleted\n",
            "A term did not pass validation (term: T1 / Fall, error: Cannot delete a term with active courses)",
        ),
        ("term_id,name,status\nT1,Fall,over\n", 'Improper status "over" for term T1'),
        (rows(COURSE_HEADER, "C1,,Science,,,active"), "No short_name given for course C1"),
        (rows(COURSE_HEADER, "C1,SCI,Science,,,gone"), 'Improper status "gone" for course C1'),
        (rows(SECTION_HEADER, "S9,C9,Period,active"), "Section S9 references course C9 which doesn't exist"),
        (rows(SECTION_HEADER, "S9,,Period,active"), "No course_id given for a section S9"),
        (rows(USER_HEADER, "U7,,Student Seven,active"), "No login_id given for user U7"),
        (rows(USER_HEADER, "U7,seven,Student Seven,gone"), "Improper status for user U7"),
        (rows(ENROLLMENT_HEADER, "S1,U7,student,active"), "User U7 didn't exist for user enrollment"),
        (rows(ENROLLMENT_HEADER, "S1,U1,pilot,active"), 'Improper role "pilot" for an enrollment'),
        (rows(ENROLLMENT_HEADER, "S1,U1,student,gone"), 'Improper status "gone" for an enrollment'),
        (rows(ENROLLMENT_HEADER, "S1,,student,active"), "No user_id given for an enrollment"),
        (
            rows(f"course_id,{ENROLLMENT_HEADER}", "C1,S9,U1,student,active"),
            "An enrollment referenced a non-existent section S9",
        ),
        (
            rows(f"course_id,{ENROLLMENT_HEADER}", "C9,S1,U1,student,active"),
            "An enrollment referenced a non-existent course C9",
        ),
    ],
)
def test_rows_that_are_refused(content: str, message: str) -> None:
    """A row that lacks something, or names what is not there, is refused in Canvas's words."""
    assert provisioned().messages(content) == [message]


def test_a_login_belongs_to_one_user() -> None:
    """A login in use is refused, whatever its case."""
    world = provisioned()
    stolen = rows(USER_HEADER, "U7,ONE@sandbox.example,Student Seven,active")
    (message,) = world.messages(stolen)
    assert message.startswith("An existing Canvas user with the SIS ID U1 has already claimed U7's")
    assert {user_id for (user_id,) in world.roster("users", "user_id")} == {"U1", "U2", "U9"}


def test_a_user_without_sis_id_is_found_by_login() -> None:
    """Somebody who made their own login gets the SIS id, and no second user comes to be."""
    world = SisWorld(
        courses=[
            {
                "id": 7,
                "name": "Course 7",
                "sections": [{"id": 11, "name": "Section 11"}],
                "students": [{"user_id": 701, "section_ids": [11]}],
            }
        ]
    )
    world.imported(rows(USER_HEADER, "U1,student701@canvas.example,Student One,active"))
    assert world.canvas.users[701].sis_user_id == "U1"


def test_deleting_a_user_deletes_the_enrollments() -> None:
    """With the last login go all enrollments; a suspended user keeps them."""
    world = provisioned()
    world.imported(rows(USER_HEADER, "U1,one@sandbox.example,,deleted", "U2,two@sandbox.example,,suspended"))
    assert ("U1", "deleted") in world.roster("enrollments", "user_id", "status")
    assert ("U2", "active") in world.roster("enrollments", "user_id", "status")
    assert world.messages(rows(ENROLLMENT_HEADER, "S1,U1,student,active")) == [
        "Attempted enrolling of deleted user U1 in course "
    ]


@pytest.mark.parametrize("status", ["completed", "inactive", "deleted"])
def test_enrollments_end_as_the_row_says(status: str) -> None:
    """An enrollment takes the row's status, and both its events say so."""
    world = provisioned()
    world.imported(rows(ENROLLMENT_HEADER, f"S1,U1,student,{status}"))
    assert ("U1", status) in world.roster("enrollments", "user_id", "status")
    assert world.names() == ["enrollment_updated", "enrollment_state_updated"]


def test_deleted_last_completed_keeps_the_last_enrollment() -> None:
    """It deletes an enrollment while another one of the course is active, and completes the last one."""
    world = provisioned()
    world.imported(rows(ENROLLMENT_HEADER, "S2,U1,student,active", "S1,U1,student,deleted_last_completed"))
    world.imported(rows(ENROLLMENT_HEADER, "S2,U1,student,deleted_last_completed"))
    of_one = {
        s: status for s, user, status in world.roster("enrollments", "section_id", "user_id", "status") if user == "U1"
    }
    assert of_one == {"S1": "deleted", "S2": "completed"}


def test_a_section_moves_with_its_enrollments() -> None:
    """A section whose row names another course moves there, its enrollments with it."""
    world = provisioned()
    world.imported(rows(COURSE_HEADER, "C2,SCI,Science 2,,T1,active"))
    world.imported(rows(SECTION_HEADER, "S2,C2,Period 2,active"))
    assert ("C2", "S2", "U2") in world.roster("enrollments", "course_id", "section_id", "user_id")
    assert world.messages(rows(f"course_id,{ENROLLMENT_HEADER}", "C1,S2,U2,student,active")) == [
        "An enrollment listed a section (S2) and a course (C1) that are unrelated for user (U2)"
    ]


def test_a_deleted_section_is_listed_no_more() -> None:
    """A deleted section goes from REST's list, and its enrollments are deleted."""
    world = provisioned()
    (course,) = world.client.get("/api/v1/accounts/1/courses").json()
    world.imported(rows(SECTION_HEADER, "S2,C1,Period 2,deleted"))
    listed = world.client.get(f"/api/v1/courses/{course['id']}/sections").json()
    assert [section["sis_section_id"] for section in listed] == ["S1"]
    assert ("U2", "deleted") in world.roster("enrollments", "user_id", "status")


def test_what_was_edited_by_hand_sticks() -> None:
    """Names and dates that a person edited are left alone, unless stickiness is overridden."""
    world = provisioned()
    course_id = next(iter(world.canvas.courses))
    world.canvas.edit_course(course_id, {"name": "Our science"})
    world.canvas.edit_term("T1", {"end_at": "2026-12-20T00:00:00Z"})
    again = zip_of(terms=TERMS, courses=COURSES)
    world.imported(again)
    assert world.roster("courses", "long_name") == [("Our science",)]
    assert world.roster("terms", "end_date") == [("2026-12-20T00:00:00Z",)]
    world.imported(again, override_sis_stickiness="true")
    assert world.roster("courses", "long_name") == [("Science",)]


def test_provisioned_courses_are_taught_in() -> None:
    """Work of a provisioned course is created, graded and announced as that of any other, by its teacher."""
    world = provisioned()
    (course,) = world.canvas.courses.values()
    student = next(user.id for user in world.canvas.users.values() if user.sis_user_id == "U1")
    assignment = world.canvas.create_assignment(course.id, {"name": "Essay"})
    world.canvas.grade(course.id, assignment.id, student, 8)
    (grade,) = [event for event in world.announced if event.name == "grade_change"]
    assert grade.payload["body"]["student_sis_id"] == "U1"
    assert grade.payload["metadata"]["user_login"] == "nine@sandbox.example"
    shown = world.client.get("/_sandbox/state").json()["courses"][0]
    assert shown["assignments"][0]["assignment_group_id"] == shown["groups"][0]["id"]


def test_import_storms_cost_passback_nothing() -> None:
    """What an import announces of its rows, as canvas-lms names the job, means no change to any course."""
    world = SisWorld()
    world.imported(EVERYTHING)
    events = [parse(json.dumps(event.payload).encode()) for event in world.announced]
    echoes = [event for event in events if is_sis_import_event(event)]
    assert {event.metadata.event_name for event in echoes} >= {"enrollment_created"}
    assert {to_change(event) for event in echoes} == {None}


def test_hand_edits_are_deeds() -> None:
    """The control plane edits terms, courses and people by hand."""
    world = provisioned()
    course_id, user_id = next(iter(world.canvas.courses)), max(world.canvas.users)
    for action in (
        {"do": "edit_term", "sis_term_id": "T1", "changes": {"name": "Autumn"}},
        {"do": "edit_course", "course_id": course_id, "changes": {"code": "SCIENCE"}},
        {"do": "edit_user", "user_id": user_id, "changes": {"name": "Somebody"}},
    ):
        assert world.client.post("/_sandbox/act", json=action).status_code == 200
    wrong = {"do": "edit_course", "course_id": course_id, "changes": {"sis_course_id": "C7"}}
    assert world.client.post("/_sandbox/act", json=wrong).status_code == 422
    world.imported(EVERYTHING)
    assert (world.roster("terms", "name"), world.roster("courses", "short_name")) == ([("Autumn",)], [("SCIENCE",)])


CHANGES = "old_id,new_id,type\n"


def test_a_user_stays_the_same_under_a_new_sis_id() -> None:
    """Enrollments and the login stay with the user; the new id counts for the other files of the same zip."""
    world = provisioned()
    kept = next(user.id for user in world.canvas.users.values() if user.sis_user_id == "U1")
    world.imported(zip_of(users=USERS.replace("U1,", "V1,"), change_sis_id=CHANGES + "U1,V1,user\n"))
    assert [user.id for user in world.canvas.users.values() if user.sis_user_id == "V1"] == [kept]
    assert ("V1", "active") in world.roster("enrollments", "user_id", "status")
    assert "U1" not in [row[0] for row in world.roster("users", "user_id")]


def test_refused_changes_of_sis_ids_change_nothing() -> None:
    """A new id that somebody has is refused, an old one that nobody has, and a row that is repeated."""
    world = provisioned()
    taken = "A new_id, 'U2', referenced an existing user and the user with sis_user_id 'U1' was not updated"
    assert world.messages(CHANGES + "U1,U2,user\nU7,U8,user\n") == [
        taken,
        "An old_id, 'U7', referenced a non-existent user and was not changed.",
    ]
    assert world.messages(CHANGES + "S1,S7,section\n") == []
    (again,) = world.messages(CHANGES + "S1,S7,section\n")
    assert again.startswith("A new_id, 'S7', referenced an existing section")
    assert world.messages(CHANGES + "U1,U6,pupil\n") == ["Invalid type 'pupil' for change_sis_id"]


def test_ids_are_not_exchanged_in_one_pass() -> None:
    """Rows are taken one by one, so that each of two who exchange their ids finds the other's taken."""
    world = provisioned()
    assert len(world.messages(CHANGES + "U1,U2,user\nU2,U1,user\n")) == 2


def test_a_user_is_found_by_sis_id() -> None:
    """REST finds a user by SIS id, and says 404 of an id that nobody has (any more)."""
    world = provisioned()
    assert world.client.get("/api/v1/users/sis_user_id:U1").json()["sis_user_id"] == "U1"
    world.imported(CHANGES + "U1,V1,user\n")
    assert world.client.get("/api/v1/users/sis_user_id:U1").status_code == 404


def test_a_login_suspended_by_hand_sticks() -> None:
    """No import brings it back, a remaster neither, unless the suspension does not stick."""
    world = provisioned()
    first, second, *_ = (user for user in world.canvas.users.values() if user.sis_user_id)
    world.canvas.suspend_user(first.id)
    world.canvas.suspend_user(second.id, sticks=False)
    world.imported(USERS, diffing_data_set_identifier="users", diffing_remaster_data_set="true")
    assert (first.workflow_state, second.workflow_state) == ("suspended", "active")
