"""Defines changes and the pending changes of a course that needs a sync. Ids and times only."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class ChangeKind(StrEnum):
    """Which message queue a change travels on."""

    GRADE = "grade_change"
    ASSIGNMENT = "assignment_change"


class ChangeCause(StrEnum):
    """Why a course is synced. Source: product rule "Ways to start a sync"."""

    EVENT = "event"
    WEBHOOK = "webhook"
    PERSON = "person"
    SCHEDULE = "schedule"
    DUE_DATE = "due_date"
    RECONCILE = "reconcile"
    DISCOVERY = "discovery"
    """A pass over all courses found the course, which was never synced."""
    ROSTER = "roster"
    """Provisioning changed its sections or people."""
    UNKNOWN_COURSE = "unknown_course"
    """An event named no known course, so that every course is synced."""
    RETRY = "retry"
    """An earlier sync failed or was interrupted."""
    TAKEOVER = "takeover"
    """A person linked assignments that passback did not create."""
    BULK = "bulk"
    """A person asked for many courses: of a school, a term or the district."""
    VERIFICATION = "verification"
    """A verification found that PowerSchool differs."""


# Events name what changed. After a due date any work may be missing; after the others anything may have changed.
EVENT_CAUSES = frozenset({ChangeCause.EVENT, ChangeCause.WEBHOOK})
GRADE_CAUSES = EVENT_CAUSES | {ChangeCause.DUE_DATE}
# Passes over all courses, without a reason that concerns this one.
PASS_CAUSES = frozenset({ChangeCause.RECONCILE, ChangeCause.SCHEDULE})
# Why a pass visits just this course, or just now. They come together with `RECONCILE`.
ORIGINS = frozenset(
    {
        ChangeCause.DISCOVERY,
        ChangeCause.ROSTER,
        ChangeCause.UNKNOWN_COURSE,
        ChangeCause.RETRY,
        ChangeCause.TAKEOVER,
        ChangeCause.BULK,
        ChangeCause.VERIFICATION,
    }
)


@dataclass(frozen=True, slots=True)
class Change:
    """Something changed in a course. The sync reads what.

    `course_id` is None where the event did not name its course; then one of the other ids leads to it.
    Ids are local Canvas ids.
    """

    kind: ChangeKind
    course_id: str | None
    cause: ChangeCause = ChangeCause.EVENT
    assignment_id: str | None = None
    section_id: str | None = None
    enrollment_id: str | None = None


@dataclass(frozen=True, slots=True)
class PendingChanges:
    """The changes of one course since its last sync started.

    `attempts` counts the syncs of them that failed; waiting for an unavailable system does not count. `failed_at` are
    the times of the newest failures. `actors` are the names of the people who asked, for the audit log only.
    `first_event_at` is when the first event among them was stored, None without one.
    `assignments_changed` says that an assignment-change message is among the changes, `unnamed_grades` that a grade
    changed whose assignment is not in `assignment_ids`.
    """

    course_id: str
    first_at: datetime
    last_at: datetime
    count: int
    causes: frozenset[ChangeCause]
    assignment_ids: frozenset[str] = frozenset()
    attempts: int = 0
    actors: frozenset[str] = frozenset()
    failed_at: tuple[datetime, ...] = ()
    assignments_changed: bool = False
    unnamed_grades: bool = False
    first_event_at: datetime | None = None

    @property
    def only_grades(self) -> bool:
        """Say whether events reported changes of grades only, and no sync of them failed."""
        return self.causes <= GRADE_CAUSES and not self.assignments_changed and not self.attempts

    @property
    def changed_assignment_ids(self) -> frozenset[str] | None:
        """The assignments whose scores may have changed, None if any may have."""
        are_named = self.only_grades and self.causes <= EVENT_CAUSES and not self.unnamed_grades
        return self.assignment_ids or None if are_named else None

    @property
    def asked_for_by_person(self) -> bool:
        """Say whether a person asked for this sync."""
        return ChangeCause.PERSON in self.causes

    @property
    def lets_others_go_first(self) -> bool:
        """Say whether only passes over all courses made the course due: nobody waits for it."""
        return bool(self.causes & PASS_CAUSES) and self.causes <= PASS_CAUSES | ORIGINS

    @property
    def triggers(self) -> frozenset[ChangeCause]:
        """Why the course is synced, for people: a pass with a reason of its own is named by that reason."""
        causes = self.causes - {ChangeCause.RECONCILE} if self.causes & ORIGINS else self.causes
        return causes | {ChangeCause.RETRY} if self.attempts else causes


@dataclass(frozen=True, slots=True)
class DebounceWindow:
    """The lengths of the debounce window.

    `first_change` is the wait of the first change of an up-to-date course; None gives it the ordinary window. The sync
    queue's Lua computes the due time.
    """

    quiet_period: timedelta
    max_wait: timedelta
    first_change: timedelta | None = None
