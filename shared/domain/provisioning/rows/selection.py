"""Selects the schools, courses and sections that go to Canvas: districts leave out lunch, homeroom, pilots.

What is left out counts as gone: classes that Canvas has already are concluded, held for approval where they are many.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from shared.domain.provisioning.imports.last_import import LastImport, normalize_whitespace, value
from shared.domain.provisioning.policy import ProvisioningPolicy
from shared.domain.provisioning.roster import DISTRICT_SCHOOL_NUMBER, ClassSection, Roster, SchoolTerm
from shared.domain.provisioning.rows.sis_rows import DataSetKey, Entity


def is_selected(patterns: Sequence[str], *names: str) -> bool:
    """Say whether something of these names goes to Canvas.

    Patterns such as `LUNCH*` are compared without regard to case; those that begin with a minus leave out. Where any
    pattern takes in, what none of them takes in is left out.
    """
    included = [pattern for pattern in patterns if not pattern.startswith("-")]
    excluded = [pattern.removeprefix("-") for pattern in patterns if pattern.startswith("-")]
    return (not included or _matches(included, names)) and not _matches(excluded, names)


def _matches(patterns: Iterable[str], names: Sequence[str]) -> bool:
    return any(fnmatchcase(name.casefold(), each.strip().casefold()) for each in patterns for name in names)


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
