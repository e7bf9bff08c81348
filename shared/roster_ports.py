"""What provisioning needs from the outside, as protocols. PowerSchool's has no method that writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.domain.roster import Roster
from shared.domain.sis_import import DataSet, ImportOptions, RowError, SisImport

__all__ = ["DataVersion", "ImportOptions", "RosterFeed", "SisImports"]


@dataclass(frozen=True, slots=True)
class DataVersion:
    """PowerSchool's data version, and whether any roster table changed since the one that was asked about."""

    version: str
    has_changed: bool


class RosterFeed(Protocol):
    """Reads PowerSchool's rosters, and only reads. Raises the errors of `shared.errors`."""

    def read(self) -> Roster:
        """Return all rosters of the school years under way or near.

        Raises: RosterTruncated where a count and the rows that came do not agree; nothing partial is ever returned.
        """
        ...

    def changes_since(self, version: str | None) -> DataVersion | None:
        """Return the newest data version; None where this PowerSchool does not tell. Cheap: one request."""
        ...


class SisImports(Protocol):
    """Canvas's SIS Import. Raises the errors of `shared.errors`."""

    def start(self, data_set: DataSet, data_set_id: str, options: ImportOptions) -> SisImport:
        """Upload a data set as a zipped CSV file. Not safe to repeat: note what is started first, then look for it."""
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

    def errors(self, import_id: int) -> Sequence[RowError]:
        """Return every row error and warning; Canvas forgets them after 30 days."""
        ...
