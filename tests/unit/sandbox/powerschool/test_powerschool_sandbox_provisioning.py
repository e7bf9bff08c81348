"""The provisioning queries, the faults for rosters and the actions of the sandbox PowerSchool."""

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from powerschool_client import AMY, BOB, CAL, CO_TEACHER, OTHER_SECTION, SECTION, STRANGER, TEACHER, District

from shared.sandbox.powerschool.queries import PROVISIONING_QUERIES

FILE = "deploy/powerschool-plugin/queries_root/org.passback.sync.provisioning.named_queries.xml"
QUERIES = {query.attrib["name"]: query for query in ET.parse(Path(__file__).parents[4] / FILE).getroot()}


def rows(district: District, name: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = district.query(f"provisioning.{name}").json().get("record", [])
    return found


def changed(district: District) -> dict[str, list[int]]:
    tables: dict[str, list[int]] = district.call("GET", "/ws/dataversion/passback/0").json()["tables"]
    return tables


@pytest.mark.parametrize("name", PROVISIONING_QUERIES)
def test_the_queries_are_those_of_the_plugin(name: str) -> None:
    """Each query has the columns, grants and core table of the plugin's."""
    declared = [(column.text, column.attrib["column"].lower()) for column in QUERIES[name].iter("column")]
    assert sorted(declared) == sorted(PROVISIONING_QUERIES[name].grants.items())
    assert re.fullmatch(r"\w+", PROVISIONING_QUERIES[name].core_table)
    assert QUERIES[name].attrib["coreTable"] == PROVISIONING_QUERIES[name].core_table


def test_there_is_no_query_more() -> None:
    """Plugin and sandbox have the same queries."""
    assert QUERIES.keys() == PROVISIONING_QUERIES.keys()


def test_a_missing_grant_refuses_its_queries() -> None:
    """A missing grant refuses only queries that return the column."""
    district = District()
    district.faults(missing_grants=["emailaddress.emailaddress"])
    assert district.query("provisioning.students").status_code == 403
    assert district.query("provisioning.staff").status_code == 200


def test_a_section_comes_once_per_co_teacher() -> None:
    """A section has a row per current co-teacher, and one without any."""
    district = District()
    assert [row.get("co_users_dcid") for row in rows(district, "sections")] == [str(CO_TEACHER), None, None]
    district.act("add_co_teacher", section_dcid=SECTION, users_dcid=STRANGER)
    assert [row["co_users_dcid"] for row in rows(district, "sections")[:2]] == [str(CO_TEACHER), str(STRANGER)]
    district.act("end_co_teaching", section_dcid=SECTION, users_dcid=CO_TEACHER)
    assert [row.get("co_users_dcid") for row in rows(district, "sections")] == [str(STRANGER), None, None]
    assert changed(district) == {"sectionteacher": [SECTION]}


def test_a_student_comes_once_per_address() -> None:
    """A student has a row per address, the primary one first, and one without any."""
    district = District()
    district.act("change_student", student_dcid=AMY, email="amy@district.example")
    state = district.app.state.powerschool
    state.students[AMY].other_emails.append("home@mail.example")
    found = [(row["student_dcid"], row.get("email"), row.get("is_primary")) for row in rows(district, "students")]
    assert found == [
        (str(AMY), "amy@district.example", "1"),
        (str(AMY), "home@mail.example", "0"),
        (str(BOB), None, None),
        (str(CAL), None, None),
    ]
    assert changed(district) == {"person": [AMY]}


def test_who_left_is_listed_while_an_enrollment_is_near() -> None:
    """A departed student is listed only with an enrollment of a near year."""
    district = District()
    district.act("change_student", student_dcid=BOB, enroll_status=2)
    assert str(BOB) in {row["student_dcid"] for row in rows(district, "students")}
    district.act("close_section", section_dcid=SECTION)
    assert {row["student_dcid"] for row in rows(district, "students")} == {str(AMY), str(CAL)}


def test_staff_who_are_gone_are_listed_while_they_lead() -> None:
    """Inactive lead teachers are listed, inactive co-teachers are not."""
    district = District()
    for staff_dcid in (710, 711):
        district.act("deactivate_staff", staff_dcid=staff_dcid)
    found = [(row["users_dcid"], row["status"]) for row in rows(district, "staff")]
    assert found == [(str(TEACHER), "2"), (str(STRANGER), "1")]
    assert changed(district) == {"schoolstaff": [710, 711]}


def test_a_dropped_enrollment_is_marked() -> None:
    """A dropped enrollment has `is_dropped` and its dates as entered."""
    district = District()
    district.act("drop_student", section_dcid=SECTION, student_dcid=BOB)
    found = [(row["student_dcid"], row["is_dropped"], row["exit_date"]) for row in rows(district, "enrollments")]
    assert found[:2] == [(str(AMY), "0", "2027-01-30"), (str(BOB), "1", "2026-09-21")]


@pytest.mark.parametrize("name", PROVISIONING_QUERIES)
def test_rows_are_lost_but_counted(name: str) -> None:
    """`rows_lost` shortens every list and no count."""
    district, path = District(), name.removeprefix("org.passback.sync.")
    whole = len(district.query(path).json()["record"])
    district.faults(rows_lost=1)
    answer = district.query(path, "count=true").json()
    assert (len(answer.get("record", [])), answer["count"]) == (whole - 1, whole)


@pytest.mark.parametrize("fault", [{"hidden_school_numbers": [101]}, {"empty_rosters": True}])
def test_a_hidden_school_is_gone_from_the_counts_as_well(fault: dict[str, Any]) -> None:
    """A hidden school and its rows are absent from lists and counts until the fault is cleared."""
    district = District()
    district.faults(**fault)
    for name in ("schools", "terms", "sections", "staff", "students", "enrollments"):
        assert district.query(f"provisioning.{name}", "count=true").json()["count"] == 0
    district.faults()
    assert len(rows(district, "sections")) == 3


def test_queries_may_have_a_cap() -> None:
    """`query_page_cap` shortens larger pages without a sign."""
    district = District()
    district.faults(query_page_cap=2)
    for size in (0, 500):
        answer = district.query("provisioning.students", f"pagesize={size}&count=true").json()
        assert (len(answer["record"]), answer["count"]) == (2, 3)


def test_a_year_rolls_over() -> None:
    """A roll-over repeats every term and its sections, without students who left."""
    district = District()
    district.act("drop_student", section_dcid=SECTION, student_dcid=BOB)
    district.act("roll_over", first_day="2026-10-01")
    terms = {(row["term_id"], row["year_id"], row["first_day"]) for row in rows(district, "terms")}
    assert {("3700", "37", "2026-10-01"), ("3701", "37", "2026-10-01")} < terms
    new = {row["section_dcid"] for row in rows(district, "sections") if row["term_id"] == "3701"}
    assert len(new) == 3
    entered = {row["student_dcid"] for row in rows(district, "enrollments") if row["section_dcid"] in new}
    assert entered == {str(AMY), str(CAL)}


@pytest.mark.parametrize(
    ("act", "status"),
    [
        ({"do": "close_section", "section_dcid": 1}, 404),
        ({"do": "change_staff", "users_dcid": 1}, 404),
        ({"do": "add_co_teacher", "section_dcid": SECTION, "users_dcid": 1}, 404),
        ({"do": "add_student", "student": {"dcid": AMY, "id": 1, "number": "1", "school_number": 101}}, 409),
        ({"do": "rename_course", "course_dcid": 500}, 422),
    ],
)
def test_acts_on_what_is_not_there_are_refused(act: dict[str, Any], status: int) -> None:
    """An action on an unknown id is 404, on a taken one 409, with missing arguments 422."""
    assert District().call("POST", "/_sandbox/act", json=act).status_code == status


def test_a_closed_section_takes_its_gradebook_along() -> None:
    """A closed section is gone with its gradebook and enrollments."""
    district = District()
    district.created()
    district.act("close_section", section_dcid=SECTION)
    assert district.state() == []
    assert [row["section_dcid"] for row in rows(district, "enrollments")] == [str(OTHER_SECTION)]
