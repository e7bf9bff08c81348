"""Defines the causes of failures: one row per cause, with what it concerns, what it means and what to do.

An error carries the code of its cause. The outcome handlers read what the cause concerns; dead letters, `explain`, the
API and the pages show what it means.
"""

from enum import Enum, StrEnum, auto
from typing import Self


class Scope(Enum):
    """What a failure concerns, and so how the work goes on."""

    JOB = auto()
    """The job or the part of it that failed: a temporary error is retried, any other becomes a dead letter."""
    ASSIGNMENT = auto()
    """Every score of one assignment, even where PowerSchool's refusal names the students of some rows."""
    DISTRICT = auto()
    """All work alike: it waits for an administrator, without spending an attempt or becoming dead letters."""


_RETRY = "Retry once that is fixed. A retry compares the course again, whatever its age."
_IMPORT_ENDS = "A retry reads the rosters again and sends all data of the import."


class Cause(StrEnum):
    """The causes that are known, with `meaning` and `remedy` as sentences for an operator. The value is the code.

    `Cause(code)` returns the row of any code. A value that ends in `_` is the row of all codes that begin with it and
    have none of their own, such as `canvas_503`; `UNKNOWN` is the row of all others. A row without sentences has those
    of the codes that begin alike.
    """

    meaning: str
    remedy: str
    scope: Scope

    def __new__(cls, code: str, meaning: str = "", remedy: str = "", scope: Scope = Scope.JOB) -> Self:
        """Return the member with its row."""
        family = max((each for each in cls if each.covers(code)), key=len, default=None)
        cause = str.__new__(cls, code)
        cause._value_ = code
        cause.meaning = meaning or (family.meaning if family is not None else "")
        cause.remedy = remedy or (family.remedy if family is not None else "")
        cause.scope = scope
        return cause

    @property
    def fix(self) -> str:
        """Return the remedy without its sentence about retrying a dead letter."""
        return self.remedy.removesuffix(_RETRY).strip()

    def covers(self, code: str) -> bool:
        """Say whether this is the row of all codes that begin so, and the code is one of them."""
        return (not self.value or self.value.endswith("_")) and code.startswith(self.value)

    @classmethod
    def _missing_(cls, value: object) -> "Cause":
        return max((each for each in cls if each.covers(str(value))), key=len)

    UNKNOWN = "", "This failure is one that no rule describes.", f"Read the answer. {_RETRY}"
    MESSAGES = (
        "messages",
        "Messages that nobody could read.",
        (
            "Look where they come from. Those of a newer version of passback can be retried after the upgrade; others "
            "are exported (`passback dlq export`) or discarded."
        ),
    )
    MALFORMED = "malformed_", "A message of a receiver that nobody could read.", "Export it or discard it."
    MALFORMED_COURSE_ID = (
        "malformed_course_id",
        "A sorted set of courses in Redis had a member that is no Canvas course id.",
        "Find out what else writes to this Redis. Discard it.",
    )
    MESSAGE = "message_", "A Celery message that nobody could read.", "Export it or discard it."
    TASK = (
        "task_",
        "A Celery task that no worker here knows, or that has a defect.",
        "Retry it after an upgrade, or discard it.",
    )
    UNEXPECTED_ERROR = (
        "defect_",
        "Passback itself has a defect that this course brings to light.",
        "Report it with the log lines of this course; they hold no personal data. Retry after an upgrade.",
    )
    REDIS_UNAVAILABLE = "redis_unavailable", "Redis does not answer.", f"See whether Redis is well. {_RETRY}"
    SQS_UNAVAILABLE = "sqs_unavailable", "The SQS queue of Canvas's events does not answer.", f"Check it. {_RETRY}"
    JWKS_UNAVAILABLE = "jwks_unavailable", "Canvas does not give the keys that sign its events.", f"Check it. {_RETRY}"
    LEASE_LOST = "lease_lost", "Another worker took this course.", _RETRY
    COURSE_BUSY = "course_busy", "A sync of the course was running.", "Try again in a moment."
    RUN_CHANGED = "run_changed", "The provisioning run was changed while the worker continued it.", _RETRY
    LEASE_LOST_REPEATEDLY = (
        "lease_lost_repeatedly",
        "Workers died again and again while they synced this course.",
        f"See why workers end: memory, or a very large course. {_RETRY}",
    )

    CANVAS = "canvas_", "Canvas kept answering with an error.", f"See whether Canvas is well. {_RETRY}"
    CANVAS_TIMEOUT = "canvas_timeout"
    CANVAS_UNEXPECTED = (
        "canvas_unexpected",
        "Canvas lists something in a form that passback does not know; the rest of the course goes on.",
        f"Look in Canvas at what the answer names, and save it again; or report it, for a new version. {_RETRY}",
    )
    CANVAS_401 = (
        "canvas_401",
        "Canvas refuses passback's token.",
        f"Configure a valid token. {_RETRY}",
        Scope.DISTRICT,
    )
    CANVAS_403 = (
        "canvas_403",
        "Canvas does not let passback's user see this course.",
        f"Grant it `view_all_grades` and `read_sis`. {_RETRY}",
    )
    CANVAS_404 = "canvas_404", "Canvas has no such course, or not what passback asked for of it.", _RETRY
    CANVAS_COURSE_GONE = (
        "canvas_course_gone",
        "Canvas has no such course any more. Passback keeps its links and its history, and syncs it no more.",
        "Discard it, if the course was deleted on purpose. If it is restored in Canvas, sync it once.",
    )

    POWERSCHOOL = (
        "powerschool_",
        "PowerSchool kept answering with an error.",
        f"See whether PowerSchool is well. {_RETRY}",
    )
    POWERSCHOOL_UNAVAILABLE = (
        "powerschool_unavailable",
        "PowerSchool could not be reached, or is in maintenance.",
        f"Check PowerSchool, and the network between here and it. {_RETRY}",
    )
    POWERSCHOOL_TIMEOUT = "powerschool_timeout"
    POWERSCHOOL_UNEXPECTED = "powerschool_unexpected"
    POWERSCHOOL_RESUBMIT = "powerschool_resubmit"
    POWERSCHOOL_WRITE_ATTEMPTED = "powerschool_write_attempted"
    POWERSCHOOL_401 = (
        "powerschool_401",
        "PowerSchool refuses passback's credentials.",
        f"Check the plugin. {_RETRY}",
        Scope.DISTRICT,
    )
    TOKEN_REFUSED = (
        "powerschool_token_refused",
        "PowerSchool gives no token for passback's credentials.",
        f"Check the plugin. {_RETRY}",
        Scope.DISTRICT,
    )
    GRANT_MISSING = (
        "powerschool_grant_missing",
        "The plugin lacks a permission in PowerSchool.",
        f"Update and enable the plugin. {_RETRY}",
        Scope.DISTRICT,
    )
    QUERY_MISSING = (
        "powerschool_query_missing",
        "PowerSchool does not have a query of the plugin.",
        (
            "Install deploy/powerschool-plugin of this version in PowerSchool and enable it; if it is enabled, enable "
            "customization too (System Settings > Customization)."
        ),
        Scope.DISTRICT,
    )
    QUERY_NOT_GRANTED = (
        "powerschool_query_not_granted",
        "The plugin is not granted a field that one of its queries returns.",
        "Install deploy/powerschool-plugin of this version and approve every field of its access request.",
        Scope.DISTRICT,
    )
    QUERY_OUTDATED = (
        "powerschool_query_outdated",
        "PowerSchool has a query of another version of the plugin.",
        "Update deploy/powerschool-plugin in PowerSchool to the version that came with this passback.",
        Scope.DISTRICT,
    )
    POWERSCHOOL_403 = (
        "powerschool_403",
        "PowerSchool refuses what this course needs, though it accepts passback's credentials elsewhere.",
        f"Read the answer, and have the rights for this section checked in PowerSchool. {_RETRY}",
    )
    POWERSCHOOL_404 = "powerschool_404"
    ROSTER_TRUNCATED = (
        "roster_truncated",
        "PowerSchool counts rows of its rosters that it does not give.",
        "See whether the plugin may read every field it asks for. A retry reads the rosters again.",
    )
    # Refusals of a write. `Reason` has their sentences, for teachers.
    NOT_TEACHING = "powerschool_not_teaching"
    LOCKED = "powerschool_locked", "", "", Scope.ASSIGNMENT
    GRADE_SCALE = "powerschool_grade_scale", "", "", Scope.ASSIGNMENT
    SCORE_TYPE = "powerschool_score_type", "", "", Scope.ASSIGNMENT
    DUPLICATE = "powerschool_duplicate"
    DUE_DATE = "powerschool_due_date"
    CATEGORY = "powerschool_category"
    POINTS = "powerschool_points"
    STUDENT = "powerschool_student"
    NOT_CREATED = "powerschool_not_created"
    NOT_UPDATED = "powerschool_412"
    REFUSED = "powerschool_409"

    IMPORT_ENDED = (
        "import_",
        "Somebody aborted or restored passback's SIS import in Canvas.",
        f"Find out why. {_IMPORT_ENDS}",
    )
    IMPORT_GONE = "import_gone"
    IMPORT_FAILED = (
        "import_failed",
        "Canvas's SIS import failed again and again.",
        "Look at the import in Canvas (SIS Import). A retry reads the rosters again and sends all of its data.",
    )
    IMPORT_IN_THE_WAY = (
        "import_in_the_way",
        "An SIS import of another system, or an older one of passback, does not end: Canvas runs one at a time.",
        (
            "Find the import that the answer names in Canvas (SIS Import); ask its owner, or Instructure, to end or "
            "abort it. A retry reads the rosters again."
        ),
    )
    IMPORT_HANGS = (
        "import_hangs",
        "Passback's own SIS import does not end in Canvas.",
        f"Find the import that the answer names in Canvas (SIS Import); abort it, or have it aborted. {_IMPORT_ENDS}",
    )
    CORRECTIONS_WITHOUT_END = (
        "corrections_without_end",
        "Canvas was told again and again to change SIS ids or logins, and each time others had to change first.",
        "Read the run's corrections and what Canvas said about them; correct the numbers in PowerSchool, then retry.",
    )
    ROWS_EXPIRED = "rows_forgotten", "The rows of this run are not kept any more.", "A retry reads the rosters again."
    NOTHING_APPLIED_BEFORE = "nothing_applied_before", "Nothing was imported before that run.", "Discard it."


def is_known(code: str) -> bool:
    """Say whether a cause has this code: one with a row of its own, or a row's codes with a number, as `canvas_503`."""
    row = Cause(code)
    is_row = code == row.value and bool(code) and not code.endswith("_")
    return is_row or (bool(row.value) and code.removeprefix(row.value).isdecimal())
