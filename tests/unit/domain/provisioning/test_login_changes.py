"""A login that goes from one person to another is freed first."""

from dataclasses import replace

from shared.domain.provisioning.imports.corrections import CanvasUsers, login_digest, with_freed_logins
from shared.domain.provisioning.policy import SisIdTemplate
from shared.domain.provisioning.problems import RosterProblemCode
from shared.domain.provisioning.roster import Roster
from shared.domain.provisioning.rows.sis_rows import DataSet, DataSetKey, Entity
from tests.unit.domain.provisioning.rosters import (
    POLICY,
    TODAY,
    WholePlan,
    column,
    data_set,
    enrolled,
    plan,
    problems,
    roster,
    student,
)

BY_EMAIL = replace(POLICY, student_login_id=SisIdTemplate("{email}"))
HANDED_ON = "s501@district.example"


def planned(of: Roster, applied: tuple[DataSet, ...] = (), **known: object) -> WholePlan:
    """Return the plan where logins are e-mail addresses."""
    return plan(of, BY_EMAIL, TODAY, applied, CanvasUsers(**known))  # type: ignore[arg-type]


BEFORE = planned(roster()).data_sets


def freed(after: WholePlan) -> list[tuple[str, str, str]]:
    """Return SIS id, login and status of those who give up their logins."""
    return [(r.values[0], r.values[1], r.values[6]) for each in after.corrections for r in each.rows]


def once_freed(before: tuple[DataSet, ...], after: WholePlan) -> tuple[DataSet, ...]:
    """Return what Canvas holds once it took the corrections."""
    users = DataSetKey(Entity.USERS)
    [correction] = after.corrections
    return tuple(with_freed_logins(each, correction.rows) if each.key == users else each for each in before)


def test_a_leaver_in_class_gives_the_login_to_the_newcomer() -> None:
    """The leaver's account stays the leaver's, under a login that is nobody's address."""
    people = (student(501, is_active=False), student(502), student(503, email=HANDED_ON))
    handed_on = roster(students=people)
    after = planned(handed_on, BEFORE)

    assert freed(after) == [("1501", "former-login-1501", "suspended")]
    logins = column(after, Entity.USERS, "login_id")
    assert (logins["1501"], logins["1503"]) == ("former-login-1501", HANDED_ON)
    assert problems(after) == []
    again = planned(handed_on, once_freed(BEFORE, after))
    assert (again.corrections, again.data_sets) == ((), after.data_sets)


def test_a_leaver_who_goes_from_the_files_gives_it_up_as_well() -> None:
    """Suspended, with the name that Canvas has."""
    people = (student(502), student(503, email=HANDED_ON))
    after = planned(roster(students=people, enrollments=(enrolled(4002, 502),)), BEFORE)

    assert freed(after) == [("1501", "former-login-1501", "suspended")]
    assert after.corrections[0].rows[0].values[2:6] == ("", "", "", "")


def test_who_left_long_ago_is_remembered_by_the_login() -> None:
    """Nothing but the SIS id and what stands for the login is kept."""
    before = planned(roster(students=(student(502),), enrollments=())).data_sets
    newcomer = roster(students=(student(502), student(503, email=HANDED_ON.upper())), enrollments=())

    after = planned(newcomer, before, former_logins={login_digest(HANDED_ON): "1501"})
    assert freed(after) == [("1501", "former-login-1501", "suspended")]


def test_who_came_back_is_judged_by_what_they_are_called_now() -> None:
    """An old login of somebody who is in the file again is not freed twice."""
    after = planned(
        roster(students=(student(501, email="new@district.example"), student(503, email=HANDED_ON))),
        planned(roster(students=(student(501, email="new@district.example"),))).data_sets,
        former_logins={login_digest(HANDED_ON): "1501"},
    )
    assert after.corrections == ()


def test_two_who_exchange_logins_both_give_them_up() -> None:
    """And get the other's with the next file."""
    exchanged = roster(students=(student(501, email="s502@district.example"), student(502, email=HANDED_ON)))
    after = planned(exchanged, BEFORE)

    assert freed(after) == [("1501", "former-login-1501", "active"), ("1502", "former-login-1502", "active")]
    assert planned(exchanged, once_freed(BEFORE, after)).corrections == ()
    assert column(after, Entity.USERS, "login_id")["1501"] == "s502@district.example"


def test_who_gets_a_free_login_gets_it_at_once() -> None:
    """A chain needs nothing in between."""
    chained = roster(students=(student(501, email="new@district.example"), student(502, email=HANDED_ON)))

    assert freed(planned(chained, BEFORE)) == [("1501", "new@district.example", "active")]


def test_a_login_that_is_not_given_up_is_reported_with_both_records() -> None:
    """Canvas refused to change the holder's: nobody is sent a row that would be refused every day."""
    people = (student(501, email="new@district.example"), student(502), student(503, email=HANDED_ON))
    after = planned(roster(students=people), BEFORE, refused_logins=frozenset({"1501"}))

    assert after.corrections == ()
    assert column(after, Entity.USERS, "login_id")["1501"] == HANDED_ON
    [taken] = [p for p in after.problems if p.code is RosterProblemCode.LOGIN_TAKEN]
    assert (taken.source, taken.detail) == ("STUDENTS.DCID 503", "by STUDENTS.DCID 501")


def test_a_login_of_one_who_left_may_not_be_given_up_either() -> None:
    """The holder is named by the SIS id: there is no record any more."""
    before = planned(roster(students=(student(502),), enrollments=())).data_sets
    newcomer = roster(students=(student(502), student(503, email=HANDED_ON)), enrollments=())
    former = {login_digest(HANDED_ON): "1501"}
    after = planned(newcomer, before, former_logins=former, refused_logins=frozenset({"1501"}))

    assert [(p.code, p.source, p.detail) for p in after.problems] == [
        (RosterProblemCode.LOGIN_TAKEN, "STUDENTS.DCID 503", "by SIS id 1501")
    ]


def test_who_lost_the_address_keeps_the_login_before_a_newcomer() -> None:
    """The newcomer is reported; nobody's account is in the file twice."""
    people = (student(501, email=None), student(502), student(503, email=HANDED_ON))
    after = planned(roster(students=people), BEFORE)

    assert sorted(column(after, Entity.USERS, "login_id").values()).count(HANDED_ON) == 1
    assert [p.source for p in after.problems if p.code is RosterProblemCode.LOGIN_TAKEN] == ["STUDENTS.DCID 503"]


def test_a_leaver_who_comes_back_does_not_take_the_login_again() -> None:
    """The one who has it now keeps it, and both are reported."""
    people = (student(501, is_active=False), student(502), student(503, email=HANDED_ON))
    first = planned(roster(students=people), BEFORE)
    returned = (student(501), student(502), student(503, email=HANDED_ON))
    after = planned(roster(students=returned), first.data_sets)

    assert column(after, Entity.USERS, "login_id")["1501"] == "former-login-1501"
    assert column(after, Entity.USERS, "status")["1501"] == "active"
    assert problems(after) == [(RosterProblemCode.LOGIN_TAKEN, "STUDENTS.DCID 501")]


def test_ids_change_before_logins() -> None:
    """Rows name people by SIS ids: while those change, no login is freed."""
    people = (student(501, number="2501", email="new@district.example"), student(502, email=HANDED_ON))
    after = planned(roster(students=people), BEFORE)

    assert [each.key.entity for each in after.corrections] == [Entity.SIS_ID_CHANGES]
    assert data_set(after, Entity.USERS, "").rows
