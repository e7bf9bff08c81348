from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import redis
from scripted_remote import ScriptedRemote, answer, text

from shared.adapters.canvas.client import CanvasClient
from shared.adapters.canvas.pagination import advised_interval
from shared.adapters.http.response import ApiResponse, RequestInfo
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.remote_limits.remote_limiter import system_rates
from shared.domain.passback.canvas import Checkpoint, Course, GradingType, Override, OverrideTarget, Unreadable
from shared.errors import CourseGone, NotFound, RequestRejected, ServiceUnavailable, UnexpectedResponse

SECTION = {"id": "51", "name": "First period", "sis_section_id": "6100", "sis_course_id": "C-6100"}
GROUP = {"id": "61", "name": "Homework"}
ASSIGNMENT: Mapping[str, Any] = {
    "id": "71",
    "name": "Volcanoes &amp; geysers",
    "description": "<p>Read.</p>",
    "due_at": "2031-10-08T05:59:59Z",
    "points_possible": 10.5,
    "grading_type": "points",
    "published": True,
    "post_to_sis": True,
    "visible_to_everyone": True,
    "assignment_group_id": "61",
    "overrides": [],
    "submission_types": ["online_upload"],
}
SUBMISSION: Mapping[str, Any] = {"assignment_id": "71", "score": 9.1, "workflow_state": "graded"}
ROW: Mapping[str, Any] = {"user_id": "81", "section_id": "51", "sis_user_id": "3001", "submissions": [SUBMISSION]}

BASE = "/api/v1/courses/41"


def without(row: Mapping[str, Any], *fields: str, **changes: object) -> dict[str, Any]:
    return {**{key: value for key, value in row.items() if key not in fields}, **changes}


def course_of(
    canvas: CanvasClient,
    remote: ScriptedRemote,
    *assignments: Mapping[str, Any],
    section: Mapping[str, Any] = SECTION,
    group: Mapping[str, Any] = GROUP,
) -> Course:
    remote.on("GET", BASE, answer({"id": "41", "name": "Geology"}))
    remote.on("GET", f"{BASE}/sections", answer([section]))
    remote.on("GET", f"{BASE}/assignments", answer(list(assignments)))
    remote.on("GET", f"{BASE}/assignment_groups", answer([group]))
    return canvas.course("41")


def queries(remote: ScriptedRemote, path: str) -> list[tuple[str, str]]:
    return remote.asked("GET", path)[0].url.params.multi_items()


NOT_THERE = answer({"errors": [{"message": "The specified resource does not exist."}]}, 404)
ENDED_AFTER = datetime(2031, 9, 22, 19, 0, tzinfo=UTC)
SIS_ASSIGNMENTS = "/api/sis/accounts/self/assignments"


def test_courses_to_sync_are_found_on_every_page(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """Each piece of synced work names its course; courses that ended are Canvas's to leave out."""
    more = {"Link": '<https://canvas.test/api/sis/accounts/self/assignments?page=2>; rel="next"'}
    first = answer([{"id": 71, "course_id": 41}, {"id": 72, "course_id": "41"}], **more)
    remote.on("GET", SIS_ASSIGNMENTS, first, answer([{"id": 73, "course_id": 42}]))
    assert list(canvas.courses_to_sync(ENDED_AFTER)) == ["41", "41", "42"]
    assert dict(queries(remote, SIS_ASSIGNMENTS)) == {"ends_after": "2031-09-22T19:00:00+00:00", "per_page": "100"}


def test_a_district_without_sis_export_is_refused(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """Canvas says so with its own code for it."""
    remote.on("GET", SIS_ASSIGNMENTS, answer({"code": "not_enabled", "error": "A SIS integration is not set up"}, 400))
    with pytest.raises(RequestRejected) as refused:
        list(canvas.courses_to_sync(ENDED_AFTER))
    assert refused.value.cause == "canvas_400"


def test_a_course_is_read_whole(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """Sections, groups and assignments, with exact points and aware times."""
    course = course_of(canvas, remote, ASSIGNMENT)
    assert (course.id, course.sis_course_id, course.name) == ("41", "C-6100", "Geology")
    assert course.sections[0].sis_section_id == "6100"
    assert course.groups["61"].name == "Homework"
    assignment = course.assignments[0]
    assert assignment.points_possible == Decimal("10.5")
    assert assignment.grading_type is GradingType.POINTS
    assert assignment.due_at == datetime(2031, 10, 8, 5, 59, 59, tzinfo=UTC)
    assert assignment.grades_published is None


def test_requests_ask_for_what_is_needed(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """Overrides beside base dates; assignments that are not synced too, to explain them."""
    course_of(canvas, remote, ASSIGNMENT)
    assert queries(remote, f"{BASE}/assignments") == [
        ("include[]", "overrides"),
        ("include[]", "checkpoints"),
        ("override_assignment_dates", "false"),
        ("per_page", "100"),
    ]
    assert remote.requests[0].headers["Accept"] == "application/json+canvas-string-ids, application/json"


def test_ids_may_be_numbers(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """Whatever Canvas sends, an id is text."""
    course = course_of(canvas, remote, without(ASSIGNMENT, id=71, assignment_group_id=61))
    assert (course.id, course.assignments[0].id, course.assignments[0].group_id) == ("41", "71", "61")


def test_both_shapes_of_moments_are_read(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """With T and Z, or with blanks and an offset."""
    course = course_of(canvas, remote, without(ASSIGNMENT, due_at="2031-10-07 21:59:59 -0800"))
    assert course.assignments[0].due_at == datetime(2031, 10, 8, 5, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(("only_to_overrides", "for_everyone"), [(True, False), (False, True)])
def test_older_canvas_names_the_audience_differently(
    canvas: CanvasClient, remote: ScriptedRemote, only_to_overrides: bool, for_everyone: bool
) -> None:
    """Without `visible_to_everyone`, `only_visible_to_overrides` decides."""
    older = without(ASSIGNMENT, "visible_to_everyone", only_visible_to_overrides=only_to_overrides)
    assert course_of(canvas, remote, older).assignments[0].visible_to_everyone is for_everyone


def test_module_assignees_are_not_everyone(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """`visible_to_everyone` wins where both are there."""
    by_module = without(ASSIGNMENT, visible_to_everyone=False, only_visible_to_overrides=False)
    assert course_of(canvas, remote, by_module).assignments[0].visible_to_everyone is False


def test_a_hidden_sync_switch_is_not_off(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """Canvas leaves `post_to_sis` out where the feature is not on."""
    assert course_of(canvas, remote, without(ASSIGNMENT, "post_to_sis")).assignments[0].post_to_sis is None


@pytest.mark.parametrize(
    "field",
    ["id", "name", "due_at", "points_possible", "grading_type", "published", "overrides", "assignment_group_id"],
)
def test_an_assignment_without_a_needed_field_is_unexpected(
    canvas: CanvasClient, remote: ScriptedRemote, field: str
) -> None:
    """A 200 alone proves nothing: the error names what is missing."""
    with pytest.raises(UnexpectedResponse, match=field):
        course_of(canvas, remote, without(ASSIGNMENT, field))


def test_missing_rights_are_noticed(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """Without `read_sis` Canvas leaves the SIS ids out; that is not "there is none"."""
    with pytest.raises(UnexpectedResponse, match="sis_section_id"):
        course_of(canvas, remote, section=without(SECTION, "sis_section_id"))
    with pytest.raises(UnexpectedResponse, match="sis_course_id"):
        course_of(canvas, remote, section=without(SECTION, "sis_course_id"))


def test_an_unexpected_answer_quotes_no_value(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """Field names only, whether one row is odd or all lack a field."""
    course = course_of(canvas, remote, without(ASSIGNMENT, points_possible="secret words"))
    assert course.unreadable == (Unreadable("71", "assignment 71: no usable points_possible"),)
    with pytest.raises(UnexpectedResponse) as caught:
        course_of(canvas, remote, without(ASSIGNMENT, "due_at", points_possible="secret words"))
    assert "secret" not in str(caught.value)


def test_deleted_assignments_are_left_out(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """They are as good as gone."""
    assert course_of(canvas, remote, without(ASSIGNMENT, workflow_state="deleted")).assignments == ()


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ({"course_section_id": 51}, Override(OverrideTarget.SECTION, "51")),
        ({"course_section_id": 51, "due_at": None}, Override(OverrideTarget.SECTION, "51", True)),
        (
            {"course_section_id": 51, "due_at": "2031-10-09T05:59:59Z"},
            Override(OverrideTarget.SECTION, "51", True, datetime(2031, 10, 9, 5, 59, 59, tzinfo=UTC)),
        ),
        ({"student_ids": [81]}, Override(OverrideTarget.STUDENTS)),
        ({"group_id": 5}, Override(OverrideTarget.GROUP)),
        ({"noop_id": 1, "due_at": None}, Override(OverrideTarget.MASTERY_PATHS, None, True)),
        ({"course_id": 41}, Override(OverrideTarget.COURSE)),
        ({"context_module_id": 9}, Override(OverrideTarget.MODULE)),
    ],
)
def test_overrides_change_a_date_only_if_they_say_so(
    canvas: CanvasClient, remote: ScriptedRemote, override: dict[str, object], read: Override
) -> None:
    """An absent due date is inherited, a null one is none."""
    course = course_of(canvas, remote, without(ASSIGNMENT, overrides=[{"id": 1, **override}]))
    assert course.assignments[0].overrides == (read,)


FIRST_POST = {"tag": "reply_to_topic", "due_at": "2031-12-02T07:59:59Z", "points_possible": 5, "overrides": []}
REPLIES = {**FIRST_POST, "tag": "reply_to_entry", "due_at": "2031-12-05T07:59:59Z"}
DISCUSSION = without(
    ASSIGNMENT, due_at=None, points_possible=10, has_sub_assignments=True, checkpoints=[FIRST_POST, REPLIES]
)


def test_checkpoints_of_a_discussion_are_read(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """With their dates and overrides; points are the assignment's, or theirs together."""
    own = {"id": 1, "course_section_id": 51, "due_at": "2031-12-01T07:59:59Z"}
    parts = [{**FIRST_POST, "overrides": [own]}, REPLIES]
    (found,) = course_of(canvas, remote, without(DISCUSSION, checkpoints=parts)).assignments
    first, last = (datetime(2031, 12, day, 7, 59, 59, tzinfo=UTC) for day in (2, 5))
    of_section = Override(
        OverrideTarget.SECTION, "51", changes_due_date=True, due_at=datetime(2031, 12, 1, 7, 59, 59, tzinfo=UTC)
    )
    assert found.checkpoints == (Checkpoint(first, (of_section,)), Checkpoint(last))
    assert found.points_possible == 10


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"points_possible": None}, (10, True, 2)),
        ({"checkpoints": None}, (10, True, 0)),
        (
            {"checkpoints": [{**part, "only_visible_to_overrides": True} for part in (FIRST_POST, REPLIES)]},
            (10, False, 2),
        ),
    ],
)
def test_a_discussion_may_be_shown_in_other_ways(
    canvas: CanvasClient, remote: ScriptedRemote, changes: dict[str, Any], expected: tuple[int, bool, int]
) -> None:
    """Points summed up or not, no checkpoints where Canvas has none, parts that only particular sections have."""
    (found,) = course_of(canvas, remote, without(DISCUSSION, **changes)).assignments
    assert (found.points_possible, found.visible_to_everyone, len(found.checkpoints)) == expected


def test_release_of_moderated_grades_is_asked_for_where_it_matters(
    canvas: CanvasClient, remote: ScriptedRemote
) -> None:
    """Only the assignment groups show it, at the price of a heavier request."""
    group = {**GROUP, "assignments": [{"id": "71", "grades_published": False}]}
    course = course_of(canvas, remote, without(ASSIGNMENT, moderated_grading=True), group=group)
    assert course.assignments[0].grades_published is False
    assert ("include[]", "grades_published") in queries(remote, f"{BASE}/assignment_groups")


def test_an_unknown_course_is_not_found(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """Canvas is asked twice, and nothing more."""
    remote.on("GET", f"{BASE}/assignments", NOT_THERE).on("GET", BASE, NOT_THERE)
    with pytest.raises(CourseGone):
        canvas.course("41")
    assert len(remote.requests) == 2


def test_a_deleted_course_is_gone(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """Canvas says so of a course that was deleted lately."""
    remote.on("GET", f"{BASE}/assignments", NOT_THERE)
    remote.on("GET", BASE, answer({"id": "41", "workflow_state": "deleted"}))
    with pytest.raises(CourseGone):
        canvas.course("41")
    assert queries(remote, BASE) == [("include[]", "all_courses")]


@pytest.mark.parametrize("state", ["available", "unpublished", "completed"])
def test_a_course_that_canvas_has_is_not_gone(canvas: CanvasClient, remote: ScriptedRemote, state: str) -> None:
    """Whatever else was not found."""
    remote.on("GET", f"{BASE}/assignments", NOT_THERE)
    remote.on("GET", BASE, answer({"id": "41", "workflow_state": state}))
    with pytest.raises(NotFound) as caught:
        canvas.course("41")
    assert caught.value.cause == "canvas_404"


def page(rows: list[Mapping[str, Any]], following: str) -> Any:
    return answer(rows, Link=f'<{following}>; rel="next", <https://canvas.test/first>; rel="first"')


def test_pages_are_followed_to_the_end(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """A student of two sections comes on two pages and is one row, with both sections."""
    first = page([ROW], "https://canvas.test/opaque?page=second")
    remote.on("GET", f"{BASE}/students/submissions", first)
    remote.on("GET", "/opaque", answer([without(ROW, section_id="52"), without(ROW, user_id="82")]))
    rows = canvas.gradebook("41", ["71"])
    assert [(row.user_id, row.section_ids) for row in rows] == [
        ("81", frozenset({"51", "52"})),
        ("82", frozenset({"51"})),
    ]
    assert rows[0].submissions["71"].score == Decimal("9.1")


@pytest.mark.parametrize(
    "following",
    [
        "https://elsewhere.test/opaque?page=a%2Fb",
        "http://canvas.test/opaque?page=a%2Fb",
        "https://canvas.test:8443/opaque?page=a%2Fb",
        "https://somebody:secret@elsewhere.test/opaque?page=a%2Fb",
        "//elsewhere.test/opaque?page=a%2Fb",
        "/opaque?page=a%2Fb",
    ],
)
def test_a_page_on_another_host_is_asked_of_the_configured_one(
    canvas: CanvasClient, remote: ScriptedRemote, following: str
) -> None:
    """Path and query are the other's; the token goes to no other host and no other scheme."""
    remote.on("GET", f"{BASE}/students/submissions", page([ROW], following))
    remote.on("GET", "/opaque", answer([without(ROW, user_id="82")]))
    assert [row.user_id for row in canvas.gradebook("41", ["71"])] == ["81", "82"]
    assert str(remote.requests[1].url) == "https://canvas.test/opaque?page=a%2Fb"
    assert bool(canvas.other_origins) is (following != "/opaque?page=a%2Fb")


@pytest.mark.parametrize("following", ["?page=2", "submissions?page=2", "../students/submissions?page=2"])
def test_a_relative_next_page_is_relative_to_what_was_asked_for(
    canvas: CanvasClient, remote: ScriptedRemote, following: str
) -> None:
    """Not to the root of the host. Source: RFC 8288, section 3.2."""
    more = answer([without(ROW, user_id="82")])
    remote.on("GET", f"{BASE}/students/submissions", page([ROW], following), more)
    assert [row.user_id for row in canvas.gradebook("41", ["71"])] == ["81", "82"]
    assert remote.requests[1].url.params["page"] == "2"


@pytest.mark.parametrize("listing", ["assignments", "assignment_groups", "sections", "students/submissions"])
def test_a_course_that_is_deleted_while_it_is_read_is_gone(
    canvas: CanvasClient, remote: ScriptedRemote, listing: str
) -> None:
    """Whichever list is the first that Canvas has no more."""
    course_of(canvas, remote, ASSIGNMENT)
    remote.on("GET", f"{BASE}/{listing}", NOT_THERE)
    remote.on("GET", BASE, answer({"id": "41", "workflow_state": "deleted"}))
    read = {"students/submissions": lambda: canvas.gradebook("41", ["71"])}.get(listing, lambda: canvas.course("41"))
    with pytest.raises(CourseGone):
        read()


def test_every_list_of_a_course_follows_pages_named_elsewhere(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """Assignments, too."""
    course_of(canvas, remote, ASSIGNMENT)
    remote.on("GET", f"{BASE}/assignments", page([ASSIGNMENT], "http://elsewhere.test/more"))
    remote.on("GET", "/more", answer([without(ASSIGNMENT, id="72")]))
    assert [assignment.id for assignment in canvas.course("41").assignments] == ["71", "72"]


@pytest.mark.parametrize("following", ["mailto:somebody", "https://a:b/page", "javascript:x"])
def test_a_next_page_that_is_no_address_is_unexpected(
    canvas: CanvasClient, remote: ScriptedRemote, following: str
) -> None:
    """Nothing is asked, nowhere."""
    remote.on("GET", f"{BASE}/students/submissions", page([ROW], following))
    with pytest.raises(UnexpectedResponse):
        canvas.gradebook("41", ["71"])
    assert len(remote.requests) == 1


def test_pages_in_a_circle_end(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """A broken proxy does not keep a worker for good."""
    remote.on("GET", f"{BASE}/students/submissions", page([ROW], "https://canvas.test/again"))
    remote.on("GET", "/again", page([ROW], "https://canvas.test/again"))
    with pytest.raises(UnexpectedResponse, match="circle"):
        canvas.gradebook("41", ["71"])


def test_assignments_are_asked_for_by_the_hundred(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """Canvas takes at most 100 ids; a student's rows of both requests are one."""
    second = without(ROW, submissions=[without(SUBMISSION, assignment_id="72")])
    remote.on("GET", f"{BASE}/students/submissions", answer([ROW]), answer([second]))
    rows = canvas.gradebook("41", [str(number) for number in range(101)])
    asked = [request.url.params.get_list("assignment_ids[]") for request in remote.requests]
    assert [len(ids) for ids in asked] == [100, 1]
    assert set(rows[0].submissions) == {"71", "72"}
    assert ("student_ids[]", "all") in remote.requests[0].url.params.multi_items()
    assert ("grouped", "1") in remote.requests[0].url.params.multi_items()
    assert ("include[]", "visibility") in remote.requests[0].url.params.multi_items()


def test_nothing_is_asked_about_no_assignments(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """An empty filter would mean all of them."""
    assert canvas.gradebook("41", []) == ()
    assert remote.requests == []


def test_test_students_are_left_out(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """Of the rows without a SIS id; a real person without one stays and can be reported."""
    rows = [ROW, without(ROW, "sis_user_id", user_id="90"), without(ROW, user_id="91", sis_user_id=None)]
    remote.on("GET", f"{BASE}/students/submissions", answer(rows))
    remote.on("GET", f"{BASE}/enrollments", answer([{"user_id": 90}]))
    assert [(row.user_id, row.sis_user_id) for row in canvas.gradebook("41", ["71"])] == [("81", "3001"), ("91", None)]


def test_without_the_right_to_list_enrollments_test_students_have_no_sis_id(
    canvas: CanvasClient, remote: ScriptedRemote
) -> None:
    """Which keeps them from being sent as well."""
    remote.on("GET", f"{BASE}/students/submissions", answer([without(ROW, "sis_user_id")]))
    remote.on("GET", f"{BASE}/enrollments", answer({"errors": [{"message": "not authorized"}]}, 403))
    assert canvas.gradebook("41", ["71"])[0].sis_user_id is None


def test_flags_and_visibility_are_read(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """Excused with null for a score; missing; no longer assigned."""
    marks = [
        without(SUBMISSION, score=None, excused=True),
        without(SUBMISSION, assignment_id="72", score=None, missing=True, workflow_state="unsubmitted"),
        without(SUBMISSION, assignment_id="73", assignment_visible=False),
    ]
    remote.on("GET", f"{BASE}/students/submissions", answer([without(ROW, submissions=marks)]))
    found = canvas.gradebook("41", ["71", "72", "73"])[0].submissions
    assert (found["71"].score, found["71"].excused) == (None, True)
    assert (found["72"].missing, found["72"].workflow_state) == (True, "unsubmitted")
    assert (found["71"].assignment_visible, found["73"].assignment_visible) == (None, False)


@pytest.mark.parametrize(
    ("headers", "milliseconds"),
    [
        ({}, None),
        ({"X-Rate-Limit-Remaining": "600.0", "X-Request-Cost": "3"}, None),
        ({"X-Rate-Limit-Remaining": "150.0", "X-Request-Cost": "3"}, None),
        ({"X-Rate-Limit-Remaining": "75", "X-Request-Cost": "0.5"}, 100),
        ({"X-Rate-Limit-Remaining": "75"}, 200),
        ({"X-Rate-Limit-Remaining": "75", "X-Request-Cost": "nan"}, 200),
        ({"X-Rate-Limit-Remaining": "0.0", "X-Request-Cost": "0.5"}, 2000),
        ({"X-Rate-Limit-Remaining": "-20", "X-Request-Cost": "0.01"}, 150),
        ({"X-Rate-Limit-Remaining": "many"}, None),
    ],
)
def test_near_the_end_of_its_bucket_requests_become_fewer(headers: dict[str, str], milliseconds: int | None) -> None:
    """Canvas drains 10 a second: what a request cost drains until the next one, and the more the less is left."""
    call = RequestInfo("canvas", "GET", "/api/v1/courses")
    advised = advised_interval(ApiResponse.of(call, httpx.Response(200, headers=headers)))
    assert advised == (None if milliseconds is None else timedelta(milliseconds=milliseconds))


def test_what_canvas_advises_holds_for_all_workers(
    canvas: CanvasClient, remote: ScriptedRemote, redis_client: redis.Redis, keys: Keys
) -> None:
    """The interval is in Redis, before anything was refused."""
    remote.on("GET", f"{BASE}/students/submissions", answer([ROW], X_Rate_Limit_Remaining="75", X_Request_Cost="1"))
    canvas.gradebook("41", ["71"])
    rates = {rate.system: rate.interval for rate in system_rates(redis_client, keys, {})}
    assert rates == {"canvas": timedelta(milliseconds=200), "powerschool": timedelta(0)}


def test_throttled_once_nobody_asks_for_a_while(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """The second request does not leave the process."""
    remote.on("GET", f"{BASE}/assignments", text("403 Forbidden (Rate Limit Exceeded)", 403, Retry_After="60"))
    for _ in range(2):
        with pytest.raises(ServiceUnavailable):
            canvas.course("41")
    assert len(remote.requests) == 1


@pytest.mark.parametrize(
    ("changes", "description"),
    [
        ({"description": None, "locked_for_user": True}, None),
        ({"description": None, "locked_for_user": False}, ""),
        ({"description": None}, ""),
        ({"description": "<p>Read.</p>", "locked_for_user": True}, "<p>Read.</p>"),
    ],
)
def test_a_description_that_is_kept_from_the_reader_is_unknown(
    canvas: CanvasClient, remote: ScriptedRemote, changes: Mapping[str, object], description: str | None
) -> None:
    """Null is empty only for a reader who may see it."""
    assert course_of(canvas, remote, {**ASSIGNMENT, **changes}).assignments[0].description == description


def test_a_description_that_is_left_out_is_unknown(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """As it is where a key may not read it."""
    assert course_of(canvas, remote, without(ASSIGNMENT, "description")).assignments[0].description is None


@pytest.mark.parametrize(
    ("option", "counts", "shows"),
    [
        ({}, True, True),
        ({"omit_from_final_grade": True}, False, True),
        ({"omit_from_final_grade": None, "hide_in_gradebook": None}, True, True),
        ({"omit_from_final_grade": True, "hide_in_gradebook": True}, False, False),
        ({"suppress_assignment": True}, True, False),
    ],
)
def test_what_canvas_does_not_count_or_show_is_known(
    canvas: CanvasClient, remote: ScriptedRemote, option: Mapping[str, object], counts: bool, shows: bool
) -> None:
    """Older Canvas leaves these options out."""
    (read,) = course_of(canvas, remote, {**ASSIGNMENT, **option}).assignments
    assert (not read.omitted_from_final_grade, not read.hidden_in_gradebook) == (counts, shows)


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("America/Chicago", ZoneInfo("America/Chicago")),
        ("Central Time (US & Canada)", None),
        ("../etc/passwd", None),
        ("America", None),
        ("", None),
        (None, None),
    ],
)
def test_a_course_has_a_time_zone_of_its_own(
    canvas: CanvasClient, remote: ScriptedRemote, name: str | None, zone: ZoneInfo | None
) -> None:
    """A name that no time zone has is as good as none."""
    remote.on("GET", BASE, answer({"id": "41", "name": "Geology", "time_zone": name}))
    remote.on("GET", f"{BASE}/sections", answer([SECTION]))
    remote.on("GET", f"{BASE}/assignments", answer([ASSIGNMENT]))
    remote.on("GET", f"{BASE}/assignment_groups", answer([GROUP]))
    assert canvas.course("41").time_zone == zone
