"""Courses and sections: their rows, and their names."""

from collections.abc import Iterable, Mapping, Sequence

from shared.domain.provisioning.imports.last_import import MAX_TEXT_CHARS, normalize_whitespace
from shared.domain.provisioning.policy import CoursePer, ProvisioningPolicy
from shared.domain.provisioning.problems import RosterProblem, RosterProblemCode
from shared.domain.provisioning.roster import DISTRICT_SCHOOL_NUMBER, CatalogCourse
from shared.domain.provisioning.rows.course_placement import PlacedSection
from shared.domain.provisioning.rows.sis_rows import SisRow

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
