"""Whole rosters of a generated district from the sandbox PowerSchool, over real sockets."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import fakeredis
import httpx
import pytest
import redis
from starlette.applications import Starlette

from shared.adapters.powerschool import powerschool, roster_feed
from shared.adapters.powerschool.provisioning.reader import PowerSchoolRosterFeed
from shared.adapters.redis.cache import UnavailableQueries
from shared.adapters.redis.keys import Keys
from shared.config import Settings, load
from shared.domain.causes import Cause
from shared.domain.plugin import PROVISIONING_PREFIX as PREFIX
from shared.domain.provisioning.roster import Roster
from shared.errors import IncompleteRead, QueryUnavailable
from shared.sandbox.district.generator import DistrictSize, unprovisioned_district
from shared.sandbox.powerschool.app import create_app
from shared.sandbox.powerschool.queries import PROVISIONING_QUERIES
from tests.integration.clients.test_clients_against_sandbox import served
from tests.manual_clock import ManualClock

NOON = datetime(2031, 10, 6, 19, 0, tzinfo=UTC)
TODAY = NOON.date()
ZONE = ZoneInfo("America/Los_Angeles")
KEYS = Keys("test")
SMALL = DistrictSize(schools=3, students=130, sections=30, seed=7)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def redis_client() -> Iterator[redis.Redis]:
    with fakeredis.FakeRedis() as client:
        yield client


@pytest.fixture
def size() -> DistrictSize:
    return SMALL


@pytest.fixture
def app(size: DistrictSize, clock: ManualClock) -> Starlette:
    return create_app(unprovisioned_district(size, TODAY, ZONE).powerschool, clock)


@pytest.fixture
def url(app: Starlette) -> Iterator[str]:
    with served(app) as found:
        yield found


@pytest.fixture
def settings(url: str) -> Settings:
    return load(
        {
            "PASSBACK_POWERSCHOOL_URL": url,
            "PASSBACK_POWERSCHOOL_CLIENT_ID": "sandbox-client",
            "PASSBACK_POWERSCHOOL_CLIENT_SECRET": "sandbox-secret",
        }
    )


@pytest.fixture
def calls() -> Counter[str]:
    return Counter()


@pytest.fixture
def feed(
    settings: Settings, redis_client: redis.Redis, clock: ManualClock, calls: Counter[str]
) -> Iterator[PowerSchoolRosterFeed]:
    def count(name: str, *labels: str, amount: int = 1) -> None:
        if name == "requests":
            calls[labels[1]] += amount

    with closing(roster_feed(settings, redis_client, KEYS, clock, count)) as made:
        yield made


@pytest.fixture
def control(url: str) -> Callable[..., httpx.Response]:
    def send(path: str, method: str = "POST", **body: Any) -> httpx.Response:
        return httpx.request(method, f"{url}/_sandbox/{path}", json=body).raise_for_status()

    return send


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ({"missing_queries": ["org.passback.sync.provisioning.enrollments"]}, Cause.QUERY_MISSING),
        ({"missing_grants": ["cc.dateleft"]}, Cause.QUERY_NOT_GRANTED),
    ],
)
def test_a_query_that_does_not_run_stops_the_reading(
    feed: PowerSchoolRosterFeed,
    control: Callable[..., httpx.Response],
    calls: Counter[str],
    redis_client: redis.Redis,
    clock: ManualClock,
    fault: dict[str, list[str]],
    cause: Cause,
) -> None:
    """The last of seven queries is missing or lacks a grant: its name is told, and no row of any list is read.

    For a minute nobody asks again; once it runs, the rosters are read.
    """
    control("faults", "PUT", **fault)
    with pytest.raises(QueryUnavailable, match=r"provisioning\.enrollments") as caught:
        feed.read()
    assert (caught.value.cause, caught.value.query) == (cause, "org.passback.sync.provisioning.enrollments")
    assert all(call.endswith("/count") for call in calls if call.startswith("POST /ws/schema/query/"))
    (known,) = UnavailableQueries(redis_client, KEYS, clock).all()
    assert (known.name, known.fault) == (caught.value.query, cause)
    calls.clear()
    with pytest.raises(QueryUnavailable):
        feed.read()
    assert calls["POST /ws/schema/query/org.passback.sync.provisioning.enrollments/count"] == 0
    control("faults", "PUT")
    clock.advance(timedelta(seconds=60))
    assert feed.read().enrollments
    assert UnavailableQueries(redis_client, KEYS, clock).all() == []


def test_rosters_need_no_access_to_v1(feed: PowerSchoolRosterFeed, control: Callable[..., httpx.Response]) -> None:
    """An administrator may deny `accessLevelV1Api`: nothing of it is read but the metadata, which is open."""
    control("act", do="set_plugin", v1_access="NONE")
    assert feed.read().students


@pytest.mark.parametrize("size", [DistrictSize(3, 2_000, 400, seed=1)])
def test_a_district_of_2000_students_costs_sixteen_queries(
    feed: PowerSchoolRosterFeed, calls: Counter[str], redis_client: redis.Redis, size: DistrictSize
) -> None:
    """Seven lists, the enrollments in two pages; a count before each and one after the pages; metadata and token."""
    roster = feed.read()
    assert (len(roster.schools), len(roster.students), len(roster.sections)) == (3, 2_000, 400)
    assert len(roster.enrollments) > 10_000
    queries = {call: number for call, number in calls.items() if call.startswith("POST /ws/schema/query/")}
    assert sum(queries.values()) == 16
    assert calls.total() - 16 == calls["GET /ws/v1/metadata"] + calls["POST /oauth/access_token"] == 2
    calls.clear()
    feed.read()
    assert calls.total() == 16


def test_a_truncated_feed_is_no_roster(
    feed: PowerSchoolRosterFeed, control: Callable[..., httpx.Response], redis_client: redis.Redis
) -> None:
    """One row less than its count, in every list; nothing is remembered of it."""
    control("faults", "PUT", rows_lost=1)
    with pytest.raises(IncompleteRead):
        feed.read()
    assert not list(redis_client.scan_iter(KEYS.cached("section*", "*")))


ROWS: dict[str, Callable[[Roster], list[object]]] = {
    "schools": lambda roster: [each.dcid for each in roster.schools],
    "terms": lambda roster: [each.dcid for each in roster.terms],
    "courses": lambda roster: [each.number for each in roster.courses],
    "sections": lambda roster: [each.dcid for each in roster.sections],
    "staff": lambda roster: [each.users_dcid for each in roster.staff],
    "students": lambda roster: [each.dcid for each in roster.students],
    "enrollments": lambda roster: [(e.section_dcid, e.student_dcid, e.entry_date) for e in roster.enrollments],
}
MANY_SCHOOLS = DistrictSize(schools=25, students=130, sections=60, seed=7)


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("size", [MANY_SCHOOLS])
def test_a_row_deleted_between_pages_takes_no_other_along(
    feed: PowerSchoolRosterFeed, control: Callable[..., httpx.Response], app: Starlette, name: str
) -> None:
    """The third record is deleted before the second page: the first row of that is still read.

    The count has moved, so that the list is read again; the second reading is undisturbed.
    """
    whole = ROWS[name](feed.read())
    move = {"query": f"{PREFIX}{name}", "deleted": [dcids(app, name)[2]]}
    control("faults", "PUT", query_page_cap=4 if len(whole) < 50 else 20, row_moves=[move])
    roster = feed.read()
    rows = ROWS[name](roster)
    assert len(whole) > 8
    assert (len(whole) - len(rows), roster.unsettled) == (1, ())
    assert [row for row in whole if row in rows] == rows


@pytest.mark.parametrize("name", sorted(ROWS.keys() - {"courses"}))
@pytest.mark.parametrize("size", [MANY_SCHOOLS])
def test_a_list_that_changes_during_every_reading_is_told(
    feed: PowerSchoolRosterFeed, control: Callable[..., httpx.Response], app: Starlette, name: str
) -> None:
    """After every page one more of the rows that were read is gone. The courses are too few for so many pages."""
    own = dcids(app, name)
    moves = [{"query": f"{PREFIX}{name}", "after_pages": n, "deleted": [dcid]} for n, dcid in enumerate(own[:-1], 1)]
    control("faults", "PUT", query_page_cap=len(own) // 5, row_moves=moves)
    assert feed.read().unsettled == (name,)


@pytest.mark.parametrize("size", [MANY_SCHOOLS])
def test_a_row_inserted_between_pages_is_read(
    feed: PowerSchoolRosterFeed, control: Callable[..., httpx.Response], app: Starlette
) -> None:
    """Wherever its DCID stands: before the pages that were read already, or after them."""
    whole = feed.read()
    for place in (1, -1):
        move = {"query": f"{PREFIX}enrollments", "inserted": [dcids(app, "enrollments")[place]]}
        control("faults", "PUT", query_page_cap=100, row_moves=[move])
        assert feed.read() == whole


def dcids(app: Starlette, name: str) -> list[int]:
    """Return the records of a list by the first column of its order."""
    query, state = PROVISIONING_QUERIES[f"{PREFIX}{name}"], app.state.powerschool
    return list(dict.fromkeys(query.position(row)[0] for row in query.rows(state, {})))


@pytest.mark.parametrize("cap", [1_000, 60])
def test_a_silent_cap_is_found_out(
    feed: PowerSchoolRosterFeed, control: Callable[..., httpx.Response], cap: int
) -> None:
    """Pages shorter than asked for are no end."""
    whole = feed.read()
    control("faults", "PUT", query_page_cap=cap)
    assert feed.read() == whole


def test_a_missing_school_and_an_empty_district_are_read_as_they_are(
    feed: PowerSchoolRosterFeed, control: Callable[..., httpx.Response]
) -> None:
    """Their counts agree: it is planning that holds them."""
    control("faults", "PUT", hidden_school_numbers=[200])
    roster = feed.read()
    assert [school.number for school in roster.schools] == [100, 300]
    assert {section.school_number for section in roster.sections} == {100, 300}
    control("faults", "PUT", empty_rosters=True)
    assert feed.read() == Roster((), (), (), (), (), (), ())


def test_changes_show_in_the_data_version(feed: PowerSchoolRosterFeed, control: Callable[..., httpx.Response]) -> None:
    """One request says whether a whole reading is worth it."""
    first = feed.changes_since(None)
    assert first is not None
    assert first.has_changed
    unchanged = feed.changes_since(first.version)
    assert unchanged is not None
    assert not unchanged.has_changed
    control("act", do="close_section", section_dcid=feed.read().sections[0].dcid)
    changed = feed.changes_since(first.version)
    assert changed is not None
    assert changed.has_changed


@pytest.mark.parametrize("template", ["{section_dcid}", "{school_number}-{course_number}-{section_id}"])
def test_a_reading_refreshes_passbacks_index(
    settings: Settings, redis_client: redis.Redis, clock: ManualClock, template: str
) -> None:
    """Every section, as passback would read it itself: the same values, and PowerSchool is not asked again."""
    changed = settings.model_copy(update={"section_sis_id": template})
    with closing(roster_feed(changed, redis_client, KEYS, clock)) as feed:
        roster = feed.read()
    sis_ids = [
        template.format(
            section_dcid=each.dcid,
            section_id=each.id,
            school_number=each.school_number,
            course_number=each.course_number,
        )
        for each in roster.sections
    ]
    calls = list[str]()
    with closing(powerschool(changed, redis_client, KEYS, clock, lambda *call, **_: calls.append(call[1]))) as ps:
        remembered = ps.roster.sections(sis_ids)
        assert not calls
        assert remembered == ps.roster.sections(sis_ids, refresh=True)
    assert len(remembered) == len(roster.sections) == SMALL.sections


@pytest.mark.parametrize(("days", "years"), [(61, {41}), (60, {41, 42})])
def test_the_next_year_is_read_once_it_is_near(
    feed: PowerSchoolRosterFeed, control: Callable[..., httpx.Response], days: int, years: set[int]
) -> None:
    """Sixty days before it begins, beside the one under way; the last one is over."""
    control("act", do="roll_over", first_day=(TODAY + timedelta(days=days)).isoformat())
    roster = feed.read()
    assert {term.year_id for term in roster.terms} == years
    assert len(roster.sections) == SMALL.sections * len(years)
