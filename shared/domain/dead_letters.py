"""Defines dead letters: jobs and messages that wait for a person."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class DeadLetterKind(StrEnum):
    """What a dead letter holds: the job of a course, a provisioning run, or an unreadable message."""

    COURSE = "course"
    MESSAGE = "message"
    PROVISIONING = "provisioning"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job kept for a person. `answer` is the remote answer without personal data.

    `attempt_times` are the newest failed attempts, the oldest first. A letter that a person retried stays open,
    with `retried_at`, until its work succeeds. A message has no course (an empty `course_id`), but the stream or
    queue it came from as its `source`; provisioning has the id of the run that failed last.
    """

    id: str
    course_id: str
    assignment_id: str | None
    cause: str
    answer: str
    attempts: int
    first_failed_at: datetime
    last_failed_at: datetime
    kind: DeadLetterKind = DeadLetterKind.COURSE
    attempt_times: tuple[datetime, ...] = ()
    retried_at: datetime | None = None
    source: str = ""
