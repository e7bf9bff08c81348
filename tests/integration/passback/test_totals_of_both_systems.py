"""Both systems calculate a total by themselves, each in its own way: passback leads from one to the other."""

import random
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shared.domain.passback.totals.causes import TotalCause
from shared.domain.passback.totals.waterfall import Explanation
from shared.sandbox.canvas.seed import GradingPeriod
from shared.sandbox.district.builder import student_dcid_of, user_id_of
from tests.integration.passback.totals_kit import (
    CATEGORIES,
    GROUPS,
    HOMEWORK,
    NOON,
    STUDENTS,
    TESTS,
    Gradebooks,
    Plan,
    gradebooks,
)
from tests.integration.passback.totals_kit import DCID as SECTION_DCID

ONE = str(STUDENTS[0])


@pytest.fixture(scope="module")
def here() -> Iterator[Gradebooks]:
    with gradebooks() as both:
        yield both


def of_one(here: Gradebooks, number: str = ONE) -> Explanation:
    explanation = here.totals()[number].explanation
    assert explanation is not None
    return explanation


def changes(found: Explanation) -> dict[TotalCause, str]:
    """Return what each cause changes, as text."""
    sums: dict[TotalCause, Decimal] = {}
    for step in found.steps:
        sums[step.cause] = sums.get(step.cause, Decimal(0)) + step.change
    return {cause: f"{change:+.2f}" for cause, change in sums.items() if change}


def planned(dice: random.Random) -> Plan:
    """Return a course with every kind of work that the two systems count differently."""
    plan = Plan(weighted=dice.random() < 0.6)
    for key in GROUPS:
        rules = {"drop_lowest": dice.choice([0, 0, 1, 2]), "drop_highest": dice.choice([0, 0, 0, 1])}
        plan.groups[key] = {"group_weight": dice.choice([0, 10, 25, 40, 60, 110]), **rules}
    for n in range(dice.randint(1, 9)):
        points = dice.choice([0, 1, 5, 10, 10, 20, 100])
        fields = {
            "assignment_group_id": dice.choice(list(GROUPS)),
            "omit_from_final_grade": dice.random() < 0.15,
            "post_to_sis": dice.random() < 0.85,
            "muted": dice.random() < 0.2,
            "post_manually": dice.random() < 0.1,
            "due_at": dice.choice(
                [NOON + timedelta(days=2), NOON - timedelta(days=4), NOON + timedelta(days=90), None]
            ),
            "workflow_state": "unpublished" if dice.random() < 0.05 else "published",
            "only_visible_to_overrides": dice.random() < 0.05,
        }
        key = plan.work(f"Work {n}", points, **fields)
        for number in STUDENTS:
            kind = dice.random()
            if kind < 0.65:
                score = round(dice.uniform(-1, 1.2 * points + 2), dice.choice([0, 1, 2]))
                deducted = {"points_deducted": 1.0, "entered_score": score + 1} if dice.random() < 0.1 else {}
                plan.submission(key, number, score=score, **deducted)
            elif kind < 0.75:
                plan.submission(key, number, excused=True)
            elif kind < 0.85:
                plan.submission(key, number, late_policy_status="missing")
            elif kind < 0.9:
                plan.submission(key, number, score=1.0, workflow_state="pending_review")
    for key, group in plan.groups.items():
        own = [each.id for each in plan.assignments if each.assignment_group_id == key]
        group["never_drop"] = own[:1] if dice.random() < 0.3 else []
    return plan


def teach(here: Gradebooks, dice: random.Random) -> None:
    """Let the teacher do in PowerSchool what teachers do there."""
    for name, row in sorted(here.rows().items()):
        where = {"assignment_section_id": row["assignment_section_id"]}
        if dice.random() < 0.15:
            here.powerschool("change_assignment", **where, counted=False)
        if dice.random() < 0.15:
            here.powerschool("change_assignment", **where, weight=dice.choice(["0.5", "2", "3"]))
        for number in STUDENTS:
            student = {**where, "student_dcid": student_dcid_of(number)}
            if dice.random() < 0.1 and str(student_dcid_of(number)) in row["scores"]:
                here.powerschool("mark_score", **student, exempt=True)
            if dice.random() < 0.1:
                here.powerschool("rescore", **student, points=str(dice.randint(0, 12)))
            if dice.random() < 0.05:
                here.powerschool("score_code", **student, code="IE")
        assert name
    for n in range(dice.randint(0, 2)):
        scores = [dice.choice([None, dice.randint(0, 20)]) for _ in STUDENTS]
        here.own_work(f"Own {n}", dice.choice([5, 20]), dice.choice(list(CATEGORIES)), *scores)
    weights = {str(id_): str(dice.choice([5, 20, 50])) for id_ in CATEGORIES if dice.random() < 0.8}
    if dice.random() < 0.7:
        here.powerschool("set_grade_calculation", section_dcid=SECTION_DCID, category_weights=weights)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6))
@example(seed=1020)
def test_every_difference_is_accounted_for_exactly(here: Gradebooks, seed: int) -> None:
    """From what Canvas shows to what PowerSchool shows, to the hundredth, for every student of any course."""
    dice = random.Random(seed)
    here.seed(planned(dice))
    here.sync()
    teach(here, dice)
    in_canvas, in_powerschool, found = here.canvas_totals(), here.term_grades(), here.totals()
    assert found.keys() == {str(number) for number in STUDENTS}
    for number, student in found.items():
        explanation = student.explanation
        assert explanation is not None
        current = in_canvas[number]["current_score"]
        assert explanation.canvas == (None if current is None else Decimal(str(current)).quantize(Decimal("0.01")))
        assert explanation.powerschool == in_powerschool.get(number)
        total = explanation.canvas
        for step in explanation.steps:
            assert step.before == total
            total = step.after
        assert total == explanation.powerschool
        assert sum(step.change for step in explanation.steps) == explanation.difference
        assert explanation.unexplained == 0
        assert not [step for step in explanation.steps if step.cause is TotalCause.CANVAS_DIFFERS]


def test_a_term_of_everything(here: Gradebooks) -> None:
    """One course by hand: dropped, hidden, omitted, missing and late scores, weights, and the teacher's own work."""
    plan = Plan(weighted=True)
    plan.groups = {HOMEWORK: {"group_weight": 40, "drop_lowest": 1}, TESTS: {"group_weight": 60}}
    plan.work("Reading", 10, 2)
    plan.work("Writing", 10, 8)
    plan.work("Practice", 10, 1, omit_from_final_grade=True)
    late = plan.work("Essay", 20)
    plan.submission(late, STUDENTS[0], score=15, entered_score=17, points_deducted=2)
    plan.work("Exam", 50, 45, assignment_group_id=TESTS)
    plan.work("Retake", 50, 20, assignment_group_id=TESTS, muted=True)
    gone = plan.work("Sketch", 10)
    plan.submission(gone, STUDENTS[0], late_policy_status="missing")
    plan.submission(gone, STUDENTS[1], score=7)
    here.seed(plan)
    here.sync()
    here.own_work("Behavior", 10, 4304, 5)
    weights = {"4301": "40", "4303": "50", "4304": "10"}
    here.powerschool("set_grade_calculation", section_dcid=SECTION_DCID, category_weights=weights)
    found = of_one(here)
    # Canvas: 23 of 30 at 40 %, 45 of 50 at 60 %. PowerSchool: 25 of 50 at 40 %, 65 of 100 at 50 %, 5 of 10 at 10 %.
    assert (str(found.canvas), str(found.powerschool)) == ("84.67", "57.50")
    assert changes(found) == {
        TotalCause.HIDDEN: "-15.00",
        TotalCause.DROPPED: "-5.67",
        TotalCause.MISSING: "-5.00",
        TotalCause.WEIGHTS: "-0.67",
        TotalCause.ONLY_IN_POWERSCHOOL: "-0.83",
    }
    assert (found.reported.sentence, found.unexplained) == ("PowerSchool shows the same.", 0)
    assert any(note.startswith("Essay: 2 points were deducted") for note in found.caveats)


def test_it_works_without_the_optional_queries(here: Gradebooks) -> None:
    """Not installed, or not granted: no grade and no formula is read, nothing is reported as broken, and it says so."""
    plan = Plan(weighted=True, groups={HOMEWORK: {"group_weight": 40}, TESTS: {"group_weight": 60}})
    plan.work("Reading", 10, 9)
    plan.work("Exam", 10, 5, assignment_group_id=TESTS)
    here.seed(plan)
    here.sync()
    for knobs in (
        {"missing_queries": ["org.passback.sync.totals.term_grades", "org.passback.sync.totals.formulas"]},
        {"missing_grants": ["pgfinalgrades.percent", "gradecalcformulaweight.weight"]},
    ):
        here.faults(**knobs)
        found = of_one(here)
        assert (str(found.canvas), str(found.powerschool), found.formula_known) == ("66.00", "66.00", False)
        assert "does not let passback read its term grades" in found.reported.sentence
        assert here.service.unavailable_queries.all() == []
    # Grades without formulas: what the weights make of it cannot be explained.
    here.faults(missing_grants=["gradecalcformulaweight.weight"])
    weights = {"4301": "80", "4303": "20"}
    here.powerschool("set_grade_calculation", section_dcid=SECTION_DCID, category_weights=weights)
    found = of_one(here)
    assert found.unexplained == Decimal("16.00")
    assert found.reported.sentence.startswith("16.00 is not explained: PowerSchool does not let passback read how it")


def test_what_a_teacher_changed_in_canvas_alone(here: Gradebooks) -> None:
    """Weighted grading periods and an override: Canvas's own calculation is the sandbox's, not passback's."""
    first, last = NOON - timedelta(days=30), NOON + timedelta(days=60)
    plan = Plan(overrides={user_id_of(STUDENTS[1]): 99.5}, hides_totals=True)
    plan.periods = [
        GradingPeriod(id=1, title="Q1", start_date=first, end_date=NOON, weight=75),
        GradingPeriod(id=2, title="Q2", start_date=NOON, end_date=last, weight=25),
    ]
    plan.work("Reading", 10, 9, 9, due_at=NOON - timedelta(days=3))
    plan.work("Writing", 10, 5, 5)
    here.seed(plan)
    here.sync()
    found = of_one(here)
    assert (str(found.canvas), str(found.powerschool)) == ("80.00", "70.00")
    assert changes(found) == {TotalCause.GRADING_PERIODS: "-10.00"}
    other = of_one(here, str(STUDENTS[1]))
    assert changes(other) == {TotalCause.OVERRIDE: "-19.50", TotalCause.GRADING_PERIODS: "-10.00"}
    assert any("hides the course's totals" in note for note in other.caveats)


def test_scores_that_powerschool_stores_weighted(here: Gradebooks) -> None:
    """Whether it does is not public: both come out right, of the teacher's own weight for an assignment."""
    for weighted in (False, True):
        plan = Plan()
        reading = plan.work("Reading", 10, 9, 7)
        plan.work("Writing", 10, 5, 5)
        here.seed(plan)
        here.sync()
        here.faults(weighted_scores=weighted)
        here.powerschool("change_assignment", assignment_section_id=here.id_of("Reading"), weight="3")
        here.canvas("grade", assignment_id=reading, user_id=user_id_of(STUDENTS[0]), score=8)
        here.canvas("grade", assignment_id=reading, user_id=user_id_of(STUDENTS[1]), score=6)
        here.sync()
        found = of_one(here)
        # (3 * 8 + 5) of 40.
        assert (str(found.canvas), str(found.powerschool), found.unexplained) == ("65.00", "72.50", 0)
        assert changes(found) == {TotalCause.WEIGHT: "+7.50"}


def test_whole_numbers_in_powerschool_are_known(here: Gradebooks) -> None:
    """A district that shows whole numbers has no unexplained part."""
    plan = Plan()
    plan.work("Reading", 3, 2)
    here.seed(plan)
    here.sync()
    here.powerschool("set_grade_calculation", section_dcid=SECTION_DCID, grade_places=0)
    found = of_one(here)
    assert (str(found.powerschool), found.unexplained) == ("66.67", 0)
    assert "whole numbers" in found.reported.sentence
