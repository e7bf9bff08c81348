"""Selects the scores that Canvas drops: those without which the group's percentage is best (lowest) or worst (highest).

A low score of much possible can cost less than a better one of little, so that the lowest percentages are not always
dropped. Canvas searches for the percentage at which the kept scores have nothing left over, by bisection (Kane and
Kane, "The Algebra of Dropping Lowest Scores"). This does the same in whole numbers: the bounds and the end of the
search are Canvas's, since they decide between selections that are equally good.

Source: canvas-lms lib/grade_calculator.rb, `drop_assignments`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from shared.domain.passback.totals.grading import GroupRules


@dataclass(frozen=True, slots=True)
class Droppable:
    """A score with its points possible; `key` is the id of its assignment."""

    key: str
    earned: Fraction
    possible: Fraction


def keys_after_drops(scores: Sequence[Droppable], rules: GroupRules) -> frozenset[str]:
    """Return the keys of the scores that count. At least one of those that may be dropped stays."""
    fixed = [score for score in scores if score.key in rules.never_drop]
    free = sorted((score for score in scores if score.key not in rules.never_drop), key=lambda score: _order(score.key))
    if not free or not (rules.drop_lowest or rules.drop_highest):
        return frozenset(score.key for score in scores)
    lowest = min(rules.drop_lowest, len(free) - 1)
    highest = rules.drop_highest if lowest + rules.drop_highest < len(free) else 0
    if any(score.possible for score in scores):
        selected = _select(free, fixed, len(free) - lowest, best=True)
        selected = _select(selected, fixed, len(free) - lowest - highest, best=False)
    else:
        selected = sorted(free, key=lambda score: score.earned)[lowest : len(free) - highest]
    return frozenset(score.key for score in (*selected, *fixed))


def _order(key: str) -> tuple[int, str]:
    return (int(key), "") if key.isdecimal() else (0, key)


def _select(free: list[Droppable], fixed: list[Droppable], count: int, *, best: bool) -> list[Droppable]:
    """Return the `count` scores with which the percentage is highest, or lowest unless `best`."""
    if len(free) <= count:
        return free
    scale = lcm(*(number.denominator for score in (*free, *fixed) for number in (score.earned, score.possible)))
    numbers = {score.key: (int(score.earned * scale), int(score.possible * scale)) for score in (*free, *fixed)}

    def rated(at: Fraction, score: Droppable) -> int:
        earned, possible = numbers[score.key]
        return earned * at.denominator - at.numerator * possible

    def selected_at(at: Fraction) -> tuple[int, list[Droppable]]:
        selected = sorted(free, key=lambda score: rated(at, score), reverse=best)[:count]
        return sum(rated(at, score) for score in (*selected, *fixed)), selected

    pointed = [score for score in (*free, *fixed) if score.possible]
    low = min(score.earned / score.possible for score in pointed)
    high = _highest([*free, *fixed], pointed)
    end = Fraction(1, 2 * count) / max(score.possible for score in pointed) ** 2
    middle = (low + high) / 2
    surplus, selected = selected_at(middle)
    while high - low >= end:
        low, high = (low, middle) if surplus < 0 else (middle, high)
        middle = (low + high) / 2
        surplus, selected = selected_at(middle)
    return selected


def _highest(scores: Sequence[Droppable], pointed: Sequence[Droppable]) -> Fraction:
    """Return the upper bound of the search: with scores of 0 points, more than any single score's percentage."""
    if len(pointed) == len(scores):
        return max(score.earned / score.possible for score in pointed)
    possible = sum((score.possible for score in pointed), Fraction(0))
    earned = sum((score.earned for score in pointed), Fraction(0))
    extra = sum((score.earned for score in scores if not score.possible), Fraction(0))
    return (max(possible, earned) + extra) / possible
