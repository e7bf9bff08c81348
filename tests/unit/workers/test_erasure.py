"""`passback purge`: nothing without being told twice, nothing while a sync is at it, nothing unsaid."""

from datetime import UTC, datetime, timedelta

import fakeredis
import pytest
from structlog.testing import capture_logs

from shared.adapters.redis.course_data.audit import Audit
from shared.adapters.redis.course_data.links import Links
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.actions import ErasureLog, Pauses
from shared.adapters.redis.operations.erasure import RedisErasure
from shared.adapters.redis.operations.processes import Heartbeats
from shared.clock import SystemClock
from shared.domain.passback.audit import (
    AuditEntry,
    ScoreChange,
    WriteContext,
    WriteKind,
)
from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.erasure import StudentIds
from shared.domain.passback.planning.links import Link
from shared.domain.passback.powerschool import Score
from shared.log_events import LogEvent
from workers.erasure import Erasure, SyncsRunning

AT = datetime(2031, 3, 4, 9, 0, tzinfo=UTC)
COURSE, GONE, DCID = "7301", "88001", 99001


class Records:
    """A Redis that remembers one student of one course, and the purge over it."""

    def __init__(self) -> None:
        self.redis = fakeredis.FakeRedis()
        self.keys = Keys()
        self.syncing: list[bool] = []
        self.pauses = Pauses(self.redis, self.keys, SystemClock())
        self.heartbeats = Heartbeats(self.redis, self.keys)
        self.purges = ErasureLog(self.redis, self.keys)
        self.erasure = RedisErasure(self.redis, self.keys)
        self.purge = Erasure(
            self.erasure, self.purges, self.pauses, self.heartbeats, self._is_being_synced, lambda _seconds: None
        )
        scores = (ScoreChange(DCID, GONE, None, Score(None, missing=True)),)
        occasion = WriteContext((ChangeCause.EVENT,), "passback", 1)
        entry = AuditEntry(AT, COURSE, "11", 4711, 5, 6, WriteKind.SCORES, occasion, scores=scores)
        Audit(self.redis, self.keys, timedelta(days=9), 100).add(entry)
        # The link knows the student by STUDENTS.DCID alone.
        Links(self.redis, self.keys).save(COURSE, Link("11", 4711, "Lab", AT.date(), 5, 6, frozenset({DCID})))

    def _is_being_synced(self, _course: str) -> bool:
        return bool(self.syncing) and self.syncing.pop()


@pytest.fixture
def records() -> Records:
    return Records()


def test_a_student_is_found_by_the_dcid_that_the_audit_knows(records: Records) -> None:
    """Links hold STUDENTS.DCID; the audit says whose that is. Afterwards neither id stands anywhere."""
    purged = records.purge.student(StudentIds(GONE), "rivera", dry_run=False)

    assert purged.erased == {"scores in the audit": 1, "links": 1, "lists of students": 1}
    assert purged.is_complete
    assert records.erasure.locations(str(DCID)) == {}


def test_what_still_names_the_student_is_said(records: Records) -> None:
    """An id that stands where no rule looks for it is reported, by kind of key."""
    records.redis.set("passback:report:7:rows", f'{{"row": "{GONE}"}}')

    purged = records.purge.student(StudentIds(GONE), "rivera", dry_run=False)

    assert (purged.remaining_in, purged.is_complete) == ({"passback:report:<id>:rows": 1}, False)


def test_a_purge_is_logged_and_noted_without_the_student(records: Records) -> None:
    """Who erased how much is kept; whom it was about is not, neither in the log nor in Redis."""
    with capture_logs() as lines:
        records.purge.student(StudentIds(GONE), "rivera", dry_run=False)

    (line,) = [line for line in lines if line["event"] == LogEvent.DATA_ERASED]
    assert (line["what"], line["actor"], line["erased"]) == (
        "student",
        "rivera",
        {"scores in the audit": 1, "links": 1, "lists of students": 1},
    )
    assert GONE not in str(lines)
    assert [noted["actor"] for noted in records.purges.all()] == ["rivera"]


def test_a_dry_run_is_not_noted(records: Records) -> None:
    """Nothing was purged, so that nothing is said to have been."""
    with capture_logs() as lines:
        assert records.purge.courses([COURSE], "rivera", dry_run=True).erased["links"] == 1

    assert (lines, records.purges.all(), records.pauses.all()) == ([], [], [])
    assert records.erasure.courses() == [COURSE]


def test_a_course_that_is_being_synced_is_waited_for(records: Records) -> None:
    """A sync would write anew what is erased: the purge waits for its end, and the course is held back meanwhile."""
    records.syncing = [False, True, True]

    purged = records.purge.courses([COURSE], "rivera", dry_run=False)

    assert purged.skipped == ()
    assert records.erasure.courses() == []
    assert records.pauses.all() == []


def test_a_course_that_does_not_come_to_rest_is_left_out(records: Records) -> None:
    """It is left whole, and named."""
    records.syncing = [True] * 1000

    purged = records.purge.courses([COURSE], "rivera", dry_run=False)

    assert (purged.erased, purged.skipped, purged.is_complete) == ({}, (COURSE,), False)
    assert records.erasure.courses() == [COURSE]
    assert records.pauses.all() == []


def test_a_persons_pause_stays(records: Records) -> None:
    """A course that was held back by a person is still held back afterwards."""
    records.pauses.pause(f"course:{COURSE}", "okafor")

    records.purge.student(StudentIds(GONE), "rivera", dry_run=False)

    assert [pause.actor for pause in records.pauses.all()] == ["okafor"]


def test_a_district_is_not_erased_while_something_runs(records: Records) -> None:
    """A process that is alive would remember anew."""
    records.heartbeats.record("worker@here:1")

    with pytest.raises(SyncsRunning, match="worker@here:1"):
        records.purge.everything("rivera", dry_run=False)
    assert records.erasure.courses() == [COURSE]

    records.heartbeats.remove("worker@here:1")
    assert records.purge.everything("rivera", dry_run=False).erased["keys"] == 2
    assert records.redis.dbsize() == 0
