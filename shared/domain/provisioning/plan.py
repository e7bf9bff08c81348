"""The plan of provisioning: PowerSchool's rosters as the rows that Canvas should hold."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import chain

from shared.domain.provisioning.hold_reasons import Hold
from shared.domain.provisioning.imports.corrections import NOTHING_KNOWN, CanvasUsers, SisIdChange, with_new_ids
from shared.domain.provisioning.policy import ProvisioningPolicy, is_selected
from shared.domain.provisioning.problems import RosterProblem, RosterProblemCode
from shared.domain.provisioning.roster import DISTRICT_SCHOOL_NUMBER, ClassSection, Roster, SchoolTerm
from shared.domain.provisioning.rows.courses import (
    CourseNames,
    PlacedSection,
    assign_courses,
    course_names,
    course_rows,
    name_problems,
    section_row,
)
from shared.domain.provisioning.rows.enrollments import StudentRows, teacher_rows
from shared.domain.provisioning.rows.retained_rows import (
    odd_row_problems,
    with_retained_rows,
    with_stored_rows,
    with_stored_terms,
)
from shared.domain.provisioning.rows.sis_rows import (
    DataSet,
    DataSetKey,
    Entity,
    LastImport,
    SisRow,
    in_order,
    normalize_whitespace,
    value,
    with_shared_rows,
)
from shared.domain.provisioning.rows.terms import canvas_terms, term_row
from shared.domain.provisioning.rows.users import UserDirectory, build_directory, user_rows


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What Canvas should hold, sorted and in the order in which Canvas needs it, and what was left out and why.

    It is as if Canvas had taken the `id_changes`, which must come before all of that. `deviating_ids` are the SIS ids
    by PowerSchool record that are not what the templates make of it. `holds` are the reasons to hold the plan.
    """

    data_sets: tuple[DataSet, ...]
    problems: tuple[RosterProblem, ...] = ()
    id_changes: tuple[SisIdChange, ...] = ()
    deviating_ids: Mapping[str, str] = field(default_factory=dict)
    holds: tuple[Hold, ...] = ()

    @property
    def findings(self) -> dict[str, int]:
        """Count the problems by code."""
        return dict(Counter(problem.code.value for problem in self.problems))


def plan_roster(
    roster: Roster,
    policy: ProvisioningPolicy,
    today: date,
    applied: Iterable[DataSet] = (),
    canvas: CanvasUsers = NOTHING_KNOWN,
) -> ImportPlan:
    """Return the plan for the school's date `today`.

    `applied` is what Canvas was given last, nothing before the first run. It decides nothing about what is in
    PowerSchool; it says where things are in Canvas, so that a section keeps its course, and what must be concluded
    rather than deleted. Planning with the plan's own data sets returns the same data sets.
    """
    applied = tuple(applied)
    roster = selected(with_stored_terms(roster, LastImport(applied), policy), policy, LastImport(applied))
    terms, term_problems = canvas_terms(roster.terms, policy)
    people = build_directory(roster, policy, LastImport(applied), canvas)
    # From here on as if Canvas had taken the new SIS ids: what is carried over is about the same people.
    before = LastImport(with_new_ids(each, {c.old: c.new for c in people.id_changes}) for each in applied)
    placed, section_problems = assign_courses(roster, terms, people, policy, before)
    students = StudentRows(roster, placed, people, policy, today, before)
    names = course_names(roster.courses)
    running = {term.sis_id: term for term in terms.values()}
    users = user_rows(people, students.user_ids())
    made = chain(
        [_data_set(Entity.TERMS, "", (term_row(term, policy.zone) for term in running.values()))],
        [_data_set(Entity.USERS, "", users)],
        _of_sections(placed, names, policy, people, students, today),
    )
    # Rows equal to the applied ones are shared with them: two plans of a large district would not fit into memory.
    planned = tuple(with_shared_rows(each, before.rows(each.key)) for each in made)
    unnamed = name_problems(placed, names)
    problems = {*term_problems, *people.problems, *section_problems, *students.problems, *unnamed}
    data_sets = with_retained_rows(planned, before, frozenset(running), policy)
    if roster.odd_rows:
        problems |= odd_row_problems(roster.odd_rows)
        sources = {p.source for p in unnamed if p.code is RosterProblemCode.COURSE_NOT_IN_CATALOG}
        data_sets = with_stored_rows(data_sets, before, roster.odd_rows, sources)
    return ImportPlan(data_sets, tuple(sorted(problems)), people.id_changes, people.deviating_ids)


def _of_sections(
    placed: Sequence[PlacedSection],
    names: CourseNames,
    policy: ProvisioningPolicy,
    people: UserDirectory,
    students: StudentRows,
    today: date,
) -> Iterator[DataSet]:
    """Return courses, sections and enrollments, a data set each per term."""
    by_term: dict[str, list[PlacedSection]] = {}
    for p in placed:
        by_term.setdefault(p.term.sis_id, []).append(p)
    for term, group in by_term.items():
        enrollments = ([*teacher_rows(p, people, policy, today), *students.rows_of(p.section.dcid)] for p in group)
        yield _data_set(Entity.COURSES, term, course_rows(group, names, policy))
        yield _data_set(Entity.SECTIONS, term, (section_row(p, names) for p in group))
        yield _data_set(Entity.ENROLLMENTS, term, chain.from_iterable(enrollments))


def _data_set(entity: Entity, term: str, rows: Iterable[SisRow]) -> DataSet:
    return DataSet(DataSetKey(entity, term), in_order(rows))


def selected(roster: Roster, policy: ProvisioningPolicy, applied: LastImport) -> Roster:
    """Return the roster without what the district leaves out.

    People are left out with their school, unless a class that goes to Canvas has them. A section without any
    enrollment is left out where the policy says so, unless Canvas has it already.
    """
    if not (policy.schools or policy.courses or policy.sections) and policy.empty_sections:
        return roster
    enrolled = {row.section_dcid for row in roster.enrollments}
    known = {row.source for key in applied.keys(Entity.SECTIONS) for row in applied.rows(key)}

    def is_taken(section: ClassSection) -> bool:
        number = normalize_whitespace(section.course_number)
        name = f"{number}.{normalize_whitespace(section.section_number)}"
        return (
            is_selected(policy.schools, str(section.school_number))
            and is_selected(policy.courses, number)
            and is_selected(policy.sections, str(section.dcid), name)
            and (policy.empty_sections or section.dcid in enrolled or f"SECTIONS.DCID {section.dcid}" in known)
        )

    taken = tuple(section for section in roster.sections if is_taken(section))
    dcids = {section.dcid for section in taken}
    enrollments = tuple(row for row in roster.enrollments if row.section_dcid in dcids)
    in_class = {row.student_dcid for row in enrollments}
    teaching = {teacher.users_dcid for section in taken for teacher in section.teachers}
    numbers = {s.number for s in roster.schools if is_selected(policy.schools, str(s.number))} | {
        DISTRICT_SCHOOL_NUMBER
    }
    return replace(
        roster,
        schools=tuple(school for school in roster.schools if school.number in numbers),
        terms=tuple(term for term in roster.terms if term.school_number in numbers or _is_known(term, policy, applied)),
        sections=taken,
        enrollments=enrollments,
        students=tuple(s for s in roster.students if s.school_number in numbers or s.dcid in in_class),
        staff=tuple(s for s in roster.staff if numbers & {*s.school_numbers} or s.users_dcid in teaching),
    )


def _is_known(term: SchoolTerm, policy: ProvisioningPolicy, applied: LastImport) -> bool:
    """Say whether Canvas has the term: its classes are concluded in it."""
    sis_id = policy.term_id_of(term.school_number, term.id, term.dcid)
    return any(value(Entity.TERMS, row, "term_id") == sis_id for row in applied.rows(DataSetKey(Entity.TERMS)))
