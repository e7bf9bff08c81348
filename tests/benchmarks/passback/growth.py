"""growth: what a window costs, by changed courses, by events within the window, and by idle courses; with a plot.

Linear in the first and flat in the other two is what a folded, state-based sync promises. The twin publishes a task and
sends a score for each event of the window, and what its worker costs is not counted. The limit is a window that has one
event for each course.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from tests.benchmarks.outcome import Mark, Result
from tests.benchmarks.passback.per_event import published_and_put
from tests.benchmarks.rig.in_process import Rig, cpu_of, rig
from tests.benchmarks.rig.remote import FIRST_COURSE

STUDENTS, ASSIGNMENTS = 10, 5
Points = dict[int, float]


def run(most: int = 10_000, plot: Path | None = None) -> Result:
    """Measure all three; `most` courses at the most. Writes the plot where it is wanted."""
    sizes = [size for size in (100, 300, 1_000, 3_000, 10_000) if size <= most] or [most]
    with rig(STUDENTS, ASSIGNMENTS) as bench:
        changed = {size: _window(bench, size, size) for size in sizes}
        few = min(100, sizes[0])
        events = {count: _window(bench, few, count) for count in (few, few * 10, few * 100)}
        twin = {count: _twin(bench, count) for count in events}
        idle = {}
        for size in sizes:
            with bench.service.redis.pipeline(transaction=False) as pipeline:
                for number in range(size):
                    pipeline.zadd(bench.service.keys.courses, {str(5_000_000 + number): 4e12})
                pipeline.execute()
            idle[size] = _window(bench, few, few)
    most_events = max(events)
    beside = {
        f"twin / ours, {most_events:,} events: {what}": theirs / ours
        for what, theirs, ours in zip(("CPU", "requests"), twin[most_events], events[most_events], strict=True)
    }
    series = {"changed courses": changed, "events in the window": events, "idle courses": idle}
    if plot is not None:
        plot.write_text(svg({name: {n: cost[0] for n, cost in points.items()} for name, points in series.items()}))
    figures = {
        f"{name} {count:,}: {what}": value
        for name, points in {**series, "twin, events in the window": twin}.items()
        for count, cost in points.items()
        for what, value in zip(("CPU ms", "requests"), cost, strict=True)
    }
    slope = _slope({n: cost[0] for n, cost in changed.items()}) if len(changed) > 1 else 1.0
    flat = [max(c[1] for c in p.values()) / min(c[1] for c in p.values()) for p in (events, idle)]
    figures |= {"exponent of CPU in changed courses": slope, **beside}
    marks = (
        Mark("exponent of CPU in changed courses", slope, 1.1, at_most=True),
        Mark("requests, most events / fewest", flat[0], 1, at_most=True),
        Mark("requests, most idle courses / fewest", flat[1], 1, at_most=True),
    )
    return Result("growth", figures, marks)


def _window(bench: Rig, courses: int, events: int) -> tuple[float, float]:
    """Return the CPU milliseconds and the requests of one window with so many events in so many courses."""
    bench.clock.advance(timedelta(hours=13))
    bench.send((bench.clock.now(), bench.change(FIRST_COURSE + n % courses)) for n in range(courses))
    bench.aggregate()
    bench.clock.advance(timedelta(seconds=60))
    bench.sync_due()
    bench.clock.advance(timedelta(seconds=60))
    bench.remote.requests.clear()
    bench.send((bench.clock.now(), bench.change(FIRST_COURSE + n % courses)) for n in range(events))
    synced: list[str] = []

    def window() -> None:
        bench.aggregate()
        bench.clock.advance(timedelta(seconds=60))
        synced.extend(bench.sync_due())

    cpu_s = cpu_of(window, bench.remote)
    assert len(synced) == courses
    return cpu_s * 1000, float(bench.remote.requests.total())


def _twin(bench: Rig, events: int) -> tuple[float, float]:
    """Return the same of a task and a score request for each event."""
    bench.remote.requests.clear()
    cpu_s = published_and_put(bench, events)
    return cpu_s * 1000, float(bench.remote.requests.total())


def _slope(points: Points) -> float:
    """Return the exponent of growth: the slope of a straight line through the logarithms."""
    logs = [(math.log(n), math.log(value)) for n, value in points.items()]
    mean_x, mean_y = (sum(axis) / len(logs) for axis in zip(*logs, strict=True))
    return sum((x - mean_x) * (y - mean_y) for x, y in logs) / sum((x - mean_x) ** 2 for x, _ in logs)


WIDTH, HEIGHT, MARGIN = 640, 400, 60
FONT = 'font-family="sans-serif" font-size="12"'
COLOURS = ("#1f6feb", "#bf5700", "#2da44e")


def svg(series: Mapping[str, Points]) -> str:
    """Return the series as a plot with logarithmic axes, CPU milliseconds over counts."""
    xs = [n for points in series.values() for n in points]
    ys = [value for points in series.values() for value in points.values()]
    across, up = _axis(xs, MARGIN, WIDTH - 20), _axis(ys, HEIGHT - MARGIN, 20)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {FONT}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        *(_tick_x(10**power, across) for power in _powers(xs)),
        *(_tick_y(10**power, up) for power in _powers(ys)),
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 15}" text-anchor="middle">courses, or events (logarithmic)</text>',
        f'<text x="14" y="{HEIGHT / 2}" transform="rotate(-90 14 {HEIGHT / 2})">CPU ms a window</text>',
    ]
    for (name, points), colour, place in zip(series.items(), COLOURS, range(3), strict=True):
        line = " ".join(f"{across(n):.1f},{up(value):.1f}" for n, value in sorted(points.items()))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{across(n):.1f}" cy="{up(v):.1f}" r="3" fill="{colour}"/>' for n, v in sorted(points.items())
        ]
        parts.append(f'<text x="{MARGIN + 15}" y="{35 + place * 18}" fill="{colour}">by {name}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _powers(values: Sequence[float]) -> range:
    return range(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))) + 1)


def _axis(values: Sequence[float], first: float, last: float):  # type: ignore[no-untyped-def]
    low, high = _powers(values)[0], _powers(values)[-1]
    return lambda value: first + (math.log10(value) - low) / max(high - low, 1) * (last - first)


def _tick_x(value: float, across) -> str:  # type: ignore[no-untyped-def]
    x = across(value)
    return (
        f'<line x1="{x:.1f}" y1="20" x2="{x:.1f}" y2="{HEIGHT - MARGIN}" stroke="#ddd"/>'
        f'<text x="{x:.1f}" y="{HEIGHT - MARGIN + 18}" text-anchor="middle">{value:,}</text>'
    )


def _tick_y(value: float, up) -> str:  # type: ignore[no-untyped-def]
    y = up(value)
    return (
        f'<line x1="{MARGIN}" y1="{y:.1f}" x2="{WIDTH - 20}" y2="{y:.1f}" stroke="#ddd"/>'
        f'<text x="{MARGIN - 6}" y="{y + 4:.1f}" text-anchor="end">{value:,}</text>'
    )
