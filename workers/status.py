"""How the whole installation is doing: what `passback status` and the API say."""

from datetime import timedelta

from shared.adapters.redis.remote_limits.remote_limiter import SystemRate, system_pauses, system_rates
from shared.domain.provisioning.run import RunKind
from shared.queues import Queue
from workers.container import Container
from workers.grade_passback.explain.response import pause_json
from workers.grade_passback.sync_metrics import REPAIRS

# What waits longer is a problem that somebody should know of.
TOO_LONG = timedelta(minutes=5)
SHOWN_COURSES = 20
SHOWN_RUNS = 20


def last_provisioning(service: Container) -> dict[str, object]:
    """Return the newest run that was no dry run, and the one that waits for a person, if there is one."""
    runs = (run for run in service.provision_runs.newest(SHOWN_RUNS) if run.kind is not RunKind.DRY_RUN)
    run, held = next(runs, None), service.provision_runs.held()
    last = {} if run is None else {"run_id": run.id, "state": run.state.value, "at": run.created_at.isoformat()}
    return {**last, "held": held.id if held else None}


def rates_of(service: Container) -> list[SystemRate]:
    """Return the rate at which all workers together call each system now, and the rate that the settings allow."""
    powerschool_interval = timedelta(milliseconds=service.settings.powerschool_min_interval_ms)
    return system_rates(service.redis, service.keys, {"powerschool": powerschool_interval})


def rate_json(rate: SystemRate) -> dict[str, object]:
    """Return the interval between two requests as it is now and as configured, in whole milliseconds."""
    now, configured = (round(interval / timedelta(milliseconds=1)) for interval in (rate.interval, rate.configured))
    return {"now": now, "configured": configured, "learnt": rate.is_learnt}


def installation_status(service: Container) -> dict[str, object]:
    """Return processes, queues, waiting courses, dead letters, repairs, the last event and what is not available.

    Asks Redis alone.
    """
    due, claimed, leased = service.changes.counts()
    last_event = service.changes.last_event_at()
    prefix = f"{service.settings.redis_prefix}:celery:"
    return {
        "processes": [
            {"process": b.process, "state": "gone" if b.is_stale else "alive", "age_s": round(b.age.total_seconds(), 1)}
            for b in service.heartbeats.all()
        ],
        "messages": service.changes.pending_messages(),
        "tasks": {queue.value: service.redis.llen(f"{prefix}{queue}") for queue in Queue},
        "courses": {"due": due, "woken": claimed, "syncing": leased, "connected": service.records.count()},
        "waiting": [
            {"course_id": w.course_id, "due_at": w.due_at.isoformat(), "changes": w.changes}
            for w in service.changes.waiting(SHOWN_COURSES)
        ],
        "unknown_changes": service.unknown_changes.count(),
        "dead_letters": service.dead_letter_queue.count(),
        "dead_letters_warning": service.dead_letter_queue.warning(),
        "paused": [pause_json(pause) for pause in service.pauses.all()],
        "unavailable_queries": [
            {
                "query": query.name,
                "cause": query.fault.value,
                "since": query.since.isoformat(),
                "remedy": query.fault.remedy,
            }
            for query in service.unavailable_queries.all()
        ],
        "long_waits": [
            {"course_id": w.course_id, "cause": w.cause, "since": w.since.isoformat()}
            for w in service.changes.long_waits(TOO_LONG)
        ],
        "repairs": {"assignments": 0, "scores": 0, **service.counters.read(REPAIRS)},
        "last_provisioning": last_provisioning(service),
        "held_provisioning": [
            {"run_id": run.id, "school_number": run.school_number} for run in service.provision_runs.held_runs()
        ],
        "last_event_at": last_event.isoformat() if last_event else None,
        "request_interval_ms": {rate.system: rate_json(rate) for rate in rates_of(service)},
        "paused_systems": {p.system: p.left.total_seconds() for p in system_pauses(service.redis, service.keys)},
    }
