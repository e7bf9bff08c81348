"""The contract of `Audit`: what was written comes back exactly, the newest first, for as long as is set."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import redis
from stores_under_test import Time

from shared.adapters.redis.course_data.audit import PAGE, Audit, decode_entry, encode_entry
from shared.adapters.redis.keys import Keys
from shared.domain.passback.audit import (
    Arrival,
    AuditEntry,
    FieldChange,
    ScoreChange,
    WriteContext,
    WriteKind,
)
from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.powerschool import Score

pytestmark = pytest.mark.redis7

DAYS = timedelta(days=30)
ENTRY = AuditEntry(
    at=datetime(2021, 3, 4, 9, 0, 0, 123456, tzinfo=UTC),
    course_id="101",
    assignment_id="7",
    section_dcid=4711,
    powerschool_assignment_id=5,
    powerschool_assignment_section_id=6,
    kind=WriteKind.SCORES,
    occasion=WriteContext((ChangeCause.EVENT, ChangeCause.PERSON), "rivera", 12),
    points_possible=Decimal("10.50"),
    fields=(FieldChange("name", None, "Ωhm's law"),),
    scores=(ScoreChange(31, None, None, Score(Decimal("7.10"), missing=True)),),
)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def audit(client: redis.Redis, keys: Keys, time: Time) -> Audit:
    return Audit(client, keys, DAYS, 100, now_ms=time)


def test_an_entry_comes_back_as_it_was(audit: Audit) -> None:
    """Exact decimals, flags, absent values and times survive."""
    audit.add(ENTRY)
    assert list(audit.of_course("101")) == [ENTRY]
    assert list(audit.of_course("202")) == []


def test_the_newest_comes_first_over_all_pages(client: redis.Redis, keys: Keys, time: Time) -> None:
    """However many there are, each comes once."""
    audit = Audit(client, keys, DAYS, 10_000, now_ms=time)
    for token in range(2 * PAGE + 1):
        audit.add(replace(ENTRY, occasion=replace(ENTRY.occasion, token=token)))
    assert [entry.occasion.token for entry in audit.of_course("101")] == list(reversed(range(2 * PAGE + 1)))


def test_a_write_of_the_running_sync_is_told_once_it_is_over(audit: Audit, client: redis.Redis, keys: Keys) -> None:
    """Its answer is not lost while it is awaited; it is once the sync's lease is over."""
    lost = replace(ENTRY, answer_lost=True)
    both = [lost, replace(lost, assignment_id="8")]
    client.hset(keys.taken("101"), "token", lost.occasion.token)
    write = audit.begin("101", both)
    assert list(audit.of_course("101")) == []
    client.hset(keys.taken("101"), "token", lost.occasion.token + 1)
    assert list(audit.of_course("101")) == both[::-1]
    client.delete(keys.taken("101"))
    assert list(audit.of_course("101")) == both[::-1]
    audit.end("101", write, [ENTRY])
    assert list(audit.of_course("101")) == [ENTRY]


def test_a_write_that_ends_while_it_is_read_is_told_once(audit: Audit) -> None:
    """What began and what ended are read at one moment."""
    lost = replace(ENTRY, answer_lost=True)
    write = audit.begin("101", [lost])
    told = audit.of_course("101")
    first = next(told)
    audit.end("101", write, [ENTRY])
    assert [first, *told] == [lost]


def test_a_write_that_came_to_nothing_leaves_nothing(audit: Audit) -> None:
    """What PowerSchool refused was not written."""
    audit.end("101", audit.begin("101", [ENTRY]), [])
    assert list(audit.of_course("101")) == []


def test_a_write_without_an_answer_stays_until_it_is_settled(audit: Audit, client: redis.Redis, keys: Keys) -> None:
    """Later writes take nothing of it away; what becomes of it takes its place."""
    lost = [replace(ENTRY, answer_lost=True), replace(ENTRY, assignment_id="8", answer_lost=True)]
    write = audit.begin("101", lost)
    audit.add(replace(ENTRY, kind=WriteKind.CREATE))
    assert audit.unanswered("101") == {write: lost}
    assert list(audit.of_course("101")) == [replace(ENTRY, kind=WriteKind.CREATE), *lost[::-1]]
    settled = [replace(entry, arrival=Arrival.ARRIVED) for entry in lost]
    audit.end("101", write, settled)
    assert list(audit.of_course("101")) == [*settled[::-1], replace(ENTRY, kind=WriteKind.CREATE)]
    assert audit.unanswered("101") == {}
    assert not client.exists(keys.writes_begun("101"))


def test_a_write_without_an_answer_has_its_place_by_its_time(audit: Audit) -> None:
    """Though it is stored apart."""
    lost = replace(ENTRY, answer_lost=True)
    later = replace(ENTRY, at=ENTRY.at + timedelta(hours=1))
    audit.begin("101", [lost])
    audit.add(later)
    assert list(audit.of_course("101")) == [later, lost]


def test_a_write_without_an_answer_is_too_old_in_time(audit: Audit, time: Time) -> None:
    """Also where the course goes on being written, and nobody looks at this assignment."""
    audit.begin("101", [replace(ENTRY, answer_lost=True)])
    time.advance(DAYS + timedelta(seconds=1))
    assert list(audit.of_course("101")) == []
    assert audit.unanswered("101") == {}


def test_a_worker_back_from_the_dead_ends_its_own_write_alone(audit: Audit) -> None:
    """The write of the worker that has the course now stays."""
    lost = replace(ENTRY, answer_lost=True)
    dead = audit.begin("101", [lost])
    newer = replace(lost, occasion=replace(ENTRY.occasion, token=13))
    audit.begin("101", [newer])
    audit.end("101", dead, [ENTRY])
    assert list(audit.of_course("101")) == [ENTRY, newer]


def test_an_interrupted_write_is_forgotten_in_time(audit: Audit, client: redis.Redis, keys: Keys) -> None:
    """As long as an entry is kept, and no longer."""
    audit.begin("101", [ENTRY])
    assert 0 < client.pttl(keys.writes_begun("101")) <= DAYS / timedelta(milliseconds=1)


def test_since_leaves_out_what_is_older(audit: Audit) -> None:
    """An entry of the very moment counts."""
    later = replace(ENTRY, at=ENTRY.at + timedelta(hours=1))
    audit.add(ENTRY)
    audit.add(later)
    assert list(audit.of_course("101", later.at)) == [later]


def test_what_is_too_old_is_gone(audit: Audit, client: redis.Redis, keys: Keys, time: Time) -> None:
    """Past the bound an entry is not answered any more, and the next write removes it."""
    audit.add(ENTRY)
    time.advance(DAYS + timedelta(seconds=1))
    assert list(audit.of_course("101")) == []
    audit.add(ENTRY)
    assert client.xlen(keys.audit("101")) == 1


def test_a_course_without_writes_is_forgotten_in_time(audit: Audit, client: redis.Redis, keys: Keys) -> None:
    """The key itself ends with the age that is set."""
    audit.add(ENTRY)
    assert 0 < client.pttl(keys.audit("101")) <= DAYS / timedelta(milliseconds=1)


def test_the_count_is_bounded(audit: Audit, client: redis.Redis, keys: Keys) -> None:
    """About as many entries are kept as the setting says, the newest."""
    for token in range(500):
        audit.add(replace(ENTRY, occasion=replace(ENTRY.occasion, token=token)))
    assert 100 <= client.xlen(keys.audit("101")) <= 300
    assert next(audit.of_course("101")).occasion.token == 499


def test_an_entry_of_an_earlier_version_is_read() -> None:
    """Entries were stored with every flag of a score; flags that are not set are left out now."""
    old = (
        b'{"at":"2026-10-05T14:03:02.123456Z","course_id":"1","assignment_id":"11","section_dcid":4001,'
        b'"powerschool_assignment_id":null,"powerschool_assignment_section_id":7,"kind":"scores",'
        b'"occasion":{"causes":["event"],"actor":"rivera","token":3},"points_possible":"10.50","fields":[],'
        b'"scores":[{"student_dcid":501,"student_sis_id":"S1","before":null,'
        b'"after":{"points":"7.10","missing":false,"exempt":true}}],"answer_lost":false}'
    )
    entry = decode_entry(old)
    assert entry.scores == (ScoreChange(501, "S1", None, Score(Decimal("7.10"), exempt=True)),)
    assert decode_entry(encode_entry(entry)) == entry
    assert b'"after":{"points":"7.10","exempt":true}' in encode_entry(entry)
