"""What the last sync of each course recorded, and which courses are connected.

A record is JSON, in lists instead of objects, so that no name of a field is repeated:

    [course id, name, synced at, next due at, [roster, …], [assignment, …], [Canvas section, …], last change]
    roster      [section's SIS id, SECTIONS.DCID, [student's SIS id, …], school number, term]
    term        [first day, last day, TERMS.YEARID]
    assignment  [id, name, [section, …]]
    section     [SIS id, PowerSchool's two ids, scores wanted and there, written at, state, [finding, …], [student, …]]
    student     [user id, SIS id, finding]
    finding     [reason, detail]
    Canvas section  [id, SIS id, name]
    last change     [event received at, written at], or null

What ends a section or a finding and is as usual is left out. Names and ids stay as they are: an erasure searches them.
"""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from itertools import chain
from typing import cast

import msgspec
import redis
from pydantic import TypeAdapter

from shared.adapters.redis.client import epoch_ms, load_script, text, time_at
from shared.adapters.redis.keys import Keys
from shared.domain.passback.course_state import (
    AssignmentRecord,
    CourseRecord,
    CourseSummary,
    SectionRecord,
    SectionRoster,
    State,
    StudentRecord,
    summary_of,
)
from shared.domain.passback.rules.reasons import Finding, Reason

# What records were until there was this form: an object with every field's name. A course keeps it until its next sync.
_OBJECT = TypeAdapter(CourseRecord)


class _Finding(msgspec.Struct, array_like=True, frozen=True, gc=False):
    reason: Reason
    detail: str = ""


class _Student(msgspec.Struct, array_like=True, frozen=True, gc=False):
    user_id: str
    student_sis_id: str | None
    finding: _Finding


class _Section(msgspec.Struct, array_like=True, frozen=True):
    section_sis_id: str | None
    powerschool_assignment_id: int | None = None
    powerschool_assignment_section_id: int | None = None
    scores_wanted: int = 0
    scores_there: int = 0
    written_at: datetime | None = None
    state: State = State.SYNCED
    findings: tuple[_Finding, ...] = ()
    students: tuple[_Student, ...] = ()


class _Assignment(msgspec.Struct, array_like=True, frozen=True):
    assignment_id: str
    name: str
    sections: tuple[_Section, ...]


class _Term(msgspec.Struct, array_like=True, frozen=True):
    first_day: date
    last_day: date
    year_id: int


class _Roster(msgspec.Struct, array_like=True, frozen=True):
    section_sis_id: str
    section_dcid: int
    student_sis_ids: tuple[str, ...]
    school_number: int | None = None
    term: _Term | None = None


class _CanvasSection(msgspec.Struct, array_like=True, frozen=True):
    section_id: str
    sis_id: str | None
    name: str = ""


class _LastChange(msgspec.Struct, array_like=True, frozen=True):
    changed_at: datetime
    written_at: datetime


class _Course(msgspec.Struct, array_like=True, frozen=True):
    course_id: str
    name: str
    synced_at: datetime
    next_due_at: datetime | None
    rosters: tuple[_Roster, ...]
    assignments: tuple[_Assignment, ...]
    sections: tuple[_CanvasSection, ...] = ()
    last_change: _LastChange | None = None


_DECODER = msgspec.json.Decoder(_Course)
_ENCODER = msgspec.json.Encoder()
_USUAL = tuple(_Section.__struct_defaults__)


def encode_record(record: CourseRecord) -> bytes:
    """Return the record as it is stored."""
    rosters = [_roster(roster) for roster in record.rosters]
    assignments = [_assignment(assignment) for assignment in record.assignments]
    sections = [(section.section_id, section.sis_id, section.name) for section in record.sections]
    last_change = record.last_change and (record.last_change.changed_at, record.last_change.written_at)
    course = (record.course_id, record.name, record.synced_at, record.next_due_at)
    return _ENCODER.encode((*course, rosters, assignments, sections, last_change))


def record_of(stored: bytes) -> CourseRecord:
    """Return the record that was stored, in this form or the earlier one. Raises `ValueError` for anything else."""
    if stored.startswith(b"{"):
        return _OBJECT.validate_json(stored)
    return msgspec.convert(_DECODER.decode(stored), CourseRecord, from_attributes=True)


def _roster(roster: SectionRoster) -> tuple[object, ...]:
    term = roster.term and (roster.term.first_day, roster.term.last_day, roster.term.year_id)
    return (roster.section_sis_id, roster.section_dcid, roster.student_sis_ids, roster.school_number, term)


def _assignment(assignment: AssignmentRecord) -> tuple[object, ...]:
    return (assignment.assignment_id, assignment.name, [_section(section) for section in assignment.sections])


def _section(section: SectionRecord) -> list[object]:
    values: list[object] = [
        section.section_sis_id,
        section.powerschool_assignment_id,
        section.powerschool_assignment_section_id,
        section.scores_wanted,
        section.scores_there,
        section.written_at,
        section.state,
        tuple(map(_finding, section.findings)),
        tuple(map(_student, section.students)),
    ]
    while len(values) > 1 and values[-1] == _USUAL[len(values) - 2]:
        values.pop()
    return values


def _student(student: StudentRecord) -> tuple[object, ...]:
    return (student.user_id, student.student_sis_id, _finding(student.finding))


def _finding(finding: Finding) -> tuple[str, ...]:
    return (finding.reason, finding.detail) if finding.detail else (finding.reason,)


def encode_summary(summary: CourseSummary) -> bytes:
    """Return a summary as it is stored: as JSON."""
    # A process of schema version 1 fails on a summary without `words`: this keeps the way back open.
    return msgspec.json.encode({**msgspec.to_builtins(summary), "words": []})


class CourseStates:
    """Stores the state of every assignment: a JSON document per course, and the courses in the order of their syncs."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys
        self._delete_due_date = load_script(client, "course_data/delete_due_date")

    def save(self, record: CourseRecord, canvas_section_ids: Collection[str] = ()) -> None:
        """Replace what is stored of the course, and which course its assignments and sections belong to."""
        keys, course_id = self._keys, record.course_id
        assignments = dict.fromkeys((assignment.assignment_id for assignment in record.assignments), course_id)
        sections = dict.fromkeys(canvas_section_ids, course_id)
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.set(keys.record(course_id), encode_record(record))
            pipeline.hset(keys.summaries, course_id, encode_summary(summary_of(record)))
            pipeline.zadd(keys.courses, {course_id: epoch_ms(record.synced_at)})
            pipeline.hdel(keys.gone, course_id)
            if record.next_due_at is None:
                pipeline.zrem(keys.due_dates, course_id)
            else:
                pipeline.zadd(keys.due_dates, {course_id: epoch_ms(record.next_due_at)})
            for key, courses in ((keys.assignment_courses, assignments), (keys.section_courses, sections)):
                if courses:
                    pipeline.hset(key, items=list(chain.from_iterable(courses.items())))
            pipeline.execute()

    def count_older_than(self, before: datetime) -> int:
        """Return how many synced courses were last synced before a time."""
        return self._redis.zcount(self._keys.courses, "(0", f"({epoch_ms(before)}")

    def course(self, course_id: str) -> CourseRecord | None:
        """Return what the last sync recorded, None for a course never synced."""
        record = self._redis.get(self._keys.record(course_id))
        return None if record is None else record_of(cast("bytes", record))

    def register(self, course_id: str) -> bool:
        """Add the course to those that reconciliation visits; say whether it was not there."""
        return bool(self._redis.zadd(self._keys.courses, {course_id: 0}, nx=True))

    def close(self, course_id: str, at: datetime) -> bool:
        """Take the course off every schedule, since Canvas has it no more; say whether that is news."""
        with self._redis.pipeline() as pipeline:
            pipeline.hsetnx(self._keys.gone, course_id, str(epoch_ms(at)))
            pipeline.zrem(self._keys.courses, course_id)
            pipeline.zrem(self._keys.due_dates, course_id)
            is_news, *_ = pipeline.execute()
        return bool(is_news)

    def is_connected(self, course_id: str) -> bool:
        """Say whether reconciliation visits the course."""
        return self._redis.zscore(self._keys.courses, course_id) is not None

    def connected(self) -> list[str]:
        """Return the ids of all connected courses, the longest not visited first."""
        return [text(course) for course in cast("list[bytes]", self._redis.zrange(self._keys.courses, 0, -1))]

    def count(self) -> int:
        """Return how many courses are connected."""
        return self._redis.zcard(self._keys.courses)

    def least_recently_visited(self, synced_before: datetime, limit: int) -> list[str]:
        """Return connected courses neither synced nor visited since, the longest waiting first."""
        before = f"({epoch_ms(synced_before)}"
        courses = cast("list[bytes]", self._redis.zrangebyscore(self._keys.courses, "-inf", before, 0, limit))
        return [text(course) for course in courses]

    def mark_visited(self, course_id: str, at: datetime) -> None:
        """Record that the course had its turn, so that one that cannot be synced does not keep the others waiting."""
        self._redis.zadd(self._keys.courses, {course_id: epoch_ms(at)}, xx=True, gt=True)

    def passed_due_dates(self, time: datetime) -> Mapping[str, datetime]:
        """Return the courses whose next due date is at or before this time, with that date: no event tells of it."""
        found = self._redis.zrangebyscore(self._keys.due_dates, "-inf", epoch_ms(time), withscores=True)
        return {text(course): time_at(due) for course, due in cast("list[tuple[bytes, float]]", found)}

    def delete_due_dates(self, passed: Mapping[str, datetime]) -> None:
        """Delete these dates of these courses, save those that a sync has replaced meanwhile."""
        for course_id, due_at in passed.items():
            self._delete_due_date(keys=[self._keys.due_dates], args=[course_id, epoch_ms(due_at)])
