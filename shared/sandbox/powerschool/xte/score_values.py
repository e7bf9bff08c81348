"""Checks score rows and derives points, percents and letters from them."""

import re
from dataclasses import dataclass
from decimal import Decimal

from shared.sandbox.powerschool.request import Rule
from shared.sandbox.powerschool.rows import AssignmentSection, Score
from shared.sandbox.powerschool.xte.bodies import FLAGS, ScoreBody

NUMBER = re.compile(r"-?(\d+(\.\d*)?|\.\d+)", re.ASCII)
MAX_ENTERED_CHARS = 30
MAX_COMMENT_CHARS = 4000
MAX_POINTS = Decimal(10) ** 12
SIX_PLACES = Decimal("0.000001")
LETTERS = ((Decimal(90), "A"), (Decimal(80), "B"), (Decimal(70), "C"), (Decimal(60), "D"))


@dataclass(frozen=True, slots=True)
class ScoreCode:
    """A special code: the percent it stands for and whether it means missing."""

    percent: Decimal
    missing: bool = False


# IE is of a public capture (50 %, missing); the others are mentioned second-hand as defaults.
SCORE_CODES = {
    "IE": ScoreCode(Decimal(50), missing=True),
    "MIS": ScoreCode(Decimal(0), missing=True),
    "ABS": ScoreCode(Decimal(0)),
    "INC": ScoreCode(Decimal(0)),
}


def entered_number(body: ScoreBody) -> Decimal | None:
    """Return what was entered as a number, None where it is none (`1E+1` is none)."""
    entered = body.actualscoreentered or ""
    return Decimal(entered) if NUMBER.fullmatch(entered) else None


def _score_type(body: ScoreBody, row: AssignmentSection) -> str:
    return body.scoretype or row.score_type


def _not_a_number(body: ScoreBody, row: AssignmentSection) -> bool:
    numeric = body.actualscorekind == "REAL_SCORE" and _score_type(body, row) != "GRADESCALE"
    return numeric and entered_number(body) is None


def _disagrees(body: ScoreBody, row: AssignmentSection) -> bool:
    entered = entered_number(body)
    if body.scorepoints is None or entered is None or _score_type(body, row) != "POINTS":
        return False
    return body.scorepoints != entered


def _kind_unknown(body: ScoreBody, _row: AssignmentSection) -> bool:
    if body.actualscoreentered is None and body.scorepoints is None:
        return body.actualscorekind is not None
    return body.actualscorekind not in ("REAL_SCORE", "SCORE_CODE")


RULES = (
    # Source: ASSIGNMENTSCORE.ACTUALSCOREENTERED S30 in a public schema dump.
    Rule(
        "Actual Score Entered",
        f"Actual score entered is at most {MAX_ENTERED_CHARS} characters long",
        lambda body, _: len(body.actualscoreentered or "") > MAX_ENTERED_CHARS,
    ),
    # Source: Values of a public capture; the refusal is inferred.
    Rule("Actual Score Kind", "Actual score kind is REAL_SCORE or SCORE_CODE, and only with a score", _kind_unknown),
    # Inferred: how to clear a score is not public, so a row without any value is refused.
    Rule(
        "Actual Score Entered",
        "A score or a flag is required",
        lambda body, _: not body.actualscoreentered and not body.flagged,
    ),
    # Inferred from the measured rows, whose real scores are numbers.
    Rule("Actual Score Entered", "Actual score entered is not a number", _not_a_number),
    # Inferred: equal in every measured row.
    Rule("Score Points", "Score points and the score entered disagree", _disagrees),
    # Source: ASSIGNMENTSCORE.SCOREPOINTS N18.6 in a public schema dump.
    Rule(
        "Score Points",
        "Score points do not fit Numeric(18,6)",
        lambda body, _: abs(body.scorepoints or entered_number(body) or Decimal(0)) >= MAX_POINTS,
    ),
    # Inferred: codes are defined per teacher or district.
    Rule(
        "Actual Score Entered",
        "Score code is unknown",
        lambda body, _: body.actualscorekind == "SCORE_CODE" and body.actualscoreentered not in SCORE_CODES,
    ),
    # Inferred.
    Rule(
        "Score Type", "Score type is not the assignment's", lambda body, row: _score_type(body, row) != row.score_type
    ),
    # Source: Published error title; when it applies is inferred.
    Rule(
        "Actual Score Grade Scale ID",
        "Actual score grade scale id is required for a grade scale score",
        lambda body, row: _score_type(body, row) == "GRADESCALE" and body.actualscoregradescaledcid is None,
    ),
    # Source: ASSIGNMENTSCORECOMMENT.COMMENTVALUE S4000 in a public schema dump.
    Rule(
        "Comment",
        f"Comment is at most {MAX_COMMENT_CHARS} characters long",
        lambda body, _: body.comment is not None and len(body.comment.commentvalue) > MAX_COMMENT_CHARS,
    ),
)


def broken_rules(body: ScoreBody, row: AssignmentSection) -> list[Rule]:
    """Return every rule that the row breaks."""
    return [rule for rule in RULES if rule.broken(body, row)]


def overwrite(score: Score, body: ScoreBody, row: AssignmentSection, *, keep_omitted_flags: bool = False) -> None:
    """Give the score every value of the body; a comment stays where the body has none (inferred).

    Whether a flag that the body leaves out stays as it is, or is taken away, is not publicly known.
    """
    score.entered, score.kind = body.actualscoreentered or None, body.actualscorekind
    score.grade_scale_dcid, score.points = body.actualscoregradescaledcid, body.scorepoints
    for flag in FLAGS:
        if f"is{flag}" in body.model_fields_set or not keep_omitted_flags:
            setattr(score, flag, getattr(body, f"is{flag}"))
    if body.comment is not None:
        score.comment = body.comment.commentvalue
    derive(score, row)


def derive(score: Score, row: AssignmentSection) -> None:
    """Compute points, percent and letter from what was entered; nothing if nothing was entered.

    Source: a public capture: with PERCENT the points are exactly total x percent / 100; a code stands for a percent.
    """
    if score.entered is None:
        score.points = score.percent = score.letter = None
    elif score.kind == "SCORE_CODE":
        _from_percent(score, row, SCORE_CODES[score.entered].percent)
        score.missing = score.missing or SCORE_CODES[score.entered].missing
    elif row.score_type == "PERCENT":
        _from_percent(score, row, Decimal(score.entered))
    elif row.score_type == "POINTS":
        score.points = Decimal(score.entered).quantize(SIX_PLACES)
        score.percent = (score.points / row.points * 100).quantize(SIX_PLACES) if row.points else None
        score.letter = letter_grade(score.percent)


def _from_percent(score: Score, row: AssignmentSection, percent: Decimal) -> None:
    score.points = (row.total * percent / 100).quantize(SIX_PLACES)
    score.percent, score.letter = percent, letter_grade(percent)


def letter_grade(percent: Decimal | None) -> str | None:
    """Return the letter of a plain ten-point scale: the real scale is the district's."""
    if percent is None:
        return None
    return next((name for least, name in LETTERS if percent >= least), "F")
