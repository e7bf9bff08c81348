"""The contract of `ports.Audit`: what was written comes back exactly, the newest first, for as long as is set."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import redis
from stores_under_test import Time

from shared.adapters.redis.audit import PAGE, RedisAudit
from shared.adapters.redis.keys import Keys
from shared.domain.audit import AuditEntry, FieldChange, Occasion, ScoreChange, ScoreValue, WriteKind
from shared.domain.changes import Cause

DAYS = timedelta(days=30)
ENTRY = AuditEntry(
    at=datetime(2021, 3, 4, 9, 0, 0, 123456, tzinfo=UTC),
    course_id="101",
    assignment_id="7",
    section_dcid=4711,
    powerschool_assignment_id=5,
    powerschool_assignment_section_id=6,
    kind=WriteKind.SCORES,
    occasion=Occasion((Cause.EVENT, Cause.PERSON), "rivera", 12),
    points_possible=Decimal("10.50"),
    fields=(FieldChange("name", None, "Ωhm's law"),),
    scores=(ScoreChange(31, None, None, ScoreValue(Decimal("7.10"), missing=True)),),
)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def audit(client: redis.Redis, keys: Keys, time: Time) -> RedisAudit:
    return RedisAudit(client, keys, DAYS, 100, now_ms=time)


def test_an_entry_comes_back_as_it_was(audit: RedisAudit) -> None:
    """Exact decimals, flags, absent values and times survive."""
    audit.add(ENTRY)
    assert list(audit.of_course("101")) == [ENTRY]
    assert list(audit.of_course("202")) == []


def test_the_newest_comes_first_over_all_pages(client: redis.Redis, keys: Keys, time: Time) -> None:
    """However many there are, each comes once."""
    audit = RedisAudit(client, keys, DAYS, 10_000, now_ms=time)
    for token in range(2 * PAGE + 1):
        audit.add(replace(ENTRY, occasion=replace(ENTRY.occasion, token=token)))
    assert [entry.occasion.token for entry in audit.of_course("101")] == list(reversed(range(2 * PAGE + 1)))


def test_since_leaves_out_what_is_older(audit: RedisAudit) -> None:
    """An entry of the very moment counts."""
    later = replace(ENTRY, at=ENTRY.at + timedelta(hours=1))
    audit.add(ENTRY)
    audit.add(later)
    assert list(audit.of_course("101", later.at)) == [later]


def test_what_is_too_old_is_gone(audit: RedisAudit, client: redis.Redis, keys: Keys, time: Time) -> None:
    """Past the bound an entry is not answered any more, and the next write removes it."""
    audit.add(ENTRY)
    time.advance(DAYS + timedelta(seconds=1))
    assert list(audit.of_course("101")) == []
    audit.add(ENTRY)
    assert client.xlen(keys.audit("101")) == 1


def test_a_course_without_writes_is_forgotten_in_time(audit: RedisAudit, client: redis.Redis, keys: Keys) -> None:
    """The key itself ends with the age that is set."""
    audit.add(ENTRY)
    assert 0 < client.pttl(keys.audit("101")) <= DAYS / timedelta(milliseconds=1)


def test_the_count_is_bounded(audit: RedisAudit, client: redis.Redis, keys: Keys) -> None:
    """About as many entries are kept as the setting says, the newest."""
    for token in range(500):
        audit.add(replace(ENTRY, occasion=replace(ENTRY.occasion, token=token)))
    assert 100 <= client.xlen(keys.audit("101")) <= 300
    assert next(audit.of_course("101")).occasion.token == 499
