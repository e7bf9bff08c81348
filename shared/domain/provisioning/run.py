"""A provisioning run: its state, what it sends to Canvas, and why it may be held.

A run is saved in Redis after every step, so that a worker that continues it after a crash knows what was done. Digests
stand for rows: the rows themselves, with names in them, are stored separately.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

from shared.domain.provisioning.hold_reasons import Hold
from shared.domain.provisioning.imports.corrections import FREED_LOGINS
from shared.domain.provisioning.problems import RosterProblem
from shared.domain.provisioning.rows.sis_rows import (
    DataSet,
    DataSetKey,
    Entity,
    ImportOptions,
    ImportState,
    RowError,
)

DIGEST_CHARS = 32
# Canvas takes 128 bytes at the most.
MAX_DATA_SET_ID_BYTES = 128


class RunKind(StrEnum):
    """What a run is for: bringing the rosters, showing what that would do, or restoring what was applied before."""

    ROSTER = "roster"
    DRY_RUN = "dry_run"
    ROLLBACK = "rollback"


class RunCause(StrEnum):
    """Why a run began: its schedule, PowerSchool's data version, a change notification of PowerSchool, or a person."""

    SCHEDULE = "schedule"
    DATA_VERSION = "data_version"
    NOTIFICATION = "hint"
    PERSON = "person"


class RunState(StrEnum):
    """The states of a run. The worker continues open ones; a held one waits for a person; the others are over."""

    READING = "reading"
    APPLYING = "applying"
    FINISHING = "finishing"
    HELD = "held"
    DONE = "done"
    SHOWN = "shown"
    """A dry run that was made: what it would do is there to see."""
    STILL_HELD = "still_held"
    """Its plan is held already, by an earlier run."""
    SUPERSEDED = "superseded"
    DISCARDED = "discarded"
    FAILED = "failed"

    @property
    def is_open(self) -> bool:
        """Say whether the worker continues the run."""
        return self in (RunState.READING, RunState.APPLYING, RunState.FINISHING)


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


@dataclass(frozen=True, slots=True)
class Run:
    """One provisioning run. `requests` counts what was asked of each system, `counts` the rows planned by entity.

    `revision` counts how often it was saved: a run that has changed since it was read is not saved over.
    `approved_plan` is the digest of the plan a person approved; `replanned` says that PowerSchool's rosters have
    changed since. `applied_before` is what Canvas held when it began to write: where a rollback leads back to.
    `findings` counts the records that could not go to Canvas as they are, by code; `problems` are the first of them.
    A run with a `school_number` changes the rows of that school alone (0: those of no school in particular).
    `held_schools` are the schools that it left as they were, since their plan waits for a person. `waits_on` is the
    import of whoever that is under way. `planned_at` is when the rosters were read. `refused_ids` are the new SIS ids
    that Canvas did not take, by PowerSchool record, `refused_logins` the SIS ids of those whose logins it did not free.
    """

    id: str
    kind: RunKind
    cause: RunCause
    created_at: datetime
    revision: int = 0
    actor: str = ""
    state: RunState = RunState.READING
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempts: int = 0
    failed_at: tuple[datetime, ...] = ()
    not_before: datetime | None = None
    waits_for: str = ""
    failure: str = ""
    answer: str = ""
    reasons: tuple[Hold, ...] = ()
    plan_digest: str = ""
    approved_by: str = ""
    approved_plan: str = ""
    replanned: bool = False
    superseded_by: str = ""
    rollback_of: str = ""
    data_version: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    findings: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[RosterProblem, ...] = ()
    changes: tuple[DataSetChange, ...] = ()
    uploads: tuple[ImportProgress, ...] = ()
    applied_before: tuple[DataSetState, ...] = ()
    requests: Mapping[str, int] = field(default_factory=dict)
    school_number: int | None = None
    held_schools: tuple[int, ...] = ()
    planned_at: datetime | None = None
    waits_on: WaitedFor | None = None
    refused_ids: Mapping[str, str] = field(default_factory=dict)
    refused_logins: tuple[str, ...] = ()

    @property
    def corrections(self) -> tuple[ImportProgress, ...]:
        """Return the imports that had to come before the others."""
        return tuple(upload for upload in self.uploads if upload.is_correction)

    @property
    def next_upload(self) -> int | None:
        """Return the position of the upload that is next or under way, None where all are imported."""
        return next((n for n, each in enumerate(self.uploads) if each.state is not UploadState.IMPORTED), None)

    @property
    def has_written(self) -> bool:
        """Say whether anything of this run may have reached Canvas."""
        return any(upload.state is not UploadState.WAITING for upload in self.uploads)

    @property
    def refused_rows(self) -> int:
        """Return how many rows Canvas refused."""
        return sum(upload.failures for upload in self.uploads)

    @property
    def warned_rows(self) -> int:
        """Return how many rows Canvas warned about."""
        return sum(upload.warnings for upload in self.uploads)

    @property
    def scope(self) -> str:
        """Return whose rows the run is about, in words."""
        if self.school_number is None:
            return "the whole district"
        return f"school {self.school_number}" if self.school_number else "rows of no school in particular"

    def with_upload(self, number: int, upload: ImportProgress) -> "Run":
        """Return the run with this upload at its position."""
        return replace(self, uploads=(*self.uploads[:number], upload, *self.uploads[number + 1 :]))


@dataclass(frozen=True, slots=True)
class ImportMessage:
    """A row that Canvas refused or warned about, in plain words, and the PowerSchool record to mend.

    `error.message` holds words of Canvas and ids; `error.row_info` quotes the row, which is for signed-in people only.
    """

    key: DataSetKey
    import_id: int
    error: RowError
    explanation: str = ""
    remedy: str = ""
    source: str = ""


def digest_of(data_set: DataSet) -> str:
    """Return what stands for the data set's content as Canvas would get it: equal content, equal digest."""
    content = hashlib.sha256(repr(data_set.key).encode())
    for row in data_set.rows:
        content.update(repr(row.values).encode())
    return content.hexdigest()[:DIGEST_CHARS]


def plan_digest_of(digests: Iterable[tuple[DataSetKey, str]]) -> str:
    """Return what stands for a whole plan."""
    return hashlib.sha256(repr(sorted(digests)).encode()).hexdigest()[:DIGEST_CHARS]


def data_set_id_of(prefix: str, group: str) -> str:
    """Return the identifier under which Canvas compares the uploads of a group; the same one for ever."""
    name = f"{prefix}:{group}"
    if len(name.encode()) <= MAX_DATA_SET_ID_BYTES:
        return name
    return f"{hashlib.sha256(prefix.encode()).hexdigest()[:DIGEST_CHARS]}:{group}"
