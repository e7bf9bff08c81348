"""Reading both sides of a course and working out what is to be done: everything about a sync but the writing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from functools import partial
from html import unescape

from shared.clock import Clock
from shared.domain.adoption import Key, ownership
from shared.domain.categories import Association, CategoryFound, CategoryMatch, match_category, may_associate
from shared.domain.course_fit import fits
from shared.domain.dates import effective_due_at, local_due_date
from shared.domain.desired import DesiredAssignment, Link
from shared.domain.eligibility import Facts, assignment_findings, section_findings
from shared.domain.gradebook import Assignment, AssignmentGroup, Course, GradebookRow, Section
from shared.domain.names import name_conflict
from shared.domain.plan import Adopt, Plan, make_plan
from shared.domain.powerschool import ActualAssignment, RosteredSection, TeacherCategory
from shared.domain.reasons import Finding, Reason
from shared.domain.records import StudentRecord
from shared.domain.scoring import SectionScores, section_scores
from shared.ports import CanvasReader, CategoryAssociations, Links, PowerSchoolGradebook, Reading, Records, RosterReader
from workers.grade_passback.clearing import without_refused_clears

NOT_IN_ROSTER = frozenset({Reason.STUDENT_UNKNOWN, Reason.STUDENT_NOT_IN_SECTION})


@dataclass(frozen=True, slots=True)
class Policy:
    """What the district decided about passback."""

    zone: tzinfo
    grace_days: int
    default_category: str
    clear_scores: bool = False


@dataclass(frozen=True, slots=True)
class Placement:
    """One Canvas assignment in one Canvas section: what keeps it back, or what PowerSchool should hold."""

    assignment: Assignment
    section: Section
    rostered: RosteredSection | None
    findings: tuple[Finding, ...]
    desired: DesiredAssignment | None = None
    students: tuple[StudentRecord, ...] = ()
    category: CategoryFound | None = None

    @property
    def key(self) -> Key | None:
        """The key of its link, None where PowerSchool has no such section."""
        return None if self.rostered is None else (self.assignment.id, self.rostered.dcid)


@dataclass(frozen=True, slots=True)
class Survey:
    """Both sides of a course, and the plan that makes them agree.

    `users` gives Canvas user ids by STUDENTS.DCID, `associations` the categories as they were remembered, by group.
    """

    course: Course
    placements: tuple[Placement, ...]
    rosters: Mapping[int, RosteredSection]
    links: Mapping[Key, Link]
    actual: tuple[ActualAssignment, ...]
    plan: Plan
    users: Mapping[int, GradebookRow]
    associations: Mapping[str, Association]
    rows: tuple[GradebookRow, ...] = ()

    def actual_of(self, key: Key) -> ActualAssignment | None:
        """Return the PowerSchool assignment that is linked to this key, or will be; None if none is."""
        adopted = (s.link for s in self.plan.steps if isinstance(s, Adopt) and (s.assignment_id, s.section_dcid) == key)
        link = next(adopted, self.links.get(key))
        found = (a for a in self.actual if link and a.assignment_section_id == link.powerschool_assignment_section_id)
        return next(found, None)


class Surveyor:
    """Surveys courses. Reads only."""

    def __init__(
        self,
        canvas: CanvasReader,
        rosters: RosterReader,
        powerschool: PowerSchoolGradebook,
        links: Links,
        records: Records,
        clock: Clock,
        policy: Policy,
        associations: CategoryAssociations,
    ) -> None:
        self._canvas = canvas
        self._rosters = rosters
        self._powerschool = powerschool
        self._links = links
        self._records = records
        self._clock = clock
        self._policy = policy
        self._associations = associations

    def survey(
        self, course_id: str, *, asked_for_by_person: bool, whole: bool = False, reading: Reading = Reading.LIVE
    ) -> Survey:
        """Return both sides of the course with the plan; with `whole`, also the scores of what is kept back.

        What is remembered of the course and does not fit is read anew. Raises the errors of `shared.errors`.
        """
        course = self._canvas.course(course_id, reading)
        rosters = self._rosters.sections([s.sis_section_id for s in course.sections if s.sis_section_id])
        associations = self._associations.of_course(course_id)
        placed = partial(
            self._placed, course, associations=associations, asked_for_by_person=asked_for_by_person, whole=whole
        )
        placements, rows = placed(rosters)
        new_students, new_group = self._has_news(course_id, placements), self._lacks_category(course_id, placements)
        if course.remembered and (new_group or not fits(course, rows, rosters.values())):
            return self.survey(course_id, asked_for_by_person=asked_for_by_person, whole=whole, reading=Reading.ANEW)
        if new_students:
            rosters = self._rosters.sections(list(rosters), refresh=True)
        if new_group:
            self._categories(rosters.values(), refresh=True)
        if new_students or new_group:
            placements, rows = placed(rosters)
        links = self._links.of_course(course_id)
        marks = self._powerschool.plugin_marks()
        desired = [p.desired for p in placements if p.desired is not None]
        actual = self._actual(rosters.values(), desired, links, marks, whole=whole)
        plan = make_plan(desired, actual, links, marks, clear_scores=self._policy.clear_scores)
        if self._policy.clear_scores and not asked_for_by_person:
            plan = without_refused_clears(plan, self._records.course(course_id), rosters.values())
        return Survey(
            course=course,
            placements=tuple(_with_name_conflict(p, actual, links, marks, self._policy.zone) for p in placements),
            rosters={section.dcid: section for section in rosters.values()},
            links=links,
            actual=actual,
            plan=plan,
            users=_users(rows, rosters.values()),
            associations=associations,
            rows=tuple(rows),
        )

    def _placed(
        self,
        course: Course,
        rosters: Mapping[str, RosteredSection],
        *,
        associations: Mapping[str, Association],
        asked_for_by_person: bool,
        whole: bool,
    ) -> tuple[list[Placement], Sequence[GradebookRow]]:
        """Return every assignment in every section by the rules and these rosters, and the rows with the scores."""
        sides = _Sides(
            course, rosters, associations, self._today(), self._policy, asked_for_by_person=asked_for_by_person
        )
        categories = self._categories(rosters.values())
        wanted = {a.id for a in course.assignments} if whole else {a.id for a, _ in sides.eligible(categories)}
        rows = self._canvas.gradebook(course.id, sorted(wanted)) if wanted else ()
        return sides.placements(categories, rows), rows

    def _today(self) -> date:
        return self._clock.now().astimezone(self._policy.zone).date()

    def _categories(
        self, sections: Iterable[RosteredSection], *, refresh: bool = False
    ) -> dict[int, tuple[TeacherCategory, ...]]:
        """Return the categories of each section's teacher by SECTIONS.DCID; each teacher is asked for once."""
        taught = {s.dcid: (s.teacher_users_dcid, s.term.year_id) for s in sections if s.teacher_users_dcid is not None}
        asked = {teacher: self._powerschool.categories(*teacher, refresh=refresh) for teacher in set(taught.values())}
        return {dcid: asked[teacher] for dcid, teacher in taught.items()}

    def _lacks_category(self, course_id: str, placements: Iterable[Placement]) -> bool:
        """Say whether a category is missing, as far as remembered, that the last sync did not report as missing."""
        missing = {p.assignment.id for p in placements if any(_is_category_missing(f) for f in p.findings)}
        if not missing:
            return False
        record = self._records.course(course_id)
        reported = {
            assignment.assignment_id
            for assignment in (record.assignments if record else ())
            for section in assignment.sections
            if any(_is_category_missing(finding) for finding in section.findings)
        }
        return not missing <= reported

    def _has_news(self, course_id: str, placements: Iterable[Placement]) -> bool:
        """Say whether a student with a score is missing from the remembered rosters and was not reported before.

        A student who is really unknown is reported once and does not make every later sync read the rosters again.
        """
        missing = set(_missing(student for placement in placements for student in placement.students))
        if not missing:
            return False
        record = self._records.course(course_id)
        sections = (s for assignment in (record.assignments if record else ()) for s in assignment.sections)
        return not missing <= set(_missing(student for section in sections for student in section.students))

    def _actual(
        self,
        sections: Iterable[RosteredSection],
        desired: Sequence[DesiredAssignment],
        links: Mapping[Key, Link],
        marks: frozenset[str],
        *,
        whole: bool,
    ) -> tuple[ActualAssignment, ...]:
        """Read the sections' assignments, with the scores of those that are ours or about to be adopted."""
        taught = [section for section in sections if section.teacher_users_dcid is not None]
        if not taught:
            return ()
        wanted = {(d.assignment_id, d.section_dcid) for d in desired}
        linked = {
            link.powerschool_assignment_section_id
            for key, link in links.items()
            if (whole or key in wanted) and link.powerschool_assignment_section_id is not None
        }
        actual = self._powerschool.assignments(taught, linked)
        adopted = {
            link.powerschool_assignment_section_id
            for link in ownership(desired, actual, links, marks).adopted.values()
            if link.powerschool_assignment_section_id is not None
        }
        return self._powerschool.assignments(taught, linked | adopted) if adopted else actual


class _Sides:
    """The rules applied to every assignment in every section of one course."""

    def __init__(
        self,
        course: Course,
        rosters: Mapping[str, RosteredSection],
        associations: Mapping[str, Association],
        today: date,
        policy: Policy,
        *,
        asked_for_by_person: bool,
    ) -> None:
        self._course = course
        self._rosters = rosters
        self._associations = associations
        self._today = today
        self._policy = policy
        self._by_person = asked_for_by_person
        self._rostered = {
            s.id: rosters[s.sis_section_id] for s in course.sections if s.sis_section_id and s.sis_section_id in rosters
        }

    def eligible(self, categories: Mapping[int, Sequence[TeacherCategory]]) -> list[tuple[Assignment, Section]]:
        """Return what no rule keeps back."""
        return [
            (a, s)
            for a in self._course.assignments
            for s in self._course.sections
            if not self._blocked(a, s, categories)
        ]

    def placements(
        self, categories: Mapping[int, Sequence[TeacherCategory]], rows: Sequence[GradebookRow]
    ) -> list[Placement]:
        """Return every assignment in every section."""
        return [
            self._placement(assignment, section, categories, rows)
            for assignment in self._course.assignments
            for section in self._course.sections
        ]

    def _placement(
        self,
        assignment: Assignment,
        section: Section,
        categories: Mapping[int, Sequence[TeacherCategory]],
        rows: Sequence[GradebookRow],
    ) -> Placement:
        rostered = self._rostered.get(section.id)
        findings = self._blocked(assignment, section, categories)
        if findings or rostered is None:
            return Placement(assignment, section, rostered, findings)
        category = self._category(assignment, rostered, categories)
        assert isinstance(category, CategoryFound)
        scores = section_scores(assignment.id, section.id, rows, self._rostered)
        desired = self._desired(assignment, section, rostered, category.category, scores)
        return Placement(assignment, section, rostered, (), desired, scores.students, category)

    def _blocked(
        self, assignment: Assignment, section: Section, categories: Mapping[int, Sequence[TeacherCategory]]
    ) -> tuple[Finding, ...]:
        return assignment_findings(assignment) + section_findings(self._facts(assignment, section, categories))

    def _facts(
        self, assignment: Assignment, section: Section, categories: Mapping[int, Sequence[TeacherCategory]]
    ) -> Facts:
        rostered = self._rostered.get(section.id)
        return Facts(
            course=self._course,
            section=section,
            assignment=assignment,
            rostered=rostered,
            category=None if rostered is None else self._category(assignment, rostered, categories),
            today=self._today,
            zone=self._policy.zone,
            grace_days=self._policy.grace_days,
            asked_for_by_person=self._by_person,
        )

    def _category(
        self, assignment: Assignment, rostered: RosteredSection, categories: Mapping[int, Sequence[TeacherCategory]]
    ) -> CategoryMatch | None:
        if rostered.dcid not in categories:
            return None
        group = self._course.groups.get(assignment.group_id, AssignmentGroup(assignment.group_id, ""))
        return match_category(
            group,
            rostered.dcid,
            categories[rostered.dcid],
            self._associations,
            self._policy.default_category,
            may_associate=may_associate(rostered.term, self._today),
        )

    def _desired(
        self,
        assignment: Assignment,
        section: Section,
        rostered: RosteredSection,
        category: TeacherCategory,
        scores: SectionScores,
    ) -> DesiredAssignment:
        due_at = effective_due_at(assignment, section.id)
        assert due_at is not None
        assert assignment.points_possible is not None
        return DesiredAssignment(
            assignment_id=assignment.id,
            section_dcid=rostered.dcid,
            name=unescape(assignment.name),
            description=assignment.description,
            due_date=local_due_date(due_at, self._policy.zone),
            points=assignment.points_possible,
            category_id=category.id,
            publish_option=category.default_publish_option,
            scores=scores.scores,
            unscored=scores.unscored,
        )


def _with_name_conflict(
    placement: Placement,
    actual: Sequence[ActualAssignment],
    links: Mapping[Key, Link],
    marks: frozenset[str],
    zone: tzinfo,
) -> Placement:
    """Add `name_taken` to what is kept back anyway, so that its teacher learns of everything at once."""
    if placement.desired is not None or placement.key is None or placement.rostered is None:
        return placement
    due_at = effective_due_at(placement.assignment, placement.section.id)
    due_date = None if due_at is None else local_due_date(due_at, zone)
    conflict = name_conflict(
        placement.key, unescape(placement.assignment.name), due_date, actual=actual, links=links, plugin_marks=marks
    )
    if not conflict:
        return placement
    return Placement(
        placement.assignment,
        placement.section,
        placement.rostered,
        (*placement.findings, Finding(Reason.NAME_TAKEN, conflict)),
    )


def _is_category_missing(finding: Finding) -> bool:
    return finding.reason is Reason.CATEGORY_MISSING


def _missing(students: Iterable[StudentRecord]) -> Iterable[tuple[str | None, Reason]]:
    return ((s.student_sis_id, s.finding.reason) for s in students if s.finding.reason in NOT_IN_ROSTER)


def _users(rows: Iterable[GradebookRow], sections: Iterable[RosteredSection]) -> dict[int, GradebookRow]:
    dcids = {sis_id: student.dcid for section in sections for sis_id, student in section.students.items()}
    return {dcids[row.sis_user_id]: row for row in rows if row.sis_user_id in dcids}
