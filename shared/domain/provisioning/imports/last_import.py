"""The rows that were applied last, looked up by what they are about."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

from shared.domain.provisioning.rows.sis_rows import HEADERS, DataSet, DataSetKey, Entity, SisRow

MAX_TEXT_CHARS = 255
"""Longest name that Canvas stores, as canvas-lms limits its text columns; longer ones are row errors there."""

_KEYS = {(entity, name): index for entity, header in HEADERS.items() for index, name in enumerate(header)}


def value(entity: Entity, row: SisRow, column: str) -> str:
    """Return what a row has in a column."""
    return row.values[_KEYS[entity, column]]


def replace_value(entity: Entity, row: SisRow, column: str, new: str) -> SisRow:
    """Return the row with another value in a column."""
    at = _KEYS[entity, column]
    return SisRow((*row.values[:at], new, *row.values[at + 1 :]), row.school_number, row.source)


def normalize_whitespace(text: str) -> str:
    """Return the text in one line, without spaces at its ends."""
    return " ".join(text.split())


def with_shared_rows(data_set: DataSet, applied: Sequence[SisRow]) -> DataSet:
    """Return the data set with the applied rows themselves in place of their equals. Both are sorted."""
    rows: list[SisRow] = []
    earlier = iter(applied)
    was = next(earlier, None)
    for row in data_set.rows:
        while was is not None and was.values < row.values:
            was = next(earlier, None)
        rows.append(was if was is not None and was == row else row)
    return DataSet(data_set.key, tuple(rows))


def enrollment_in(rows: Sequence[SisRow], identity: tuple[str, ...]) -> SisRow | None:
    """Return the row of an enrollment among the sorted rows of a data set.

    Enrollments name no course, so that they are sorted by what identifies them: no index of hundreds of thousands is
    needed to find one.
    """
    at = bisect_left(rows, ("", *identity), key=lambda row: row.values)
    found = rows[at] if at < len(rows) else None
    return found if found is not None and found.key(Entity.ENROLLMENTS) == identity else None


class LastImport:
    """What Canvas was given last; empty before the first run."""

    def __init__(self, data_sets: Iterable[DataSet] = ()) -> None:
        self._sets: Mapping[DataSetKey, DataSet] = {data_set.key: data_set for data_set in data_sets}
        self._user_by_source = {row.source: row for row in self.rows(DataSetKey(Entity.USERS)) if row.source}
        sections = [(key.term_sis_id, row) for key in self.keys(Entity.SECTIONS) for row in self.rows(key)]
        self._course_of = {
            (term, value(Entity.SECTIONS, row, "section_id")): value(Entity.SECTIONS, row, "course_id")
            for term, row in sections
        }
        self._section_sources = {value(Entity.SECTIONS, row, "section_id"): row.source for _, row in sections}

    def rows(self, key: DataSetKey) -> tuple[SisRow, ...]:
        """Return the rows of a data set."""
        data_set = self._sets.get(key)
        return data_set.rows if data_set else ()

    def keys(self, entity: Entity) -> tuple[DataSetKey, ...]:
        """Return the keys of an entity's data sets, sorted."""
        return tuple(sorted(key for key in self._sets if key.entity is entity))

    def user(self, source: str) -> SisRow | None:
        """Return the user's row that came from a PowerSchool record."""
        return self._user_by_source.get(source)

    def course_of(self, term_sis_id: str, section_sis_id: str) -> str | None:
        """Return the SIS id of the course in which a section is, None if it is in none of this term."""
        return self._course_of.get((term_sis_id, section_sis_id))

    def enrollment(self, term_sis_id: str, section_sis_id: str, user_sis_id: str, role: str) -> SisRow | None:
        """Return the row of an enrollment."""
        rows = self.rows(DataSetKey(Entity.ENROLLMENTS, term_sis_id))
        return enrollment_in(rows, (section_sis_id, user_sis_id, role))

    def section_source(self, section_sis_id: str) -> str | None:
        """Return the PowerSchool record that has a section's SIS id."""
        return self._section_sources.get(section_sis_id)
