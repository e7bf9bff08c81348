"""Whether a sandbox Canvas holds what a sandbox PowerSchool says, entity by entity.

An oracle of its own: it reads the tables of the one and the records of the other, and nothing of what plans or uploads.
It knows the default SIS ids. Compared is what is in force: deleted, completed and suspended records are what is not.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from shared.sandbox.powerschool.rows import Section
from shared.sandbox.powerschool.state import PowerSchool

Records = Mapping[str, list[dict[str, Any]]]
SHOWN = 3


def disagreements(powerschool: PowerSchool, canvas: Records) -> list[str]:
    """Return a line per entity and direction in which the two differ; none where they agree."""
    wanted, found = _wanted(powerschool), _found(canvas)
    lines = []
    # An empty address in the file leaves Canvas's own, so that it is compared only where PowerSchool has one.
    with_address = {row[0] for row in wanted["users"] if row[3]}
    found["users"] = {row if row[0] in with_address else (*row[:3], "") for row in found["users"]}
    for entity, rows in wanted.items():
        for what, some in (("is missing", rows - found[entity]), ("is too much", found[entity] - rows)):
            if some:
                lines.append(f"{entity}: {len(some)} {what}, such as {sorted(some)[:SHOWN]}")
    return lines


def _wanted(powerschool: PowerSchool) -> dict[str, set[tuple[str, ...]]]:
    today = powerschool.today()
    current = [s for s in powerschool.sections.values() if powerschool.term_of(s).last_day >= today]
    return {
        "terms": {(f"{t.school_number}-{t.id}", t.name) for t in powerschool.terms.values() if t.last_day >= today},
        "courses": {(_sis_id(s), _course_name(powerschool, s), _term(s)) for s in current},
        "sections": {(_sis_id(s), _sis_id(s)) for s in current},
        "users": {*_students(powerschool), *_staff(powerschool)},
        "teachers": {(_sis_id(s), f"T{n}") for s in current for n in _teachers(powerschool, s)},
        "students": {(_sis_id(s), n) for s in current for n in _enrolled(powerschool, s)},
    }


def _found(canvas: Records) -> dict[str, set[tuple[str, ...]]]:
    live = {row["course_id"] for row in canvas["courses"] if row["status"] in ("unpublished", "available")}
    sections = {
        (row["section_id"], row["course_id"])
        for row in canvas["sections"]
        if row["status"] == "active" and row["course_id"] in live
    }
    known = {section for section, _ in sections}
    enrolled = [r for r in canvas["enrollments"] if r["status"] == "active" and r["section_id"] in known]
    return {
        "terms": {(row["term_id"], row["name"]) for row in canvas["terms"] if row["status"] == "active"},
        "courses": {
            (r["course_id"], r["long_name"], r["term_id"]) for r in canvas["courses"] if r["course_id"] in live
        },
        "sections": sections,
        "users": {
            (row["user_id"], row["login_id"], row["full_name"], row["email"] or "")
            for row in canvas["users"]
            if row["status"] not in ("deleted", "suspended")
        },
        "teachers": {(row["section_id"], row["user_id"]) for row in enrolled if row["role"] == "teacher"},
        "students": {(row["section_id"], row["user_id"]) for row in enrolled if row["role"] == "student"},
    }


def _sis_id(section: Section) -> str:
    return str(section.dcid)


def _term(section: Section) -> str:
    return f"{section.school_number}-{section.term_id}"


def _course_name(powerschool: PowerSchool, section: Section) -> str:
    # A course that is in no catalog of the school or the district is called by its number.
    own = {c.school_number: c.name for c in powerschool.courses.values() if c.number == section.course_number}
    return own.get(section.school_number) or own.get(0) or section.course_number


def _students(powerschool: PowerSchool) -> Iterable[tuple[str, str, str, str]]:
    for each in powerschool.students.values():
        if each.enroll_status == 0:
            # Whom the sandbox has no last name for is called by the DCID.
            last_name = each.last_name or f"No. {each.dcid}"
            yield each.number, each.number, f"{each.first_name} {last_name}", each.email or ""


def _staff(powerschool: PowerSchool) -> Iterable[tuple[str, str, str, str]]:
    for each in powerschool.staff.values():
        if each.active:
            number = f"T{each.teacher_number}"
            yield number, number, f"{each.first_name} {each.last_name}".strip(), each.email or ""


def _teachers(powerschool: PowerSchool, section: Section) -> Iterable[str]:
    for teacher in section.teachers:
        if teacher.end_date is None or teacher.end_date >= powerschool.today():
            numbers = {
                s.teacher_number for s in powerschool.staff.values() if s.dcid == teacher.users_dcid and s.active
            }
            yield from numbers


def _enrolled(powerschool: PowerSchool, section: Section) -> Iterable[str]:
    # Before the term its first day counts, so that classes are filled before they begin.
    today = max(powerschool.today(), powerschool.term_of(section).first_day)
    for row in powerschool.rosters[section.dcid]:
        student = powerschool.students.get(row.student_dcid)
        is_gone = row.dropped or (row.exit_date is not None and row.exit_date <= today)
        if student is not None and student.enroll_status == 0 and row.entry_date <= today and not is_gone:
            yield student.number
