"""Defines what provisioning needs from Canvas and PowerSchool, as protocols. That of PowerSchool only reads."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.domain.provisioning.imports.row_errors import RowError
from shared.domain.provisioning.imports.sis_imports import ImportOptions, SisFiles, SisImport
from shared.domain.provisioning.roster import Roster


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

    def login_of(self, sis_user_id: str) -> str | None:
        """Return the login of this SIS id's user, empty where the token may not see it; None if there is no such user.

        Raises `AccessDenied`.
        """
        ...
