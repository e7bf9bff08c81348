"""Rows that give somebody something, and how many of them each school lost.

A row is live while it does: an active user or enrollment, a course that is not concluded.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final, NamedTuple

from shared.domain.provisioning.rows.enrollments import MOVED
from shared.domain.provisioning.rows.sis_rows import DataSet, DataSetKey, Entity, SisRow, enrollment_in, value

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


CLASSES = (Entity.COURSES, Entity.SECTIONS, Entity.ENROLLMENTS)
LIVE = frozenset({"active", "published"})
Identity = tuple[str, ...]


class LiveRow(NamedTuple):
    """A live row with its entity and term."""

    entity: Entity
    term: str
    row: SisRow

    @property
    def identity(self) -> Identity:
        """Return what identifies the row in Canvas."""
        return self.row.key(self.entity)


class LiveIndex:
    """The live rows of a plan: counts, schools, users, and whether a row is live. Enrollments are not indexed."""

    def __init__(self, data_sets: Collection[DataSet]) -> None:
        self.counts: dict[DataSetKey, dict[int, int]] = {}
        self.schools: set[int] = set()
        self.users: dict[Identity, SisRow] = {}
        self.identities: dict[Entity, dict[str, Identity]] = {Entity.SECTIONS: {}, Entity.USERS: {}}
        self._others: set[tuple[Entity, Identity]] = set()
        for c in LiveRows(data_sets):
            self._add(c)
        self._enrollments = {s.key.term_sis_id: s.rows for s in data_sets if s.key.entity is Entity.ENROLLMENTS}
        self._terms = _terms_of_sections(self._enrollments)
        enrollments = (row for rows in self._enrollments.values() for row in rows)
        self._transferred = {
            row.key(Entity.ENROLLMENTS) for row in enrollments if value(Entity.ENROLLMENTS, row, "status") == MOVED
        }

    def _add(self, c: LiveRow) -> None:
        schools = self.counts.setdefault(DataSetKey(c.entity, c.term), {})
        schools[c.row.school_number] = schools.get(c.row.school_number, 0) + 1
        if c.entity in CLASSES:
            self.schools.add(c.row.school_number)
        if c.entity is Entity.USERS:
            self.users[c.identity] = c.row
        if c.entity in self.identities and c.row.source:
            self.identities[c.entity][c.row.source] = c.identity
        if c.entity is not Entity.ENROLLMENTS:
            self._others.add((c.entity, c.identity))

    def has(self, c: LiveRow) -> bool:
        """Say whether the row is live in the plan, or moved to another section."""
        if c.entity is not Entity.ENROLLMENTS:
            return (c.entity, c.identity) in self._others
        identity = c.identity
        found = (enrollment_in(self._enrollments[term], identity) for term in self._terms.get(identity[0], ()))
        is_live = any(row is not None and value(Entity.ENROLLMENTS, row, "status") in LIVE for row in found)
        return is_live or identity in self._transferred


def _terms_of_sections(enrollments: Mapping[str, Iterable[SisRow]]) -> dict[str, list[str]]:
    """Return the terms in whose data sets a section has enrollments."""
    terms: dict[str, list[str]] = {}
    for term, rows in enrollments.items():
        for section, _ in groupby(rows, key=lambda row: value(Entity.ENROLLMENTS, row, "section_id")):
            terms.setdefault(section, []).append(term)
    return terms


def live_counts(data_sets: Iterable[DataSet]) -> Mapping[DataSetKey, Mapping[int, int]]:
    """Return how many rows of each data set are live, by school number."""
    counts: dict[DataSetKey, dict[int, int]] = {}
    for c in LiveRows(tuple(data_sets)):
        schools = counts.setdefault(DataSetKey(c.entity, c.term), {})
        schools[c.row.school_number] = schools.get(c.row.school_number, 0) + 1
    return counts


class LiveRows:
    """The live rows, each once, made again for each iteration: a list of them would take more memory than the rows.

    A section is not live once its course is concluded.
    """

    def __init__(self, data_sets: Collection[DataSet]) -> None:
        self._data_sets = data_sets
        self._concluded = {
            row.key(Entity.COURSES)[0]
            for s in data_sets
            if s.key.entity is Entity.COURSES
            for row in s.rows
            if value(Entity.COURSES, row, "status") == "completed"
        }
        enrollments = {s.key.term_sis_id: s.rows for s in data_sets if s.key.entity is Entity.ENROLLMENTS}
        self._in_several = {
            section for section, in_terms in _terms_of_sections(enrollments).items() if len(in_terms) > 1
        }

    def __iter__(self) -> Iterator[LiveRow]:
        return self.of(*(entity for entity in Entity if entity is not Entity.TERMS))

    def of(self, *entities: Entity) -> Iterator[LiveRow]:
        """Yield the rows of these kinds."""
        seen: set[tuple[Entity, Identity]] = set()
        for s in self._data_sets:
            entity = s.key.entity
            for row in s.rows if entity in entities else ():
                is_over = entity is Entity.SECTIONS and value(entity, row, "course_id") in self._concluded
                if is_over or value(entity, row, "status") not in LIVE:
                    continue
                # Of enrollments only those of sections that are in several terms can come twice.
                if entity is not Entity.ENROLLMENTS or value(entity, row, "section_id") in self._in_several:
                    at = (entity, row.key(entity))
                    if at in seen:
                        continue
                    seen.add(at)
                yield LiveRow(entity, s.key.term_sis_id, row)
