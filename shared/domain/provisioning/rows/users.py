"""Plans users: their SIS ids, logins and rows."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from shared.domain.provisioning.imports.corrections import (
    NOTHING_KNOWN,
    CanvasUsers,
    SisIdChange,
    login_holder,
    original_id,
    placeholder_login,
)
from shared.domain.provisioning.policy import PreRegistered, ProvisioningPolicy, SisIdTemplate
from shared.domain.provisioning.problems import RosterProblem, RosterProblemCode
from shared.domain.provisioning.roster import Roster, StaffMember, Student
from shared.domain.provisioning.rows.sis_rows import (
    MAX_TEXT_CHARS,
    USERS,
    Entity,
    LastImport,
    SisRow,
    in_order,
    login_of,
    normalize_whitespace,
    replace_value,
    user_id_of,
    value,
)
from shared.domain.provisioning.rows.unique_values import Assigned, Claim, assign_unique

MAX_PART_CHARS = (MAX_TEXT_CHARS - 1) // 2
"""Longest first or last name: Canvas joins both, with a space, into one column."""


@dataclass(frozen=True, slots=True)
class CanvasUser:
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

    @property
    def wanted_id(self) -> str:
        """The SIS id that the template makes of the record."""
        return self.sis_id.render(self.fields)

    @property
    def wanted_login(self) -> str:
        """The login that the template makes of the record."""
        return self.login.render(self.fields)


@dataclass(frozen=True, slots=True)
class UserDirectory:
    """The users' rows by record, those of people who left included, and the problems of the others.

    `by_source` maps a PowerSchool record to its row; `active` names the records of those who are in school.
    `id_changes` are those whose SIS id Canvas must change first; `deviating_ids` are SIS ids by record that are not
    what the templates make of it, since Canvas has others.
    """

    by_source: Mapping[str, SisRow]
    active: frozenset[str]
    problems: tuple[RosterProblem, ...]
    id_changes: tuple[SisIdChange, ...] = ()
    deviating_ids: Mapping[str, str] = field(default_factory=dict)

    def sis_id(self, source: str) -> str | None:
        """Return the SIS id of a record's user."""
        row = self.by_source.get(source)
        return None if row is None else user_id_of(row)


def student_source(dcid: int) -> str:
    """Return how a student's record is named to a person."""
    return f"STUDENTS.DCID {dcid}"


def student_dcid_of(source: str) -> int | None:
    """Return the student whose record is named so; None for any other record."""
    kind, _, dcid = source.partition(" ")
    return int(dcid) if kind == "STUDENTS.DCID" else None


def staff_source(users_dcid: int) -> str:
    """Return how a staff member's record is named to a person."""
    return f"USERS.DCID {users_dcid}"


def is_in_school(student: Student, policy: ProvisioningPolicy) -> bool:
    """Say whether a student counts as one of the school: a pre-registered one as the district decided."""
    return student.is_active or (student.is_pre_registered and policy.pre_registered is PreRegistered.ACTIVE)


def build_directory(
    roster: Roster, policy: ProvisioningPolicy, applied: LastImport, canvas: CanvasUsers = NOTHING_KNOWN
) -> UserDirectory:
    """Return everybody who can be a user.

    A SIS id or login that two want goes to one who is in school, then to the one who has it in Canvas already, then to
    one whose record is complete, then to the one whose record sorts first. A person who is left out and was applied
    before keeps that row: a missing e-mail address must not lock a student out. A person whose number changed is the
    same person, whose SIS id Canvas changes first; where it refuses, the old one stays.
    """
    persons = _candidates(roster, policy)
    retained = _retained_rows(roster, applied)
    rows = dict(retained)
    taken_ids = {user_id_of(row): source for source, row in rows.items()}
    ids = assign_unique([_id_claim(person, applied, canvas) for person in persons], taken_ids)
    taken = _logins_not_freed(persons, applied, canvas) | {login_of(row): source for source, row in rows.items()}
    logins = assign_unique([_login_claim(p, ids, applied, canvas) for p in persons], taken)
    problems: list[RosterProblem] = []
    in_school = {person.source for person in persons if person.is_active}
    for person in persons:
        found = list(_problems(person, ids, logins, canvas, in_school))
        problems += found if person.is_active else []
        row = _assigned_row(person, found, ids, logins, applied)
        if row is not None:
            rows[person.source] = row
    active = {source for source, row in retained.items() if value(Entity.USERS, row, "status") == "active"}
    active |= {p.source for p in persons if p.is_active and p.source in rows}
    return UserDirectory(
        rows, frozenset(active), tuple(problems), _id_changes(rows, applied), _stored_ids(persons, rows)
    )


def _retained_rows(roster: Roster, applied: LastImport) -> dict[str, SisRow]:
    """Return the applied rows of the people whose record cannot be read, by record."""
    found = {odd.source: applied.user(odd.source) for odd in roster.odd_rows}
    return {source: row for source, row in found.items() if row is not None}


def user_rows(people: UserDirectory, enrolled_ids: Iterable[str]) -> tuple[SisRow, ...]:
    """Return users.csv: all who are in school, and of those who left only the ones whom an enrollment names."""
    enrolled = frozenset(enrolled_ids)
    wanted = (row for source, row in people.by_source.items() if source in people.active or user_id_of(row) in enrolled)
    return in_order(wanted)


def _id_claim(person: CanvasUser, applied: LastImport, canvas: CanvasUsers) -> Claim:
    row = applied.user(person.source)
    held = None if row is None else user_id_of(row)
    wanted = None if person.sis_id.missing(person.fields) else person.wanted_id
    if held is not None and wanted is not None and canvas.refused_ids.get(person.source) == wanted:
        wanted = original_id(held)
    if held is not None and person.source in canvas.waiting:
        wanted = held
    return Claim(person.source, wanted, held, _priority(person))


def _login_claim(person: CanvasUser, ids: Assigned, applied: LastImport, canvas: CanvasUsers) -> Claim:
    row = applied.user(person.source)
    held = None if row is None else login_of(row)
    wanted = None if person.login.missing(person.fields) else person.wanted_login.casefold()
    if row is not None and user_id_of(row) in canvas.refused_logins:
        wanted = None
    is_late, is_odd = _priority(person)
    return Claim(person.source, wanted, held, (is_late or person.source not in ids.values, is_odd))


def _logins_not_freed(persons: Iterable[CanvasUser], applied: LastImport, canvas: CanvasUsers) -> dict[str, str]:
    """Return the logins that Canvas would not free, with who has them."""
    if not canvas.refused_logins:
        return {}
    by_login = {login_of(row): row for row in applied.rows(USERS)}
    wanted = {person.wanted_login.casefold() for person in persons} | by_login.keys()
    holders = {login: login_holder(login, by_login, canvas.former_logins) for login in wanted}
    return {
        login: holder.source
        for login, holder in holders.items()
        if holder is not None and holder.user_id in canvas.refused_logins
    }


def _priority(person: CanvasUser) -> tuple[bool, bool]:
    return (not person.is_active, any(_problems_of_user(person)))


def _assigned_row(
    person: CanvasUser, problems: Iterable[RosterProblem], ids: Assigned, logins: Assigned, applied: LastImport
) -> SisRow | None:
    """Return the person's row with the SIS id and login that are theirs; None for who has none."""
    sis_id, login = ids.values.get(person.source), logins.values.get(person.source)
    earlier = applied.user(person.source)
    leaves_out = any(problem.code.leaves_out for problem in problems)
    row = earlier if leaves_out else _row(person)
    if login is None and person.source in logins.lost_to and not person.is_active and sis_id is not None:
        # One who left gives up the login; Canvas has no user without one.
        row, login = earlier or _row(person), placeholder_login(sis_id)
    if row is None or sis_id is None or login is None:
        return None
    row = replace_value(Entity.USERS, row, "status", _status(person))
    row = replace_value(Entity.USERS, row, "user_id", sis_id)
    if login_of(row) == login:
        return row
    return replace_value(Entity.USERS, row, "login_id", _original_spelling(login, person, earlier))


def _original_spelling(login: str, person: CanvasUser, earlier: SisRow | None) -> str:
    """Return the login with the capital letters of its source: Canvas stores them, and compares without case."""
    known = [person.wanted_login, *([] if earlier is None else [value(Entity.USERS, earlier, "login_id")])]
    return next((each for each in known if each.casefold() == login), login)


def _id_changes(rows: Mapping[str, SisRow], applied: LastImport) -> tuple[SisIdChange, ...]:
    found = []
    for source, row in rows.items():
        earlier = applied.user(source)
        if earlier is not None and user_id_of(earlier) != user_id_of(row):
            found.append(SisIdChange(source, user_id_of(earlier), user_id_of(row), row.school_number))
    return tuple(sorted(found))


def _stored_ids(persons: Iterable[CanvasUser], rows: Mapping[str, SisRow]) -> dict[str, str]:
    """Return the SIS ids that stay what they were, though the record says another."""
    ids = ((person, user_id_of(rows[person.source])) for person in persons if person.source in rows)
    return {person.source: sis_id for person, sis_id in ids if sis_id != person.wanted_id}


def _status(person: CanvasUser) -> str:
    return "active" if person.is_active else "suspended"


def _candidates(roster: Roster, policy: ProvisioningPolicy) -> list[CanvasUser]:
    """Return everybody once: of a record that was read twice, the first reading counts."""
    persons = [*(_staff(s, policy) for s in roster.staff), *(_student(s, policy) for s in roster.students)]
    return list({person.source: person for person in reversed(persons)}.values())


def _staff(staff: StaffMember, policy: ProvisioningPolicy) -> CanvasUser:
    email = normalize_whitespace(staff.email or "")
    return CanvasUser(
        staff_source(staff.users_dcid),
        {
            "teacher_number": normalize_whitespace(staff.teacher_number),
            "users_dcid": str(staff.users_dcid),
            "email": email,
        },
        policy.staff_sis_id,
        policy.staff_login_id,
        normalize_whitespace(staff.first_name),
        normalize_whitespace(staff.last_name),
        email,
        "teacher",
        staff.school_numbers[0] if len(staff.school_numbers) == 1 else 0,
        staff.is_active,
    )


def _student(student: Student, policy: ProvisioningPolicy) -> CanvasUser:
    email = normalize_whitespace(student.email or "")
    return CanvasUser(
        student_source(student.dcid),
        {"student_number": normalize_whitespace(student.number), "student_dcid": str(student.dcid), "email": email},
        policy.student_sis_id,
        policy.student_login_id,
        normalize_whitespace(student.preferred_first_name or student.first_name),
        normalize_whitespace(student.preferred_last_name or student.last_name),
        email,
        "student",
        student.school_number,
        is_in_school(student, policy),
    )


def _problems(
    person: CanvasUser, ids: Assigned, logins: Assigned, canvas: CanvasUsers, in_school: Collection[str]
) -> Iterator[RosterProblem]:
    source = person.source
    login_owner = logins.lost_to.get(source)
    if source in ids.lost_to and not person.sis_id.missing(person.fields):
        yield RosterProblem(RosterProblemCode.PERSON_ID_TAKEN, source, f"by {ids.lost_to[source]}")
    elif canvas.refused_ids.get(source) == person.wanted_id and ids.values.get(source) != person.wanted_id:
        yield RosterProblem(RosterProblemCode.PERSON_ID_REFUSED, source, f"SIS id {person.wanted_id}")
    # Without a SIS id there is no user: then a login counts as taken only by somebody who stays in the files.
    if login_owner and (source in ids.values or login_owner in in_school) and not person.login.missing(person.fields):
        yield RosterProblem(RosterProblemCode.LOGIN_TAKEN, source, f"by {login_owner}")
    yield from _problems_of_user(person)


def _problems_of_user(person: CanvasUser) -> Iterator[RosterProblem]:
    """Yield what is wrong with the record, whatever others have."""
    if missing := person.sis_id.missing(person.fields):
        yield RosterProblem(RosterProblemCode.PERSON_ID_INCOMPLETE, person.source, ", ".join(sorted(missing)))
    if missing := person.login.missing(person.fields):
        yield RosterProblem(RosterProblemCode.LOGIN_INCOMPLETE, person.source, ", ".join(sorted(missing)))
    if not (person.first_name or person.last_name):
        yield RosterProblem(RosterProblemCode.NAME_MISSING, person.source)
    if max(len(person.first_name), len(person.last_name)) > MAX_PART_CHARS:
        yield RosterProblem(RosterProblemCode.NAME_TOO_LONG, person.source)


def _row(person: CanvasUser) -> SisRow:
    values = (
        person.wanted_id,
        person.wanted_login,
        person.first_name[:MAX_PART_CHARS],
        person.last_name[:MAX_PART_CHARS],
        person.email,
        person.user_type,
        _status(person),
    )
    return SisRow(values, person.school_number, person.source)
