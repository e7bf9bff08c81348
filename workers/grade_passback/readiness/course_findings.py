"""Finds what would keep the work of one course back: the reasons of `explain`, before anything is graded. No I/O."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from shared.domain.passback.canvas import Assignment, AssignmentGroup, Section, effective_due_at, local_due_date
from shared.domain.passback.planning.links import normalize_name
from shared.domain.passback.planning.plan import Plan, make_plan
from shared.domain.passback.powerschool import RosteredSection, Score, TeacherCategory
from shared.domain.passback.readiness.district import is_over
from shared.domain.passback.readiness.findings import CategoryUse, Concern, CourseReadiness, ReadinessFinding
from shared.domain.passback.rules.categories import CategoryMatch, NoCategory, match_category
from shared.domain.passback.rules.eligibility import CONNECTION_RULES, connection_findings, describe_missing
from shared.domain.passback.rules.reasons import Finding, Reason
from shared.domain.passback.totals.grading import CourseGrading, TermFormula, weight_differences
from shared.domain.wording import counted
from workers.grade_passback.compare import AssignmentInSection, CourseData, with_name_conflict

# What a teacher does not want to be sent.
INTENTIONAL = frozenset({Reason.SIS_SYNC_OFF, Reason.NOT_GRADABLE, Reason.ATTENDANCE})
# What passes by itself as a teacher publishes, grades and posts.
PASSES = frozenset(
    {Reason.NOT_PUBLISHED, Reason.ANONYMOUS_UNTIL_POSTED, Reason.MODERATED_UNTIL_RELEASED, Reason.TERM_CLOSED}
)
OF_SECTION = frozenset(rule.reason for rule in CONNECTION_RULES)
# These are found before the first score: as if everything were graded.
OF_PLAN = frozenset({Reason.NAME_TAKEN, Reason.VALUE_UNREADABLE})
OF_GROUP = (Reason.CATEGORY_MISSING, Concern.WEIGHTS_DIFFER)
# Canvas makes a group of such a name in every course.
GROUPS_OF_CANVAS = frozenset({"assignments", "imported assignments"})
# An older course without any work that is still to come is not in use.
IN_USE = timedelta(days=400)
ONE_SCORE = {0: Score(Decimal(0))}


@dataclass(frozen=True, slots=True)
class CourseWeights:
    """How a course calculates grades, and its sections by SECTIONS.DCID."""

    grading: CourseGrading
    formulas: Mapping[int, tuple[TermFormula, ...]]


def course_readiness(
    data: CourseData,
    created_at: datetime | None,
    sizes: Mapping[str, int],
    today: date,
    read_at: datetime,
    weights: CourseWeights | None,
) -> CourseReadiness:
    """Return what is not ready in the course; `data` is read ahead. Sections whose term is over are left out.

    A read of a course does not say when it was made (None if that is not known), nor the `sizes`: how many students
    Canvas has by section id.
    A section that PowerSchool does not know counts where it has students and the course is in use.
    """
    return _Course(data, created_at, sizes, today, weights).readiness(read_at)


@dataclass(frozen=True, slots=True)
class _CourseSection:
    """A section of the course whose term is not over, or that PowerSchool does not know, with its students."""

    section: Section
    rostered: RosteredSection | None
    students: int


@dataclass
class _Course:
    data: CourseData
    created_at: datetime | None
    sizes: Mapping[str, int]
    today: date
    weights: CourseWeights | None
    findings: dict[tuple[object, ...], ReadinessFinding] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.zone = self.data.policy.zone_of(self.data.course)
        rosters = {roster.sis_section_id: roster for roster in self.data.rosters.values()}
        sections = [(s, rosters.get(s.sis_section_id or "")) for s in self.data.course.sections]
        self.sections = sections
        self.ended = [(s, rostered) for s, rostered in sections if rostered and is_over(rostered.term, self.today)]
        known = [_CourseSection(s, r, _active(r)) for s, r in sections if r and not is_over(r.term, self.today)]
        unknown = [_CourseSection(s, r, self.sizes.get(s.id, 0)) for s, r in sections if r is None]
        in_use = bool(known) or self._is_in_use()
        self.course_sections = known + [
            course_section for course_section in unknown if in_use and course_section.students
        ]
        # A section that PowerSchool does not know has the school of the others.
        self.school_number = next((r.school_number for _, r in sections if r is not None), None)
        # What is to be sent, now or once it is published.
        intentional = {
            p.assignment.id for p in self.data.placements if any(f.reason in INTENTIONAL for f in p.findings)
        }
        self.work = [a for a in self.data.course.assignments if a.id not in intentional]
        self.selected_ids = {a.id for a in self.work}
        self.is_connected = bool(self.data.course.sis_course_id) or any(s.sis_section_id for s, _ in sections)

    def readiness(self, read_at: datetime) -> CourseReadiness:
        """Return everything that was found."""
        course = self.data.course
        if self.is_connected or self.work:
            self._add_sections()
            self._add_assignments()
        self._add_ended()
        categories = tuple(self._groups())
        sections = tuple(s.sis_section_id for s in course.sections if s.sis_section_id)
        found = tuple(self.findings.values())
        return CourseReadiness(course.id, read_at, found, sections=sections, categories=categories)

    def _is_in_use(self) -> bool:
        days = [self._due_date(a, s) for a in self.data.course.assignments for s in self.data.course.sections]
        if any(day is not None and day >= self.today for day in days):
            return True
        made = self.created_at
        is_new = made is None or made.astimezone(self.zone).date() > self.today - IN_USE
        return is_new and (not days or any(day is None for day in days))

    def _add_sections(self) -> None:
        course = self.data.course
        never = INTENTIONAL - {Reason.SIS_SYNC_OFF}
        ungraded = {p.assignment.id for p in self.data.placements if any(f.reason in never for f in p.findings)}
        unseen = [a for a in course.assignments if a.post_to_sis is None and a.id not in ungraded]
        for course_section in self.course_sections:
            for finding in connection_findings(course, course_section.section, course_section.rostered):
                self._add(
                    finding.reason, finding.detail, course_section, len(self.work), about=course_section.section.id
                )
            if unseen and course_section.rostered is not None:
                detail = "Canvas does not show the switch in this course"
                self._add(Reason.SIS_SYNC_OFF, detail, course_section, len(unseen))
        for odd in course.unreadable:
            for course_section in self.course_sections[:1]:
                work, id_ = int(odd.assignment_id is not None), odd.assignment_id or ""
                self._add(Reason.VALUE_UNREADABLE, odd.what, course_section, work, assignment_id=id_)

    def _add_assignments(self) -> None:
        plan = self._plan()
        for course_section in self.course_sections:
            of_section = (p for p in self.data.placements if p.section.id == course_section.section.id)
            here = [p for p in of_section if p.assignment.id in self.selected_ids]
            duplicates = self._duplicates(here)
            for placement in here:
                found = [f for f in _findings(placement, plan, self.data) if not self._is_due_for_others(f, placement)]
                original = duplicates.get(placement.assignment.id)
                if original and all(finding.reason is not Reason.NAME_TAKEN for finding in found):
                    found.append(Finding(Reason.NAME_TAKEN, f"Canvas assignment {original}"))
                for finding in found:
                    self._add(finding.reason, finding.detail, course_section, 1, assignment_id=placement.assignment.id)

    def _is_due_for_others(self, finding: Finding, placement: AssignmentInSection) -> bool:
        """Say whether the due date is outside the section's term because it is meant for sections of another term."""
        if finding.reason is not Reason.DUE_DATE_OUTSIDE_TERM:
            return False
        day = self._due_date(placement.assignment, placement.section)
        return any(
            rostered.term.contains(day) and self._due_date(placement.assignment, section) == day
            for section, rostered in self.sections
            if rostered is not None and day is not None
        )

    def _plan(self) -> Plan:
        """Return what a sync would plan if everything that no rule blocks were graded."""
        desired = [replace(p.desired, scores=ONE_SCORE) for p in self.data.placements if p.desired is not None]
        return make_plan(desired, self.data.actual, self.data.links, self.data.plugin_ids)

    def _duplicates(self, here: Iterable[AssignmentInSection]) -> dict[str, str]:
        """Return which assignments of one name lose to which: one in PowerSchool wins, else one that is fine."""

        def rank(placement: AssignmentInSection) -> tuple[bool, bool, int, str]:
            id_ = placement.assignment.id
            is_there = placement.key is not None and placement.key in self.data.links
            return not is_there, placement.desired is None, len(id_), id_

        winners: dict[str, str] = {}
        losers = {}
        for placement in sorted(here, key=rank):
            winner = winners.setdefault(normalize_name(placement.assignment.name), placement.assignment.id)
            if winner != placement.assignment.id:
                losers[placement.assignment.id] = winner
        return losers

    def _groups(self) -> Iterator[CategoryUse]:
        """Add the groups without category, and yield the categories of each section's teacher."""
        for course_section in self.course_sections:
            rostered = course_section.rostered
            if rostered is None or rostered.teacher_users_dcid is None:
                continue
            categories, used = self.data.categories.get(rostered.dcid, ()), dict[str, tuple[int, str]]()
            for group in self.data.course.groups.values():
                match = self._match(group, rostered, categories)
                if isinstance(match, CategoryMatch):
                    used[group.id] = match.category.id, match.category.name
                    continue
                work = [a for a in self.work if a.group_id == group.id]
                is_empty = all(a.group_id != group.id for a in self.data.course.assignments)
                if work or (is_empty and group.name.strip().casefold() not in GROUPS_OF_CANVAS):
                    detail = describe_missing(match, rostered.term)
                    self._add(
                        Reason.CATEGORY_MISSING, detail, course_section, len(work), about=group.id, assignments=work
                    )
            self._add_weights(course_section, rostered, used)
            in_use = {category_id for category_id, _ in used.values()}
            for category in categories:
                if category.active and rostered.dcid not in category.excluded_section_dcids:
                    teacher, school = rostered.teacher_users_dcid, rostered.school_number
                    yield CategoryUse(teacher, category.id, category.name, category.id in in_use, school)

    def _add_weights(
        self, course_section: _CourseSection, rostered: RosteredSection, used: Mapping[str, tuple[int, str]]
    ) -> None:
        if self.weights is not None:
            formulas = self.weights.formulas.get(rostered.dcid, ())
            for group_id, detail in weight_differences(self.weights.grading, formulas, used, self.today):
                self._add(Concern.WEIGHTS_DIFFER, detail, course_section, 0, about=group_id)

    def _match(
        self, group: AssignmentGroup, rostered: RosteredSection, of: Sequence[TeacherCategory]
    ) -> CategoryMatch | NoCategory:
        policy = self.data.policy
        associations, default = self.data.associations, policy.default_category
        return match_category(group, rostered.dcid, of, associations, default, category_map=policy.category_map)

    def _add_ended(self) -> None:
        """Add sections whose term is over although work is due later, and not yet.

        Where another section's term is not over, the work is that one's.
        """
        for section, rostered in (
            self.ended if not any(course_section.rostered for course_section in self.course_sections) else ()
        ):
            later = [
                a
                for a in self.work
                if a.published and (day := self._due_date(a, section)) is not None and day >= self.today
            ]
            if later:
                detail = f"ended {rostered.term.last_day}, {counted(len(later), 'assignment')} due later"
                course_section = _CourseSection(section, rostered, _active(rostered))
                self._add(Concern.TERM_ENDED, detail, course_section, len(later), about=section.id, assignments=later)

    def _add(
        self,
        code: Reason | Concern,
        detail: str,
        course_section: _CourseSection,
        work: int,
        *,
        assignment_id: str = "",
        about: str = "",
        assignments: Sequence[Assignment] = (),
    ) -> None:
        """Add a finding in a section; what is the same in several sections of one teacher is one finding."""
        rostered, students = course_section.rostered, course_section.students
        teacher = rostered.teacher_users_dcid if rostered else None
        school, term = (rostered.school_number, rostered.term.codes[1]) if rostered else (self.school_number, "")
        key = (code, detail, school, term, teacher, assignment_id, about)
        earlier = self.findings.get(key)
        names = (*(earlier.section_sis_ids if earlier else ()), course_section.section.sis_section_id or "")
        self.findings[key] = ReadinessFinding(
            code, detail, school, term, teacher, self.data.course.id,
            section_sis_ids=tuple(name for name in names if name),
            assignment_ids=(assignment_id,) if assignment_id else tuple(a.id for a in assignments),
            group_id=about if code in OF_GROUP else "",
            students=(earlier.students if earlier else 0) + students,
            grades=(earlier.grades if earlier else 0) + students * work,
        )  # fmt: skip

    def _due_date(self, assignment: Assignment, section: Section) -> date | None:
        due_at = effective_due_at(assignment, section.id)
        return None if due_at is None else local_due_date(due_at, self.zone)


def _findings(placement: AssignmentInSection, plan: Plan, data: CourseData) -> Iterator[Finding]:
    """Yield the reasons of one assignment in one section that are not the section's or the group's."""
    others = PASSES | OF_SECTION | {Reason.CATEGORY_MISSING}
    yield from (f for f in with_name_conflict(placement, data).findings if f.reason not in others)
    if placement.key is not None:
        planned = (f for f in plan.findings_of(placement.key) if f.student_dcid is None)
        yield from (f.finding for f in planned if f.finding.reason in OF_PLAN)


def _active(rostered: RosteredSection) -> int:
    return sum(student.active for student in rostered.students.values())
