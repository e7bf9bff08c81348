"""Which data sets need an SIS import, in which order, and with which options."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil

from shared.domain.applied_rows import with_value
from shared.domain.provisioning_policy import DroppedStatus
from shared.domain.roster_differences import DataSetDifference, difference
from shared.domain.sis_import import HEADERS, DataSet, DataSetKey, Entity, ImportOptions, SisRow, in_order

USER_REMOVE_STATUS = "suspended"
"""Deleting a user's last login would delete all of their enrollments."""


@dataclass(frozen=True, slots=True)
class UploadRules:
    """What a district decided about imports. `change_threshold` is a percentage; 0 remaster days is never."""

    dropped_status: DroppedStatus
    change_threshold: int
    remaster_days: int


@dataclass(frozen=True, slots=True)
class Upload:
    """One import to make. `data_set` is what to send; what Canvas should hold afterwards is the planned data set.

    They differ where a remaster would forget rows that are gone: those are sent once more with their last status.
    """

    data_set: DataSet
    options: ImportOptions
    difference: DataSetDifference


def uploads_needed(
    before: Iterable[DataSet],
    after: Iterable[DataSet],
    remastered: Mapping[DataSetKey, date],
    today: date,
    rules: UploadRules,
    ended_terms: Collection[str] = (),
) -> tuple[Upload, ...]:
    """Return the imports that make Canvas hold `after`, in Canvas's order; none where nothing changed or is due.

    `before` is what was applied last, `remastered` the day of each data set's last remaster or first import. What was
    never applied, as far as is known, is sent as a remaster: Canvas may remember an import that passback forgot, and
    would drop everything that is not in this one. Terms that ended are not remastered any more.
    """
    old = {data_set.key: data_set for data_set in before}
    uploads = []
    for data_set in sorted(after, key=lambda d: d.key.place):
        earlier = old.get(data_set.key)
        change = difference(earlier, data_set)
        due = data_set.key.term_sis_id not in ended_terms and _is_due(remastered.get(data_set.key), today, rules)
        if change or (due and data_set.rows):
            uploads.append(_upload(earlier, data_set, change, rules, remaster=due or earlier is None))
    return tuple(uploads)


def _is_due(last: date | None, today: date, rules: UploadRules) -> bool:
    return rules.remaster_days > 0 and (last is None or today - last >= timedelta(days=rules.remaster_days))


def _upload(
    earlier: DataSet | None, data_set: DataSet, change: DataSetDifference, rules: UploadRules, *, remaster: bool
) -> Upload:
    threshold = max(rules.change_threshold, _size_change(earlier, data_set))
    remaster = remaster or threshold > MAX_THRESHOLD
    options = ImportOptions(
        rules.dropped_status.value, USER_REMOVE_STATUS, min(threshold, MAX_THRESHOLD), remaster=remaster
    )
    ended = [_ended(data_set.key.entity, row, rules) for row in change.removed] if remaster else []
    return Upload(
        DataSet(data_set.key, in_order((*data_set.rows, *ended)) if ended else data_set.rows), options, change
    )


MAX_THRESHOLD = 100


def _size_change(earlier: DataSet | None, data_set: DataSet) -> int:
    """Return a generous estimate of the change of the file's size, in percent.

    Canvas compares sizes: above the threshold it drops nothing and takes the file as no base for the next comparison;
    five times running, it fails. What is sent has passed passback's own look at the rows, so that the threshold only
    has to catch what passback does not know. Files are sent zipped, which sizes follow roughly, hence the margin.
    """
    if earlier is None:
        return 0
    old, new = _size(earlier), _size(data_set)
    change = abs(new - old) / old * 100
    return ceil(change * 1.5 + 5) if change else 0


def _size(data_set: DataSet) -> int:
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
