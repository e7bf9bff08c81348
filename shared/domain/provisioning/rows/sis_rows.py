"""Rows of Canvas's CSV files, grouped into data sets: looked up, and compared row by row.

Source: Canvas "SIS Import Format" (columns, statuses, sticky fields) and "SIS Imports API" (diffing).
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Entity(StrEnum):
    """A kind of row, and the name of its CSV file. Defined in the order in which Canvas needs them.

    Rows of `change_sis_id.csv` say what becomes of others; nothing of them stays in Canvas.
    """

    SIS_ID_CHANGES = "change_sis_id"
    TERMS = "terms"
    COURSES = "courses"
    SECTIONS = "sections"
    USERS = "users"
    ENROLLMENTS = "enrollments"


HEADERS: Mapping[Entity, tuple[str, ...]] = {
    Entity.SIS_ID_CHANGES: ("old_id", "new_id", "type"),
    Entity.TERMS: ("term_id", "name", "status", "start_date", "end_date"),
    Entity.COURSES: ("course_id", "short_name", "long_name", "account_id", "term_id", "status"),
    Entity.SECTIONS: ("section_id", "course_id", "name", "status"),
    Entity.USERS: ("user_id", "login_id", "first_name", "last_name", "email", "declared_user_type", "status"),
    Entity.ENROLLMENTS: ("course_id", "section_id", "user_id", "role", "status"),
}
KEY_COLUMNS: Mapping[Entity, tuple[str, ...]] = {
    Entity.SIS_ID_CHANGES: ("old_id",),
    Entity.TERMS: ("term_id",),
    Entity.COURSES: ("course_id",),
    Entity.SECTIONS: ("section_id",),
    Entity.USERS: ("user_id",),
    Entity.ENROLLMENTS: ("section_id", "user_id", "role"),
}
_KEY_INDEXES = {entity: [HEADERS[entity].index(name) for name in names] for entity, names in KEY_COLUMNS.items()}


@dataclass(frozen=True, slots=True, order=True)
class DataSetKey:
    """Which rows belong together: those of an entity, and of a term where it has terms (its Canvas SIS id)."""

    entity: Entity
    term_sis_id: str = ""

    @property
    def sort_key(self) -> tuple[int, str]:
        """Where it stands in the order in which Canvas needs data sets: terms first, enrollments last."""
        return (list(Entity).index(self.entity), self.term_sis_id)


USERS = DataSetKey(Entity.USERS)


@dataclass(frozen=True, slots=True, order=True)
class SisRow:
    """One row of a CSV file: a value per column of its entity's header.

    `school_number` is the school it counts for, 0 for none in particular; `source` names the PowerSchool record it came
    from, such as `SECTIONS.DCID 80001`, for the person who has to mend it.
    """

    values: tuple[str, ...]
    school_number: int = 0
    source: str = ""

    def key(self, entity: Entity) -> tuple[str, ...]:
        """Return what identifies the row in Canvas."""
        return tuple([self.values[index] for index in _KEY_INDEXES[entity]])


def in_order(rows: Iterable[SisRow]) -> tuple[SisRow, ...]:
    """Return the rows sorted, as they compare; a district has a million of them."""
    return tuple(sorted(rows, key=lambda row: (row.values, row.school_number, row.source)))


@dataclass(frozen=True, slots=True)
class DataSet:
    """The rows that Canvas should hold of one key, sorted, nothing twice."""

    key: DataSetKey
    rows: tuple[SisRow, ...]


MAX_TEXT_CHARS = 255
"""Longest name that Canvas stores, as canvas-lms limits its text columns; longer ones are row errors there."""
_KEYS = {(entity, name): index for entity, header in HEADERS.items() for index, name in enumerate(header)}


def value(entity: Entity, row: SisRow, column: str) -> str:
    """Return what a row has in a column."""
    return row.values[_KEYS[entity, column]]


def login_of(row: SisRow) -> str:
    """Return a row's login as Canvas compares it."""
    return value(Entity.USERS, row, "login_id").casefold()


def user_id_of(row: SisRow) -> str:
    """Return the SIS id of a row of users.csv."""
    return value(Entity.USERS, row, "user_id")


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
        self._user_by_source = {row.source: row for row in self.rows(USERS) if row.source}
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


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A row that differs: `before` is None where it is new, `after` where it is gone."""

    before: SisRow | None
    after: SisRow | None

    @property
    def kind(self) -> str:
        """Return `added`, `removed` or `changed`."""
        if self.before is None:
            return "added"
        return "changed" if self.after is not None else "removed"

    @property
    def source(self) -> str:
        """Return the PowerSchool record that the row comes from; empty where none is stored."""
        row = self.after or self.before
        return row.source if row else ""


def row_changes(before: DataSet | None, after: DataSet) -> list[ChangedRow]:
    """Return the rows that differ, sorted: new ones first, then changed ones, then those that are gone.

    All is new where there was nothing. Source and school are not compared.
    """
    entity = after.key.entity
    old = {row.key(entity): row for row in (before.rows if before else ())}
    new = {row.key(entity): row for row in after.rows}
    common = ((old[identity], new[identity]) for identity in sorted(old.keys() & new.keys()))
    return [
        *(ChangedRow(None, row) for row in in_order(new[id_] for id_ in new.keys() - old.keys())),
        *(ChangedRow(was, now) for was, now in common if was.values != now.values),
        *(ChangedRow(row, None) for row in in_order(old[id_] for id_ in old.keys() - new.keys())),
    ]


def differences(before: Iterable[DataSet], after: Iterable[DataSet]) -> dict[DataSetKey, list[ChangedRow]]:
    """Return the changed rows of all data sets of `after`, in Canvas's order, without those that are equal.

    A data set that `after` does not name is left alone, so that it makes no difference.
    """
    old = {data_set.key: data_set for data_set in before}
    ordered = sorted(after, key=lambda data_set: data_set.key.sort_key)
    found = {data_set.key: row_changes(old.get(data_set.key), data_set) for data_set in ordered}
    return {key: rows for key, rows in found.items() if rows}
