"""The Overview with its chart, the log of actions, the pauses, and the installations in Canvas."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from shared.domain.actions import EVERYTHING, MAX_REASON_CHARS, PROVISIONING
from shared.domain.metrics import EVENT_BOUNDS_S, OVERFLOW_BOUND, HourlyLatency
from shared.domain.wording import counted
from workers.alerts import alerts
from workers.status import read_status
from workers.web.api.installation import TARGET
from workers.web.errors import ApiError
from workers.web.pages.page_handlers import PageRequest, Values
from workers.web.pages.rendering import target_text
from workers.web.views.operator_actions import refuse_without_reason

ACTIONS_LIMIT = 200
CANVAS = "/canvas"
UNKNOWN_CLIENT = (404, "client_unknown", "There is no registration of this client id (any more).")

HEIGHT, MARGIN_LEFT, MARGIN_RIGHT, MARGIN_BOTTOM, MARGIN_TOP = 170, 44, 8, 22, 8
LINES_S = (1, 10, 60, 600, 3600)
MAX_S = 2 * int(EVENT_BOUNDS_S[-1])


def show_overview(request: PageRequest) -> Values:
    """Alerts, numbers, pauses and processes of the installation."""
    status = read_status(request.service)
    targets = {pause.target for pause in status.pauses}
    pausable = [target for target in (EVERYTHING, PROVISIONING) if target not in targets]
    wide, narrow = chart(status.hours, 800), chart(status.hours[-8:], 320)
    return {"status": status, "alerts": alerts(status), "pausable": pausable, "wide": wide, "narrow": narrow}


def show_pulse(_request: PageRequest) -> Values:
    """Header and notes only, for pages that do not follow what they show."""
    return {}


def list_actions(request: PageRequest) -> Values:
    """The newest operator actions."""
    return {"actions": request.service.actions.newest(ACTIONS_LIMIT)}


def confirm_pause(request: PageRequest) -> Values:
    """What a pause of everything, of provisioning or of a course stops, before it begins."""
    target, reason = _target(request.field("target")), _reason(request.field("reason"))
    refuse_without_reason(target, reason)
    connected = request.service.records.count()
    courses = f"{counted(connected, 'course')} {'is' if connected == 1 else 'are'} connected"
    stops = {
        EVERYTHING: f"{courses}: no grade of them reaches PowerSchool, and no roster reaches Canvas.",
        PROVISIONING: "No run starts and no approved plan is applied: Canvas's rosters stay as they are.",
    }
    consequences = [
        stops.get(target, f"No grade of {target_text(target)} reaches PowerSchool."),
        "This lasts until somebody resumes. Changes are collected meanwhile, and none is lost.",
        f"Others read this reason: {reason}" if reason else "Others read no reason.",
    ]
    return {
        "title": f"Pause {target_text(target)}", "consequences": consequences, "action": "/pause",
        "fields": {"target": target, "reason": reason}, "back": _page_of(target), "is_danger": True,
    }  # fmt: skip


def pause(request: PageRequest) -> str:
    """Pause everything, provisioning or a course."""
    target = _target(request.field("target"))
    request.actions.pause(target, _reason(request.field("reason")))
    return _page_of(target)


def resume(request: PageRequest) -> str:
    """Resume a pause."""
    target = _target(request.field("target"))
    request.actions.resume(target)
    return _page_of(target)


def _reason(given: str) -> str:
    return given.strip()[:MAX_REASON_CHARS]


def _target(target: str) -> str:
    if not re.fullmatch(TARGET, target):
        raise ApiError(422, "not_valid", "This is nothing that can be paused.")
    return target


def _page_of(target: str) -> str:
    kind, _, course_id = target.partition(":")
    return f"/courses/{course_id}" if kind == "course" else "/#pauses"


def show_installations(request: PageRequest) -> Values:
    """The registrations and deployments of the page inside Canvas."""
    lti, settings = request.service.lti, request.service.settings
    return {
        "registrations": lti.registrations(), "deployments": lti.deployments(), "client_id": settings.lti_client_id,
        "missing": settings.missing_for_lti(),
    }  # fmt: skip


def confirm_registration(request: PageRequest) -> str:
    """Accept launches of a registration."""
    if not request.actions.confirm_registration(request.field("client_id")):
        raise ApiError(*UNKNOWN_CLIENT)
    return f"{CANVAS}?done=confirm"


def confirm_removal(request: PageRequest) -> Values:
    """What happens without a registration, before it is removed."""
    client_id = request.field("client_id")
    if all(each.client_id != client_id for each in request.service.lti.registrations()):
        raise ApiError(*UNKNOWN_CLIENT)
    consequences = [
        "Nobody gets into passback with this installation any more.",
        "In Canvas the link stays, until an administrator removes it there.",
    ]
    return {
        "title": f"Remove client {client_id}", "consequences": consequences, "action": f"{CANVAS}/remove",
        "fields": {"client_id": client_id}, "back": CANVAS, "is_danger": True,
    }  # fmt: skip


def remove_registration(request: PageRequest) -> str:
    """Accept no launch of a registration any more."""
    if not request.actions.remove_registration(request.field("client_id")):
        raise ApiError(*UNKNOWN_CLIENT)
    return f"{CANVAS}?done=remove"


@dataclass(frozen=True, slots=True)
class Bar:
    """One hour: `middle` is at the bound that half of its changes met, `top` at the one that 95 of 100 met."""

    x: float
    width: float
    top: float
    middle: float
    hour: HourlyLatency
    half_text: str
    most_text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars, lines (y and label) and labelled hours (x) in a box of `width` times `height`."""

    bars: tuple[Bar, ...]
    lines: tuple[tuple[float, str], ...]
    hours: tuple[tuple[float, HourlyLatency], ...]
    width: int
    height: int = HEIGHT
    left: int = MARGIN_LEFT
    floor: int = HEIGHT - MARGIN_BOTTOM


def chart(hours: Sequence[HourlyLatency], width: int) -> Chart:
    """Return how long changes took to PowerSchool in these hours, the present one last. The scale is logarithmic."""
    step = (width - MARGIN_LEFT - MARGIN_RIGHT) / max(1, len(hours))
    columns = [(MARGIN_LEFT + number * step, hour) for number, hour in enumerate(hours)]
    return Chart(
        bars=tuple(bar for x, hour in columns if (bar := _bar(x + step * 0.15, step * 0.7, hour)) is not None),
        lines=tuple((_y(seconds), duration(seconds)) for seconds in LINES_S),
        hours=tuple(
            (x + step / 2, hour) for number, (x, hour) in enumerate(columns) if (len(hours) - 1 - number) % 3 == 0
        ),
        width=width,
    )


def duration(seconds: int) -> str:
    """Return a bound in a few characters."""
    if seconds == OVERFLOW_BOUND:
        return f"over {duration(int(EVENT_BOUNDS_S[-1]))}"
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _bar(x: float, width: float, hour: HourlyLatency) -> Bar | None:
    half, most = hour.bound_for(0.5), hour.bound_for(0.95)
    if half is None or most is None:
        return None
    return Bar(round(x, 1), round(width, 1), _y(most), _y(half), hour, duration(half), duration(most))


def _y(seconds: int) -> float:
    share = math.log((seconds or MAX_S) + 1) / math.log(MAX_S + 1)
    return round(HEIGHT - MARGIN_BOTTOM - share * (HEIGHT - MARGIN_BOTTOM - MARGIN_TOP), 1)
