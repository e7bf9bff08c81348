"""Assignment groups and categories, associated by id."""

from dataclasses import replace
from datetime import date

import pytest

from shared.domain.passback.canvas import AssignmentGroup, Section
from shared.domain.passback.powerschool import RosteredSection, TeacherCategory
from shared.domain.passback.rules.categories import CategoryAssociation, CategoryMatch, MatchedBy
from shared.domain.passback.rules.reasons import Reason
from tests.fakes import refused
from tests.unit.domain.passback.baseline import CHICAGO, GROUP, HOMEWORK, ROSTERED, SECTION, TESTS
from tests.unit.workers.grade_passback.school import School
from workers.grade_passback.operations.categories import CategoryLinks, InvalidMapping

COURSE = "1"
DISTRICT = 5
COPY = TeacherCategory(91, "Classwork", active=True, district_category_id=DISTRICT)
BEFORE_THE_TERM = replace(ROSTERED.term, first_day=date(2026, 10, 6))


def links_of(school: School) -> CategoryLinks:
    return CategoryLinks(school.canvas, school.rosters, school.powerschool, school.associations, school.clock, CHICAGO)


def rename_group(school: School, name: str) -> None:
    school.canvas.content = replace(school.canvas.content, groups={GROUP.id: AssignmentGroup(GROUP.id, name)})


def offer(school: School, *categories: TeacherCategory, of: int | None = None) -> None:
    """Let every teacher have these categories, or only the one of this id."""
    if of is None:
        school.powerschool.categories_there = categories
    else:
        school.powerschool.categories_of[of] = categories


def change_section(school: School, **changes: object) -> None:
    school.rosters.remembered["4001"] = replace(ROSTERED, **changes)  # type: ignore[arg-type]


def add_section(school: School, teacher: int) -> RosteredSection:
    """Let the course have a second section with another lead teacher."""
    other = replace(ROSTERED, sis_section_id="4002", dcid=4002, teacher_users_dcid=teacher)
    school.rosters.remembered["4002"] = other
    school.canvas.content = replace(school.canvas.content, sections=(SECTION, Section("22", "Period 2", "4002")))
    return other


def associations(school: School) -> dict[str, CategoryAssociation]:
    return dict(school.associations.of_course(COURSE))


def category_ids(school: School) -> set[int | None]:
    """Return the categories of what is in PowerSchool."""
    return {actual.category_id for actual in school.powerschool.assignments_there.values()}


def test_a_match_by_name_is_remembered_by_id(school: School) -> None:
    """An association that was found by name is kept by id, with the district's where it is a copy."""
    offer(school, replace(HOMEWORK, district_category_id=DISTRICT))
    school.sync()
    assert associations(school) == {GROUP.id: CategoryAssociation(frozenset({HOMEWORK.id}), DISTRICT)}


def test_nothing_is_remembered_before_anything_is_written(school: School) -> None:
    """Looking is not associating; nor is waiting for the first score."""
    school.explain()
    school.canvas.rows = ()
    school.sync()
    assert associations(school) == {}


def test_a_refused_category_is_not_remembered(school: School) -> None:
    """PowerSchool did not take the work in this category."""
    school.powerschool.faults.always("create", refused("POST: 409", "powerschool_category"))
    school.sync()
    assert associations(school) == {}


def test_a_match_by_default_is_not_remembered() -> None:
    """The district may choose another default, and the group may be named like a category later."""
    school = School(default_category="Tests")
    rename_group(school, "Essays")
    offer(school, TESTS)
    school.sync()
    assert (category_ids(school), associations(school)) == ({TESTS.id}, {})


def test_a_lost_lease_remembers_nothing(school: School) -> None:
    """A worker that may not write any more does not associate either."""
    school.sync(before=school.changes.leases.discard)
    assert (school.writes(), associations(school)) == ([], {})


def test_renames_on_both_sides_change_nothing(school: School) -> None:
    """Associated by id, they survive renames on both sides: nothing is written, nothing is blocked."""
    school.sync()
    school.writes()
    rename_group(school, "Practice")
    offer(school, replace(HOMEWORK, name="Classwork"), replace(TESTS, name="Practice"))
    school.sync()
    assert (school.writes(), school.reasons()) == ([], [])


def test_a_new_teacher_has_the_copy_of_the_districts_category(school: School) -> None:
    """A district category is another one for another teacher; the association follows it."""
    offer(school, replace(HOMEWORK, district_category_id=DISTRICT))
    school.sync()
    change_section(school, teacher_users_dcid=901)
    offer(school, TESTS, COPY, of=901)
    school.sync()
    assert category_ids(school) == {COPY.id}


def test_a_new_teacher_without_a_copy_is_matched_by_name(school: School) -> None:
    """And the id joins that of the earlier teacher, who may come back."""
    school.sync()
    change_section(school, teacher_users_dcid=901)
    offer(school, TeacherCategory(93, "HOMEWORK", active=True), of=901)
    school.sync()
    assert category_ids(school) == {93}
    assert associations(school) == {GROUP.id: CategoryAssociation(frozenset({HOMEWORK.id, 93}))}


def test_before_the_term_no_association_is_made(school: School) -> None:
    """An association can only be made from the first day of an active term; the reason says which day that is."""
    change_section(school, term=BEFORE_THE_TERM)
    school.sync()
    assert Reason.CATEGORY_MISSING in school.reasons()
    assert any("from 2026-10-06 on" in finding.detail for finding in school.record().findings)
    assert associations(school) == {}


def test_an_association_holds_before_and_after_the_term(school: School) -> None:
    """What is associated already does not have to wait for anything."""
    rename_group(school, "Practice")
    school.associations.save(COURSE, GROUP.id, CategoryAssociation(frozenset({HOMEWORK.id})))
    change_section(school, term=BEFORE_THE_TERM)
    assert Reason.CATEGORY_MISSING not in [f.reason for p in school.compare().placements for f in p.findings]
    change_section(school, term=replace(ROSTERED.term, last_day=date(2026, 10, 4)))
    school.sync()
    assert category_ids(school) == {HOMEWORK.id}


def test_an_explicit_link_wins_over_the_name(school: School) -> None:
    """What a person linked counts, whatever the names say; work that is there moves to it."""
    offer(school, HOMEWORK, TESTS)
    school.sync()
    links_of(school).link(COURSE, GROUP.name, str(TESTS.id))
    school.sync()
    assert category_ids(school) == {TESTS.id}


def test_a_link_by_name_is_for_every_teacher(school: School) -> None:
    """Each teacher's own category of that name, by its id."""
    add_section(school, teacher=901)
    offer(school, replace(COPY, name="homework"), of=901)
    _, association = links_of(school).link(COURSE, GROUP.id, " Homework")
    assert association == CategoryAssociation(frozenset({HOMEWORK.id, COPY.id}), DISTRICT)


def test_a_link_by_id_leaves_the_other_teachers_alone(school: School) -> None:
    """They keep the category that they had, also where it was theirs only as a copy of the district's."""
    add_section(school, teacher=901)
    offer(school, replace(HOMEWORK, district_category_id=DISTRICT), TESTS)
    offer(school, COPY, of=901)
    school.associations.save(COURSE, GROUP.id, CategoryAssociation(frozenset({HOMEWORK.id}), DISTRICT))
    _, association = links_of(school).link(COURSE, GROUP.id, str(TESTS.id))
    assert association == CategoryAssociation(frozenset({TESTS.id, COPY.id}))


def test_a_link_made_during_a_sync_is_kept(school: School) -> None:
    """The sync does not add to it what it matched by name before."""
    offer(school, HOMEWORK, TESTS)

    def link() -> None:
        links_of(school).link(COURSE, GROUP.id, str(TESTS.id))

    school.powerschool.before_scores = link
    school.sync()
    assert associations(school) == {GROUP.id: CategoryAssociation(frozenset({TESTS.id}))}


@pytest.mark.parametrize(
    ("category", "sentence"),
    [
        (replace(HOMEWORK, active=False), "is inactive: activate it"),
        (replace(HOMEWORK, excluded_section_dcids=frozenset({ROSTERED.dcid})), "is excluded for section 4001"),
    ],
)
def test_what_cannot_be_used_is_refused(school: School, category: TeacherCategory, sentence: str) -> None:
    """Inactive and section-excluded categories are refused, with what to do about it."""
    offer(school, category)
    with pytest.raises(InvalidMapping, match=sentence):
        links_of(school).link(COURSE, GROUP.id, str(HOMEWORK.id))
    assert associations(school) == {}


def test_excluded_for_one_of_two_sections(school: School) -> None:
    """The category can be linked for the other; the excluded section's work says why it is not there."""
    add_section(school, teacher=900)
    offer(school, replace(HOMEWORK, excluded_section_dcids=frozenset({4002})))
    links_of(school).link(COURSE, GROUP.id, str(HOMEWORK.id))
    why = [row.match for row in links_of(school).show(COURSE)]
    assert why[0] == CategoryMatch(school.powerschool.categories_there[0], MatchedBy.ASSOCIATION)
    assert getattr(why[1], "why", None) == "excluded"


def test_before_the_term_nothing_can_be_linked(school: School) -> None:
    """The sentence names the day from which it can."""
    change_section(school, term=BEFORE_THE_TERM)
    with pytest.raises(InvalidMapping, match="from 2026-10-06 on"):
        links_of(school).link(COURSE, GROUP.id, str(HOMEWORK.id))


@pytest.mark.parametrize(
    ("group", "category", "sentence"),
    [
        ("99", "Homework", r"no assignment group 99: choose by id, 31 \(Homework\)"),
        (GROUP.id, "Nothing", r"no category Nothing: choose one of theirs, 61 \(Homework\)"),
        (GROUP.id, "91", r"no category 91: choose one of theirs"),
    ],
)
def test_unknown_ones_are_refused(school: School, group: str, category: str, sentence: str) -> None:
    """Another teacher's category is as unknown as one that does not exist; the sentence lists what there is."""
    with pytest.raises(InvalidMapping, match=sentence):
        links_of(school).link(COURSE, group, category)


def test_ambiguous_names_are_refused(school: School) -> None:
    """Of two groups or categories of one name, the id says which."""
    offer(school, HOMEWORK, replace(TESTS, name="HOMEWORK"))
    with pytest.raises(InvalidMapping, match=r"several categories Homework: choose by id, 61"):
        links_of(school).link(COURSE, GROUP.id, "Homework")
    twin = AssignmentGroup("32", "homework")
    school.canvas.content = replace(school.canvas.content, groups={GROUP.id: GROUP, twin.id: twin})
    with pytest.raises(InvalidMapping, match=r"several assignment groups Homework: choose by id, 31"):
        links_of(school).link(COURSE, "Homework", str(HOMEWORK.id))


def test_a_course_without_a_teacher_cannot_be_linked(school: School) -> None:
    """There is nobody whose category it could be."""
    change_section(school, teacher_users_dcid=None)
    with pytest.raises(InvalidMapping, match="lead teacher"):
        links_of(school).link(COURSE, GROUP.id, str(HOMEWORK.id))


def test_unlinking_leaves_the_match_by_name(school: School) -> None:
    """After it, the group is matched by its name again; unlinking twice is refused."""
    links = links_of(school)
    links.link(COURSE, GROUP.id, str(HOMEWORK.id))
    links.unlink(COURSE, GROUP.name)
    assert [row.match for row in links.show(COURSE)] == [CategoryMatch(HOMEWORK, MatchedBy.NAME)]
    with pytest.raises(InvalidMapping, match="is not linked"):
        links.unlink(COURSE, GROUP.id)


def test_a_missing_category_is_looked_for_once(school: School) -> None:
    """A missing category does not make every sync ask PowerSchool past what is remembered."""
    offer(school, TESTS)
    school.sync()
    school.sync()
    assert school.powerschool.category_refreshes == 1


def test_a_teacher_of_two_sections_is_asked_once(school: School) -> None:
    """Categories are the teacher's, not the section's."""
    add_section(school, teacher=900)
    offer(school, TESTS)
    school.compare()
    assert school.powerschool.category_refreshes == 1


def test_the_district_s_map_decides_for_a_new_course_and_is_remembered_by_id(school: School) -> None:
    """Its work goes to the mapped category; the association stays when the map changes later."""
    school.associations.save_to_map({GROUP.name.upper(): TESTS.name})
    offer(school, HOMEWORK, TESTS)
    school.sync()
    assert category_ids(school) == {TESTS.id}
    assert associations(school) == {GROUP.id: CategoryAssociation(frozenset({TESTS.id}), TESTS.district_category_id)}
    school.associations.save_to_map({GROUP.name: HOMEWORK.name})
    school.sync()
    assert category_ids(school) == {TESTS.id}
    assert [row.match for row in links_of(school).show(COURSE)] == [CategoryMatch(TESTS, MatchedBy.ASSOCIATION)]


def test_a_map_of_a_category_that_the_teacher_lacks_is_named(school: School) -> None:
    """Where the group has no category of its own name either, the reason says what the map names."""
    school.associations.save_to_map({GROUP.name: "Labs"})
    offer(school, TESTS)
    school.sync()
    (finding,) = school.record().findings
    assert finding.reason is Reason.CATEGORY_MISSING
    assert finding.detail == "the district's map names Labs, which the teacher does not have; active categories: Tests"


def test_the_list_of_a_course_says_that_the_map_was_used(school: School) -> None:
    """Before the first sync, too."""
    school.associations.save_to_map({GROUP.name: TESTS.name})
    offer(school, HOMEWORK, TESTS)
    assert [row.match for row in links_of(school).show(COURSE)] == [CategoryMatch(TESTS, MatchedBy.MAP)]
