"""What Canvas must change before it takes the files of a plan: SIS ids first, then logins."""

from collections.abc import Iterable, Sequence

from shared.domain.provisioning.imports.login_changes import logins_to_free
from shared.domain.provisioning.imports.sis_id_changes import SisIdChange, change_imports
from shared.domain.provisioning.rows.sis_rows import DataSet, DataSetKey, Entity, SisRow
from shared.domain.provisioning.rows.users import CanvasUsers

USERS = DataSetKey(Entity.USERS)


def corrections_before(
    planned: Iterable[DataSet], applied: Iterable[DataSet], id_changes: Sequence[SisIdChange], canvas: CanvasUsers
) -> tuple[DataSet, ...]:
    """Return the rows that Canvas must take before the planned ones, in imports of their own and in this order.

    While SIS ids change, no login is freed: rows name people by the ids. The plan is made anew after each of both.
    `applied` is what Canvas was given last.
    """
    if id_changes:
        return change_imports(id_changes)
    freed = logins_to_free(_users(planned), _users(applied), canvas.former_logins, canvas.refused_logins)
    return (freed,) if freed else ()


def _users(data_sets: Iterable[DataSet]) -> list[SisRow]:
    return [row for data_set in data_sets if data_set.key == USERS for row in data_set.rows]
