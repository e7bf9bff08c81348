"""Which Canvas course a section goes to, and what a change of teachers does to it."""

from dataclasses import replace

import pytest

from shared.domain.provisioning.policy import SisIdTemplate
from shared.domain.provisioning.problems import RosterProblemCode
from shared.domain.provisioning.roster import Roster
from shared.domain.provisioning.rows.sis_rows import DataSet, Entity
from tests.unit.domain.provisioning.rosters import (
    PER_TEACHER,
    POLICY,
    TODAY,
    column,
    plan,
    problems,
    roster,
    section,
    student,
    teacher,
)

A, B = "3601-ALG1-T900", "3601-ALG1-T901"


def courses_after(later: Roster, *earlier: Roster) -> dict[str, str]:
    """Return the course of each section, with a course per teacher, once each roster was applied after another."""
    applied: tuple[DataSet, ...] = ()
    for step in (*earlier, later):
        last = plan(step, PER_TEACHER, applied=applied)
        applied = last.data_sets
    return column(last, Entity.SECTIONS, "course_id")


def led_by(**leads: int | None) -> Roster:
    """Return a roster of these sections, named like `s4001`, with these lead teachers."""
    return roster(sections=tuple(section(int(name[1:]), lead) for name, lead in leads.items()))


def test_each_section_has_a_course_of_its_own() -> None:
    """By default."""
    assert column(plan(), Entity.SECTIONS, "course_id") == {"4001": "4001", "4002": "4002"}


def test_a_new_teacher_changes_no_course_of_a_section() -> None:
    """With a course per section, only the teacher's enrollment changes."""
    before, after = plan(), plan(led_by(s4001=901, s4002=900))

    assert column(after, Entity.SECTIONS, "course_id") == column(before, Entity.SECTIONS, "course_id")
    assert "4001/T901/teacher" in column(after, Entity.ENROLLMENTS, "status")
    assert "4001/T900/teacher" not in column(after, Entity.ENROLLMENTS, "status")


def test_sections_of_a_teacher_share_a_course_by_setting() -> None:
    """Those of one course and term."""
    assert courses_after(led_by(s4001=900, s4002=900, s4003=901)) == {"4001": A, "4002": A, "4003": B}


def test_a_successor_takes_the_course_over() -> None:
    """Who gets all sections of a teacher gets the course with all its work, and no empty one."""
    assert courses_after(led_by(s4001=901, s4002=901), led_by(s4001=900, s4002=900)) == {"4001": A, "4002": A}


def test_a_section_moves_to_the_course_that_its_new_teacher_has() -> None:
    """The section is re-pointed; no course is made."""
    before = led_by(s4001=900, s4002=900, s4003=901)

    assert courses_after(led_by(s4001=901, s4002=900, s4003=901), before) == {"4001": B, "4002": A, "4003": B}


def test_a_section_stays_where_its_new_teacher_has_no_course() -> None:
    """Both teachers then work in one course, rather than one of them in an empty one."""
    assert courses_after(led_by(s4001=901, s4002=900), led_by(s4001=900, s4002=900)) == {"4001": A, "4002": A}


def test_who_took_a_course_over_gets_new_sections_there() -> None:
    """A section that is new joins the others of its teacher."""
    steps = (led_by(s4001=901), led_by(s4001=900))

    assert courses_after(led_by(s4001=901, s4009=901), *reversed(steps)) == {"4001": A, "4009": A}


def test_teachers_who_swap_their_only_sections_swap_courses() -> None:
    """Students stay with their work."""
    assert courses_after(led_by(s4001=901, s4002=900), led_by(s4001=900, s4002=901)) == {"4001": A, "4002": B}


def test_a_teacher_who_comes_back_finds_the_course() -> None:
    """After a substitute, all is as before."""
    before, meanwhile = led_by(s4001=900, s4002=900), led_by(s4001=901, s4002=901)

    assert courses_after(before, before, meanwhile) == {"4001": A, "4002": A}


def test_a_section_that_lost_its_teacher_stays_where_it_is() -> None:
    """Between two teachers nothing is dropped, and it is said."""
    before = plan(led_by(s4001=900), PER_TEACHER)
    after = plan(led_by(s4001=None), PER_TEACHER, applied=before.data_sets)

    assert column(after, Entity.SECTIONS, "course_id") == {"4001": A}
    assert problems(after) == [(RosterProblemCode.SECTION_WITHOUT_TEACHER, "SECTIONS.DCID 4001")]


def test_a_new_section_without_a_teacher_waits_where_courses_are_teachers() -> None:
    """Nobody knows to whose course it belongs."""
    planned = plan(led_by(s4001=None), PER_TEACHER)

    assert column(planned, Entity.SECTIONS, "course_id") == {}
    assert problems(planned) == [(RosterProblemCode.SECTION_WAITS_FOR_TEACHER, "SECTIONS.DCID 4001")]


def test_a_section_without_a_teacher_is_provisioned_all_the_same() -> None:
    """With a course per section, students need not wait for a teacher; the registrar is told."""
    planned = plan(led_by(s4001=None))

    assert column(planned, Entity.SECTIONS, "course_id") == {"4001": "4001"}
    assert problems(planned) == [(RosterProblemCode.SECTION_WITHOUT_TEACHER, "SECTIONS.DCID 4001")]


@pytest.mark.parametrize("lead", [teacher(900, is_active=False), teacher(900, teacher_number="")])
def test_a_lead_teacher_without_a_user_is_none(lead: object) -> None:
    """Somebody who left, or has no number, cannot be given a course."""
    planned = plan(roster(staff=(lead,), sections=(section(4001),)), PER_TEACHER)

    assert (RosterProblemCode.SECTION_WAITS_FOR_TEACHER, "SECTIONS.DCID 4001") in problems(planned)


def test_a_section_of_an_unknown_term_is_left_out() -> None:
    """And named for the registrar."""
    planned = plan(roster(sections=(section(4001, term_id=3699),), enrollments=()))

    assert column(planned, Entity.SECTIONS, "name") == {}
    assert problems(planned) == [(RosterProblemCode.SECTION_WITHOUT_TERM, "SECTIONS.DCID 4001")]


def test_a_section_without_a_course_number_is_left_out() -> None:
    """There is nothing to name its course by."""
    planned = plan(roster(sections=(section(4001, course_number=" "),), enrollments=()))

    assert problems(planned) == [(RosterProblemCode.SECTION_WITHOUT_COURSE, "SECTIONS.DCID 4001")]


def test_of_two_sections_with_one_sis_id_the_first_is_taken() -> None:
    """A template that does not tell sections apart is reported for each section too many."""
    policy = replace(POLICY, section_sis_id=SisIdTemplate("{course_number}"))
    planned = plan(policy=policy)

    assert list(column(planned, Entity.SECTIONS, "name")) == ["ALG1"]
    assert problems(planned) == [(RosterProblemCode.SECTION_ID_TAKEN, "SECTIONS.DCID 4002")]


def test_a_sis_id_stays_with_the_section_that_has_it() -> None:
    """A section that came later does not take it over, whatever its DCID."""
    policy = replace(POLICY, section_sis_id=SisIdTemplate("{course_number}"))
    before = plan(roster(sections=(section(4002),)), policy)
    after = plan(policy=policy, applied=before.data_sets)

    assert problems(after) == [(RosterProblemCode.SECTION_ID_TAKEN, "SECTIONS.DCID 4001")]


def test_two_purposes_never_share_a_new_course() -> None:
    """A template that gives two teachers one course leaves out the second."""
    policy = replace(PER_TEACHER, course_sis_id=SisIdTemplate("{term_id}-{course_number}"))
    planned = plan(led_by(s4001=900, s4002=901), policy)

    assert problems(planned) == [(RosterProblemCode.COURSE_ID_TAKEN, "SECTIONS.DCID 4002")]


def test_a_section_that_changes_terms_starts_anew() -> None:
    """A Canvas course has one term: the old one is concluded."""
    later = replace(roster().terms[0], id=3602, dcid=42)
    before = plan(led_by(s4001=900), PER_TEACHER)
    both = roster(terms=(*roster().terms, later), sections=(section(4001, term_id=3602),), students=(student(501),))
    after = plan(both, PER_TEACHER, TODAY, before.data_sets)

    assert column(after, Entity.COURSES, "status") == {A: "completed", "3602-ALG1-T900": "active"}
