"""Users: who gets a login in Canvas, and under which SIS id."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from shared.domain.applied_rows import MAX_TEXT_CHARS, Applied, tidy, value, with_value
from shared.domain.provisioning_policy import ProvisioningPolicy
from shared.domain.roster import Roster, StaffMember, Student
from shared.domain.roster_problems import Problem, RosterProblem
from shared.domain.sis_import import Entity, SisRow, in_order
from shared.domain.sis_templates import SisIdTemplate

MAX_PART_CHARS = (MAX_TEXT_CHARS - 1) // 2
"""Longest first or last name: Canvas joins both, with a space, into one column."""


@dataclass(frozen=True, slots=True)
class Person:
    """A student or a member of the staff, alike as far as Canvas is concerned."""

    source: str
    fields: Mapping[str, str]
    sis_id: SisIdTemplate
    login: SisIdTemplate
    first_name: str
    last_name: str
    email: str
    user_type: str
    school_number: int
    is_active: bool


@dataclass(frozen=True, slots=True)
class People:
    """The users' rows by record, those of people who left included, and what kept others out.

    `by_source` maps a PowerSchool record to its row; `active` names the records of those who are in school.
    """

    by_source: Mapping[str, SisRow]
    active: frozenset[str]
    problems: tuple[RosterProblem, ...]

    def sis_id(self, source: str) -> str | None:
        """Return the SIS id of a record's user."""
        row = self.by_source.get(source)
        return None if row is None else value(Entity.USERS, row, "user_id")


def student_source(dcid: int) -> str:
    """Return how a student's record is named to a person."""
    return f"STUDENTS.DCID {dcid}"


def staff_source(users_dcid: int) -> str:
    """Return how a staff member's record is named to a person."""
    return f"USERS.DCID {users_dcid}"


def people_of(roster: Roster, policy: ProvisioningPolicy, applied: Applied) -> People:
    """Return everybody who can be a user.

    Of two with one SIS id or login, it goes to one who is in school, then to the one who has both in Canvas already,
    then to one whose record is complete, then to the one whose record sorts first. Whoever is left out but was
    applied before keeps the row of then: a missing e-mail address must not lock a student out.
    """
    persons = _persons(roster, policy)
    problems: list[RosterProblem] = []
    rows: dict[str, SisRow] = {}
    ids: set[str] = set()
    logins: set[str] = set()
    for person in sorted(persons, key=lambda p: _turn(p, applied)):
        found = list(_problems(person, ids, logins))
        row = _earlier(person, applied) if any(p.text.leaves_out for p in found) else _row(person)
        if person.is_active:
            problems += found
        if row is None or value(Entity.USERS, row, "user_id") in ids:
            continue
        rows[person.source] = row
        ids.add(value(Entity.USERS, row, "user_id"))
        logins.add(value(Entity.USERS, row, "login_id").casefold())
    active = frozenset(p.source for p in persons if p.is_active and p.source in rows)
    return People(rows, active, tuple(problems))


def user_rows(people: People, enrolled_ids: Iterable[str]) -> tuple[SisRow, ...]:
    """Return users.csv: all who are in school, and of those who left only the ones whom an enrollment names."""
    enrolled = frozenset(enrolled_ids)
    wanted = (
        row
        for source, row in people.by_source.items()
        if source in people.active or value(Entity.USERS, row, "user_id") in enrolled
    )
    return in_order(wanted)


def _earlier(person: Person, applied: Applied) -> SisRow | None:
    row = applied.user(person.source)
    return row and with_value(Entity.USERS, row, "status", _status(person))


def _status(person: Person) -> str:
    return "active" if person.is_active else "suspended"


def _turn(person: Person, applied: Applied) -> tuple[bool, bool, bool, str]:
    row = applied.user(person.source)
    both = (person.sis_id.render(person.fields), person.login.render(person.fields))
    has_both = row is not None and row.values[:2] == both
    return (not person.is_active, not has_both, any(_problems(person, set(), set())), person.source)


def _persons(roster: Roster, policy: ProvisioningPolicy) -> list[Person]:
    """Return everybody once: of a record that was read twice, the first reading counts."""
    persons = [*(_staff(s, policy) for s in roster.staff), *(_student(s, policy) for s in roster.students)]
    return list({person.source: person for person in reversed(persons)}.values())


def _staff(staff: StaffMember, policy: ProvisioningPolicy) -> Person:
    email = tidy(staff.email or "")
    return Person(
        staff_source(staff.users_dcid),
        {"teacher_number": tidy(staff.teacher_number), "users_dcid": str(staff.users_dcid), "email": email},
        policy.staff_sis_id,
        policy.staff_login_id,
        tidy(staff.first_name),
        tidy(staff.last_name),
        email,
        "teacher",
        staff.school_numbers[0] if len(staff.school_numbers) == 1 else 0,
        staff.is_active,
    )


def _student(student: Student, policy: ProvisioningPolicy) -> Person:
    email = tidy(student.email or "")
    return Person(
        student_source(student.dcid),
        {"student_number": tidy(student.number), "student_dcid": str(student.dcid), "email": email},
        policy.student_sis_id,
        policy.student_login_id,
        tidy(student.first_name),
        tidy(student.last_name),
        email,
        "student",
        student.school_number,
        student.is_active,
    )


def _problems(person: Person, ids: set[str], logins: set[str]) -> Iterator[RosterProblem]:
    if missing := person.sis_id.missing(person.fields):
        yield RosterProblem(Problem.PERSON_ID_INCOMPLETE, person.source, ", ".join(sorted(missing)))
    elif person.sis_id.render(person.fields) in ids:
        yield RosterProblem(Problem.PERSON_ID_TAKEN, person.source)
    if missing := person.login.missing(person.fields):
        yield RosterProblem(Problem.LOGIN_INCOMPLETE, person.source, ", ".join(sorted(missing)))
    elif person.login.render(person.fields).casefold() in logins:
        yield RosterProblem(Problem.LOGIN_TAKEN, person.source)
    if not (person.first_name or person.last_name):
        yield RosterProblem(Problem.NAME_MISSING, person.source)
    if max(len(person.first_name), len(person.last_name)) > MAX_PART_CHARS:
        yield RosterProblem(Problem.NAME_TOO_LONG, person.source)


def _row(person: Person) -> SisRow:
    values = (
        person.sis_id.render(person.fields),
        person.login.render(person.fields),
        person.first_name[:MAX_PART_CHARS],
        person.last_name[:MAX_PART_CHARS],
        person.email,
        person.user_type,
        _status(person),
    )
    return SisRow(values, person.school_number, person.source)
