"""Defines pauses by a person: of everything, provisioning, or one course. Changes are still collected."""

from dataclasses import dataclass
from datetime import datetime

EVERYTHING = "passback"
PROVISIONING = "provisioning"
_COURSE = "course:"


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


def target_text(target: str) -> str:
    """Return the target in a sentence: `everything`, `provisioning`, `course 101`."""
    return "everything" if target == EVERYTHING else target.replace(":", " ", 1)


def resume_command(target: str) -> str:
    """Return the command that resumes the target; `passback resume` alone resumes everything but single targets."""
    return "passback resume" if target == EVERYTHING else f"passback resume {target.replace(':', ' ', 1)}"
