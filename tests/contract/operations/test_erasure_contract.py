"""What `RedisErasure` leaves: nothing of what was to go, and everything else as it was."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import redis
from stores_under_test import District

from shared.adapters.redis.course_data.audit import Audit
from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.course_data.links import CategoryMatches, Links
from shared.adapters.redis.dead_letters.dead_messages import DeadMessages
from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.actions import ErasureLog
from shared.adapters.redis.operations.erasure import RedisErasure, content_of
from shared.domain.passback.audit import (
    AuditEntry,
    FieldChange,
    ScoreChange,
    WriteContext,
    WriteKind,
)
from shared.domain.passback.changes import Change, ChangeCause, ChangeKind
from shared.domain.passback.course_state import (
    AssignmentRecord,
    CourseRecord,
    SectionRecord,
    SectionRoster,
    State,
    StudentRecord,
)
from shared.domain.passback.erasure import StudentIds
from shared.domain.passback.planning.links import Link
from shared.domain.passback.powerschool import Score
from shared.domain.passback.rules.categories import CategoryAssociation
from shared.domain.passback.rules.reasons import Finding, Reason

AT = datetime(2021, 3, 4, 9, 0, tzinfo=UTC)
LONG_AGO = AT - timedelta(days=500)
COURSE, OTHER = "7301", "7302"
GONE, STAYS = "88001", "88002"
DCIDS = {GONE: 99001, STAYS: 99002}
STUDENT = StudentIds(GONE, frozenset({DCIDS[GONE]}))


def entry(course: str, *students: str, fields: tuple[FieldChange, ...] = ()) -> AuditEntry:
    scores = tuple(ScoreChange(DCIDS[s], s, None, Score(Decimal("7.5"))) for s in students)
    occasion = WriteContext((ChangeCause.EVENT,), "passback", 1)
    return AuditEntry(AT, course, "11", 4711, 5, 6, WriteKind.SCORES, occasion, Decimal(10), fields, scores)


def remember(client: redis.Redis, keys: Keys, course: str) -> None:
    """Let passback remember everything there is of a course with two students."""
    audit = Audit(client, keys, timedelta(days=30_000), 100)
    for each in (entry(course, GONE, STAYS), entry(course, GONE), entry(course, STAYS)):
        audit.add(each)
    audit.add(entry(course, GONE, fields=(FieldChange("name", None, "Lab"),)))
    audit.begin(course, [entry(course, GONE, STAYS), entry(course, GONE)])
    students = tuple(StudentRecord("31", s, Finding(Reason.STUDENT_UNKNOWN)) for s in (GONE, STAYS))
    sections = (SectionRecord("4711", State.SYNCED, students=students),)
    rosters = (SectionRoster("4711", 4711, (GONE, STAYS)),)
    record = CourseRecord(course, AT, (AssignmentRecord(f"{course}11", "Lab", sections),), AT, rosters)
    CourseStates(client, keys).save(record, [f"{course}51"])
    link = Link("11", 4711, "Lab", date(2021, 3, 4), 5, 6, frozenset(DCIDS.values()))
    Links(client, keys).save(course, link)
    CategoryMatches(client, keys).save(course, "1", CategoryAssociation(frozenset({1})))
    DeadLetters(client, keys).add(course, None, "timeout", "", 6)


def everything(client: redis.Redis, keys: Keys) -> dict[str, list[bytes]]:
    return {key: list(content_of(client, key)) for key in map(bytes.decode, client.scan_iter(f"{keys.prefix}:*"))}


@pytest.fixture
def erasure(client: redis.Redis, keys: Keys) -> RedisErasure:
    return RedisErasure(client, keys)


def test_a_course_leaves_nothing(client: redis.Redis, keys: Keys, erasure: RedisErasure, district: District) -> None:
    """After its erasure no key holds the course's id, in whatever state it was; another one is as it was."""
    remember(client, keys, OTHER)
    before = everything(client, keys)
    remember(client, keys, COURSE)
    district.send(Change(ChangeKind.GRADE, COURSE, assignment_id="11"))
    district.process().aggregate("w", 10, timedelta(0))
    client.delete(*map(keys.stream, ("grade-changes", "assignment-changes")))
    CourseStates(client, keys).close(COURSE, AT)
    client.hset(keys.waits, COURSE, "1614848400000 canvas_401")

    counted = erasure.course(COURSE, dry_run=True)
    assert erasure.courses() == [COURSE, OTHER]
    assert erasure.course(COURSE, dry_run=False) == counted
    assert (counted["audit entries"], counted["links"], counted["dead letters"]) == (4, 1, 1)
    left = everything(client, keys)
    assert {key: held for key, held in left.items() if key not in (keys.last_event, keys.streams_tended)} == before
    assert erasure.courses() == [OTHER]
    assert erasure.course(COURSE, dry_run=False) == {}


def test_a_student_leaves_nothing(client: redis.Redis, keys: Keys, erasure: RedisErasure) -> None:
    """After the erasure neither id stands anywhere; the other student's scores, reasons and links are as they were."""
    remember(client, keys, COURSE)
    lifetime = client.pttl(keys.audit(COURSE))

    counted = erasure.student(COURSE, STUDENT, dry_run=True)
    assert erasure.student(COURSE, STUDENT, dry_run=False) == counted == {
        "scores in the audit": 5, "course records": 1, "links": 1, "lists of students": 1
    }  # fmt: skip

    assert erasure.locations(GONE) == erasure.locations(str(DCIDS[GONE])) == {}
    audit = Audit(client, keys, timedelta(days=30_000), 100)
    assert [[s.student_sis_id for s in e.scores] for e in audit.of_course(COURSE)] == [[], [STAYS], [STAYS], [STAYS]]
    assert lifetime - 10_000 < client.pttl(keys.audit(COURSE)) <= lifetime
    record = CourseStates(client, keys).course(COURSE)
    assert record is not None
    assert [s.student_sis_id for s in record.assignments[0].sections[0].students] == [STAYS]
    assert record.rosters[0].student_sis_ids == (STAYS,)
    (link,) = Links(client, keys).of_course(COURSE).values()
    assert link.sent_to == {DCIDS[STAYS]}
    assert not erasure.knows(COURSE, STUDENT)


def test_a_student_whose_score_was_emptied_leaves_nothing(
    client: redis.Redis, keys: Keys, erasure: RedisErasure
) -> None:
    """A section's list still names a student of whom no link knows any more: that is found, and erased."""
    links = Links(client, keys)
    link = Link("11", 4711, "Lab", date(2021, 3, 4), 5, 6, frozenset(DCIDS.values()))
    emptied = replace(link, sent_to=frozenset({DCIDS[STAYS]}))
    links.save(COURSE, link)
    links.save(COURSE, emptied)

    assert erasure.knows(COURSE, STUDENT)
    assert erasure.student(COURSE, STUDENT, dry_run=False) == {"lists of students": 1}
    assert erasure.locations(str(DCIDS[GONE])) == {}
    assert not erasure.knows(COURSE, STUDENT)
    assert links.of_course(COURSE) == {("11", 4711): emptied}


def test_an_erased_student_has_no_successor(client: redis.Redis, keys: Keys, erasure: RedisErasure) -> None:
    """Whoever is sent a score after an erasure does not appear in links where the erased student was."""
    links = Links(client, keys)
    link = Link("11", 4711, "Lab", date(2021, 3, 4), 5, 6, frozenset({DCIDS[GONE]}))
    links.save(COURSE, link)
    erasure.student(COURSE, STUDENT, dry_run=False)
    later = replace(link, assignment_id="12", sent_to=frozenset({DCIDS[STAYS]}))
    links.save(COURSE, later)

    assert links.of_course(COURSE) == {("11", 4711): replace(link, sent_to=frozenset()), ("12", 4711): later}


def test_writes_go_on_after_an_erasure(client: redis.Redis, keys: Keys, erasure: RedisErasure) -> None:
    """An entry that comes later is the newest, as before."""
    remember(client, keys, COURSE)
    erasure.student(COURSE, STUDENT, dry_run=False)
    audit = Audit(client, keys, timedelta(days=30_000), 100)
    newest = replace(entry(COURSE, STAYS), assignment_id="12")
    audit.add(newest)
    assert next(iter(audit.of_course(COURSE))) == newest


def test_a_dry_run_changes_nothing(client: redis.Redis, keys: Keys, erasure: RedisErasure) -> None:
    """Counting is reading."""
    remember(client, keys, COURSE)
    DeadMessages(client, keys).add("course-syncs", "unreadable", "", GONE.encode())
    before = everything(client, keys)
    assert erasure.course(COURSE, dry_run=True)
    assert erasure.student(COURSE, STUDENT, dry_run=True)
    assert erasure.mentions(GONE, dry_run=True)
    assert erasure.before(datetime(2100, 1, 1, tzinfo=UTC), dry_run=True)
    assert erasure.everything(dry_run=True)
    assert everything(client, keys) == before


def test_messages_and_remembered_rosters_with_the_id_go(client: redis.Redis, keys: Keys, erasure: RedisErasure) -> None:
    """What nobody could read may hold anything: it goes where the id stands in it as a whole word."""
    messages = DeadMessages(client, keys)
    for payload in (f'{{"user": "{GONE}"}}', f"{GONE}9", "else"):
        messages.add("course-syncs", "unreadable", "", payload.encode())
    client.set(keys.cached("sections", "1"), f'["{GONE}"]')
    client.set(keys.cached("sections", "2"), f'["{STAYS}"]')

    client.sadd(keys.cached("canvas-heavy", "101"), "1001")
    assert erasure.mentions(GONE, dry_run=False) == {"kept messages": 1, "remembered answers of PowerSchool": 1}
    assert messages.count() == 2
    assert client.exists(keys.cached("sections", "1"), keys.cached("sections", "2")) == 1


@pytest.mark.redis7
def test_what_is_older_goes(client: redis.Redis, keys: Keys, erasure: RedisErasure) -> None:
    """Audit entries, dead letters and kept messages from before the moment go; later ones stay."""
    old_ms, new_ms = (int(at.timestamp() * 1000) for at in (LONG_AGO, AT))
    for now_ms in (old_ms, new_ms):
        Audit(client, keys, timedelta(days=30_000), 100, now_ms=lambda now_ms=now_ms: now_ms).add(entry(COURSE))
        letters = DeadLetters(client, keys, now_ms=lambda now_ms=now_ms: now_ms)
        letters.add(COURSE, str(now_ms), "timeout", "", 6)
        client.xadd(keys.malformed, {"reason": "unreadable"}, id=f"{now_ms}-1")

    begun = Audit(client, keys, timedelta(days=30_000), 100, now_ms=lambda: new_ms)
    begun.begin(COURSE, [replace(entry(COURSE), at=LONG_AGO), entry(COURSE)])
    moment = AT - timedelta(days=400)
    counted = erasure.before(moment, dry_run=True)
    assert erasure.before(moment, dry_run=False) == counted == {
        "audit entries": 2, "kept messages": 1, "dead letters": 1
    }  # fmt: skip
    assert [letter.assignment_id for letter in letters.all()] == [str(new_ms)]
    assert [letter.assignment_id for letter in letters.of_course(COURSE)] == [str(new_ms)]
    assert erasure.before(moment, dry_run=False) == {}


def test_everything_is_the_district_and_no_other(client: redis.Redis, keys: Keys, erasure: RedisErasure) -> None:
    """Every key under the prefix goes, and none under one that merely begins alike."""
    remember(client, keys, COURSE)
    ErasureLog(client, keys).add("course", "rivera", {"links": 1})
    district = Keys(f"{keys.prefix}-2")
    ours = erasure.everything(dry_run=True)["keys"]
    assert RedisErasure(client, district).everything(dry_run=False) == {}
    assert erasure.everything(dry_run=False) == {"keys": ours}
    assert everything(client, keys) == {}


def test_a_purge_is_noted_without_whom_it_was_about(client: redis.Redis, keys: Keys) -> None:
    """What, who and how much come back; there is no place for more."""
    purges = ErasureLog(client, keys)
    purges.add("student", "rivera", {"scores in the audit": 3})
    (noted,) = purges.all()
    at = noted.pop("at")
    assert isinstance(at, datetime)
    assert noted == {"what": "student", "actor": "rivera", "erased": {"scores in the audit": 3}}
