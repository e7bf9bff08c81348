"""Provisioning as the pages and the API show it: runs, the held plan with its rows, and what Canvas refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class DataSetView:
    """What a run changes in one data set, counted by row; `entity` such as `enrollments`, `term` a Canvas SIS id."""

    entity: str
    term: str
    added: int
    changed: int
    removed: int


@dataclass(frozen=True, slots=True)
class RunView:
    """One run. `state` and `cause` are codes; `reasons` are sentences that say why it is held or failed.

    `findings` are sentences about records that cannot go as they are, the first of them, with ids only.
    """

    id: str
    kind: str
    cause: str
    state: str
    created_at: datetime
    finished_at: datetime | None = None
    actor: str = ""
    approved_by: str = ""
    reasons: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    counts: Mapping[str, int] | None = None
    changes: tuple[DataSetView, ...] = ()
    refused_rows: int = 0
    warned_rows: int = 0
    school_number: int | None = None
    held_schools: tuple[int, ...] = ()

    @property
    def scope(self) -> str:
        """Whose rows it is about."""
        if self.school_number is None:
            return "the whole district"
        return f"school {self.school_number}" if self.school_number else "rows of no school in particular"


@dataclass(frozen=True, slots=True)
class RowView:
    """A row that differs: its values before and after, by column; empty where it is new or gone. Holds names."""

    before: tuple[str, ...]
    after: tuple[str, ...]
    source: str = ""

    @property
    def change(self) -> str:
        """Return `added`, `removed` or `changed`."""
        if not self.before:
            return "added"
        return "changed" if self.after else "removed"


@dataclass(frozen=True, slots=True)
class ChangedRows:
    """The rows of a data set that differ. `is_known` is False once they are not kept any more."""

    data_set: DataSetView
    columns: tuple[str, ...]
    rows: tuple[RowView, ...]
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class ImportMessageView:
    """A row that Canvas refused or warned about. Holds what Canvas said, names included."""

    file: str
    row: int | None
    message: str
    explanation: str
    source: str
    is_failure: bool


class ProvisioningPages(Protocol):
    """What the pages need of provisioning. Reads Redis alone."""

    def runs(self, limit: int) -> Sequence[RunView]:
        """Return the newest runs, the newest first."""
        ...

    def run(self, run_id: str) -> RunView | None:
        """Return a run."""
        ...

    def held_runs(self) -> Sequence[RunView]:
        """Return every run whose plan waits for a person: the district's first, then by school."""
        ...

    def rows(self, run_id: str) -> Sequence[ChangedRows]:
        """Return the exact rows of a run's plan."""
        ...

    def troubles(self, run_id: str) -> Sequence[ImportMessageView]:
        """Return the rows that Canvas refused or warned about."""
        ...

    def approve(self, run_id: str, actor: str) -> bool:
        """Let a held plan be applied; False if it is not held any more."""
        ...

    def discard(self, run_id: str, actor: str) -> bool:
        """Close a held plan without applying it; False if it is not held any more."""
        ...
