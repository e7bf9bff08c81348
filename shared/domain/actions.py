"""Records what people did, such as a sync, a retry or a pause, with who did each."""

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


@dataclass(frozen=True, slots=True)
class Action:
    """One operator action. `target` is an id, such as `course:101`; `count` is the number of things acted on."""

    at: datetime
    actor: str
    verb: Verb
    target: str
    count: int = 1
