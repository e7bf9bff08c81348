"""What the sandbox Canvas answers: shapes, paging, audience, access."""

from datetime import timedelta
from typing import Any

import pytest
from canvas_client import ALICE, ASSIGNMENT, BOB, CAROL, COURSE, TOMORROW, YESTERDAY, Client, World

GROUPED = f"/api/v1/courses/{COURSE}/students/submissions?student_ids[]=all&grouped=1"
ASSIGNMENTS = f"/api/v1/courses/{COURSE}/assignments"
TEST_STUDENT = {"user_id": 799, "section_ids": [11], "type": "StudentViewEnrollment", "from_sis": False}
BY_HAND = {"user_id": 798, "sis_user_id": "5098", "section_ids": [11], "from_sis": False}


def assignment(world: World, query: str = "") -> dict[str, Any]:
    found: dict[str, Any] = world.client.get(f"{ASSIGNMENTS}/{ASSIGNMENT}{query}").json()
    return found


def with_assignment(**fields: Any) -> World:
    return World(course={"assignments": [{"id": ASSIGNMENT, "name": "Reading log", "due_at": TOMORROW} | fields]})


def submission_of(world: World, user_id: int) -> dict[str, Any]:
    found: dict[str, Any] = world.client.get(f"{ASSIGNMENTS}/{ASSIGNMENT}/submissions/{user_id}").json()
    return found


def test_course_shows_term_and_concluded_only_if_asked() -> None:
    """`term` and `concluded` are there only with their includes."""
    client = World().client
    assert "concluded" not in client.get(f"/api/v1/courses/{COURSE}").json()
    shown = client.get(f"/api/v1/courses/{COURSE}?include[]=term&include[]=concluded").json()
    assert (shown["concluded"], shown["term"]["name"]) == (False, "Default Term")


def test_courses_are_addressed_by_sis_id() -> None:
    """`sis_course_id:` addresses a course."""
    assert World().client.get("/api/v1/courses/sis_course_id:4007").json()["id"] == COURSE


def test_ids_are_text_if_the_client_accepts_that() -> None:
    """With the string-ids media type every id is text, nested ones and lists of ids too."""
    world = World()
    world.canvas.add_override(COURSE, ASSIGNMENT, {"student_ids": [ALICE]})
    accept = {"Accept": "application/json+canvas-string-ids, application/json"}
    shown = world.client.get(f"{ASSIGNMENTS}?include[]=overrides", headers=accept).json()[0]
    assert (shown["id"], shown["course_id"]) == (str(ASSIGNMENT), str(COURSE))
    assert shown["overrides"][0]["student_ids"] == [str(ALICE)]
    assert shown["points_possible"] == 10


def test_unknown_course_is_404() -> None:
    """A course that does not exist is 404."""
    assert World().client.get("/api/v1/courses/999").status_code == 404


def test_pages_are_ten_long_unless_asked_and_never_over_a_hundred() -> None:
    """Default 10, larger than 100 is clamped, and following `next` shows everything once."""
    students = [{"user_id": n, "sis_user_id": str(n), "section_ids": [11]} for n in range(1000, 1120)]
    client = World(course={"students": students}).client
    url = f"/api/v1/courses/{COURSE}/enrollments?type[]=StudentEnrollment"
    assert len(client.get(url).json()) == 10
    pages = list(client.pages(f"{url}&per_page=500"))
    assert [len(page) for page in pages] == [100, 20]
    assert len({row["user_id"] for page in pages for row in page}) == 120


def test_next_is_an_opaque_url_with_the_same_parameters() -> None:
    """`next` keeps the query and names its page by a bookmark."""
    link = World().client.get(f"{ASSIGNMENTS}?include[]=overrides&per_page=1").links["next"]["url"]
    assert "bookmark" in link
    assert "include%5B%5D=overrides" in link


def test_enrollments_default_to_active_and_invited() -> None:
    """Without `state[]` completed enrollments are not listed."""
    world = World()
    world.canvas.drop_student(COURSE, ALICE)
    url = f"/api/v1/courses/{COURSE}/enrollments?type[]=StudentEnrollment&per_page=100"
    assert ALICE not in {row["user_id"] for row in world.client.get(url).json()}
    assert ALICE in {row["user_id"] for row in world.client.get(f"{url}&state[]=completed").json()}


def test_cross_listed_section_names_its_origin() -> None:
    """`sis_course_id` is the current course's, `nonxlist_course_id` the origin."""
    section = World().client.get(f"/api/v1/courses/{COURSE}/sections").json()[1]
    assert (section["sis_section_id"], section["sis_course_id"]) == ("4012", "4007")
    assert section["nonxlist_course_id"] == 8


def test_the_sis_switch_is_absent_without_the_feature() -> None:
    """`post_to_sis` is not in the answer where the SIS feature is off."""
    assert "post_to_sis" in assignment(World())
    assert "post_to_sis" not in assignment(World(sis_feature=False))


def test_assignments_are_filtered_by_the_sis_switch() -> None:
    """`post_to_sis=true` filters on the server."""
    world = with_assignment(post_to_sis=False)
    assert world.client.get(f"{ASSIGNMENTS}?post_to_sis=true").json() == []


def test_too_many_assignment_ids_are_refused() -> None:
    """More than 100 `assignment_ids[]` are a 400."""
    query = "&".join(f"assignment_ids[]={n}" for n in range(101))
    assert World().client.get(f"{ASSIGNMENTS}?{query}").status_code == 400


def test_only_overridden_dates_are_in_an_override() -> None:
    """An inherited date is absent; a date taken away is null."""
    overrides = [
        {"id": 1, "course_section_id": 11, "lock_at": TOMORROW},
        {"id": 2, "course_section_id": 12, "due_at": None},
    ]
    inherited, taken = assignment(with_assignment(overrides=overrides), "?include[]=overrides")["overrides"]
    assert "due_at" not in inherited
    assert taken["due_at"] is None


def test_base_dates_need_a_parameter() -> None:
    """Without `override_assignment_dates=false`, `due_at` is the date that applies to whoever asks."""
    later = TOMORROW + timedelta(days=1)
    world = with_assignment(overrides=[{"id": 1, "course_section_id": 12, "due_at": later}])
    assert assignment(world)["due_at"] == "2026-10-07T17:00:00Z"
    assert assignment(world, "?override_assignment_dates=false")["due_at"] == "2026-10-06T17:00:00Z"


@pytest.mark.parametrize(
    ("fields", "everyone"),
    [
        ({}, True),
        ({"overrides": [{"id": 1, "student_ids": [ALICE]}]}, True),
        ({"overrides": [{"id": 1, "student_ids": [ALICE]}], "only_visible_to_overrides": True}, False),
        ({"module_only": True}, False),
        ({"overrides": [{"id": 1, "course_id": COURSE}], "module_only": True}, True),
    ],
)
def test_visible_to_everyone_is_computed(fields: dict[str, Any], everyone: bool) -> None:
    """Module-only work is not for everyone, although `only_visible_to_overrides` is false."""
    assert assignment(with_assignment(**fields))["visible_to_everyone"] is everyone


def test_all_dates_is_no_source_of_truth() -> None:
    """`all_dates` loses its base where every section has an override, and itself with 25 overrides."""
    sections = [{"id": n, "course_section_id": n, "due_at": TOMORROW} for n in (11, 12)]
    dates = assignment(with_assignment(overrides=sections), "?include[]=all_dates")["all_dates"]
    assert not any(date.get("base") for date in dates)
    many = [{"id": n, "student_ids": [ALICE]} for n in range(25)]
    assert assignment(with_assignment(overrides=many), "?include[]=all_dates")["all_dates_count"] == 25


def test_grades_published_is_only_with_the_groups() -> None:
    """`grades_published` appears with `assignment_groups?include[]=assignments`, not on the assignment."""
    world = with_assignment(moderated_grading=True)
    url = f"/api/v1/courses/{COURSE}/assignment_groups?include[]=assignments&include[]=grades_published"
    assert world.client.get(url).json()[0]["assignments"][0]["grades_published"] is False
    assert "grades_published" not in assignment(world)


def test_anonymous_work_hides_students_until_posted() -> None:
    """`anonymize_students` is true until grades are posted."""
    world = with_assignment(anonymous_grading=True)
    assert assignment(world)["anonymize_students"] is True
    world.canvas.post(COURSE, ASSIGNMENT)
    assert assignment(world)["anonymize_students"] is False


def test_every_student_has_a_row_for_every_published_assignment() -> None:
    """Unsubmitted placeholders are listed, unpublished assignments are not."""
    world = World()
    world.canvas.create_assignment(COURSE, {"name": "Draft", "workflow_state": "unpublished"})
    rows = world.client.get(f"{GROUPED}&per_page=100").json()
    assert [len(row["submissions"]) for row in rows] == [2, 2, 2]
    assert {row["sis_user_id"] for row in rows} == {"5001", "5002", "5003"}


def test_a_student_of_two_sections_may_be_on_two_pages() -> None:
    """Grouped pages run over enrollments; duplicates are removed per page only."""
    client = World().client
    assert [row["user_id"] for row in client.get(f"{GROUPED}&per_page=100").json()] == [ALICE, BOB, CAROL]
    listed = [(row["user_id"], row["section_id"]) for page in client.pages(f"{GROUPED}&per_page=3") for row in page]
    assert listed == [(ALICE, 11), (BOB, 12), (CAROL, 11), (CAROL, 12)]


def test_sis_filter_is_by_user_as_well() -> None:
    """`post_to_sis=true` leaves out users whom no SIS import enrolled: manual ones and the Test Student."""
    students = [TEST_STUDENT, BY_HAND, {"user_id": ALICE, "sis_user_id": "5001", "section_ids": [11]}]
    client = World(course={"students": students}).client
    assert {row["user_id"] for row in client.get(GROUPED).json()} == {799, 798, ALICE}
    assert {row["user_id"] for row in client.get(f"{GROUPED}&post_to_sis=true").json()} == {ALICE}


def test_students_who_left_are_listed_unless_filtered() -> None:
    """Without `enrollment_state` all enrollments that were not deleted are listed."""
    world = World()
    world.canvas.drop_student(COURSE, ALICE)
    assert ALICE in {row["user_id"] for row in world.client.get(GROUPED).json()}
    assert ALICE not in {row["user_id"] for row in world.client.get(f"{GROUPED}&enrollment_state=active").json()}


def test_ungrouped_rows_are_flat_and_need_an_include_for_sis_ids() -> None:
    """Without `grouped` the list is of submissions, and SIS ids come with `include[]=user`."""
    client = World().client
    url = f"/api/v1/courses/{COURSE}/students/submissions?student_ids[]=all&assignment_ids[]={ASSIGNMENT}"
    assert [row["user_id"] for row in client.get(url).json()] == [ALICE, BOB, CAROL]
    assert client.get(f"{url}&include[]=user").json()[0]["user"]["sis_user_id"] == "5001"


def test_too_many_students_and_bad_times_are_refused() -> None:
    """101 student ids, or a time that is no ISO 8601, are a 400."""
    client, url = World().client, f"/api/v1/courses/{COURSE}/students/submissions"
    query = "&".join(f"student_ids[]={n}" for n in range(101))
    assert client.get(f"{url}?{query}").status_code == 400
    assert client.get(f"{url}?student_ids[]=all&graded_since=yesterday").status_code == 400


@pytest.mark.parametrize(
    ("kind", "missing"), [("online_upload", True), ("on_paper", False), ("none", False), ("external_tool", False)]
)
def test_missing_is_computed_only_where_something_is_handed_in(kind: str, missing: bool) -> None:
    """Past-due work is missing if the assignment expects a submission."""
    world = with_assignment(due_at=YESTERDAY, submission_types=[kind])
    assert submission_of(world, ALICE)["missing"] is missing


def test_due_date_of_a_section_decides_missing() -> None:
    """A later date of the student's section keeps work from being missing."""
    world = with_assignment(due_at=YESTERDAY, overrides=[{"id": 1, "course_section_id": 12, "due_at": TOMORROW}])
    assert submission_of(world, ALICE)["missing"] is True
    assert submission_of(world, BOB)["missing"] is False
    assert submission_of(world, BOB)["cached_due_date"] == "2026-10-06T17:00:00Z"


def test_work_no_longer_assigned_is_not_visible() -> None:
    """A recorded score stays in the list with `assignment_visible` false once the work is not assigned."""
    world = World()
    world.canvas.grade(COURSE, ASSIGNMENT, ALICE, 8)
    world.canvas.edit_assignment(COURSE, ASSIGNMENT, {"only_visible_to_overrides": True})
    asked = f"{ASSIGNMENTS}/{ASSIGNMENT}/submissions/{ALICE}?include[]=visibility"
    assert world.client.get(asked).json()["assignment_visible"] is False
    (group,) = (g for g in world.client.get(f"{GROUPED}&include[]=visibility").json() if g["user_id"] == ALICE)
    (shown,) = (row for row in group["submissions"] if row["assignment_id"] == ASSIGNMENT)
    assert shown["assignment_visible"] is False


def test_visibility_is_shown_only_if_asked_for() -> None:
    """Otherwise work that is no longer assigned looks like any other."""
    world = World()
    assert "assignment_visible" not in submission_of(world, ALICE)
    rows = [row for group in world.client.get(GROUPED).json() for row in group["submissions"]]
    assert rows
    assert not any("assignment_visible" in row for row in rows)


@pytest.mark.parametrize(
    ("kind", "posted", "score", "grade"),
    [
        ("points", "10.5", 10.5, "10.5"),
        ("percent", "85%", 8.5, "85%"),
        ("pass_fail", "complete", 10, "complete"),
        ("pass_fail", "incomplete", 0, "incomplete"),
        ("letter_grade", "B+", 8.7, "B+"),
        ("points", "", None, None),
    ],
)
def test_grades_are_posted_in_every_form(kind: str, posted: str, score: float | None, grade: str | None) -> None:
    """`submission[posted_grade]` takes points, percent, letters and pass/fail; the score is a number."""
    world = with_assignment(grading_type=kind)
    url = f"{ASSIGNMENTS}/{ASSIGNMENT}/submissions/{ALICE}"
    shown = world.client.put(url, data={"submission[posted_grade]": posted}).json()
    assert shown["score"] == (pytest.approx(score) if score is not None else None)
    assert shown["grade"] == grade


def test_excuse_and_late_policy_exclude_each_other() -> None:
    """Excusing clears score and status; setting a status takes the excuse back."""
    client, url = World().client, f"{ASSIGNMENTS}/{ASSIGNMENT}/submissions/{ALICE}"
    client.put(url, json={"submission": {"posted_grade": 7}})
    excused = client.put(url, json={"submission": {"excuse": True}}).json()
    assert (excused["excused"], excused["score"]) == (True, None)
    missing = client.put(url, data={"submission[late_policy_status]": "missing"}).json()
    assert (missing["excused"], missing["missing"]) == (False, True)


def test_editing_by_api_drops_what_it_does_not_know() -> None:
    """PUT assignment takes documented fields, and `published` decides the state."""
    world = World()
    fields = {"assignment[name]": "New name", "assignment[published]": "false", "assignment[color]": "red"}
    shown = world.client.put(f"{ASSIGNMENTS}/{ASSIGNMENT}", data=fields).json()
    assert (shown["name"], shown["published"], shown["workflow_state"]) == ("New name", False, "unpublished")
    assert world.names() == ["assignment_updated"]


def test_sis_api_needs_the_feature() -> None:
    """The SIS API answers 400 with Canvas's code."""
    answer = World(sis_feature=False).client.get("/api/sis/accounts/1/assignments")
    assert (answer.status_code, answer.json()["code"]) == (400, "not_enabled")


def test_sis_api_shows_origin_and_override_per_section() -> None:
    """A cross-listed section has its origin, the course it is in now, and its own due date."""
    world = with_assignment(overrides=[{"id": 1, "course_section_id": 12, "due_at": TOMORROW}])
    (item,) = world.client.get("/api/sis/accounts/1/assignments").json()
    plain, cross_listed = item["sections"]
    assert plain["origin_course"]["id"] == COURSE
    assert (cross_listed["origin_course"]["id"], cross_listed["xlist_course"]["id"]) == (8, COURSE)
    assert cross_listed["override"]["due_at"] == "2026-10-06T17:00:00Z"


def test_wrong_token_is_401_with_a_challenge() -> None:
    """An invalid token: 401 with WWW-Authenticate."""
    response = Client(World().app, "wrong").get(f"/api/v1/courses/{COURSE}")
    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, 'Bearer realm="canvas-lms"')
    assert response.json() == {"errors": [{"message": "Invalid access token."}]}


def test_missing_scope_is_401_without_a_challenge() -> None:
    """A scoped token: what it does not name is 401 without WWW-Authenticate."""
    client = World(scopes=["url:GET|/api/v1/courses/:id"]).client
    assert client.get(f"/api/v1/courses/{COURSE}").status_code == 200
    response = client.get(ASSIGNMENTS)
    assert response.status_code == 401
    assert "WWW-Authenticate" not in response.headers
    assert response.json() == {"errors": [{"message": "Insufficient scopes on access token."}]}


def test_scoped_keys_may_lose_their_includes() -> None:
    """Without "Allow Include Parameters" a scoped token gets 200, and no included fields."""
    world = World(scopes=["url:GET|/api/v1/courses/:id"], allow_include_parameters=False)
    assert "concluded" not in world.client.get(f"/api/v1/courses/{COURSE}?include[]=concluded").json()


@pytest.mark.parametrize(("status", "text"), [(403, "403 Forbidden (Rate Limit Exceeded)"), (429, "429")])
def test_a_full_bucket_throttles_until_it_leaks(status: int, text: str) -> None:
    """Over the high-water mark requests are refused, in either style; the bucket leaks with time."""
    world = World()
    faults = {"throttle_high_water_mark": 15, "throttle_request_cost": 10, "throttle_status": status}
    assert world.client.put("/_sandbox/faults", json=faults).status_code == 200
    url = f"/api/v1/courses/{COURSE}"
    assert [world.client.get(url).status_code for _ in range(3)] == [200, 200, status]
    refused = world.client.get(url)
    assert refused.text.startswith(text)
    assert refused.headers["X-Rate-Limit-Remaining"] == "0.0"
    world.clock.advance(timedelta(seconds=1))
    allowed = world.client.get(url)
    assert (allowed.status_code, allowed.headers["X-Rate-Limit-Remaining"]) == (200, "-5.0")


def test_answers_tell_cost_and_what_remains() -> None:
    """Every answer tells its cost and what is left of 600, the up-front charge credited back."""
    headers = World().client.get(f"/api/v1/courses/{COURSE}").headers
    assert (headers["X-Request-Cost"], headers["X-Rate-Limit-Remaining"]) == ("0.1", "599.9")


def test_control_plane_does_deeds_and_shows_what_they_touched() -> None:
    """`POST /_sandbox/act` does an action by name; a wrong one is a 422 that says why."""
    world = World()
    action = {"do": "grade", "course_id": COURSE, "assignment_id": ASSIGNMENT, "user_id": ALICE, "score": 9}
    assert world.client.post("/_sandbox/act", json=action).json()["score"] == 9
    many = {"do": "grade_many", "grades": [{k: v for k, v in action.items() if k != "do"} | {"user_id": BOB}]}
    assert world.client.post("/_sandbox/act", json=many).json()[0]["user_id"] == BOB
    assert world.client.post("/_sandbox/act", json=action | {"assignment_id": 1}).status_code == 422
    assert world.client.post("/_sandbox/act", json={"do": "load"}).status_code == 422
    state = world.client.get("/_sandbox/state").json()
    assert {row["score"] for row in state["courses"][0]["submissions"]} == {9}


def test_control_plane_seeds_anew_and_logs_requests() -> None:
    """`POST /_sandbox/seed` replaces everything; `GET /_sandbox/requests` shows what was asked and answered."""
    world = World()
    world.client.get("/api/v1/courses/999")
    (logged,) = world.client.get("/_sandbox/requests").json()
    assert (logged["method"], logged["path"], logged["status"]) == ("GET", "/api/v1/courses/999", 404)
    assert world.client.post("/_sandbox/seed", json={"courses": [{"id": 999, "name": "New"}]}).status_code == 204
    assert world.client.get("/api/v1/courses/999").status_code == 200
