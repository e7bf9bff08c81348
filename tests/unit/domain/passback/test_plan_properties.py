"""What is true of every plan, whatever Canvas and PowerSchool hold."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.passback.planning.links import Link
from shared.domain.passback.planning.plan import (
    ClearScoresStep,
    CreateStep,
    LinkExistingStep,
    Plan,
    UnlinkStep,
    UpdateStep,
    WriteScoresStep,
    make_plan,
)
from shared.domain.passback.powerschool import ActualAssignment, AssignmentKey, DesiredAssignment, Score
from shared.domain.passback.rules.reasons import Reason
from tests.unit.domain.passback.baseline import MARK, MARKS
from tests.unit.domain.passback.powerschool_model import Gradebook

# Few names, days, sections and students, so that everything collides often.
names = st.sampled_from(["Quiz", "quiz", "Lab", "Essay"])
days = st.sampled_from([date(2026, 9, 1), date(2026, 9, 2)])
sections = st.sampled_from([4001, 4002])
students = st.sampled_from([501, 502, 503])
points = st.decimals(-5, 20, places=2, allow_nan=False)
wanted_scores = st.dictionaries(students, st.builds(Score, points, st.booleans(), st.booleans()), max_size=3)
held_scores = st.dictionaries(
    students, st.builds(Score, st.none() | points, st.booleans(), st.booleans(), st.booleans()), max_size=3
)

wanted = st.lists(
    st.builds(
        DesiredAssignment,
        assignment_id=st.sampled_from(["11", "12", "13", "14"]),
        section_dcid=sections,
        name=names,
        description=st.sampled_from(["", "Read.", "x" * 4001]),
        due_date=days,
        points=points,
        category_id=st.sampled_from([61, 62]),
        scores=wanted_scores,
        unscored=st.frozensets(students, max_size=2),
    ).map(lambda d: replace(d, unscored=d.unscored - d.scores.keys())),
    max_size=6,
    unique_by=lambda d: d.key,
)
held = st.lists(
    st.builds(
        ActualAssignment,
        assignment_id=st.integers(1, 9),
        assignment_section_id=st.integers(7001, 7006),
        section_dcid=sections,
        name=names,
        due_date=days,
        points=points,
        category_id=st.sampled_from([None, 61]),
        created_by_plugin=st.sampled_from([None, MARK]),
        locked=st.sampled_from([None, False, True]),
        scores=held_scores,
    ),
    max_size=6,
    unique_by=(lambda a: a.assignment_section_id, lambda a: (a.section_dcid, a.name.casefold(), a.due_date)),
)


@dataclass(frozen=True)
class World:
    """Canvas's wishes, PowerSchool's holdings, and passback's links between them: some stale, some claims."""

    desired: list[DesiredAssignment]
    actual: list[ActualAssignment]
    links: dict[AssignmentKey, Link]

    def plan(self, clear_scores: bool = False) -> Plan:
        return make_plan(self.desired, self.actual, self.links, MARKS, clear_scores=clear_scores)


@st.composite
def worlds(draw: Callable[[st.SearchStrategy[object]], object]) -> World:
    desired: list[DesiredAssignment] = draw(wanted)  # type: ignore[assignment]
    actual: list[ActualAssignment] = draw(held)  # type: ignore[assignment]
    # An assignment section has at most one link; -1 is one that is gone, None a claim.
    free: list[int | None] = [a.assignment_section_id for a in actual]
    links: dict[AssignmentKey, Link] = {}
    for d in desired:
        choice = draw(st.sampled_from(["none", "claim", "gone", "linked"]))
        if choice == "none" or (choice == "linked" and not free):
            continue
        target = {"claim": None, "gone": -1}.get(str(choice)) if choice != "linked" else free.pop()
        sent_to = draw(st.frozensets(students))
        links[d.key] = Link(*d.key, d.name, d.due_date, target, target, sent_to)  # type: ignore[arg-type]
    return World(desired, actual, links)


def applied(world: World, clear_scores: bool = False) -> World:
    book = Gradebook({a.assignment_section_id: a for a in world.actual}, dict(world.links))
    book.apply(world.plan(clear_scores))
    return World(world.desired, list(book.assignments.values()), book.links)


@given(worlds(), st.booleans())
def test_second_plan_is_empty(world: World, clear_scores: bool) -> None:
    """Once a plan is applied, there is nothing left to do. What PowerSchool would refuse is never in it."""
    done = applied(world, clear_scores)
    assert not done.plan(clear_scores).steps


@given(worlds(), st.integers(0, 12))
def test_an_interrupted_plan_ends_where_it_would_have(world: World, steps: int) -> None:
    """Whatever the worker did before it died, the next plan brings about the same names and days, and then is done."""
    book = Gradebook({a.assignment_section_id: a for a in world.actual}, dict(world.links))
    book.apply(world.plan(), steps)
    book.apply(World(world.desired, list(book.assignments.values()), dict(book.links)).plan())
    done = World(world.desired, list(book.assignments.values()), book.links)
    assert not done.plan().steps
    assert _names(done) == _names(applied(world))


def _names(world: World) -> dict[AssignmentKey, tuple[str, date]]:
    by_id = {a.assignment_section_id: a for a in world.actual}
    there = {key: by_id.get(link.powerschool_assignment_section_id or 0) for key, link in world.links.items()}
    return {key: (a.name, a.due_date) for key, a in there.items() if a is not None}


@given(worlds(), st.booleans())
def test_findings_remain(world: World, clear_scores: bool) -> None:
    """What a plan does not do is told again by the next one."""
    told = {f for f in world.plan(clear_scores).findings if f.finding.reason is not Reason.SCORE_CLEARED}
    again = applied(world, clear_scores).plan(clear_scores).findings
    assert {(f.key, f.finding.reason) for f in told} <= {(f.key, f.finding.reason) for f in again}


@given(worlds(), st.booleans())
def test_nothing_foreign_is_touched(world: World, clear_scores: bool) -> None:
    """What is neither linked nor adopted stays as it is, and nothing is ever deleted."""
    done = applied(world, clear_scores)
    own = {link.powerschool_assignment_section_id for link in done.links.values()}
    kept = {a.assignment_section_id: a for a in done.actual}
    for before in world.actual:
        assert before.assignment_section_id in kept
        if before.assignment_section_id not in own or (before.created_by_plugin is None and not _linked(world, before)):
            assert kept[before.assignment_section_id] == before


def _linked(world: World, actual: ActualAssignment) -> bool:
    return actual.assignment_section_id in {link.powerschool_assignment_section_id for link in world.links.values()}


@given(worlds(), st.randoms(use_true_random=False))
def test_order_makes_no_difference(world: World, rng: object) -> None:
    """The same facts in another order make the same plan."""
    desired, actual, links = list(world.desired), list(world.actual), list(world.links.items())
    for some in (desired, actual, links):
        rng.shuffle(some)  # type: ignore[attr-defined]
    assert World(desired, actual, dict(links)).plan() == world.plan()


@given(worlds(), st.booleans())
def test_what_is_not_told_agrees(world: World, clear_scores: bool) -> None:
    """Whatever no finding keeps back is in PowerSchool afterwards, every number exact."""
    done = applied(world, clear_scores)
    back = {f.key for f in world.plan(clear_scores).findings if f.student_dcid is None}
    by_id = {a.assignment_section_id: a for a in done.actual}
    for d in world.desired:
        if d.key in back:
            continue
        there = by_id[done.links[d.key].powerschool_assignment_section_id or 0]
        assert (there.name.casefold(), there.due_date, there.points) == (d.name.casefold(), d.due_date, d.points)
        for dcid, score in d.scores.items():
            assert _value(there.scores[dcid]) == (score.points, score.missing, score.exempt)


def _value(score: Score) -> tuple[Decimal, bool, bool]:
    return (Decimal(0) if score.points is None else score.points, score.missing, score.exempt)


@given(worlds())
def test_links_are_never_shared(world: World) -> None:
    """No PowerSchool assignment ever belongs to two Canvas assignments."""
    ids = [link.powerschool_assignment_section_id for link in applied(world).links.values() if not link.is_claim]
    held_ids = {a.assignment_section_id for a in applied(world).actual}
    shared = [i for i in ids if i in held_ids]
    assert len(shared) == len(set(shared))


@given(worlds())
def test_order_of_steps(world: World) -> None:
    """Links come first, then assignments, then scores; and no score goes where no assignment is."""
    ranks = {UnlinkStep: 0, LinkExistingStep: 0, CreateStep: 1, UpdateStep: 1, WriteScoresStep: 2, ClearScoresStep: 2}
    order = [ranks[type(step)] for step in world.plan(clear_scores=True).steps]
    assert order == sorted(order)
