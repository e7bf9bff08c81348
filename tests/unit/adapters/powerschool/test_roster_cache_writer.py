"""Passback's index of sections, as provisioning's reading fills it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import fakeredis
import pytest
import redis

from shared.adapters.powerschool.cache import PIPELINED, JsonCache
from shared.adapters.powerschool.provisioning.reader import IndexingFeed
from shared.adapters.powerschool.rosters.cache import SectionCache
from shared.adapters.powerschool.rosters.cache_writer import RosterIndexer
from shared.adapters.powerschool.rosters.sis_ids import section_template, student_template
from shared.adapters.redis.keys import Keys
from shared.domain.passback.powerschool import RosteredSection, RosteredStudent, Term
from shared.domain.provisioning.roster import (
    ClassEnrollment,
    ClassSection,
    Roster,
    SchoolTerm,
    Student,
    TeachingAssignment,
)
from shared.errors import IncompleteRead
from shared.ports.provisioning import DataVersion

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


@pytest.fixture
def memory(redis_client: redis.Redis, keys: Keys) -> SectionCache:
    return SectionCache(JsonCache(redis_client, keys))


@pytest.fixture
def indexer_of(memory: SectionCache) -> Callable[..., RosterIndexer]:
    def make(template: str = "{section_dcid}", hint: Callable[[], str] = lambda: "") -> RosterIndexer:
        students = student_template("{student_number:0>6}")
        return RosterIndexer(memory, section_template(template), students, lambda: TODAY, hint)

    return make


def test_a_section_is_what_passback_would_have_read(indexer_of: Callable[..., RosterIndexer]) -> None:
    """Lead teacher, term, and students by the SIS id of the template."""
    assert list(indexer_of().sections_of(ROSTER)) == [
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
    indexer_of: Callable[..., RosterIndexer], period: ClassEnrollment, student: Student, active: bool
) -> None:
    """The exit date decides, the sign of the row only where there is none."""
    (section,) = indexer_of().sections_of(replace(ROSTER, enrollments=(period,), students=(student,)))
    assert section.students["003001"].active is active


@pytest.mark.parametrize(
    ("period", "active"),
    [
        (replace(STAY, exit_date=LAST), True),
        (replace(STAY, exit_date=LAST + timedelta(days=19), is_dropped=True), True),
        (replace(STAY, exit_date=LAST - timedelta(days=1)), False),
    ],
)
def test_after_the_term_its_last_day_counts(memory: SectionCache, period: ClassEnrollment, active: bool) -> None:
    """As in passback's own reading: wherever the student is by now."""
    ids, numbers = section_template("{section_dcid}"), student_template("{student_number}")
    indexer = RosterIndexer(memory, ids, numbers, lambda: LAST + timedelta(days=60), lambda: "")
    gone = replace(STUDENT, is_active=False)
    (section,) = indexer.sections_of(replace(ROSTER, enrollments=(period,), students=(gone,)))
    assert section.students["3001"].active is active


def test_rows_that_refer_to_nothing_are_left_out(indexer_of: Callable[..., RosterIndexer]) -> None:
    """A section whose term is another school's, an enrollment of nobody."""
    lost = replace(SECTION, dcid=6101, school_number=13)
    roster = replace(ROSTER, sections=(SECTION, lost), enrollments=(replace(STAY, student_dcid=1),))
    (section,) = indexer_of().sections_of(roster)
    assert (section.dcid, section.students) == (6100, {})


def test_sections_and_their_index_are_remembered(
    indexer_of: Callable[..., RosterIndexer], memory: SectionCache
) -> None:
    """By whatever the template makes of them."""
    assert indexer_of("{school_number}-{section_id}").store_roster(ROSTER, "@5") == 1
    assert memory.index("@5") == {"12-77": 6100}
    assert memory.sections(["12-77"], "@5")["12-77"].dcid == 6100
    assert memory.sections(["12-77"], "") == {}


def test_a_remembered_section_is_as_it_was_read(memory: SectionCache) -> None:
    """Students who left are remembered as such, and a section may have no teacher."""
    students = {"3001": RosteredStudent(8101, active=True), "3002": RosteredStudent(8102, active=False)}
    section = RosteredSection("BIO-1", 6100, 12, None, Term(FIRST, LAST, 41), students)
    memory.remember([section], "")
    assert memory.sections(["BIO-1"], "") == {"BIO-1": section}


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


def test_a_district_is_remembered_in_few_exchanges(keys: Keys) -> None:
    """Four hundred sections are two batches, not four hundred calls."""
    with CountingRedis() as client:
        memory = SectionCache(JsonCache(client, keys))
        ids, students = section_template("{section_dcid}"), student_template("{student_number}")
        indexer = RosterIndexer(memory, ids, students, lambda: TODAY, lambda: "")
        sections = tuple(replace(SECTION, dcid=number) for number in range(1, 401))
        assert indexer.store_roster(replace(ROSTER, sections=sections), "") == 400
        assert [number for number in client.exchanges if number] == [PIPELINED, PIPELINED]
        assert memory.sections(["400"], "").keys() == {"400"}


class Feed:
    """A feed during whose reading something happens."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self.meanwhile = meanwhile

    def read(self) -> Roster:
        self.meanwhile()
        return ROSTER

    def changes_since(self, version: str | None) -> DataVersion | None:
        return None


def test_what_is_read_while_rosters_change_counts_as_read_before(
    indexer_of: Callable[..., RosterIndexer], memory: SectionCache
) -> None:
    """A hint that comes meanwhile may be about what was read already."""
    hints = ["@1"]
    feed = IndexingFeed(
        Feed(lambda: hints.append("@2")), indexer_of(hint=lambda: hints[-1]), lambda: None, lambda: DISTRICT
    )
    assert feed.read() == ROSTER
    assert (memory.sections(["6100"], "@1").keys(), memory.sections(["6100"], "@2").keys()) == ({"6100"}, set())


def test_a_failed_reading_remembers_nothing(
    indexer_of: Callable[..., RosterIndexer], redis_client: redis.Redis
) -> None:
    """A part of a roster is never taken for the whole."""

    def fail() -> None:
        raise IncompleteRead("truncated")

    with pytest.raises(IncompleteRead):
        IndexingFeed(Feed(fail), indexer_of(), lambda: None, lambda: DISTRICT).read()
    assert redis_client.dbsize() == 0
