"""What provisioning needs from the outside, as protocols. PowerSchool's has no method that writes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shared.domain.provisioning.roster import Roster
from shared.domain.provisioning.rows.sis_rows import DataSet, ImportOptions, RowError, SisFiles, SisImport
from shared.domain.provisioning.run import DataSetState, ImportMessage, Run, RunCause, RunKind
from shared.domain.provisioning.school_sizes import LiveCounts

__all__ = [
    "CanvasUser",
    "DataVersion",
    "ImportOptions",
    "ProvisionRuns",
    "RosterFeed",
    "RunLease",
    "ScheduleState",
    "SisImports",
]


@dataclass(frozen=True, slots=True)
class CanvasUser:
    """A user of Canvas. `login` is None where the token may not see it."""

    login: str | None


@dataclass(frozen=True, slots=True)
class DataVersion:
    """PowerSchool's data version, and whether any roster table changed since the one that was asked about."""

    version: str
    has_changed: bool


class RosterFeed(Protocol):
    """Reads PowerSchool's rosters, and only reads. Raises the errors of `shared.errors`."""

    def read(self) -> Roster:
        """Return all rosters of the school years under way or near.

        Raises: IncompleteRead where a count and the rows that came do not agree; nothing partial is ever returned.
        """
        ...

    def changes_since(self, version: str | None) -> DataVersion | None:
        """Return the newest data version; None where this PowerSchool does not tell. Cheap: one request."""
        ...


class SisImports(Protocol):
    """Canvas's SIS Import. Raises the errors of `shared.errors`."""

    def start(self, files: SisFiles, data_set_id: str, options: ImportOptions) -> SisImport:
        """Upload the files of an import in a zip. Not safe to repeat: note what is started first, then look for it."""
        ...

    def find(self, import_id: int) -> SisImport:
        """Return an import. Raises `NotFound`."""
        ...

    def newest(self, limit: int) -> Sequence[SisImport]:
        """Return the newest imports of anybody, the newest first."""
        ...

    def unfinished(self) -> Sequence[SisImport]:
        """Return the imports of anybody that run or wait for their turn."""
        ...

    def missing_accounts(self, sis_ids: Collection[str]) -> frozenset[str]:
        """Return the SIS ids of which Canvas has no account."""
        ...

    def errors(self, import_id: int) -> Sequence[RowError]:
        """Return every row error and warning; Canvas forgets them after 30 days."""
        ...

    def user(self, sis_user_id: str) -> CanvasUser | None:
        """Return the user of this SIS id; None if there is none. Raises `AccessDenied`."""
        ...


@dataclass(frozen=True, slots=True)
class RunLease:
    """The right to go on with provisioning, held by one worker at a time. `token` grows: the fencing token."""

    token: int


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """What scheduling remembers. `slot` is the last due time of the schedule that was answered by a run.

    `hint_ms` is the newest hint of PowerSchool that a look has taken into account. `refused_ids` and `refused_logins`
    are what Canvas refused to change in the last run, as a run keeps them: it is asked again by the schedule or a
    person, not whenever rosters change.
    """

    slot: datetime | None = None
    checked_at: datetime | None = None
    data_version: str | None = None
    hint_ms: int = 0
    refused_ids: Mapping[str, str] = field(default_factory=dict)
    refused_logins: tuple[str, ...] = ()


class ProvisionRuns(Protocol):
    """Runs, what was applied, and the rows themselves. What needs a lease raises `LeaseLost` without it.

    Every method is atomic and may be repeated.
    """

    def lease(self) -> RunLease | None:
        """Take the lease; None while somebody else holds it."""
        ...

    def renew(self, lease: RunLease) -> None:
        """Prolong the lease. Raises `LeaseLost`."""
        ...

    def release(self, lease: RunLease) -> None:
        """End the lease; nothing happens if it is lost."""
        ...

    def open(self, kind: RunKind, cause: RunCause, at: datetime, actor: str = "", rollback_of: str = "") -> Run:
        """Open a run and return it; a run of the same kind that has not read anything yet is returned instead.

        Rollbacks come before everything else.
        """
        ...

    def opened(self) -> Sequence[Run]:
        """Return the open runs, the one that is next first."""
        ...

    def find(self, run_id: str) -> Run | None:
        """Return a run; None if there is none of this id (any more)."""
        ...

    def newest(self, limit: int) -> Sequence[Run]:
        """Return the newest runs, the newest first."""
        ...

    def held(self) -> Run | None:
        """Return the run that waits for a person: that about the whole district, else that of the first school."""
        ...

    def held_runs(self) -> Sequence[Run]:
        """Return every run that waits for a person: the district's first, if there is one, then by school."""
        ...

    def new_id(self) -> str:
        """Return the id of a run that is to be kept without being opened."""
        ...

    def save(self, lease: RunLease, run: Run, applied: Sequence[DataSetState] = ()) -> None:
        """Keep the run as it is now, and what became of data sets, in one step. Raises `LeaseLost`.

        A run that is held takes the place of the one that was, of the district or of its school.
        """
        ...

    def save_held(self, lease: RunLease, run: Run) -> bool:
        """Keep a run that is held, or was until now, unless a person decided about it meanwhile: then False.

        Raises `LeaseLost`.
        """
        ...

    def end_hold(self, run: Run) -> bool:
        """Keep a run that was held, as it is now: open, or over. False if it is not the held one any more."""
        ...

    def live_history(self) -> Sequence[LiveCounts]:
        """Return how many rows were live after the runs of about a week, at some hours' distance."""
        ...

    def add_live_counts(self, lease: RunLease, counts: LiveCounts) -> None:
        """Remember how many rows are live now, unless that was done in the last hours. Raises `LeaseLost`."""
        ...

    def forget_live_counts(self, lease: RunLease, schools: Collection[int] | None) -> None:
        """Forget what was live before, of these schools or of all: a person approved what ended. Raises `LeaseLost`."""
        ...

    def applied(self) -> Sequence[DataSetState]:
        """Return what Canvas was given last, of every data set."""
        ...

    def keep_rows(self, digest: str, data_set: DataSet) -> None:
        """Keep the rows of a data set under the digest that stands for them, for as long as runs are kept."""
        ...

    def rows(self, digest: str) -> DataSet | None:
        """Return kept rows; None if their time is over."""
        ...

    def keep_applied(self, current: Collection[str], former: Collection[str]) -> None:
        """Keep the rows that Canvas holds for long, and those it held before for as long as runs are kept."""
        ...

    def keep_troubles(self, run_id: str, import_id: int, troubles: Sequence[ImportMessage]) -> None:
        """Keep what Canvas said about the rows of an import."""
        ...

    def troubles(self, run_id: str) -> Sequence[ImportMessage]:
        """Return what Canvas said about the rows of a run's imports."""
        ...

    def keep_sis_ids(self, lease: RunLease, kept: Mapping[str, str]) -> None:
        """Keep the SIS ids by PowerSchool record that are not what the templates make of it. Raises `LeaseLost`."""
        ...

    def former_logins(self) -> Mapping[str, str]:
        """Return the SIS ids of users who are in no file any more, by the digest of their login."""
        ...

    def keep_former_logins(self, left: Mapping[str, str], freed: Collection[str]) -> None:
        """Keep the logins of those who left, and forget those of users (SIS ids) who gave them up or came back."""
        ...

    def notes(self) -> ScheduleState:
        """Return what scheduling remembers."""
        ...

    def note(self, lease: RunLease, notes: ScheduleState) -> None:
        """Remember it. Raises `LeaseLost`."""
        ...

    def mark_rosters_changed(self) -> None:
        """Record that rosters changed now, as PowerSchool confirmed: what was cached before is not used any more."""
        ...

    def newest_hint_ms(self) -> int:
        """Return when PowerSchool last said that rosters changed, in milliseconds since the epoch; 0 for never."""
        ...
