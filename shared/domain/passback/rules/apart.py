"""Defines why a takeover leaves an assignment apart: one row per reason, with its sentence and what to do."""

from shared.domain.wording import CodeTable


class Apart(CodeTable):
    """Why an assignment is not linked, with a sentence and what to do. A person who `can_choose` may link it anyway."""

    message: str
    remedy: str
    can_choose: bool

    SEVERAL_IN_POWERSCHOOL = (
        "several_in_powerschool",
        "PowerSchool has several assignments of this name in the section.",
        "Compare them in PowerTeacher Pro, and choose one by hand.",
        True,
    )
    SEVERAL_IN_CANVAS = (
        "several_in_canvas",
        "Canvas has several assignments that this one in PowerSchool may belong to.",
        "Choose the right one by hand, or rename the others in Canvas.",
        True,
    )
    OTHER_DATE = (
        "other_date",
        "The due date in PowerSchool is another one: it may be other work.",
        "Correct the date on one side, or choose it by hand: the next sync sends Canvas's date.",
        True,
    )
    OTHER_POINTS = (
        "other_points",
        "The points possible in PowerSchool are others: it may be other work.",
        "Correct them on one side, or choose it by hand: the next sync sends Canvas's points.",
        True,
    )
    OTHER_MAKER = (
        "other_maker",
        "It was made by somebody who was not selected.",
        "Select its maker as well.",
        True,
    )
    REFUSED = (
        "refused_before",
        "PowerSchool refused passback's first change of it, so that its takeover was undone.",
        "Once PowerSchool permits it, take over this one by itself to try again; or have it renamed there.",
        True,
    )
    DUE_DATE_MISSING = (
        "due_date_missing",
        "Canvas has no due date for this section to compare.",
        "Enter the due date in Canvas.",
    )
    POINTS_MISSING = (
        "points_missing",
        "Canvas has no points possible to compare.",
        "Enter the points possible in Canvas.",
    )
    OTHER_SCORE_TYPE = (
        "other_score_type",
        "PowerSchool does not score it by points, so that scores would be refused.",
        "Set its score type to points in PowerTeacher Pro.",
    )
    CANVAS_LINKED = (
        "canvas_linked",
        "Passback already has an assignment of its own in PowerSchool for this one.",
        "Delete the one that is not needed in PowerTeacher Pro.",
    )
    POWERSCHOOL_LINKED = (
        "powerschool_linked",
        "The one in PowerSchool is already another Canvas assignment's.",
        "Rename one of the two in Canvas.",
    )
    MADE_BY_PASSBACK = (
        "made_by_passback",
        "Passback made it itself and has lost the link.",
        "Sync the course: a sync restores links. If it does not, rename one of the two.",
    )
    OTHER_SECTIONS = (
        "other_sections",
        "The assignment also is in other sections of PowerSchool, which would change with it.",
        "Have the teacher make one assignment for each section in PowerTeacher Pro.",
    )
    UNREADABLE = (
        "unreadable",
        "PowerSchool gives a value of it that passback cannot read.",
        "Open it in PowerTeacher Pro and save it again.",
    )
