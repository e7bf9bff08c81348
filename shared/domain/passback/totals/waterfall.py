"""Leads from Canvas's total of a student to PowerSchool's: one cause after the other, each with what it changes.

Both totals are sheets of rows. Each step makes the sheet of Canvas a little more like that of PowerSchool, so that the
changes add up to the difference whatever the causes are. Sums are exact; only what is shown is rounded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from shared.domain.passback.powerschool import Score
from shared.domain.passback.student_status import sentence_of
from shared.domain.passback.totals.causes import TotalCause
from shared.domain.passback.totals.formulas import (
    ReportedGrade,
    canvas_formula,
    canvas_formula_text,
    caveats_of,
    has_weight,
    powerschool_formula,
    reported_grade,
)
from shared.domain.passback.totals.grading import CanvasTotals
from shared.domain.passback.totals.sheet import (
    CanvasWork,
    PowerSchoolWork,
    Row,
    Sheet,
    StudentWork,
    is_rounding_of,
    quantized,
    shown,
)
from shared.domain.wording import plain_number

HIDDEN = "{} counts in PowerSchool. It is not posted to the student in Canvas, where the total leaves it out."


@dataclass(frozen=True, slots=True)
class Step:
    """One cause: the work it concerns, a sentence, and the total before and after it, None where there is none."""

    cause: TotalCause
    sentence: str
    before: Decimal | None
    after: Decimal | None
    assignment_id: str | None = None
    name: str = ""

    @property
    def change(self) -> Decimal:
        """What it changes; no total counts as 0."""
        return (self.after or Decimal(0)) - (self.before or Decimal(0))

    @property
    def has_effect(self) -> bool:
        """Say whether the total that is shown differs before and after."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why two totals differ: `canvas` plus the changes of the `steps` is `powerschool`.

    `formula_known` says whether PowerSchool shows how it calculates.
    """

    canvas: Decimal | None
    powerschool: Decimal | None
    steps: tuple[Step, ...]
    reported: ReportedGrade
    caveats: tuple[str, ...]
    formula: str
    formula_known: bool
    canvas_formula: str

    @property
    def difference(self) -> Decimal:
        """PowerSchool's computed total minus Canvas's; no total counts as 0."""
        return (self.powerschool or Decimal(0)) - (self.canvas or Decimal(0))

    @property
    def unexplained(self) -> Decimal:
        """How much passback cannot explain, of both sides together and without sign."""
        of_canvas = (abs(step.change) for step in self.steps if step.cause is TotalCause.CANVAS_DIFFERS)
        return sum(of_canvas, Decimal(0)) + abs(self.reported.unexplained)


def explain_totals(work: StudentWork) -> Explanation:
    """Return why the student's totals differ."""
    walk = _Walk(work)
    start = walk.begin()
    walk.count_hidden()
    walk.undo_drops()
    walk.compare_scores()
    walk.change_formula()
    walk.add_others()
    formula = powerschool_formula(work)
    return Explanation(
        canvas=start,
        powerschool=walk.total,
        steps=tuple(walk.steps),
        reported=reported_grade(work, walk.sheet),
        caveats=tuple(caveats_of(work, is_formula_known=formula.known)),
        formula=formula.text,
        formula_known=formula.known,
        canvas_formula=canvas_formula_text(work.grading),
    )


class _Walk:
    """The steps so far, with the sheet and the shown total after the last one."""

    def __init__(self, work: StudentWork) -> None:
        self._work = work
        self._linked = work.linked
        self.steps: list[Step] = []
        self.sheet = canvas_sheet(work, posted_only=True)
        self.total: Decimal | None = None

    def begin(self) -> Decimal | None:
        """Take the steps from the total that Canvas shows to the one by its rules; return the one it shows."""
        totals = self._work.totals or CanvasTotals()
        by_rules = self.sheet.total()
        weighted = _by_periods(self._work, self.sheet)
        if self._work.totals is None:
            self.total = shown(by_rules)
            return self.total
        current = None if totals.current is None else quantized(totals.current)
        self.total = current if totals.override is None else quantized(totals.override)
        start = self.total
        if totals.override is not None:
            self._say(TotalCause.OVERRIDE, "A teacher entered the final grade in Canvas by hand.", current)
        if weighted is not None and current is not None and is_rounding_of(current, weighted):
            calculated = shown(by_rules)
            if calculated != current:
                text = ", ".join(
                    f"{each.title} {plain_number(each.weight or Decimal(0))} %" for each in self._work.grading.periods
                )
                sentence = f"Canvas makes the total of the grading periods' totals: {text}."
                self._say(TotalCause.GRADING_PERIODS, f"{sentence} PowerSchool's gradebook is one.", calculated)
        elif current != shown(by_rules):
            is_half = current is not None and is_rounding_of(current, by_rules)
            cause = TotalCause.ROUNDING if is_half else TotalCause.CANVAS_DIFFERS
            sentence = "Canvas's total is not what its scores and rules give."
            self._say(cause, "Canvas rounds the half the other way." if is_half else sentence, shown(by_rules))
        return start

    def count_hidden(self) -> None:
        """Count the scores that are not posted, and that PowerSchool counts."""
        for each in self._work.canvas:
            if each.hidden and each.row is not None and self._counts_there(each.id):
                self._to(
                    TotalCause.HIDDEN, HIDDEN.format(_score_of(each)), self.sheet.with_row(each.id, each.row), each
                )

    def undo_drops(self) -> None:
        """Count the dropped scores, group by group. Those that PowerSchool does not count either are removed."""
        names = {each.id: f"{each.name} ({_score_of(each)})" for each in self._work.canvas}
        for group_id, keys in self.sheet.dropped().items():
            drops = {other: rules for other, rules in self.sheet.drops.items() if other != group_id}
            counted = [key for key in names if key in keys and self._counts_there(key)]
            rows = {key: row for key, row in self.sheet.rows.items() if key not in keys or key in counted}
            sheet = replace(self.sheet, rows=rows, drops=drops)
            if counted:
                dropped = ", ".join(names[key] for key in counted)
                sentence = f"Canvas drops {dropped}. PowerSchool's gradebook counts every score."
                self._to(TotalCause.DROPPED, sentence, sheet, name=self._work.grading.groups[group_id].name)
            self.sheet = sheet
        self.sheet = replace(self.sheet, drops={})

    def _counts_there(self, assignment_id: str) -> bool:
        there = self._linked.get(assignment_id)
        return there is not None and there.row is not None

    def compare_scores(self) -> None:
        """Give the work of both sides PowerSchool's scores, points and weights; remove what does not count there."""
        for each in self._work.canvas:
            there, counted = self._linked.get(each.id), self.sheet.rows.get(each.id)
            row = there.row if there else None
            if row is not None:
                row = replace(row, group=each.group_id)
            if counted is not None and row is None:
                cause, sentence = _why_absent(each, there)
                self._to(cause, sentence, self.sheet.with_row(each.id, None), each)
            elif row is not None and there is not None:
                self._to_row(each, there, counted, row)

    def _to_row(self, work: CanvasWork, there: PowerSchoolWork, counted: Row | None, row: Row) -> None:
        score = sentence_of(there.score, there.points)
        if counted is None:
            cause, sentence = _why_only_there(work, score)
            self._to(cause, sentence, self.sheet.with_row(work.id, row), work)
        elif counted.possible != row.possible:
            sentence = f"{_score_of(work)} in Canvas, {score} in PowerSchool."
            self._to(TotalCause.POINTS, sentence, self.sheet.with_row(work.id, row), work)
        elif counted.earned != row.earned:
            sentence = f"{_score_of(work)} in Canvas, {score} in PowerSchool. {work.not_sent}".strip()
            self._to(TotalCause.SCORE, sentence, self.sheet.with_row(work.id, row), work)
        if there.factor != 1:
            factor = plain_number(there.weight or Decimal(0))
            sentence = (
                f"The assignment has weight {factor} in PowerSchool: points earned and possible count {factor} times."
            )
            self._to(TotalCause.WEIGHT, sentence, self.sheet.with_row(work.id, _times(row, there.factor)), work)

    def change_formula(self) -> None:
        """Put the rows into PowerSchool's categories, and weight these as PowerSchool does."""
        categories = {key: str(there.category_id or "") for key, there in self._linked.items()}
        rows = {key: replace(row, group=categories[key]) for key, row in self.sheet.rows.items()}
        found = powerschool_formula(self._work)
        sheet = replace(self.sheet, rows=rows, formula=found.formula)
        of_canvas = canvas_formula_text(self._work.grading)
        is_same = shown(sheet.total()) == shown(self.sheet.total())
        if is_same and (not found.known or of_canvas == found.text):
            self.sheet = sheet
            return
        how = f"Canvas calculates by {of_canvas}, PowerSchool by {found.text}."
        self._to(TotalCause.WEIGHTS, how if found.known else f"Several groups are in other categories. {how}", sheet)

    def add_others(self) -> None:
        """Count what only PowerSchool has."""
        for there in self._work.powerschool:
            row = None if there.canvas_id is not None else there.row
            if row is None:
                continue
            made = (
                "passback made it, and Canvas does not have it any more"
                if there.made_by_passback
                else "passback did not make it"
            )
            sentence = f"{sentence_of(there.score, there.points)}: {made}."
            if not has_weight(self._work.formula, there.category_id):
                sentence += " Its category has no weight in PowerSchool."
            sheet = self.sheet.with_row(f"ps{there.assignment_section_id}", _times(row, there.factor))
            self._to(TotalCause.ONLY_IN_POWERSCHOOL, sentence, sheet, name=there.name)

    def _to(
        self, cause: TotalCause, sentence: str, sheet: Sheet, work: CanvasWork | None = None, name: str = ""
    ) -> None:
        """Take the step to `sheet`."""
        self.sheet = sheet
        self._say(cause, sentence, shown(sheet.total()), work, name)

    def _say(
        self, cause: TotalCause, sentence: str, after: Decimal | None, work: CanvasWork | None = None, name: str = ""
    ) -> None:
        about = (work.id, work.name) if work else (None, name)
        self.steps.append(Step(cause, sentence, self.total, after, *about))
        self.total = after


def canvas_sheet(work: StudentWork, *, posted_only: bool) -> Sheet:
    """Return Canvas's sheet: what counts in the total that it shows to students, or in the teacher's."""
    rows = {each.id: each.row for each in work.canvas if each.row is not None and not (posted_only and each.hidden)}
    groups = work.grading.groups.values()
    drops = {group.id: group for group in groups if group.drop_lowest or group.drop_highest}
    return Sheet(rows, canvas_formula(work.grading), drops)


def _by_periods(work: StudentWork, sheet: Sheet) -> Fraction | None:
    """Return the total by weighted grading periods, None where they have no weights.

    Canvas takes the periods' rounded totals. Source: canvas-lms lib/grade_calculator.rb,
    `calculate_total_from_weighted_grading_periods`.
    """
    periods = work.grading.periods
    if not periods or any(period.weight is None for period in periods):
        return None
    period_of = {each.id: each.period_id for each in work.canvas}
    grade, full = Fraction(0), Fraction(0)
    for period in periods:
        rows = {key: row for key, row in sheet.rows.items() if period_of.get(key) == period.id}
        total = shown(replace(sheet, rows=rows).total())
        if total is not None:
            grade += Fraction(total) * Fraction(period.weight or 0) / 100
            full += Fraction(period.weight or 0)
    if not full:
        return None
    return grade * 100 / full if full < 100 else grade


def _times(row: Row, factor: Fraction) -> Row:
    return replace(row, earned=row.earned * factor, possible=row.possible * factor)


def _score_of(work: CanvasWork) -> str:
    return sentence_of(Score(work.score, work.missing, work.excused), work.points)


def _why_absent(work: CanvasWork, there: PowerSchoolWork | None) -> tuple[TotalCause, str]:
    """Return why a score that counts in Canvas does not count in PowerSchool."""
    of_canvas = f"{_score_of(work)} in Canvas"
    if there is None:
        return TotalCause.NOT_SENT, f"{of_canvas}. {work.not_sent or 'The next sync sends it.'}"
    if there.score is not None and there.score.exempt:
        return TotalCause.EXEMPT, f"{of_canvas}, exempt in PowerSchool."
    if there.score is None or there.score.points is None:
        return (
            TotalCause.NO_SCORE,
            f"{of_canvas}, no score in PowerSchool. {work.not_sent or 'The next sync sends it.'}",
        )
    return TotalCause.NOT_COUNTED, f"{of_canvas}. In PowerSchool the assignment does not count in the final grade."


def _why_only_there(work: CanvasWork, score: str) -> tuple[TotalCause, str]:
    """Return why a score that counts in PowerSchool does not count in Canvas."""
    if work.excused:
        return TotalCause.EXCUSED, f"Excused in Canvas, {score} in PowerSchool."
    if work.omitted:
        return TotalCause.OMITTED, f"Canvas leaves the assignment out of the total. {score} in PowerSchool."
    if work.unfinished:
        return TotalCause.UNFINISHED, f"Canvas waits for a person to finish grading. {score} in PowerSchool."
    if work.missing:
        return TotalCause.MISSING, f"Missing in Canvas, where the total leaves it out. {score} in PowerSchool."
    return TotalCause.CLEARED, f"No score in Canvas, {score} in PowerSchool. {work.not_sent}".strip()


def totals_by_cause(steps: Sequence[Step]) -> Mapping[TotalCause, Decimal]:
    """Return what each cause changes in sum, in the order of the causes; causes that change nothing are left out.

    From no total to 0, or back, is a change.
    """
    sums = {cause: sum((s.change for s in steps if s.cause is cause), Decimal(0)) for cause in TotalCause}
    from_none = {step.cause for step in steps if (step.before is None) is not (step.after is None)}
    return {cause: change for cause, change in sums.items() if change or cause in from_none}
