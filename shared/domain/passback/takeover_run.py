"""Defines a takeover of many courses: what was asked for, how far it is, and how it ended."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from shared.domain.passback.takeover import Selection
from shared.domain.wording import counted

# Courses to look at that a run names; more are only counted.
MAX_NAMED = 500


class TakeoverMode(StrEnum):
    """What a run does in each course."""

    DRY_RUN = "dry_run"
    LINK = "link"
    UNDO = "undo"


class TakeoverState(StrEnum):
    """How a run is doing. All but `done` go on where they ended if the same is asked for again within a month."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    """PowerSchool refused a change, or a system does not answer: `message` says which."""
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    """Its process ended."""


@dataclass(frozen=True, slots=True)
class TakeoverRequest:
    """What a person asked for: all connected courses or those of a school number, and whose assignments."""

    mode: TakeoverMode
    school: int | None = None
    made_by: frozenset[str] = frozenset()

    @property
    def selection(self) -> Selection:
        """What is taken over in each course."""
        return Selection(self.made_by)


@dataclass(frozen=True, slots=True)
class CourseIssue:
    """A course to look at: how many assignments stay apart, or why it could not be read."""

    course_id: str
    apart: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class CourseCounts:
    """What a run did in one course: linked or undone assignments, what is overwritten, and what stays apart by code.

    `kept` are taken over and written to, so that they cannot be undone.
    """

    linked: int = 0
    kept: int = 0
    fields: int = 0
    scores: int = 0
    new_scores: int = 0
    makers: dict[str, int] = field(default_factory=dict)
    apart: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TakeoverRun:
    """One run. `course_id` is the last course that is done, `done` how many of `total`."""

    request: TakeoverRequest
    actor: str
    started_at: datetime
    seen_at: datetime
    state: TakeoverState = TakeoverState.RUNNING
    total: int = 0
    done: int = 0
    course_id: str = ""
    counts: CourseCounts = CourseCounts()
    notes: tuple[CourseIssue, ...] = ()
    more_notes: int = 0
    message: str = ""

    def after(self, course_id: str, counts: CourseCounts, error: str = "") -> "TakeoverRun":
        """Return the run with this course done; one that failed, or where something stays apart, is named."""
        apart = sum(counts.apart.values())
        notes = (*self.notes, CourseIssue(course_id, apart, error)) if apart or error else self.notes
        return replace(
            self,
            done=self.done + 1,
            course_id=course_id,
            counts=_sum(self.counts, counts),
            notes=notes[:MAX_NAMED],
            more_notes=self.more_notes + max(0, len(notes) - MAX_NAMED),
        )

    @property
    def summary(self) -> str:
        """The run in one sentence."""
        counts, apart = self.counts, sum(self.counts.apart.values())
        what = counted(counts.linked, "assignment")
        if self.request.mode is TakeoverMode.UNDO:
            kept = f" {counts.kept} cannot be: passback has written to them." if counts.kept else ""
            return f"{what} given back.{kept}"
        text = f"{what} {'would be linked' if self.request.mode is TakeoverMode.DRY_RUN else 'linked'}, {apart} apart"
        parts = [
            counted(number, noun) for number, noun in ((counts.fields, "field"), (counts.scores, "score")) if number
        ]
        effect = f" Syncs overwrite {' and '.join(parts)}." if parts else ""
        more = f" They send {counted(counts.new_scores, 'score')} that PowerSchool lacks." if counts.new_scores else ""
        return f"{text}.{effect}{more}"


def _sum(one: CourseCounts, other: CourseCounts) -> CourseCounts:
    return CourseCounts(
        one.linked + other.linked,
        one.kept + other.kept,
        one.fields + other.fields,
        one.scores + other.scores,
        one.new_scores + other.new_scores,
        dict(Counter(one.makers) + Counter(other.makers)),
        dict(Counter(one.apart) + Counter(other.apart)),
    )
