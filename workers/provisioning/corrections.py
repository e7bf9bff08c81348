"""Records the result of an import of corrections: which SIS ids and logins Canvas changed, and what it holds since.

Every step may be repeated after a crash.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from shared.adapters.redis.provisioning.runs import ProvisionRuns
from shared.domain.causes import Cause
from shared.domain.provisioning.imports.corrections import new_ids, with_freed_logins, with_new_ids
from shared.domain.provisioning.imports.row_errors import RowError, row_of
from shared.domain.provisioning.imports.sis_imports import DataSetState
from shared.domain.provisioning.imports.uploads import LastApplied
from shared.domain.provisioning.rows.sis_rows import USERS, DataSet, Entity, SisRow, login_of, user_id_of, value
from shared.domain.provisioning.run import Run, digest_of
from shared.errors import AccessDenied, PermanentError
from shared.ports.provisioning import SisImports


def record_correction(
    imports: SisImports, runs: ProvisionRuns, run: Run, number: int, messages: Collection[RowError]
) -> tuple[Run, list[DataSetState]]:
    """Return the run with what Canvas refused of its upload `number`, and what Canvas holds of data sets now.

    `messages` are what Canvas said about the rows.
    """
    [part] = run.uploads[number].parts
    sent = stored_rows(runs, part.digest)
    refused = _refused(imports, sent, messages)
    taken = DataSet(sent.key, tuple(row for row in sent.rows if row not in refused))
    states = runs.data_set_states()
    if part.key.entity is Entity.SIS_ID_CHANGES:
        ids, wanted = new_ids(taken), _new_ids_by_record(runs, run)
        not_taken = {row.source: wanted[row.source] for row in refused}
        run = replace(run, refused_ids={**run.refused_ids, **not_taken})
        return run, _corrected_states(runs, states, lambda rows: with_new_ids(rows, ids))
    runs.save_former_logins({}, [user_id_of(row) for row in taken.rows])
    holders = dict.fromkeys((*run.refused_logins, *map(user_id_of, refused)))
    users = [state for state in states if state.key == USERS]
    states = _corrected_states(runs, users, lambda rows: with_freed_logins(rows, taken.rows))
    return replace(run, refused_logins=tuple(holders)), states


def stored_rows(runs: ProvisionRuns, digest: str) -> DataSet:
    """Return stored rows. Raises: PermanentError where they have expired."""
    rows = runs.rows(digest)
    if rows is None:
        raise PermanentError("the rows of this run are not kept any more", cause=Cause.ROWS_EXPIRED)
    return rows


def last_applied(runs: ProvisionRuns, state: DataSetState | None) -> LastApplied:
    """Return what Canvas was given last of a data set, with the rows as far as they are stored."""
    digests = (state.digest, state.attempted, state.refused) if state else ()
    return LastApplied(state, *(runs.rows(digest) if digest else None for digest in digests))


def _refused(imports: SisImports, sent: DataSet, messages: Collection[RowError]) -> tuple[SisRow, ...]:
    """Return the rows that Canvas did not take.

    Canvas also has a message about a row that is repeated: it is asked about each row with one. A login that somebody
    set by hand in Canvas is kept without a message: it is asked about every login.
    """
    named = [row_of(sent.key, sent, message) for message in messages]
    with_message = frozenset(sent.rows if None in named else named)
    if sent.key.entity is Entity.SIS_ID_CHANGES:
        # Where nobody has the old id any more, it was changed, or there was nobody to change.
        old_ids = ((row, value(sent.key.entity, row, "old_id")) for row in sent.rows if row in with_message)
        return tuple(row for row, old_id in old_ids if _login_of(imports, old_id) is not None)
    return tuple(row for row in sent.rows if _has_other_login(imports, row, has_message=row in with_message))


def _has_other_login(imports: SisImports, row: SisRow, *, has_message: bool) -> bool:
    login = _login_of(imports, user_id_of(row))
    if login is None:
        return False
    return login.casefold() != login_of(row) if login else has_message


def _login_of(imports: SisImports, sis_id: str) -> str | None:
    try:
        return imports.login_of(sis_id)
    except AccessDenied:
        # The token may import and not read users: what Canvas said of the row counts.
        return ""


def _corrected_states(
    runs: ProvisionRuns, states: Iterable[DataSetState], correct: Callable[[DataSet], DataSet]
) -> list[DataSetState]:
    """Return what Canvas holds of data sets now. Its bases still have the old values: they are sent whole next."""
    found = []
    for state in states:
        digest, attempted = (_corrected(runs, each, correct) for each in (state.digest, state.attempted))
        if digest is not None or attempted is not None:
            current = digest or state.digest
            found.append(replace(state, digest=current, attempted=attempted or state.attempted or current))
    return found


def _corrected(runs: ProvisionRuns, digest: str | None, correct: Callable[[DataSet], DataSet]) -> str | None:
    """Return the digest of the rows as they are now; None where they are what they were, or not stored."""
    rows = runs.rows(digest) if digest else None
    after = rows and correct(rows)
    if after is None or after == rows:
        return None
    runs.save_rows(digest_of(after), after)
    return digest_of(after)


def _new_ids_by_record(runs: ProvisionRuns, run: Run) -> dict[str, str]:
    """Return the SIS ids that the run's imports lead to, by PowerSchool record."""
    entity = Entity.SIS_ID_CHANGES
    parts = [part for upload in run.uploads for part in upload.parts if part.key.entity is entity]
    return {row.source: value(entity, row, "new_id") for p in parts for row in stored_rows(runs, p.digest).rows}
