"""What provisioning's runs look like in numbers."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from workers.web.metrics.collector import provisioning_samples

NOW = datetime(2031, 10, 6, 19, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Run:
    state: str
    ended: timedelta | None = None
    kind: str = "roster"
    created_at: datetime = NOW
    school_number: int | None = None

    @property
    def finished_at(self) -> datetime | None:
        return None if self.ended is None else NOW - self.ended


@dataclass(frozen=True)
class Runs:
    runs: tuple[Run, ...] = ()
    waiting: tuple[Run, ...] = ()

    def newest(self, limit: int) -> tuple[Run, ...]:
        return self.runs[:limit]

    def held_runs(self) -> list[Run]:
        return list(self.waiting)


NOTHING_HELD = {("passback_provisioning_held", "district"): 0, ("passback_provisioning_held", "school"): 0}


def samples(runs: Runs) -> dict[tuple[str, ...], float]:
    return {(metric.name, *labels): value for metric, labels, value in provisioning_samples(runs, NOW)}


def test_runs_are_counted_by_what_became_of_them() -> None:
    """Dry runs and rollbacks are not provisioning's success or failure."""
    runs = (Run("done", HOUR), Run("failed", 2 * HOUR), Run("done", 3 * HOUR), Run("shown", HOUR, kind="dry_run"))
    assert samples(Runs(runs)) == {
        ("passback_provisioning_runs", "done"): 2,
        ("passback_provisioning_runs", "failed"): 1,
        ("passback_provisioning_success_age_seconds",): 3600,
        **NOTHING_HELD,
    }


def test_without_a_success_there_is_no_age() -> None:
    """A district that never provisioned is not late."""
    assert samples(Runs()) == NOTHING_HELD
    assert ("passback_provisioning_success_age_seconds",) not in samples(Runs((Run("failed", HOUR),)))


def test_a_plan_that_waits_for_a_person_is_told() -> None:
    """As long as it waits."""
    waiting = (Run("held"), Run("held", school_number=100), Run("held", school_number=0))
    held = {labels: count for labels, count in samples(Runs(waiting=waiting)).items() if labels in NOTHING_HELD}
    assert list(held.values()) == [1, 2]


def test_a_school_that_was_approved_is_no_success_of_the_district() -> None:
    """The others may have stopped days ago."""
    runs = (Run("done", HOUR, school_number=100), Run("done", 3 * HOUR))
    assert samples(Runs(runs))["passback_provisioning_success_age_seconds",] == 3 * 3600
