"""Defines the names of queues, streams and tasks. Processes, the Procfile and the README are tested against these."""

from enum import StrEnum


class Stream(StrEnum):
    """The message queues that receivers write: Redis streams, read by the passback worker's dispatcher."""

    GRADE_CHANGES = "grade-changes"
    ASSIGNMENT_CHANGES = "assignment-changes"


class Queue(StrEnum):
    """The Celery queues. Only Celery publishes to them."""

    COURSE_SYNCS = "course-syncs"
    HOUSEKEEPING = "housekeeping"
    PROVISIONING = "provisioning"


class Task(StrEnum):
    """The Celery tasks, by the names that Flower shows."""

    SYNC_COURSE = "passback.sync_course"
    RECONCILE = "passback.reconcile"
    NIGHTLY_SYNC = "passback.nightly_sync"
    DUE_DATES = "passback.due_dates"
    DISCOVER = "passback.discover"
    BOUND_DEAD_LETTERS = "passback.bound_dead_letters"
    READINESS = "passback.readiness"
    PROVISION = "passback.provision"
    NOTIFY = "passback.notify"


CONSUMER_GROUP = "passback"

ROUTES: dict[Task, Queue] = {
    Task.SYNC_COURSE: Queue.COURSE_SYNCS,
    Task.RECONCILE: Queue.HOUSEKEEPING,
    Task.NIGHTLY_SYNC: Queue.HOUSEKEEPING,
    Task.DUE_DATES: Queue.HOUSEKEEPING,
    Task.DISCOVER: Queue.HOUSEKEEPING,
    Task.BOUND_DEAD_LETTERS: Queue.HOUSEKEEPING,
    Task.READINESS: Queue.HOUSEKEEPING,
    Task.PROVISION: Queue.PROVISIONING,
    Task.NOTIFY: Queue.HOUSEKEEPING,
}
