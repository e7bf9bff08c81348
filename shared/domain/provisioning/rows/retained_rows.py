"""What stays of the rows that were applied last and are not planned any more.

Canvas drops what an upload no longer holds, and for everything but enrollments and users dropping is deleting. So what
must not be deleted stays, as a row that says what became of it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping

from shared.domain.provisioning.imports.last_import import LastImport, enrollment_in, replace_value, value
from shared.domain.provisioning.policy import DroppedStatus, ProvisioningPolicy, ReplacedStatus
from shared.domain.provisioning.rows.enrollments import STUDENT
from shared.domain.provisioning.rows.sis_rows import DataSet, DataSetKey, Entity, SisRow, in_order

Rows = dict[tuple[str, ...], SisRow]
RowsByKey = dict[DataSetKey, Rows]


def with_retained_rows(
    planned: Iterable[DataSet], applied: LastImport, running_terms: Collection[str], policy: ProvisioningPolicy
) -> tuple[DataSet, ...]:
    """Return the planned data sets with what stays of the applied ones.

    - A term stays: its courses hold the work of past years.
    - A course without sections is concluded, with its last sections in it; it is never deleted.
    - A section that is gone, of a course that goes on, is left to Canvas to drop.
    - Whoever left a section without a trace in PowerSchool has the status of the dropped, whoever does not teach it any
      more that of the replaced, so that leaving does not depend on how Canvas compares files.
    - What moved to another term is the same in both data sets, so that the old one does not drop what the new one adds.
    - Users are left to Canvas to suspend, so that nobody's name is kept after they left.
    - Data sets of terms that PowerSchool does not name any more are left alone.
    """
    planned = tuple(planned)
    enrollments = {s.key: s for s in planned if s.key.entity is Entity.ENROLLMENTS}
    sets: RowsByKey = {
        s.key: {row.key(s.key.entity): row for row in s.rows} for s in planned if s.key not in enrollments
    }
    planned_rows = {entity: _all_terms(sets, entity) for entity in (Entity.TERMS, Entity.COURSES, Entity.SECTIONS)}
    for entity, all_terms in planned_rows.items():
        for key in applied.keys(entity):
            if not key.term_sis_id or key.term_sis_id in running_terms:
                rows = sets.setdefault(key, {})
                rows |= _retained(key, applied, rows, all_terms, sets, policy)
    merged = (DataSet(key, in_order(rows.values())) for key, rows in sets.items())
    found = (*merged, *_enrollments(enrollments, applied, running_terms, sets, policy))
    return tuple(sorted(found, key=lambda data_set: data_set.key.place))


def _enrollments(
    planned: Mapping[DataSetKey, DataSet],
    applied: LastImport,
    running_terms: Collection[str],
    sets: RowsByKey,
    policy: ProvisioningPolicy,
) -> Iterator[DataSet]:
    """Yield the enrollments, a data set after the other: an index of all of them would be larger than they are."""
    terms = _terms_of_sections(sets)

    def moved(identity: tuple[str, ...]) -> SisRow | None:
        keys = (DataSetKey(Entity.ENROLLMENTS, term) for term in terms.get(identity[0], ()))
        rows = (enrollment_in(planned[key].rows, identity) for key in keys if key in planned)
        return next((row for row in rows if row is not None), None)

    running = (key for key in applied.keys(Entity.ENROLLMENTS) if key.term_sis_id in running_terms)
    for key in sorted({*planned, *running}):
        rows = planned[key].rows if key in planned else ()
        there = {row.key(key.entity) for row in rows}
        gone = ((row, row.key(key.entity)) for row in applied.rows(key))
        kept = [
            retained
            for row, identity in gone
            if identity not in there
            and (retained := moved(identity) or _retained_row(key, row, sets, policy)) is not None
        ]
        yield DataSet(key, in_order((*rows, *kept)) if kept else rows)


def _terms_of_sections(sets: RowsByKey) -> dict[str, list[str]]:
    terms: dict[str, list[str]] = {}
    for key, rows in sets.items():
        for (section,) in rows if key.entity is Entity.SECTIONS else ():
            terms.setdefault(section, []).append(key.term_sis_id)
    return terms


def _retained(
    key: DataSetKey,
    applied: LastImport,
    planned: Mapping[tuple[str, ...], SisRow],
    all_terms: Mapping[tuple[str, ...], SisRow],
    sets: RowsByKey,
    policy: ProvisioningPolicy,
) -> Rows:
    kept: Rows = {}
    for row in applied.rows(key):
        identity = row.key(key.entity)
        if identity in planned:
            continue
        moved = all_terms.get(identity)
        retained = moved if moved is not None else _retained_row(key, row, sets, policy)
        if retained is not None:
            kept[identity] = retained
    return kept


def _retained_row(key: DataSetKey, row: SisRow, sets: RowsByKey, policy: ProvisioningPolicy) -> SisRow | None:
    match key.entity:
        case Entity.TERMS:
            return row
        case Entity.COURSES:
            return replace_value(Entity.COURSES, row, "status", "completed")
        case Entity.SECTIONS:
            return row if _is_concluded(row, key.term_sis_id, sets) else None
        case Entity.ENROLLMENTS:
            sections = sets.get(DataSetKey(Entity.SECTIONS, key.term_sis_id), {})
            section = sections.get((value(Entity.ENROLLMENTS, row, "section_id"),))
            user = (value(Entity.ENROLLMENTS, row, "user_id"),)
            if section is None or user not in sets[USERS]:
                return None
            # Nobody takes over a course that is concluded: its teachers see it as its students do.
            is_taught = value(Entity.ENROLLMENTS, row, "role") != STUDENT
            is_replaced = is_taught and not _is_concluded(section, key.term_sis_id, sets)
            return _ended(row, policy.replaced_teacher_status if is_replaced else policy.dropped_status)
        case Entity.USERS | Entity.SIS_ID_CHANGES:
            return None


USERS = DataSetKey(Entity.USERS)


def _is_concluded(section: SisRow, term: str, sets: RowsByKey) -> bool:
    course = sets.get(DataSetKey(Entity.COURSES, term), {}).get((value(Entity.SECTIONS, section, "course_id"),))
    return course is not None and value(Entity.COURSES, course, "status") == "completed"


def _ended(row: SisRow, status: DroppedStatus | ReplacedStatus) -> SisRow:
    is_over = value(Entity.ENROLLMENTS, row, "status") != "active"
    return row if is_over else replace_value(Entity.ENROLLMENTS, row, "status", status.value)


def _all_terms(sets: RowsByKey, entity: Entity) -> Rows:
    return {identity: row for key, rows in sets.items() if key.entity is entity for identity, row in rows.items()}
