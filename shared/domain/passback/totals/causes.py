"""The causes of a difference between two totals: one row per cause, with what to do about it."""

from shared.domain.wording import CodeTable


class TotalCause(CodeTable):
    """Why two totals differ, in the order in which the causes are applied.

    `label` is the heading for people, `advice` what a teacher or registrar can do.
    """

    label: str
    advice: str

    OVERRIDE = (
        "override",
        "Final grade override",
        "Remove the override in Canvas's gradebook, or enter the same grade in PowerSchool by hand.",
    )
    CANVAS_DIFFERS = (
        "canvas_differs",
        "Not explained in Canvas",
        "Read again in a minute: Canvas calculates totals some time after a score. If it stays, report it.",
    )
    ROUNDING = ("rounding", "Rounding", "Nothing: a half was rounded in the other direction.")
    GRADING_PERIODS = (
        "grading_periods",
        "Weighted grading periods",
        "Compare the grading periods' weights in Canvas with the term weights in PowerSchool.",
    )
    HIDDEN = ("hidden", "Hidden in Canvas", "Post the grades in Canvas. PowerSchool counts them already.")
    DROPPED = (
        "dropped",
        "Dropped in Canvas",
        "Set the same in PowerTeacher Pro (Traditional Grade Calculations, Drop Low Scores), or remove Canvas's rule.",
    )
    NOT_SENT = ("not_sent", "Not in PowerSchool", "Do what the reason says, if the work belongs there.")
    NOT_COUNTED = (
        "not_counted",
        "Does not count in PowerSchool",
        'Select "Count in Traditional Final Grade" for its category in PowerTeacher Pro, which passback follows.',
    )
    NO_SCORE = ("no_score", "No score in PowerSchool", "Do what the reason says; the next sync sends it.")
    EXEMPT = (
        "exempt",
        "Exempt in PowerSchool",
        "Excuse the student in Canvas. Else the next sync removes Exempt.",
    )
    SCORE = ("score", "Another score in PowerSchool", "Nothing: the next sync sends Canvas's score.")
    POINTS = (
        "points",
        "Other points possible in PowerSchool",
        "Nothing: the next sync sends Canvas's points.",
    )
    WEIGHT = (
        "weight",
        "Weight of the assignment in PowerSchool",
        "Set the assignment's weight to 1 in PowerTeacher Pro: Canvas has no weight of single assignments.",
    )
    EXCUSED = ("excused", "Excused in Canvas, counts in PowerSchool", "Nothing: the next sync marks it Exempt.")
    OMITTED = (
        "omitted",
        "Omitted from Canvas's total, counts in PowerSchool",
        'Nothing: the next sync clears "Count in Traditional Final Grade".',
    )
    MISSING = (
        "missing",
        "Missing counts as 0 in PowerSchool",
        "Enter a score, or set a missing policy in Canvas, so that Canvas counts missing work too.",
    )
    UNFINISHED = ("unfinished", "Grading is not finished in Canvas", "Finish grading the work in Canvas.")
    CLEARED = (
        "cleared",
        "No score in Canvas, but one in PowerSchool",
        "Enter the score in Canvas, or empty it in PowerTeacher Pro.",
    )
    WEIGHTS = (
        "weights",
        "Weights of groups and categories",
        "Give the categories in PowerTeacher Pro the weights of Canvas's assignment groups, or the other way round.",
    )
    ONLY_IN_POWERSCHOOL = (
        "only_in_powerschool",
        "Only in PowerSchool",
        "Delete it in PowerTeacher Pro, clear its check box for the final grade, or add it to Canvas.",
    )
