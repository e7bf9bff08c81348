"""Why something is not in PowerSchool: one row per reason, with its sentence, its remedy and who can act.

These codes are a contract: `explain`, the API, the status pages and the teacher FAQ all read this table.
"""

from dataclasses import dataclass
from enum import StrEnum


class Actor(StrEnum):
    """Who can act on a reason."""

    NOBODY = "nobody"
    TEACHER = "teacher"
    CANVAS_ADMIN = "canvas_admin"
    POWERSCHOOL_ADMIN = "powerschool_admin"
    OPERATOR = "operator"


class Reason(StrEnum):
    """The closed set of reason codes."""

    # An assignment is not eligible.
    SIS_SYNC_OFF = "sis_sync_off"
    NOT_PUBLISHED = "not_published"
    NOT_GRADABLE = "not_gradable"
    ATTENDANCE = "attendance"
    NAME_TOO_LONG = "name_too_long"
    DUE_DATE_MISSING = "due_date_missing"
    DUE_DATE_OUTSIDE_TERM = "due_date_outside_term"
    TERM_CLOSED = "term_closed"
    NOT_ASSIGNED_TO_EVERYONE = "not_assigned_to_everyone"
    POINTS_MISSING = "points_missing"
    ANONYMOUS_UNTIL_POSTED = "anonymous_until_posted"
    MODERATED_UNTIL_RELEASED = "moderated_until_released"
    HIDDEN_IN_GRADEBOOK = "hidden_in_gradebook"
    CATEGORY_MISSING = "category_missing"
    NAME_TAKEN = "name_taken"
    COURSE_SIS_ID_MISSING = "course_sis_id_missing"
    SECTION_SIS_ID_MISSING = "section_sis_id_missing"
    SECTION_UNKNOWN = "section_unknown"
    DELETED_IN_CANVAS = "deleted_in_canvas"
    COURSE_GONE = "course_gone"
    # Waiting, not blocked.
    NOT_GRADED_YET = "not_graded_yet"
    # A single score is not sent.
    STUDENT_SIS_ID_MISSING = "student_sis_id_missing"
    STUDENT_UNKNOWN = "student_unknown"
    STUDENT_NOT_IN_SECTION = "student_not_in_section"
    SCORE_CLEARED = "score_cleared"
    SCORE_NOT_CLEARED = "score_not_cleared"
    FLAG_NOT_WITHDRAWN = "flag_not_withdrawn"
    STUDENT_REFUSED = "student_refused"
    # PowerSchool refuses.
    ASSIGNMENT_LOCKED = "assignment_locked"
    TEACHER_MISSING = "teacher_missing"
    TEACHER_DOES_NOT_TEACH_SECTION = "teacher_does_not_teach_section"
    DUE_DATE_REFUSED = "due_date_refused"
    CATEGORY_REFUSED = "category_refused"
    POINTS_REFUSED = "points_refused"
    GRADE_SCALE_MISSING = "grade_scale_missing"
    SCORE_TYPE_CHANGED = "score_type_changed"
    DUPLICATE_REFUSED = "duplicate_refused"
    CREATE_REFUSED = "create_refused"
    UPDATE_REFUSED = "update_refused"
    GRANT_MISSING = "grant_missing"
    REFUSED = "refused"
    # A system gives a value that passback does not know.
    VALUE_UNREADABLE = "value_unreadable"
    # There, and stored differently from what was sent: nothing is held back.
    STORED_DIFFERENTLY = "stored_differently"
    # passback's own state.
    RETRYING = "retrying"
    DEAD_LETTER = "dead_letter"


# Reported beside a state, and no reason for another one.
NOTES = frozenset({Reason.STORED_DIFFERENTLY})


@dataclass(frozen=True, slots=True)
class Explanation:
    """What to tell a person about a reason. `source` quotes the rule; empty where it is PowerSchool's refusal."""

    message: str
    remedy: str
    who: Actor
    source: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A reason that applies, with the facts that make its sentence exact: ids, dates, counts and category names."""

    reason: Reason
    detail: str = ""
