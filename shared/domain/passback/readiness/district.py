"""Defines a district's sections, terms and teachers as values, and compares them with the sections that Canvas has."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from shared.domain.passback.powerschool import Term
from shared.domain.passback.readiness.concerns import Concern
from shared.domain.passback.readiness.results import ReadinessFinding
from shared.domain.passback.rules.reasons import Reason

# Classes of the next term are in Canvas by then. Those of the next school year are scheduled months before.
AHEAD = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class DistrictTerm:
    """A term of one school, its dates unchecked. `id` is TERMS.ID, `abbreviation` such as `S1`."""

    id: int
    school_number: int
    abbreviation: str
    term: Term


@dataclass(frozen=True, slots=True)
class DistrictSection:
    """A section that the district teaches in Canvas. `teacher_users_dcid` is None where it has no lead teacher."""

    sis_id: str
    school_number: int
    term: Term
    teacher_users_dcid: int | None


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row of a list that cannot be read: its record, such as `TERMS.DCID 3001`, and columns; its school if known."""

    source: str
    columns: tuple[str, ...]
    school_number: int | None = None

    @property
    def is_term(self) -> bool:
        """Say whether it is a term's."""
        return self.source.startswith("TERMS.")


@dataclass(frozen=True, slots=True)
class DistrictRead:
    """Sections, terms and teachers of the school years under way or near, as PowerSchool has them.

    `teachers` are the SIS ids of lead teachers by USERS.DCID, empty for one who lacks a field of the template.
    """

    terms: tuple[DistrictTerm, ...]
    sections: tuple[DistrictSection, ...]
    teachers: Mapping[int, str]
    unreadable: tuple[UnreadableRow, ...] = ()


def is_over(term: Term, today: date) -> bool:
    """Say whether the term is over; nobody can say so of one that ends before it begins."""
    return term.first_day <= term.last_day < today


def is_near(term: Term, today: date) -> bool:
    """Say whether the term is under way or begins soon."""
    return not is_over(term, today) and min(term.first_day, term.last_day) <= today + AHEAD


def section_findings(
    district: DistrictRead, in_canvas: Collection[str], students: Mapping[str, int], today: date
) -> Iterator[ReadinessFinding]:
    """Yield what is not ready of sections whose term is under way or near, and of their teachers.

    `in_canvas` are the SIS ids of Canvas's sections, `students` how many a section has that Canvas does not have, by
    SIS id. A section without students holds nothing back. A school of which Canvas has no section is one finding.
    """
    current = [section for section in district.sections if is_near(section.term, today)]
    schools_in_canvas = {s.school_number for s in current if s.sis_id in in_canvas}
    absent: dict[int, list[DistrictSection]] = {}
    for section in current:
        if section.sis_id in in_canvas or not students.get(section.sis_id):
            continue
        if section.school_number not in schools_in_canvas:
            absent.setdefault(section.school_number, []).append(section)
            continue
        yield _of_section(Concern.SECTION_WITHOUT_COURSE, section, students[section.sis_id])
        if section.teacher_users_dcid is None:
            yield _of_section(Reason.TEACHER_MISSING, section, students[section.sis_id])
    for school_number, sections in absent.items():
        yield ReadinessFinding(
            Concern.SCHOOL_WITHOUT_COURSES,
            f"{len(sections)} sections with students",
            school_number,
            students=sum(students[section.sis_id] for section in sections),
        )
    yield from _teachers_without_id(district, current)
    for row in district.unreadable:
        detail = f"{row.source}: {', '.join(row.columns)}"
        yield ReadinessFinding(Concern.RECORD_UNREADABLE, detail, row.school_number)


def _of_section(code: Reason | Concern, section: DistrictSection, students: int) -> ReadinessFinding:
    return ReadinessFinding(
        code,
        f"SIS id {section.sis_id}",
        section.school_number,
        section.term.codes[1],
        section.teacher_users_dcid,
        section_sis_ids=(section.sis_id,),
        students=students,
    )


def _teachers_without_id(district: DistrictRead, sections: list[DistrictSection]) -> Iterator[ReadinessFinding]:
    taught: dict[int, list[DistrictSection]] = {}
    for section in sections:
        if section.teacher_users_dcid is not None and district.teachers.get(section.teacher_users_dcid) == "":
            taught.setdefault(section.teacher_users_dcid, []).append(section)
    for teacher, of_teacher in taught.items():
        yield ReadinessFinding(
            Concern.TEACHER_ID_MISSING,
            f"USERS.DCID {teacher}",
            of_teacher[0].school_number,
            teacher_users_dcid=teacher,
            section_sis_ids=tuple(section.sis_id for section in of_teacher),
        )
