"""What Canvas's SIS Import takes: rows of its CSV files, grouped into data sets that are compared and sent as a whole.

Source: Canvas "SIS Import Format" (columns, statuses, sticky fields) and "SIS Imports API" (diffing).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
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


SisFiles = Sequence[tuple[Entity, Sequence[SisRow]]]
"""The files of an import: one of a kind, in Canvas's order; a file may be empty."""


class ImportState(StrEnum):
    """The states of an SIS import. Source: canvas-lms app/models/sis_batch.rb."""

    INITIALIZING = "initializing"
    CREATED = "created"
    IMPORTING = "importing"
    CLEANUP_BATCH = "cleanup_batch"
    IMPORTED = "imported"
    IMPORTED_WITH_MESSAGES = "imported_with_messages"
    ABORTED = "aborted"
    FAILED = "failed"
    FAILED_WITH_MESSAGES = "failed_with_messages"
    RESTORING = "restoring"
    PARTIALLY_RESTORED = "partially_restored"
    RESTORED = "restored"

    @property
    def is_final(self) -> bool:
        """Say whether the import will not change any more by itself."""
        return self in _FINAL

    @property
    def has_succeeded(self) -> bool:
        """Say whether the rows were taken, with or without messages about some of them."""
        return self in (ImportState.IMPORTED, ImportState.IMPORTED_WITH_MESSAGES)


_FINAL = frozenset(
    {
        ImportState.IMPORTED,
        ImportState.IMPORTED_WITH_MESSAGES,
        ImportState.ABORTED,
        ImportState.FAILED,
        ImportState.FAILED_WITH_MESSAGES,
        ImportState.PARTIALLY_RESTORED,
        ImportState.RESTORED,
    }
)


@dataclass(frozen=True, slots=True)
class SisImport:
    """An SIS import as Canvas reports it. `progress` is a percentage.

    `data_set_id` is its `diffing_data_set_identifier`, None for an import without diffing. `counts` is
    `data.counts`, `threshold_exceeded` its `diffing_threshold_exceeded`. `user_id` is who started it, empty if unknown.
    """

    id: int
    state: ImportState
    progress: int
    created_at: datetime
    data_set_id: str | None = None
    counts: Mapping[str, int] | None = None
    threshold_exceeded: bool = False
    diffed_against_id: int | None = None
    user_id: str = ""


@dataclass(frozen=True, slots=True)
class RowError:
    """What Canvas says about one row of an import. `row` counts from 1, the header included; None for the whole file.

    With diffing Canvas imports a file of its own making, so `row` is inferred to count in that one, not in the upload:
    `row_info`, the row itself as Canvas repeats it, is the better way back to its source. `message` and `row_info` may
    quote the row, names included: they are shown to signed-in people and kept in Redis, never logged.
    """

    file: str
    row: int | None
    message: str
    is_failure: bool = False
    row_info: str = ""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How Canvas compares an upload with the last one of its data set, and what becomes of rows that are gone.

    `remaster` takes the upload as the new base. `change_threshold` is a percentage; above it Canvas applies the whole
    file, drops nothing, and does not take it as a base. Source: Canvas "SIS Imports API".
    """

    drop_status: str
    user_remove_status: str
    change_threshold: int
    remaster: bool = False
