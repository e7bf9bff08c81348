"""A term whose dates are mistyped, and a loss in small steps: held for the school that it would hit."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from shared.domain.provisioning.hold_reasons import Hold, HoldReason
from shared.domain.provisioning.live_rows import LiveCounts, LiveHistory, live_counts, losses
from shared.domain.provisioning.plan import ImportPlan
from shared.domain.provisioning.policy import ProvisioningPolicy, SisIdTemplate
from shared.domain.provisioning.roster import Roster, SchoolTerm
from shared.domain.provisioning.rows.sis_rows import DataSetKey, Entity
from shared.domain.provisioning.safety import roster_facts, safety_findings
from shared.domain.provisioning.school_plans import plan_without
from tests.unit.domain.provisioning.rosters import CHICAGO, FALL, FIRST_DAY, LAST_DAY, POLICY, TODAY, plan
from tests.unit.domain.provisioning.test_roster_safety import BEFORE, DISTRICT, LIMITS, SOUTH, SUMMER

STOPS, MOVED = HoldReason.TERM_STOPS, HoldReason.TERM_MOVED
NOW = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
USERS = DataSetKey(Entity.USERS)
CLASSES = DataSetKey(Entity.ENROLLMENTS, "100-3601")


def with_term(term: SchoolTerm, of: Roster = DISTRICT) -> Roster:
    """Return the district with another fall term of the first school."""
    return replace(of, terms=(term, *of.terms[1:]))


def term_holds(
    after: Roster, today: date = TODAY, before: ImportPlan = BEFORE, policy: ProvisioningPolicy = POLICY
) -> list[tuple[HoldReason, int | None]]:
    """Return the holds about terms, and their schools."""
    planned = plan(after, today=today, applied=before.data_sets, policy=policy)
    found = safety_findings(before.data_sets, planned.data_sets, roster_facts(after, today, CHICAGO), LIMITS)
    return [(hold.code, hold.school_number) for hold in found if hold.code in (STOPS, MOVED)]


@pytest.mark.parametrize(
    "days",
    [
        {"last_day": TODAY - timedelta(days=1)},
        {"first_day": date(2027, 8, 17), "last_day": date(2027, 12, 18)},
        {"first_day": TODAY + timedelta(days=1)},
    ],
    ids=["ended yesterday", "next year", "begins tomorrow"],
)
def test_a_running_term_that_would_stop_is_held(days: Mapping[str, date]) -> None:
    """Its last day in the past or its first day in the future would close every class of the school."""
    assert term_holds(with_term(replace(FALL, **days))) == [(STOPS, 100)]


@pytest.mark.parametrize("last_day", [TODAY, LAST_DAY + timedelta(days=28)])
def test_a_term_that_goes_on_and_moves_by_days_is_not_held(last_day: date) -> None:
    """Snow days, and a term that ends today: whoever moved the last day by four weeks did not mistype it."""
    near = replace(FALL, last_day=last_day if last_day > LAST_DAY else LAST_DAY - timedelta(days=28))

    assert term_holds(with_term(near)) == []


@pytest.mark.parametrize(
    ("days", "today"),
    [
        ({"last_day": LAST_DAY + timedelta(days=29)}, TODAY),
        ({"last_day": TODAY}, TODAY),
        ({"first_day": date(1926, 8, 17)}, TODAY),
        ({"first_day": FIRST_DAY + timedelta(days=29), "last_day": date(2027, 3, 1)}, date(2026, 8, 1)),
        ({"last_day": SUMMER + timedelta(days=365)}, SUMMER),
    ],
    ids=["29 days later", "today", "1926", "before it begins", "after it ended"],
)
def test_a_term_that_moves_by_weeks_is_held(days: Mapping[str, date], today: date) -> None:
    """Whether or not it runs today: it would open, close or empty classes on days nobody meant."""
    assert term_holds(with_term(replace(FALL, **days)), today) == [(MOVED, 100)]


def test_a_term_without_classes_may_move() -> None:
    """Nobody loses anything by it."""
    empty = replace(DISTRICT, sections=(), enrollments=())
    before = plan(empty)

    assert term_holds(with_term(replace(FALL, last_day=TODAY - timedelta(days=1)), empty), before=before) == []


def test_a_term_that_schools_share_holds_all_of_them() -> None:
    """With the term itself, which is no school's: who is in a class today depends on its days."""
    policy = replace(POLICY, term_sis_id=SisIdTemplate("{term_id}"))
    before = plan(DISTRICT, policy=policy)
    shorter = replace(FALL, last_day=TODAY - timedelta(days=1))
    after = replace(DISTRICT, terms=(shorter, replace(SOUTH, last_day=shorter.last_day)))

    assert term_holds(after, before=before, policy=policy) == [(STOPS, 0), (STOPS, 100), (STOPS, 200)]


def test_the_held_school_keeps_its_term_and_classes() -> None:
    """Nothing of the mistyped term reaches Canvas; the other school's plan does."""
    after = with_term(replace(FALL, last_day=TODAY - timedelta(days=1)))
    planned = plan(after, applied=BEFORE.data_sets)
    kept = plan_without(BEFORE.data_sets, planned.data_sets, lambda school: school == 100)

    assert kept == BEFORE.data_sets
    assert planned.data_sets != BEFORE.data_sets


def counts(at: datetime, school: int = 100, **rows: int) -> LiveCounts:
    """Return what was live of a school at a moment, by entity; classes of its fall term."""
    keys = {name: USERS if name == "users" else DataSetKey(Entity(name), f"{school}-3601") for name in rows}
    return LiveCounts(at, {keys[name]: {school: count} for name, count in rows.items()})


def lost(*history: LiveCounts, ended: frozenset[str] = frozenset(), **left: int) -> list[tuple[object, ...]]:
    """Return what is lost of school 100, which has so many rows left."""
    return list(losses(LiveHistory(NOW, history), counts(NOW, **left).rows, ended))


def ago(**length: int) -> datetime:
    """Return a moment so long ago."""
    return NOW - timedelta(**length)


def test_a_loss_is_measured_from_a_day_and_a_week_ago() -> None:
    """From the newest counts before that; the greater loss is told."""
    history = [counts(ago(days=9), users=130), counts(ago(days=7), users=120), counts(ago(days=2), users=105)]

    assert lost(*history, users=100) == [((Entity.USERS, 100), "a week", 120, 100)]


def test_a_loss_within_a_day_is_measured_from_the_oldest_counts() -> None:
    """Forty runs in an afternoon are no reason to forget the first of them."""
    history = [counts(ago(hours=n), users=100 + n) for n in range(1, 9)]

    assert lost(*history, users=90) == [((Entity.USERS, 100), "a day", 108, 90)]


def test_what_grew_lost_nothing() -> None:
    """As many came as left."""
    assert lost(counts(ago(days=1), users=100, enrollments=500), users=100, enrollments=501) == []


def test_a_term_that_ended_takes_its_rows_along() -> None:
    """Which is no loss."""
    history = counts(ago(days=2), enrollments=500)

    assert lost(history, enrollments=0, ended=frozenset({"100-3601"})) == []
    assert lost(history, enrollments=400) != []


def test_counts_of_one_school_say_nothing_about_another() -> None:
    """A school that was counted later is measured from then on."""
    history = [counts(ago(days=8), school=200, users=50), counts(ago(hours=5), users=100)]
    now = {USERS: {100: 99, 200: 50}}

    assert list(losses(LiveHistory(NOW, tuple(history)), now, ())) == [((Entity.USERS, 100), "a day", 100, 99)]


def slowly(after: Roster, history: LiveCounts, before: ImportPlan = BEFORE) -> list[Hold]:
    """Return the holds about slow losses."""
    planned = plan(after, applied=before.data_sets)
    facts = roster_facts(after, TODAY, CHICAGO)
    seen = LiveHistory(NOW, (history,))
    found = safety_findings(before.data_sets, planned.data_sets, facts, LIMITS, seen)
    return [hold for hold in found if hold.code == HoldReason.SHRUNK_SLOWLY]


@pytest.mark.parametrize(("then", "held"), [(115, False), (116, True)])
def test_a_small_loss_on_top_of_others_is_held(then: int, held: bool) -> None:
    """105 enrollments now and one less after this run: 11 of 115 pass, 12 of 116 do not, where 10 % are the limit."""
    history = LiveCounts(ago(days=1), {CLASSES: {100: then}})
    found = slowly(replace(DISTRICT, enrollments=DISTRICT.enrollments[1:]), history)

    assert [(hold.entity, hold.school_number) for hold in found] == ([(Entity.ENROLLMENTS, 100)] if held else [])
    if held:
        assert found[0].sentence.endswith(f"(school 100, more than 10 % in a day, {then - 104} of {then} enrollments).")


def test_a_run_that_ends_nothing_is_not_held_for_what_others_ended() -> None:
    """What ended is over; a run that adds somebody makes nothing worse."""
    assert slowly(DISTRICT, LiveCounts(ago(days=1), {CLASSES: {100: 200}})) == []


def test_another_entity_in_small_steps() -> None:
    """Users too, by their own limit of 5 %."""
    leaver = replace(DISTRICT.students[0], is_active=False)
    after = replace(DISTRICT, students=(leaver, *DISTRICT.students[1:]))
    found = slowly(after, LiveCounts(ago(days=7), {USERS: {100: 110}}))

    assert [hold.entity for hold in found] == [Entity.USERS]


def test_live_rows_are_counted_by_data_set_and_school() -> None:
    """What is suspended, concluded or over for somebody gives nobody anything."""
    found = live_counts(BEFORE.data_sets)

    assert found[USERS] == {100: 101, 200: 3}
    assert found[CLASSES] == {100: 105}
    assert found[DataSetKey(Entity.COURSES, "200-3601")] == {200: 1}
