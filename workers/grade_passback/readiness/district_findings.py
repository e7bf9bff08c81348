"""Joins what was read of every course with PowerSchool's lists: what only the whole district shows. No I/O."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from shared.domain.passback.readiness.district import DistrictRead, is_near, section_findings, term_findings
from shared.domain.passback.readiness.findings import Concern, CourseReadiness, DistrictReadiness, ReadinessFinding
from shared.domain.passback.rules.reasons import Reason


def unseen_sections(district: DistrictRead, courses: Iterable[CourseReadiness], today: date) -> list[str]:
    """Return the SIS ids of PowerSchool's sections, in a term that is under way or near, that no Canvas course has."""
    seen = {sis_id for course in courses for sis_id in course.sections}
    return [s.sis_id for s in district.sections if s.sis_id not in seen and is_near(s.term, today)]


def district_readiness(
    district: DistrictRead | None,
    courses: Sequence[CourseReadiness],
    students: Mapping[str, int],
    today: date,
    read_at: datetime,
) -> DistrictReadiness:
    """Return what concerns no single course. `students` are those of sections that Canvas does not have, by SIS id."""
    findings = list(_categories_without_group(courses))
    if district is None:
        return DistrictReadiness(read_at, tuple(findings))
    seen = {sis_id for course in courses for sis_id in course.sections}
    outside = defaultdict[tuple[int | None, str], int](int)
    for found in (finding for course in courses for finding in course.findings):
        if found.code in (Reason.DUE_DATE_OUTSIDE_TERM, Concern.TERM_ENDED):
            outside[found.school_number, found.term] += found.grades
    findings += section_findings(district, seen, students, today)
    incomplete = [row.school_number for row in district.unreadable if row.is_term]
    for found in term_findings(district.terms, today, incomplete):
        # An overlap puts no work outside of a term.
        is_overlap = found.code == Concern.TERM_OVERLAP
        findings.append(found if is_overlap else replace(found, grades=outside[found.school_number, found.term]))
    schools = sorted({section.school_number for section in district.sections})
    terms = sorted({section.term.codes for section in district.sections})
    return DistrictReadiness(read_at, tuple(findings), tuple(district.teachers.items()), tuple(schools), tuple(terms))


def _categories_without_group(courses: Iterable[CourseReadiness]) -> Iterator[ReadinessFinding]:
    """Yield the categories that no group has in any course of their teacher.

    A teacher none of whose groups has a category has not begun to set up the courses, and is left out.
    """
    uses = [use for course in courses for use in course.categories]
    used = {(use.teacher_users_dcid, use.category_id) for use in uses if use.is_used}
    begun = {teacher for teacher, _ in used}
    unused = {
        (use.teacher_users_dcid, use.category_id): use
        for use in uses
        if use.teacher_users_dcid in begun and (use.teacher_users_dcid, use.category_id) not in used
    }
    for use in unused.values():
        yield ReadinessFinding(
            Concern.CATEGORY_WITHOUT_GROUP, use.name, use.school_number, teacher_users_dcid=use.teacher_users_dcid
        )
