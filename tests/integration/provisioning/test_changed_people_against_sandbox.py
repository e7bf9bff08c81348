"""People whose numbers and logins change in PowerSchool, through to the sandbox's Canvas."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest

from shared.domain.provisioning.rows.sis_rows import Entity
from shared.domain.provisioning.run import Run, RunState
from shared.sandbox.canvas.state import User
from shared.sandbox.district.generator import DistrictSize
from shared.sandbox.powerschool.actions import RosterActions
from shared.sandbox.powerschool.rows import Staff, Student
from tests.fault_injection.provisioning.town import RosterTown, roster_town

pytestmark = pytest.mark.xdist_group("provisioning")

SMALL = DistrictSize(schools=1, students=30, sections=6)
TAUGHT = DistrictSize(schools=2, students=30, sections=40)
BY_EMAIL = {"LOGIN_IDS": "student:{email}"}


@pytest.fixture
def town() -> Iterator[RosterTown]:
    with roster_town(SMALL) as one:
        assert one.ask().state is RunState.DONE
        yield one


@pytest.fixture
def by_email() -> Iterator[RosterTown]:
    """Return a town whose students log in by their e-mail addresses; everybody has one."""
    with roster_town(SMALL, **BY_EMAIL) as one:
        for student in one.rosters.students.values():
            student.email = student.email or f"own{student.dcid}@district.example"
        assert one.ask().state is RunState.DONE
        yield one


def in_class(town: RosterTown, count: int = 1) -> list[Student]:
    """Return students who are in a class of a term that is under way."""
    today, rosters = town.today, town.rosters
    terms = {s.dcid: rosters.term_of(s) for s in rosters.sections.values()}
    current = [s for s in rosters.sections.values() if terms[s.dcid].first_day <= today < terms[s.dcid].last_day]
    dcids = dict.fromkeys(row.student_dcid for s in current for row in rosters.rosters[s.dcid] if row.covers(today))
    found = [rosters.students[dcid] for dcid in dcids if rosters.students[dcid].enroll_status == 0]
    return found[:count]


def renumber(town: RosterTown, student: Student, number: str) -> None:
    RosterActions(town.rosters).change_student(student_dcid=student.dcid, number=number)


def user(town: RosterTown, sis_id: str) -> User:
    """Return Canvas's user of a SIS id."""
    [found] = [each for each in town.canvas.state.sandbox.users.values() if each.sis_user_id == sis_id]
    assert isinstance(found, User)
    return found


def kinds(run: Run) -> list[str]:
    """Return what the run's imports were of."""
    return [",".join(upload.entities) for upload in run.uploads]


def codes(run: Run) -> set[str]:
    return {problem.code.value for problem in run.problems}


def test_a_renumbered_student_keeps_account_and_classes(town: RosterTown) -> None:
    """The SIS id changes before any other file of the run, no enrollment ends, and the next run has nothing to do."""
    [student] = in_class(town)
    before = user(town, student.number)
    renumber(town, student, "77001")
    run = town.ask()

    assert (run.state, kinds(run)[0]) == (RunState.DONE, "change_sis_id")
    assert town.disagreements() == []
    assert user(town, "77001") is before
    assert not [each for each in run.uploads if each.failures + each.warnings]
    imports = len(town.imports)
    assert (town.ask().state, len(town.imports)) == (RunState.DONE, imports)


def test_renumbered_staff_keep_account_and_classes(town: RosterTown) -> None:
    """As students do."""
    lead = next(s.lead for s in town.rosters.sections.values() if s.lead)
    member: Staff = next(each for each in town.rosters.staff.values() if each.dcid == lead)
    before = user(town, f"T{member.teacher_number}")
    RosterActions(town.rosters).change_staff(users_dcid=member.dcid, teacher_number="88001")

    assert (town.ask().state, town.disagreements()) == (RunState.DONE, [])
    assert user(town, "T88001") is before


def test_numbers_that_are_exchanged_and_handed_on(town: RosterTown) -> None:
    """Two who exchange numbers, and a chain of three, all stay who they are."""
    a, b, c, d, e = in_class(town, 5)
    users = {each.dcid: user(town, each.number) for each in (a, b, c, d, e)}
    numbers = (b.number, a.number, d.number, e.number, "77002")
    for student, number in zip((a, b, c, d, e), numbers, strict=True):
        renumber(town, student, number)

    run = town.ask()
    assert (run.state, town.disagreements()) == (RunState.DONE, [])
    assert {dcid: found.sis_user_id for dcid, found in users.items()} == {
        each.dcid: each.number for each in (a, b, c, d, e)
    }


def test_a_refused_number_changes_nothing_and_is_reported(town: RosterTown) -> None:
    """Somebody else in Canvas has the new SIS id: the old one stays, and only a person or the schedule asks again."""
    [student] = in_class(town)
    canvas, old = town.canvas.state.sandbox, student.number
    stranger = user(town, in_class(town, 2)[1].number)
    canvas.users[10**6] = replace(stranger, id=10**6, sis_user_id="77003", login_id="stranger")
    before = user(town, old)
    renumber(town, student, "77003")
    run = town.ask()

    assert (run.state, before.sis_user_id) == (RunState.DONE, old)
    assert "person_id_refused" in codes(run)
    assert [each["status"] for each in town.canvas_roster()["enrollments"] if each["user_id"] == old].count("active")
    again = town.service.provision_runs.open(run.kind, type(run.cause)("data_version"), town.now)
    quiet = town.finished(again.id)
    assert (quiet.state, kinds(quiet)) == (RunState.DONE, [])
    assert "person_id_refused" in codes(quiet)
    del canvas.users[10**6]
    assert (town.ask().state, town.disagreements()) == (RunState.DONE, [])


def test_passback_knows_a_student_by_the_id_that_canvas_has(town: RosterTown) -> None:
    """While Canvas keeps the old id, the roster is by the old id; afterwards by the new one."""
    [student] = in_class(town)
    section = next(
        s for s in town.rosters.sections if any(r.student_dcid == student.dcid for r in town.rosters.rosters[s])
    )
    roster, old = town.service.powerschool.roster, student.number
    canvas = town.canvas.state.sandbox
    canvas.users[10**6] = replace(user(town, old), id=10**6, sis_user_id="77004", login_id="stranger")
    renumber(town, student, "77004")
    town.ask()
    for refresh in (False, True):
        students = roster.sections([str(section)], refresh=refresh)[str(section)].students
        assert (old in students, "77004" in students) == (True, False)

    del canvas.users[10**6]
    town.ask()
    students = roster.sections([str(section)])[str(section)].students
    assert (old in students, students["77004"].dcid) == (False, student.dcid)


def test_a_rollback_leaves_people_their_new_numbers(town: RosterTown) -> None:
    """What is restored is about the people of now: nobody is made a second time."""
    [student] = in_class(town)
    before = user(town, student.number)
    renumber(town, student, "77005")
    student.first_name = "Renamed"
    town.ask()
    rollback = town.service.provisioning_service.rollback(None, "registrar")

    assert town.finished(rollback.id).state is RunState.DONE
    assert (before.sis_user_id, before.name.startswith("Renamed"), before.workflow_state) == ("77005", False, "active")


def test_a_leavers_address_goes_to_a_newcomer(by_email: RosterTown) -> None:
    """In one run: the leaver gets another login, the newcomer an account of their own."""
    [leaver] = in_class(by_email)
    address, old = leaver.email, user(by_email, leaver.number)
    RosterActions(by_email.rosters).change_student(student_dcid=leaver.dcid, enroll_status=2)
    newcomer = Student(99_001, 99_002, "99003", leaver.school_number, last_name="No. 99003", email=address)
    RosterActions(by_email.rosters).add_student(student=newcomer)
    run = by_email.ask()

    assert run.state is RunState.DONE
    assert (old.workflow_state, old.login) == ("suspended", f"former-login-{leaver.number}")
    assert user(by_email, "99003").login == address
    assert not [each for each in run.uploads if each.failures + each.warnings]


def test_an_address_of_one_who_left_long_ago(by_email: RosterTown) -> None:
    """Passback remembers who had it, without the address."""
    [leaver] = in_class(by_email)
    address, old = leaver.email, user(by_email, leaver.number)
    del by_email.rosters.students[leaver.dcid]
    for rows in by_email.rosters.rosters.values():
        rows[:] = [row for row in rows if row.student_dcid != leaver.dcid]
    assert by_email.ask().state is RunState.DONE
    kept = by_email.service.provision_runs.former_logins()
    assert leaver.number in kept.values()
    assert address not in kept
    newcomer = Student(99_001, 99_002, "99003", leaver.school_number, last_name="No. 99003", email=address)
    RosterActions(by_email.rosters).add_student(student=newcomer)
    run = by_email.ask()

    assert (run.state, old.workflow_state) == (RunState.DONE, "suspended")
    assert user(by_email, "99003").login == address
    assert not [each for each in run.uploads if each.failures + each.warnings]


def test_exchanged_addresses_are_untangled_in_two_steps(by_email: RosterTown) -> None:
    """Both keep their accounts."""
    one, other = in_class(by_email, 2)
    first, second = user(by_email, one.number), user(by_email, other.number)
    one.email, other.email = other.email, one.email

    run = by_email.ask()
    assert (run.state, kinds(run)) == (RunState.DONE, ["users", "terms,users"])
    assert (first.login, second.login) == (one.email, other.email)
    assert (first.workflow_state, second.workflow_state) == ("active", "active")


def test_a_login_that_sticks_is_reported_with_both_records(by_email: RosterTown) -> None:
    """Somebody set the leaver's login by hand, and Canvas keeps it: the newcomer waits, and nothing is sent in vain."""
    [leaver] = in_class(by_email)
    address, old = leaver.email, user(by_email, leaver.number)
    old.stuck_sis_fields.add("login_id")
    RosterActions(by_email.rosters).change_student(student_dcid=leaver.dcid, enroll_status=2)
    newcomer = Student(99_001, 99_002, "99003", leaver.school_number, last_name="No. 99003", email=address)
    RosterActions(by_email.rosters).add_student(student=newcomer)

    run = by_email.ask()
    assert run.state is RunState.DONE
    assert (old.login, codes(run)) == (address, {*codes(run), "login_taken"})
    [taken] = [problem for problem in run.problems if problem.code.value == "login_taken"]
    assert (taken.source, taken.detail) == ("STUDENTS.DCID 99001", f"by STUDENTS.DCID {leaver.dcid}")
    assert not [each for each in run.uploads if each.failures + each.warnings]
    assert not [each for each in by_email.canvas.state.sandbox.users.values() if each.sis_user_id == "99003"]


def status_in_class(town: RosterTown, student: Student) -> list[str]:
    """Return the states of the student's enrollments in classes of terms under way."""
    today, rosters = town.today, town.rosters
    current = [str(s.dcid) for s in rosters.sections.values() if rosters.term_of(s).last_day >= today]
    rows = town.canvas_roster()["enrollments"]
    return [str(r["status"]) for r in rows if r["user_id"] == student.number and r["section_id"] in current]


def test_a_date_in_another_age_ends_no_class(town: RosterTown) -> None:
    """1926 for 2026, and no date at all: the enrollment stays, and is reported until it is mended."""
    [student] = in_class(town)
    before = status_in_class(town, student)
    rows = [r for each in town.rosters.rosters.values() for r in each if r.student_dcid == student.dcid]
    dates = [(row.entry_date, row.exit_date) for row in rows]
    for row in rows:
        row.exit_date = date(1926, 12, 18)
    run = town.ask()

    assert (run.state, status_in_class(town, student)) == (RunState.DONE, before)
    assert "enrollment_dates_impossible" in codes(run)
    for row, (entry, exit_date) in zip(rows, dates, strict=True):
        row.entry_date, row.exit_date = entry, exit_date
    assert "enrollment_dates_impossible" not in codes(town.ask())


def test_pre_registered_students_are_in_class(town: RosterTown) -> None:
    """With a login and an enrollment that is active, as their classmates have."""
    [student] = in_class(town)
    before = status_in_class(town, student)
    RosterActions(town.rosters).change_student(student_dcid=student.dcid, enroll_status=-1)

    assert town.ask().state is RunState.DONE
    assert (status_in_class(town, student), user(town, student.number).workflow_state) == (before, "active")


def test_co_teachers_come_and_go_by_their_dates() -> None:
    """In the role of the district's map, the account's own roles among them; a role changes by itself."""
    with roster_town(TAUGHT, PROVISION_ENROLLMENTS="role-27:ta,role-28:Grader") as town:
        town.canvas.state.sandbox.seed.custom_roles["Grader"] = "TaEnrollment"
        rosters, today = town.rosters, town.today
        terms = {s.dcid: rosters.term_of(s) for s in rosters.sections.values() if s.lead}
        dcid = next(dcid for dcid, term in terms.items() if term.first_day <= today < term.last_day)
        section = rosters.sections[dcid]
        teaching = {teacher.users_dcid for teacher in section.teachers}
        others = [m for m in rosters.staff.values() if m.active and m.dcid not in teaching]
        ta, grader, later = others[:3]
        for member, start, role in ((ta, None, 27), (grader, today, 28), (later, today + timedelta(days=1), 27)):
            RosterActions(rosters).add_co_teacher(section.dcid, member.dcid, start_date=start, role_id=role)
        assert town.ask().state is RunState.DONE
        roles = {
            str(r["user_id"]): r["role"]
            for r in town.canvas_roster()["enrollments"]
            if r["section_id"] == str(section.dcid) and r["role"] != "student"
        }
        assert roles[f"T{ta.teacher_number}"] == "ta"
        assert roles[f"T{grader.teacher_number}"] == "Grader"
        assert f"T{later.teacher_number}" not in roles


def test_a_login_suspended_by_hand_stays_suspended(town: RosterTown) -> None:
    """Also where all users are sent whole: Canvas holds what a person did, and passback does not override it."""
    suspended, renumbered = in_class(town, 2)
    login = user(town, suspended.number)
    town.canvas.state.sandbox.suspend_user(login.id)
    renumber(town, renumbered, "77009")
    run = town.ask()

    assert [upload.options.remaster for upload in run.uploads if Entity.USERS in upload.entities] == [True]
    assert (run.state, login.workflow_state) == (RunState.DONE, "suspended")


def test_what_a_district_leaves_out_does_not_come_to_canvas() -> None:
    """A school, with its sections; the next run has nothing to do."""
    with roster_town(DistrictSize(schools=2, students=40, sections=16), PROVISION_SELECTION="school:-200") as town:
        assert town.ask().state is RunState.DONE
        sections = {str(s.dcid): s.school_number for s in town.rosters.sections.values()}
        assert {sections[str(row["section_id"])] for row in town.canvas_roster()["sections"]} == {100}
        assert town.ask().uploads == ()
