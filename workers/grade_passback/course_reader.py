"""Reads both sides of a course: all reading of a sync."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.course_data.links import CategoryMatches, Links
from shared.clock import Clock
from shared.domain.passback.canvas import GradebookRow, is_cache_consistent, known_changes
from shared.domain.passback.course_state import (
    CourseRecord,
    State,
    StudentRecord,
    sections_of,
    up_to_date_keys,
)
from shared.domain.passback.planning.links import AssignmentMatches, Link, match_assignments
from shared.domain.passback.powerschool import ActualAssignment, AssignmentKey, RosteredSection, TeacherCategory
from shared.domain.passback.rules.reasons import Finding, Reason
from shared.errors import AccessDenied, GradebookIncomplete, TransientError
from shared.ports.passback import CachePolicy, CanvasReader, PowerSchoolGradebook, RosterReader
from workers.grade_passback.compare import AssignmentInSection, CourseData, CourseEvaluator, SyncPolicy

NOT_IN_ROSTER = frozenset({Reason.STUDENT_UNKNOWN, Reason.STUDENT_NOT_IN_SECTION})


@dataclass
class CourseReader:
    """Reads courses from Canvas, PowerSchool and the stores. The rules decide what has to be read."""

    canvas: CanvasReader
    rosters: RosterReader
    powerschool: PowerSchoolGradebook
    links: Links
    states: CourseStates
    clock: Clock
    policy: SyncPolicy
    associations: CategoryMatches

    def read(
        self,
        course_id: str,
        *,
        asked_for_by_person: bool,
        all_scores: bool = False,
        changed: frozenset[str] | None = None,
        cache: CachePolicy = CachePolicy.BYPASS,
    ) -> CourseData:
        """Return both sides of the course; with `all_scores`, also the scores of blocked assignments.

        With `changed`, read scores of these assignments and of those that the last sync left unfinished. Read all
        scores after all if one of the others is not as the last sync left it, or if the course does not list one of
        `changed`. Cached data of the course that is inconsistent is read again. Raises the errors of `shared.errors`.
        """
        again = partial(self.read, course_id, asked_for_by_person=asked_for_by_person, all_scores=all_scores)
        course = self.canvas.course(course_id, cache)
        changed = known_changes(changed, course)
        earlier = self.states.course(course_id)
        rosters = self.rosters.sections([s.sis_section_id for s in course.sections if s.sis_section_id])
        up_to_date = {} if changed is None else up_to_date_keys(earlier, rosters)
        associations = self.associations.of_course(course_id)
        policy = replace(self.policy, category_map=self.associations.district_map())

        def evaluate() -> tuple[
            tuple[AssignmentInSection, ...],
            tuple[GradebookRow, ...],
            Mapping[str, TransientError],
            dict[int, tuple[TeacherCategory, ...]],
        ]:
            categories = self._categories(rosters.values())
            # The course's own calendar, also where the term's days are compared with today.
            today = self.clock.now().astimezone(policy.zone_of(course)).date()
            rules = CourseEvaluator(course, rosters, associations, categories, today, policy, asked_for_by_person)
            needed = {a.id for a in course.assignments} if all_scores else rules.needing_scores(changed, up_to_date)
            rows, unread = self._scores(course_id, needed)
            return rules.placements(needed, rows, unread), rows, unread, categories

        placements, rows, unread, categories = evaluate()
        new_students, new_group = _has_new_unknown_students(earlier, placements), _lacks_category(earlier, placements)
        if course.is_cached and (new_group or not is_cache_consistent(course, rows, rosters.values())):
            return again(changed=changed, cache=CachePolicy.REFRESH)
        if new_students:
            rosters = self.rosters.sections(list(rosters), refresh=True)
        if new_group:
            self._categories(rosters.values(), refresh=True)
        if new_students or new_group:
            placements, rows, unread, categories = evaluate()
        links = self.links.of_course(course_id)
        plugin_ids = self.powerschool.plugin_ids()
        actual, matches = self._actual(rosters.values(), placements, links, plugin_ids, all_scores=all_scores)
        if any(not _is_unchanged(p, matches, up_to_date) for p in placements if not p.scores_read):
            return again(cache=cache)
        return CourseData(
            course=course,
            policy=policy,
            asked_for_by_person=asked_for_by_person,
            placements=placements,
            rosters={section.dcid: section for section in rosters.values()},
            links=links,
            plugin_ids=plugin_ids,
            actual=actual,
            associations=associations,
            categories=categories,
            rows=rows,
            earlier=earlier,
            unread=unread,
        )

    def read_ahead(self, course_id: str) -> CourseData:
        """Return both sides of the course as if each section's term had begun: every assignment, and no score.

        Rosters may be from the cache; nothing else is. Raises the errors of `shared.errors`.
        """
        course = self.canvas.course(course_id)
        rosters = self.rosters.sections([s.sis_section_id for s in course.sections if s.sis_section_id])
        categories = self._categories(rosters.values(), refresh=True)
        associations, links = self.associations.of_course(course_id), self.links.of_course(course_id)
        policy = replace(self.policy, category_map=self.associations.district_map())
        today = self.clock.now().astimezone(policy.zone_of(course)).date()
        rules = CourseEvaluator(course, rosters, associations, categories, today, policy, by_person=True, ahead=True)
        taught = [section for section in rosters.values() if section.teacher_users_dcid is not None]
        return CourseData(
            course=course,
            policy=policy,
            asked_for_by_person=True,
            placements=rules.placements((), (), {}),
            rosters={section.dcid: section for section in rosters.values()},
            links=links,
            plugin_ids=self.powerschool.plugin_ids(),
            actual=self.powerschool.assignments(taught, ()) if taught else (),
            associations=associations,
            categories=categories,
        )

    def _scores(
        self, course_id: str, assignment_ids: Collection[str]
    ) -> tuple[tuple[GradebookRow, ...], Mapping[str, TransientError]]:
        """Return the rows of these assignments, and the errors of those that Canvas did not return, by id."""
        if not assignment_ids:
            return (), {}
        try:
            return self.canvas.gradebook(course_id, sorted(assignment_ids)), {}
        except GradebookIncomplete as error:
            return tuple(error.rows), error.unread

    def _categories(
        self, sections: Iterable[RosteredSection], *, refresh: bool = False
    ) -> dict[int, tuple[TeacherCategory, ...]]:
        """Return the categories of each section's teacher by SECTIONS.DCID; each teacher's are read once."""
        taught = {s.dcid: (s.teacher_users_dcid, s.term.year_id) for s in sections if s.teacher_users_dcid is not None}
        by_teacher = {
            teacher: self.powerschool.categories(*teacher, refresh=refresh) for teacher in set(taught.values())
        }
        return {dcid: by_teacher[teacher] for dcid, teacher in taught.items()}

    def _actual(
        self,
        sections: Iterable[RosteredSection],
        placements: Iterable[AssignmentInSection],
        links: Mapping[AssignmentKey, Link],
        plugin_ids: frozenset[str],
        *,
        all_scores: bool,
    ) -> tuple[tuple[ActualAssignment, ...], AssignmentMatches]:
        """Read the sections' assignments, with the scores of those that are linked or about to be."""
        taught = [section for section in sections if section.teacher_users_dcid is not None]
        desired = [p.desired for p in placements if p.desired is not None]
        needed = {p.key for p in placements if p.desired is not None and p.scores_read}
        linked = {
            link.powerschool_assignment_section_id
            for key, link in links.items()
            if (all_scores or key in needed) and link.powerschool_assignment_section_id is not None
        }
        actual = self.powerschool.assignments(taught, linked) if taught else ()
        matches = match_assignments(desired, actual, links, plugin_ids)
        adopted = {
            link.powerschool_assignment_section_id
            for link in matches.adopted.values()
            if link.powerschool_assignment_section_id is not None
        }
        return (self.powerschool.assignments(taught, linked | adopted) if adopted else actual), matches


def refuse_unknown_course(ask_canvas: Callable[[str], None], states: CourseStates, course_id: str) -> None:
    """Raise `CourseGone` for a course that passback does not sync and Canvas does not have.

    `ask_canvas` raises it. If Canvas cannot be asked, the course may exist: its sync finds out.
    """
    if states.is_connected(course_id):
        return
    try:
        ask_canvas(course_id)
    except (TransientError, AccessDenied):
        return


def _is_category_missing(finding: Finding) -> bool:
    return finding.reason is Reason.CATEGORY_MISSING


def _lacks_category(earlier: CourseRecord | None, placements: Iterable[AssignmentInSection]) -> bool:
    """Say whether the cached categories lack one that the last sync did not report as missing."""
    missing = {p.assignment.id for p in placements if any(map(_is_category_missing, p.findings))}
    reported = {
        assignment_id
        for assignment_id, section in sections_of(earlier)
        if any(map(_is_category_missing, section.findings))
    }
    return not missing <= reported


def _has_new_unknown_students(earlier: CourseRecord | None, placements: Iterable[AssignmentInSection]) -> bool:
    """Say whether the cached rosters lack a student with a score whom the last sync did not report.

    A student whom PowerSchool does not have is reported once, and does not make every later sync read the rosters.
    """
    missing = set(_missing(student for placement in placements for student in placement.students))
    reported = set(_missing(student for _, section in sections_of(earlier) for student in section.students))
    return not missing <= reported


def _missing(students: Iterable[StudentRecord]) -> Iterable[tuple[str | None, Reason]]:
    return ((s.student_sis_id, s.finding.reason) for s in students if s.finding.reason in NOT_IN_ROSTER)


def _is_unchanged(
    placement: AssignmentInSection, matches: AssignmentMatches, up_to_date: Mapping[AssignmentKey, State]
) -> bool:
    """Say whether PowerSchool still has what was synced, and has not yet what waits for a first score."""
    assert placement.key is not None
    state = up_to_date[placement.key]
    return (state is State.SYNCED) == (placement.key in matches.matched) and placement.key not in matches.adopted
