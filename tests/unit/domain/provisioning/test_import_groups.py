"""Which data sets share an import, and on which days each import is sent whole."""

from datetime import date, timedelta

import pytest

from shared.domain.provisioning.imports.uploads import (
    CLASS_GROUPS,
    DISTRICT,
    entities_of,
    group_index,
    group_of,
    is_remaster_due,
)
from shared.domain.provisioning.rows.sis_rows import DataSetKey, Entity

MONDAY = date(2026, 10, 5)


def test_terms_and_users_share_an_import() -> None:
    """They are the district's, and classes need them before."""
    groups = {group_of(DataSetKey(entity), {100, 200}) for entity in (Entity.TERMS, Entity.USERS)}

    assert groups == {DISTRICT}
    assert entities_of(DISTRICT) == (Entity.TERMS, Entity.USERS)


def test_the_classes_of_a_school_share_an_import() -> None:
    """Whatever the term and the kind, so that a section that moves finds its course in the same upload."""
    kinds = (Entity.COURSES, Entity.SECTIONS, Entity.ENROLLMENTS)
    groups = {group_of(DataSetKey(entity, term), {100}) for entity in kinds for term in ("100-1", "100-2")}

    assert len(groups) == 1
    assert entities_of(groups.pop()) == kinds


def test_sixty_schools_have_four_imports() -> None:
    """Three of classes and one of terms and users; schools are spread over the three."""
    groups = [group_of(DataSetKey(Entity.COURSES, f"{n}-1"), {n}) for n in range(100, 6100, 100)]

    assert len(set(groups)) == CLASS_GROUPS == 3
    assert max(map(groups.count, groups)) <= 30


def test_a_term_that_schools_share_goes_by_its_own_id() -> None:
    """Which schools have classes in it may change; its import may not."""
    key = DataSetKey(Entity.COURSES, "fall")

    assert group_of(key, {100, 200}) == group_of(key, {100, 200, 300})


@pytest.mark.parametrize("group_number", range(5))
def test_each_import_is_sent_whole_once_a_week_on_a_day_of_its_own(group_number: int) -> None:
    """After a first run that sent all of them on one day, they come due on five days."""
    last, days = MONDAY, []
    for n in range(1, 29):
        today = MONDAY + timedelta(days=n)
        if is_remaster_due(last, today, 7, group_number):
            last = today
            days.append(today)

    assert {day.toordinal() % 7 for day in days} == {group_number}
    assert len(days) == 4


def test_a_missed_day_is_made_up_for() -> None:
    """A week after the last time it is due, whatever day that is; never twice on a day."""
    assert is_remaster_due(MONDAY, MONDAY + timedelta(days=8), 7, (MONDAY.toordinal() + 3) % 7)
    assert not is_remaster_due(MONDAY, MONDAY, 7, MONDAY.toordinal() % 7)


def test_remasters_can_be_switched_off() -> None:
    """With 0 days, also for what was never sent whole."""
    assert not is_remaster_due(None, MONDAY, 0, 0)
    assert is_remaster_due(None, MONDAY, 7, 0)


def test_each_group_has_a_turn() -> None:
    """The district's comes first."""
    assert [group_index(name) for name in (DISTRICT, "classes-1", "classes-4")] == [0, 1, 4]
