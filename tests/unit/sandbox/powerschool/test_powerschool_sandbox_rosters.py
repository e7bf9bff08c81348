"""Rosters by tables and named queries of the sandbox PowerSchool."""

import pytest
from powerschool_client import AMY, BOB, OTHER_SECTION, SECTION, STRANGER, District, score


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("assignments", 404, "assignments"),
        ("teachers", 405, "GET, POST and PUT are not allowed on table"),
        ("students?projection=nope", 400, "Invalid field specified: nope is not valid column for table: students"),
        ("sections?projection=dcid,course_number", 403, "At least one column lacks sufficient permission"),
    ],
)
def test_probes_of_tables_are_answered_as_measured(path: str, status: int, words: str) -> None:
    """No table, closed table, no column and missing grant differ in status and words."""
    district = District()
    district.faults(missing_grants=["sections.course_number"])
    answer = district.call("GET", f"/ws/schema/table/{path}")
    assert (answer.status_code, words in answer.text) == (status, True)


def test_the_section_query_gives_term_and_lead_teacher() -> None:
    """`roster.sections` answers texts; the teacher is absent where there is none."""
    district = District()
    district.act("change_teacher", section_dcid=OTHER_SECTION, users_dcid=None)
    rows = district.query("roster.sections", section_dcids=[SECTION, OTHER_SECTION, 1]).json()["record"]
    assert rows[0] == {
        "_name": "sections",
        "section_dcid": str(SECTION),
        "section_id": "2100",
        "school_number": "101",
        "course_number": "SCI1",
        "section_number": "1",
        "term_id": "3601",
        "year_id": "36",
        "first_day": "2026-08-24",
        "last_day": "2027-01-29",
        "teacher_users_dcid": "610",
    }
    assert len(rows) == 2
    assert "teacher_users_dcid" not in rows[1]


def test_the_section_index_is_paged() -> None:
    """`roster.section_index` gives pages of 100 unless told otherwise; 0 is everything."""
    district = District()
    pages = [district.query("roster.section_index", f"pagesize=2&page={page}").json() for page in (1, 2, 3)]
    assert [len(page.get("record", [])) for page in pages] == [2, 1, 0]
    assert "record" not in pages[2]
    assert len(district.query("roster.section_index", "pagesize=0").json()["record"]) == 3


def test_the_student_query_keeps_leading_zeros() -> None:
    """`roster.students` answers student numbers as they are."""
    rows = District().query("roster.students", section_dcids=[SECTION]).json()["record"]
    assert [(row["student_dcid"], row["student_number"]) for row in rows] == [(str(AMY), "00123"), (str(BOB), "1002")]


def test_a_dropped_student_left_today() -> None:
    """A dropped enrollment stays in `roster.students`, ended."""
    district = District()
    district.act("drop_student", section_dcid=SECTION, student_dcid=BOB)
    rows = district.query("roster.students", section_dcids=[SECTION]).json()["record"]
    assert [row["exit_date"] for row in rows] == ["2027-01-30", "2026-09-21"]


def test_the_section_index_forgets_old_school_years() -> None:
    """A section is in the index until 60 days after the last term of its year."""
    district = District()
    district.wait(days=270 + 59)
    district.sign_in()
    assert len(district.query("roster.section_index").json()["record"]) == 3
    district.wait(days=2)
    district.sign_in()
    assert "record" not in district.query("roster.section_index").json()


def test_the_gradebook_query_joins_only_the_scores_asked_for() -> None:
    """`gradebook.state` gives every assignment section once, or once per score where its scores are wanted."""
    district = District()
    _, first = district.created(name="One")
    _, second = district.created(name="Two")
    district.write_scores(score(first, AMY, 9.5), score(first, BOB, 0, ismissing=True), score(second, AMY, 3))
    rows = district.query("gradebook.state", section_dcids=[SECTION], score_section_ids=[first]).json()["record"]
    found = [(row["name"], row.get("student_dcid"), row.get("score_points"), row.get("is_missing")) for row in rows]
    assert found == [("One", str(AMY), "9.5", "0"), ("One", str(BOB), "0", "1"), ("Two", None, None, None)]


@pytest.mark.parametrize(
    "arguments",
    [{}, {"section_dcids": 5}, {"section_dcids": []}, {"section_dcids": ["x"]}, {"section_dcids": [1], "other": [1]}],
)
def test_bad_arguments_are_400(arguments: dict[str, object]) -> None:
    """A missing, empty, malformed or undeclared argument is refused."""
    assert District().query("roster.students", **arguments).status_code == 400


def test_an_unregistered_query_is_404() -> None:
    """Unknown queries, and all of them while not installed, are 404 with the known words."""
    district = District()
    assert district.query("roster.nope").status_code == 404
    district.act("set_plugin", queries_installed=False)
    answer = district.query("roster.section_index")
    assert answer.status_code == 404
    assert answer.json()["message"] == "Query org.passback.sync.roster.section_index not found"


def test_the_data_version_grows_with_changes() -> None:
    """Changes since a version are listed as ids, and the version is a text."""
    district = District()
    before = district.call("GET", "/ws/dataversion/passback/0").json()["$dataversion"]
    district.act("change_teacher", section_dcid=SECTION, users_dcid=STRANGER)
    after = district.call("GET", f"/ws/dataversion/passback/{before}").json()
    assert int(after["$dataversion"]) > int(before)
    assert after["tables"] == {"sections": [SECTION]}
