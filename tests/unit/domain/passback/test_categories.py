"""Assignment groups and the categories they stand for."""

from dataclasses import replace
from datetime import date

import pytest

from shared.domain.passback.canvas import AssignmentGroup
from shared.domain.passback.powerschool import TeacherCategory
from shared.domain.passback.rules.categories import (
    CategoryAssociation,
    CategoryMatch,
    MatchedBy,
    MissingReason,
    NoCategory,
    can_match_by_name,
    match_category,
    stored_match,
)
from tests.unit.domain.passback.baseline import FALL, GROUP, HOMEWORK, SECTION_DCID, TESTS


def match(
    group: AssignmentGroup = GROUP,
    categories: tuple[TeacherCategory, ...] = (TESTS, HOMEWORK),
    association: CategoryAssociation | None = None,
    default: str = "",
) -> CategoryMatch | NoCategory:
    associations = {} if association is None else {group.id: association}
    return match_category(group, SECTION_DCID, categories, associations, default)


def to(*ids: int, district: int | None = None) -> CategoryAssociation:
    return CategoryAssociation(frozenset(ids), district)


@pytest.mark.parametrize("name", ["Homework", "HOMEWORK", " homework "])
def test_by_name(name: str) -> None:
    """A group matches the category of its name, without regard to case and outer spaces."""
    assert match(replace(GROUP, name=name)) == CategoryMatch(HOMEWORK, MatchedBy.NAME)


def test_by_name_in_any_language() -> None:
    """Case is compared as people write it, not only in ASCII."""
    category = replace(HOMEWORK, name="STRASSE")
    assert match(replace(GROUP, name="Straße"), (category,)) == CategoryMatch(category, MatchedBy.NAME)


def test_association_survives_renames() -> None:
    """An association by id holds, whatever the group and the category are called now."""
    found = match(replace(GROUP, name="Tests"), association=to(HOMEWORK.id))
    assert found == CategoryMatch(HOMEWORK, MatchedBy.ASSOCIATION)


def test_association_of_another_group() -> None:
    """Another group's association says nothing about this one."""
    found = match_category(GROUP, SECTION_DCID, (TESTS, HOMEWORK), {"99": to(TESTS.id)})
    assert found == CategoryMatch(HOMEWORK, MatchedBy.NAME)


def test_another_teachers_copy() -> None:
    """A teacher who is not in the association has the copy of the same district category."""
    copy = TeacherCategory(id=91, name="Practice", active=True, district_category_id=5)
    assert match(categories=(TESTS, copy), association=to(61, district=5)) == CategoryMatch(copy, MatchedBy.ASSOCIATION)


def test_own_id_before_the_districts() -> None:
    """A teacher's own category that was chosen is not given up for the teacher's copy of the district's."""
    copy = TeacherCategory(id=60, name="Homework", active=True, district_category_id=5)
    assert match(categories=(copy, TESTS), association=to(TESTS.id, 91, district=5)) == CategoryMatch(
        TESTS, MatchedBy.ASSOCIATION
    )


def test_too_early_is_no_case_for_the_default() -> None:
    """Work that waits for its own category does not go to another one meanwhile."""
    found = match_category(GROUP, SECTION_DCID, (TESTS, HOMEWORK), {}, "Tests", can_match_by_name=False)
    assert found == NoCategory(MissingReason.TOO_EARLY, ("Homework", "Tests"), "Homework")


def test_associated_before_the_term() -> None:
    """What is associated already stays so, whenever that is."""
    found = match_category(GROUP, SECTION_DCID, (TESTS, HOMEWORK), {GROUP.id: to(62)}, can_match_by_name=False)
    assert found == CategoryMatch(TESTS, MatchedBy.ASSOCIATION)


def test_no_district_category() -> None:
    """Two categories without a district category are not copies of each other."""
    found = match(categories=(TESTS, HOMEWORK), association=to(99))
    assert found == CategoryMatch(HOMEWORK, MatchedBy.NAME)


def test_association_with_several_teachers() -> None:
    """An association may name one category per teacher."""
    assert match(association=to(62, 99)) == CategoryMatch(TESTS, MatchedBy.ASSOCIATION)


def test_association_gone() -> None:
    """An association with a category the teacher does not have gives way to the name."""
    assert match(association=to(99, district=5)) == CategoryMatch(HOMEWORK, MatchedBy.NAME)


def test_associated_category_inactive() -> None:
    """An associated category that became inactive is not replaced by the default or by a name."""
    inactive = replace(TESTS, active=False)
    found = match(categories=(inactive, HOMEWORK), association=to(TESTS.id), default="Homework")
    assert found == NoCategory(MissingReason.INACTIVE, ("Homework",), "Tests")


def test_associated_category_excluded() -> None:
    """An associated category that is excluded for the section is not replaced either."""
    excluded = replace(TESTS, excluded_section_dcids=frozenset({SECTION_DCID}))
    found = match(categories=(excluded, HOMEWORK), association=to(TESTS.id))
    assert found == NoCategory(MissingReason.EXCLUDED, ("Homework",), "Tests")


def test_excluded_elsewhere() -> None:
    """A category that is excluded for another section can be used in this one."""
    category = replace(HOMEWORK, excluded_section_dcids=frozenset({SECTION_DCID + 1}))
    assert match(categories=(category,)) == CategoryMatch(category, MatchedBy.NAME)


def test_default() -> None:
    """A group that matches nothing goes to the district's default category."""
    assert match(replace(GROUP, name="Essays"), default="tests") == CategoryMatch(TESTS, MatchedBy.DEFAULT)


def test_name_before_default() -> None:
    """A matching name counts before the default."""
    assert match(default="Tests") == CategoryMatch(HOMEWORK, MatchedBy.NAME)


def test_default_is_not_usable() -> None:
    """A default that the teacher has only inactive is no category."""
    found = match(replace(GROUP, name="Essays"), (replace(TESTS, active=False), HOMEWORK), default="Tests")
    assert found == NoCategory(MissingReason.NONE, ("Homework",))


def test_none() -> None:
    """Without a match, the teacher's usable categories are listed in order."""
    inactive = TeacherCategory(id=63, name="Attic", active=False)
    found = match(replace(GROUP, name="Essays"), (TESTS, HOMEWORK, inactive))
    assert found == NoCategory(MissingReason.NONE, ("Homework", "Tests"))


@pytest.mark.parametrize(
    ("category", "why"),
    [
        (replace(HOMEWORK, active=False), MissingReason.INACTIVE),
        (replace(HOMEWORK, excluded_section_dcids=frozenset({SECTION_DCID})), MissingReason.EXCLUDED),
    ],
)
def test_named_but_unusable(category: TeacherCategory, why: MissingReason) -> None:
    """A category of the right name that cannot be used is named as the obstacle."""
    assert match(categories=(category, TESTS)) == NoCategory(why, ("Tests",), "Homework")


def test_named_but_unusable_with_default() -> None:
    """Only an active category matches by name; an inactive one leaves the group to the default."""
    found = match(categories=(replace(HOMEWORK, active=False), TESTS), default="Tests")
    assert found == CategoryMatch(TESTS, MatchedBy.DEFAULT)


def test_a_match_by_name_has_to_wait_for_the_term() -> None:
    """Before the term no association is made by name, and the teacher learns that it is too early."""
    found = match_category(GROUP, SECTION_DCID, (HOMEWORK,), {}, can_match_by_name=False)
    assert found == NoCategory(MissingReason.TOO_EARLY, ("Homework",), "Homework")


@pytest.mark.parametrize(
    ("earlier", "kept"),
    [
        (None, CategoryAssociation(frozenset({61}), 5)),
        (CategoryAssociation(frozenset({91}), 7), CategoryAssociation(frozenset({61, 91}), 7)),
    ],
)
def test_remembered(earlier: CategoryAssociation | None, kept: CategoryAssociation) -> None:
    """One id per teacher is kept, and the district's id of the first that had one."""
    assert stored_match(earlier, replace(HOMEWORK, district_category_id=5)) == kept


@pytest.mark.parametrize(
    ("today", "may"),
    [
        (date(2026, 8, 16), False),
        (date(2026, 8, 17), True),
        (date(2026, 12, 18), True),
        (date(2026, 12, 19), True),
    ],
)
def test_can_match_by_name(today: date, may: bool) -> None:
    """An association can be made from the first day of the term; a person may still sync after its last."""
    assert can_match_by_name(FALL, today) is may


def mapped(
    categories: tuple[TeacherCategory, ...],
    category_map: dict[str, str],
    association: CategoryAssociation | None = None,
    *,
    default: str = "",
    can_match: bool = True,
) -> CategoryMatch | NoCategory:
    associations = {} if association is None else {GROUP.id: association}
    return match_category(
        GROUP, SECTION_DCID, categories, associations, default, can_match_by_name=can_match, category_map=category_map
    )


def test_the_district_s_map_has_priority_over_the_group_s_name() -> None:
    """The district has decided what its groups stand for; case and outer spaces of a category do not matter."""
    assert mapped((TESTS, HOMEWORK), {"homework": " tests "}) == CategoryMatch(TESTS, MatchedBy.MAP)


def test_the_map_moves_no_work() -> None:
    """A group that is linked stays where its work is."""
    found = mapped((TESTS, HOMEWORK), {"homework": "Tests"}, to(HOMEWORK.id))
    assert found == CategoryMatch(HOMEWORK, MatchedBy.ASSOCIATION)


def test_a_teacher_without_the_mapped_category_has_the_group_s_own() -> None:
    """Then the default category; and where there is neither, the reason names the category of the map."""
    assert mapped((TESTS, HOMEWORK), {"homework": "Labs"}) == CategoryMatch(HOMEWORK, MatchedBy.NAME)
    assert mapped((TESTS,), {"homework": "Labs"}, default="Tests") == CategoryMatch(TESTS, MatchedBy.DEFAULT)
    assert mapped((TESTS,), {"homework": "Labs"}) == NoCategory(MissingReason.NONE, ("Tests",), mapped="Labs")


@pytest.mark.parametrize(
    ("labs", "why"),
    [
        (TeacherCategory(77, "Labs", active=False), MissingReason.INACTIVE),
        (TeacherCategory(77, "Labs", active=True, excluded_section_dcids=frozenset({SECTION_DCID})),
         MissingReason.EXCLUDED),
    ],
)  # fmt: skip
def test_a_mapped_category_that_cannot_be_used_is_not_replaced(labs: TeacherCategory, why: MissingReason) -> None:
    """Work that the district wants in Labs is not put into another category without anybody asking."""
    found = mapped((TESTS, HOMEWORK, labs), {"homework": "Labs"}, default="Tests")
    assert found == NoCategory(why, ("Homework", "Tests"), "Labs")


def test_an_active_category_of_the_name_is_found_beside_an_inactive_one() -> None:
    """The inactive one of the same name does not block it."""
    old, new = TeacherCategory(77, "Labs", active=False), TeacherCategory(78, "Labs", active=True)
    assert mapped((old, new), {"homework": "Labs"}) == CategoryMatch(new, MatchedBy.MAP)


def test_the_map_applies_from_the_term_s_first_day() -> None:
    """As a match by name: it is a new association."""
    found = mapped((TESTS, HOMEWORK), {"homework": "Tests"}, can_match=False)
    assert found == NoCategory(MissingReason.TOO_EARLY, ("Homework", "Tests"), "Tests")
