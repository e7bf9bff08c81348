"""The chart of how long changes take to PowerSchool: sizes and positions for an SVG, without any style."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shared.domain.metrics import EVENT_BOUNDS_S, OVERFLOW_BOUND, HourlyLatency

HEIGHT, MARGIN_LEFT, MARGIN_RIGHT, MARGIN_BOTTOM, MARGIN_TOP = 170, 44, 8, 22, 8
LINES_S = (1, 10, 60, 600, 3600)
MAX_S = 2 * int(EVENT_BOUNDS_S[-1])


@dataclass(frozen=True, slots=True)
class Bar:
    """One hour: `middle` is at the bound that half of its changes met, `top` at the one that 95 of 100 met."""

    x: float
    width: float
    top: float
    middle: float
    hour: HourlyLatency
    half_s: int
    most_s: int


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
    """Return the chart of these hours, the present one last. The scale is logarithmic."""
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
    return Bar(round(x, 1), round(width, 1), _y(most), _y(half), hour, half, most)


def _y(seconds: int) -> float:
    share = math.log((seconds or MAX_S) + 1) / math.log(MAX_S + 1)
    return round(HEIGHT - MARGIN_BOTTOM - share * (HEIGHT - MARGIN_BOTTOM - MARGIN_TOP), 1)
