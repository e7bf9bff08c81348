"""Rows of change_sis_id.csv, accounts.csv, terms.csv, courses.csv and sections.csv, applied to the sandbox's records.

Source: canvas-lms lib/sis/{account,term,course,section}_importer.rb. What is equal is not saved, so it raises no event.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from shared.sandbox.canvas.seed import Group, Section, Term
from shared.sandbox.canvas.sis_import.files import Line
from shared.sandbox.canvas.sis_import.records import RowProblem, Work, required, status_of
from shared.sandbox.canvas.state import SERVICE_USER_ID, Account, Course

CLEARED: Final = "<delete>"

# The records of a type by SIS id, and the field that holds the SIS id.
TYPES: Final[Mapping[str, tuple[Callable[[Work], dict[str, Any]], str]]] = {
    "user": (lambda work: work.directory.users, "sis_user_id"),
    "course": (lambda work: work.directory.courses, "sis_course_id"),
    "section": (lambda work: work.directory.sections, "sis_section_id"),
    "term": (lambda work: work.directory.terms, "sis_term_id"),
}


def apply_change_sis_id(work: Work, row: Line) -> None:
    """Give a record another SIS id (change_sis_id.csv).

    Canvas looks at the new id before the old one, deleted records included, and changes one record per row. A row that
    is repeated is therefore refused for its new id, which exists by then. Stickiness plays no part: no SIS id sticks.
    Source: Canvas "SIS Import Format", change_sis_id.csv; canvas-lms lib/sis/change_sis_id_importer.rb, whose words
    these are. Accounts, groups and integration ids are left out.

    Raises `RowProblem` for an old id that nothing has and a new one that is taken.
    """
    old, new = row["old_id"], row["new_id"]
    if not row["type"]:
        raise RowProblem("No type given for change_sis_id")
    if not old:
        raise RowProblem("No old_id or old_integration_id given for change_sis_id")
    if not new:
        raise RowProblem("No new_id or new_integration_id given for change_sis_id")
    kind = row["type"].lower()
    if kind not in TYPES:
        raise RowProblem(f"Invalid type '{kind}' for change_sis_id")
    records_of, field = TYPES[kind]
    records = records_of(work)
    if new in records:
        raise RowProblem(
            f"A new_id, '{new}', referenced an existing {kind} and the {kind} with "
            f"{'sis_user_id' if kind == 'user' else 'sis_source_id'} '{old}' was not updated"
        )
    if old not in records:
        raise RowProblem(f"An old_id, '{old}', referenced a non-existent {kind} and was not changed.")
    found = records.pop(old)
    records[new] = found
    setattr(found[1] if kind == "section" else found, field, new)


def apply_account(work: Work, row: Line) -> None:
    """Create, rename or delete a sub-account."""
    sis_id, parent = row["account_id"], row["parent_account_id"] or None
    required("an account", account_id=sis_id)
    status = status_of(row["status"], ("active", "deleted"), f"account {sis_id}")
    if parent is not None and parent not in work.canvas.accounts:
        raise RowProblem(f"Parent account didn't exist for {sis_id}")
    account = work.canvas.accounts.get(sis_id)
    if account is None:
        required(f"account {sis_id}, skipping", name=row["name"])
        work.canvas.accounts[sis_id] = account = Account(sis_id, row["name"], parent, status)
        work.created(account, status)
    else:
        work.assign(account, name=row["name"], parent_sis_id=parent, workflow_state=status)


def apply_term(work: Work, row: Line) -> None:
    """Create, change or delete a term; empty dates clear. Rows that override dates for a role are left alone."""
    sis_id = row["term_id"]
    required("a term", term_id=sis_id)
    status = status_of(row["status"], ("active", "deleted"), f"term {sis_id}")
    if row["date_override_enrollment_type"]:
        return
    required(f"term {sis_id}", name=row["name"])
    start_at, end_at = (work.date(row[name], f"term {sis_id}") for name in ("start_date", "end_date"))
    term = work.directory.terms.get(sis_id)
    if status == "deleted" and any(
        c.term is term and c.workflow_state != "deleted" for c in work.canvas.courses.values()
    ):
        # The rule is recalled from EnrollmentTerm's validation, and so are its words.
        error = "Cannot delete a term with active courses"
        raise RowProblem(f"A term did not pass validation (term: {sis_id} / {row['name']}, error: {error})")
    if term is None:
        term = Term(id=work.canvas.new_id(), name=row["name"], sis_term_id=sis_id, workflow_state=status)
        work.directory.terms[sis_id] = term
        work.canvas.terms.append(term)
        work.created(term, status)
    dates: dict[str, Any] = {"start_at": start_at, "end_at": end_at}
    if term.stuck_sis_fields & set(dates) and not work.override_sis_stickiness:
        # One date edited by hand holds both.
        dates = {}
    work.assign(term, name=row["name"], workflow_state=status, **dates)


def apply_course(work: Work, row: Line) -> None:
    """Create, change, publish, end or delete a course. An unknown term is ignored, as in Canvas."""
    sis_id, name = row["course_id"], row["long_name"]
    required("a course", course_id=sis_id)
    required(f"course {sis_id}", short_name=row["short_name"], long_name=name)
    known = ("active", "deleted", "completed", "unpublished", "published")
    status = status_of(row["status"], known, f"course {sis_id}")
    account = _account(work, row["account_id"], sis_id)
    course = work.directory.courses.get(sis_id)
    state = course_state(course.workflow_state if course else None, status)
    dates = {field: work.date(row[column], f"course {sis_id}") for field, column in _given_dates(row)}
    term = work.directory.terms.get(row["term_id"])
    values: dict[str, Any] = {"name": name, "code": row["short_name"], **dates}
    values |= {"account_sis_id": account.sis_account_id} if account else {}
    values |= {"term": term} if term is not None and term.workflow_state == "active" else {}
    if course is None:
        course = _new_course(work, sis_id, name, state)
        work.assign(course, **values)
        work.canvas.events.course(course, work.origin, "course_created")
    elif work.assign(course, workflow_state=state, **values):
        course.updated_at, course.concluded = work.canvas.clock.now(), course.workflow_state == "completed"
        work.canvas.events.course(course, work.origin)
    if course.workflow_state == "deleted":
        _delete_enrollments(work, course, None)


def course_state(before: str | None, status: str) -> str:
    """Return a course's state after a row. `active` never unpublishes, and brings what ended back published."""
    match status, before:
        case (("deleted" | "completed"), _):
            return status
        case _, ("completed" | "available"):
            return "available"
        case _:
            return "available" if status == "published" else "unpublished"


def apply_section(work: Work, row: Line) -> None:
    """Create, change, move or delete a section; empty dates clear."""
    sis_id, course_sis_id = row["section_id"], row["course_id"]
    required(f"a section in course {course_sis_id}", section_id=sis_id)
    required(f"a section {sis_id}", course_id=course_sis_id)
    where = f"section {sis_id} in course {course_sis_id}"
    status = status_of(row["status"], ("active", "deleted"), where)
    required(where, name=row["name"])
    course = work.directory.courses.get(course_sis_id)
    if course is None:
        raise RowProblem(f"Section {sis_id} references course {course_sis_id} which doesn't exist")
    dates = {f"{end}_at": work.date(row[f"{end}_date"], f"section {sis_id}") for end in ("start", "end")}
    values: dict[str, Any] = {"name": row["name"], "workflow_state": status, **dates}
    found = work.directory.sections.get(sis_id)
    if found is None:
        section = Section(id=work.canvas.new_id(), name=row["name"], sis_section_id=sis_id, workflow_state=status)
        course.sections[section.id] = section
        work.directory.sections[sis_id] = course, section
        work.created(section, status)
        work.assign(section, **values)
        work.canvas.events.section(course, section, work.origin, "course_section_created")
        return
    home, section = found
    moved = _moves(work, home, course, section, status) and _move(work, home, course, section)
    if work.assign(section, **values) or moved:
        home, _ = work.directory.sections[sis_id]
        work.canvas.events.section(home, section, work.origin)
    if section.workflow_state == "deleted":
        _delete_enrollments(work, home, section)


def default_section(work: Work, course: Course) -> Section:
    """Return the section for enrollments that name none, made when it is needed first."""
    for section in course.listed_sections():
        if section.default_section:
            return section
    section = Section(id=work.canvas.new_id(), name=course.name, default_section=True)
    course.sections[section.id] = section
    work.canvas.events.section(course, section, work.origin, "course_section_created")
    return section


def _account(work: Work, sis_id: str, course_sis_id: str) -> Account | None:
    if not sis_id:
        return None
    account = work.canvas.accounts.get(sis_id)
    if account is None:
        raise RowProblem(f'Account not found "{sis_id}" for course {course_sis_id}')
    if account.workflow_state == "deleted":
        raise RowProblem(f"Cannot restore course {course_sis_id} because the associated account {sis_id} is deleted")
    return account


def _given_dates(row: Line) -> list[tuple[str, str]]:
    """Return fields and columns of the dates to set: an empty one changes nothing, `<delete>` clears."""
    columns = [("start_at", "start_date"), ("end_at", "end_date")]
    cleared = [(field, "") for field, column in columns if row[column] == CLEARED]
    return cleared + [(field, column) for field, column in columns if row[column] not in ("", CLEARED)]


def _new_course(work: Work, sis_id: str, name: str, state: str) -> Course:
    canvas, now = work.canvas, work.canvas.clock.now()
    course = Course(
        id=canvas.new_id(),
        name=name,
        sis_course_id=sis_id,
        workflow_state=state,
        concluded=state == "completed",
        sis_feature=canvas.seed.sis_feature,
        term=canvas.terms[0],
        teacher_user_id=SERVICE_USER_ID,
        created_at=now,
        updated_at=now,
    )
    group = Group(id=canvas.new_id(), name="Assignments")
    course.groups[group.id] = group
    canvas.courses[course.id] = course
    work.directory.courses[sis_id] = course
    work.created(course, state)
    return course


def _moves(work: Work, home: Course, course: Course, section: Section, status: str) -> bool:
    """Say whether the row moves the section: a cross-listed one only if its course of origin is another as well."""
    if home.id == course.id:
        return False
    is_stuck = "course_id" in section.stuck_sis_fields and not work.override_sis_stickiness
    if section.nonxlist_course_id is None:
        return not is_stuck
    to_another = section.nonxlist_course_id != course.id and not is_stuck
    return to_another or (home.workflow_state == "deleted" and status == "active")


def _move(work: Work, home: Course, course: Course, section: Section) -> bool:
    course.sections[section.id] = home.sections.pop(section.id)
    section.nonxlist_course_id = None
    for enrollment in [e for e in home.enrollments.values() if e.section_id == section.id]:
        course.enrollments[enrollment.id] = home.enrollments.pop(enrollment.id)
        enrollment.course_id = course.id
        work.canvas.events.enrollment("enrollment_updated", course, enrollment, work.origin)
    work.directory.sections[section.sis_section_id or ""] = course, section
    return True


def _delete_enrollments(work: Work, course: Course, section: Section | None) -> None:
    """Delete the enrollments of what was deleted, in bulk: no events."""
    for enrollment in list(course.enrollments.values()):
        if section is None or enrollment.section_id == section.id:
            work.set_state(enrollment, "deleted")
