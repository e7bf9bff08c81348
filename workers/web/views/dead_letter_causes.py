"""Explains what a dead letter's cause means, and what to do before its work is retried."""

from dataclasses import dataclass

from workers.web.views.dead_letters import MESSAGES


@dataclass(frozen=True, slots=True)
class CauseExplained:
    """What a cause means, and what to do."""

    meaning: str
    remedy: str


_RETRY = "Retry once that is mended. A retry looks at the course anew, whatever its age."

# By the beginning of a cause; the longest that matches counts.
_EXPLAINED = {
    "": CauseExplained("This failure is one that no rule describes.", f"Read the answer. {_RETRY}"),
    MESSAGES: CauseExplained(
        "Messages that nobody could read.",
        "Look where they come from. Those of a newer version of passback can be retried after the upgrade; others are "
        "exported (`passback dlq export`) or discarded.",
    ),
    "malformed_message": CauseExplained("A message of a receiver that nobody could read.", "Export it or discard it."),
    "malformed_course_id": CauseExplained(
        "A sorted set of courses in Redis had a member that is no Canvas course id.",
        "Find out what else writes to this Redis. Discard it.",
    ),
    "message_": CauseExplained("A Celery message that nobody could read.", "Export it or discard it."),
    "task_": CauseExplained(
        "A Celery task that no worker here knows, or that has a defect.", "Retry it after an upgrade, or discard it."
    ),
    "canvas_": CauseExplained("Canvas kept answering with an error.", f"See whether Canvas is well. {_RETRY}"),
    "canvas_unexpected": CauseExplained(
        "Canvas lists something in a form that passback does not know; the rest of the course goes on.",
        f"Look in Canvas at what the answer names, and save it again; or report it, for a new version. {_RETRY}",
    ),
    "canvas_401": CauseExplained("Canvas refuses passback's token.", f"Configure a valid token. {_RETRY}"),
    "canvas_403": CauseExplained(
        "Canvas does not let passback's user see this course.", f"Grant it `view_all_grades` and `read_sis`. {_RETRY}"
    ),
    "canvas_404": CauseExplained("Canvas has no such course, or not what passback asked for of it.", _RETRY),
    "canvas_course_gone": CauseExplained(
        "Canvas has no such course any more. Passback keeps its links and its history, and looks at it no more.",
        "Discard it, if the course was deleted on purpose. If it is restored in Canvas, sync it once.",
    ),
    "powerschool_": CauseExplained(
        "PowerSchool kept answering with an error.", f"See whether PowerSchool is well. {_RETRY}"
    ),
    "powerschool_403": CauseExplained(
        "PowerSchool refuses what this course needs, though it accepts passback's credentials elsewhere.",
        f"Read the answer, and have the rights for this section checked in PowerSchool. {_RETRY}",
    ),
    "powerschool_401": CauseExplained("PowerSchool refuses passback's credentials.", f"Check the plugin. {_RETRY}"),
    "powerschool_grant": CauseExplained(
        "The plugin lacks a permission in PowerSchool.", f"Update and enable the plugin. {_RETRY}"
    ),
    "powerschool_query_": CauseExplained(
        "PowerSchool does not run a query of the plugin.",
        f"Install and enable the plugin of this version; `passback doctor` names the query. {_RETRY}",
    ),
    "powerschool_unreachable": CauseExplained(
        "PowerSchool could not be reached.", f"Check the network between here and PowerSchool. {_RETRY}"
    ),
    "roster_truncated": CauseExplained(
        "PowerSchool counts rows of its rosters that it does not give.",
        "See whether the plugin may read every field it asks for. A retry reads the rosters anew.",
    ),
    "import_failed": CauseExplained(
        "Canvas's SIS import failed again and again.",
        "Look at the import in Canvas (SIS Import). A retry reads the rosters anew and sends its data whole.",
    ),
    "import_in_the_way": CauseExplained(
        "An SIS import of another system, or an older one of passback, does not end: Canvas runs one at a time.",
        "Find the import that the answer names in Canvas (SIS Import); ask its owner, or Instructure, to end or abort "
        "it. A retry reads the rosters anew.",
    ),
    "import_hangs": CauseExplained(
        "Passback's own SIS import does not end in Canvas.",
        "Find the import that the answer names in Canvas (SIS Import); abort it, or ask Instructure to. A retry reads "
        "the rosters anew and sends the import's data whole.",
    ),
    "import_": CauseExplained(
        "Somebody aborted or restored passback's SIS import in Canvas.",
        "Find out why. A retry reads the rosters anew and sends the import's data whole.",
    ),
    "corrections_without_end": CauseExplained(
        "Canvas was told again and again to change SIS ids or logins, and each time others had to change first.",
        "Look at the run's corrections and what Canvas said about them; mend the numbers in PowerSchool, then retry.",
    ),
    "rows_forgotten": CauseExplained(
        "The rows of this run are not kept any more.",
        "A retry reads the rosters anew.",
    ),
    "defect_": CauseExplained(
        "Passback itself has a defect that this course brings to light.",
        "Report it with the log lines of this course; they hold no personal data. Retry after an upgrade.",
    ),
    "lease_lost_repeatedly": CauseExplained(
        "Workers died again and again while they synced this course.",
        f"See why workers end: memory, or a very large course. {_RETRY}",
    ),
}


def explained(cause: str) -> CauseExplained:
    """Return what the cause means."""
    return _EXPLAINED[max((prefix for prefix in _EXPLAINED if cause.startswith(prefix)), key=len)]
