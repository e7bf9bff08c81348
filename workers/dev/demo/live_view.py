"""What the demo shows while it runs, on a terminal: the scenes so far, and what has moved between the systems."""

import time
from dataclasses import dataclass, field

from redis.exceptions import RedisError
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from shared.domain.wording import counted
from workers.container import Container
from workers.dev.demo.client import DemoClient

# Each look asks both sandboxes and Redis.
POLL_INTERVAL_S = 0.4


@dataclass
class LiveView:
    """The state of the demo as rich shows it. `look` reads the counts; `scenes` are the times and texts so far."""

    started: float
    scenes: list[tuple[float, str]] = field(default_factory=list)
    grades: int = 0
    events: int = 0
    scores: int = 0
    courses: int = 0
    _polled_at: float = 0.0

    def refresh(self, client: DemoClient, service: Container) -> None:
        """Read what both systems and the queue hold now; at most a few times a second."""
        now = time.monotonic()
        if now - self._polled_at < POLL_INTERVAL_S:
            return
        self._polled_at = now
        self.grades, self.events = len(client.timestamps), client.events()
        self.scores = sum(len(each) for write in client.writes() if isinstance(each := write["students"], list))
        try:
            self.courses = sum(service.changes.counts())
        except RedisError:
            return

    def __rich__(self) -> RenderableType:
        """Return the scenes, the last one marked as what happens now, and the counts."""
        lines = Table.grid(padding=(0, 1))
        lines.add_column(justify="right", width=7)
        lines.add_column(width=1)
        lines.add_column(no_wrap=True, overflow="ellipsis")
        for number, (at, text) in enumerate(self.scenes, start=1):
            is_now = number == len(self.scenes)
            lines.add_row(f"{at:.1f} s", ">" if is_now else "", text, style="bold" if is_now else "dim")
        counts = Table.grid(padding=(0, 2))
        for name, value in (
            ("Canvas", f"{self.grades} grades entered, {self.events} Live Events sent"),
            ("passback", f"{counted(self.courses, 'course')} waiting or syncing"),
            ("PowerSchool", f"{self.scores} scores written"),
        ):
            counts.add_row(name, value)
        title = Text(f"passback demo: a school day on sandboxes, {time.monotonic() - self.started:.0f} s", style="bold")
        return Group(title, "", lines, "", counts)
