"""The rows of terms, courses and sections, and what stays of those that are gone."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from shared.domain.provisioning.policy import DroppedStatus, SisIdTemplate
from shared.domain.provisioning.problems import RosterProblemCode
from shared.domain.provisioning.roster import CatalogCourse, School
from shared.domain.provisioning.rows.sis_rows import DataSetKey, Entity
from tests.unit.domain.provisioning.rosters import (
    FALL,
    PER_TEACHER,
    POLICY,
    SPRING,
    column,
    data_set,
    enrolled,
    plan,
    problems,
    roster,
    rows,
    section,
)


def test_data_sets_are_in_canvass_order() -> None:
    """Terms, courses, sections, users, enrollments: each needs those before it."""
    assert [s.key for s in plan().data_sets] == [
        DataSetKey(Entity.TERMS),
        DataSetKey(Entity.COURSES, "100-3601"),
        DataSetKey(Entity.SECTIONS, "100-3601"),
        DataSetKey(Entity.USERS),
        DataSetKey(Entity.ENROLLMENTS, "100-3601"),
    ]


def test_a_term_lasts_from_its_first_to_its_last_second() -> None:
    """On the district's clocks, in UTC: summer time in August, winter time in December."""
    (row,) = rows(plan(), Entity.TERMS)

    assert row.values == ("100-3601", "Fall", "active", "2026-08-17T05:00:00Z", "2026-12-19T05:59:59Z")


def test_schools_share_a_term_where_its_sis_id_says_so() -> None:
    """It lasts from the first day of any to the last day of any."""
    other = replace(FALL, dcid=43, school_number=200, last_day=FALL.last_day + timedelta(days=1))
    planned = plan(roster(terms=(FALL, other)), replace(POLICY, term_sis_id=SisIdTemplate("{term_id}")))
    (row,) = rows(planned, Entity.TERMS)

    assert (row.values[0], row.values[4], row.school_number) == ("3601", "2026-12-20T05:59:59Z", 0)


@pytest.mark.parametrize(("days", "reported"), [(0, False), (-1, True)])
def test_a_term_of_one_day_is_the_shortest(days: int, reported: bool) -> None:
    """One that ends before it begins is left out, with its sections."""
    reversed_term = replace(FALL, last_day=FALL.first_day + timedelta(days=days))
    found = problems(plan(roster(terms=(reversed_term,), sections=(section(4001),))))

    assert ((RosterProblemCode.TERM_DATES_REVERSED, "TERMS.DCID 41") in found) is reported
    assert ((RosterProblemCode.SECTION_WITHOUT_TERM, "SECTIONS.DCID 4001") in found) is reported


def test_a_course_is_named_after_the_catalog() -> None:
    """Its code tells sections apart; its account stays empty, for Canvas to choose."""
    (row, _) = rows(plan(), Entity.COURSES)

    assert row.values == ("4001", "ALG1.1", "Algebra 1", "", "100-3601", "active")


def test_a_shared_course_has_no_section_in_its_code() -> None:
    """It belongs to all of its sections."""
    (row,) = rows(plan(policy=PER_TEACHER), Entity.COURSES)

    assert row.values[:3] == ("3601-ALG1-T900", "ALG1", "Algebra 1")


def test_a_schools_own_catalog_counts_before_the_districts() -> None:
    """Course numbers repeat: the school's name for one is the right one."""
    own = CatalogCourse("ALG1", "Algebra at North", 100)
    planned = plan(roster(courses=(CatalogCourse("ALG1", "Algebra 1", 0), own)))

    assert column(planned, Entity.COURSES, "long_name")["4001"] == "Algebra at North"


def test_a_course_of_another_schools_catalog_is_named_by_its_number() -> None:
    """The section is provisioned all the same, and the registrar is told."""
    planned = plan(roster(courses=(CatalogCourse("ALG1", "Algebra", 200),), sections=(section(4001),)))

    assert column(planned, Entity.COURSES, "long_name") == {"4001": "ALG1"}
    assert problems(planned) == [(RosterProblemCode.COURSE_NOT_IN_CATALOG, "SECTIONS.DCID 4001")]


@pytest.mark.parametrize(("length", "reported"), [(255, False), (256, True)])
def test_course_names_are_shortened_to_what_canvas_stores(length: int, reported: bool) -> None:
    """255 characters."""
    planned = plan(roster(courses=(CatalogCourse("ALG1", "x" * length, 0),), sections=(section(4001),)))

    assert problems(planned) == ([(RosterProblemCode.NAME_TOO_LONG, "SECTIONS.DCID 4001")] if reported else [])
    assert len(column(planned, Entity.COURSES, "long_name")["4001"]) == 255


def test_courses_are_published_by_setting() -> None:
    """Canvas's word for created but unpublished is `active`."""
    assert set(column(plan(), Entity.COURSES, "status").values()) == {"active"}
    published = plan(policy=replace(POLICY, publish_courses=True))
    assert set(column(published, Entity.COURSES, "status").values()) == {"published"}


def test_courses_go_to_their_schools_account_by_setting() -> None:
    """From a template, or one account for all."""
    planned = plan(policy=replace(POLICY, account_sis_id=SisIdTemplate("school-{school_number}")))

    assert set(column(planned, Entity.COURSES, "account_id").values()) == {"school-100"}


def test_a_section_is_named_after_course_and_number() -> None:
    """As teachers see it in Canvas."""
    assert column(plan(), Entity.SECTIONS, "name") == {"4001": "Algebra 1 (1)", "4002": "Algebra 1 (2)"}


def test_planning_again_changes_nothing() -> None:
    """The plan of the plan is the plan."""
    first = plan()

    assert plan(applied=first.data_sets) == first


def test_the_order_of_reading_does_not_matter() -> None:
    """PowerSchool's pages may come in any order."""
    r = roster(schools=(School(100, 7, "North"), School(200, 8, "South")))
    turned = replace(r, **{kind: getattr(r, kind)[::-1] for kind in ("schools", "sections", "students", "enrollments")})

    assert plan(turned) == plan(r)


def test_a_course_without_sections_is_concluded_and_not_deleted() -> None:
    """With its section in it and the enrollments ended: all work can still be seen."""
    before = plan()
    after = plan(roster(sections=(section(4001),)), applied=before.data_sets)

    assert column(after, Entity.COURSES, "status") == {"4001": "active", "4002": "completed"}
    assert "4002" in column(after, Entity.SECTIONS, "name")
    ended = {"4002/1502/student": "completed", "4002/T900/teacher": "completed"}
    assert ended.items() <= column(after, Entity.ENROLLMENTS, "status").items()


def test_a_concluded_course_that_is_needed_again_goes_on() -> None:
    """A section that comes back finds its course."""
    gone = plan(roster(sections=(section(4001),)), applied=plan().data_sets)

    assert plan(applied=gone.data_sets).data_sets == plan().data_sets


def test_a_section_that_is_gone_from_a_course_that_goes_on_is_left_to_canvas() -> None:
    """Its rows leave the data sets, which Canvas understands as dropped."""
    before = plan(policy=PER_TEACHER)
    after = plan(roster(sections=(section(4001),)), PER_TEACHER, applied=before.data_sets)

    assert list(column(after, Entity.SECTIONS, "name")) == ["4001"]
    assert not any(key.startswith("4002") for key in column(after, Entity.ENROLLMENTS, "status"))


def test_who_vanished_from_a_section_is_dropped_in_so_many_words() -> None:
    """Whether or not Canvas compares files this time."""
    policy = replace(POLICY, dropped_status=DroppedStatus.INACTIVE)
    after = plan(roster(enrollments=(enrolled(4002, 502),)), policy, applied=plan(policy=policy).data_sets)

    assert column(after, Entity.ENROLLMENTS, "status")["4001/1501/student"] == "inactive"


def test_a_section_that_moves_to_another_term_is_the_same_in_both_data_sets() -> None:
    """So that the old data set does not drop what the new one adds, whichever is imported first."""
    terms = (FALL, SPRING)
    before = plan(roster(terms=terms))
    after = plan(roster(terms=terms, sections=(section(4001, term_id=3602), section(4002))), applied=before.data_sets)

    for entity in (Entity.COURSES, Entity.SECTIONS, Entity.ENROLLMENTS):
        spring = set(data_set(after, entity, "100-3602").rows)
        assert spring <= set(data_set(after, entity, "100-3601").rows)


def test_ended_terms_stay_in_canvas() -> None:
    """When PowerSchool names them no more, their courses hold the work of past years."""
    next_year = replace(FALL, id=3701, dcid=51, first_day=date(2027, 8, 16), last_day=date(2027, 12, 17))
    before = plan()
    later = roster(terms=(next_year,), sections=(), enrollments=())
    after = plan(later, today=date(2027, 7, 20), applied=before.data_sets)

    assert list(column(after, Entity.TERMS, "status").items()) == [("100-3601", "active"), ("100-3701", "active")]
    assert [s.key.entity for s in after.data_sets] == [Entity.TERMS, Entity.USERS]


def test_every_problem_has_its_words() -> None:
    """A sentence and a remedy for each code, each ending like one."""
    assert all(code.sentence.endswith(".") and code.remedy.endswith(".") for code in RosterProblemCode)
