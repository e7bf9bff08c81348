"""How both systems grade, as values: weights, drop rules, grading periods, and the totals that each of them shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class GroupRules:
    """An assignment group's weight in percent, how many scores it drops, and the ids of work that is never dropped.

    Source: Canvas Assignment Groups API, `group_weight` and `rules`.
    """

    id: str
    name: str
    weight: Decimal = Decimal(0)
    drop_lowest: int = 0
    drop_highest: int = 0
    never_drop: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class GradingPeriod:
    """A grading period with its weight in percent, None where its set is not weighted."""

    id: str
    title: str
    weight: Decimal | None = None


@dataclass(frozen=True, slots=True)
class CanvasTotals:
    """What Canvas shows of a student's total, in percent; None where it shows none.

    `current` leaves ungraded work out, `final` counts it as 0. Both leave out scores that are not posted to the
    student, the other two count them. `override` is the final grade that a teacher entered instead.
    Source: Canvas Enrollments API, `grades`.
    """

    current: Decimal | None = None
    final: Decimal | None = None
    unposted_current: Decimal | None = None
    unposted_final: Decimal | None = None
    override: Decimal | None = None


@dataclass(frozen=True, slots=True)
class CourseGrading:
    """How a Canvas course grades, with the totals by Canvas user id. `hides_totals`: students do not see theirs."""

    weighted: bool
    groups: Mapping[str, GroupRules]
    periods: tuple[GradingPeriod, ...] = ()
    totals: Mapping[str, CanvasTotals] = field(default_factory=dict)
    hides_totals: bool = False


@dataclass(frozen=True, slots=True)
class TermGrade:
    """The grade of a student that PowerSchool shows for a reporting term. Source: PGFINALGRADES."""

    store_code: str
    percent: Decimal | None
    letter: str = ""
    first_day: date | None = None
    last_day: date | None = None


TOTAL_POINTS, CATEGORY_WEIGHTING = "total_points", "category_weighting"


@dataclass(frozen=True, slots=True)
class TermFormula:
    """How PowerSchool calculates the grade of a reporting term in a section: `kind` in PowerSchool's word, lower case.

    `weights` are those of categories, by TEACHERCATEGORY id.
    """

    store_code: str
    kind: str
    weights: Mapping[int, Decimal] = field(default_factory=dict)
    first_day: date | None = None
    last_day: date | None = None


@dataclass(frozen=True, slots=True)
class SectionGrading:
    """What the plugin's optional queries return of a section; empty where PowerSchool does not run them.

    `term_grades` are by STUDENTS.DCID. `grades_readable` says whether PowerSchool runs the query of grades.
    """

    formulas: tuple[TermFormula, ...] = ()
    term_grades: Mapping[int, tuple[TermGrade, ...]] = field(default_factory=dict)
    grades_readable: bool = False
