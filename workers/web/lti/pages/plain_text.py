"""What happens to a course, in words for a teacher: without codes, commands and names of processes."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

from shared.domain.passback.audit import PASSBACK, AuditEntry
from shared.domain.wording import counted
from workers.grade_passback.explain.activity import Activity
from workers.grade_passback.explain.response import Json

NOTHING_IS_LOST = "Changes are collected and go on by themselves; nothing is lost."
TELL_SOMEBODY = "If this lasts, tell whoever looks after passback in your district."
CANVAS_USER = "canvas-user:"

_NO_RESPONSE = ("_unavailable", "_timeout", "_error")
# What a reason or a sentence has in brackets for operators: the code of a cause, and ids of PowerSchool.
_CODES = re.compile(r" \((?:[a-z]+(?:_[a-z0-9]+)+|PowerSchool assignment section [^)]*)\)")
_TEXTS = frozenset({"message", "sentence"})


def outage_text(cause: str, name: str) -> str:
    """Return what is wrong with a system, as a clause to which the time since when can be added."""
    if cause.endswith("_throttled"):
        return f"{name} has asked passback to wait"
    return f"{name} has not answered" if cause.endswith(_NO_RESPONSE) else f"{name} has not let passback in"


def activity_text(activity: Mapping[str, Any], paused: Mapping[str, Any] | None, now: datetime, zone: tzinfo) -> str:
    """Return what the course does now, or waits for, in one or two sentences."""
    texts: Mapping[str, Callable[[], str]] = {
        Activity.SYNCING: lambda: "This course is being sent to PowerSchool now.",
        Activity.PAUSED: lambda: _paused(paused, now, zone),
        Activity.NO_WORKER: lambda: f"passback sends nothing at the moment. {NOTHING_IS_LOST} {TELL_SOMEBODY}",
        Activity.UNAVAILABLE: lambda: f"{_unavailable(activity['systems'], now, zone)}. {NOTHING_IS_LOST}",
        Activity.RATE_LIMITED: lambda: (
            f"Few changes are taken at a time now: this course has its turn. {NOTHING_IS_LOST}"
        ),
        Activity.RETRYING: lambda: _retrying(activity["next_attempt_at"], now, zone),
        Activity.DEFERRED: lambda: f"Changes wait until something is repaired. {NOTHING_IS_LOST} {TELL_SOMEBODY}",
        Activity.WAITING: lambda: _waiting(activity["changes"]),
    }
    is_idle = activity["state"] == Activity.IDLE
    # A course of which nothing waits is idle, whatever would keep its next change.
    return texts.get(Activity.PAUSED if is_idle and paused else activity["state"], lambda: "No change is on its way.")()


def _paused(paused: Mapping[str, Any] | None, now: datetime, zone: tzinfo) -> str:
    since = f" since {_time(paused['since'], now, zone)}" if paused else ""
    why = f" ({paused['reason']})" if paused and paused["reason"] else ""
    return f"Somebody in your district has paused this{since}{why}. It goes on when the pause ends; nothing is lost."


def _unavailable(systems: Sequence[Mapping[str, Any]], now: datetime, zone: tzinfo) -> str:
    return "; ".join(
        outage_text(each["cause"], each["name"])
        + (f" since {_time(each['since'], now, zone)}" if each["since"] else "")
        for each in systems
    )


def _retrying(next_attempt_at: str | None, now: datetime, zone: tzinfo) -> str:
    when = f" at {_time(next_attempt_at, now, zone)}" if next_attempt_at else ""
    return f"The last attempt did not go through. passback tries again by itself{when}; nothing is lost."


def _waiting(changes: int) -> str:
    if not changes:
        return "A sync begins within seconds."
    return f"{counted(changes, 'change')} {'goes' if changes == 1 else 'go'} to PowerSchool within seconds."


def without_codes(found: Json) -> Json:
    """Return an explanation or a preview whose sentences are without codes."""
    return {name: _plain(name, value) for name, value in found.items()}


def _plain(name: str, value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _plain(key, each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(name, each) for each in value]
    return _CODES.sub("", value) if name in _TEXTS and isinstance(value, str) else value


def asked_by(entry: AuditEntry, names: Mapping[str, str]) -> str:
    """Return who asked for a write: a teacher by name where the page has read it."""
    actor = entry.occasion.actor
    if actor == PASSBACK:
        return "passback by itself"
    people = [
        names.get(each.removeprefix(CANVAS_USER), "a teacher or administrator")
        if each.startswith(CANVAS_USER)
        else "somebody in your district"
        for each in actor.split(", ")
    ]
    return ", ".join(dict.fromkeys(people))


def _time(at: str, now: datetime, zone: tzinfo) -> str:
    return clock_time(datetime.fromisoformat(at), now, zone)


def clock_time(at: datetime, now: datetime, zone: tzinfo) -> str:
    """Return a time of the day, with the day where that is not today."""
    local = at.astimezone(zone)
    day = "" if local.date() == now.astimezone(zone).date() else f"{local:%B} {local.day}, "
    return f"{day}{local.hour}:{local:%M}"
