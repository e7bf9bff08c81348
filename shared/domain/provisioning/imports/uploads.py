"""Plans SIS imports: which data sets share one, whether one is needed, what it holds and with which options.

Canvas compares an upload with the last one of its identifier, kind of file by kind of file. So an import may hold
courses, sections and enrollments of many schools, as long as every upload under its identifier holds all of them:
what an upload leaves out of a file counts as gone. All classes of a school share an import, so that a section that
moves to another term finds its course in the same upload.

Source: canvas-lms app/models/sis_batch.rb (`generate_diff`), lib/sis/csv/diff_generator.rb.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from math import ceil
from typing import Final
from zlib import crc32

from shared.domain.provisioning.imports.corrections import with_new_ids
from shared.domain.provisioning.imports.sis_imports import (
    DataSetChange,
    DataSetState,
    ImportOptions,
    ImportProgress,
    SisFiles,
    UploadPart,
)
from shared.domain.provisioning.rows.sis_rows import (
    HEADERS,
    DataSet,
    DataSetKey,
    Entity,
    SisRow,
    in_order,
    replace_value,
    row_changes,
)
from shared.domain.provisioning.run import digest_of

USER_REMOVE_STATUS = "suspended"
"""Deleting a user's last login would delete all of their enrollments."""
MAX_THRESHOLD = 100
# Percentage by which a file's size may differ from the last one before Canvas deletes nothing that is missing from it.
# It is raised for an import of which passback knows that it differs more.
CHANGE_THRESHOLD = 10
CLASS_GROUPS: Final = 3
"""Into how many imports the district's classes are divided.

With that of terms and users, and that of rows that Canvas refused, a run makes five at the most.
"""
DISTRICT: Final = "district"
CLASSES: Final = "classes-"
AGAIN: Final = "again"
ENTITIES: Final = {DISTRICT: (Entity.TERMS, Entity.USERS)}
CLASS_ENTITIES: Final = (Entity.COURSES, Entity.SECTIONS, Entity.ENROLLMENTS)


@dataclass(frozen=True, slots=True)
class LastApplied:
    """What Canvas was given last of a data set, and what an unfinished import tried to give it since.

    `refused` are those of the rows that Canvas had something to say about, as far as it said which.
    """

    state: DataSetState | None = None
    rows: DataSet | None = None
    attempted: DataSet | None = None
    refused: DataSet | None = None

    @property
    def candidates(self) -> DataSet | None:
        """Return every row that Canvas may hold."""
        if self.rows is None or self.attempted is None:
            return self.rows or self.attempted
        entity = self.rows.key.entity
        rows = {row.key(entity): row for data_set in (self.rows, self.attempted) for row in data_set.rows}
        return DataSet(self.rows.key, tuple(sorted(rows.values())))

    @property
    def digest(self) -> str | None:
        """Return the digest of what Canvas was given last."""
        return self.state.digest if self.state else None

    @property
    def known_digest(self) -> str | None:
        """Return the digest of what Canvas holds, None where that is not known."""
        return self.state.digest if self.state and self.state.attempted is None else None

    def with_new_ids(self, ids: Mapping[str, str]) -> "LastApplied":
        """Return what Canvas holds once these SIS ids have changed."""
        rows, attempted = (each and with_new_ids(each, ids) for each in (self.rows, self.attempted))
        if self.state is None or rows is None or rows == self.rows:
            return LastApplied(self.state, rows, attempted)
        return LastApplied(replace(self.state, digest=digest_of(rows)), rows, attempted)


@dataclass(frozen=True, slots=True)
class Part:
    """A data set of an import: what Canvas should hold of it, and every row that it may hold now (None: unknown).

    `digest` stands for the rows of `after`. `may_omit`: it does not change and nobody expects it to, as in a term that
    is over. An upload that is compared with nothing leaves it out, and Canvas leaves it alone. `is_in_base`: Canvas
    compares with it under the import's identifier.
    """

    before: DataSet | None
    after: DataSet
    digest: str
    last: LastApplied = LastApplied()
    may_omit: bool = False
    is_in_base: bool = False


@dataclass(frozen=True, slots=True)
class PlannedImport:
    """An import to make, what changes with it, and the rows that stand behind digests. Sent rows are in it too."""

    upload: ImportProgress
    changes: tuple[DataSetChange, ...]
    rows: Mapping[str, DataSet]


def plan_import(
    data_set_id: str,
    parts: Sequence[Part],
    options: ImportOptions,
    live: Mapping[DataSetKey, Mapping[int, int]],
    *,
    has_base: bool,
    is_due: bool = False,
) -> PlannedImport | None:
    """Return the import that makes Canvas hold all parts; None where nothing changed and no remaster is due.

    `options` are those of an import that Canvas compares. Without `has_base` it is not known what Canvas would compare
    with: it is sent as a remaster. Canvas may remember an import that passback forgot, and would drop everything that
    is not in this one. `live` counts the rows of each data set that give somebody something, by school number.
    """
    differences = [_difference(part) for part in parts]
    if not any(change for change, _ in differences) and not (is_due and any(part.after.rows for part in parts)):
        return None
    threshold = max(options.change_threshold, _size_change(parts))
    remaster = is_due or not has_base or threshold > MAX_THRESHOLD
    options = replace(options, change_threshold=min(threshold, MAX_THRESHOLD), remaster=remaster)
    planned = {entity: _identities(parts, entity) for entity in Entity} if remaster else {}
    sent: list[UploadPart] = []
    changes: list[DataSetChange] = []
    rows: dict[str, DataSet] = {}
    for part, (change, gone) in zip(parts, differences, strict=True):
        key, data_set, digest = part.after.key, part.after, part.digest
        if remaster and part.may_omit:
            continue
        if remaster:
            data_set = _with_ended(part.after, gone, planned[key.entity], options)
            digest = part.digest if data_set is part.after else digest_of(data_set)
        changes += [change] if change else []
        sent.append(UploadPart(key, digest, part.digest, len(data_set.rows), live.get(key, {})))
        if change or part.last.rows is None or digest != part.digest:
            rows |= {part.digest: part.after, digest: data_set}
    resting = tuple(part.after.key for part in parts if remaster and part.may_omit and part.is_in_base)
    return PlannedImport(ImportProgress(data_set_id, tuple(sent), options, resting), tuple(changes), rows)


def _difference(part: Part) -> tuple[DataSetChange | None, list[SisRow]]:
    """Return what changes with a part, if anything does, and the rows that are gone.

    Not all rows that change: a large district has a million.
    """
    rows = row_changes(part.before, part.after)
    gone = [row.before for row in rows if row.before and row.after is None]
    return DataSetChange.of(part.after.key, part.last.digest, part.digest, rows) if rows else None, gone


def _identities(parts: Sequence[Part], entity: Entity) -> set[tuple[str, ...]]:
    return {row.key(entity) for part in parts if part.after.key.entity is entity for row in part.after.rows}


def _with_ended(
    after: DataSet, gone: Iterable[SisRow], planned: Collection[tuple[str, ...]], options: ImportOptions
) -> DataSet:
    """Return the data set with the rows that are gone, unless another data set of the import has them now.

    A remaster would forget them: they are sent once more, with their last status.
    """
    entity = after.key.entity
    ended = [_ended(entity, row, options) for row in gone if row.key(entity) not in planned]
    return DataSet(after.key, in_order((*after.rows, *ended))) if ended else after


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


def _ended(entity: Entity, row: SisRow, options: ImportOptions) -> SisRow:
    status = {
        Entity.TERMS: "active",
        Entity.COURSES: "completed",
        Entity.SECTIONS: "deleted",
        Entity.USERS: options.user_remove_status,
        Entity.ENROLLMENTS: options.drop_status,
    }
    return replace_value(entity, row, "status", status[entity])


def group_of(key: DataSetKey, schools: Collection[int]) -> str:
    """Return the group of a data set. `schools` are the numbers of the schools that have rows of its term.

    A term of one school goes with that school; one that several schools share goes by its own SIS id.
    """
    if not key.term_sis_id:
        return DISTRICT
    name = str(*schools) if len(schools) == 1 else key.term_sis_id
    return f"{CLASSES}{crc32(name.encode()) % CLASS_GROUPS + 1}"


def entities_of(group: str) -> tuple[Entity, ...]:
    """Return the kinds of file that every upload of the group holds, empty ones too."""
    return ENTITIES.get(group, CLASS_ENTITIES)


def group_index(group: str) -> int:
    """Return the group's number: the district's 0, then the classes'."""
    return int(group.removeprefix(CLASSES)) if group.startswith(CLASSES) else 0


def is_remaster_due(last: date | None, today: date, days: int, group_number: int) -> bool:
    """Say whether an import is to be sent whole today: every `days` days, each group on a day of its own; 0: never.

    `last` is the day on which it was sent whole last. A day that was missed is made up for once `days` are over.
    """
    if days <= 0 or last is None:
        return days > 0
    since = today - last
    return since >= timedelta(days=days) or (since > timedelta(0) and (today.toordinal() - group_number) % days == 0)
