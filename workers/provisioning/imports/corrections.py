"""What an import of corrections came to: which SIS ids and logins Canvas changed, and what it holds since.

Every step may be repeated: a worker that is killed in it is followed by one that finds the same.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from shared.adapters.redis.provisioning.runs import ProvisionRuns
from shared.domain.provisioning.imports.last_import import value
from shared.domain.provisioning.imports.login_changes import login_of, user_id_of, with_freed_logins
from shared.domain.provisioning.imports.row_errors import row_of
from shared.domain.provisioning.imports.sis_id_changes import new_ids, with_new_ids
from shared.domain.provisioning.rows.sis_rows import DataSet, DataSetKey, Entity, RowError, SisRow
from shared.domain.provisioning.run import DataSetState, Run, digest_of
from shared.errors import AccessDenied, PermanentError
from shared.ports.provisioning import CanvasUser, SisImports

USERS = DataSetKey(Entity.USERS)
UNKNOWN = CanvasUser(login=None)

Changed = Callable[[DataSet], DataSet]
"""Returns rows as Canvas holds them after a correction."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """Rows that Canvas took, and those that it did not."""

    taken: DataSet
    refused: tuple[SisRow, ...]


class Corrector:
    """Brings what was applied in step with the corrections that Canvas took."""

    def __init__(self, imports: SisImports, runs: ProvisionRuns) -> None:
        self._imports = imports
        self._runs = runs

    def settle(self, run: Run, number: int, messages: Collection[RowError]) -> tuple[Run, list[DataSetState]]:
        """Return the run with what Canvas refused, and what was applied by the names that Canvas has now."""
        [part] = run.uploads[number].parts
        corrected = self._corrected(self._rows(part.digest), messages)
        taken, refused = corrected.taken, corrected.refused
        if part.key.entity is Entity.SIS_ID_CHANGES:
            ids, wanted = new_ids(taken), self._wanted_ids(run)
            not_taken = {row.source: wanted[row.source] for row in refused}
            run = replace(run, refused_ids={**run.refused_ids, **not_taken})
            return run, self._marks(self._runs.data_set_states(), lambda rows: with_new_ids(rows, ids))
        self._runs.save_former_logins({}, [user_id_of(row) for row in taken.rows])
        users = [mark for mark in self._runs.data_set_states() if mark.key == USERS]
        holders = dict.fromkeys((*run.refused_logins, *map(user_id_of, refused)))
        marks = self._marks(users, lambda rows: with_freed_logins(rows, taken.rows))
        return replace(run, refused_logins=tuple(holders)), marks

    def _corrected(self, sent: DataSet, messages: Collection[RowError]) -> Corrected:
        """Return what Canvas took. It says something about a row that is repeated, too: Canvas itself is asked.

        A login that somebody set by hand in Canvas stays without a word: logins are looked at one by one.
        """
        named = [row_of(sent.key, sent, message) for message in messages]
        doubtful = frozenset(sent.rows if None in named else named)
        is_refused = self._keeps_id if sent.key.entity is Entity.SIS_ID_CHANGES else self._keeps_login
        refused = tuple(row for row in sent.rows if is_refused(row, row in doubtful))
        return Corrected(DataSet(sent.key, tuple(row for row in sent.rows if row not in refused)), refused)

    def _keeps_id(self, row: SisRow, is_doubtful: bool) -> bool:  # one of two of a kind
        """Say whether the old id is somebody's still; if not, it was changed, or there was nobody to change."""
        return is_doubtful and self._user(value(Entity.SIS_ID_CHANGES, row, "old_id")) is not None

    def _keeps_login(self, row: SisRow, is_doubtful: bool) -> bool:
        """Say whether the user has another login than the row says."""
        user = self._user(user_id_of(row))
        if user is None:
            return False
        return is_doubtful if user.login is None else user.login.casefold() != login_of(row)

    def _user(self, sis_id: str) -> CanvasUser | None:
        try:
            return self._imports.user(sis_id)
        except AccessDenied:
            # A token that may import and not look: what Canvas said of the row counts.
            return UNKNOWN

    def _marks(self, marks: Iterable[DataSetState], changed: Changed) -> list[DataSetState]:
        """Return what Canvas holds of data sets now. Its bases still have the old values: they are sent whole next."""
        found = []
        for mark in marks:
            digest, attempted = (self._changed(kept, changed) for kept in (mark.digest, mark.attempted))
            if digest is not None or attempted is not None:
                kept = digest or mark.digest
                found.append(replace(mark, digest=kept, attempted=attempted or mark.attempted or kept))
        return found

    def _changed(self, digest: str | None, changed: Changed) -> str | None:
        """Return the digest of the rows as they are now; None where they are what they were, or not kept."""
        rows = self._runs.rows(digest) if digest else None
        after = rows and changed(rows)
        if after is None or after == rows:
            return None
        self._runs.save_rows(digest_of(after), after)
        return digest_of(after)

    def _wanted_ids(self, run: Run) -> Mapping[str, str]:
        """Return the SIS ids that the run's imports lead to, by PowerSchool record."""
        entity = Entity.SIS_ID_CHANGES
        parts = [part for upload in run.uploads for part in upload.parts if part.key.entity is entity]
        rows = (row for part in parts for row in self._rows(part.digest).rows)
        return {row.source: value(entity, row, "new_id") for row in rows}

    def _rows(self, digest: str) -> DataSet:
        rows = self._runs.rows(digest)
        if rows is None:
            raise PermanentError("the rows of this run are not kept any more", cause="rows_forgotten")
        return rows
