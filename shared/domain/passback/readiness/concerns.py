"""Defines what is not ready and no assignment's reason: one row each, with its sentence, its remedy and who can act."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Self

from shared.domain.passback.rules.reasons import Actor, Reason


class Concern(StrEnum):
    """What a whole district shows and a single assignment does not. The value is the code.

    `Reason` has what `explain` says of an assignment; these codes are no member of it.
    """

    message: str
    remedy: str
    who: Actor

    def __new__(cls, code: str, message: str, remedy: str, who: Actor) -> Self:
        """Return the member with its row."""
        concern = str.__new__(cls, code)
        concern._value_ = code
        concern.message, concern.remedy, concern.who = message, remedy, who
        return concern

    SCHOOL_WITHOUT_COURSES = (
        "school_without_courses",
        "None of the school's sections is in Canvas.",
        (
            "Have the school's sections provisioned into Canvas. If the school does not use Canvas, leave it out of "
            "provisioning's selection."
        ),
        Actor.CANVAS_ADMIN,
    )
    SECTION_WITHOUT_COURSE = (
        "section_without_course",
        "No running Canvas course has a section with the SIS id of this PowerSchool section.",
        (
            "Have the section provisioned into Canvas, or its SIS id entered at the Canvas section. If it is not "
            "taught in Canvas, leave it out of provisioning's selection."
        ),
        Actor.CANVAS_ADMIN,
    )
    TEACHER_ID_MISSING = (
        "teacher_id_missing",
        "The lead teacher lacks the number from which the SIS id is made, so Canvas cannot know who teaches.",
        "Enter the teacher number in PowerSchool.",
        Actor.POWERSCHOOL_ADMIN,
    )
    CATEGORY_WITHOUT_GROUP = (
        "category_without_group",
        "No assignment group of the teacher's Canvas courses has this category, so no work from Canvas counts in it.",
        "Name an assignment group like the category, or make the category inactive, if that is not meant so.",
        Actor.TEACHER,
    )
    WEIGHTS_DIFFER = (
        "weights_differ",
        "The two gradebooks weight the work of the section differently, so their totals differ.",
        "Give PowerSchool's categories the weights of Canvas's assignment groups, or the other way round.",
        Actor.TEACHER,
    )
    RECORD_UNREADABLE = (
        "record_unreadable",
        "A column of the record holds what it cannot mean, such as a date that is none, so it is not checked.",
        "Enter the column again in PowerSchool; its name is in brackets.",
        Actor.POWERSCHOOL_ADMIN,
    )
    TERM_REVERSED = (
        "term_reversed",
        "The term ends before it begins.",
        "Correct the term's dates in PowerSchool.",
        Actor.POWERSCHOOL_ADMIN,
    )
    TERM_OF_ANOTHER_YEAR = (
        "term_of_another_year",
        "The term's dates are not in its school year.",
        "Correct the term's dates in PowerSchool.",
        Actor.POWERSCHOOL_ADMIN,
    )
    TERM_GAP = (
        "term_gap",
        "There are school days between two terms, and work that is due then is outside both.",
        "Correct the end of the one or the beginning of the other in PowerSchool.",
        Actor.POWERSCHOOL_ADMIN,
    )
    TERM_OVERLAP = (
        "term_overlap",
        "Two terms of one kind overlap.",
        "Correct the end of the one or the beginning of the other in PowerSchool.",
        Actor.POWERSCHOOL_ADMIN,
    )
    TERM_ENDED = (
        "term_ended",
        "The section's term is over in PowerSchool, but its Canvas course has work that is still to come.",
        (
            "Have the Canvas section connected to the section of the running term, or the term's dates corrected in "
            "PowerSchool."
        ),
        Actor.CANVAS_ADMIN,
    )


ROWS: Mapping[str, Reason | Concern] = {row.value: row for table in (Reason, Concern) for row in table}
"""The rows of both tables by their codes."""
