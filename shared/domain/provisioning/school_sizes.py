"""Compares the live rows of each school with those after earlier runs, to find a loss in small steps.

A row is live while it gives somebody something: an active user or enrollment, a course that is not concluded.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.domain.provisioning.rows.sis_rows import DataSetKey, Entity

WINDOWS: Final = {"a day": timedelta(days=1), "a week": timedelta(days=7)}
SchoolEntity = tuple[Entity, int]


@dataclass(frozen=True, slots=True)
class LiveCounts:
    """The live rows of each data set by school number, as they were applied at a time."""

    at: datetime
    rows: Mapping[DataSetKey, Mapping[int, int]]

    def has(self, school: int) -> bool:
        """Say whether anything is known of the school."""
        return any(school in schools for schools in self.rows.values())

    def without(self, schools: Collection[int]) -> "LiveCounts":
        """Return the counts without those of some schools."""
        others = {key: {s: n for s, n in counts.items() if s not in schools} for key, counts in self.rows.items()}
        return LiveCounts(self.at, others)


@dataclass(frozen=True, slots=True)
class LiveHistory:
    """What was live after earlier runs, as seen at a time."""

    now: datetime
    counts: tuple[LiveCounts, ...]


def losses(
    history: LiveHistory, now_live: Mapping[DataSetKey, Mapping[int, int]], ended_terms: Collection[str]
) -> Iterator[tuple[SchoolEntity, str, int, int]]:
    """Yield what has fewer live rows than a day or a week ago: (entity, school), the window, the rows then and now.

    Of a school the newest counts from before the window are taken, else the oldest that there are. Terms that ended
    meanwhile take their rows with them, which is no loss. Each entity and school comes once, with its greatest loss.
    """
    worst: dict[SchoolEntity, tuple[str, int, int]] = {}
    for school in sorted({s for counts in history.counts for schools in counts.rows.values() for s in schools}):
        known = sorted((counts for counts in history.counts if counts.has(school)), key=lambda counts: counts.at)
        for window, length in WINDOWS.items():
            base = next((c for c in reversed(known) if c.at <= history.now - length), known[0])
            then = _by_entity(base.rows, school, ended_terms)
            live = _by_entity(now_live, school, ended_terms, base.rows)
            for entity, total in then.items():
                at = (entity, school)
                lost = total - live.get(entity, 0)
                if lost > 0 and (at not in worst or lost > worst[at][1] - worst[at][2]):
                    worst[at] = (window, total, live.get(entity, 0))
    for at, (window, total, remaining) in sorted(worst.items()):
        yield at, window, total, remaining


def _by_entity(
    rows: Mapping[DataSetKey, Mapping[int, int]],
    school: int,
    ended: Collection[str],
    among: Collection[DataSetKey] | None = None,
) -> dict[Entity, int]:
    """Return the school's rows by entity, of terms that have not ended; of the keys in `among` alone, if given."""
    counts: dict[Entity, int] = {}
    for key, schools in rows.items():
        if key.term_sis_id not in ended and (among is None or key in among):
            counts[key.entity] = counts.get(key.entity, 0) + schools.get(school, 0)
    return counts
