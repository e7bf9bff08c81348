"""What to tell a person about every reason: the rules' own rows, and those of scores, refusals and passback itself."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.domain.passback.rules.eligibility import ASSIGNMENT_RULES, SECTION_RULES
from shared.domain.passback.rules.reasons import Actor, Explanation, Finding, Reason

_OF_RULES: Mapping[Reason, Explanation] = {
    **{rule.reason: rule.explanation for rule in ASSIGNMENT_RULES},
    **{rule.reason: rule.explanation for rule in SECTION_RULES},
}

# What the plan finds, with everything in the section before its eyes.
_OF_THE_PLAN: Mapping[Reason, Explanation] = {
    Reason.NAME_TAKEN: Explanation(
        "This section already has another assignment of the same name. An assignment that is not in PowerSchool yet is "
        "not sent, nor are its grades; one that is there keeps its old name, and its grades are still sent.",
        "Rename one of the two, in Canvas or in PowerSchool.",
        Actor.TEACHER,
        source="PowerSchool already has an assignment of that name in the section that is not this one: neither the "
        "assignment nor its grades are sent, and nothing is duplicated",
    ),
    Reason.NOT_GRADED_YET: Explanation(
        "Nobody in this section has a score yet; PowerSchool gets the assignment with the first one.",
        "Nothing to do: grade or excuse a student, and the assignment follows, with what is missing.",
        Actor.NOBODY,
        source="(waiting, not blocked) it is created in PowerSchool when the first score or excuse exists in that "
        "section. Missing alone never creates one",
    ),
}

_OF_SCORES: Mapping[Reason, Explanation] = {
    Reason.STUDENT_SIS_ID_MISSING: Explanation(
        "The student has no SIS id in Canvas, so PowerSchool cannot know who it is.",
        "Have the SIS id entered in Canvas. For the Test Student there is nothing to do.",
        Actor.CANVAS_ADMIN,
        source="A test student is never sent.",
    ),
    Reason.STUDENT_UNKNOWN: Explanation(
        "PowerSchool has no student with this SIS id in the course's sections.",
        "Have the student enrolled in PowerSchool, or the SIS id in Canvas corrected.",
        Actor.POWERSCHOOL_ADMIN,
        source="Per score: `student_unknown`",
    ),
    Reason.STUDENT_NOT_IN_SECTION: Explanation(
        "The student is not active in this section in PowerSchool, or was not on its last day: dropped, transferred or "
        "not entered yet.",
        "Nothing to do for a student who left; for one who should be there, have the enrollment corrected.",
        Actor.POWERSCHOOL_ADMIN,
        source="Per score: `student_not_in_section`",
    ),
    Reason.SCORE_CLEARED: Explanation(
        "The score was sent before and is now empty in Canvas; PowerSchool still shows it.",
        "Clear the score in PowerSchool by hand, or enter one in Canvas.",
        Actor.TEACHER,
        source="a score that was sent and is now empty in Canvas: reported, and cleared only if the setting says so",
    ),
    Reason.SCORE_NOT_CLEARED: Explanation(
        "The score is empty in Canvas now, and PowerSchool refused to have it cleared; it still shows the old one.",
        "Clear the score in PowerSchool by hand, or enter one in Canvas. A sync asked for by a person tries again.",
        Actor.TEACHER,
        source="a score that was sent and is now empty in Canvas: reported, and cleared only if the setting says so",
    ),
    Reason.FLAG_NOT_WITHDRAWN: Explanation(
        "Canvas no longer calls this work missing or excused, but PowerSchool did not take back the 0 that came with "
        "the flag; nobody entered that 0.",
        "Clear the 0 and the flag in PowerSchool by hand, or enter a score in Canvas. A sync asked for by a person "
        "tries again.",
        Actor.TEACHER,
        source="That 0 is passback's own: when the flag is withdrawn and no score came, flag and 0 go again",
    ),
    Reason.STUDENT_REFUSED: Explanation(
        "PowerSchool refused this student's score; the rest of the class went through.",
        "Check in PowerSchool that the assignment is for this student and the score can be entered there.",
        Actor.TEACHER,
    ),
}

_OF_DELETIONS: Mapping[Reason, Explanation] = {
    Reason.DELETED_IN_CANVAS: Explanation(
        "The assignment was deleted in Canvas; what was sent of it is still in PowerSchool.",
        "Delete it in PowerSchool by hand if it should not count.",
        Actor.TEACHER,
        source="An assignment deleted in Canvas stays in PowerSchool and is reported.",
    ),
}

_OF_COURSES: Mapping[Reason, Explanation] = {
    Reason.COURSE_GONE: Explanation(
        "Canvas has no such course any more; what was sent of it is still in PowerSchool.",
        "Nothing to do if the course was deleted on purpose. If it was not, restore it in Canvas and ask for one sync.",
        Actor.CANVAS_ADMIN,
        source="A Canvas course that is gone (404, and Canvas said deleted or asked twice) is over",
    ),
}

_OF_REFUSALS: Mapping[Reason, Explanation] = {
    Reason.ASSIGNMENT_LOCKED: Explanation(
        "PowerSchool has locked the assignment or its term, so nothing can be changed there.",
        "Have the term or section unlocked in PowerSchool, if the change should still count.",
        Actor.POWERSCHOOL_ADMIN,
    ),
    Reason.TEACHER_DOES_NOT_TEACH_SECTION: Explanation(
        "PowerSchool says that the section's lead teacher may not enter grades for it.",
        "Have the section's teacher assignment checked in PowerSchool.",
        Actor.POWERSCHOOL_ADMIN,
    ),
    Reason.DUE_DATE_REFUSED: Explanation(
        "PowerSchool refused the due date.",
        "Choose a due date within the section's term, and not in a locked one.",
        Actor.TEACHER,
    ),
    Reason.CATEGORY_REFUSED: Explanation(
        "PowerSchool refused the category.",
        "Check in PowerSchool that the category is active and not excluded for this section.",
        Actor.TEACHER,
    ),
    Reason.POINTS_REFUSED: Explanation(
        "PowerSchool refused the points possible.",
        "Enter points that PowerSchool accepts: at most 9,999 in all.",
        Actor.TEACHER,
    ),
    Reason.GRADE_SCALE_MISSING: Explanation(
        "PowerSchool wants a grade scale for this score.",
        "Have the section's grade scale set up in PowerSchool, or score the assignment there by points.",
        Actor.POWERSCHOOL_ADMIN,
    ),
    Reason.SCORE_TYPE_CHANGED: Explanation(
        "The assignment's score type was changed in PowerSchool, which takes no points for it now.",
        "Set the assignment's score type in PowerSchool back to points, or enter its scores there by hand.",
        Actor.TEACHER,
    ),
    Reason.DUPLICATE_REFUSED: Explanation(
        "PowerSchool says that the section already has an assignment of this name and due date.",
        "Rename the assignment in Canvas, or the other one in PowerSchool.",
        Actor.TEACHER,
    ),
    Reason.CREATE_REFUSED: Explanation(
        "PowerSchool could not create the assignment and did not say why.",
        "Try to make it in PowerSchool by hand, with this name, due date and category: what PowerSchool says there is "
        "the cause. Delete the trial afterwards.",
        Actor.TEACHER,
    ),
    Reason.UPDATE_REFUSED: Explanation(
        "PowerSchool did not take the change, because the assignment was being changed there or is incomplete.",
        "Open the assignment in PowerSchool and save it once with a category; the next sync tries again.",
        Actor.TEACHER,
    ),
    Reason.GRANT_MISSING: Explanation(
        "The passback plugin lacks a permission in PowerSchool.",
        "Have the plugin updated and enabled in PowerSchool, so that it may use every field it asks for.",
        Actor.POWERSCHOOL_ADMIN,
    ),
    Reason.REFUSED: Explanation(
        "PowerSchool refused the assignment or its scores.",
        "Pass PowerSchool's answer on to whoever looks after passback in your district.",
        Actor.OPERATOR,
    ),
}

_OF_VALUES: Mapping[Reason, Explanation] = {
    Reason.VALUE_UNREADABLE: Explanation(
        "Canvas or PowerSchool gives a value here that passback cannot read; everything else goes on.",
        "Open the assignment or the score there, look at what is named in brackets, and save it again. If that does "
        "not help, tell whoever looks after passback in your district.",
        Actor.TEACHER,
        source="a value that nobody foresaw in one assignment or one submission",
    ),
}

_NOTE_TEXTS: Mapping[Reason, Explanation] = {
    Reason.STORED_DIFFERENTLY: Explanation(
        "PowerSchool stores something of this assignment differently from what was sent; it is not sent again until "
        "Canvas or PowerSchool changes it.",
        "Nothing to do, unless it looks wrong in PowerSchool: then choose in Canvas what PowerSchool can hold, such as "
        "a name without an emoji.",
        Actor.NOBODY,
        source="What PowerSchool stores differently from what was sent (an emoji, stripped HTML, a rounded or weighted "
        "number) is reported once and not written again until either side changes.",
    ),
}

_OF_PASSBACK: Mapping[Reason, Explanation] = {
    Reason.RETRYING: Explanation(
        "A system did not answer as it should; passback tries again by itself.",
        "Nothing to do.",
        Actor.NOBODY,
        source="something is temporarily unwell (timeouts, 5xx, throttling, maintenance page)",
    ),
    Reason.DEAD_LETTER: Explanation(
        "Passback gave up after several attempts, and keeps the work until a person looks at it.",
        "Tell whoever looks after passback in your district; once the cause is gone, the work can be retried.",
        Actor.OPERATOR,
        source="attempts are spent, or the failure is one that no rule describes",
    ),
}

EXPLANATIONS: Mapping[Reason, Explanation] = {
    **_OF_RULES,
    **_OF_THE_PLAN,
    **_OF_SCORES,
    **_OF_DELETIONS,
    **_OF_COURSES,
    **_OF_REFUSALS,
    **_OF_VALUES,
    **_NOTE_TEXTS,
    **_OF_PASSBACK,
}


@dataclass(frozen=True, slots=True)
class Explained:
    """A finding in words, as `explain`, the API and the pages show it."""

    code: str
    message: str
    remedy: str
    who: str


def explain(finding: Finding) -> Explained:
    """Return what to tell a person about `finding`; its detail stands in brackets at the message's end."""
    row = EXPLANATIONS[finding.reason]
    return Explained(finding.reason.value, _with_detail(row.message, finding.detail), row.remedy, row.who.value)


def _with_detail(message: str, detail: str) -> str:
    return f"{message.removesuffix('.')} ({detail})." if detail else message
