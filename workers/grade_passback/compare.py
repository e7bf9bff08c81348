"""Compares both sides of a course: applies the rules, works out the desired state and plans the writes. No I/O."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, tzinfo
from functools import cached_property

from shared.domain.passback.canvas import (
    Assignment,
    AssignmentGroup,
    Course,
    GradebookRow,
    Section,
    effective_due_at,
    local_due_date,
)
from shared.domain.passback.course_state import CourseRecord, State, StudentRecord, sections_of
from shared.domain.passback.planning.diff import clean_description
from shared.domain.passback.planning.links import Link
from shared.domain.passback.planning.name_conflicts import name_conflict
from shared.domain.passback.planning.plan import (
    ClearScoresStep,
    LinkExistingStep,
    Plan,
    PlanFinding,
    Step,
    UpdateLinkStep,
    make_plan,
)
from shared.domain.passback.powerschool import (
    ActualAssignment,
    AssignmentKey,
    DesiredAssignment,
    RosteredSection,
    TeacherCategory,
    WrittenField,
)
from shared.domain.passback.rules.categories import (
    CategoryAssociation,
    CategoryMatch,
    NoCategory,
    can_match_by_name,
    match_category,
)
from shared.domain.passback.rules.eligibility import (
    DEFAULT_MAX_NAME_CHARS,
    Facts,
    eligibility_findings,
)
from shared.domain.passback.rules.reasons import REASON_OF_CAUSE, Finding, Reason
from shared.domain.passback.rules.score import StudentPlacement, place_students, with_scores
from shared.errors import TransientError

NOT_CLEARED = frozenset({Reason.SCORE_NOT_CLEARED, Reason.FLAG_NOT_WITHDRAWN})


@dataclass(frozen=True, slots=True)
class SyncPolicy:
    """The district's settings for passback. `zone` is the time zone of courses that have none.

    `category_map` is the district's map of group names to categories; it is stored, and read with each course.
    """

    zone: tzinfo
    grace_days: int
    default_category: str
    clear_scores: bool = False
    max_name_chars: int = DEFAULT_MAX_NAME_CHARS
    category_map: Mapping[str, str] = field(default_factory=dict)

    def zone_of(self, course: Course) -> tzinfo:
        """Return the time zone in which the course's timestamps become calendar days."""
        return course.time_zone or self.zone


@dataclass(frozen=True, slots=True)
class AssignmentInSection:
    """One Canvas assignment in one Canvas section: the findings that block it, or its desired state in PowerSchool.

    Unless `scores_read`, only the assignment itself is compared, and `desired` has no scores.
    """

    assignment: Assignment
    section: Section
    rostered: RosteredSection | None
    findings: tuple[Finding, ...]
    desired: DesiredAssignment | None = None
    students: tuple[StudentRecord, ...] = ()
    category: CategoryMatch | None = None
    scores_read: bool = True

    @property
    def key(self) -> AssignmentKey | None:
        """The key of its link, None where PowerSchool has no such section."""
        return None if self.rostered is None else AssignmentKey(self.assignment.id, self.rostered.dcid)


@dataclass(frozen=True)
class CourseData:
    """Both sides of a course as they were read.

    `rosters` are by SECTIONS.DCID, `associations` are the stored category matches by assignment group, `earlier` is
    the state after the last sync. `unread` has the assignments whose scores Canvas did not return, by id;
    `categories` are those of the sections' teachers, by SECTIONS.DCID.
    """

    course: Course
    policy: SyncPolicy
    asked_for_by_person: bool
    placements: tuple[AssignmentInSection, ...]
    rosters: Mapping[int, RosteredSection]
    links: Mapping[AssignmentKey, Link]
    plugin_ids: frozenset[str]
    actual: tuple[ActualAssignment, ...]
    associations: Mapping[str, CategoryAssociation]
    categories: Mapping[int, tuple[TeacherCategory, ...]]
    rows: tuple[GradebookRow, ...] = ()
    earlier: CourseRecord | None = None
    unread: Mapping[str, TransientError] = field(default_factory=dict)

    @cached_property
    def category_names(self) -> Mapping[int, str]:
        """The names of the teachers' categories by id."""
        return {each.id: each.name for of_teacher in self.categories.values() for each in of_teacher}

    @cached_property
    def users(self) -> Mapping[int, GradebookRow]:
        """The Canvas students by STUDENTS.DCID."""
        dcids = {sis_id: s.dcid for section in self.rosters.values() for sis_id, s in section.students.items()}
        return {dcids[row.sis_user_id]: row for row in self.rows if row.sis_user_id in dcids}


@dataclass(frozen=True, slots=True)
class CourseComparison:
    """Both sides of a course, the state of each assignment in each section, and the plan that makes them agree."""

    data: CourseData
    placements: tuple[AssignmentInSection, ...]
    plan: Plan

    @property
    def links_seen(self) -> Mapping[AssignmentKey, Link]:
        """The links with what this read shows of their scores and fields."""
        observed = {step.key: step for step in self.plan.steps if isinstance(step, UpdateLinkStep)}
        return {
            key: replace(link, zeros=observed[key].zeros, echoes=observed[key].echoes) if key in observed else link
            for key, link in self.data.links.items()
        }

    def desired_of(self, key: AssignmentKey) -> DesiredAssignment | None:
        """Return the desired state of this key, None if it has none."""
        return next((p.desired for p in self.placements if p.key == key), None)

    def actual_of(self, key: AssignmentKey) -> ActualAssignment | None:
        """Return the PowerSchool assignment that is linked to this key or will be; None if none is."""
        planned = (s.link for s in self.plan.steps if isinstance(s, LinkExistingStep) and s.key == key)
        link = next(planned, self.data.links.get(key))
        return next(
            (a for a in self.data.actual if link and a.assignment_section_id == link.powerschool_assignment_section_id),
            None,
        )


def compare(data: CourseData) -> CourseComparison:
    """Return the comparison of what was read, with the plan."""
    refused = {} if data.asked_for_by_person else _refused_before(data.earlier, data.rosters.values())
    plan = make_plan(
        [p.desired for p in data.placements if p.desired is not None],
        data.actual,
        data.links,
        data.plugin_ids,
        clear_scores=data.policy.clear_scores,
        repeat_clears=data.asked_for_by_person,
        immovable=frozenset(refused),
    )
    plan = _with_earlier_refusals(plan, refused)
    if not data.asked_for_by_person:
        plan = _without_refused_clears(plan, data.earlier, data.rosters)
    return CourseComparison(data, tuple(with_name_conflict(placement, data) for placement in data.placements), plan)


def _refused_before(record: CourseRecord | None, rosters: Iterable[RosteredSection]) -> dict[AssignmentKey, Finding]:
    """Return which assignments PowerSchool refused to change at the last sync, and why.

    Such an assignment is not renamed to make way for another: each attempt would rename one twice, to no effect.
    """
    dcids = {section.sis_section_id: section.dcid for section in rosters}
    refusals = frozenset(REASON_OF_CAUSE.values())
    return {
        AssignmentKey(assignment_id, dcids[section.section_sis_id]): finding
        for assignment_id, section in sections_of(record)
        if section.section_sis_id in dcids
        for finding in section.findings
        if finding.reason in refusals
    }


def _with_earlier_refusals(plan: Plan, refused: Mapping[AssignmentKey, Finding]) -> Plan:
    """Return the plan with the refusals of the assignments that wait for a name."""
    waiting = {f.key for f in plan.findings if f.finding.reason is Reason.NAME_TAKEN}
    found = [PlanFinding(key, refused[key]) for key in sorted(waiting & refused.keys())]
    return Plan(plan.steps, (*plan.findings, *found)) if found else plan


def _without_refused_clears(plan: Plan, record: CourseRecord | None, rosters: Mapping[int, RosteredSection]) -> Plan:
    """Return the plan without clearing the scores that PowerSchool did not clear at the last sync; findings say so.

    A new score in Canvas ends the refusal's record, so that the next clearing is tried.
    """
    refused = {
        (assignment_id, section.section_sis_id, student.student_sis_id)
        for assignment_id, section in sections_of(record)
        for student in section.students
        if student.finding.reason in NOT_CLEARED
    }
    if not refused:
        return plan
    steps: list[Step] = []
    findings = list(plan.findings)
    for step in plan.steps:
        if not isinstance(step, ClearScoresStep):
            steps.append(step)
            continue
        section, assignment_id = rosters[step.key.section_dcid], step.key.assignment_id
        sis_ids = {student.dcid: sis_id for sis_id, student in section.students.items()}
        skipped = [d for d in step.replaces if (assignment_id, section.sis_section_id, sis_ids.get(d)) in refused]
        findings += [PlanFinding(step.key, Finding(reason_not_cleared(step, dcid)), dcid) for dcid in skipped]
        remaining = {dcid: score for dcid, score in step.replaces.items() if dcid not in skipped}
        steps += [replace(step, replaces=remaining, withdrawn=step.withdrawn & remaining.keys())] if remaining else []
    return Plan(tuple(steps), tuple(findings))


def reason_not_cleared(step: ClearScoresStep, student_dcid: int) -> Reason:
    """Return the reason for a student whose score PowerSchool did not clear."""
    return Reason.FLAG_NOT_WITHDRAWN if student_dcid in step.withdrawn else Reason.SCORE_NOT_CLEARED


class CourseEvaluator:
    """Applies the rules to every assignment in every section of one course. `rosters` are by SIS id.

    With `ahead`, groups are matched with categories as on the first day of the term.
    """

    def __init__(
        self,
        course: Course,
        rosters: Mapping[str, RosteredSection],
        associations: Mapping[str, CategoryAssociation],
        categories: Mapping[int, Sequence[TeacherCategory]],
        today: date,
        policy: SyncPolicy,
        by_person: bool,
        *,
        ahead: bool = False,
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
        self._ahead = ahead
        self._evaluated = [(a, s, *self._evaluate(a, s)) for a in course.assignments for s in course.sections]

    def needing_scores(self, changed: frozenset[str] | None, up_to_date: Mapping[AssignmentKey, State]) -> set[str]:
        """Return the ids of the assignments that no rule blocks.

        With `changed`, the assignments whose scores may have changed, leave out others that are up to date.
        """
        return {
            assignment.id
            for assignment, section, findings, _ in self._evaluated
            if not findings
            and (
                changed is None
                or assignment.id in changed
                or AssignmentKey(assignment.id, self._rostered[section.id].dcid) not in up_to_date
            )
        }

    def placements(
        self, scores_read: Collection[str], rows: Sequence[GradebookRow], unread: Mapping[str, TransientError]
    ) -> tuple[AssignmentInSection, ...]:
        """Return every assignment in every section.

        `rows` have the scores of the assignments in `scores_read`, except for the `unread`.
        """
        students = {section_id: place_students(section_id, rows, self._rostered) for section_id in self._rostered}
        return tuple(
            self._placement(assignment, section, findings + _not_read(assignment, unread), category,
                            students[section.id] if assignment.id in scores_read and section.id in students else None)
            for assignment, section, findings, category in self._evaluated
        )  # fmt: skip

    def _placement(
        self,
        assignment: Assignment,
        section: Section,
        findings: tuple[Finding, ...],
        category: CategoryMatch | NoCategory | None,
        students: Sequence[StudentPlacement] | None,
    ) -> AssignmentInSection:
        rostered = self._rostered.get(section.id)
        if findings or rostered is None:
            return AssignmentInSection(assignment, section, rostered, findings)
        assert isinstance(category, CategoryMatch)
        desired = self._desired(assignment, section, rostered, category.category)
        desired, records = with_scores(desired, students or ())
        is_read = students is not None
        return AssignmentInSection(assignment, section, rostered, (), desired, records, category, is_read)

    def _evaluate(
        self, assignment: Assignment, section: Section
    ) -> tuple[tuple[Finding, ...], CategoryMatch | NoCategory | None]:
        """Return the findings that block the assignment in the section, and the section's category for it."""
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
            max_name_chars=self._policy.max_name_chars,
        )
        findings = eligibility_findings(facts)
        return findings + self._group_findings(assignment), category

    def _group_findings(self, assignment: Assignment) -> tuple[Finding, ...]:
        """Return a finding if the assignment's group cannot be read and no stored match gives its category.

        The district's default category is for groups without a category of their own.
        """
        if assignment.group_id in self._course.groups or assignment.group_id in self._associations:
            return ()
        return (Finding(Reason.VALUE_UNREADABLE, f"assignment group {assignment.group_id}"),)

    def _category(self, assignment: Assignment, rostered: RosteredSection) -> CategoryMatch | NoCategory | None:
        if rostered.dcid not in self._categories:
            return None
        return match_category(
            self._course.groups.get(assignment.group_id, AssignmentGroup(assignment.group_id, "")),
            rostered.dcid,
            self._categories[rostered.dcid],
            self._associations,
            self._policy.default_category,
            can_match_by_name=self._ahead or can_match_by_name(rostered.term, self._today),
            category_map=self._policy.category_map,
        )

    def _desired(
        self,
        assignment: Assignment,
        section: Section,
        rostered: RosteredSection,
        category: TeacherCategory,
    ) -> DesiredAssignment:
        due_at = effective_due_at(assignment, section.id)
        assert due_at is not None
        assert assignment.points_possible is not None
        return DesiredAssignment(
            assignment_id=assignment.id,
            section_dcid=rostered.dcid,
            name=assignment.name,
            description=None if assignment.description is None else clean_description(assignment.description),
            due_date=local_due_date(due_at, self._policy.zone_of(self._course)),
            points=assignment.points_possible,
            category_id=category.id,
            publish_option=category.default_publish_option,
            # Without an answer of the category, it counts. A create says so, and what Canvas omitted may count again.
            counted=category.counted is not False and not assignment.omitted_from_final_grade,
            scores_published=category.scores_published,
        )


def with_name_conflict(placement: AssignmentInSection, data: CourseData) -> AssignmentInSection:
    """Add `name_taken` to a blocked assignment, so that its teacher sees all reasons at once."""
    if placement.desired is not None or placement.key is None:
        return placement
    due_at = effective_due_at(placement.assignment, placement.section.id)
    conflict = name_conflict(
        placement.key,
        placement.assignment.name,
        None if due_at is None else local_due_date(due_at, data.policy.zone_of(data.course)),
        actual=data.actual,
        links=data.links,
        plugin_ids=data.plugin_ids,
    )
    if not conflict:
        return placement
    return replace(placement, findings=(*placement.findings, Finding(Reason.NAME_TAKEN, conflict)))


def _not_read(assignment: Assignment, unread: Mapping[str, TransientError]) -> tuple[Finding, ...]:
    error = unread.get(assignment.id)
    return () if error is None else (Finding(Reason.RETRYING, error.cause),)


def audit_text(data: CourseData, assignment: DesiredAssignment | ActualAssignment, field: WrittenField) -> str:
    """Return a field of an assignment as the audit has it: as text, a category with its name."""
    text = field_text(assignment, field)
    name = data.category_names.get(assignment.category_id or 0) if field is WrittenField.CATEGORY else None
    return f"{name} ({text})" if name else text


def field_text(assignment: DesiredAssignment | ActualAssignment, field: WrittenField) -> str:
    """Return a field of an assignment as text, a category as its id."""
    match field:
        case WrittenField.DUE_DATE:
            return assignment.due_date.isoformat()
        case WrittenField.CATEGORY:
            return str(assignment.category_id or "")
    value = getattr(assignment, field.value)
    return "" if value is None else str(value)
