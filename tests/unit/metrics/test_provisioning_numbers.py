"""What provisioning's runs look like in numbers."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from workers.metrics.provisioning import provisioning_samples

NOW = datetime(2031, 10, 6, 19, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Run:
    state: str
    ended: timedelta | None = None
    kind: str = "roster"
    created_at: datetime = NOW

    @property
    def finished_at(self) -> datetime | None:
        return None if self.ended is None else NOW - self.ended


@dataclass(frozen=True)
class Runs:
    runs: tuple[Run, ...] = ()
    waiting: Run | None = None

    def newest(self, limit: int) -> tuple[Run, ...]:
        return self.runs[:limit]

    def held_runs(self) -> list[Run]:
        return [self.waiting] if self.waiting else []


def told(runs: Runs) -> dict[tuple[str, ...], float]:
    return {(metric.name, *labels): value for metric, labels, value in provisioning_samples(runs, NOW)}


def test_runs_are_counted_by_what_became_of_them() -> None:
    """Dry runs and rollbacks are not provisioning's success or failure."""
    runs = (Run("done", HOUR), Run("failed", 2 * HOUR), Run("done", 3 * HOUR), Run("shown", HOUR, kind="dry_run"))
    assert told(Runs(runs)) == {
        ("passback_provisioning_runs", "done"): 2,
        ("passback_provisioning_runs", "failed"): 1,
        ("passback_provisioning_success_age_seconds",): 3600,
        ("passback_provisioning_held",): 0,
    }


def test_without_a_success_there_is_no_age() -> None:
    """A district that never provisioned is not late."""
    assert told(Runs()) == {("passback_provisioning_held",): 0}
    assert ("passback_provisioning_success_age_seconds",) not in told(Runs((Run("failed", HOUR),)))


def test_a_plan_that_waits_for_a_person_is_told() -> None:
    """As long as it waits."""
    assert told(Runs(waiting=Run("held")))["passback_provisioning_held",] == 1
