"""Defines why something is not in PowerSchool: one row per reason, with its sentence, its remedy and who can act.

These codes are a contract: `explain`, the API, the status pages and the teacher FAQ all read this table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.causes import Cause
from shared.domain.wording import CodeTable


class Actor(StrEnum):
    """Who can act on a reason."""

    NOBODY = "nobody"
    TEACHER = "teacher"
    CANVAS_ADMIN = "canvas_admin"
    POWERSCHOOL_ADMIN = "powerschool_admin"
    OPERATOR = "operator"


class Reason(CodeTable):
    """The closed set of reasons. The value is the code.

    `message` and `remedy` are sentences for a person, `who` can act. `source` quotes the rule; it is empty for a
    refusal of PowerSchool, which has the `cause` of the error instead.
    """

    message: str
    remedy: str
    who: Actor
    source: str
    cause: Cause | None

    # An assignment is not eligible in any section.
    SIS_SYNC_OFF = (
        "sis_sync_off",
        '"Sync to SIS" is off for this assignment.',
        (
            'Turn on "Sync to SIS" in the assignment\'s settings. If there is no such switch, ask your Canvas '
            "administrator to make it available in the course."
        ),
        Actor.TEACHER,
        '"Sync to SIS" (`post_to_sis`) is off',
    )
    NOT_PUBLISHED = (
        "not_published",
        "The assignment is not published in Canvas.",
        "Publish the assignment.",
        Actor.TEACHER,
        "it is not published",
    )
    NOT_GRADABLE = (
        "not_gradable",
        "The assignment is not graded in Canvas.",
        'Display its grade as something other than "Not Graded", if it should count.',
        Actor.TEACHER,
        'grading type is "not graded" (assignments, graded discussions and quizzes are eligible)',
    )
    ATTENDANCE = (
        "attendance",
        "Attendance taken with Roll Call is never sent.",
        "Nothing to do: PowerSchool has its own attendance.",
        Actor.NOBODY,
        "it is the Roll Call Attendance assignment",
    )
    NAME_TOO_LONG = (
        "name_too_long",
        "The assignment's name is longer than 30 characters.",
        (
            "Shorten the name in Canvas to 30 characters or fewer; where your district has set "
            "another limit, the reason names it."
        ),
        Actor.TEACHER,
        (
            "the name is longer than 30 characters, an HTML entity counting as the one that it stands for (the "
            "limit is a setting, 30 to 50)"
        ),
    )
    NOT_ASSIGNED_TO_EVERYONE = (
        "not_assigned_to_everyone",
        "The assignment is only for particular students, groups, sections or modules.",
        'Assign it to "Everyone Else" as well; dates of their own for sections or single students may stay.',
        Actor.TEACHER,
        (
            "only assigned to particular students, groups, sections or modules (section dates beside "
            "Everyone Else, and extensions for single students, are fine)"
        ),
    )
    POINTS_MISSING = (
        "points_missing",
        "The assignment has no points possible.",
        "Enter the points possible in Canvas; 0 is fine for extra credit.",
        Actor.TEACHER,
        "points possible is empty",
    )
    ANONYMOUS_UNTIL_POSTED = (
        "anonymous_until_posted",
        "The assignment is graded anonymously, and Canvas still hides who got what.",
        "Post the grades in Canvas once grading is finished.",
        Actor.TEACHER,
        "Canvas is still hiding who got what",
    )
    MODERATED_UNTIL_RELEASED = (
        "moderated_until_released",
        "The assignment is moderated, and its final grades are not released yet.",
        "Release the grades in Canvas once moderation is finished.",
        Actor.TEACHER,
        "Canvas is still hiding who got what",
    )
    HIDDEN_IN_GRADEBOOK = (
        "hidden_in_gradebook",
        "Canvas hides the assignment from its own gradebook.",
        "Show the assignment in the Canvas gradebook, if its scores should be in PowerSchool.",
        Actor.TEACHER,
        "Canvas hides it from its own gradebook (`hide_in_gradebook`, `suppress_assignment`)",
    )
    # An assignment is not eligible in a section.
    DUE_DATE_MISSING = (
        "due_date_missing",
        "The assignment has no due date for this section.",
        "Enter a due date in Canvas; for a discussion with checkpoints, enter it for each of them.",
        Actor.TEACHER,
        "no due date",
    )
    DUE_DATE_OUTSIDE_TERM = (
        "due_date_outside_term",
        "The due date lies outside the section's term in PowerSchool.",
        "Choose a due date within the term.",
        Actor.TEACHER,
        "the due date, as a local calendar date of the school, is outside the section's PowerSchool term",
    )
    TERM_CLOSED = (
        "term_closed",
        "The section's term is over, so changes no longer go to PowerSchool by themselves.",
        "Start a sync of the course by hand, if PowerSchool should still have the change.",
        Actor.TEACHER,
        "the term ended longer ago than the grace period; a sync asked for by a person still goes through",
    )
    CATEGORY_MISSING = (
        "category_missing",
        "The assignment group has no category in PowerSchool.",
        (
            "Name the assignment group like one of your PowerSchool categories, activate the category there, or have "
            "the two linked."
        ),
        Actor.TEACHER,
        "the assignment group has no PowerSchool category, and no default is set",
    )
    COURSE_SIS_ID_MISSING = (
        "course_sis_id_missing",
        "The Canvas course has no SIS id, so it is not connected to PowerSchool.",
        "Have the course connected to PowerSchool through its SIS id.",
        Actor.CANVAS_ADMIN,
        "the course or section is not connected to PowerSchool",
    )
    SECTION_SIS_ID_MISSING = (
        "section_sis_id_missing",
        "The Canvas section has no SIS id, so it is not connected to PowerSchool.",
        "Have the section connected to PowerSchool through its SIS id.",
        Actor.CANVAS_ADMIN,
        "the course or section is not connected to PowerSchool",
    )
    SECTION_UNKNOWN = (
        "section_unknown",
        "PowerSchool has no section with the SIS id of this Canvas section.",
        "Have the section's SIS id compared with PowerSchool's section.",
        Actor.CANVAS_ADMIN,
        "the course or section is not connected to PowerSchool",
    )
    TEACHER_MISSING = (
        "teacher_missing",
        "The section has no lead teacher in PowerSchool, for whom grades could be entered.",
        "Have a lead teacher assigned to the section in PowerSchool.",
        Actor.POWERSCHOOL_ADMIN,
    )
    # The plan finds these, with everything in the section read.
    NAME_TAKEN = (
        "name_taken",
        (
            "This section already has another assignment of the same name. An assignment that is not in PowerSchool "
            "yet is not sent, nor are its grades; one that is there keeps its old name, and its grades are still sent."
        ),
        (
            "Rename one of the two, in Canvas or in PowerSchool. If both are the same work, as after another "
            "integration, do not rename them: ask whoever looks after passback in your district to take the one in "
            "PowerSchool over."
        ),
        Actor.TEACHER,
        (
            "PowerSchool already has an assignment of that name in the section that is not this one: neither the "
            "assignment nor its grades are sent, and nothing is duplicated"
        ),
    )
    NOT_GRADED_YET = (
        "not_graded_yet",
        "Nobody in this section has a score yet; PowerSchool gets the assignment with the first one.",
        "Nothing to do: grade or excuse a student, and the assignment follows, with what is missing.",
        Actor.NOBODY,
        (
            "(waiting, not blocked) it is created in PowerSchool when the first score or excuse exists in that "
            "section. Missing alone never creates one"
        ),
    )
    # A single score is not sent.
    STUDENT_SIS_ID_MISSING = (
        "student_sis_id_missing",
        "The student has no SIS id in Canvas, so PowerSchool cannot know who it is.",
        "Have the SIS id entered in Canvas. For the Test Student there is nothing to do.",
        Actor.CANVAS_ADMIN,
        "A test student is never sent.",
    )
    STUDENT_UNKNOWN = (
        "student_unknown",
        "PowerSchool has no student with this SIS id in the course's sections.",
        "Have the student enrolled in PowerSchool, or the SIS id in Canvas corrected.",
        Actor.POWERSCHOOL_ADMIN,
        "Per score: `student_unknown`",
    )
    STUDENT_NOT_IN_SECTION = (
        "student_not_in_section",
        (
            "The student is not active in this section in PowerSchool, or was not on its last day: dropped, "
            "transferred or not entered yet."
        ),
        "Nothing to do for a student who left; for one who should be there, have the enrollment corrected.",
        Actor.POWERSCHOOL_ADMIN,
        "Per score: `student_not_in_section`",
    )
    SCORE_CLEARED = (
        "score_cleared",
        "The score was sent before and is now empty in Canvas; PowerSchool still shows it.",
        "Clear the score in PowerSchool by hand, or enter one in Canvas.",
        Actor.TEACHER,
        "a score that was sent and is now empty in Canvas: reported, and cleared only if the setting says so",
    )
    SCORE_NOT_CLEARED = (
        "score_not_cleared",
        "The score is empty in Canvas now, and PowerSchool refused to have it cleared; it still shows the old one.",
        "Clear the score in PowerSchool by hand, or enter one in Canvas. A sync asked for by a person tries again.",
        Actor.TEACHER,
        "a score that was sent and is now empty in Canvas: reported, and cleared only if the setting says so",
    )
    FLAG_NOT_WITHDRAWN = (
        "flag_not_withdrawn",
        (
            "Canvas no longer calls this work missing or excused, but PowerSchool did not take back the 0 that came "
            "with the flag; nobody entered that 0."
        ),
        (
            "Clear the 0 and the flag in PowerSchool by hand, or enter a score in Canvas. A sync asked for by a person "
            "tries again."
        ),
        Actor.TEACHER,
        "That 0 is passback's own: when the flag is withdrawn and no score came, flag and 0 go again",
    )
    STUDENT_REFUSED = (
        "student_refused",
        "PowerSchool refused this student's score; the rest of the class went through.",
        "Check in PowerSchool that the assignment is for this student and the score can be entered there.",
        Actor.TEACHER,
        "",
        Cause.STUDENT,
    )
    # Something was deleted in Canvas.
    DELETED_IN_CANVAS = (
        "deleted_in_canvas",
        "The assignment was deleted in Canvas; what was sent of it is still in PowerSchool.",
        "Delete it in PowerSchool by hand if it should not count.",
        Actor.TEACHER,
        "An assignment deleted in Canvas stays in PowerSchool and is reported.",
    )
    COURSE_GONE = (
        "course_gone",
        "Canvas has no such course any more; what was sent of it is still in PowerSchool.",
        "Nothing to do if the course was deleted on purpose. If it was not, restore it in Canvas and ask for one sync.",
        Actor.CANVAS_ADMIN,
        "A Canvas course that is gone (404, and Canvas said deleted or asked twice) is over",
    )
    # PowerSchool refuses.
    ASSIGNMENT_LOCKED = (
        "assignment_locked",
        "PowerSchool has locked the assignment or its term, so nothing can be changed there.",
        "Have the term or section unlocked in PowerSchool, if the change should still count.",
        Actor.POWERSCHOOL_ADMIN,
        "",
        Cause.LOCKED,
    )
    TEACHER_DOES_NOT_TEACH_SECTION = (
        "teacher_does_not_teach_section",
        "PowerSchool says that the section's lead teacher may not enter grades for it.",
        "Have the section's teacher assignment checked in PowerSchool.",
        Actor.POWERSCHOOL_ADMIN,
        "",
        Cause.NOT_TEACHING,
    )
    DUE_DATE_REFUSED = (
        "due_date_refused",
        "PowerSchool refused the due date.",
        "Choose a due date within the section's term, and not in a locked one.",
        Actor.TEACHER,
        "",
        Cause.DUE_DATE,
    )
    CATEGORY_REFUSED = (
        "category_refused",
        "PowerSchool refused the category.",
        "Check in PowerSchool that the category is active and not excluded for this section.",
        Actor.TEACHER,
        "",
        Cause.CATEGORY,
    )
    POINTS_REFUSED = (
        "points_refused",
        "PowerSchool refused the points possible.",
        "Enter points that PowerSchool accepts: at most 9,999 in all.",
        Actor.TEACHER,
        "",
        Cause.POINTS,
    )
    GRADE_SCALE_MISSING = (
        "grade_scale_missing",
        "PowerSchool wants a grade scale for this score.",
        "Have the section's grade scale set up in PowerSchool, or score the assignment there by points.",
        Actor.POWERSCHOOL_ADMIN,
        "",
        Cause.GRADE_SCALE,
    )
    SCORE_TYPE_CHANGED = (
        "score_type_changed",
        "The assignment's score type was changed in PowerSchool, which takes no points for it now.",
        "Set the assignment's score type in PowerSchool back to points, or enter its scores there by hand.",
        Actor.TEACHER,
        "",
        Cause.SCORE_TYPE,
    )
    DUPLICATE_REFUSED = (
        "duplicate_refused",
        "PowerSchool says that the section already has an assignment of this name and due date.",
        "Rename the assignment in Canvas, or the other one in PowerSchool.",
        Actor.TEACHER,
        "",
        Cause.DUPLICATE,
    )
    CREATE_REFUSED = (
        "create_refused",
        "PowerSchool could not create the assignment and did not say why.",
        (
            "Try to make it in PowerSchool by hand, with this name, due date and category: what PowerSchool says there "
            "is the cause. Delete the trial afterwards."
        ),
        Actor.TEACHER,
        "",
        Cause.NOT_CREATED,
    )
    UPDATE_REFUSED = (
        "update_refused",
        "PowerSchool did not take the change, because the assignment was being changed there or is incomplete.",
        "Open the assignment in PowerSchool and save it once with a category; the next sync tries again.",
        Actor.TEACHER,
        "",
        Cause.NOT_UPDATED,
    )
    GRANT_MISSING = (
        "grant_missing",
        "The passback plugin lacks a permission in PowerSchool.",
        "Have the plugin updated and enabled in PowerSchool, so that it may use every field it asks for.",
        Actor.POWERSCHOOL_ADMIN,
        "",
        Cause.GRANT_MISSING,
    )
    TAKEOVER_REFUSED = (
        "takeover_refused",
        (
            "PowerSchool does not let passback change this assignment, which a teacher or another integration made. "
            "Nothing of it was changed."
        ),
        (
            "Pass PowerSchool's answer on to whoever looks after passback in your district. To have the grades sent, "
            "rename the one in PowerSchool: passback then makes its own."
        ),
        Actor.OPERATOR,
    )
    REFUSED = (
        "refused",
        "PowerSchool refused the assignment or its scores.",
        "Pass PowerSchool's answer on to whoever looks after passback in your district.",
        Actor.OPERATOR,
        "",
        Cause.REFUSED,
    )
    # A system gives a value that passback does not know.
    VALUE_UNREADABLE = (
        "value_unreadable",
        "Canvas or PowerSchool gives a value here that passback cannot read; everything else goes on.",
        (
            "Open the assignment or the score there, look at what is named in brackets, and save it again. If that "
            "does not help, tell whoever looks after passback in your district."
        ),
        Actor.TEACHER,
        "a value that nobody foresaw in one assignment or one submission",
    )
    # The assignment is in PowerSchool, stored differently from what was sent.
    STORED_DIFFERENTLY = (
        "stored_differently",
        (
            "PowerSchool stores something of this assignment differently from what was sent; it is not sent again "
            "until Canvas or PowerSchool changes it."
        ),
        (
            "Nothing to do, unless it looks wrong in PowerSchool: then choose in Canvas what PowerSchool can hold, "
            "such as a name without an emoji."
        ),
        Actor.NOBODY,
        (
            "What PowerSchool stores differently from what was sent (an emoji, stripped HTML, a rounded or weighted "
            "number) is reported once and not written again until either side changes."
        ),
    )
    # The state of passback's own work.
    RETRYING = (
        "retrying",
        "A system did not answer as it should; passback tries again by itself.",
        "Nothing to do.",
        Actor.NOBODY,
        "something is temporarily unwell (timeouts, 5xx, throttling, maintenance page)",
    )
    DEAD_LETTER = (
        "dead_letter",
        "Passback gave up after several attempts, and keeps the work until a person looks at it.",
        "Tell whoever looks after passback in your district; once the cause is gone, the work can be retried.",
        Actor.OPERATOR,
        "attempts are spent, or the failure is one that no rule describes",
    )


# Reported beside a state, and no reason for another one.
INFORMATIVE = frozenset({Reason.STORED_DIFFERENTLY})

REASON_OF_CAUSE: Mapping[str, Reason] = {reason.cause: reason for reason in Reason if reason.cause is not None}
"""The reasons of PowerSchool's refusals. A refusal that is not here is one that no rule describes."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A reason that applies, with the facts that make its sentence exact: ids, dates, counts and category names."""

    reason: Reason
    detail: str = ""

    @property
    def message(self) -> str:
        """The reason's sentence, with the detail in brackets at its end."""
        return sentence_with(self.reason.message, self.detail)


def sentence_with(sentence: str, detail: str) -> str:
    """Return the sentence with the detail in brackets at its end."""
    return f"{sentence.removesuffix('.')} ({detail})." if detail else sentence
