"""What the sandbox PowerSchool accepts and refuses of assignments."""

from typing import Any

import pytest
from powerschool_client import (
    AMY,
    BOB,
    CO_TEACHER,
    EXCLUDED_CATEGORY,
    FOREIGN_CATEGORY,
    FOREIGN_SECTION,
    INACTIVE_CATEGORY,
    OTHER_SECTION,
    SECTION,
    STRANGER,
    TEACHER,
    District,
    assignment,
    category,
    score,
)


def codes(answer: Any) -> set[str]:
    return {row["code"] for row in answer.json()["errors"]}


def test_a_create_answers_201_without_body_and_the_assignment_id() -> None:
    """A create has no body; `Location` ends in the assignmentid, which is not the assignmentsectionid."""
    district = District()
    answer = district.create(assignment())
    assert (answer.status_code, answer.content) == (201, b"")
    assert "assignmentsectionids" not in answer.headers
    row = district.state()[0]
    assert answer.headers["location"] == (f"http://powerschool.test/ws/xte/section/assignment/{row['assignment_id']}")
    assert row["assignment_id"] != row["assignment_section_id"]
    assert row["created_by_plugin"] == "744"


def test_the_section_ids_header_can_be_switched_on() -> None:
    """The header that browsers get is given when the fault says so."""
    district = District()
    district.faults(assignment_section_ids_header=True)
    answer = district.create(assignment())
    assert answer.headers["assignmentsectionids"] == f"[{district.state()[0]['assignment_section_id']}]"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": ...}, "Name"),
        ({"name": "x" * 51}, "Name"),
        ({"description": "x" * 4001}, "Description"),
        ({"duedate": ...}, "Due Date Error"),
        ({"duedate": "10/01/2026"}, "Due Date Error"),
        ({"duedate": "20261001"}, "Due Date Error"),
        ({"duedate": "2026-08-23"}, "Due Date Error"),
        ({"duedate": "2027-01-30"}, "Due Date Error"),
        ({"scoreentrypoints": ..., "totalpointvalue": ...}, "Score Entry Point Required"),
        ({"scoreentrypoints": 10000, "totalpointvalue": 10000}, "Total Point Value"),
        ({"totalpointvalue": 11}, "Total Point Value"),
        ({"scoretype": "STARS"}, "Score Type"),
        ({"_assignmentcategoryassociations": ...}, "Teacher Category ID"),
        ({"_assignmentcategoryassociations": category(INACTIVE_CATEGORY)}, "Teacher Category ID"),
        ({"_assignmentcategoryassociations": category(EXCLUDED_CATEGORY)}, "Teacher Category ID"),
        ({"_assignmentcategoryassociations": category(FOREIGN_CATEGORY)}, "Teacher Category ID"),
        ({"_assignmentcategoryassociations": category(99)}, "Teacher Category ID"),
        ({"sectionsdcid": 1}, "Section"),
    ],
)
def test_one_invalid_value_is_refused_with_409(changes: dict[str, Any], code: str) -> None:
    """Each invalid value alone refuses the create with its title; nothing is written."""
    district = District()
    answer = district.create(assignment(**changes))
    assert answer.status_code == 409
    assert codes(answer) == {code}
    assert district.state() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "x" * 50},
        {"duedate": "2026-08-24"},
        {"duedate": "2027-01-29"},
        {"scoreentrypoints": 9999, "totalpointvalue": 9999},
        {"scoreentrypoints": 10.5, "totalpointvalue": 21, "weight": 2},
        {"pointspossible": 10, "yearid": 36},
        {"publishoption": ...},
    ],
)
def test_values_at_the_limit_and_unknown_keys_are_accepted(changes: dict[str, Any]) -> None:
    """The last legal value of each limit passes; keys that are no columns are ignored."""
    assert District().create(assignment(**changes)).status_code == 201


def test_the_same_name_and_date_in_a_section_is_a_duplicate_whatever_its_case() -> None:
    """(section, case-folded name, due date) is unique; another date or section is not a duplicate."""
    district = District()
    district.created(name="Cells")
    assert codes(district.create(assignment(name="CELLS"))) == {"Assignment Already Exists"}
    assert district.create(assignment(name="Cells", duedate="2026-10-02")).status_code == 201
    assert district.create(assignment(name="Cells", sectionsdcid=OTHER_SECTION)).status_code == 201


@pytest.mark.parametrize(("users_dcid", "section"), [(STRANGER, SECTION), (TEACHER, FOREIGN_SECTION), (1, SECTION)])
def test_only_a_teacher_of_the_section_may_create(users_dcid: int, section: int) -> None:
    """A user who does not teach the section is answered 403 with the known words."""
    answer = District().create(assignment(sectionsdcid=section), users_dcid)
    assert answer.status_code == 403
    assert answer.json()["message"].startswith("User does not teach section")


def test_a_co_teacher_may_edit() -> None:
    """A co-teacher reads the section's assignments like its lead."""
    answer = District().call("GET", f"/ws/xte/section/assignment/?users_dcid={CO_TEACHER}&section_ids={SECTION}")
    assert (answer.status_code, answer.json()) == (200, [])


def test_users_dcid_is_required() -> None:
    """Without `users_dcid` every gradebook call is 400."""
    assert District().call("POST", "/ws/xte/section/assignment/", json=assignment()).status_code == 400


def test_the_list_is_a_plain_array_that_ignores_paging() -> None:
    """All assignments of the sections come in one array, with type tags and without null keys."""
    district = District()
    for day in range(1, 4):
        district.created(duedate=f"2026-10-0{day}")
    path = f"/ws/xte/section/assignment?users_dcid={TEACHER}&section_ids={SECTION},{OTHER_SECTION}&pagesize=1"
    rows = district.call("GET", path).json()
    assert [row["_id"] for row in rows] == [row["assignmentid"] for row in rows]
    assert len(rows) == 3
    assert "$breach_mitigation" in rows[0]
    assert "description" not in rows[0]["_assignmentsections"][0]


def test_a_mixed_up_id_is_not_found() -> None:
    """An assignmentsectionid in place of an assignmentid finds nothing."""
    district = District()
    _, section_id = district.created()
    assert district.read(section_id).status_code == 404


def test_an_update_replaces_everything() -> None:
    """What an update does not say is set to its default."""
    district = District()
    assignment_id, _ = district.created(description="<p>old</p>")
    body = district.read(assignment_id).json()
    row = body["_assignmentsections"][0]
    row["name"] = "Cells II"
    del row["description"]
    assert district.update(assignment_id, body).status_code == 201
    assert (district.state()[0]["name"], district.state()[0]["description"]) == ("Cells II", None)


@pytest.mark.parametrize("missing", ["assignmentsectionid", "_assignmentcategoryassociations"])
def test_an_incomplete_update_is_412(missing: str) -> None:
    """An update without a section's id or its category associations is refused with 412."""
    district = District()
    assignment_id, _ = district.created()
    body = district.read(assignment_id).json()
    del body["_assignmentsections"][0][missing]
    answer = district.update(assignment_id, body)
    assert (answer.status_code, answer.json()["message"]) == (412, "Assignment Update is Missing Record")


def test_a_scoring_change_with_scores_needs_update_scores() -> None:
    """Other points for a scored assignment need `update_scores`; percents follow when it is true."""
    district = District()
    assignment_id, section_id = district.created()
    district.write_scores(score(section_id, AMY, 9))
    body = district.read(assignment_id).json()
    body["_assignmentsections"][0] |= {"scoreentrypoints": 20, "totalpointvalue": 20}
    assert district.update(assignment_id, body).status_code == 409
    assert district.update(assignment_id, body, "&update_scores=true").status_code == 201
    amy = district.state()[0]["scores"][str(AMY)]
    assert (amy["points"], amy["percent"]) == ("9", "45")


def test_locks_refuse_every_write() -> None:
    """A locked assignment refuses update and score; a locked term a create as well."""
    district = District()
    assignment_id, section_id = district.created()
    body = district.read(assignment_id).json()
    district.act("change_assignment", assignment_section_id=section_id, locked=True)
    assert codes(district.update(assignment_id, body)) == {"Assignment is Locked"}
    assert codes(district.write_scores(score(section_id, AMY))) == {"Assignment is Locked"}
    district.act("change_assignment", assignment_section_id=section_id, locked=False)
    district.act("lock_term", term_id=3601)
    assert codes(district.create(assignment(name="New"))) == {"Locked Term"}
    assert codes(district.write_scores(score(section_id, BOB))) == {"Locked Term"}
    district.act("unlock_term", term_id=3601)
    assert district.create(assignment(name="New")).status_code == 201
    district.faults(lock_term_ids=[3601])
    assert codes(district.create(assignment(name="Newer"))) == {"Locked Term"}


def test_one_assignment_spans_sections_only_with_equal_values() -> None:
    """Sections of one assignment differ in due date only; each gets its own assignmentsectionid."""
    district = District()
    body = assignment()
    other = assignment(sectionsdcid=OTHER_SECTION, duedate="2026-10-05")["_assignmentsections"][0]
    body["_assignmentsections"].append({**other, "name": "Else"})
    assert district.create(body).status_code == 409
    body["_assignmentsections"][1]["name"] = "Cells"
    assert district.create(body).status_code == 201
    assert len({row["assignment_section_id"] for row in district.state()}) == 2
    assert len({row["assignment_id"] for row in district.state()}) == 1
