from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
import redis
from scripted_remote import ScriptedRemote, answer, sent
from structlog.testing import capture_logs

from shared.adapters.powerschool import PowerSchool
from shared.adapters.powerschool.powerqueries import MAX_ODD_ROWS
from shared.adapters.redis.keys import Keys
from shared.domain.causes import Cause
from shared.domain.passback.powerschool import RosteredSection, RosteredStudent, Term
from shared.errors import IncompleteRead, QueryUnavailable, ServiceUnavailable, UnexpectedResponse
from tests.manual_clock import ManualClock

QUERY = "/ws/schema/query/org.passback.sync.roster."
SECTIONS, STUDENTS, INDEX = f"{QUERY}sections", f"{QUERY}students", f"{QUERY}section_index"
NOT_INSTALLED = answer({"message": "Query not found"}, 404)

SECTION = {
    "section_dcid": "6100",
    "section_id": "77",
    "school_number": "12",
    "course_number": "SCI1",
    "section_number": "1",
    "term_id": "4100",
    "year_id": "41",
    "first_day": "2031-08-20",
    "last_day": "2032-06-01",
    "teacher_users_dcid": "501",
}
STUDENT = {
    "section_dcid": "6100",
    "student_dcid": "8101",
    "student_number": "3001",
    "entry_date": "2031-08-20",
    "exit_date": "2032-06-02",
    "enroll_status": "0",
}


def records(*rows: dict[str, Any], remaining: int | None = None) -> httpx.Response:
    """One page; `remaining` counts its rows and all after them. Enrollments are numbered where they are not."""
    numbered = [
        {"enrollment_dcid": str(number), **row} if "student_dcid" in row else row for number, row in enumerate(rows, 1)
    ]
    count = len(rows) if remaining is None else remaining
    return answer({"name": "sections", "@extensions": "", "count": count, **({"record": numbered} if rows else {})})


def rostered(ps: PowerSchool, remote: ScriptedRemote, *students: dict[str, Any]) -> RosteredSection:
    remote.on("POST", SECTIONS, records(SECTION)).on("POST", STUDENTS, records(*students))
    return ps.roster.sections(["6100"])["6100"]


def test_sections_are_read_by_two_queries(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """With term, school, lead teacher and students by SIS id."""
    assert rostered(ps, remote, STUDENT) == RosteredSection(
        "6100",
        6100,
        12,
        501,
        Term(date(2031, 8, 20), date(2032, 6, 1), 41),
        {"3001": RosteredStudent(8101, active=True)},
    )
    (request,) = remote.asked("POST", STUDENTS)
    assert sent(request) == {"section_dcids": [6100], "after_dcid": 0}
    assert dict(request.url.params) == {"page": "1", "pagesize": "0", "count": "true"}


def test_a_capped_answer_is_read_to_its_end(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """All rows were asked for; where fewer came, the next page begins after the last of them."""
    other = {**STUDENT, "student_dcid": "8102", "student_number": "3002", "enrollment_dcid": "9"}
    remote.on("POST", SECTIONS, records(SECTION))
    remote.on("POST", STUDENTS, records(STUDENT, remaining=2), records(other))
    remote.on("POST", f"{STUDENTS}/count", answer({"count": 2}))
    assert set(ps.roster.sections(["6100"])["6100"].students) == {"3001", "3002"}
    asked = [sent(request) for request in remote.asked("POST", STUDENTS)]
    assert asked == [{"section_dcids": [6100], "after_dcid": after} for after in (0, 1)]


def test_an_odd_row_is_left_out_of_a_roster(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """The others of the section are there; the log names the row by its DCID and says nothing of its content."""
    odd = {**STUDENT, "student_dcid": "8102", "student_number": None, "entry_date": "Canary"}
    with capture_logs() as logs:
        assert set(rostered(ps, remote, STUDENT, odd).students) == {"3001"}
    (line,) = [line for line in logs if line["event"] == "roster_row_skipped"]
    assert (line["record"], line["fields"]) == ("CC.DCID 2", ["student_number"])
    assert "anary" not in repr(logs)


def test_many_odd_rows_are_no_roster(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """Then something else is wrong, and nobody is called not enrolled for it."""
    odd = [{**STUDENT, "student_dcid": str(8102 + n), "student_number": None} for n in range(MAX_ODD_ROWS + 1)]
    with pytest.raises(IncompleteRead, match="11 rows cannot be read"):
        rostered(ps, remote, STUDENT, *odd)


def test_a_section_may_have_no_teacher(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """Then there is nobody to write for."""
    remote.on("POST", SECTIONS, records({key: value for key, value in SECTION.items() if "teacher" not in key}))
    remote.on("POST", STUDENTS, records())
    assert ps.roster.sections(["6100"])["6100"].teacher_users_dcid is None


@pytest.mark.parametrize(
    ("change", "active"),
    [
        ({}, True),
        ({"entry_date": "2031-10-06"}, True),
        ({"entry_date": "2031-10-07"}, False),
        ({"exit_date": "2031-10-07"}, True),
        ({"exit_date": "2031-10-06"}, False),
        ({"exit_date": ""}, True),
        ({"exit_date": "2031-10-06", "is_dropped": "1"}, False),
        ({"exit_date": "2031-10-07", "is_dropped": "1"}, True),
        ({"exit_date": "", "is_dropped": "1"}, False),
        ({"exit_date": "0000-00-00"}, True),
        ({"exit_date": "0/0/0", "is_dropped": "1"}, False),
        ({"entry_date": "00/00/0000"}, True),
        ({"entry_date": "5000000000"}, True),
        ({"exit_date": "9999999999-1-1"}, True),
        ({"entry_date": "10/7/2031"}, False),
        ({"exit_date": "1900-01-01"}, True),
        ({"entry_date": "1926-08-20"}, True),
        ({"entry_date": "2031-10-01", "exit_date": "2031-10-01"}, False),
        ({"enroll_status": "2"}, False),
        ({"enroll_status": "-1"}, True),
    ],
)
def test_active_are_those_who_are_there_today(
    ps: PowerSchool, remote: ScriptedRemote, change: dict[str, str], active: bool
) -> None:
    """Entered, not yet left (the exit date is the first day outside), and in school. Today is 2031-10-06.

    The exit date decides, not the sign of the row; a date that is none, or cannot be meant, counts as unknown. A
    pre-registered student is in the classes that the dates say.
    """
    assert rostered(ps, remote, {**STUDENT, **change}).students["3001"].active is active


def test_after_the_term_those_who_stayed_to_its_end_are_active(
    ps: PowerSchool, remote: ScriptedRemote, clock: ManualClock
) -> None:
    """Late grades are for them, wherever they are since; who left earlier stays out."""
    clock.advance(timedelta(days=245))
    changes = {
        "on the last day": {"exit_date": "2032-06-01"},
        "the day after": {"exit_date": "2032-06-02"},
        "moved away in summer": {"exit_date": "2032-06-20", "is_dropped": "1", "enroll_status": "2"},
        "the day before the end": {"exit_date": "2032-05-31"},
        "in May": {"exit_date": "2032-05-01", "is_dropped": "1"},
        "nobody knows when": {"exit_date": "", "is_dropped": "1"},
    }
    rows = [
        {**STUDENT, "student_dcid": 1 + n, "student_number": who, **row} for n, (who, row) in enumerate(changes.items())
    ]
    students = rostered(ps, remote, *rows).students
    assert [who for who in changes if students[who].active] == [
        "on the last day",
        "the day after",
        "moved away in summer",
    ]


@pytest.mark.parametrize("order", [1, -1])
def test_one_active_stay_is_enough(ps: PowerSchool, remote: ScriptedRemote, order: int) -> None:
    """Who left and came back is there, in whichever order the rows come; so is who was a no-show first."""
    left = {**STUDENT, "exit_date": "2031-09-01", "is_dropped": "1"}
    no_show = {**STUDENT, "exit_date": STUDENT["entry_date"], "is_dropped": "1"}
    assert rostered(ps, remote, *[left, STUDENT, no_show][::order]).students["3001"].active


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_students_with_one_number_the_active_one_counts(
    ps: PowerSchool, remote: ScriptedRemote, order: int
) -> None:
    """A record that was made twice: scores go to the one that is in the section."""
    left = {**STUDENT, "student_dcid": "8109", "exit_date": "2031-09-01"}
    found = rostered(ps, remote, *[left, STUDENT][::order]).students
    assert found == {"3001": RosteredStudent(8101, active=True)}


def test_rosters_are_remembered_for_all_workers(
    powerschool_of: Callable[..., PowerSchool], remote: ScriptedRemote
) -> None:
    """Another worker does not ask again, unless it has to."""
    found = rostered(powerschool_of(), remote, STUDENT)
    assert powerschool_of().roster.sections(["6100"]) == {"6100": found}
    assert len(remote.asked("POST", SECTIONS)) == 1
    powerschool_of().roster.sections(["6100"], refresh=True)
    assert len(remote.asked("POST", SECTIONS)) == 2


def test_rosters_that_changed_are_read_again(
    ps: PowerSchool, remote: ScriptedRemote, redis_client: redis.Redis, keys: Keys
) -> None:
    """What was remembered before PowerSchool confirmed that rosters changed is not used; what is read since, is."""
    rostered(ps, remote, STUDENT)
    redis_client.set(keys.rosters_changed, 1_900_000_000_000)
    for _ in range(2):
        ps.roster.sections(["6100"])
    assert len(remote.asked("POST", SECTIONS)) == 2


def test_a_hint_of_anybody_voids_no_cache(
    ps: PowerSchool, remote: ScriptedRemote, redis_client: redis.Redis, keys: Keys
) -> None:
    """PowerSchool signs nothing: whoever sends hints does not make every roster be read again."""
    rostered(ps, remote, STUDENT)
    for number in range(3):
        redis_client.set(keys.roster_changed_at, 1_900_000_000_000 + number)
        ps.roster.sections(["6100"])
    assert len(remote.asked("POST", SECTIONS)) == 1


def test_remembered_rosters_end(ps: PowerSchool, remote: ScriptedRemote, redis_client: redis.Redis, keys: Keys) -> None:
    """After an hour."""
    rostered(ps, remote, STUDENT)
    assert 3500 < redis_client.ttl(keys.cached("section-roster", "6100")) <= 3600


@pytest.mark.parametrize("sis_id", ["BIO-1", "06100", "", "-6100", "6100.0", "²"])
def test_a_sis_id_that_is_no_dcid_is_unknown(ps: PowerSchool, remote: ScriptedRemote, sis_id: str) -> None:
    """And PowerSchool is not asked about it."""
    assert ps.roster.sections([sis_id]) == {}
    assert remote.asked("POST", SECTIONS) == []


def test_other_templates_go_through_an_index(
    powerschool_of: Callable[..., PowerSchool], remote: ScriptedRemote
) -> None:
    """Built from PowerSchool with the same template, once."""
    remote.on("POST", INDEX, records(SECTION)).on("POST", SECTIONS, records(SECTION))
    remote.on("POST", STUDENTS, records(STUDENT))
    ps = powerschool_of(section_sis_id="{school_number}-{course_number}.{section_number}-{term_id}")
    assert ps.roster.sections(["12-SCI1.1-4100", "12-SCI1.9-4100"])["12-SCI1.1-4100"].dcid == 6100
    assert ps.roster.sections(["12-SCI1.9-4100"]) == {}
    assert len(remote.asked("POST", INDEX)) == 1


@pytest.mark.parametrize(
    ("refusal", "cause"),
    [
        (NOT_INSTALLED, Cause.QUERY_MISSING),
        (answer({"message": "At least one column lacks sufficient permission"}, 403), Cause.QUERY_NOT_GRANTED),
        (answer({"message": "Validation Failed"}, 400), Cause.QUERY_OUTDATED),
    ],
)
@pytest.mark.parametrize("path", [SECTIONS, STUDENTS, INDEX])
def test_a_query_that_does_not_run_is_named(
    powerschool_of: Callable[..., PowerSchool],
    remote: ScriptedRemote,
    path: str,
    refusal: httpx.Response,
    cause: Cause,
) -> None:
    """No section is called unknown for it, and nothing else is asked instead."""
    for each in (SECTIONS, STUDENTS, INDEX):
        remote.on("POST", each, refusal if each == path else records(SECTION if each != STUDENTS else STUDENT))
    with pytest.raises(QueryUnavailable) as caught:
        powerschool_of(section_sis_id="S{section_id}").roster.sections(["S77"])
    assert (caught.value.cause, caught.value.query) == (cause, path.removeprefix("/ws/schema/query/"))
    assert {request.url.path for request in remote.requests if request.method == "GET"} <= {"/ws/v1/metadata"}


def test_a_query_that_does_not_run_is_asked_for_once_a_minute(
    powerschool_of: Callable[..., PowerSchool], remote: ScriptedRemote, clock: ManualClock
) -> None:
    """By all workers together, however many courses need it."""
    remote.on("POST", SECTIONS, NOT_INSTALLED)
    name = SECTIONS.removeprefix("/ws/schema/query/")
    for _ in range(3):
        with pytest.raises(QueryUnavailable, match=name):
            powerschool_of().roster.sections(["6100"])
    assert len(remote.asked("POST", SECTIONS)) == 1
    clock.advance(timedelta(minutes=1))
    remote.on("POST", SECTIONS, records(SECTION)).on("POST", STUDENTS, records(STUDENT))
    assert powerschool_of().roster.sections(["6100"])


def test_templates_restore_leading_zeros(powerschool_of: Callable[..., PowerSchool], remote: ScriptedRemote) -> None:
    """PowerSchool's JSON loses them; a width in the template says that Canvas has them."""
    assert set(rostered(powerschool_of(student_sis_id="{student_number:0>6}"), remote, STUDENT).students) == {"003001"}


def test_an_outage_is_no_empty_roster(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """Neither by the queries nor beside them."""
    remote.on("POST", SECTIONS, httpx.Response(503))
    with pytest.raises(ServiceUnavailable):
        ps.roster.sections(["6100"])


def test_the_district_tells_its_time_zone(ps: PowerSchool) -> None:
    """For where the setting is unset."""
    assert str(ps.api.time_zone()) == "America/Denver"


@pytest.mark.parametrize("zone", ["\ud800", "Nowhere/Nothing", 7, None])
def test_a_zone_that_is_none_is_an_unexpected_response(ps: PowerSchool, remote: ScriptedRemote, zone: object) -> None:
    """Also where the text of the problem cannot be made, since it quotes half a character."""
    remote.on("GET", "/ws/v1/metadata", answer({"metadata": {"plugin_id": 1, "district_timezone": zone}}))
    with pytest.raises(UnexpectedResponse, match="no usable"):
        ps.api.time_zone()
