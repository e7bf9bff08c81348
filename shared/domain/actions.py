"""Defines what people do, such as a sync or a retry, and their pauses: of everything, provisioning, or one course.

Changes are still collected during a pause.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Verb(StrEnum):
    """What a person can do."""

    SYNC = "sync"
    RETRY = "retry"
    DISCARD = "discard"
    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    APPROVE = "approve"
    REJECT = "reject"
    SIGN_IN = "sign_in"
    LINK = "link"
    UNLINK = "unlink"
    PURGE = "purge"
    PROVISION = "provision"
    VERIFY = "verify"
    ROLLBACK = "roll_back"
    INVITE = "make_registration_link"
    CONFIRM = "confirm"
    REMOVE = "remove"
    CHECK_READINESS = "check_readiness"
    TAKE_OVER = "take_over"
    UNDO_TAKEOVER = "undo_takeover"
    REPLACE_KEY = "replace_key"


@dataclass(frozen=True, slots=True)
class Action:
    """One operator action. `target` is an id, such as `course:101`; `count` is the number of things acted on."""

    at: datetime
    actor: str
    verb: Verb
    target: str
    count: int = 1


EVERYTHING = "passback"
PROVISIONING = "provisioning"
_COURSE = "course:"
MAX_REASON_CHARS = 200


@dataclass(frozen=True, slots=True)
class Pause:
    """A target that is held back: since when, by whom, and in that person's words why."""

    target: str
    since: datetime
    actor: str
    reason: str = ""


def course_target(course_id: str) -> str:
    """Return the target that stands for one course."""
    return f"{_COURSE}{course_id}"


def course_of(target: str) -> str:
    """Return the id of the course that the target stands for; empty for another target."""
    return target.removeprefix(_COURSE) if target.startswith(_COURSE) else ""


def target_text(target: str) -> str:
    """Return the target in a sentence: `everything`, `provisioning`, `course 101`."""
    return "everything" if target == EVERYTHING else target.replace(":", " ", 1)


def resume_command(target: str) -> str:
    """Return the command that resumes the target; `passback resume` alone resumes everything but single targets."""
    return "passback resume" if target == EVERYTHING else f"passback resume {target.replace(':', ' ', 1)}"
