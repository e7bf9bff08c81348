"""SIS imports: as Canvas reports them, and how far a run has come with each. Digests stand for rows."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Self

from shared.domain.provisioning.imports.corrections import FREED_LOGINS
from shared.domain.provisioning.rows.sis_rows import ChangedRow, DataSetKey, Entity, SisRow

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
    """An SIS import as Canvas reports it.

    `data_set_id` is its `diffing_data_set_identifier`, None for an import without diffing. `threshold_exceeded` is its
    `diffing_threshold_exceeded`, `user_id` who started it, empty if unknown.
    """

    id: int
    state: ImportState
    created_at: datetime
    data_set_id: str | None = None
    threshold_exceeded: bool = False
    user_id: str = ""


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


class UploadState(StrEnum):
    """The states of an upload. `intended` is saved before it starts: it may have started, or not."""

    WAITING = "waiting"
    INTENDED = "intended"
    IMPORTING = "importing"
    IMPORTED = "imported"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DataSetChange:
    """What changes in a data set, counted by row. `before` is the digest of what Canvas was given last, if it was."""

    key: DataSetKey
    before: str | None
    after: str
    added: int
    changed: int
    removed: int

    @classmethod
    def of(cls, key: DataSetKey, before: str | None, after: str, rows: Iterable[ChangedRow]) -> Self:
        """Return the change that these rows make."""
        counts = Counter(row.kind for row in rows)
        return cls(key, before, after, counts["added"], counts["changed"], counts["removed"])


@dataclass(frozen=True, slots=True)
class UploadPart:
    """A data set within an import. `digest` stands for the rows that are sent, `holds` for those Canvas holds then.

    They differ where rows that are gone are sent once more, with their last status. `live` counts the rows that give
    somebody something, by school number. `has_errors`: Canvas had something to say about some rows of its file;
    `refused` stands for those rows, None where it did not say which.
    """

    key: DataSetKey
    digest: str
    holds: str
    rows: int
    live: Mapping[int, int] = field(default_factory=dict)
    has_errors: bool = False
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """One SIS import of a run: every data set that Canvas compares under the identifier `data_set_id`.

    `resting` are data sets that the import leaves out, so that they are no part of what Canvas compares with any more.
    With `offers_again` it holds nothing but rows that Canvas refused, and changes nothing of what Canvas compares with.
    `newest_seen` is the newest import id of anybody before it was started, so that one whose
    start was not answered can be told from an earlier one. `waits_since` is when it began to wait for other imports.

    A correction changes users that are there already, before everything else: it is no base for anything, and its
    identifier is of its run alone.
    """

    data_set_id: str
    parts: tuple[UploadPart, ...]
    options: ImportOptions
    resting: tuple[DataSetKey, ...] = ()
    offers_again: bool = False
    state: UploadState = UploadState.WAITING
    newest_seen: int = 0
    intended_at: datetime | None = None
    waits_since: datetime | None = None
    import_id: int | None = None
    import_state: ImportState | None = None
    polls: int = 0
    failures: int = 0
    warnings: int = 0

    @property
    def is_correction(self) -> bool:
        """Say whether it changes SIS ids or logins that the other imports depend on."""
        return any(part.key.entity is Entity.SIS_ID_CHANGES or part.key == FREED_LOGINS for part in self.parts)

    @property
    def rows(self) -> int:
        """How many rows are sent."""
        return sum(part.rows for part in self.parts)

    @property
    def entities(self) -> tuple[Entity, ...]:
        """The kinds of row that are sent, in Canvas's order."""
        named = {part.key.entity for part in self.parts}
        return tuple(entity for entity in Entity if entity in named)


@dataclass(frozen=True, slots=True)
class DataSetState:
    """What Canvas was given last of a data set.

    `digest` is None where nothing ever was. `attempted` is the digest of what an import that is under way sends, or one
    that did not end well: Canvas may hold the one or the other. After a correction both are what Canvas holds, but not
    what it compares with: either way the rows are sent whole next. `has_errors`: it had something to say about some
    rows, which it may have refused; its messages do not tell. `refused` stands for those rows, None where it is not
    known which. `data_set_id` is the identifier under which Canvas compares it, empty where it is in no import that
    Canvas would compare with. `live` is that of the `UploadPart`; None where it was given by a version of passback that
    did not count.
    """

    key: DataSetKey
    digest: str | None
    at: datetime
    attempted: str | None = None
    has_errors: bool = False
    remastered_on: date | None = None
    data_set_id: str = ""
    live: Mapping[int, int] | None = None
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class WaitedFor:
    """An unfinished SIS import that a run waits for. `owner` is whose it is: `passback`, or a Canvas user id."""

    import_id: int
    owner: str
    state: str
    created_at: datetime

    def sentence(self, now: datetime) -> str:
        """Return which import it is and how old, for a person."""
        minutes = max(0, round((now - self.created_at).total_seconds() / 60))
        age = f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
        whose = "passback" if self.owner == PASSBACK else f"Canvas user {self.owner or 'unknown'}"
        return f"SIS import {self.import_id} of {whose} is {self.state}, {age} old"


PASSBACK = "passback"
