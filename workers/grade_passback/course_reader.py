"""Reading both sides of a course and working out what is to be done: everything about a sync but the writing."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, tzinfo
from functools import partial

from shared.adapters.redis.course_data.category_matches import CategoryMatches
from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.course_data.links import Links
from shared.clock import Clock
from shared.domain.passback.canvas import Assignment, AssignmentGroup, Course, GradebookRow, Section
from shared.domain.passback.course_state import (
    CourseRecord,
    State,
    StudentRecord,
    sections_of,
)
from shared.domain.passback.planning.assignment_matching import AssignmentMatches, match_assignments
from shared.domain.passback.planning.description import normal
from shared.domain.passback.planning.desired import DesiredAssignment, Link
from shared.domain.passback.planning.name_conflicts import name_conflict
from shared.domain.passback.planning.plan import LinkExistingStep, Plan, PlanNote, make_plan
from shared.domain.passback.powerschool import ActualAssignment, AssignmentKey, RosteredSection, TeacherCategory
from shared.domain.passback.read_scope import is_cache_consistent, known_graded, up_to_date_keys
from shared.domain.passback.rules.categories import (
    CategoryAssociation,
    CategoryFound,
    CategoryMatch,
    match_category,
    may_associate,
)
from shared.domain.passback.rules.due_dates import effective_due_at, local_due_date
from shared.domain.passback.rules.eligibility import (
    DEFAULT_MAX_NAME_CHARS,
    Facts,
    assignment_findings,
    section_findings,
)
from shared.domain.passback.rules.reasons import Finding, Reason
from shared.domain.passback.rules.score import StudentPlacement, place_students, with_scores
from shared.errors import GradebookIncomplete, TransientError
from shared.ports.passback import CachePolicy, CanvasReader, PowerSchoolGradebook, RosterReader
from workers.grade_passback.apply.cleared_scores import without_refused_clears
from workers.grade_passback.apply.renames import refused_before, with_earlier_refusals

NOT_IN_ROSTER = frozenset({Reason.STUDENT_UNKNOWN, Reason.STUDENT_NOT_IN_SECTION})


@dataclass(frozen=True, slots=True)
class SyncPolicy:
    """What the district decided about passback. `zone` is that of courses without a time zone of their own."""

    zone: tzinfo
    grace_days: int
    default_category: str
    clear_scores: bool = False
    max_name_chars: int = DEFAULT_MAX_NAME_CHARS

    def zone_of(self, course: Course) -> tzinfo:
        """Return the time zone in which the course's moments become calendar days."""
        return course.time_zone or self.zone


@dataclass(frozen=True, slots=True)
class AssignmentInSection:
    """One Canvas assignment in one Canvas section: what keeps it back, or what PowerSchool should hold.

    Unless `scores_read`, only the assignment itself was compared, and `desired` has no scores.
    """

    assignment: Assignment
    section: Section
    rostered: RosteredSection | None
    findings: tuple[Finding, ...]
    desired: DesiredAssignment | None = None
    students: tuple[StudentRecord, ...] = ()
    category: CategoryFound | None = None
    scores_read: bool = True

    @property
    def key(self) -> AssignmentKey | None:
        """The key of its link, None where PowerSchool has no such section."""
        return None if self.rostered is None else AssignmentKey(self.assignment.id, self.rostered.dcid)


@dataclass(frozen=True, slots=True)
class CourseComparison:
    """Both sides of a course, and the plan that makes them agree.

    `users` gives Canvas user ids by STUDENTS.DCID, `associations` the categories as they were remembered, by group,
    `earlier` what the last sync recorded. `unread` are the assignments whose scores Canvas did not give, by id.
    """

    course: Course
    placements: tuple[AssignmentInSection, ...]
    rosters: Mapping[int, RosteredSection]
    links: Mapping[AssignmentKey, Link]
    actual: tuple[ActualAssignment, ...]
    plan: Plan
    users: Mapping[int, GradebookRow]
    associations: Mapping[str, CategoryAssociation]
    rows: tuple[GradebookRow, ...] = ()
    earlier: CourseRecord | None = None
    unread: Mapping[str, TransientError] = field(default_factory=dict)

    @property
    def links_seen(self) -> Mapping[AssignmentKey, Link]:
        """The links with what the look told of their scores and fields."""
        noted = {step.key: step for step in self.plan.steps if isinstance(step, PlanNote)}
        return {
            key: replace(link, zeros=noted[key].zeros, echoes=noted[key].echoes) if key in noted else link
            for key, link in self.links.items()
        }

    def desired_of(self, key: AssignmentKey) -> DesiredAssignment | None:
        """Return what PowerSchool should hold under this key, None if nothing."""
        return next((p.desired for p in self.placements if p.key == key), None)

    def actual_of(self, key: AssignmentKey) -> ActualAssignment | None:
        """Return the PowerSchool assignment that is linked to this key, or will be; None if none is."""
        adopted = (s.link for s in self.plan.steps if isinstance(s, LinkExistingStep) and s.key == key)
        link = next(adopted, self.links.get(key))
        found = (a for a in self.actual if link and a.assignment_section_id == link.powerschool_assignment_section_id)
        return next(found, None)


class CourseComparer:
    """Surveys courses. Reads only."""

    def __init__(
        self,
        canvas: CanvasReader,
        rosters: RosterReader,
        powerschool: PowerSchoolGradebook,
        links: Links,
        records: CourseStates,
        clock: Clock,
        policy: SyncPolicy,
        associations: CategoryMatches,
    ) -> None:
        self._canvas = canvas
        self._rosters = rosters
        self._powerschool = powerschool
        self._links = links
        self._records = records
        self._clock = clock
        self._policy = policy
        self._associations = associations

    def compare(
        self,
        course_id: str,
        *,
        asked_for_by_person: bool,
        whole: bool = False,
        graded: frozenset[str] | None = None,
        reading: CachePolicy = CachePolicy.BYPASS,
    ) -> CourseComparison:
        """Return both sides of the course with the plan; with `whole`, also the scores of what is kept back.

        With `graded`, scores are read of these assignments and of what the last sync did not leave at rest; all
        assignments are compared, and one that is not as it was left makes every score be read after all. So does one
        that the course does not list.
        What is remembered of the course and does not fit is read anew. Raises the errors of `shared.errors`.
        """
        again = partial(self.compare, course_id, asked_for_by_person=asked_for_by_person, whole=whole)
        course = self._canvas.course(course_id, reading)
        graded = known_graded(graded, course)
        earlier = self._records.course(course_id)
        rosters = self._rosters.sections([s.sis_section_id for s in course.sections if s.sis_section_id])
        rest = {} if graded is None else up_to_date_keys(earlier, rosters)
        associations = self._associations.of_course(course_id)

        unread: dict[str, TransientError] = {}

        def placed() -> tuple[list[AssignmentInSection], Sequence[GradebookRow]]:
            categories = self._categories(rosters.values())
            policy = self._policy
            # The course's own calendar, also where the term's days are compared with today.
            today = self._clock.now().astimezone(policy.zone_of(course)).date()
            sides = _SectionEvaluator(course, rosters, associations, categories, today, policy, asked_for_by_person)
            wanted = {a.id for a in course.assignments} if whole else sides.with_scores_to_read(graded, rest)
            unread.clear()
            rows: Sequence[GradebookRow] = ()
            try:
                if wanted:
                    rows = self._canvas.gradebook(course.id, sorted(wanted))
            except GradebookIncomplete as error:
                rows = error.rows
                unread.update(error.unread)
            return sides.placements(wanted, rows, unread), rows

        placements, rows = placed()
        new_students, new_group = _has_news(earlier, placements), _lacks_category(earlier, placements)
        if course.remembered and (new_group or not is_cache_consistent(course, rows, rosters.values())):
            return again(graded=graded, reading=CachePolicy.REFRESH)
        if new_students:
            rosters = self._rosters.sections(list(rosters), refresh=True)
        if new_group:
            self._categories(rosters.values(), refresh=True)
        if new_students or new_group:
            placements, rows = placed()
        links = self._links.of_course(course_id)
        marks = self._powerschool.plugin_ids()
        desired = [p.desired for p in placements if p.desired is not None]
        actual, owned = self._actual(rosters.values(), placements, links, marks, whole=whole)
        if any(not _is_unchanged(p, owned, rest) for p in placements if not p.scores_read):
            return again(reading=reading)
        zone = self._policy.zone_of(course)
        refused = {} if asked_for_by_person else refused_before(earlier, rosters.values())
        plan = make_plan(
            desired,
            actual,
            links,
            marks,
            clear_scores=self._policy.clear_scores,
            repeat_clears=asked_for_by_person,
            immovable=frozenset(refused),
        )
        plan = with_earlier_refusals(plan, refused)
        if not asked_for_by_person:
            plan = without_refused_clears(plan, earlier, rosters.values())
        return CourseComparison(
            course=course,
            placements=tuple(_with_name_conflict(p, actual, links, marks, zone) for p in placements),
            rosters={section.dcid: section for section in rosters.values()},
            links=links,
            actual=actual,
            plan=plan,
            users=_users(rows, rosters.values()),
            associations=associations,
            rows=tuple(rows),
            earlier=earlier,
            unread=unread,
        )

    def _categories(
        self, sections: Iterable[RosteredSection], *, refresh: bool = False
    ) -> dict[int, tuple[TeacherCategory, ...]]:
        """Return the categories of each section's teacher by SECTIONS.DCID; each teacher is asked for once."""
        taught = {s.dcid: (s.teacher_users_dcid, s.term.year_id) for s in sections if s.teacher_users_dcid is not None}
        asked = {teacher: self._powerschool.categories(*teacher, refresh=refresh) for teacher in set(taught.values())}
        return {dcid: asked[teacher] for dcid, teacher in taught.items()}

    def _actual(
        self,
        sections: Iterable[RosteredSection],
        placements: Iterable[AssignmentInSection],
        links: Mapping[AssignmentKey, Link],
        marks: frozenset[str],
        *,
        whole: bool,
    ) -> tuple[tuple[ActualAssignment, ...], AssignmentMatches]:
        """Read the sections' assignments, with the scores of those that are ours or about to be adopted."""
        taught = [section for section in sections if section.teacher_users_dcid is not None]
        desired = [p.desired for p in placements if p.desired is not None]
        wanted = {p.key for p in placements if p.desired is not None and p.scores_read}
        linked = {
            link.powerschool_assignment_section_id
            for key, link in links.items()
            if (whole or key in wanted) and link.powerschool_assignment_section_id is not None
        }
        actual = self._powerschool.assignments(taught, linked) if taught else ()
        owned = match_assignments(desired, actual, links, marks)
        adopted = {
            link.powerschool_assignment_section_id
            for link in owned.adopted.values()
            if link.powerschool_assignment_section_id is not None
        }
        return (self._powerschool.assignments(taught, linked | adopted) if adopted else actual), owned


class _SectionEvaluator:
    """The rules applied to every assignment in every section of one course."""

    def __init__(
        self,
        course: Course,
        rosters: Mapping[str, RosteredSection],
        associations: Mapping[str, CategoryAssociation],
        categories: Mapping[int, Sequence[TeacherCategory]],
        today: date,
        policy: SyncPolicy,
        by_person: bool,
    ) -> None:
        self._course = course
        self._rostered = {
            s.id: rosters[s.sis_section_id] for s in course.sections if s.sis_section_id and s.sis_section_id in rosters
        }
        self._associations = associations
        self._categories = categories
        self._today = today
        self._policy = policy
        self._by_person = by_person
        self._judged = [(a, s, *self._judge(a, s)) for a in course.assignments for s in course.sections]

    def with_scores_to_read(self, graded: frozenset[str] | None, rest: Mapping[AssignmentKey, State]) -> set[str]:
        """Return what no rule keeps back; where `graded` says what was, without the others that are at rest."""
        return {
            assignment.id
            for assignment, section, findings, _ in self._judged
            if not findings
            and (graded is None or assignment.id in graded or self._key(assignment, section) not in rest)
        }

    def _key(self, assignment: Assignment, section: Section) -> AssignmentKey:
        """Return the key of an assignment that no rule keeps back: its section is in PowerSchool."""
        return AssignmentKey(assignment.id, self._rostered[section.id].dcid)

    def placements(
        self, scores_read: Collection[str], rows: Sequence[GradebookRow], unread: Mapping[str, TransientError]
    ) -> list[AssignmentInSection]:
        """Return every assignment in every section.

        `rows` have the scores of those in `scores_read`, except the `unread`.
        """
        seated = {section_id: place_students(section_id, rows, self._rostered) for section_id in self._rostered}
        return [
            self._placement(one, section, findings + _not_read(one, unread), category, scores_read, seated)
            for one, section, findings, category in self._judged
        ]

    def _placement(
        self,
        assignment: Assignment,
        section: Section,
        findings: tuple[Finding, ...],
        category: CategoryMatch | None,
        scores_read: Collection[str],
        seated: Mapping[str, Sequence[StudentPlacement]],
    ) -> AssignmentInSection:
        rostered = self._rostered.get(section.id)
        if findings or rostered is None:
            return AssignmentInSection(assignment, section, rostered, findings)
        assert isinstance(category, CategoryFound)
        is_read = assignment.id in scores_read
        desired = self._desired(assignment, section, rostered, category.category)
        desired, students = with_scores(desired, seated[section.id] if is_read else ())
        return AssignmentInSection(assignment, section, rostered, (), desired, students, category, is_read)

    def _judge(self, assignment: Assignment, section: Section) -> tuple[tuple[Finding, ...], CategoryMatch | None]:
        """Return what keeps the assignment back in the section, and the section's category for it."""
        rostered = self._rostered.get(section.id)
        category = None if rostered is None else self._category(assignment, rostered)
        facts = Facts(
            course=self._course,
            section=section,
            assignment=assignment,
            rostered=rostered,
            category=category,
            today=self._today,
            zone=self._policy.zone_of(self._course),
            grace_days=self._policy.grace_days,
            asked_for_by_person=self._by_person,
        )
        findings = assignment_findings(assignment, self._policy.max_name_chars) + section_findings(facts)
        return findings + self._group_findings(assignment), category

    def _group_findings(self, assignment: Assignment) -> tuple[Finding, ...]:
        """Return that the assignment's group cannot be read, where only its name would tell the category.

        The district's default is for groups without a category of their own.
        """
        if assignment.group_id in self._course.groups or assignment.group_id in self._associations:
            return ()
        return (Finding(Reason.VALUE_UNREADABLE, f"assignment group {assignment.group_id}"),)

    def _category(self, assignment: Assignment, rostered: RosteredSection) -> CategoryMatch | None:
        if rostered.dcid not in self._categories:
            return None
        group = self._course.groups.get(assignment.group_id, AssignmentGroup(assignment.group_id, ""))
        return match_category(
            group,
            rostered.dcid,
            self._categories[rostered.dcid],
            self._associations,
            self._policy.default_category,
            may_associate=may_associate(rostered.term, self._today),
        )

    def _desired(
        self, assignment: Assignment, section: Section, rostered: RosteredSection, category: TeacherCategory
    ) -> DesiredAssignment:
        due_at = effective_due_at(assignment, section.id)
        assert due_at is not None
        assert assignment.points_possible is not None
        return DesiredAssignment(
            assignment_id=assignment.id,
            section_dcid=rostered.dcid,
            name=assignment.name,
            description=None if assignment.description is None else normal(assignment.description),
            due_date=local_due_date(due_at, self._policy.zone_of(self._course)),
            points=assignment.points_possible,
            category_id=category.id,
            publish_option=category.default_publish_option,
            # A category that does not say counts: a create says so as well, and what Canvas omitted may count again.
            counted=category.counted is not False and not assignment.omitted_from_final_grade,
            scores_published=category.scores_published,
        )


def _with_name_conflict(
    placement: AssignmentInSection,
    actual: Sequence[ActualAssignment],
    links: Mapping[AssignmentKey, Link],
    marks: frozenset[str],
    zone: tzinfo,
) -> AssignmentInSection:
    """Add `name_taken` to what is kept back anyway, so that its teacher learns of everything at once."""
    if placement.desired is not None or placement.key is None or placement.rostered is None:
        return placement
    due_at = effective_due_at(placement.assignment, placement.section.id)
    due_date = None if due_at is None else local_due_date(due_at, zone)
    conflict = name_conflict(
        placement.key, placement.assignment.name, due_date, actual=actual, links=links, plugin_ids=marks
    )
    if not conflict:
        return placement
    return AssignmentInSection(
        placement.assignment,
        placement.section,
        placement.rostered,
        (*placement.findings, Finding(Reason.NAME_TAKEN, conflict)),
    )


def _not_read(assignment: Assignment, unread: Mapping[str, TransientError]) -> tuple[Finding, ...]:
    error = unread.get(assignment.id)
    return () if error is None else (Finding(Reason.RETRYING, error.cause),)


def _is_category_missing(finding: Finding) -> bool:
    return finding.reason is Reason.CATEGORY_MISSING


def _lacks_category(earlier: CourseRecord | None, placements: Iterable[AssignmentInSection]) -> bool:
    """Say whether a category is missing, as far as remembered, that the last sync did not report as missing."""
    missing = {p.assignment.id for p in placements if any(_is_category_missing(f) for f in p.findings)}
    reported = {
        assignment_id
        for assignment_id, section in sections_of(earlier)
        if any(_is_category_missing(finding) for finding in section.findings)
    }
    return not missing <= reported


def _has_news(earlier: CourseRecord | None, placements: Iterable[AssignmentInSection]) -> bool:
    """Say whether a student with a score is missing from the remembered rosters and was not reported before.

    A student who is really unknown is reported once and does not make every later sync read the rosters again.
    """
    missing = set(_missing(student for placement in placements for student in placement.students))
    reported = set(_missing(student for _, section in sections_of(earlier) for student in section.students))
    return not missing <= reported


def _is_unchanged(
    placement: AssignmentInSection, owned: AssignmentMatches, rest: Mapping[AssignmentKey, State]
) -> bool:
    """Say whether what was synced is still PowerSchool's, and what waits is not there yet."""
    assert placement.key is not None
    state = rest[placement.key]
    return (state is State.SYNCED) == (placement.key in owned.own) and placement.key not in owned.adopted


def _missing(students: Iterable[StudentRecord]) -> Iterable[tuple[str | None, Reason]]:
    return ((s.student_sis_id, s.finding.reason) for s in students if s.finding.reason in NOT_IN_ROSTER)


def _users(rows: Iterable[GradebookRow], sections: Iterable[RosteredSection]) -> dict[int, GradebookRow]:
    dcids = {sis_id: student.dcid for section in sections for sis_id, student in section.students.items()}
    return {dcids[row.sis_user_id]: row for row in rows if row.sis_user_id in dcids}
