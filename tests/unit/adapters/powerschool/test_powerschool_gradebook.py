from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import httpx
import pytest
from scripted_remote import ScriptedRemote, answer, sent, text

from shared.adapters.powerschool import PowerSchool
from shared.domain.causes import Cause
from shared.domain.passback.powerschool import (
    ActualAssignment,
    DesiredAssignment,
    Mark,
    RosteredSection,
    Score,
    TeacherCategory,
    Term,
)
from shared.errors import (
    AccessDenied,
    IncompleteRead,
    NotFound,
    QueryUnavailable,
    RejectedRow,
    RequestRejected,
    ServiceUnavailable,
    TransientError,
    UnexpectedResponse,
)
from shared.ports.passback import CreatedAssignment, ScoreRow

TEACHER = 501
CATEGORIES = "/ws/xte/teacher_category"
ASSIGNMENTS = "/ws/xte/section/assignment/"
ONE = "/ws/xte/section/assignment/9001"
SCORE = "/ws/xte/score"
STATE = "/ws/schema/query/org.passback.sync.gradebook.state"

DESIRED = DesiredAssignment(
    assignment_id="71",
    section_dcid=6100,
    name="Volcanoes",
    description="<p>Read.</p>",
    due_date=date(2031, 10, 7),
    points=Decimal("10.5"),
    category_id=302,
    publish_option="Immediately",
)
ACTUAL = ActualAssignment(9001, 5501, 6100, "Volcanos", date(2031, 10, 6), Decimal(10), 301)
SECTION = RosteredSection("6100", 6100, 12, TEACHER, Term(date(2031, 8, 20), date(2032, 6, 1), 41), {})
ROW = ScoreRow(5501, 8101, Score(Decimal("9.25")))

ASSIGNMENT: dict[str, Any] = {
    "_name": "assignment",
    "_id": 9001,
    "assignmentid": 9001,
    "createdbyplugin": "411",
    "hasstandards": False,
    "$breach_mitigation": "xyzzy",
    "_assignmentsections": [
        {
            "_name": "assignmentsection",
            "_id": 5501,
            "assignmentsectionid": 5501,
            "sectionsdcid": 6100,
            "name": "Volcanos",
            "duedate": "2031-10-06",
            "scoretype": "POINTS",
            "scoreentrypoints": 10,
            "weight": 2,
            "totalpointvalue": 20,
            "publishoption": "Never",
            "islocked": False,
            "_assignmentstudentassociations": [],
            "_assignmentcategoryassociations": [
                {"_id": 7, "assignmentcategoryassocid": 7, "teachercategoryid": 301, "isprimary": True}
            ],
        },
        {
            "assignmentsectionid": 5502,
            "sectionsdcid": 6200,
            "name": "Volcanos",
            "duedate": "2031-10-09",
            "scoreentrypoints": 10,
            "_assignmentcategoryassociations": [
                {"assignmentcategoryassocid": 8, "teachercategoryid": 301, "isprimary": True}
            ],
        },
    ],
}


def created(**headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(201, headers={"Location": f"https://powerschool.test{ONE}", **named})


def test_a_new_assignment_is_the_proven_minimum(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """Points exactly as they are, in a body that a test server was seen to accept."""
    remote.on("POST", ASSIGNMENTS, created(AssignmentSectionIds="[5501]"))
    assert ps.gradebook.create(TEACHER, DESIRED) == CreatedAssignment(9001, 5501)
    (request,) = remote.asked("POST", ASSIGNMENTS)
    assert request.url.params["users_dcid"] == "501"
    assert b'"scoreentrypoints":10.5,' in request.content
    assert sent(request) == {
        "_assignmentsections": [
            {
                "sectionsdcid": 6100,
                "name": "Volcanoes",
                "description": "<p>Read.</p>",
                "duedate": "2031-10-07",
                "scoretype": "POINTS",
                "scoreentrypoints": Decimal("10.5"),
                "totalpointvalue": Decimal("10.5"),
                "weight": 1,
                "iscountedinfinalgrade": True,
                "isscoringneeded": True,
                "publishoption": "Immediately",
                "_assignmentcategoryassociations": [{"teachercategoryid": 302, "isprimary": True}],
            }
        ]
    }


def test_without_a_default_the_publish_option_is_left_out(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """Then PowerSchool's own default holds."""
    remote.on("POST", ASSIGNMENTS, created(AssignmentSectionIds="[5501]"))
    ps.gradebook.create(TEACHER, replace(DESIRED, publish_option=None))
    assert b"publishoption" not in remote.asked("POST", ASSIGNMENTS)[0].content


@pytest.mark.parametrize("wrap", [lambda found: found, lambda found: [found]])
@pytest.mark.parametrize("ids", [5501, [5501]])
def test_the_section_id_is_read_where_no_header_tells(
    ps: PowerSchool, remote: ScriptedRemote, wrap: Callable[[object], object], ids: object
) -> None:
    """From the new assignment, also where it or the id comes in a list."""
    sections = [{**ASSIGNMENT["_assignmentsections"][0], "assignmentsectionid": ids}]
    remote.on("POST", ASSIGNMENTS, created())
    remote.on("GET", ONE, answer(wrap({**ASSIGNMENT, "_assignmentsections": sections})))
    assert ps.gradebook.create(TEACHER, DESIRED) == CreatedAssignment(9001, 5501)


def test_a_create_without_location_is_unexpected(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """The claim stays, and the next sync adopts what was made."""
    remote.on("POST", ASSIGNMENTS, httpx.Response(201))
    with pytest.raises(UnexpectedResponse, match="Location"):
        ps.gradebook.create(TEACHER, DESIRED)


@pytest.mark.parametrize("status", [403, 404])
def test_a_create_that_cannot_be_read_back_is_no_refusal(ps: PowerSchool, remote: ScriptedRemote, status: int) -> None:
    """The assignment exists, so the claim must stay: only a refusal of the create itself gives it up."""
    remote.on("POST", ASSIGNMENTS, created())
    remote.on("GET", ONE, answer({"message": "no"}, status))
    with pytest.raises(TransientError, match="created"):
        ps.gradebook.create(TEACHER, DESIRED)


def test_an_update_changes_only_what_passback_owns(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """Everything else is sent back as it came, ids, weights and the other sections included; tags are not."""
    remote.on("GET", ONE, answer(ASSIGNMENT)).on("PUT", ONE, answer({}, 201))
    ps.gradebook.update(TEACHER, ACTUAL, DESIRED)
    (request,) = remote.asked("PUT", ONE)
    assert dict(request.url.params) == {"users_dcid": "501", "update_scores": "false"}
    common = {"name": "Volcanoes", "description": "<p>Read.</p>", "scoreentrypoints": Decimal("10.5")}
    assert sent(request) == {
        "assignmentid": 9001,
        "createdbyplugin": "411",
        "hasstandards": False,
        "_assignmentsections": [
            {
                **common,
                "assignmentsectionid": 5501,
                "sectionsdcid": 6100,
                "duedate": "2031-10-07",
                "scoretype": "POINTS",
                "weight": 2,
                "totalpointvalue": 21,
                "publishoption": "Never",
                "islocked": False,
                "_assignmentstudentassociations": [],
                "_assignmentcategoryassociations": [
                    {"assignmentcategoryassocid": 7, "teachercategoryid": 302, "isprimary": True}
                ],
            },
            {
                **common,
                "assignmentsectionid": 5502,
                "sectionsdcid": 6200,
                "duedate": "2031-10-09",
                "totalpointvalue": Decimal("10.5"),
                "_assignmentcategoryassociations": [
                    {"assignmentcategoryassocid": 8, "teachercategoryid": 302, "isprimary": True}
                ],
            },
        ],
    }


def test_scores_are_only_spoken_of_where_points_change(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """`update_scores` belongs to a change of points."""
    remote.on("GET", ONE, answer(ASSIGNMENT)).on("PUT", ONE, httpx.Response(200))
    ps.gradebook.update(TEACHER, replace(ACTUAL, points=Decimal("10.50")), DESIRED)
    assert "update_scores" not in remote.asked("PUT", ONE)[0].url.params


def test_a_score_row_is_the_proven_minimum_with_its_flags(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """The score as text and as the same number; both flags always."""
    remote.on("PUT", SCORE, answer({}))
    ps.gradebook.write_scores(TEACHER, [ROW])
    (request,) = remote.asked("PUT", SCORE)
    assert dict(request.url.params) == {"users_dcid": "501", "status": "A"}
    assert b'"actualscoreentered":"9.25"' in request.content
    assert sent(request) == {
        "assignment_scores": [
            {
                "_assignmentsection": {"assignmentsectionid": 5501},
                "studentsdcid": 8101,
                "actualscoreentered": "9.25",
                "actualscorekind": "REAL_SCORE",
                "scoretype": "POINTS",
                "scorepoints": Decimal("9.25"),
                "ismissing": False,
                "isexempt": False,
            }
        ]
    }


def test_no_rows_are_no_request(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """Families hear of every write."""
    ps.gradebook.write_scores(TEACHER, [])
    assert remote.requests == []


def test_asked_to_resubmit_it_does_once(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """The same request, a second time."""
    remote.on("PUT", SCORE, answer({"message": "Resubmit"}, 412), answer({}))
    ps.gradebook.write_scores(TEACHER, [ROW])
    first, second = remote.asked("PUT", SCORE)
    assert first.content == second.content
    remote.on("PUT", SCORE, answer({"message": "Resubmit"}, 412))
    with pytest.raises(TransientError):
        ps.gradebook.write_scores(TEACHER, [ROW])
    assert len(remote.asked("PUT", SCORE)) == 4


def refusal(ps: PowerSchool, remote: ScriptedRemote, came_back: httpx.Response) -> RequestRejected:
    remote.on("PUT", SCORE, came_back)
    with pytest.raises(RequestRejected) as caught:
        ps.gradebook.write_scores(TEACHER, [ROW])
    return caught.value


@pytest.mark.parametrize(
    ("status", "words", "kind", "cause"),
    [
        (403, "User does not teach section 6100 EDIT", AccessDenied, "powerschool_not_teaching"),
        (403, "No access to field", AccessDenied, "powerschool_grant_missing"),
        (403, "At least one column lacks sufficient permission", AccessDenied, "powerschool_grant_missing"),
        (403, "Go away", AccessDenied, "powerschool_403"),
        (404, "Gone", NotFound, "powerschool_404"),
        (409, "Locked Term", RequestRejected, "powerschool_locked"),
        (409, "Assignment is Locked", RequestRejected, "powerschool_locked"),
        (409, "Due Date Error", RequestRejected, "powerschool_due_date"),
        (409, "AssignmentSection.dueDate is outside the term", RequestRejected, "powerschool_due_date"),
        (409, "Teacher Category ID is not active", RequestRejected, "powerschool_category"),
        (409, "Score Entry Point Required", RequestRejected, "powerschool_points"),
        (409, "Actual Score Grade Scale ID", RequestRejected, "powerschool_grade_scale"),
        (409, "Student ID", RequestRejected, "powerschool_student"),
        (409, "An assignment of that name and due date already exists", RequestRejected, "powerschool_duplicate"),
        (409, "Something else", RequestRejected, "powerschool_409"),
        (412, "Assignment Update is Missing Record", RequestRejected, "powerschool_412"),
        (400, "Unable to Create Assignment", RequestRejected, "powerschool_not_created"),
        (409, "Assignment Cannot Be Created", RequestRejected, "powerschool_not_created"),
        (400, "Something else", RequestRejected, "powerschool_400"),
    ],
)
def test_refusals_have_causes_that_rules_can_name(
    ps: PowerSchool, remote: ScriptedRemote, status: int, words: str, kind: type[RequestRejected], cause: str
) -> None:
    """Each sentence that PowerSchool is known to say has its own."""
    error = refusal(ps, remote, answer({"message": words}, status))
    assert (type(error), error.cause, error.status) == (kind, cause, status)
    assert str(error) == f"PUT /ws/xte/score: {status}"


def test_bad_rows_are_named(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """By their parameters, or by the sentence where there are none."""
    errors = [
        {
            "field": "Student.id [8101] does not have an AssignmentStudentAssociation",
            "params": {"assignment_section_id": 5501, "student_dcid": 8101},
        },
        {"field": "Student.id [8102] does not have an AssignmentStudentAssociation"},
    ]
    error = refusal(ps, remote, answer({"message": "Validation Failed", "errors": errors}, 409))
    assert error.cause == "powerschool_student"
    assert error.rows == (
        RejectedRow("Student.id [8101] does not have an AssignmentStudentAssociation", 5501, 8101),
        RejectedRow("Student.id [8102] does not have an AssignmentStudentAssociation", None, 8102),
    )


def test_a_deleted_assignment_is_not_found(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """PowerSchool answers scores for it with a 500, which is no outage."""
    words = "Unable to find com.pearson.powerschool.xte.model.AssignmentSection with id 5501"
    error = refusal(ps, remote, answer({"message": words}, 500))
    assert isinstance(error, NotFound)
    assert error.rows[0].assignment_section_id == 5501


def test_another_500_may_pass(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """It spends an attempt."""
    remote.on("PUT", SCORE, answer({"message": "Internal error"}, 500))
    with pytest.raises(TransientError) as caught:
        ps.gradebook.write_scores(TEACHER, [ROW])
    assert not isinstance(caught.value, ServiceUnavailable)


def test_errors_carry_no_scores(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """What a refusal quotes is masked."""
    error = refusal(ps, remote, answer({"message": "Value '9.25' of 9.25 for \"Some Body\" is too long"}, 409))
    assert "9.25" not in error.error_text + str(error)
    assert "Some Body" not in error.error_text


CATEGORY = {
    "teachercategoryid": 301,
    "name": "Homework",
    "isactive": True,
    "districtteachercategoryid": 3,
    "defaultpublishoption": "Immediately",
    "_teachercategorysectionexcludeassociations": [{"sectionsdcid": 6200, "teachercategoryid": 301}],
    "$breach_mitigation": "xyzzy",
}


@pytest.mark.parametrize("name", ["1e999999", "-1e400", "1e3", "7.50"])
def test_what_a_category_is_called_survives_the_cache(ps: PowerSchool, remote: ScriptedRemote, name: str) -> None:
    """A name that came as a number, or as none, is the same text when it is read from the cache."""
    body = f'[{{"teachercategoryid": 302, "name": {name}, "isactive": true}}]'
    remote.on("GET", CATEGORIES, httpx.Response(200, text=body, headers={"Content-Type": "application/json"}))
    found = ps.gradebook.categories(TEACHER, 41)
    assert ps.gradebook.categories(TEACHER, 41) == found


def test_categories_are_read_and_remembered(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """Inactive ones too; asked for again only to refresh."""
    remote.on("GET", CATEGORIES, answer([CATEGORY, {"teachercategoryid": 302, "name": "Quiz", "isactive": False}]))
    found = ps.gradebook.categories(TEACHER, 41)
    assert found == (
        TeacherCategory(301, "Homework", True, 3, frozenset({6200}), "Immediately"),
        TeacherCategory(302, "Quiz", False),
    )
    assert ps.gradebook.categories(TEACHER, 41) == found
    assert len(remote.asked("GET", CATEGORIES)) == 1
    ps.gradebook.categories(TEACHER, 41, refresh=True)
    assert dict(remote.asked("GET", CATEGORIES)[1].url.params) == {"users_dcid": "501", "year_id": "41"}


def test_the_plugin_is_known_by_its_id_and_its_name(powerschool_of: Callable[..., PowerSchool]) -> None:
    """The id comes from PowerSchool's metadata, the name from the plugin's own file."""
    assert powerschool_of().gradebook.plugin_ids() == {"411", "passback"}


STATE_ROW = {
    "_name": "assignmentsection",
    "section_dcid": "6100",
    "assignment_id": "9001",
    "assignment_section_id": "5501",
    "name": "Volcanoes",
    "due_date": "2031-10-07",
    "description": "<p>Read.</p>",
    "points": "10.5",
    "category_id": "301",
    "created_by_plugin": "411",
}


def test_the_state_is_one_query(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """Rows are text, and one per score; nulls are left out."""
    scored = {**STATE_ROW, "score_kind": "REAL_SCORE", "is_missing": "0", "is_exempt": "0"}
    rows = [
        {**scored, "student_dcid": "8101", "score_points": "9.25"},
        {**scored, "student_dcid": "8102", "score_points": "0", "is_missing": "1"},
        {**scored, "student_dcid": "8103", "score_points": "5", "score_kind": "SCORE_CODE"},
        {**scored, "student_dcid": "8104", "is_exempt": "1", "score_kind": ""},
        {**STATE_ROW, "assignment_section_id": "5502", "assignment_id": "9002", "created_by_plugin": ""},
    ]
    remote.on("POST", STATE, answer({"name": "assignmentsection", "record": rows, "@extensions": ""}))
    first, second = ps.gradebook.assignments([SECTION], [5501])
    assert first.scores == {
        8101: Score(Decimal("9.25")),
        8102: Score(Decimal(0), missing=True),
        8103: Score(Decimal(5), is_code=True),
        8104: Score(None, exempt=True),
    }
    assert replace(first, scores={}) == ActualAssignment(
        9001, 5501, 6100, "Volcanoes", date(2031, 10, 7), Decimal("10.5"), 301, "<p>Read.</p>", "411"
    )
    assert (second.assignment_id, second.scores) == (9002, {})
    (request,) = remote.asked("POST", STATE)
    assert dict(request.url.params) == {"pagesize": "0", "count": "true"}
    assert sent(request) == {"section_dcids": [6100], "score_section_ids": [5501]}


def test_no_rows_are_no_assignments(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """PowerSchool leaves `record` out; an empty IN list is never sent."""
    remote.on("POST", STATE, answer({"@extensions": ""}))
    assert ps.gradebook.assignments([SECTION], []) == ()
    assert sent(remote.asked("POST", STATE)[0]) == {"section_dcids": [6100], "score_section_ids": [0]}


@pytest.mark.parametrize("change", [{}, {"points": None}], ids=["as documented", "an odd row in it"])
def test_a_cut_answer_is_no_gradebook(ps: PowerSchool, remote: ScriptedRemote, change: dict[str, object]) -> None:
    """The assignments beyond the cut would look deleted, and be made again."""
    remote.on("POST", STATE, answer({"record": [STATE_ROW | change], "count": 2}))
    with pytest.raises(IncompleteRead, match="1 rows of 2"):
        ps.gradebook.assignments([SECTION], [])


def test_many_scores_take_several_queries(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """Oracle takes at most 1,000 values in a list."""
    first = {**STATE_ROW, "student_dcid": "8101", "score_points": "1"}
    remote.on("POST", STATE, answer({"record": [first]}), answer({"record": [STATE_ROW]}))
    (found,) = ps.gradebook.assignments([SECTION], range(1, 502))
    assert found.scores == {8101: Score(Decimal(1))}
    assert len(remote.asked("POST", STATE)) == 2


@pytest.mark.parametrize("body", [[], None, "text", {"record": [{"section_dcid": "6100"}]}])
def test_an_unreadable_answer_is_never_an_empty_gradebook(
    ps: PowerSchool, remote: ScriptedRemote, body: object
) -> None:
    """What cannot be read is not gone."""
    remote.on("POST", STATE, answer(body))
    with pytest.raises(UnexpectedResponse):
        ps.gradebook.assignments([SECTION], [])


NOT_INSTALLED = answer({"message": "Query org.passback.sync.gradebook.state not found"}, 404)
NOT_GRANTED = answer({"message": "At least one column lacks sufficient permission"}, 403)


@pytest.mark.parametrize(
    ("closed", "cause"), [(NOT_INSTALLED, Cause.QUERY_MISSING), (NOT_GRANTED, Cause.QUERY_NOT_GRANTED)]
)
def test_without_its_query_the_gradebook_is_not_read(
    ps: PowerSchool, remote: ScriptedRemote, closed: httpx.Response, cause: Cause
) -> None:
    """The query is named, and nothing else is asked instead."""
    remote.on("POST", STATE, closed)
    with pytest.raises(QueryUnavailable, match=r"org\.passback\.sync\.gradebook\.state") as caught:
        ps.gradebook.assignments([SECTION], [5501])
    assert caught.value.cause == cause
    assert [request.url.path for request in remote.requests] == ["/oauth/access_token", STATE]


def test_an_outage_is_no_missing_query(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """A PowerSchool that is unwell is waited for."""
    remote.on("POST", STATE, text("<html></html>", 200, "text/html"))
    with pytest.raises(ServiceUnavailable):
        ps.gradebook.assignments([SECTION], [])
    assert len(remote.requests) == 2


def test_a_teachers_marks_are_read_and_sent_back(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """All six flags of a row; a query of an earlier plugin does not tell, and then nothing is said of them."""
    flags = {"is_late": "1", "is_collected": "0", "is_absent": "0", "is_incomplete": "1"}
    of_assignment = {"is_counted": "0", "scores_published": "1", "weight": "2", "score_type": "PERCENT"}
    scored = {**STATE_ROW, "student_dcid": "8101", "score_points": "9.25"}
    remote.on("POST", STATE, answer({"record": [{**scored, **flags, **of_assignment}]}), answer({"record": [scored]}))
    (now,), (before,) = (ps.gradebook.assignments([SECTION], [5501]) for _ in range(2))
    assert (now.counted, now.scores_published, now.weight, now.score_type) == (False, True, Decimal(2), "PERCENT")
    assert (before.counted, before.scores_published, before.weight, before.score_type) == (None, None, None, None)
    assert (now.scores[8101].marks, before.scores[8101].marks) == ({Mark.LATE, Mark.INCOMPLETE}, None)

    remote.on("PUT", SCORE, answer({}))
    ps.gradebook.write_scores(TEACHER, [replace(ROW, marks=actual.scores[8101].marks) for actual in (now, before)])
    ps.gradebook.clear_scores(TEACHER, [ScoreRow(5501, 8101, None, now.scores[8101].marks)])
    written, emptied = (sent(request)["assignment_scores"] for request in remote.asked("PUT", SCORE))
    own = {"islate": True, "iscollected": False, "isabsent": False, "isincomplete": True}
    assert [{key: row[key] for key in own if key in row} for row in (*written, *emptied)] == [own, {}, own]


def test_what_counts_is_sent_and_what_is_unknown_stays(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """A create says what the category says; an update leaves alone what neither system says."""
    remote.on("POST", ASSIGNMENTS, created(AssignmentSectionIds="[5501]"))
    ps.gradebook.create(TEACHER, replace(DESIRED, counted=False, scores_published=False, description=None))
    (section,) = sent(remote.asked("POST", ASSIGNMENTS)[0])["_assignmentsections"]
    assert (section["iscountedinfinalgrade"], section["isscorespublish"], "description" in section) == (
        False,
        False,
        False,
    )

    remote.on("GET", ONE, answer(ASSIGNMENT))
    remote.on("PUT", ONE, answer({}))
    ps.gradebook.update(TEACHER, ACTUAL, replace(DESIRED, description=None))
    ps.gradebook.update(TEACHER, ACTUAL, replace(DESIRED, counted=True, scores_published=False))
    unknown, known = (sent(request)["_assignmentsections"][0] for request in remote.asked("PUT", ONE))
    assert not {"iscountedinfinalgrade", "isscorespublish", "description"} & unknown.keys()
    assert (known["iscountedinfinalgrade"], known["isscorespublish"]) == (True, False)
