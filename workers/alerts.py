"""Finds what is wrong with the installation, the worst first, each with what to do. Values in, values out."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from shared.adapters.redis.sync_queue.store import LongWait
from shared.domain.actions import EVERYTHING, PROVISIONING
from shared.domain.causes import Cause, Scope
from shared.domain.plugin import PROVISIONING_PREFIX
from shared.domain.provisioning.run import RunState
from shared.domain.wording import describe
from workers.provisioning.service import KIND as PROVISIONING_WORKER
from workers.status import LONG_WAIT, SILENCE, InstallationStatus

OVERDUE_TIMEOUT = timedelta(minutes=2)
MANY_MESSAGES = 1000
# As long as the alerts PassbackEventsNotFolded, PassbackProvisioningStale and PassbackRedisMemory wait.
UNREAD_TIMEOUT = timedelta(minutes=1)
ROSTERS_STALE = timedelta(hours=36)
MAX_MEMORY_SHARE = 0.8
TOKEN_WARNING = timedelta(days=14)
TOKEN_URGENT = timedelta(days=2)
RENEW_ACCESS = (
    "Make a new access token for the service user in Canvas (Account, Settings), set PASSBACK_CANVAS_TOKEN to it, and "
    "restart passback."
)
NEEDED = ("worker", "beat")


class Level(StrEnum):
    """Severity: no grades are synced, or an operator should check."""

    BAD = "bad"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Alert:
    """One problem and its remedy. `link` is the page to act on, empty where there is none.

    `about` is what sets the problem apart from others of its code: a system, a cause. `entered` is the end of the title
    that a person wrote, which may hold names.
    """

    level: Level
    code: str
    title: str
    remedy: str
    link: str = ""
    about: str = ""
    entered: str = ""


def alerts(status: InstallationStatus) -> list[Alert]:
    """Return the alerts, the worst first."""
    rules = (
        _processes, _paused, _outages, _token, _queries, _waits, _dead_letters, _throughput, _storage, _provisioning,
        _messages,
    )  # fmt: skip
    return sorted((alert for rule in rules for alert in rule(status)), key=lambda alert: alert.level)


def alerts_json(status: InstallationStatus) -> list[dict[str, str]]:
    """Return the alerts as the command line and the API have them."""
    return [
        {"level": each.level, "code": each.code, "title": each.title, "remedy": each.remedy, "link": each.link}
        for each in alerts(status)
    ]


def not_judged(status: InstallationStatus) -> frozenset[str]:
    """Return the codes about which the status says neither yes nor no: such a problem may be there or be over."""
    paused = {pause.target for pause in status.pauses}
    judged_only_if = {
        "silence": status.silence_matters or not _is_silent(status),
        "overdue": not status.outages and EVERYTHING not in paused,
        "courses_stale": not _is_held_up(status),
        "provisioning_waits": not paused & {EVERYTHING, PROVISIONING},
        "provisioning_stale": not paused & {EVERYTHING, PROVISIONING},
        "redis_memory": status.redis_memory is not None,
    }
    return frozenset(code for code, is_judged in judged_only_if.items() if not is_judged)


def _processes(status: InstallationStatus) -> Iterator[Alert]:
    alive = _running(status)
    for kind in NEEDED:
        if kind not in alive:
            what = "no grade is synced" if kind == "worker" else "nothing that is scheduled happens"
            yield Alert(Level.BAD, f"no_{kind}", f"No {kind} is running: {what}.", f"Start `passback {kind}`.")
    reported = {*NEEDED, *([PROVISIONING_WORKER] if status.last_run else ())} - alive
    for heartbeat in status.processes:
        if heartbeat.is_stale and _kind(heartbeat.process) not in reported:
            ago = describe(heartbeat.age)
            yield Alert(
                Level.WARNING, "process_gone", f"{heartbeat.process} was last seen {ago} ago.",
                "If it was stopped for good, nothing: it is forgotten after a day. Otherwise look at its log, and "
                "start it again.", about=_kind(heartbeat.process),
            )  # fmt: skip


def _paused(status: InstallationStatus) -> Iterator[Alert]:
    for pause in status.pauses:
        what = "Everything" if pause.target == EVERYTHING else pause.target.replace(":", " ").capitalize()
        entered = f" by {pause.actor}" + (f": {pause.reason}" if pause.reason else "")
        level = Level.BAD if pause.target == EVERYTHING else Level.WARNING
        yield Alert(
            level, "paused", f"{what} is paused{entered}", "Resume it once that is over.", "/#pauses",
            pause.target.partition(":")[0], entered,
        )  # fmt: skip


def _outages(status: InstallationStatus) -> Iterator[Alert]:
    for outage in status.outages:
        since = "" if outage.since is None else f" for {describe(status.now - outage.since)}"
        asks = "now" if outage.paused_until is None else f"in {describe(outage.paused_until - status.now)}"
        yield Alert(
            Level.BAD, "system_unwell", f"{outage.name} is unavailable{since} ({outage.cause}).",
            f"Nothing, if {outage.name} is being maintained: passback asks it again {asks}, and what waits goes on by "
            f"itself. If this lasts, see whether {outage.name} answers and whether passback's credentials there are "
            "still good: `passback doctor` says so.", about=outage.system,
        )  # fmt: skip


def _token(status: InstallationStatus) -> Iterator[Alert]:
    # Where courses wait for the token, the alert about them says the same.
    if status.token_refused_at and all(wait.cause != Cause.CANVAS_401 for wait in status.long_waits):
        yield Alert(
            Level.BAD, "token_refused", "Canvas has refused passback's access token for "
            f"{describe(status.now - status.token_refused_at)}: no course is found and no grade is synced.",
            RENEW_ACCESS,
        )  # fmt: skip
        return
    if status.token_ends_at is None or (remaining := status.token_ends_at - status.now) > TOKEN_WARNING:
        return
    ends = f"ends in {describe(remaining)}" if remaining > timedelta(0) else "has ended"
    yield Alert(
        Level.BAD if remaining < TOKEN_URGENT else Level.WARNING, "token_ends",
        f"passback's access token of Canvas {ends}.", RENEW_ACCESS,
    )  # fmt: skip


def _queries(status: InstallationStatus) -> Iterator[Alert]:
    for query in status.unavailable_queries:
        waits = "No roster is read or planned" if query.name.startswith(PROVISIONING_PREFIX) else "No course is synced"
        yield Alert(Level.BAD, query.fault.value, f"{query.sentence} {waits} until it runs.", query.fault.remedy)


def _waits(status: InstallationStatus) -> Iterator[Alert]:
    """Yield one alert per cause, with the number of courses and the one that waits longest."""
    by_cause: dict[str, list[LongWait]] = {}
    for wait in status.long_waits:
        by_cause.setdefault(wait.cause, []).append(wait)
    for cause, waits in by_cause.items():
        first, known = waits[0], Cause(cause)
        few = f"Course {first.course_id} waits" if len(waits) == 1 else f"{len(waits)} courses wait"
        yield Alert(
            Level.BAD if known.scope is Scope.DISTRICT else Level.WARNING, "waiting_long",
            f"{few} for {describe(status.now - first.since)} ({cause}): {known.meaning}",
            known.remedy, f"/courses/{first.course_id}", known,
        )  # fmt: skip


def _dead_letters(status: InstallationStatus) -> Iterator[Alert]:
    """Yield one alert per row of the table of causes, however many codes and jobs it has."""
    counts: Counter[Cause] = Counter()
    for code, count in status.dead_letter_causes.items():
        counts[Cause(code)] += count
    for cause, count in counts.most_common():
        few = "1 job waits" if count == 1 else f"{count} jobs wait"
        yield Alert(
            Level.BAD, "dead_letters", f"{few} for a person. {cause.meaning}",
            cause.remedy, "/dead-letters", cause,
        )  # fmt: skip
    if status.dead_letters_warning:
        warning = status.dead_letters_warning[0].upper() + status.dead_letters_warning[1:]
        yield Alert(Level.WARNING, "dead_letters_full", f"{warning}.", "Retry or discard some.", "/dead-letters")


def _throughput(status: InstallationStatus) -> Iterator[Alert]:
    if status.silence_matters and _is_silent(status):
        since = "yet" if status.last_event_at is None else f"for {describe(status.now - status.last_event_at)}"
        yield Alert(
            Level.WARNING, "silence", f"Canvas has sent no event {since}, and school is on.",
            "See in Canvas, under Data Streams, whether the stream is still active. Grades follow all the same, with "
            "the next reconciliation.",
        )  # fmt: skip
    oldest = status.now - (status.oldest_message_at or status.now)
    if status.messages > MANY_MESSAGES or oldest > UNREAD_TIMEOUT:
        waits = "1 message waits" if status.messages == 1 else f"{status.messages} messages wait"
        yield Alert(
            Level.WARNING, "messages_waiting", f"{waits} to be read, the oldest for {describe(oldest)}.",
            "See whether a worker is running and Redis is quick.",
        )  # fmt: skip
    paused = {pause.target for pause in status.pauses}
    # A pass over all courses may take hours, the first one above all: nobody waits for it.
    waiting = [
        course
        for course in status.waiting
        if f"course:{course.course_id}" not in paused and not course.lets_others_go_first
    ]
    if waiting and not status.outages and EVERYTHING not in paused and status.now - waiting[0].due_at > OVERDUE_TIMEOUT:
        yield Alert(
            Level.WARNING, "overdue", f"Course {waiting[0].course_id} is due for "
            f"{describe(status.now - waiting[0].due_at)}.",
            "All workers are busy: start more, or see what they do.", f"/courses/{waiting[0].course_id}",
        )  # fmt: skip

    if status.stale_courses and not _is_held_up(status):
        few = "1 course was" if status.stale_courses == 1 else f"{status.stale_courses} courses were"
        yield Alert(
            Level.WARNING, "courses_stale", f"{few} not compared for more than twice the time of a pass over all "
            "courses.",
            "See whether beat and the workers run, and whether the pass can be done in PASSBACK_RECONCILE_INTERVAL_S "
            "at the rate that PowerSchool permits.", "/courses",
        )  # fmt: skip


def _storage(status: InstallationStatus) -> Iterator[Alert]:
    if status.redis_memory is not None and status.redis_memory > MAX_MEMORY_SHARE:
        yield Alert(
            Level.WARNING, "redis_memory", f"Redis uses {status.redis_memory:.0%} of its memory.",
            "Give it more before it is full: then events are refused and nothing is synced.",
        )  # fmt: skip


def _provisioning(status: InstallationStatus) -> Iterator[Alert]:
    if status.last_run is not None and PROVISIONING_WORKER not in _running(status):
        yield Alert(
            Level.WARNING,
            "no_provisioning_worker",
            "No provisioning worker is running: Canvas's rosters stay as they are.",
            "Start `passback provisioning-worker`.",
            "/provisioning",
        )
    for run in status.held_runs:
        yield Alert(
            Level.WARNING, "plan_held", f"A provisioning plan is held for approval: {run.scope}.",
            "Look at its rows; approve or discard it.", f"/provisioning/{run.id}", run.scope,
        )  # fmt: skip
    yield from _stuck_run(status)
    if status.last_run is not None and status.last_run.state is RunState.FAILED:
        yield Alert(
            Level.BAD, "provisioning_failed", "The last provisioning failed.",
            "See why; the next run starts anew.", f"/provisioning/{status.last_run.id}",
        )  # fmt: skip


def _stuck_run(status: InstallationStatus) -> Iterator[Alert]:
    """Yield the alert of a run that waits for something, or of rosters that no run has read for long."""
    run = status.last_run
    if run is None or {pause.target for pause in status.pauses} & {EVERYTHING, PROVISIONING}:
        return
    age = status.now - (run.finished_at or run.created_at)
    if run.state.is_open and run.waits_for and status.now - run.created_at > LONG_WAIT:
        yield Alert(
            Level.WARNING, "provisioning_waits", f"Provisioning waits for {describe(age)} ({run.waits_for}): "
            f"{Cause(run.waits_for).meaning}",
            Cause(run.waits_for).remedy, f"/provisioning/{run.id}",
        )  # fmt: skip
    elif not run.state.is_open and not status.held_runs and age > ROSTERS_STALE:
        yield Alert(
            Level.WARNING, "provisioning_stale", f"Provisioning last ran {describe(age)} ago.",
            "See PASSBACK_PROVISION_SCHEDULE, and whether beat runs.", "/provisioning",
        )  # fmt: skip


def _messages(status: InstallationStatus) -> Iterator[Alert]:
    """Yield one alert per target of notifications that does not take them."""
    for target in status.notifications.failing():
        yield Alert(
            Level.WARNING, "notify_failed", f"Nobody is told through {target.id}: {target.failure.sentence}",
            target.failure.remedy, about=target.id,
        )  # fmt: skip
    digest = status.teacher_digest
    if digest is not None and digest.is_failing:
        why = "Canvas does not give their addresses." if digest.last_failure is None else digest.last_failure.sentence
        yield Alert(
            Level.WARNING, "teachers_not_told", f"Teachers are not told what needs them: {why}",
            "See whether Canvas is well." if digest.last_failure is None else digest.last_failure.remedy,
        )  # fmt: skip


def _is_silent(status: InstallationStatus) -> bool:
    return status.last_event_at is None or status.now - status.last_event_at > SILENCE


def _is_held_up(status: InstallationStatus) -> bool:
    return bool(status.outages or status.long_waits or status.unavailable_queries or status.pauses)


def _running(status: InstallationStatus) -> set[str]:
    """Return the kinds of the processes that send heartbeats."""
    return {_kind(heartbeat.process) for heartbeat in status.processes if not heartbeat.is_stale}


def _kind(process: str) -> str:
    return process.partition("@")[0]
