"""Defines the log events: every log line of passback is one of these, with fields.

`info`: a state changed; `warning`: it is retried without a person; `error`: a person is needed. Fields are ids, codes,
counts and `duration_ms`: never names, scores, e-mails or tokens.
"""

from enum import StrEnum


class LogEvent(StrEnum):
    """What happened, in the past tense. Under each member: when it is written, and its fields."""

    PROCESS_STARTED = "process_started"
    """info: a process is ready for work. `process`."""
    PROCESS_CRASHED = "process_crashed"
    """error: an exception was not caught. A process whose vital thread failed exits with a code other than 0. `thread`,
    `error`, `way`."""
    WORKER_ENDED_BY_ITSELF = "worker_ended_by_itself"
    """error: a Celery worker ended without a signal; its exit code is 1. `process`."""
    PROCESS_STOPPED = "process_stopped"
    """info: a process ended after a signal. `process`."""

    EVENT_REJECTED = "event_rejected"
    """warning: a receiver answered 4xx. `receiver`, `status`, `cause`, `unlogged` (equal ones since the last line)."""
    EVENT_REJECTED_UNAVAILABLE = "event_rejected_unavailable"
    """warning: a receiver answered 503, so the sender sends again. The same fields."""

    REQUEST_REJECTED = "request_rejected"
    """warning: a request for the pages (in Canvas: `lti`), the API, the metrics or the health checks broke a limit.
    `door`, `status`, `cause`, `unlogged`."""

    LTI_LAUNCHED = "lti_launched"
    """info: a page was opened inside Canvas. `course_id` (none in an account), `placement`, `role`, `actor` (the real
    person's Canvas id), `acts_as` (the id of the person as whom they act)."""
    LTI_REFUSED = "lti_refused"
    """warning: a launch or a registration from Canvas was refused. `cause`, `unlogged`."""
    LTI_REGISTERED = "lti_registered"
    """info: a Canvas registered passback with a link; an operator has to confirm it. `client_id`."""
    LTI_DEPLOYMENT_LEARNED = "lti_deployment_learned"
    """info: Canvas opened passback from an installation for the first time. `client_id`, `deployment_id`."""

    QUEUE_CONSUMER_ERROR = "queue_consumer_error"
    """warning: SQS or Redis returned an error; no unread message is deleted, reading is retried. `cause`, `error`."""

    MESSAGES_AGGREGATED = "messages_aggregated"
    """debug: messages were added to pending changes. `folded`, `unknown` (their course), `bad` (not readable)."""
    REDIS_CONNECT_RETRY = "redis_connect_retry"
    """warning: Redis does not answer a starting worker, which retries. `error`."""
    REDIS_CONFIG_UNREADABLE = "redis_config_unreadable"
    """warning: Redis does not show its settings of persistence. `settings`."""
    DISPATCHER_ERROR = "dispatcher_error"
    """warning: Redis did not answer the dispatcher, which retries; nothing is lost. `error`."""

    COURSE_SYNCED = "course_synced"
    """info: a sync read, wrote and recorded its course. `course_id`, `outcome`, `changes`, `assignments`, `whole` (it
    read every score), `scores_written`, `duration_ms`, `waited_ms` since the first change."""
    COURSE_SYNC_DEFERRED = "course_sync_deferred"
    """warning: a system is unavailable; the course is synced later and spends no attempt. `course_id`, `cause`,
    `delay_s`."""
    COURSE_SYNC_FAILED = "course_sync_failed"
    """warning: an attempt failed and is retried. `course_id`, `cause`, `attempts`, `delay_s`."""
    COURSE_SYNC_UNEXPECTED_ERROR = "course_sync_unexpected_error"
    """error: a sync raised an unexpected error. `course_id`, `error`, `way` (the stack, without texts)."""
    COURSE_GONE = "course_gone"
    """error: Canvas does not have the course any more; it is no longer scheduled. `course_id`."""
    TAKEN_OVER = "taken_over"
    """info: a takeover linked assignments that passback did not create. `course_id`, `linked`, `actor`."""
    TAKEOVER_RUN_ENDED = "takeover_run_ended"
    """info: a takeover of many courses ended. `mode`, `state`, `courses`, `linked`, `actor`."""
    TAKEOVER_RUN_ERROR = "takeover_run_error"
    """warning: a takeover of many courses ended since a system or Redis did not answer; it can go on. `error`."""
    TAKEOVER_REFUSED = "takeover_refused"
    """error: PowerSchool refused the first change of an assignment that was taken over; its link is deleted.
    `course_id`, `assignment_id`, `cause`."""
    DEAD_LETTERED = "dead_lettered"
    """error: a job became a dead letter. `course_id`, `assignment_id` (none: the whole course), `cause`."""
    MESSAGE_DEAD_LETTERED = "message_dead_lettered"
    """error: a worker could not read a Celery message, or its task raised an unexpected error. `queue`, `cause`; for an
    error also `error` and `way`."""
    TASK_MESSAGE_UNDECODABLE = "task_message_undecodable"
    """error: Celery failed on a message that it should be able to run; the message is a dead letter. `error`, `way`."""
    MESSAGE_IGNORED = "message_ignored"
    """warning: a reply or an event of Celery was no message; no task needs it. `queue`."""
    KEY_SET_ASIDE = "key_set_aside"
    """error: a key of Redis had another type than passback or Celery writes; it was renamed, and work continues. `key`,
    `expected`, `found` (types)."""
    DEAD_LETTERS_RETRIED = "dead_letters_retried"
    """info: a person retried a course's dead letters, or a message. `letter_ids`, `actor`."""
    DEAD_LETTER_DISCARDED = "dead_letter_discarded"
    """info: a person discarded a dead letter. `letter_id`, `cause`, `actor`."""
    DEAD_LETTER_EVICTED = "dead_letter_evicted"
    """error: a dead letter was removed because it is too old or there are too many. `letter_id`, `cause`."""

    READINESS_CHECKED = "readiness_checked"
    """info: a check of readiness read every course. `courses`, `duration_ms`."""
    READINESS_FAILED = "readiness_failed"
    """error: a system refuses what a check of readiness has to read; it ended. `cause`."""

    OPERATOR_ACTION = "operator_action"
    """info: a person acted on the pages or through the API. `action_id` (in the log of actions), `action`, `target` (an
    id), `count`, `actor`."""
    LOGIN_FAILED = "login_failed"
    """warning: a wrong password or token, or too many of them. `cause`, `account` (`operator`, `viewer`, `metrics`,
    else `unknown`), `door`, `unlogged` (equal ones since the last line)."""
    DEAD_LETTER_BATCH_ERROR = "dead_letter_batch_error"
    """warning: Redis did not answer while dead letters were retried or discarded; the remaining ones are unchanged.
    `batch_id`, `error`."""

    PAUSED = "paused"
    """info: a person paused something. `target` (`passback`, `provisioning`, `course:<id>`), `actor`."""
    RESUMED = "resumed"
    """info: a person resumed it. `target`, `actor`."""

    DATA_ERASED = "data_erased"
    """info: a person erased stored data. `what` (`course`, `student`, `older_than`, `everything`), `actor`, `erased`
    (counts), `left_out` (courses that were being synced)."""

    QUERY_UNAVAILABLE = "query_unavailable"
    """error: PowerSchool does not run a query of the plugin; work that needs it waits. Logged once until it runs again.
    `query`, `cause` (`powerschool_query_missing`, `_not_granted`, `_outdated`)."""
    CATEGORY_SKIPPED = "category_skipped"
    """warning: a category of a teacher cannot be read; its assignments have no category. `category_id`, `fields`
    (names)."""
    ROSTER_ROW_SKIPPED = "roster_row_skipped"
    """warning: a row of a roster cannot be read; the rest of the roster is used. `query`, `record` (its DCID),
    `fields`."""
    QUERY_AVAILABLE = "query_available"
    """info: a query of the plugin runs again. `query`."""

    LEASE_LOST = "lease_lost"
    """warning: another worker may have the course (or provisioning, without `course_id`); this one stops writing.
    `course_id`, `token`."""
    LEASE_NOT_RENEWED = "lease_not_renewed"
    """warning: Redis did not answer a renewal, which is retried until the lease ends. `course_id` (none for
    provisioning), `token`, `error`."""

    CATEGORY_LINKED = "category_linked"
    """info: a person linked a group to categories, or to none. `course_id`, `group_id`, `category_ids`, `actor`."""

    COURSE_VERIFIED = "course_verified"
    """info: both sides of a course were read back and a proof was stored. `course_id`, `scores` (how many were
    compared), `differs` (how many values a sync makes equal), `reads`, `settled`, `duration_ms`."""

    RECONCILIATION_WROTE = "reconciliation_wrote"
    """info: a pass over all courses found changes of which no event told. `course_id`, `assignments`, `scores`."""
    SCHEDULED_SYNC_ENQUEUED = "scheduled_sync_enqueued"
    """info: courses that were not synced since the schedule's last due time were made due. `courses`."""
    DUE_DATE_SYNCS_ENQUEUED = "due_date_syncs_enqueued"
    """info: a due date of these courses passed, so they were made due. `courses`."""
    COURSES_DISCOVERED = "courses_discovered"
    """info: Canvas was searched for courses to sync; new ones were connected. `courses`, `duration_ms`."""
    SCHEDULED_TASK_DEFERRED = "scheduled_task_deferred"
    """warning: a scheduled task could not run now; its next interval retries it. `task`, `cause`."""
    SCHEDULED_TASK_FAILED = "scheduled_task_failed"
    """error: a scheduled task was refused and is skipped this time. `task`, `cause`."""
    HEARTBEAT_FAILED = "heartbeat_failed"
    """warning: Redis did not store a heartbeat; the next one follows. `process`, `error`."""
    METRICS_FLUSH_FAILED = "metrics_flush_failed"
    """warning: Redis did not store the counters of this process. Buffered counts are written later. `error`."""
    RECONCILE_ENQUEUED = "reconcile_enqueued"
    """info: courses were made due for reconciliation. `courses`, `answered` (resolved changes of unknown course)."""

    PROVISION_REQUESTED = "provision_requested"
    """info: a provisioning run was requested by a person or the schedule. `run_id`, `kind`, `actor` or `cause`."""
    PROVISION_APPROVED = "provision_approved"
    """info: a person approved a held run. `run_id`, `actor`."""
    PROVISION_DISCARDED = "provision_discarded"
    """info: a person discarded a held run. `run_id`, `actor`."""
    PROVISION_AWAITING_APPROVAL = "provision_awaiting_approval"
    """error: a plan waits for a person's approval. `run_id`, `codes` (why), `data_sets`, `added`, `changed`, `removed`
    (rows)."""
    IMPORT_STARTED = "import_started"
    """info: an SIS import of passback started, or one was found whose start was not stored. `run_id`, `import_id`,
    `entity`, `rows`, `adopted`."""
    IMPORT_FINISHED = "import_finished"
    """info: an SIS import of passback ended (warning: without success). `run_id`, `import_id`, `entity`, `state`,
    `failures`, `warnings` (rows), `duration_ms`."""
    PROVISION_FINISHED = "provision_finished"
    """info: a run ended. `run_id`, `kind`, `state`, `imports`, `requests` (by system), `duration_ms`."""
    PROVISION_DEFERRED = "provision_deferred"
    """warning: a system is unavailable; the run continues later and spends no attempt. `run_id`, `cause`, `delay_s`."""
    PROVISION_FAILED = "provision_failed"
    """warning: an attempt failed and is retried. `run_id`, `cause`, `attempts`, `delay_s`."""
    PROVISION_DEAD_LETTERED = "provision_dead_lettered"
    """error: a run became a dead letter. `run_id`, `cause`, `attempts`."""
    PROVISION_TICK_ERROR = "provision_tick_error"
    """warning: Redis did not answer, or the lease was lost; the next tick continues. `cause`."""
    PROVISION_UNEXPECTED_ERROR = "provision_unexpected_error"
    """error: a run raised an unexpected error. `run_id`, `error`, `way` (the stack, without texts)."""

    NOTIFICATION_SENT = "notification_sent"
    """info: a target took a message. `target` (scheme and number), `opened`, `ended` (conditions), `summary` (it is the
    daily one), `duration_ms`."""
    NOTIFICATION_FAILED = "notification_failed"
    """warning: a target did not take a message, which is sent again. `target`, `cause`, `attempts`."""
    NOTIFICATION_LOST = "notification_lost"
    """error: a target did not take a message in all attempts; it is given up. `target`, `cause`."""

    TEACHERS_NOTIFIED = "teachers_notified"
    """info: the weekly digest of teachers is complete. `sent`, `refused`, `without_address`, `nothing_left` (teachers),
    `unread` (courses)."""
    TEACHER_DIGEST_DEFERRED = "teacher_digest_deferred"
    """warning: the mail server or Canvas did not take a request; the digest goes on later. `cause`,
    `failed` (attempts)."""
    TEACHER_DIGEST_LOST = "teacher_digest_lost"
    """error: the mail server took no digest in all attempts; this week's is given up. `cause`, `left` (teachers)."""

    CIRCUIT_OPENED = "circuit_opened"
    """warning: Canvas or PowerSchool is unavailable, or asks for a long pause; no request is sent to it for a while.
    `system`, `cause`, `delay_s`."""
    RATE_CHANGED = "rate_changed"
    """info: the interval of all workers between two requests changed by half or more, because the system throttled or
    stopped throttling. `system`, `interval_ms`, `configured_ms`."""
    TOKEN_FETCHED = "token_fetched"  # noqa: S105  # the name of an event
    """info: a new PowerSchool access token was stored for all workers. `lifetime_s`."""
