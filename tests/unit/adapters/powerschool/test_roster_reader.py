"""Whole rosters in front of a scripted PowerSchool: quirks, pages, counts, versions."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from typing import Any

import httpx
import pytest
import redis
from scripted_remote import ScriptedRemote, answer, sent, text

from shared.adapters.powerschool import roster_feed
from shared.adapters.powerschool.pagination import READINGS
from shared.adapters.powerschool.provisioning.reader import ROWS_PER_PAGE, PowerSchoolRosterFeed
from shared.adapters.redis.keys import Keys
from shared.config import Settings
from shared.domain.causes import Cause
from shared.domain.provisioning.roster import (
    ClassEnrollment,
    ClassSection,
    Roster,
    StaffMember,
    Student,
    TeachingAssignment,
)
from shared.errors import (
    AccessDenied,
    IncompleteRead,
    QueryUnavailable,
    ServiceUnavailable,
    TransientError,
    UnexpectedResponse,
)
from shared.ports.provisioning import DataVersion
from tests.manual_clock import ManualClock

QUERY = "/ws/schema/query/org.passback.sync.provisioning."
TOKEN = {"access_token": "first-token", "token_type": "Bearer", "expires_in": "3600"}
METADATA = {"metadata": {"plugin_id": 411, "district_timezone": "America/Denver", "student_max_page_size": 2}}

SECTION = {
    "section_dcid": "6100",
    "section_id": "77",
    "school_number": "12",
    "term_id": "4100",
    "course_number": "0042",
    "section_number": "01",
    "lead_users_dcid": "501",
}
STAFF = {"users_dcid": "501", "staff_id": "1", "teacher_number": "007", "school_number": "12", "status": "1"}
STUDENT = {"student_dcid": "8101", "student_number": "003001", "school_number": "12", "enroll_status": "0"}
ENROLLMENT = {"enrollment_dcid": "1", "section_dcid": "6100", "student_dcid": "8101", "entry_date": "2031-08-20"}
TERM = {
    "term_id": "4100",
    "term_dcid": "901",
    "school_number": "12",
    "year_id": "41",
    "term_name": "2031-2032",
    "abbreviation": "31-32",
    "first_day": "2031-08-20",
    "last_day": "2032-06-01",
}
LISTS: dict[str, list[dict[str, Any]]] = {
    "schools": [{"school_number": "12", "school_dcid": "3", "school_name": "School 12"}],
    "terms": [TERM],
    "courses": [{"course_dcid": "1", "course_number": "0042", "course_name": "Maps", "school_number": "0"}],
    "sections": [SECTION],
    "staff": [STAFF],
    "students": [STUDENT],
    "enrollments": [ENROLLMENT],
}


def page(rows: list[dict[str, Any]], count: int | None = None, status: int = 200) -> httpx.Response:
    """One page; `count` is how many rows there are on all pages."""
    number = len(rows) if count is None else count
    body: dict[str, Any] = {"name": "any", "@extensions": "", "count": number}
    return answer(body | ({"record": rows} if rows else {}), status)


@pytest.fixture
def feed(
    settings_of: Callable[..., Settings],
    redis_client: redis.Redis,
    keys: Keys,
    clock: ManualClock,
    remote: ScriptedRemote,
) -> Iterator[PowerSchoolRosterFeed]:
    remote.on("POST", "/oauth/access_token", answer(TOKEN)).on("GET", "/ws/v1/metadata", answer(METADATA))
    for name, rows in LISTS.items():
        remote.on("POST", f"{QUERY}{name}", page(rows))
        remote.on("POST", f"{QUERY}{name}/count", answer({"count": len(rows)}))
    with closing(roster_feed(settings_of(), redis_client, keys, clock, transport=remote.transport)) as made:
        yield made


def read(feed: PowerSchoolRosterFeed, remote: ScriptedRemote, **lists: list[dict[str, Any]]) -> Roster:
    for name, rows in lists.items():
        remote.on("POST", f"{QUERY}{name}", page(rows))
        remote.on("POST", f"{QUERY}{name}/count", answer({"count": len(rows)}))
    return feed.read()


def test_a_section_has_its_lead_teacher_first(feed: PowerSchoolRosterFeed, remote: ScriptedRemote) -> None:
    """It comes once per co-teacher; nobody teaches twice, and a user 0 is nobody."""
    rows = [
        {**SECTION, "co_users_dcid": user, "section_teacher_id": row}
        for row, user in enumerate(("502", "502", "501", "0"))
    ]
    assert read(feed, remote, sections=rows).sections == (
        ClassSection(
            6100,
            77,
            12,
            4100,
            "0042",
            "01",
            (TeachingAssignment(501, is_lead=True), TeachingAssignment(502, is_lead=False)),
        ),
    )


def test_a_section_may_have_co_teachers_only(feed: PowerSchoolRosterFeed, remote: ScriptedRemote) -> None:
    """Nulls are left out of the row."""
    row = {key: value for key, value in SECTION.items() if key != "lead_users_dcid"} | {"co_users_dcid": "502"}
    assert read(feed, remote, sections=[row]).sections[0].teachers == (TeachingAssignment(502, is_lead=False),)


@pytest.mark.parametrize(
    ("addresses", "email"),
    [
        ([], None),
        ([("", "1", "1")], None),
        ([("b@x.example", "0", "1"), ("a@x.example", "1", "2")], "a@x.example"),
        ([("b@x.example", "0", "2"), ("a@x.example", "0", "1")], "a@x.example"),
        ([("b@x.example", "0", ""), ("a@x.example", "", "3")], "a@x.example"),
    ],
)
def test_the_primary_address_counts(
    feed: PowerSchoolRosterFeed, remote: ScriptedRemote, addresses: list[tuple[str, str, str]], email: str | None
) -> None:
    """Else the first by priority; a student without one is no error."""
    rows = [
        {**STUDENT, "email_id": number, "email": address, "is_primary": primary, "priority": priority}
        for number, (address, primary, priority) in enumerate(addresses, 1)
    ]
    (student,) = read(feed, remote, students=rows or [STUDENT]).students
    assert student == Student(8101, "003001", "", "", email, 12)


@pytest.mark.parametrize(
    ("statuses", "schools", "is_active"),
    [(["1"], (12,), True), (["1", "1"], (12, 13), True), (["2", "1"], (13,), True), (["2", ""], (12, 13), False)],
)
def test_staff_work_where_they_are_current(
    feed: PowerSchoolRosterFeed, remote: ScriptedRemote, statuses: list[str], schools: tuple[int, ...], is_active: bool
) -> None:
    """A person comes once per school; who works at none any more is not active and keeps the old ones."""
    rows = [
        {**STAFF, "staff_id": index, "school_number": 12 + index, "status": status}
        for index, status in enumerate(statuses)
    ]
    (member,) = read(feed, remote, staff=rows).staff
    assert member == StaffMember(501, "007", "", "", None, schools, is_active)


def test_enrollments_keep_their_dates_and_their_drop(feed: PowerSchoolRosterFeed, remote: ScriptedRemote) -> None:
    """One that nobody dated began before everything; ids that refer to nothing stay."""
    dropped = {**ENROLLMENT, "enrollment_dcid": "2", "exit_date": "2031-09-01", "is_dropped": "1"}
    undated = {"enrollment_dcid": "3", "section_dcid": "1", "student_dcid": "2", "entry_date": "", "is_dropped": "0"}
    assert read(feed, remote, enrollments=[ENROLLMENT, dropped, undated]).enrollments == (
        ClassEnrollment(6100, 8101, date(2031, 8, 20)),
        ClassEnrollment(6100, 8101, date(2031, 8, 20), date(2031, 9, 1), is_dropped=True),
        ClassEnrollment(1, 2, None),
    )


def test_empty_rosters_are_read_as_such(feed: PowerSchoolRosterFeed, remote: ScriptedRemote) -> None:
    """Without `record`, counted as zero: whether that can be is for planning to say."""
    assert read(feed, remote, **{name: [] for name in LISTS}) == Roster((), (), (), (), (), (), ())


def scripted(remote: ScriptedRemote, pages: list[tuple[list[int], int | None]], counts: list[int]) -> None:
    """Script enrollments: their pages, each with how many rows there are from where it begins, and their counts."""
    path = f"{QUERY}enrollments"
    rows = [([{**ENROLLMENT, "enrollment_dcid": str(dcid)} for dcid in dcids], left) for dcids, left in pages]
    remote.on("POST", path, *(page(found, left) if left is not None else uncounted(found) for found, left in rows))
    remote.on("POST", f"{path}/count", *(answer({"count": count}) for count in counts))


def uncounted(rows: list[dict[str, Any]]) -> httpx.Response:
    return answer({"name": "any"} | ({"record": rows} if rows else {}))


def test_a_page_begins_after_the_last_row_of_the_one_before(
    feed: PowerSchoolRosterFeed, remote: ScriptedRemote
) -> None:
    """Whatever its length: a cap makes pages shorter than asked for, and says nothing."""
    scripted(remote, [([1, 4], 5), ([6, 7], 3), ([9], 1)], [5, 5])
    assert len(feed.read().enrollments) == 5
    asked = remote.asked("POST", f"{QUERY}enrollments")
    assert [sent(request) for request in asked] == [{"after_dcid": after} for after in (0, 4, 7)]
    assert {(r.url.params["page"], r.url.params["pagesize"]) for r in asked} == {("1", str(ROWS_PER_PAGE))}


def test_pages_may_begin_within_a_record(feed: PowerSchoolRosterFeed, remote: ScriptedRemote) -> None:
    """A student with three addresses, two of them on the next page, is one student."""
    rows = [
        {**STUDENT, "email_id": str(number), "email": f"a{number}@x.example", "is_primary": str(int(number == 3))}
        for number in (1, 2, 3)
    ]
    remote.on("POST", f"{QUERY}students", page(rows[:1], 3), page(rows[1:], 2))
    remote.on("POST", f"{QUERY}students/count", answer({"count": 3}))
    assert [student.email for student in feed.read().students] == ["a3@x.example"]
    asked = [sent(request) for request in remote.asked("POST", f"{QUERY}students")]
    assert asked == [{"after_dcid": 0, "after_id": 0}, {"after_dcid": 8101, "after_id": 1}]


@pytest.mark.parametrize(
    ("pages", "counts"),
    [
        ([([1, 2], 3), ([], 1)], [3]),
        ([([], 1)], [1]),
        ([([1, 2], 1)], [1]),
        ([([1, 2], None), ([], None)], [3]),
        ([([], None)], [1]),
    ],
    ids=["missing", "all missing", "more than counted", "missing and uncounted", "all missing and uncounted"],
)
def test_rows_that_do_not_match_their_count_are_no_roster(
    feed: PowerSchoolRosterFeed, remote: ScriptedRemote, pages: list[tuple[list[int], int | None]], counts: list[int]
) -> None:
    """A part of a roster is never taken for the whole."""
    readings = [*pages, *pages, *pages] if pages[-1][1] is None else pages
    scripted(remote, readings, counts)
    with pytest.raises(IncompleteRead, match=r"provisioning\.enrollments: \d rows"):
        feed.read()


@pytest.mark.parametrize(
    ("first", "counts"),
    [
        ([([1, 2], 3), ([3], 2), ([4], 1)], [3, 4]),
        ([([1, 2], 4), ([4], 1)], [4, 3]),
        ([([1, 2], 3), ([3], 1)], [3, 2]),
        ([([1, 2, 3], 3)], [4]),
        ([([1, 2], 3), ([], 0)], [3, 2]),
    ],
    ids=["grew ahead", "shrank ahead", "shrank behind", "shrank before the first page", "last row gone"],
)
def test_a_list_whose_count_moves_is_read_again(
    feed: PowerSchoolRosterFeed, remote: ScriptedRemote, first: list[tuple[list[int], int | None]], counts: list[int]
) -> None:
    """The undisturbed reading counts."""
    scripted(remote, [*first, ([1, 2], 3), ([5], 1)], [*counts, 3, 3])
    roster = feed.read()
    assert (len(roster.enrollments), roster.unsettled) == (3, ())


def test_readings_that_never_agree_are_told(feed: PowerSchoolRosterFeed, remote: ScriptedRemote) -> None:
    """The last one of several is passed on, for a person to see; nothing of it is applied by itself."""
    moving: list[tuple[list[int], int | None]] = [([1, 2], 3), ([3], 2), ([4], 1)]
    scripted(remote, moving * READINGS, [3, 4] * READINGS)
    roster = feed.read()
    assert roster.unsettled == ("enrollments",)
    assert len(remote.asked("POST", f"{QUERY}enrollments")) == len(moving) * READINGS


def test_a_query_that_ignores_its_arguments_is_of_an_older_plugin(
    feed: PowerSchoolRosterFeed, remote: ScriptedRemote
) -> None:
    """Its second page begins with the first row again."""
    scripted(remote, [([1, 2], 3), ([1, 2], 3)], [3])
    with pytest.raises(QueryUnavailable) as caught:
        feed.read()
    assert caught.value.cause == Cause.QUERY_OUTDATED


@pytest.mark.parametrize("dcids", [[2, 1], [1, 1]])
def test_rows_out_of_order_are_no_list(feed: PowerSchoolRosterFeed, remote: ScriptedRemote, dcids: list[int]) -> None:
    """Nothing could be said of what is between two pages."""
    scripted(remote, [(dcids, 2)], [2])
    with pytest.raises(UnexpectedResponse, match="out of order"):
        feed.read()


@pytest.mark.parametrize("body", [{"count": "1"}, {"resource": {"count": 1}}])
def test_pages_that_do_not_count_themselves_are_counted(
    feed: PowerSchoolRosterFeed, remote: ScriptedRemote, body: dict[str, Any]
) -> None:
    """By `/count`, in either of its shapes."""
    remote.on("POST", f"{QUERY}students", answer({"name": "students", "record": STUDENT}))
    remote.on("POST", f"{QUERY}students/count", answer(body))
    assert len(feed.read().students) == 1


def test_a_count_that_is_none_is_no_count(feed: PowerSchoolRosterFeed, remote: ScriptedRemote) -> None:
    """Nothing is assumed."""
    remote.on("POST", f"{QUERY}students", answer({"name": "students", "record": [STUDENT]}))
    remote.on("POST", f"{QUERY}students/count", answer({}))
    with pytest.raises(UnexpectedResponse):
        feed.read()


def test_a_page_that_fails_by_itself_is_asked_for_again(feed: PowerSchoolRosterFeed, remote: ScriptedRemote) -> None:
    """Twice; the rows before it need not be read again."""
    failure = text("Internal Server Error", 500)
    remote.on("POST", f"{QUERY}students", failure, httpx.ReadTimeout(""), page([STUDENT]))
    assert len(feed.read().students) == 1
    assert len(remote.asked("POST", f"{QUERY}schools")) == 1


def test_a_page_that_keeps_failing_fails_the_reading(feed: PowerSchoolRosterFeed, remote: ScriptedRemote) -> None:
    """And nothing is remembered of it."""
    remote.on("POST", f"{QUERY}enrollments", text("Internal Server Error", 500))
    with pytest.raises(TransientError):
        feed.read()
    assert len(remote.asked("POST", f"{QUERY}enrollments")) == 3


def test_an_unwell_system_is_left_alone(feed: PowerSchoolRosterFeed, remote: ScriptedRemote) -> None:
    """In maintenance it is not asked again at once."""
    remote.on("POST", f"{QUERY}terms", text("", 302, Location="https://message.example/"))
    with pytest.raises(ServiceUnavailable):
        feed.read()
    assert len(remote.asked("POST", f"{QUERY}terms")) == 1


def test_wrong_credentials_are_no_missing_query(feed: PowerSchoolRosterFeed, remote: ScriptedRemote) -> None:
    """Nothing about the plugin's queries is known."""
    remote.on("POST", "/oauth/access_token", answer({"error": "invalid_client"}, 401))
    with pytest.raises(AccessDenied) as caught:
        feed.read()
    assert caught.value.status == 401
    assert not isinstance(caught.value, QueryUnavailable)


@pytest.mark.parametrize(
    ("version", "tables", "has_changed"),
    [
        (None, {}, True),
        ("16314148", {}, False),
        ("16314148", {"cc": [1, 2]}, True),
        ("16314148", {"CC": 5}, True),
        ("16314148", {"cc": [], "users": ""}, False),
        ("16314148", {"assignmentscore": [9]}, False),
    ],
)
def test_the_data_version_tells_whether_rosters_changed(
    feed: PowerSchoolRosterFeed, remote: ScriptedRemote, version: str | None, tables: dict[str, Any], has_changed: bool
) -> None:
    """In one request; scores are no rosters, and without a version to compare with everything is new."""
    body = {"$dataversion": "16323283", "tables": tables}
    remote.on("GET", f"/ws/dataversion/passback/{version or 0}", answer(body))
    assert feed.changes_since(version) == DataVersion("16323283", has_changed)


@pytest.mark.parametrize(
    "found",
    [
        answer({"message": "Not Found"}, 404),
        answer({"message": "no"}, 403),
        answer({"message": "no"}, 400),
        answer({"$dataversion": "5"}),
        answer({"tables": {}}),
        answer({"$dataversion": "", "tables": {}}),
        answer([]),
    ],
)
def test_any_other_answer_means_that_it_does_not_tell(
    feed: PowerSchoolRosterFeed, remote: ScriptedRemote, found: httpx.Response
) -> None:
    """How an application subscribes is not public."""
    remote.on("GET", "/ws/dataversion/passback/5", found)
    assert feed.changes_since("5") is None


def test_an_outage_is_no_answer_about_versions(feed: PowerSchoolRosterFeed, remote: ScriptedRemote) -> None:
    """Unknown is what PowerSchool says, not what it is too unwell to say."""
    remote.on("GET", "/ws/dataversion/passback/5", text("Service Unavailable", 503))
    with pytest.raises(ServiceUnavailable):
        feed.changes_since("5")


def test_errors_carry_no_names(feed: PowerSchoolRosterFeed, remote: ScriptedRemote) -> None:
    """A row that cannot be read is told by its fields."""
    broken = {**STUDENT, "student_dcid": "x", "last_name": "Canary", "email": "canary@x.example"}
    with pytest.raises(UnexpectedResponse) as caught:
        read(feed, remote, students=[broken])
    assert "student_dcid" in str(caught.value)
    assert "anary" not in json.dumps([str(caught.value), repr(caught.value)])


def test_a_districts_own_columns_for_preferred_names_are_read(
    feed: PowerSchoolRosterFeed, remote: ScriptedRemote
) -> None:
    """Where its version of the query has them; empty elsewhere."""
    rows = [{**STUDENT, "preferred_first_name": "Pref"}, {**STUDENT, "student_dcid": "8199"}]
    found = read(feed, remote, students=rows).students

    assert [(each.preferred_first_name, each.preferred_last_name) for each in found] == [("Pref", ""), ("", "")]
