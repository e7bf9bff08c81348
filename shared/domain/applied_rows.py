"""The rows that were applied last, looked up by what they are about."""

from collections.abc import Iterable, Mapping

from shared.domain.sis_import import HEADERS, DataSet, DataSetKey, Entity, SisRow

MAX_TEXT_CHARS = 255
"""Longest name that Canvas stores, as canvas-lms limits its text columns; longer ones are row errors there."""

_PLACES = {(entity, name): place for entity, header in HEADERS.items() for place, name in enumerate(header)}


def value(entity: Entity, row: SisRow, column: str) -> str:
    """Return what a row has in a column."""
    return row.values[_PLACES[entity, column]]


def with_value(entity: Entity, row: SisRow, column: str, new: str) -> SisRow:
    """Return the row with another value in a column."""
    at = _PLACES[entity, column]
    return SisRow((*row.values[:at], new, *row.values[at + 1 :]), row.school_number, row.source)


def tidy(text: str) -> str:
    """Return the text in one line, without spaces at its ends."""
    return " ".join(text.split())


class Applied:
    """What Canvas was given last; empty before the first run."""

    def __init__(self, data_sets: Iterable[DataSet] = ()) -> None:
        self._sets: Mapping[DataSetKey, DataSet] = {data_set.key: data_set for data_set in data_sets}
        self._user_by_source = {row.source: row for row in self.rows(DataSetKey(Entity.USERS)) if row.source}
        sections = [(key.term_sis_id, row) for key in self.keys(Entity.SECTIONS) for row in self.rows(key)]
        self._course_of = {
            (term, value(Entity.SECTIONS, row, "section_id")): value(Entity.SECTIONS, row, "course_id")
            for term, row in sections
        }
        # Made when it is first asked for: a district has a million of them, and few are looked up.
        self._enrollments: Mapping[tuple[str, ...], SisRow] | None = None
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
        if self._enrollments is None:
            keys = self.keys(Entity.ENROLLMENTS)
            self._enrollments = {
                (key.term_sis_id, *row.key(Entity.ENROLLMENTS)): row for key in keys for row in self.rows(key)
            }
        return self._enrollments.get((term_sis_id, section_sis_id, user_sis_id, role))

    def section_source(self, section_sis_id: str) -> str | None:
        """Return the PowerSchool record that has a section's SIS id."""
        return self._section_sources.get(section_sis_id)
