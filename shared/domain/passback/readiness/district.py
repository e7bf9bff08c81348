"""Defines a district's sections, terms and teachers as values, and finds what is wrong with them.

Sections are compared with those that Canvas has. Term dates that look wrong are reversed, of another school year, or
have gaps or overlaps. Schools have terms inside terms (year, semesters, quarters), so only terms of one kind are
compared: those whose abbreviations differ by a number alone (`Q1` to `Q4`). Where no two of a school do, as with `Fall`
and `Spring`, terms that are about the same share of a year are of one kind.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations, pairwise

from shared.domain.passback.powerschool import Term
from shared.domain.passback.readiness.findings import Concern, ReadinessFinding
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


FIRST_YEAR = 1990
# Two weeks of holidays with their weekends; over the New Year three, with the days around them.
MAX_HOLIDAY, MAX_WINTER_HOLIDAY = timedelta(days=18), timedelta(days=24)
# All terms of a school year, with a summer term.
MAX_YEAR = timedelta(days=380)
YEAR = timedelta(days=300)
# Terms of one kind divide a school year among them. Others (exam weeks, a winter term) leave most of it out.
MIN_COVERAGE = 0.6


def term_findings(
    terms: Sequence[DistrictTerm], today: date, incomplete: Collection[int | None] = ()
) -> Iterator[ReadinessFinding]:
    """Yield what looks wrong about the terms of school years that are not over; no gap or overlap that is past.

    Not all terms of the `incomplete` schools are known, so that nothing is said of gaps between them; None stands for
    any school.
    """
    years = defaultdict[int, list[DistrictTerm]](list)
    for term in terms:
        years[term.term.year_id].append(term)
    for year_id, of_year in sorted(years.items()):
        reversed_terms = [t for t in of_year if t.term.last_day < t.term.first_day]
        main, others = _of_the_year(year_id, [t for t in of_year if t not in reversed_terms])
        last_day = max((t.term.last_day for t in main), default=date(year_id + FIRST_YEAR + 1, 6, 30))
        if last_day < today and all(is_over(t.term, today) for t in (*main, *others)):
            continue
        for term in reversed_terms:
            yield _finding(Concern.TERM_REVERSED, term, f"{term.term.first_day} to {term.term.last_day}")
        for term in others:
            days = f"{term.term.first_day} to {term.term.last_day}"
            yield _finding(Concern.TERM_OF_ANOTHER_YEAR, term, f"{days} in {term.term.codes[0]}")
        wrong = {*reversed_terms, *others}
        schools = set() if None in incomplete else {t.school_number for t in of_year}.difference(incomplete)
        for school_number in sorted(schools):
            yield from _between([t for t in of_year if t.school_number == school_number], wrong, today)


def _of_the_year(year_id: int, terms: Sequence[DistrictTerm]) -> tuple[list[DistrictTerm], list[DistrictTerm]]:
    """Return the terms of the school year, and those whose days are not in it.

    The school year is the one that most of the district's terms fit in. Terms of one kind are in it in their order.
    """
    year = year_id + FIRST_YEAR
    near = [t for t in terms if t.term.first_day.year >= year and t.term.last_day.year <= year + 1]
    years = [
        [t for t in near if first_day <= t.term.first_day and t.term.last_day - first_day <= MAX_YEAR]
        for first_day in {t.term.first_day for t in near}
    ]
    main = max(years, key=lambda fitting: (len(fitting), sum(_usual_days(year, t) for t in fitting)), default=[])
    misplaced = {
        min(one, other, key=lambda t: _usual_days(year, t))
        for one, other in combinations(main, 2)
        if _is_out_of_order(one, other)
    }
    main = [t for t in main if t not in misplaced]
    return main, [t for t in terms if t not in main]


def _usual_days(year: int, term: DistrictTerm) -> int:
    """Return how many days of the term are in a school year from July to June."""
    first, last = max(date(year, 7, 1), term.term.first_day), min(date(year + 1, 6, 30), term.term.last_day)
    return max((last - first).days, 0)


def _is_out_of_order(one: DistrictTerm, other: DistrictTerm) -> bool:
    """Say whether terms of one kind are numbered the other way round than their days are."""
    if one.school_number != other.school_number or _letters(one) != _letters(other):
        return False
    first, second = (re.findall(r"\d+", each.abbreviation) for each in (one, other))
    if not first or not second or first == second or one.term.first_day == other.term.first_day:
        return False
    return (int(first[0]) < int(second[0])) != (one.term.first_day < other.term.first_day)


def _between(terms: Sequence[DistrictTerm], wrong: Iterable[DistrictTerm], today: date) -> Iterator[ReadinessFinding]:
    """Yield gaps and overlaps between terms of one kind in one school and year; not beside a term that is wrong."""
    wrong = set(wrong)
    sound = [t for t in terms if t not in wrong]
    longest = max(sound, key=_length, default=None)
    for kind in _kinds(terms):
        if len(kind) < 2 or wrong.intersection(kind):
            continue
        in_order = sorted(kind, key=lambda t: (t.term.first_day, t.term.last_day))
        for one, other in pairwise(in_order):
            # Two programs of a school may have the same terms.
            if one.term.last_day < other.term.first_day or one.term == other.term:
                continue
            until = min(one.term.last_day, other.term.last_day)
            detail = f"{one.abbreviation} and {other.abbreviation}, {other.term.first_day} to {until}"
            if until >= today:
                yield _finding(Concern.TERM_OVERLAP, other, detail)
        days = in_order[-1].term.last_day - in_order[0].term.first_day
        if sum(map(_length, kind), timedelta(0)) < days * MIN_COVERAGE:
            continue
        for one, other in pairwise(in_order):
            yield from _gap(one.term.last_day, other.term.first_day, other, f"{one.abbreviation} and ", today)
        if longest is not None and longest not in kind and _length(longest) > 1.5 * max(map(_length, kind)):
            first, last = in_order[0], in_order[-1]
            begins, ends = f"the beginning of {longest.abbreviation} and ", f"the end of {longest.abbreviation} and "
            yield from _gap(longest.term.first_day, first.term.first_day, first, begins, today)
            yield from _gap(last.term.last_day, longest.term.last_day, last, ends, today)


def _gap(after: date, before: date, term: DistrictTerm, other: str, today: date) -> Iterator[ReadinessFinding]:
    new_year = date(before.year, 1, 1)
    allowed = MAX_WINTER_HOLIDAY if after < new_year <= before else MAX_HOLIDAY
    if before - after > allowed and before > today:
        yield _finding(Concern.TERM_GAP, term, f"between {other}{term.abbreviation}, {after} to {before}")


def _kinds(terms: Sequence[DistrictTerm]) -> list[list[DistrictTerm]]:
    named = defaultdict[str, list[DistrictTerm]](list)
    for term in terms:
        named[_letters(term)].append(term)
    alone = [kind[0] for kind in named.values() if len(kind) == 1]
    shares = defaultdict[int, list[DistrictTerm]](list)
    for term in alone:
        shares[round(YEAR / max(_length(term), timedelta(days=1)))].append(term)
    return [*(kind for kind in named.values() if len(kind) > 1), *shares.values()]


def _letters(term: DistrictTerm) -> str:
    return re.sub(r"[\d\s]+", "", term.abbreviation).casefold()


def _length(term: DistrictTerm) -> timedelta:
    return abs(term.term.last_day - term.term.first_day) + timedelta(days=1)


def _finding(concern: Concern, term: DistrictTerm, detail: str) -> ReadinessFinding:
    name = f"{term.abbreviation}, " if term.abbreviation else ""
    about = f"{name}TERMS.ID {term.id}: {detail}"
    return ReadinessFinding(concern, about, term.school_number, term.term.codes[1])
