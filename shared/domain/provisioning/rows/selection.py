"""Which of PowerSchool's schools, courses and sections go to Canvas: districts leave out lunch, homeroom, pilots.

What is left out counts as gone: of what Canvas has already, classes are concluded as any others are, after a person has
looked at it where that is much.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from shared.domain.provisioning.imports.last_import import LastImport, tidy, value
from shared.domain.provisioning.policy import ProvisioningPolicy
from shared.domain.provisioning.roster import DISTRICT_SCHOOL_NUMBER, ClassSection, Roster, SchoolTerm
from shared.domain.provisioning.rows.sis_rows import DataSetKey, Entity


@dataclass(frozen=True, slots=True)
class Choice:
    """Patterns such as `LUNCH*`, compared without regard to case; those that begin with a minus leave out.

    Where any pattern takes in, what none of them takes in is left out.
    """

    patterns: tuple[str, ...] = ()

    def takes(self, *names: str) -> bool:
        """Say whether something of these names is taken."""
        folded = [name.casefold() for name in names]
        included = [pattern for pattern in self.patterns if not pattern.startswith("-")]
        excluded = [pattern.removeprefix("-") for pattern in self.patterns if pattern.startswith("-")]
        return (not included or _matches(included, folded)) and not _matches(excluded, folded)


def _matches(patterns: Iterable[str], names: Iterable[str]) -> bool:
    names = tuple(names)
    return any(fnmatchcase(name, pattern.strip().casefold()) for pattern in patterns for name in names)


def selected(roster: Roster, policy: ProvisioningPolicy, applied: LastImport) -> Roster:
    """Return the roster without what the district leaves out.

    People are left out with their school, unless a class that goes to Canvas has them. A section without any
    enrollment is left out where the policy says so, unless Canvas has it already.
    """
    schools, courses, sections = (Choice(each) for each in (policy.schools, policy.courses, policy.sections))
    if not (policy.schools or policy.courses or policy.sections) and policy.empty_sections:
        return roster
    enrolled = {row.section_dcid for row in roster.enrollments}
    known = {row.source for key in applied.keys(Entity.SECTIONS) for row in applied.rows(key)}

    def is_taken(section: ClassSection) -> bool:
        number = tidy(section.course_number)
        return (
            schools.takes(str(section.school_number))
            and courses.takes(number)
            and sections.takes(str(section.dcid), f"{number}.{tidy(section.section_number)}")
            and (policy.empty_sections or section.dcid in enrolled or f"SECTIONS.DCID {section.dcid}" in known)
        )

    taken = tuple(section for section in roster.sections if is_taken(section))
    dcids = {section.dcid for section in taken}
    enrollments = tuple(row for row in roster.enrollments if row.section_dcid in dcids)
    in_class = {row.student_dcid for row in enrollments}
    teaching = {teacher.users_dcid for section in taken for teacher in section.teachers}
    everywhere = [DISTRICT_SCHOOL_NUMBER, *(s.number for s in roster.schools)]
    numbers = {number for number in everywhere if number == DISTRICT_SCHOOL_NUMBER or schools.takes(str(number))}
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
    fields = {"school_number": str(term.school_number), "term_id": str(term.id), "term_dcid": str(term.dcid)}
    sis_id = policy.term_sis_id.render(fields)
    return any(value(Entity.TERMS, row, "term_id") == sis_id for row in applied.rows(DataSetKey(Entity.TERMS)))
