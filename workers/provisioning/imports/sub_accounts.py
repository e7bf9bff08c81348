"""Whether the sub-accounts are there that new courses are to go to: Canvas takes no course of an account it has not."""

from collections.abc import Iterable, Sequence

from shared.domain.provisioning.diff import differences
from shared.domain.provisioning.hold_reasons import Hold, HoldReason, hold_for
from shared.domain.provisioning.imports.last_import import value
from shared.domain.provisioning.rows.sis_rows import DataSet, Entity
from shared.ports.provisioning import SisImports


def missing_accounts(imports: SisImports, applied: Iterable[DataSet], planned: Sequence[DataSet]) -> list[Hold]:
    """Return a reason to hold each school of which new or changed courses name an account that Canvas has not.

    Asks Canvas once for each account; nothing where no course changes.
    """
    courses = [data_set for data_set in planned if data_set.key.entity is Entity.COURSES]
    named: dict[str, dict[int, int]] = {}
    for difference in differences(applied, courses):
        for row in (*difference.added, *(now for _, now in difference.changed)):
            schools = named.setdefault(value(Entity.COURSES, row, "account_id"), {})
            schools[row.school_number] = schools.get(row.school_number, 0) + 1
    named.pop("", None)
    missing = imports.missing_accounts(named) if named else ()
    return [
        hold_for(HoldReason.ACCOUNT_MISSING, Entity.COURSES, school, detail=f"account {account}, {count} courses")
        for account in sorted(missing)
        for school, count in sorted(named[account].items())
    ]
