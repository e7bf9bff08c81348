"""What the use cases need from the outside, as protocols. Adapters implement them; the contract suite proves it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, auto
from typing import Protocol

from shared.domain.passback.audit import AuditEntry
from shared.domain.passback.canvas import Course, GradebookRow
from shared.domain.passback.changes import Change, ChangeCause, PendingChanges
from shared.domain.passback.course_state import CourseRecord, DeadLetter
from shared.domain.passback.planning.desired import DesiredAssignment, Link
from shared.domain.passback.powerschool import ActualAssignment, Mark, RosteredSection, TeacherCategory
from shared.domain.passback.rules.categories import CategoryAssociation
from shared.domain.pauses import Pause


class CachePolicy(Enum):
    """How fresh a course's sections and assignment groups are to be. Assignments and scores are always read.

    `LIVE` reads them and leaves alone what is remembered: for a look that no lease protects. `ANEW` reads them and
    remembers them. `BY_HAND` does so too, and reads the course's own name and time zone as well, which the others take
    from an hour ago. `REMEMBERED` takes what is remembered, for some minutes at the most, and else is `ANEW`.
    """

    LIVE = auto()
    ANEW = auto()
    BY_HAND = auto()
    REMEMBERED = auto()


class CanvasReader(Protocol):
    """Reads the truth from Canvas. Raises the errors of `shared.errors`."""

    def course(self, course_id: str, reading: CachePolicy = CachePolicy.LIVE) -> Course:
        """Return the course with sections, assignments, overrides and groups, but without scores."""
        ...

    def gradebook(self, course_id: str, assignment_ids: Collection[str]) -> tuple[GradebookRow, ...]:
        """Return one row per student, with the submissions of these assignments; nobody twice.

        Raises `GradebookIncomplete`, with the others' rows, where single assignments cannot be read.
        """
        ...


class CourseFinder(Protocol):
    """Finds the courses in which somebody wants work synced."""

    def courses_to_sync(self, ended_after: datetime) -> Iterator[str]:
        """Yield the ids of published courses with synced work that have not ended by then; some repeatedly."""
        ...


class RosterReader(Protocol):
    """Finds PowerSchool's sections and students by the SIS ids Canvas knows."""

    def sections(self, sis_section_ids: Collection[str], *, refresh: bool = False) -> Mapping[str, RosteredSection]:
        """Return the known ones of these sections by SIS id; `refresh` asks PowerSchool even if remembered."""
        ...


@dataclass(frozen=True, slots=True)
class CreatedAssignment:
    """The two ids of a new assignment; they come from separate sequences."""

    assignment_id: int
    assignment_section_id: int


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One row of a score batch. `marks` are the teacher's own flags, None where they are not known."""

    assignment_section_id: int
    student_dcid: int
    points: Decimal
    missing: bool
    exempt: bool
    marks: frozenset[Mark] | None = None


@dataclass(frozen=True, slots=True)
class ClearRow:
    """One score to empty. `marks` are the teacher's own flags, None where they are not known."""

    assignment_section_id: int
    student_dcid: int
    marks: frozenset[Mark] | None = None


class PowerSchoolGradebook(Protocol):
    """Reads and writes PowerTeacher Pro for a teacher (`users_dcid`). Raises the errors of `shared.errors`."""

    def plugin_marks(self) -> frozenset[str]:
        """Return the values of `createdbyplugin` that mean "made through this plugin"."""
        ...

    def categories(self, users_dcid: int, year_id: int, *, refresh: bool = False) -> tuple[TeacherCategory, ...]:
        """Return the teacher's categories, inactive ones included."""
        ...

    def assignments(
        self, sections: Sequence[RosteredSection], scores_of: Collection[int]
    ) -> tuple[ActualAssignment, ...]:
        """Return every assignment of the sections; with scores for the assignment sections in `scores_of`."""
        ...

    def create(self, users_dcid: int, desired: DesiredAssignment) -> CreatedAssignment:
        """Create the assignment. Not safe to repeat: claim the link first."""
        ...

    def update(self, users_dcid: int, actual: ActualAssignment, desired: DesiredAssignment) -> None:
        """Make the assignment's own fields equal `desired`, keeping what passback does not own."""
        ...

    def put_scores(self, users_dcid: int, rows: Sequence[ScoreRow]) -> None:
        """Write the rows, all or none. Safe to repeat. Raises `Refused` whose `rows` name the bad ones."""
        ...

    def clear_scores(self, users_dcid: int, rows: Sequence[ClearRow]) -> None:
        """Empty the scores, all or none. Safe to repeat. Raises `Refused`: this way to clear is inferred."""
        ...


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to sync a course. `token` grows with every lease ever given: the fencing token."""

    course_id: str
    token: int


@dataclass(frozen=True, slots=True)
class AggregateResult:
    """What one reading of the streams came to."""

    folded: int
    unknown: int
    malformed: int


class SyncQueue(Protocol):
    """The debounce: changes fold into change sets, change sets become due, due courses are claimed and leased.

    Every method is atomic and may be repeated; times are the store's own, so hosts need not agree on theirs.
    """

    def request(
        self, course_id: str, cause: ChangeCause, assignment_ids: Collection[str] = (), *, actor: str = ""
    ) -> None:
        """Make the course due now, folded with what is pending. `actor` is the person who asks, for the audit.

        A person's request also forgets the course's backoff and attempts; any other leaves a course that already
        waits its window and backoff, so that nothing resets the backoff of a failing course but a person.
        """
        ...

    def fold(self, consumer: str, limit: int, block: timedelta) -> AggregateResult:
        """Read up to `limit` messages, fold them into change sets and acknowledge them in one step."""
        ...

    def claim_due(self, limit: int) -> list[str]:
        """Claim due courses, never more than `limit` claimed at once in all; expired claims and leases count as due.

        Paused courses are left to wait. A course whose leases expire again and again becomes a dead letter.
        A course that is leased is never claimed; what arrives meanwhile makes it due after its release.
        Courses that nothing but a pass over all courses made due yield: they have a quarter of the limit at the most.
        """
        ...

    def take(self, course_id: str) -> tuple[Lease, PendingChanges] | None:
        """Lease a claimed course and take its change set; None if it is not claimed (a repeated wake-up)."""
        ...

    def renew(self, lease: Lease) -> None:
        """Prolong the lease. Raises `LeaseLost` if it ended or someone else has the course."""
        ...

    def release(self, lease: Lease) -> bool:
        """End the lease, work done: its change set is forgotten. False if the lease was lost."""
        ...

    def release_for_later(self, lease: Lease, delay: timedelta, attempts: int, cause: str = "") -> bool:
        """End the lease, work not done: its change set is pending again, not before `delay` has passed.

        `cause` says why, for whoever looks at what waits for long.
        """
        ...

    def next_due_in(self) -> timedelta | None:
        """Return how long until the next course is due (zero if one is); None if none waits."""
        ...

    def somebody_waits(self) -> bool:
        """Say whether a course that does not yield is due and no thread of any worker has taken it yet."""
        ...

    def heard_at(self, course_id: str) -> datetime | None:
        """Return when the course's newest folded message was put on its stream, None if there never was one."""
        ...


class Links(Protocol):
    """Which PowerSchool assignment belongs to which Canvas assignment, per section."""

    def of_course(self, course_id: str) -> Mapping[tuple[str, int], Link]:
        """Return the course's links by (Canvas assignment id, SECTIONS.DCID)."""
        ...

    def save(self, course_id: str, link: Link) -> None:
        """Remember the link, replacing the earlier one of its assignment and section."""
        ...

    def forget(self, course_id: str, assignment_id: str, section_dcid: int) -> None:
        """Forget the link: its PowerSchool assignment is gone."""
        ...


class CategoryAssociations(Protocol):
    """Which PowerSchool category each assignment group of a course stands for, by ids."""

    def of_course(self, course_id: str) -> Mapping[str, CategoryAssociation]:
        """Return the course's associations by assignment group id."""
        ...

    def save(self, course_id: str, group_id: str, association: CategoryAssociation) -> None:
        """Remember the association, replacing the group's earlier one."""
        ...

    def forget(self, course_id: str, group_id: str) -> None:
        """Forget the group's association; nothing happens if there is none."""
        ...


class Records(Protocol):
    """The state of every assignment, and what was noted on the way."""

    def save(self, record: CourseRecord, canvas_section_ids: Collection[str] = ()) -> None:
        """Replace what is remembered of the course, and which course its assignments and sections belong to.

        Its next due date is remembered for `DueDates`.
        """
        ...

    def course(self, course_id: str) -> CourseRecord | None:
        """Return what the last sync recorded, None for a course never synced."""
        ...

    def connect(self, course_id: str) -> bool:
        """Add the course to those that reconciliation visits; say whether it was not there."""
        ...

    def close(self, course_id: str, at: datetime) -> bool:
        """Take the course off every schedule, since Canvas has it no more; say whether that is news.

        Saving a record of it connects it again.
        """
        ...

    def is_connected(self, course_id: str) -> bool:
        """Say whether reconciliation visits the course."""
        ...

    def count(self) -> int:
        """Return how many courses are connected."""
        ...

    def stale_courses(self, synced_before: datetime, limit: int) -> list[str]:
        """Return connected courses neither synced nor visited since, the longest waiting first."""
        ...

    def visit(self, course_id: str, at: datetime) -> None:
        """Remember that the course had its turn, so that one that cannot be synced does not keep the others waiting."""
        ...


class DueDates(Protocol):
    """When work is due next, by course: missing work raises no event. `Records.save` remembers the dates."""

    def passed(self, moment: datetime) -> Mapping[str, datetime]:
        """Return the courses whose next due date is at or before `moment`, with that date."""
        ...

    def forget(self, passed: Mapping[str, datetime]) -> None:
        """Forget these dates of these courses, save those that a sync has replaced meanwhile."""
        ...


class Counters(Protocol):
    """Numbers that only grow, counted by all processes together."""

    def add(self, name: str, label: str, amount: int = 1) -> None:
        """Count `amount` more of `label` under `name`."""
        ...

    def read(self, name: str) -> Mapping[str, int]:
        """Return what was counted under `name`, by label."""
        ...


class Count(Protocol):
    """Counts for watching: may lose what a killed process had not passed on yet, and never waits."""

    def __call__(self, name: str, *labels: str, amount: int = 1) -> None:
        """Count `amount` more of these labels under `name`, a `Counted`."""
        ...


def count_nothing(name: str, *labels: str, amount: int = 1) -> None:  # as `Count` has it
    """Count nothing, where nobody watches."""


class DeadLetters(Protocol):
    """Jobs kept for a person: at most one open entry per course and assignment."""

    def add(
        self,
        course_id: str,
        assignment_id: str | None,
        cause: str,
        answer: str,
        attempts: int,
        *,
        failed_before: Sequence[datetime] = (),
    ) -> DeadLetter:
        """Keep the job; a repeated failure updates its entry's cause, answer, attempts and times.

        `failed_before` are the earlier attempts at this work, the oldest first.
        """
        ...

    def add_provisioning(
        self, run_id: str, cause: str, answer: str, attempts: int, *, failed_before: Sequence[datetime] = ()
    ) -> DeadLetter:
        """Keep that provisioning failed: one entry at the most, of the run that failed last."""
        ...

    def close_provisioning(self) -> None:
        """Close provisioning's entry because a run succeeded; nothing happens if there is none."""
        ...

    def of_course(self, course_id: str) -> Sequence[DeadLetter]:
        """Return the course's open entries."""
        ...

    def all(self) -> Sequence[DeadLetter]:
        """Return every open entry, the oldest failure first."""
        ...

    def close(self, course_id: str, assignment_id: str | None) -> None:
        """Close the entry because its work succeeded; nothing happens if there is none."""
        ...

    def count(self) -> int:
        """Return how many entries are open."""
        ...

    def oldest_at(self) -> datetime | None:
        """Return when the oldest open entry's work failed first, None if there is none."""
        ...

    def mark_retried(self, letter_id: str) -> bool:
        """Note that a person retried the entry; False if it is not open any more."""
        ...


class DeadMessages(Protocol):
    """Messages that nobody could read: kept for a person, within bounds, as they came."""

    def all(self) -> Sequence[DeadLetter]:
        """Return every kept message, the oldest first."""
        ...

    def content(self, letter_id: str) -> Mapping[bytes, bytes]:
        """Return a message's fields as they came; nothing if it is not kept any more."""
        ...

    def count(self) -> int:
        """Return how many messages are kept."""
        ...

    def oldest_at(self) -> datetime | None:
        """Return when the oldest of them was kept, None if there is none."""
        ...

    def republish(self, letter_id: str) -> bool:
        """Put the message back where it came from and remove it, in one step; False if that is not possible."""
        ...

    def discard(self, letter_ids: Collection[str]) -> int:
        """Remove these messages; returns how many there were."""
        ...


class Pauses(Protocol):
    """What a person holds back. Changes are collected meanwhile, and nothing that is paused is claimed."""

    def pause(self, target: str, actor: str, reason: str = "") -> bool:
        """Hold the target back; False if it was already, and then its first pause stays."""
        ...

    def resume(self, target: str) -> bool:
        """Let the target go on; False if it was not held back."""
        ...

    def all(self) -> Sequence[Pause]:
        """Return what is held back, the longest first."""
        ...

    def of_course(self, course_id: str) -> Pause | None:
        """Return what holds the course back: its own pause, else everything's."""
        ...


class Audit(Protocol):
    """What was written to PowerSchool and what it replaced: the one place besides PowerSchool with scores."""

    def begin(self, course_id: str, entries: Sequence[AuditEntry]) -> str:
        """Keep the entries of a write that is about to be sent; return its name, for its end."""
        ...

    def end(self, course_id: str, write: str, entries: Sequence[AuditEntry]) -> None:
        """Keep these entries in place of those that the write began with: none, if nothing was written."""
        ...

    def add(self, entry: AuditEntry) -> None:
        """Keep the entry of a write that is over."""
        ...

    def of_course(self, course_id: str, since: datetime | None = None) -> Iterator[AuditEntry]:
        """Yield the course's entries, the newest first; with `since`, those written then or later.

        A write of the sync that runs now is told once it is over.
        """
        ...


class UnknownChanges(Protocol):
    """Changes whose course could not be told; reconciliation visits every course because of them."""

    def count(self) -> int:
        """Return how many are open."""
        ...

    def oldest_at(self) -> datetime | None:
        """Return when the oldest open one was heard, None if there is none."""
        ...

    def close_before(self, moment: datetime) -> int:
        """Forget those heard before `moment`, since every course was visited after it. Returns how many."""
        ...


class ChangeWriter(Protocol):
    """Puts messages on the streams, for receivers. Durable when it returns."""

    async def add(self, change: Change) -> None:
        """Store the change. Raises `ServiceUnavailable` when Redis cannot take it."""
        ...
