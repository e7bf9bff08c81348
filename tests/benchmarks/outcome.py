"""The result of a benchmark: figures, and marks for them; printed, stored as JSON, compared."""

import json
import os
import platform
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from shared.clock import SystemClock

RUNS = Path(__file__).with_name("runs")
PACKAGES = ("celery", "redis", "httpx", "pydantic", "msgspec", "uvicorn")


@dataclass(frozen=True)
class Mark:
    """A figure and the bound it is held to: at least or at most."""

    name: str
    value: float
    bound: float
    at_most: bool = False

    @property
    def is_met(self) -> bool:
        """Say whether the figure keeps the bound."""
        return self.value <= self.bound if self.at_most else self.value >= self.bound

    def __str__(self) -> str:
        side = "at most" if self.at_most else "at least"
        return f"{'met' if self.is_met else 'MISSED':7}{self.name}: {plain(self.value)} ({side} {plain(self.bound)})"


@dataclass(frozen=True)
class Result:
    """The figures of one benchmark by name, with their units in the names, and its marks."""

    name: str
    figures: Mapping[str, float]
    marks: Sequence[Mark] = ()


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median of every figure over the rounds. Ratios are figures of a round, so that noise falls on both."""
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


def machine() -> dict[str, Any]:
    """Return what the figures depend on: processor, versions, and how busy the machine was before."""
    processor = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), ""
    )
    return {
        "date": SystemClock().now().date().isoformat(),
        "processor": processor or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_average": [round(load, 1) for load in os.getloadavg()],
        "packages": {name: version(name) for name in PACKAGES},
    }


def report(results: Iterable[Result], earlier: Mapping[str, Any] | None) -> str:
    """Return the table of figures, with those of an earlier run beside them, and the marks."""
    lines = []
    for result in results:
        lines.append(f"\n{result.name}")
        before = (earlier or {}).get(result.name, {}).get("figures", {})
        for name, value in result.figures.items():
            was = f"  was {plain(before[name])} (x {value / before[name]:.2f})" if before.get(name) else ""
            lines.append(f"  {name:58}{plain(value):>12}{was}")
        lines += [f"  {mark}" for mark in result.marks]
    return "\n".join(lines)


def as_json(results: Iterable[Result], described: Mapping[str, Any]) -> str:
    """Return everything, as `--compare` reads it."""
    found = {result.name: asdict(result) for result in results}
    return json.dumps({"machine": described, "results": found}, indent=2) + "\n"


def read(path: Path) -> Mapping[str, Any]:
    """Return an earlier run: its `machine`, and its `results` by benchmark."""
    earlier: Mapping[str, Any] = json.loads(path.read_text())
    return earlier


def stored_as(described: Mapping[str, Any], runs: Path = RUNS) -> Path:
    """Return the file in which a run of today on this machine is stored: `<date>-<machine>.json`."""
    runs.mkdir(exist_ok=True)
    words = re.findall(r"[a-z0-9]+", f"{described['processor']} {described['cores']} cores".lower())
    return runs / f"{described['date']}-{'-'.join(words)}.json"


def newest(runs: Path = RUNS) -> Path:
    """Return the stored run with the latest date in its name."""
    stored = sorted(runs.glob("*.json"))
    if not stored:
        raise SystemExit(f"no run is stored in {runs}: name a file, or store one with --store")
    return stored[-1]


def lines_of(machine: Mapping[str, Any]) -> str:
    """Return a machine's description, a line each."""
    return "\n".join(f"{name}: {value}" for name, value in machine.items())


def plain(value: float) -> str:
    """Return three figures that say something, without an exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []
