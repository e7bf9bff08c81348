"""A provisioning run: its state, what it sends to Canvas, and why it may be held.

A run is saved in Redis after every step, so that a worker that continues it after a crash knows what was done. Digests
stand for rows: the rows themselves, with names in them, are stored separately.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from shared.domain.provisioning.hold_reasons import Hold
from shared.domain.provisioning.imports.sis_imports import (
    DataSetChange,
    DataSetState,
    ImportProgress,
    UploadState,
    WaitedFor,
)
from shared.domain.provisioning.problems import RosterProblem
from shared.domain.provisioning.rows.sis_rows import DataSet, DataSetKey

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
