"""Passback's index of sections, as provisioning's reading fills it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import fakeredis
import pytest
import redis

from shared.adapters.powerschool.pagination import QueryList, QueryReading
from shared.adapters.powerschool.provisioning.reader import PowerSchoolRosterFeed
from shared.adapters.powerschool.provisioning.rows import SECTIONS, TERMS
from shared.adapters.powerschool.rosters.reader import SectionRosters
from shared.adapters.redis.cache import PIPELINED, JsonCache
from shared.adapters.redis.keys import Keys
from shared.domain.passback.powerschool import RosteredSection, RosteredStudent, Term
from shared.domain.provisioning.policy import SisIdTemplate
from shared.domain.provisioning.roster import (
    ClassEnrollment,
    ClassSection,
    Roster,
    SchoolTerm,
    Student,
    TeachingAssignment,
)
from shared.errors import IncompleteRead
from tests.manual_clock import ManualClock

TODAY = date(2031, 10, 6)
DISTRICT = ZoneInfo("America/Denver")
FIRST, LAST = date(2031, 8, 20), date(2032, 6, 1)
TERM = SchoolTerm(4100, 901, 12, 41, "2031-2032", "31-32", FIRST, LAST)
SECTION = ClassSection(
    6100, 77, 12, 4100, "SCI1", "1", (TeachingAssignment(501, is_lead=True), TeachingAssignment(502, is_lead=False))
)
STUDENT = Student(8101, "3001", "Student", "No. 1", None, 12)
STAY = ClassEnrollment(6100, 8101, FIRST, LAST + timedelta(days=1))
ROSTER = Roster((), (TERM,), (), (SECTION,), (), (STUDENT,), (STAY,))


class NoQueries:
    """A PowerSchool without any section."""

    def rows(self, *_: object) -> tuple[()]:
        """Return nothing."""
        return ()


@pytest.fixture
def rosters_of(redis_client: redis.Redis, keys: Keys) -> Callable[..., SectionRosters]:
    def make(
        template: str = "{section_dcid}",
        change: Callable[[], str] = lambda: "",
        today: date = TODAY,
        client: redis.Redis = redis_client,
    ) -> SectionRosters:
        ids, students = SisIdTemplate(template), SisIdTemplate("{student_number:0>6}")
        clock = ManualClock(datetime.combine(today, time(12), DISTRICT))
        return SectionRosters(NoQueries(), JsonCache(client, keys), ids, students, clock, lambda: DISTRICT, change)

    return make


def test_a_section_is_what_passback_would_have_read(rosters_of: Callable[..., SectionRosters]) -> None:
    """Lead teacher, term, and students by the SIS id of the template."""
    assert list(rosters_of().sections_of(ROSTER)) == [
        RosteredSection("6100", 6100, 12, 501, Term(FIRST, LAST, 41), {"003001": RosteredStudent(8101, active=True)})
    ]


@pytest.mark.parametrize(
    ("period", "student", "active"),
    [
        (replace(STAY, exit_date=TODAY), STUDENT, False),
        (replace(STAY, exit_date=TODAY + timedelta(days=1)), STUDENT, True),
        (replace(STAY, is_dropped=True), STUDENT, True),
        (replace(STAY, is_dropped=True, exit_date=TODAY), STUDENT, False),
        (replace(STAY, entry_date=None), STUDENT, True),
        (replace(STAY, exit_date=STAY.entry_date), STUDENT, False),
        (replace(STAY, is_dropped=True, exit_date=None), STUDENT, False),
        (STAY, replace(STUDENT, is_active=False), False),
        (replace(STAY, entry_date=TODAY + timedelta(days=1)), STUDENT, False),
    ],
)
def test_active_are_those_who_are_there_today(
    rosters_of: Callable[..., SectionRosters], period: ClassEnrollment, student: Student, active: bool
) -> None:
    """The exit date decides, the sign of the row only where there is none."""
    (section,) = rosters_of().sections_of(replace(ROSTER, enrollments=(period,), students=(student,)))
    assert section.students["003001"].active is active


@pytest.mark.parametrize(
    ("period", "active"),
    [
        (replace(STAY, exit_date=LAST), True),
        (replace(STAY, exit_date=LAST + timedelta(days=19), is_dropped=True), True),
        (replace(STAY, exit_date=LAST - timedelta(days=1)), False),
    ],
)
def test_after_the_term_its_last_day_counts(
    rosters_of: Callable[..., SectionRosters], period: ClassEnrollment, active: bool
) -> None:
    """As in passback's own reading: wherever the student is by now."""
    rosters = rosters_of(today=LAST + timedelta(days=60))
    gone = replace(STUDENT, is_active=False)
    (section,) = rosters.sections_of(replace(ROSTER, enrollments=(period,), students=(gone,)))
    assert section.students["003001"].active is active


def test_rows_that_refer_to_nothing_are_left_out(rosters_of: Callable[..., SectionRosters]) -> None:
    """A section whose term is another school's, an enrollment of nobody."""
    lost = replace(SECTION, dcid=6101, school_number=13)
    roster = replace(ROSTER, sections=(SECTION, lost), enrollments=(replace(STAY, student_dcid=1),))
    (section,) = rosters_of().sections_of(roster)
    assert (section.dcid, section.students) == (6100, {})


def test_sections_and_their_index_are_cached(rosters_of: Callable[..., SectionRosters]) -> None:
    """By whatever the template makes of them, for as long as rosters do not change."""
    template = "{school_number}-{section_id}"
    assert rosters_of(template).store(ROSTER, "@5") == 1
    assert rosters_of(template, lambda: "@5").sections(["12-77"])["12-77"].dcid == 6100
    assert rosters_of(template).sections(["12-77"]) == {}


def test_a_cached_section_is_as_it_was_read(rosters_of: Callable[..., SectionRosters]) -> None:
    """Students who left are cached as such, and a section may have no teacher."""
    section = replace(SECTION, teachers=())
    gone = replace(STAY, student_dcid=8102, exit_date=TODAY)
    students = (STUDENT, replace(STUDENT, dcid=8102, number="3002"))
    rosters_of().store(replace(ROSTER, sections=(section,), enrollments=(STAY, gone), students=students), "")
    rostered = {"003001": RosteredStudent(8101, active=True), "003002": RosteredStudent(8102, active=False)}
    expected = RosteredSection("6100", 6100, 12, None, Term(FIRST, LAST, 41), rostered)
    assert rosters_of().sections(["6100"]) == {"6100": expected}


class CountingRedis(fakeredis.FakeRedis):
    """A Redis that notes how many commands each of its pipelines has sent at once."""

    def __init__(self) -> None:
        super().__init__()
        self.exchanges: list[int] = []

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> redis.client.Pipeline:
        pipeline = super().pipeline(transaction, shard_hint)
        execute = pipeline.execute

        def noted(raise_on_error: bool = True) -> list[object]:
            self.exchanges.append(len(pipeline))
            return execute(raise_on_error)

        pipeline.execute = noted
        return pipeline


def test_a_district_is_cached_in_few_exchanges(rosters_of: Callable[..., SectionRosters]) -> None:
    """Four hundred sections are two batches, not four hundred calls."""
    with CountingRedis() as client:
        rosters = rosters_of(client=client)
        sections = tuple(replace(SECTION, dcid=number) for number in range(1, 401))
        assert rosters.store(replace(ROSTER, sections=sections), "") == 400
        assert [number for number in client.exchanges if number > 1] == [PIPELINED, PIPELINED]
        assert rosters.sections(["400"]).keys() == {"400"}


@pytest.fixture
def feed_of(rosters_of: Callable[..., SectionRosters]) -> Callable[..., PowerSchoolRosterFeed]:
    """Return a feed during whose reading something happens."""

    def make(meanwhile: Callable[[], None], **options: Any) -> PowerSchoolRosterFeed:
        class Queries(NoQueries):
            def count(self, _listed: object) -> int:
                meanwhile()
                return 0

            def read(self, listed: QueryList[Any], *_: object, **__: object) -> QueryReading[Any, Any]:
                values = {TERMS: (TERM,), SECTIONS: (SECTION,)}.get(listed, ())
                return QueryReading(listed, None, None, None, values=values)

        return PowerSchoolRosterFeed(None, Queries(), rosters_of(**options), lambda: DISTRICT)

    return make


def test_what_is_read_while_rosters_change_counts_as_read_before(
    feed_of: Callable[..., PowerSchoolRosterFeed], rosters_of: Callable[..., SectionRosters]
) -> None:
    """A hint that comes meanwhile may be about what was read already."""
    hints = ["@1"]
    assert feed_of(lambda: hints.append("@2"), change=lambda: hints[-1]).read().sections == (SECTION,)
    assert rosters_of(change=lambda: "@1").sections(["6100"]).keys() == {"6100"}
    assert rosters_of(change=lambda: "@2").sections(["6100"]) == {}


def test_a_failed_reading_caches_nothing(
    feed_of: Callable[..., PowerSchoolRosterFeed], redis_client: redis.Redis
) -> None:
    """A part of a roster is never taken for the whole."""

    def fail() -> None:
        raise IncompleteRead("truncated")

    with pytest.raises(IncompleteRead):
        feed_of(fail).read()
    assert redis_client.dbsize() == 0
