"""Courses and sections: which course a section is in, their names and their rows.

A section that has a course always has one: no change empties a course.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from shared.domain.provisioning.policy import CoursePer, ProvisioningPolicy, SisIdTemplate
from shared.domain.provisioning.problems import RosterProblem, RosterProblemCode
from shared.domain.provisioning.roster import DISTRICT_SCHOOL_NUMBER, CatalogCourse, ClassSection, Roster
from shared.domain.provisioning.rows.sis_rows import MAX_TEXT_CHARS, LastImport, SisRow, normalize_whitespace
from shared.domain.provisioning.rows.terms import CanvasTerm, TermsByKey
from shared.domain.provisioning.rows.users import UserDirectory, staff_source

# What a shared course is for: school number, TERMS.ID, course number and the teacher's USERS.DCID.
CourseGroupKey = tuple[int, int, str, int]
Assigned = tuple[dict[int, str], list[RosterProblem]]
"""The SIS ids of courses by SECTIONS.DCID, and the problems of the other sections."""


@dataclass(frozen=True, slots=True)
class PlacedSection:
    """A section that goes to Canvas, and the SIS id of the course that it is in; empty until it has one.

    `lead` is the lead teacher's USERS.DCID.
    """

    section: ClassSection
    term: CanvasTerm
    sis_id: str
    course_number: str
    lead: int | None
    course_sis_id: str

    @property
    def source(self) -> str:
        """How the section's record is named to a person."""
        return section_source(self.section.dcid)

    def problem(self, code: RosterProblemCode, detail: str = "") -> RosterProblem:
        """Return a problem with the section's record."""
        return RosterProblem(code, self.source, detail)


def section_source(dcid: int) -> str:
    """Return how a section's record is named to a person."""
    return f"SECTIONS.DCID {dcid}"


def assign_courses(
    roster: Roster, terms: TermsByKey, people: UserDirectory, policy: ProvisioningPolicy, applied: LastImport
) -> tuple[tuple[PlacedSection, ...], tuple[RosterProblem, ...]]:
    """Return the sections with their courses, sorted by DCID, and the problems of the others."""
    candidates, problems = _candidates(roster, terms, people, policy, applied)
    if policy.course_per is CoursePer.SECTION:
        courses, more = _course_per_section(candidates, policy.course_sis_id)
    else:
        teacher_numbers = {s.users_dcid: normalize_whitespace(s.teacher_number) for s in reversed(roster.staff)}
        courses, more = _course_per_teacher(candidates, policy.course_sis_id, teacher_numbers)
    placed = (replace(c, course_sis_id=courses[c.section.dcid]) for c in candidates if c.section.dcid in courses)
    return tuple(sorted(placed, key=lambda p: p.section.dcid)), (*problems, *more)


def _candidates(
    roster: Roster, terms: TermsByKey, people: UserDirectory, policy: ProvisioningPolicy, applied: LastImport
) -> tuple[list[PlacedSection], list[RosterProblem]]:
    """Return the sections that could go to Canvas, with the courses that they are in there."""
    candidates: list[PlacedSection] = []
    problems: list[RosterProblem] = []
    taken: set[str] = set()
    # Of a section that was read twice the first reading counts, as of every other record.
    sections = {section.dcid: section for section in reversed(roster.sections)}.values()
    ids = {s.dcid: policy.section_sis_id.render(_section_fields(s)) for s in sections}
    # Of two sections with one SIS id, the one that has it in Canvas keeps it.
    has_it = {dcid: applied.section_source(sis_id) == section_source(dcid) for dcid, sis_id in ids.items()}
    for section in sorted(sections, key=lambda s: (not has_it[s.dcid], s.dcid)):
        sis_id, term = ids[section.dcid], terms.get((section.school_number, section.term_id))
        problem = _problem(section, term, sis_id, taken, policy)
        if problem is not None or term is None:
            problems += [problem] if problem else []
            continue
        taken.add(sis_id)
        leads = (t.users_dcid for t in section.teachers if t.is_lead and staff_source(t.users_dcid) in people.active)
        course = applied.course_of(term.sis_id, sis_id) or ""
        number = normalize_whitespace(section.course_number)
        candidates.append(PlacedSection(section, term, sis_id, number, next(leads, None), course))
    return candidates, problems


def _problem(
    section: ClassSection, term: CanvasTerm | None, sis_id: str, taken: set[str], policy: ProvisioningPolicy
) -> RosterProblem | None:
    source = section_source(section.dcid)
    if term is None:
        detail = f"school {section.school_number}, TERMS.ID {section.term_id}"
        return RosterProblem(RosterProblemCode.SECTION_WITHOUT_TERM, source, detail)
    if not normalize_whitespace(section.course_number):
        return RosterProblem(RosterProblemCode.SECTION_WITHOUT_COURSE, source)
    if missing := policy.section_sis_id.missing(_section_fields(section)):
        return RosterProblem(RosterProblemCode.SECTION_ID_INCOMPLETE, source, ", ".join(sorted(missing)))
    return RosterProblem(RosterProblemCode.SECTION_ID_TAKEN, source, f"SIS id {sis_id}") if sis_id in taken else None


def _course_per_section(candidates: Iterable[PlacedSection], template: SisIdTemplate) -> Assigned:
    """Return a course of its own for each section. Who teaches it plays no part."""
    owners: dict[str, int] = {}
    problems = []
    for c in candidates:
        course = template.render(_section_fields(c.section))
        if owners.setdefault(course, c.section.dcid) != c.section.dcid:
            problems.append(c.problem(RosterProblemCode.COURSE_ID_TAKEN, f"SIS id {course}"))
        elif c.lead is None:
            problems.append(c.problem(RosterProblemCode.SECTION_WITHOUT_TEACHER))
    return {dcid: course for course, dcid in owners.items()}, problems


def _course_per_teacher(
    candidates: Sequence[PlacedSection], template: SisIdTemplate, teacher_numbers: Mapping[int, str]
) -> Assigned:
    """Return the course of each section where those of a teacher, course and term share one.

    A group of sections goes to the course that is named for it if one of them is there already, or if none of them is
    anywhere; else to the one in which most of them are. So a new teacher takes over the course with its work, a section
    moves only to a course that its teacher has, and nobody gets an empty one. A section without a lead teacher stays
    where it is.
    """
    courses, problems = _without_lead_teacher(candidates)
    owners: dict[str, CourseGroupKey] = {}
    for key, group in _groups(candidates):
        lead = key[3]
        teacher = {"teacher_number": teacher_numbers.get(lead, ""), "users_dcid": str(lead)}
        fields = {**_section_fields(group[0].section), **teacher}
        named = template.render(fields)
        there = Counter(c.course_sis_id for c in group if c.course_sis_id)
        course = named if named in there or not there else min(there, key=lambda id_: (-there[id_], id_))
        if course == named and template.missing(fields):
            missing = ", ".join(sorted(template.missing(fields)))
            problems += [c.problem(RosterProblemCode.COURSE_ID_INCOMPLETE, missing) for c in group]
        elif course == named and owners.setdefault(named, key) != key:
            problems += [c.problem(RosterProblemCode.COURSE_ID_TAKEN, f"SIS id {named}") for c in group]
        else:
            courses |= {c.section.dcid: course for c in group}
    return courses, problems


def _groups(candidates: Iterable[PlacedSection]) -> list[tuple[CourseGroupKey, list[PlacedSection]]]:
    groups: dict[CourseGroupKey, list[PlacedSection]] = {}
    for c in candidates:
        if c.lead is not None:
            key = (c.section.school_number, c.section.term_id, c.course_number, c.lead)
            groups.setdefault(key, []).append(c)
    return sorted(groups.items(), key=lambda item: item[0])


def _without_lead_teacher(candidates: Iterable[PlacedSection]) -> Assigned:
    """Return where the sections without a lead teacher stay, and a problem for each of them."""
    courses = {}
    problems = []
    for c in candidates:
        if c.lead is None and c.course_sis_id:
            courses[c.section.dcid] = c.course_sis_id
            problems.append(c.problem(RosterProblemCode.SECTION_WITHOUT_TEACHER))
        elif c.lead is None:
            problems.append(c.problem(RosterProblemCode.SECTION_WAITS_FOR_TEACHER))
    return courses, problems


def _section_fields(section: ClassSection) -> Mapping[str, str]:
    return {
        "section_dcid": str(section.dcid),
        "section_id": str(section.id),
        "school_number": str(section.school_number),
        "term_id": str(section.term_id),
        "course_number": normalize_whitespace(section.course_number),
        "section_number": normalize_whitespace(section.section_number),
    }


CourseNames = Mapping[tuple[int, str], str]
"""Course names by school number and course number."""


def course_names(courses: Iterable[CatalogCourse]) -> CourseNames:
    """Return the names of a roster's courses. Source: COURSES by COURSE_NUMBER, SCHOOLID the section's or 0."""
    return {(c.school_number, normalize_whitespace(c.number)): normalize_whitespace(c.name) for c in courses}


def course_rows(placed: Iterable[PlacedSection], names: CourseNames, policy: ProvisioningPolicy) -> list[SisRow]:
    """Return a row per course, named after its first section.

    A new course is unpublished (`active`) unless the policy says otherwise; once a teacher has changed a course's
    status or name, Canvas keeps it, for both are sticky. Source: Canvas "SIS Import Format", courses.csv.
    """
    groups: dict[str, list[PlacedSection]] = {}
    for section in placed:
        groups.setdefault(section.course_sis_id, []).append(section)
    return [_course_row(sis_id, group, names, policy) for sis_id, group in groups.items()]


def section_row(placed: PlacedSection, names: CourseNames) -> SisRow:
    """Return the section's row: it goes where its course goes."""
    number = normalize_whitespace(placed.section.section_number)
    name = f"{_title(placed, names)} ({number})" if number else _title(placed, names)
    values = (placed.sis_id, placed.course_sis_id, name[:MAX_TEXT_CHARS], "active")
    return SisRow(values, placed.section.school_number, placed.source)


def name_problems(placed: Iterable[PlacedSection], names: CourseNames) -> tuple[RosterProblem, ...]:
    """Return the sections whose course has no name, or one that is too long."""
    problems = []
    for section in placed:
        if not _name(section, names):
            detail = f"course number {section.course_number}"
            problems.append(section.problem(RosterProblemCode.COURSE_NOT_IN_CATALOG, detail))
        if len(_title(section, names)) > MAX_TEXT_CHARS:
            problems.append(section.problem(RosterProblemCode.NAME_TOO_LONG))
    return tuple(problems)


def _course_row(sis_id: str, group: Sequence[PlacedSection], names: CourseNames, policy: ProvisioningPolicy) -> SisRow:
    first = group[0]
    school = first.section.school_number
    per_section = policy.course_per is CoursePer.SECTION
    number = normalize_whitespace(first.section.section_number) if per_section else ""
    short_name = f"{first.course_number}.{number}" if number else first.course_number
    account = policy.account_sis_id
    values = (
        sis_id,
        short_name[:MAX_TEXT_CHARS],
        _title(first, names)[:MAX_TEXT_CHARS],
        "" if account is None else account.render({"school_number": str(school)}),
        first.term.sis_id,
        "published" if policy.publish_courses else "active",
    )
    return SisRow(values, school, first.source)


def _title(placed: PlacedSection, names: CourseNames) -> str:
    return _name(placed, names) or placed.course_number


def _name(placed: PlacedSection, names: CourseNames) -> str:
    """Return the name in the catalog of the school, else of the district; empty if neither has one."""
    name = names.get((placed.section.school_number, placed.course_number))
    return name or names.get((DISTRICT_SCHOOL_NUMBER, placed.course_number), "")
