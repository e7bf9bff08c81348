"""Whether data sets that share an SIS import need one, what it holds, and with which options it is made."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import ceil

from shared.domain.provisioning.diff import DataSetDifference, difference
from shared.domain.provisioning.imports.last_import import with_value
from shared.domain.provisioning.policy import DroppedStatus
from shared.domain.provisioning.rows.sis_rows import (
    HEADERS,
    DataSet,
    DataSetKey,
    Entity,
    ImportOptions,
    SisFiles,
    SisRow,
    in_order,
)

USER_REMOVE_STATUS = "suspended"
"""Deleting a user's last login would delete all of their enrollments."""
MAX_THRESHOLD = 100
# Percentage by which a file's size may differ from the last one before Canvas deletes nothing that is missing from it.
# It is raised for an import of which passback knows that it differs more.
CHANGE_THRESHOLD = 10


@dataclass(frozen=True, slots=True)
class UploadRules:
    """What a district decided about imports. `change_threshold` is a percentage; 0 remaster days is never."""

    dropped_status: DroppedStatus
    change_threshold: int
    remaster_days: int


@dataclass(frozen=True, slots=True)
class Part:
    """A data set of an import: what Canvas should hold of it, and every row that it may hold now (None: unknown).

    `may_rest`: it does not change and nobody expects it to, as in a term that is over. An upload that is compared with
    nothing leaves it out, and Canvas leaves it alone.
    """

    before: DataSet | None
    after: DataSet
    may_rest: bool = False


@dataclass(frozen=True, slots=True)
class SentPart:
    """A data set as it is sent. `data_set` and `part.after` differ where a remaster would forget rows that are gone.

    Those are sent once more with their last status.
    """

    part: Part
    data_set: DataSet
    difference: DataSetDifference


@dataclass(frozen=True, slots=True)
class NeededImport:
    """One import to make. `resting` are the keys of data sets that it leaves out, to be left alone by Canvas."""

    parts: tuple[SentPart, ...]
    options: ImportOptions
    resting: tuple[DataSetKey, ...] = ()


def import_needed(
    parts: Sequence[Part], rules: UploadRules, *, has_base: bool, is_due: bool = False
) -> NeededImport | None:
    """Return the import that makes Canvas hold all parts; None where nothing changed and no remaster is due.

    Without `has_base` it is not known what Canvas would compare with: it is sent as a remaster. Canvas may remember an
    import that passback forgot, and would drop everything that is not in this one.
    """
    changes = [difference(part.before, part.after) for part in parts]
    if not any(changes) and not (is_due and any(part.after.rows for part in parts)):
        return None
    threshold = max(rules.change_threshold, _size_change(parts))
    remaster = is_due or not has_base or threshold > MAX_THRESHOLD
    options = ImportOptions(
        rules.dropped_status.value, USER_REMOVE_STATUS, min(threshold, MAX_THRESHOLD), remaster=remaster
    )
    resting = [part.after.key for part in parts if remaster and part.may_rest]
    pairs = [(part, change) for part, change in zip(parts, changes, strict=True) if part.after.key not in resting]
    if not remaster:
        return NeededImport(tuple(SentPart(part, part.after, change) for part, change in pairs), options)
    periods = {entity: _identities(parts, entity) for entity in Entity}
    sent = (SentPart(part, _with_ended(part, change, periods, rules), change) for part, change in pairs)
    return NeededImport(tuple(sent), options, tuple(resting))


def _identities(parts: Sequence[Part], entity: Entity) -> set[tuple[str, ...]]:
    return {row.key(entity) for part in parts if part.after.key.entity is entity for row in part.after.rows}


def _with_ended(
    part: Part, change: DataSetDifference, periods: dict[Entity, set[tuple[str, ...]]], rules: UploadRules
) -> DataSet:
    """Return the data set with the rows that are gone, unless another data set of the import has them now."""
    entity = part.after.key.entity
    ended = [_ended(entity, row, rules) for row in change.removed if row.key(entity) not in periods[entity]]
    return DataSet(part.after.key, in_order((*part.after.rows, *ended))) if ended else part.after


def files_of(data_sets: Collection[DataSet], entities: Sequence[Entity]) -> SisFiles:
    """Return the files of an import, one of each kind, with every row once, sorted.

    What moved from one term to another is in the data sets of both, with the same values.
    """
    files = []
    for entity in entities:
        rows = {row.key(entity): row for each in data_sets if each.key.entity is entity for row in each.rows}
        files.append((entity, in_order(rows.values())))
    return tuple(files)


def _size_change(parts: Sequence[Part]) -> int:
    """Return a generous estimate of the change of the upload's size, in percent.

    Canvas compares sizes: above the threshold it drops nothing and takes the file as no base for the next comparison;
    five times running, it fails. What is sent has passed passback's own look at the rows, so that the threshold only
    has to catch what passback does not know. Files are sent zipped, which sizes follow roughly, hence the margin.
    """
    known = [part for part in parts if part.before is not None]
    if not known:
        return 0
    old, new = (sum(map(_size, sets)) for sets in ([part.before for part in known], [part.after for part in parts]))
    change = abs(new - old) / old * 100
    return ceil(change * 1.5 + 5) if change else 0


def _size(data_set: DataSet | None) -> int:
    assert data_set is not None
    rows = (HEADERS[data_set.key.entity], *(row.values for row in data_set.rows))
    return sum(len(",".join(values).encode()) + 1 for values in rows)


def _ended(entity: Entity, row: SisRow, rules: UploadRules) -> SisRow:
    status = {
        Entity.TERMS: "active",
        Entity.COURSES: "completed",
        Entity.SECTIONS: "deleted",
        Entity.USERS: USER_REMOVE_STATUS,
        Entity.ENROLLMENTS: rules.dropped_status.value,
    }
    return with_value(entity, row, "status", status[entity])
