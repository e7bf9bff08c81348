"""What people did: asked for a sync, retried, discarded, paused, approved. Kept and shown, with who it was."""

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


@dataclass(frozen=True, slots=True)
class Action:
    """One of them. `target` is an id, such as `course:101`; `count` is of what was acted on."""

    at: datetime
    actor: str
    verb: Verb
    target: str
    count: int = 1
