"""Links assignments that passback did not create to a course's Canvas assignments, or undoes that.

Links alone are changed: the next sync makes both sides agree, and the audit has what it replaces.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property

from shared.adapters.redis.course_data.audit import Audit
from shared.adapters.redis.course_data.links import Links
from shared.adapters.redis.course_data.takeovers import NewLinks, Takeovers
from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.domain.passback.audit import Arrival
from shared.domain.passback.canvas import effective_due_at, local_due_date
from shared.domain.passback.planning.links import Link
from shared.domain.passback.planning.plan import LinkStep, Step
from shared.domain.passback.powerschool import ActualAssignment, AssignmentKey
from shared.domain.passback.takeover import Candidate, CourseWork, Selection, TakeoverWork, find_candidates
from shared.errors import CourseBusy, NotInCourse
from shared.ports.passback import PowerSchoolGradebook
from workers.grade_passback.compare import CourseComparison, CourseData, compare
from workers.grade_passback.course_reader import CourseReader

# How long a takeover waits for a running sync of the course.
MAX_BUSY = timedelta(seconds=20)
POLL_S = 0.2
MAX_READS = 3


@dataclass(frozen=True)
class TakeoverPlan:
    """What a takeover of a course would link and what stays apart, with both sides as they were read.

    `actual` has the scores of what would be linked.
    """

    data: CourseData
    candidates: tuple[Candidate, ...]
    actual: tuple[ActualAssignment, ...] = ()

    @property
    def links(self) -> dict[AssignmentKey, Link]:
        """The links that would be stored."""
        return {link.key: link for candidate in self.candidates if (link := candidate.link) is not None}

    @cached_property
    def comparison(self) -> CourseComparison:
        """The course compared as if it were linked."""
        links, actual = {**self.data.links, **self.links}, self.actual or self.data.actual
        return compare(replace(self.data, links=links, actual=actual))

    def writes_of(self, key: AssignmentKey) -> tuple[Step, ...]:
        """Return what the next sync would write to this assignment."""
        return tuple(step for step in self.comparison.plan.steps_of(key) if not isinstance(step, LinkStep))

    @property
    def would_write(self) -> bool:
        """Say whether the next sync would change anything that is linked by this."""
        return any(self.writes_of(key) for key in self.links)


@dataclass(frozen=True, slots=True)
class UndoResult:
    """The links that were deleted, and those that stay since passback has written to their assignments."""

    undone: tuple[Link, ...]
    written: tuple[Link, ...]


@dataclass
class CourseTakeover:
    """Takes over assignments of one course. May be repeated: a second run links nothing.

    `reader` and `gradebook` are made when something is read: an undo needs neither system.
    """

    reader: Callable[[], CourseReader]
    gradebook: Callable[[], PowerSchoolGradebook]
    links: Links
    takeovers: Takeovers
    audit: Audit
    changes: SyncQueue
    sleep: Callable[[float], None] = time.sleep

    def plan(
        self, course_id: str, selection: Selection, *, by_person: bool = True, with_scores: bool = True
    ) -> TakeoverPlan:
        """Return what would be linked; `with_scores`, also what would be overwritten. Reads only.

        Raises: `NotInCourse` for a selected assignment that Canvas does not have in the course.
        """
        data = self.reader().read(course_id, asked_for_by_person=by_person)
        if selection.assignment_id not in {None, *(each.id for each in data.course.assignments)}:
            raise NotInCourse(f"course {course_id} has no assignment {selection.assignment_id}")
        course = CourseWork(
            _works(data), data.actual, data.links, data.plugin_ids, refused=self.takeovers.refusals(course_id)
        )
        candidates = find_candidates(course, selection)
        elsewhere = self._elsewhere(data, candidates)
        if elsewhere:
            candidates = find_candidates(replace(course, elsewhere=elsewhere), selection)
        targets = {c.found[0].assignment_section_id for c in candidates if not c.apart}
        if not (targets and with_scores):
            return TakeoverPlan(data, candidates)
        scored = {link.powerschool_assignment_section_id for link in data.links.values()} - {None}
        taught = [section for section in data.rosters.values() if section.teacher_users_dcid is not None]
        actual = self.gradebook().assignments(taught, targets | {id_ for id_ in scored if id_ is not None})
        return TakeoverPlan(data, candidates, actual)

    def take_over(
        self, course_id: str, selection: Selection, *, by_person: bool = True, with_scores: bool = False
    ) -> TakeoverPlan:
        """Link what can be linked, and return the plan that was carried out.

        Nothing is linked while a sync of the course runs, nor what changed since it was read. Raises: `CourseBusy`.
        """
        for _ in range(MAX_READS):
            self._wait_for_sync(course_id)
            plan = self.plan(course_id, selection, by_person=by_person, with_scores=with_scores)
            if not plan.links:
                return plan
            try:
                made = self.takeovers.change_links(course_id, lambda now, plan=plan: _unchanged(plan, now))  # type: ignore[misc]
            except CourseBusy:
                continue
            if made.keys() == plan.links.keys():
                return plan
        raise CourseBusy(course_id)

    def taken_over(self, course_id: str) -> UndoResult:
        """Return the links of the course that were taken over: those that can be undone, and the others."""
        return self._split(course_id, self.links.of_course(course_id), None)

    def undo(self, course_id: str, assignment_id: str | None = None) -> UndoResult:
        """Delete the links of assignments that were taken over and not written to since. Raises: `CourseBusy`.

        PowerSchool is not touched. Whether anything was written is read while no sync runs.
        """
        result = UndoResult((), ())

        def without(now: Mapping[AssignmentKey, Link]) -> NewLinks:
            nonlocal result
            result = self._split(course_id, now, assignment_id)
            return {link.key: None for link in result.undone}

        self._wait_for_sync(course_id)
        self.takeovers.change_links(course_id, without)
        return result

    def _split(self, course_id: str, links: Mapping[AssignmentKey, Link], assignment_id: str | None) -> UndoResult:
        taken = [link for link in links.values() if link.taken_over and assignment_id in (None, link.assignment_id)]
        if not taken:
            return UndoResult((), ())
        # A write whose process died has no mark at the link, but an entry in the audit.
        written = {
            entry.powerschool_assignment_section_id
            for entry in self.audit.of_course(course_id)
            if entry.arrival is not Arrival.NOT_ARRIVED
        }
        is_written = {
            link.key: bool(link.taken_over and link.taken_over.is_written)
            or link.powerschool_assignment_section_id in written
            for link in taken
        }
        return UndoResult(
            tuple(link for link in taken if not is_written[link.key]),
            tuple(link for link in taken if is_written[link.key]),
        )

    def _elsewhere(self, data: CourseData, candidates: Sequence[Candidate]) -> frozenset[int]:
        """Return the found assignments that also are, or may be, in sections of other courses.

        The plugin's query shows the course's own sections alone: each teacher's list has all sections of an assignment.
        """
        found = {(c.work.key.section_dcid, c.found[0].assignment_id) for c in candidates if not c.apart}
        sections: dict[int, set[int]] = {}
        for dcid, _ in found:
            teacher = data.rosters[dcid].teacher_users_dcid
            assert teacher is not None, "a section without a teacher was not read"
            sections.setdefault(teacher, set()).add(dcid)
        inside: set[int] = set()
        for teacher, dcids in sections.items():
            spans = self.gradebook().sections_of_assignments(teacher, sorted(dcids))
            inside |= {assignment_id for assignment_id, span in spans.items() if span <= data.rosters.keys()}
        return frozenset(assignment_id for _, assignment_id in found if assignment_id not in inside)

    def _wait_for_sync(self, course_id: str) -> None:
        """Return once no sync of the course runs. Raises `CourseBusy` if that takes too long."""
        for _ in range(round(MAX_BUSY.total_seconds() / POLL_S)):
            if self.changes.taken_of(course_id) is None:
                return
            self.sleep(POLL_S)
        raise CourseBusy(course_id)


def _works(data: CourseData) -> list[TakeoverWork]:
    """Return every Canvas assignment in every section that PowerSchool has, blocked ones included."""
    zone = data.policy.zone_of(data.course)
    works = []
    for placement in data.placements:
        if placement.key is not None:
            due_at = effective_due_at(placement.assignment, placement.section.id)
            due_date = None if due_at is None else local_due_date(due_at, zone)
            name, points = placement.assignment.name, placement.assignment.points_possible
            works.append(TakeoverWork(placement.key, name, due_date, points, placement.desired is not None))
    return works


def _unchanged(plan: TakeoverPlan, now: Mapping[AssignmentKey, Link]) -> dict[AssignmentKey, Link]:
    """Return the plan's links, without those whose assignment was linked otherwise since it was read."""
    taken = {link.powerschool_assignment_section_id: key for key, link in now.items()}
    return {
        key: link
        for key, link in plan.links.items()
        if now.get(key) == plan.data.links.get(key) and taken.get(link.powerschool_assignment_section_id, key) == key
    }
