"""Which assignments of PowerSchool a takeover links, and what stays apart and why."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.passback.planning.links import Link, Takeover
from shared.domain.passback.powerschool import ActualAssignment, AssignmentKey
from shared.domain.passback.rules.apart import Apart
from shared.domain.passback.takeover import (
    EVERY_PLUGIN,
    TEACHER,
    Candidate,
    CourseWork,
    Selection,
    TakeoverWork,
    find_candidates,
    same_name,
)
from tests.unit.domain.passback.baseline import MARKS, SECTION_DCID

DAY = date(2026, 10, 1)
OTHER_SECTION = SECTION_DCID + 1
WORK = TakeoverWork(AssignmentKey("11", SECTION_DCID), "Essay 1", DAY, Decimal(10))
THERE = ActualAssignment(6001, 7001, SECTION_DCID, "Essay 1", DAY, Decimal(10), 31, created_by_plugin="501")
BY_HAND = replace(THERE, created_by_plugin=None)
OWN_LINK = Link("11", SECTION_DCID, "Essay 1", DAY, 6009, 7009)


def work(assignment_id: str = "11", section: int = SECTION_DCID, **changes: object) -> TakeoverWork:
    return replace(WORK, key=AssignmentKey(assignment_id, section), **changes)  # type: ignore[arg-type]


def found(
    works: list[TakeoverWork],
    there: list[ActualAssignment],
    *links: Link,
    selection: Selection = EVERY_PLUGIN,
    elsewhere: tuple[int, ...] = (),
    refused: tuple[AssignmentKey, ...] = (),
) -> tuple[Candidate, ...]:
    course = CourseWork(works, there, {link.key: link for link in links}, MARKS, elsewhere, refused)
    return find_candidates(course, selection)


def apart(candidates: tuple[Candidate, ...]) -> list[tuple[Apart, ...]]:
    return [candidate.apart for candidate in candidates]


def test_the_only_one_of_its_name_date_and_points_is_linked() -> None:
    """The link says whose it was, and that nothing was written to it yet."""
    (candidate,) = found([WORK], [THERE])
    assert candidate.link == Link(*WORK.key, "Essay 1", DAY, 6001, 7001, taken_over=Takeover("501"))


def test_what_passback_links_already_is_no_candidate() -> None:
    """A second run finds nothing."""
    (candidate,) = found([WORK], [THERE])
    assert candidate.link is not None
    assert found([WORK], [THERE], candidate.link) == ()


@pytest.mark.parametrize(
    "name",
    [" Essay 1 ", "ESSAY 1", "Essay  1", "Essay\u00a01", "\uff25ssay 1"],
)
def test_names_are_compared_as_people_read_them(name: str) -> None:
    """Case, outer and double spaces and wide letters make no other name."""
    assert [c.link is not None for c in found([WORK], [replace(THERE, name=name)])] == [True]


@pytest.mark.parametrize(
    ("canvas", "there", "same"),
    [
        ("Cats & dogs", "Cats &amp; dogs", True),
        ("The causes of the Great War, part two", "The causes of the Great War, p", True),
        ("The causes of the Great War, part two", "The causes of the Great War...", True),
        ("The causes of the Great War, part two", "The causes", False),
        ("Party \U0001f389 plan", "Party ?? plan", True),
        ("Essay 1", "Essay 12", False),
        ("Essay", "Essay 1", False),
    ],
)
def test_what_other_integrations_make_of_a_name(canvas: str, there: str, same: bool) -> None:
    """Entities, shortened names and lost emoji are the same name; a short beginning is another one."""
    assert same_name(canvas, there) is same


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"due_date": DAY + timedelta(days=1)}, (Apart.OTHER_DATE,)),
        ({"points": Decimal(20)}, (Apart.OTHER_POINTS,)),
        ({"points": Decimal(20), "due_date": DAY + timedelta(days=1)}, (Apart.OTHER_DATE, Apart.OTHER_POINTS)),
        ({"score_type": "PERCENT"}, (Apart.OTHER_SCORE_TYPE,)),
        ({"created_by_plugin": None}, (Apart.OTHER_MAKER,)),
        ({"unreadable": "due_date"}, (Apart.UNREADABLE,)),
    ],
)
def test_what_differs_stays_apart_with_every_reason(changes: dict[str, object], expected: tuple[Apart, ...]) -> None:
    """It may be other work."""
    assert apart(found([WORK], [replace(THERE, **changes)])) == [expected]  # type: ignore[arg-type]


def test_a_date_or_points_that_canvas_lacks_cannot_be_compared() -> None:
    """The assignment stays apart until Canvas has them."""
    assert apart(found([work(due_date=None, points=None)], [THERE])) == [(Apart.DUE_DATE_MISSING, Apart.POINTS_MISSING)]


def test_of_several_the_one_of_the_same_day_is_linked() -> None:
    """PowerSchool tells assignments apart by name and day."""
    later = replace(THERE, assignment_id=6002, assignment_section_id=7002, due_date=DAY + timedelta(days=7))
    (candidate,) = found([WORK], [later, THERE])
    assert candidate.found == (THERE,)
    assert not candidate.apart


def test_of_several_on_other_days_none_is_linked() -> None:
    """All of them are named."""
    two = [replace(THERE, assignment_section_id=n, due_date=DAY + timedelta(days=n - 7000)) for n in (7001, 7002)]
    (candidate,) = found([WORK], two)
    assert (candidate.apart, candidate.found) == ((Apart.SEVERAL_IN_POWERSCHOOL,), tuple(two))


def test_the_maker_selects_among_several() -> None:
    """Without a selection plugins' are linked; teachers' and others' are when they are named."""
    by_hand = replace(BY_HAND, assignment_id=6002, assignment_section_id=7002)
    other = replace(THERE, assignment_id=6003, assignment_section_id=7003, created_by_plugin="502")
    there = [THERE, by_hand, other]

    def linked(*makers: str) -> int | None:
        (candidate,) = found([WORK], there, selection=Selection(frozenset(makers)))
        return candidate.link.powerschool_assignment_section_id if candidate.link else None

    assert (linked("501"), linked("502"), linked(TEACHER)) == (7001, 7003, 7002)
    assert (linked(), linked("501", TEACHER)) == (None, None)


def test_of_several_in_canvas_only_the_one_that_is_sent_is_linked() -> None:
    """An unpublished copy is no rival; two that are sent are."""
    copy = work("12", is_eligible=False)
    assert apart(found([WORK, copy], [THERE])) == [(), (Apart.SEVERAL_IN_CANVAS,)]
    assert apart(found([WORK, work("12")], [THERE])) == [(Apart.SEVERAL_IN_CANVAS,)] * 2
    assert apart(found([work(is_eligible=False), copy], [THERE])) == [(Apart.SEVERAL_IN_CANVAS,)] * 2


def test_weekly_work_of_one_name_is_linked_week_by_week() -> None:
    """Of the same name on both sides, the days say which is whose."""
    weeks = [DAY + timedelta(weeks=n) for n in range(3)]
    works = [work(str(11 + n), due_date=day) for n, day in enumerate(weeks)]
    there = [
        replace(THERE, assignment_id=6001 + n, assignment_section_id=7001 + n, due_date=d) for n, d in enumerate(weeks)
    ]
    links = [c.link for c in found(works, there)]
    assert [link and link.powerschool_assignment_section_id for link in links] == [7001, 7002, 7003]


def test_what_is_ambiguous_stays_so_once_others_are_linked() -> None:
    """Linking the rest does not decide by elimination: a second run finds as many as the first."""
    entities = replace(THERE, assignment_id=6002, assignment_section_id=7002, name="Essay  1")
    works = [WORK, work("12", name="Essay 2")]
    other = replace(THERE, assignment_id=6003, assignment_section_id=7003, name="Essay 2")
    first = found(works, [THERE, entities, other])
    assert apart(first) == [(Apart.SEVERAL_IN_POWERSCHOOL,), ()]
    link = first[1].link
    assert link is not None
    assert apart(found(works, [THERE, entities, other], link)) == [(Apart.SEVERAL_IN_POWERSCHOOL,)]


def test_weekly_work_that_is_linked_is_not_told_again() -> None:
    """The other weeks' assignments are none of its own."""
    (candidate,) = found([WORK], [THERE])
    assert candidate.link is not None
    next_week = replace(THERE, assignment_section_id=7002, assignment_id=6002, due_date=DAY + timedelta(weeks=1))
    assert found([WORK], [THERE, next_week], candidate.link) == ()
    own = replace(THERE, assignment_section_id=7009, assignment_id=6009, created_by_plugin=next(iter(MARKS)))
    assert found([WORK], [own, next_week], OWN_LINK) == ()


def test_a_canvas_assignment_with_its_own_stays_with_it() -> None:
    """Passback made one; the other of the same name is named. A pending create counts as made."""
    own = replace(THERE, assignment_id=6009, assignment_section_id=7009, created_by_plugin=next(iter(MARKS)))
    assert apart(found([WORK], [THERE, own], OWN_LINK)) == [(Apart.CANVAS_LINKED,)]
    pending = replace(OWN_LINK, powerschool_assignment_id=None, powerschool_assignment_section_id=None)
    assert apart(found([WORK], [THERE], pending)) == [(Apart.CANVAS_LINKED,)]


def test_a_link_to_what_was_deleted_is_replaced() -> None:
    """Its assignment is gone: the vendor's takes its place."""
    assert apart(found([WORK], [THERE], OWN_LINK)) == [()]


def test_what_another_canvas_assignment_has_is_not_taken() -> None:
    """A link leads there already."""
    taken = replace(
        OWN_LINK, assignment_id="12", powerschool_assignment_id=6001, powerschool_assignment_section_id=7001
    )
    assert apart(found([WORK], [THERE], taken)) == [(Apart.POWERSCHOOL_LINKED,)]


def test_what_passback_lost_is_left_to_a_sync() -> None:
    """An own assignment without a link is found by a sync, and hides no other one meanwhile."""
    own = replace(THERE, assignment_section_id=7009, created_by_plugin=next(iter(MARKS)))
    assert apart(found([WORK], [THERE, own])) == [(Apart.MADE_BY_PASSBACK,)]
    assert found([WORK], [own]) == ()


def test_sections_are_compared_one_by_one() -> None:
    """An assignment of two sections finds the one of each, with each section's date."""
    second = replace(THERE, assignment_id=6002, assignment_section_id=7002, section_dcid=OTHER_SECTION)
    works = [WORK, work(section=OTHER_SECTION, due_date=DAY + timedelta(days=1))]
    assert apart(found(works, [THERE, second])) == [(), (Apart.OTHER_DATE,)]
    assert apart(found(works, [THERE, replace(second, due_date=DAY + timedelta(days=1))])) == [(), ()]


def test_an_assignment_of_several_sections_is_linked_in_all_or_none() -> None:
    """PowerSchool changes all sections of an assignment together."""
    second = replace(THERE, assignment_section_id=7002, section_dcid=OTHER_SECTION)
    works = [WORK, work(section=OTHER_SECTION)]
    assert apart(found(works, [THERE, second])) == [(), ()]
    moved = [WORK, work(section=OTHER_SECTION, due_date=DAY + timedelta(days=1))]
    assert apart(found(moved, [THERE, second])) == [(Apart.OTHER_SECTIONS,), (Apart.OTHER_DATE,)]
    assert apart(found([WORK], [THERE], elsewhere=(6001,))) == [(Apart.OTHER_SECTIONS,)]


def test_a_refused_one_is_not_tried_again_by_itself() -> None:
    """PowerSchool refused its first change; a person who names it tries again."""
    assert apart(found([WORK], [THERE], refused=(WORK.key,))) == [(Apart.REFUSED,)]
    assert apart(found([WORK], [THERE], refused=(WORK.key,), selection=Selection(assignment_id="11"))) == [()]


def test_a_person_may_choose_what_is_doubtful() -> None:
    """Another day, other points, several, another maker, a refusal, even another name: the person has compared them."""
    doubtful = replace(BY_HAND, name="Paper", due_date=DAY + timedelta(days=1), points=Decimal(5))
    twin = replace(THERE, assignment_id=6002, assignment_section_id=7002)
    selection = Selection(assignment_id="11", assignment_section_id=7001)
    (candidate,) = found([WORK, work("12")], [doubtful, twin], selection=selection, refused=(WORK.key,))
    assert candidate.link == Link(*WORK.key, "Paper", doubtful.due_date, 6001, 7001, taken_over=Takeover(""))


@pytest.mark.parametrize(
    ("there", "elsewhere", "expected"),
    [
        (replace(THERE, score_type="PERCENT"), (), Apart.OTHER_SCORE_TYPE),
        (THERE, (6001,), Apart.OTHER_SECTIONS),
        (replace(THERE, created_by_plugin=next(iter(MARKS))), (), Apart.MADE_BY_PASSBACK),
    ],
)
def test_what_would_harm_cannot_be_chosen(there: ActualAssignment, elsewhere: tuple[int, ...], expected: Apart) -> None:
    """Refused scores, and changes to sections that nobody looked at."""
    selection = Selection(assignment_id="11", assignment_section_id=7001)
    assert apart(found([WORK], [there], selection=selection, elsewhere=elsewhere)) == [(expected,)]


LONG = "The causes of the Great War, part"
NAMES = st.sampled_from(["Essay 1", "essay 1 ", "Quiz", LONG, LONG[:30]])
DAYS = st.sampled_from([DAY, DAY + timedelta(days=1)])
PLUGINS = st.sampled_from(["501", "502", next(iter(MARKS)), None])


@given(
    st.lists(st.tuples(NAMES, DAYS, st.booleans()), max_size=5),
    st.lists(st.tuples(NAMES, DAYS, PLUGINS), max_size=5),
    st.sampled_from([frozenset[str](), frozenset({"501"}), frozenset({"501", "502", TEACHER})]),
    st.randoms(use_true_random=False),
)
def test_nothing_is_linked_twice_whatever_there_is(
    works: list[tuple[str, date, bool]],
    there: list[tuple[str, date, str | None]],
    makers: frozenset[str],
    random: object,
) -> None:
    """No assignment of either side is in two links; passback's own are in none; the order makes no difference."""
    canvas = [work(str(n), name=name, due_date=day, is_eligible=ok) for n, (name, day, ok) in enumerate(works)]
    powerschool = [
        replace(THERE, assignment_id=n, assignment_section_id=n, name=name, due_date=day, created_by_plugin=maker)
        for n, (name, day, maker) in enumerate(there)
    ]
    links = [c.link for c in found(canvas, powerschool, selection=Selection(makers)) if c.link]
    targets = [link.powerschool_assignment_section_id for link in links]
    assert len({link.key for link in links}) == len(links) == len(set(targets))
    assert not {there[n or 0][2] for n in targets} & MARKS
    random.shuffle(powerschool)  # type: ignore[attr-defined]
    again = [c.link for c in found(canvas[::-1], powerschool, selection=Selection(makers)) if c.link]
    assert sorted(map(repr, again)) == sorted(map(repr, links))
    remaining = found(canvas, powerschool, *links, selection=Selection(makers))
    assert not [c for c in remaining if c.link], "a second run links nothing"
