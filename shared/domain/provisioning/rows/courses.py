"""Courses and sections: their rows, and their names."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.domain.provisioning.imports.last_import import MAX_TEXT_CHARS, tidy
from shared.domain.provisioning.policy import CoursePer, ProvisioningPolicy
from shared.domain.provisioning.problems import RosterProblem, RosterProblemCode
from shared.domain.provisioning.roster import DISTRICT_SCHOOL_NUMBER, CatalogCourse
from shared.domain.provisioning.rows.course_placement import PlacedSection
from shared.domain.provisioning.rows.sis_rows import SisRow


@dataclass(frozen=True, slots=True)
class Catalog:
    """Course names by school and number; those of the school before those of the district."""

    names: Mapping[tuple[int, str], str]

    def name(self, school_number: int, course_number: str) -> str:
        """Return the course's name, empty if no catalog has it."""
        own = self.names.get((school_number, course_number), "")
        return own or self.names.get((DISTRICT_SCHOOL_NUMBER, course_number), "")


def catalog_of(courses: Iterable[CatalogCourse]) -> Catalog:
    """Return the catalog of a roster. Source: COURSES by COURSE_NUMBER, SCHOOLID the section's or 0."""
    return Catalog({(c.school_number, tidy(c.number)): tidy(c.name) for c in courses})


def course_rows(placed: Iterable[PlacedSection], catalog: Catalog, policy: ProvisioningPolicy) -> list[SisRow]:
    """Return a row per course, named after its first section.

    A new course is unpublished (`active`) unless the policy says otherwise; once a teacher has changed a course's
    status or name, Canvas keeps it, for both are sticky. Source: Canvas "SIS Import Format", courses.csv.
    """
    groups: dict[str, list[PlacedSection]] = {}
    for section in placed:
        groups.setdefault(section.course_sis_id, []).append(section)
    return [_course_row(sis_id, group, catalog, policy) for sis_id, group in groups.items()]


def section_row(placed: PlacedSection, catalog: Catalog) -> SisRow:
    """Return the section's row: it goes where its course goes."""
    number = tidy(placed.section.section_number)
    name = f"{_title(placed, catalog)} ({number})" if number else _title(placed, catalog)
    values = (placed.sis_id, placed.course_sis_id, _fitted(name), "active")
    return SisRow(values, placed.section.school_number, placed.source)


def name_problems(placed: Iterable[PlacedSection], catalog: Catalog) -> tuple[RosterProblem, ...]:
    """Return the sections whose course has no name, or one that is too long."""
    problems = []
    for section in placed:
        if not catalog.name(section.section.school_number, section.course_number):
            detail = f"course number {section.course_number}"
            problems.append(RosterProblem(RosterProblemCode.COURSE_NOT_IN_CATALOG, section.source, detail))
        if len(_title(section, catalog)) > MAX_TEXT_CHARS:
            problems.append(RosterProblem(RosterProblemCode.NAME_TOO_LONG, section.source))
    return tuple(problems)


def _course_row(sis_id: str, group: Sequence[PlacedSection], catalog: Catalog, policy: ProvisioningPolicy) -> SisRow:
    first = group[0]
    school = first.section.school_number
    per_section = policy.course_per is CoursePer.SECTION
    number = tidy(first.section.section_number) if per_section else ""
    short_name = f"{first.course_number}.{number}" if number else first.course_number
    account = policy.account_sis_id
    values = (
        sis_id,
        _fitted(short_name),
        _fitted(_title(first, catalog)),
        "" if account is None else account.render({"school_number": str(school)}),
        first.term.sis_id,
        "published" if policy.publish_courses else "active",
    )
    return SisRow(values, school, first.source)


def _title(placed: PlacedSection, catalog: Catalog) -> str:
    return catalog.name(placed.section.school_number, placed.course_number) or placed.course_number


def _fitted(name: str) -> str:
    return name[:MAX_TEXT_CHARS]
