"""One student's counted scores with the formula that makes a total of them. All sums are exact."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from shared.domain.passback.totals.drops import Droppable, keys_after_drops
from shared.domain.passback.totals.grading import GroupRules

HUNDRED = Fraction(100)
HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Row:
    """A score that counts, in a group of Canvas or a category of PowerSchool."""

    earned: Fraction
    possible: Fraction
    group: str


@dataclass(frozen=True, slots=True)
class Formula:
    """How rows make a total: by points, or with the groups' `weights` in percent.

    Rows of a group without a weight do not count. Groups without points possible are left out, and the others' weights
    are scaled up to 100; `normalizes` scales them down as well, as PowerSchool does and Canvas does not.
    """

    weights: Mapping[str, Fraction] | None = None
    normalizes: bool = False
    rounds_groups: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """The rows by key, the formula, and the rules of the groups that drop scores."""

    rows: Mapping[str, Row]
    formula: Formula
    drops: Mapping[str, GroupRules] = field(default_factory=dict)

    def with_row(self, key: str, row: Row | None) -> "Sheet":
        """Return the sheet with this row; without one where it is None."""
        rows = {**self.rows, key: row} if row else {other: value for other, value in self.rows.items() if other != key}
        return replace(self, rows=rows)

    def dropped(self) -> Mapping[str, frozenset[str]]:
        """Return the keys of the dropped rows by group, of the groups that drop some."""
        found = {}
        for group, rules in self.drops.items():
            in_group = {key: row for key, row in self.rows.items() if row.group == group}
            scores = [Droppable(key, row.earned, row.possible) for key, row in in_group.items()]
            if dropped := in_group.keys() - keys_after_drops(scores, rules):
                found[group] = frozenset(dropped)
        return found

    def total(self) -> Fraction | None:
        """Return the total in percent, None where nothing counts. Source: canvas-lms lib/grade_calculator.rb."""
        dropped = {key for keys in self.dropped().values() for key in keys}
        sums: dict[str, list[Fraction]] = {}
        for key, row in self.rows.items():
            if key not in dropped:
                earned_possible = sums.setdefault(row.group, [Fraction(0), Fraction(0)])
                earned_possible[0] += row.earned
                earned_possible[1] += row.possible
        if self.formula.weights is None:
            possible = sum((possible for _, possible in sums.values()), Fraction(0))
            return sum((earned for earned, _ in sums.values()), Fraction(0)) / possible * HUNDRED if possible else None
        return _weighted(sums, self.formula, self.formula.weights)


def _weighted(sums: Mapping[str, list[Fraction]], formula: Formula, weights: Mapping[str, Fraction]) -> Fraction | None:
    counted = {group: sum_ for group, sum_ in sums.items() if sum_[1] and group in weights}
    full = sum((weights[group] for group in counted), Fraction(0))
    if not full:
        return None
    percents = {group: earned / possible * HUNDRED for group, (earned, possible) in counted.items()}
    if formula.rounds_groups:
        percents = {group: Fraction(rounded(percent, 0)) for group, percent in percents.items()}
    grade = sum((percents[group] * weights[group] for group in counted), Fraction(0)) / HUNDRED
    return grade * HUNDRED / full if full < HUNDRED or formula.normalizes else grade


def rounded(number: Fraction, decimal_places: int = 2) -> Decimal:
    """Return the number with so many decimals, rounded half away from zero."""
    scaled = abs(number) * 10**decimal_places
    integer = (scaled + Fraction(1, 2)).__floor__()
    return (Decimal(integer) if number >= 0 else -Decimal(integer)).scaleb(-decimal_places)


def shown(total: Fraction | None) -> Decimal | None:
    """Return a total as both systems show it, to the hundredth; None where there is none."""
    return None if total is None else rounded(total)


def is_rounding_of(value: Decimal, total: Fraction | None) -> bool:
    """Say whether `value` is the total rounded to the hundredth, a half in either direction (Canvas uses floats)."""
    if total is None:
        return False
    return abs(Fraction(value) - total) <= Fraction(1, 200) + Fraction(1, 10**9)


def quantized(value: Decimal) -> Decimal:
    """Return a total that a system shows, to the hundredth."""
    return value.quantize(HUNDREDTH, ROUND_HALF_UP)
