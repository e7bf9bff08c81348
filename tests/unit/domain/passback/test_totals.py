"""Totals calculated by hand: Canvas's rules, PowerSchool's, and what leads from one to the other."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.passback.powerschool import Score
from shared.domain.passback.totals.causes import TotalCause
from shared.domain.passback.totals.formulas import formula_of, widest
from shared.domain.passback.totals.grading import (
    CanvasTotals,
    CourseGrading,
    GradingPeriod,
    GroupRules,
    TermFormula,
    TermGrade,
)
from shared.domain.passback.totals.sheet import (
    CanvasWork,
    PowerSchoolWork,
    Row,
    StudentWork,
    keys_after_drops,
    rounded,
    stores_weighted,
)
from shared.domain.passback.totals.waterfall import Explanation, canvas_sheet, explain_totals

HOMEWORK, TESTS = "31", "32"
CATEGORY = {HOMEWORK: 61, TESTS: 62}
NAMES = {61: "Homework", 62: "Tests", 63: "Participation"}


def grading(
    homework: object = 0, tests: object = 0, *, drop: int = 0, highest: int = 0, never: str = ""
) -> CourseGrading:
    """Return the grading of two groups, weighted if one has a weight; the rules are those of Homework."""
    groups = (
        GroupRules(HOMEWORK, "Homework", Decimal(str(homework)), drop, highest, frozenset({never} - {""})),
        GroupRules(TESTS, "Tests", Decimal(str(tests))),
    )
    return CourseGrading(bool(homework or tests), {group.id: group for group in groups})


def canvas(
    key: str, score: str | None, points: str | None = "10", group: str = HOMEWORK, **fields: object
) -> CanvasWork:
    numbers = (None if number is None else Decimal(number) for number in (score, points))
    return CanvasWork(key, f"Work {key}", group, *numbers, **fields)  # type: ignore[arg-type]


def sent(work: CanvasWork, **fields: object) -> PowerSchoolWork:
    """Return the work as a sync leaves it in PowerSchool."""
    flags = (work.missing, work.excused)
    score = Score(work.score, *flags) if work.score is not None else Score(Decimal(0), *flags) if any(flags) else None
    values = {"category_id": CATEGORY[work.group_id], "score": score, "canvas_id": work.id, "counted": not work.omitted}
    values |= {"points": work.points or Decimal(0)}
    return PowerSchoolWork(70_000 + int(work.id), work.name, **(values | fields))  # type: ignore[arg-type]


def own(score: str, points: str, category: int = 63, **fields: object) -> PowerSchoolWork:
    """Return work that a teacher made in PowerSchool."""
    return PowerSchoolWork(79_000, "Own", Decimal(points), category, Score(Decimal(score)), **fields)  # type: ignore[arg-type]


def student(
    works: Sequence[CanvasWork],
    there: Sequence[PowerSchoolWork] | None = None,
    rules: CourseGrading | None = None,
    **fields: object,
) -> StudentWork:
    """Return a student whose total Canvas shows as its rules give it."""
    rules = rules or grading()
    work = StudentWork(works, [sent(each) for each in works] if there is None else there, rules, category_names=NAMES)
    total = canvas_sheet(work, posted_only=True).total()
    shown = CanvasTotals(None if total is None else rounded(total))
    return replace(work, **{"totals": shown, **fields})  # type: ignore[arg-type]


def by_rules(works: Sequence[CanvasWork], rules: CourseGrading | None = None) -> str | None:
    total = canvas_sheet(StudentWork(works, (), rules or grading()), posted_only=True).total()
    return None if total is None else str(rounded(total))


def changes(found: Explanation) -> list[tuple[TotalCause, str]]:
    """Return what each step changes, checked to lead from one total to the other."""
    total = found.canvas
    for step in found.steps:
        assert step.before == total
        total = step.after
    assert total == found.powerschool
    assert sum(step.change for step in found.steps) == found.difference
    return [(step.cause, f"{step.change:+.2f}") for step in found.steps]


@pytest.mark.parametrize(
    ("works", "rules", "total"),
    [
        # Total points: (8 + 9) of 20; ungraded, excused, omitted and unfinished work is left out.
        ([canvas("1", "8"), canvas("2", "9"), canvas("3", None)], grading(), "85.00"),
        ([canvas("1", "8"), canvas("2", None, excused=True)], grading(), "80.00"),
        ([canvas("1", "8"), canvas("2", "0", omitted=True)], grading(), "80.00"),
        ([canvas("1", "8"), canvas("2", "1", unfinished=True)], grading(), "80.00"),
        ([canvas("1", "8"), canvas("2", "1", hidden=True)], grading(), "80.00"),
        # Extra credit: more than possible, of 0 points, and negative scores count as they are.
        ([canvas("1", "12")], grading(), "120.00"),
        ([canvas("1", "8"), canvas("2", "2", "0")], grading(), "100.00"),
        ([canvas("1", "8"), canvas("2", "2", None)], grading(), "100.00"),
        ([canvas("1", "8"), canvas("2", "-3")], grading(), "25.00"),
        # Weights: 0.9 * 40 + 0.5 * 60; a group without work is left out and the other scaled up.
        ([canvas("1", "9"), canvas("2", "5", group=TESTS)], grading(40, 60), "66.00"),
        ([canvas("1", "9")], grading(40, 60), "90.00"),
        # An extra credit group: 90 + 5. Weights over 100 are not scaled down.
        ([canvas("1", "9"), canvas("2", "10", group=TESTS)], grading(100, 5), "95.00"),
        ([canvas("1", "10"), canvas("2", "10", group=TESTS)], grading(60, 50), "110.00"),
        # A weighted group of nothing but 0 points does not count, and neither do weights of 0.
        ([canvas("1", "9"), canvas("2", "5", "0", group=TESTS)], grading(40, 60), "90.00"),
        ([canvas("1", "9")], grading(0, 60), None),
        ([canvas("1", "5", "0")], grading(), None),
        ([canvas("1", None, excused=True)], grading(), None),
        ([], grading(), None),
        # A half is rounded up: 1 of 16 is 6.25, 1 of 800 is 0.125.
        ([canvas("1", "1", "800")], grading(), "0.13"),
        ([canvas("1", "-1", "800")], grading(), "-0.13"),
    ],
)
def test_canvas_total(works: list[CanvasWork], rules: CourseGrading, total: str | None) -> None:
    """As Canvas's documentation and source have it."""
    assert by_rules(works, rules) == total


def test_the_lowest_percentage_is_not_always_dropped() -> None:
    """Kane and Kane: of 80/100, 20/100 and 1/20 the 20 is dropped, which costs most, and not the 5 percent."""
    works = [canvas("1", "80", "100"), canvas("2", "20", "100"), canvas("3", "1", "20")]
    assert by_rules(works, grading(drop=1)) == "67.50"


@pytest.mark.parametrize(
    ("rules", "total"),
    [
        # 2, 5 and 9 of 10.
        (grading(drop=1), "70.00"),
        (grading(drop=2), "90.00"),
        # One always stays, and then nothing high is dropped.
        (grading(drop=3), "90.00"),
        (grading(drop=1, highest=1), "50.00"),
        (grading(drop=2, highest=1), "90.00"),
        (grading(highest=1), "35.00"),
        # The first is never dropped, so that the second is.
        (grading(drop=1, never="1"), "55.00"),
        (grading(drop=3, never="1"), "55.00"),
    ],
)
def test_drop_rules(rules: CourseGrading, total: str) -> None:
    """Lowest first, then highest; work that is never dropped counts besides."""
    assert by_rules([canvas("1", "2"), canvas("2", "5"), canvas("3", "9")], rules) == total


SCORES = st.tuples(st.integers(-10, 260), st.sampled_from([1, 3, 5, 10, 20, 100]))


@given(st.lists(SCORES, min_size=1, max_size=7), st.integers(0, 4), st.integers(0, 3))
def test_no_other_selection_is_better(scores: list[tuple[int, int]], low: int, high: int) -> None:
    """Every selection is tried: first the best without the lowest, of these the worst without the highest."""
    works = {str(n): Row(Fraction(earned, 2), Fraction(points), "") for n, (earned, points) in enumerate(scores)}

    def percent(kept: Iterable[str]) -> Fraction:
        rows = [works[key] for key in kept]
        return sum((row.earned for row in rows), Fraction(0)) / sum((row.possible for row in rows), Fraction(0))

    low = min(low, len(works) - 1)
    high = high if low + high < len(works) else 0
    best = keys_after_drops(works, GroupRules("1", "", drop_lowest=low))
    assert percent(best) == max(map(percent, combinations(works, len(works) - low)))
    both = keys_after_drops(works, GroupRules("1", "", drop_lowest=low, drop_highest=high))
    worst = min(map(percent, combinations(best, len(best) - high)))
    assert percent(both) == worst


def test_scores_of_0_points_are_dropped_by_their_size() -> None:
    """Where nothing has points possible there is no percentage."""
    works = {str(n): Row(Fraction(n), Fraction(0), "") for n in range(5)}
    assert keys_after_drops(works, GroupRules("1", "", drop_lowest=1, drop_highest=2)) == {"1", "2"}
    extra = {"1": Row(Fraction(5), Fraction(10), ""), "2": Row(Fraction(3), Fraction(0), "")}
    # Canvas finds 3 of 0 better than any percentage.
    assert keys_after_drops(extra, GroupRules("1", "", drop_lowest=1)) == {"2"}
    # Without the lowest, which alone has points possible, Canvas keeps the highest.
    left = {"1": Row(Fraction(0), Fraction(10), ""), **{key: Row(Fraction(key), Fraction(0), "") for key in ("2", "3")}}
    assert keys_after_drops(left, GroupRules("1", "", drop_lowest=1, drop_highest=1)) == {"3"}


def test_equal_gradebooks_need_no_step() -> None:
    """Nothing differs, and nothing is left to explain."""
    found = explain_totals(student([canvas("1", "8"), canvas("2", "5", group=TESTS)], rules=grading(40, 60)))
    assert changes(found) == []
    assert (found.canvas, found.unexplained, found.formula_known) == (Decimal("62.00"), 0, False)


@pytest.mark.parametrize(
    ("ours", "there", "cause", "change"),
    [
        ({"hidden": True}, {}, TotalCause.HIDDEN, "-25.00"),
        ({"not_sent": "Too long a name."}, None, TotalCause.NOT_SENT, "+25.00"),
        ({}, {"counted": False}, TotalCause.NOT_COUNTED, "+25.00"),
        ({}, {"score": None}, TotalCause.NO_SCORE, "+25.00"),
        ({}, {"score": Score(None)}, TotalCause.NO_SCORE, "+25.00"),
        ({}, {"score": Score(Decimal(3), exempt=True)}, TotalCause.EXEMPT, "+25.00"),
        ({}, {"score": Score(Decimal(5))}, TotalCause.SCORE, "+10.00"),
        ({}, {"points": Decimal(20)}, TotalCause.POINTS, "-18.33"),
        ({}, {"weight": Decimal(2)}, TotalCause.WEIGHT, "-8.33"),
        ({"excused": True}, {"score": Score(Decimal(0))}, TotalCause.EXCUSED, "-40.00"),
        ({"omitted": True}, {"counted": True}, TotalCause.OMITTED, "-25.00"),
        ({"missing": True, "score": None}, {}, TotalCause.MISSING, "-40.00"),
        ({"unfinished": True}, {}, TotalCause.UNFINISHED, "-25.00"),
        ({"score": None}, {"score": Score(Decimal(3))}, TotalCause.CLEARED, "-25.00"),
    ],
)
def test_each_cause(ours: dict[str, object], there: dict[str, object] | None, cause: TotalCause, change: str) -> None:
    """Beside 8 of 10, a second score of 3 of 10 counts on one side, or differs: by hand, 80 and 55 percent."""
    second = replace(canvas("2", "3"), **ours)  # type: ignore[arg-type]
    works = [canvas("1", "8"), second]
    in_powerschool = [sent(works[0])] + ([] if there is None else [sent(second, **there)])
    assert changes(explain_totals(student(works, in_powerschool))) == [(cause, change)]


def test_the_sentence_of_work_that_is_not_sent_has_the_reason() -> None:
    """And the score, so that the teacher recognizes it."""
    (step,) = explain_totals(student([canvas("1", "8", not_sent="Too long a name.")], [])).steps
    assert (step.assignment_id, step.name, step.sentence) == ("1", "Work 1", "8 of 10 in Canvas. Too long a name.")
    (step,) = explain_totals(student([canvas("1", "8")], [])).steps
    assert step.sentence == "8 of 10 in Canvas. The next sync sends it."


def test_dropped_scores_are_one_step_for_each_group() -> None:
    """They are named; PowerSchool counts them."""
    found = explain_totals(student([canvas("1", "2"), canvas("2", "8")], rules=grading(drop=1)))
    assert changes(found) == [(TotalCause.DROPPED, "-30.00")]
    assert found.steps[0].name == "Homework"
    assert "Work 1 (2 of 10)" in found.steps[0].sentence


def test_what_neither_side_counts_is_no_step() -> None:
    """Hidden or dropped in Canvas and not in PowerSchool: both totals are without it, whatever the other causes are."""
    works = [canvas("1", "2"), canvas("2", "8"), canvas("3", "1", hidden=True)]
    there = [sent(works[1])]
    assert changes(explain_totals(student(works, there, grading(drop=1)))) == []
    # Of two dropped scores, one counts there.
    both = [canvas("1", "2"), canvas("2", "8"), canvas("3", "1")]
    found = explain_totals(student(both, [sent(both[0]), sent(both[1])], grading(drop=2)))
    assert changes(found) == [(TotalCause.DROPPED, "-30.00")]
    assert "Work 3" not in found.steps[0].sentence


def test_weights_that_differ_are_one_step() -> None:
    """66 percent by 40 and 60, 82 by 80 and 20. PowerSchool scales weights over 100 down: 160 and 40 are the same."""
    works = [canvas("1", "9"), canvas("2", "5", group=TESTS)]
    for weights in ({61: Decimal(80), 62: Decimal(20)}, {61: Decimal(160), 62: Decimal(40)}):
        formula = TermFormula("S1", "category_weighting", weights)
        found = explain_totals(student(works, rules=grading(40, 60), formula=formula))
        assert changes(found) == [(TotalCause.WEIGHTS, "+16.00")]
        assert found.formula_known
    total_points = TermFormula("S1", "total_points")
    assert changes(explain_totals(student(works, rules=grading(40, 60), formula=total_points))) == [
        (TotalCause.WEIGHTS, "+4.00")
    ]


def test_unknown_weights_are_assumed_to_be_canvas_s_and_said_so() -> None:
    """A category without work of Canvas has no known weight: its scores are in no sum, and are named."""
    works = [canvas("1", "9"), canvas("2", "5", group=TESTS)]
    found = explain_totals(student(works, [*map(sent, works), own("1", "10")], grading(40, 60)))
    assert [change for _, change in changes(found)] == ["+0.00"]
    assert any("Own (1 of 10) is in no sum" in note for note in found.caveats)
    assert any("assume" in note for note in found.caveats)


def test_work_that_only_powerschool_has_counts_there() -> None:
    """The teacher's own, in a category with a weight; without one it changes nothing, and the sentence says so."""
    works = [canvas("1", "8")]
    found = explain_totals(student(works, [sent(works[0]), own("2", "10")]))
    assert changes(found) == [(TotalCause.ONLY_IN_POWERSCHOOL, "-30.00")]
    formula = TermFormula("S1", "category_weighting", {61: Decimal(100)})
    found = explain_totals(student(works, [sent(works[0]), own("2", "10")], formula=formula))
    assert found.difference == 0
    assert "no weight" in found.steps[-1].sentence


def test_nothing_in_common_is_still_accounted_for() -> None:
    """No total counts as 0: all of one side goes, all of the other comes."""
    found = explain_totals(student([canvas("1", "8")], [own("5", "10", 61)]))
    assert changes(found) == [(TotalCause.NOT_SENT, "-80.00"), (TotalCause.ONLY_IN_POWERSCHOOL, "+50.00")]
    nothing = explain_totals(student([], []))
    assert (nothing.canvas, nothing.powerschool, nothing.difference) == (None, None, 0)


def test_all_excused_or_all_exempt_is_no_total() -> None:
    """On either side."""
    found = explain_totals(student([canvas("1", None, excused=True)]))
    assert (found.canvas, found.powerschool, changes(found)) == (None, None, [])


def test_a_percentage_and_a_code_are_weighted_already() -> None:
    """Their points are of the weighted total; a points score is multiplied, unless PowerSchool stores it so."""
    work = canvas("1", "5")
    for fields in (
        {"score": Score(Decimal(10)), "score_type": "PERCENT"},
        {"score": Score(Decimal(10), is_code=True)},
        {"score": Score(Decimal(10)), "stored_weighted": True},
        {"score": Score(Decimal(5)), "score_type": "POINTS"},
    ):
        found = explain_totals(student([work], [sent(work, weight=Decimal(2), **fields)]))
        assert (found.powerschool, found.difference) == (Decimal("50.00"), 0), fields


def test_whether_scores_are_stored_weighted_is_found_out() -> None:
    """One that is as it was sent shows that they are not; those of weight 1, and zeros, show nothing."""
    weighted = (Decimal(5), Decimal(10), Decimal(2))
    assert stores_weighted([weighted])
    assert not stores_weighted([weighted, (Decimal(4), Decimal(4), Decimal(2))])
    assert not stores_weighted([(Decimal(5), Decimal(5), Decimal(1)), (Decimal(0), Decimal(0), Decimal(2))])


def test_an_override_comes_first() -> None:
    """What the teacher entered is the total that Canvas shows."""
    work = student([canvas("1", "8")])
    found = explain_totals(replace(work, totals=CanvasTotals(Decimal(80), override=Decimal("91.5"))))
    assert found.canvas == Decimal("91.50")
    assert changes(found) == [(TotalCause.OVERRIDE, "-11.50")]


def test_a_total_that_the_rules_do_not_give_is_not_explained() -> None:
    """It is said so, with how much; a half that was rounded the other way is explained."""
    work = student([canvas("1", "8")])
    found = explain_totals(replace(work, totals=CanvasTotals(Decimal("80.37"))))
    assert changes(found) == [(TotalCause.CANVAS_DIFFERS, "-0.37")]
    assert found.unexplained == Decimal("0.37")
    half = student([canvas("1", "1", "800")])
    found = explain_totals(replace(half, totals=CanvasTotals(Decimal("0.12"))))
    assert changes(found) == [(TotalCause.ROUNDING, "+0.01")]
    assert found.unexplained == 0


def test_weighted_grading_periods_are_a_step() -> None:
    """90 percent in a period of 75 and 50 in one of 25 are 80; the whole gradebook is at 70."""
    periods = (GradingPeriod("1", "Q1", Decimal(75)), GradingPeriod("2", "Q2", Decimal(25)))
    works = [canvas("1", "9", period_id="1"), canvas("2", "5", period_id="2")]
    work = student(works, rules=replace(grading(), periods=periods), totals=CanvasTotals(Decimal(80)))
    assert changes(explain_totals(work)) == [(TotalCause.GRADING_PERIODS, "-10.00")]
    # Without weights, or where Canvas does not use them, they explain nothing.
    plain = replace(work, totals=CanvasTotals(Decimal(70)))
    assert changes(explain_totals(plain)) == []


def test_without_canvas_s_total_the_sums_begin_with_its_rules() -> None:
    """A token that may not see totals still gets an explanation."""
    found = explain_totals(student([canvas("1", "8")], [], totals=None))
    assert found.canvas == Decimal("80.00")
    assert any("shows passback no total" in note for note in found.caveats)


@pytest.mark.parametrize(
    ("percent", "says", "unexplained"),
    [
        ("66.67", "PowerSchool shows the same.", "0"),
        ("67", "PowerSchool shows its grade in whole numbers.", "0"),
        ("66.7", "PowerSchool shows its grade with one decimal.", "0"),
        ("66.3", "-0.37 is not explained", "0.37"),
    ],
)
def test_powerschools_own_grade_stands_beside(percent: str, says: str, unexplained: str) -> None:
    """Rounded as it shows it; what no rounding gives is not explained, and says how much."""
    grade = TermGrade("S1", Decimal(percent), "D")
    found = explain_totals(student([canvas("1", "2", "3")], term_grade=grade))
    assert found.reported.sentence.startswith(says)
    assert found.unexplained == Decimal(unexplained)


def test_rounded_categories_are_known() -> None:
    """PowerTeacher Pro rounds a category's 66.67 to 67 before it weights it: 67 * 0.4 + 50 * 0.6 are 56.80."""
    works = [canvas("1", "2", "3"), canvas("2", "5", group=TESTS)]
    formula = TermFormula("S1", "category_weighting", {61: Decimal(40), 62: Decimal(60)})
    grade = TermGrade("S1", Decimal("56.8"))
    found = explain_totals(student(works, rules=grading(40, 60), formula=formula, term_grade=grade))
    assert (found.powerschool, found.unexplained) == (Decimal("56.67"), 0)
    assert "rounds the percentage of each category" in found.reported.sentence


def test_a_formula_that_passback_does_not_compute_is_named() -> None:
    """What remains says why."""
    grade, formula = TermGrade("Y1", Decimal(85)), TermFormula("Y1", "term_weighting")
    found = explain_totals(student([canvas("1", "8")], term_grade=grade, formula=formula))
    assert "5.00 is not explained: PowerSchool calculates this grade by term weighting" in found.reported.sentence
    letters = explain_totals(student([canvas("1", "8")], term_grade=TermGrade("Y1", None, "B")))
    assert letters.reported.sentence == "PowerSchool shows B without a percentage."
    closed = explain_totals(student([canvas("1", "8")], grades_readable=False))
    assert "does not let passback read" in closed.reported.sentence


def test_the_grade_of_the_longest_term_is_compared_by_its_own_formula() -> None:
    """A section's semester grade, not one of its quarters'."""
    quarter = TermGrade("Q1", Decimal(70), first_day=date(2030, 8, 1), last_day=date(2030, 10, 1))
    semester = TermGrade("S1", Decimal(80), first_day=date(2030, 8, 1), last_day=date(2030, 12, 20))
    formulas = (TermFormula("Q1", "total_points"), TermFormula("S1", "category_weighting"))
    assert widest([quarter, semester]) is semester
    assert formula_of(formulas, semester) is formulas[1]
    assert formula_of(formulas[:1], semester) is None
    assert widest([]) is formula_of([], None) is None


def test_late_penalties_and_extra_credit_are_notes() -> None:
    """They change nothing: the score is already without the points, and counts in full on both sides."""
    found = explain_totals(student([canvas("1", "12", deducted=Decimal("1.50"))]))
    assert changes(found) == []
    assert any("1.5 points were deducted because it was late" in note for note in found.caveats)
    assert any("12 of 10 is extra credit" in note for note in found.caveats)
