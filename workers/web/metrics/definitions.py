"""Every metric there is: `deploy/guides/metrics.md` has a row for each, and rules and dashboards use no others.

`python -m workers.web.metrics.definitions` prints the table of that guide.
"""

import sys
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric by the name that queries use; a histogram's has `_bucket`, `_sum` and `_count` after it."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


def _counter(name: str, explanation: str, *labels: str) -> Metric:
    return Metric(f"passback_{name}_total", "counter", explanation, labels)


def _gauge(name: str, explanation: str, *labels: str) -> Metric:
    return Metric(f"passback_{name}", "gauge", explanation, labels)


def _histogram(name: str, explanation: str, *labels: str) -> Metric:
    return Metric(f"passback_{name}", "histogram", explanation, labels)


BUILD_INFO = _gauge("build_info", "1; the label says which version serves this page.", "version")
REDIS_UP = _gauge("redis_up", "1 while Redis answers; 0, and then nothing else but this, while it does not.")
SCHOOL_HOURS = _gauge(
    "school_hours", "1 in PASSBACK_SCHOOL_HOURS, on the district's clocks; absent while its zone is unknown."
)

EVENTS = _counter("events", "What receivers got; a refused one is of unknown kind.", "kind", "receiver", "outcome")
LAST_EVENT_AGE = _gauge("last_event_age_seconds", "Since the newest folded message was stored; absent without one.")
STREAM_LAG = _gauge("stream_lag_messages", "Messages of all streams that no dispatcher has folded yet.")
STREAM_OLDEST = _gauge("stream_oldest_unfolded_seconds", "Age of the oldest of them; 0 without any.", "stream")
STREAM_ENTRIES = _gauge("stream_entries", "Entries on a stream, its history included.", "stream")
QUEUE_MESSAGES = _gauge("queue_messages", "Messages in a Celery queue.", "queue")
UNKNOWN_CHANGES = _gauge("unknown_changes", "Changes whose course could not be told; every course is visited for them.")

COURSES = _gauge("courses", "Courses by where they are: due (now or later), claimed, leased.", "state")
COURSES_CONNECTED = _gauge("courses_connected", "Courses that reconciliation visits.")
OLDEST_WAITING = _gauge("oldest_waiting_seconds", "Since the first change of the course that waits longest; 0 without.")
PAUSED = _gauge("paused", "What people have paused: passback (all), provisioning, or a number of courses.", "target")

LTI_LAUNCHES = _counter("lti_launches", "Pages opened inside Canvas: opened, or why one was refused.", "outcome")

SYNCS = _counter("syncs", "Runs of a course: done, waits, failed (it will be tried again), dead.", "outcome", "cause")
EVENT_SECONDS = _histogram(
    "event_to_powerschool_seconds", "From a course's first event until PowerSchool has what it led to."
)
WRITTEN = _counter("written", "What was written to PowerSchool: assignments (per section), scores.", "what")
REPAIRS = _counter(
    "reconciliation_repairs", "Changes that passes over all courses found, and no event told of.", "what"
)

REQUESTS = _counter(
    "http_requests",
    "Requests by method, path template and class of status, or trouble.",
    "system",
    "call",
    "status",
)
REQUEST_SECONDS = _histogram("http_request_seconds", "How long they took.", "system")
FAILURES = _counter(
    "http_troubles",
    "Answers of a system with trouble: throttled, unavailable, timeout, error.",
    "system",
    "trouble",
)
SYSTEM_UNAVAILABLE = _gauge("system_unwell", "1 while the system is unavailable, until it answers again.", "system")
SYSTEM_PAUSED = _gauge("system_paused_seconds", "Until an unavailable system is called again; else 0.", "system")
REQUEST_INTERVAL = _gauge(
    "request_interval_seconds",
    "Between two requests of all workers together, as configured or as learnt from throttled answers; 0 is none.",
    "system",
)
REQUEST_INTERVAL_CONFIGURED = _gauge(
    "request_interval_configured_seconds", "The shortest that the settings allow; 0 is none.", "system"
)
SYSTEM_FAILURES = _gauge("system_failures", "Its failures in a row.", "system")
TOKENS = _counter("powerschool_token_fetches", "Fetches of PowerSchool's access token: ok, failed.", "result")

QUERIES_UNAVAILABLE = _gauge(
    "powerschool_queries_unavailable", "Queries of the plugin that PowerSchool does not run, by cause.", "cause"
)

DEAD_LETTERS = _gauge("dead_letters", "Open dead letters of courses, by cause.", "cause")
POISON = _gauge("poison_messages", "Messages that nobody could read, kept for a person.")

PROCESSES = _gauge(
    "processes", "Processes by kind, alive or gone (silent for some seconds, for a day).", "kind", "state"
)
HEARTBEAT_AGE = _gauge("heartbeat_age_seconds", "Age of the youngest heartbeat of a kind.", "kind")

PROVISIONING_RUNS = _gauge(
    "provisioning_runs", "The newest hundred provisioning runs, by what became of them.", "state"
)
PROVISIONING_SUCCESS_AGE = _gauge(
    "provisioning_success_age_seconds", "Since the newest of them that succeeded ended; absent without one."
)
PROVISIONING_AWAITING_APPROVAL = _gauge(
    "provisioning_held",
    "Plans that wait for a person's approval, of the district or of a school.",
    "scope",
)

REDIS_MEMORY = _gauge("redis_memory_used_bytes", "Memory that Redis uses.")
REDIS_MEMORY_LIMIT = _gauge("redis_memory_limit_bytes", "Its maxmemory, else the machine's memory.")
REDIS_MEMORY_RATIO = _gauge("redis_memory_used_ratio", "The used part of it, 0 to 1.")
AUDIT_ENTRIES = _gauge("audit_entries", "Audit entries kept, of all courses; counted anew every five minutes.")

METRICS = tuple(value for value in dict(vars()).values() if isinstance(value, Metric))

BEGIN = "<!-- metrics: begin (python -m workers.web.metrics.definitions) -->"
END = "<!-- metrics: end -->"


def metrics_table() -> str:
    """Return a Markdown table with a row per metric."""
    rows = ["| Metric | Type | Labels | Meaning |", "|---|---|---|---|", *map(_row, METRICS)]
    return "\n".join(rows)


def with_metrics_table(document: str) -> str:
    """Return the document with the current table between its markers."""
    before, _, remainder = document.partition(BEGIN)
    return f"{before}{BEGIN}\n{metrics_table()}\n{END}{remainder.partition(END)[2]}"


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |"


if __name__ == "__main__":
    sys.stdout.write(metrics_table() + "\n")
