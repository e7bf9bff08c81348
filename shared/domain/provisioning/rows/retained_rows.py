"""Retains rows that were applied last and are not planned any more.

Canvas drops what an upload no longer holds, and for everything but enrollments and users dropping is deleting. So what
must not be deleted stays in the plan, with its last status.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from shared.domain.provisioning.policy import DroppedStatus, ProvisioningPolicy, ReplacedStatus
from shared.domain.provisioning.problems import RosterProblem, RosterProblemCode
from shared.domain.provisioning.roster import Roster, SchoolTerm, UnreadableRecord
from shared.domain.provisioning.rows.enrollments import STUDENT
from shared.domain.provisioning.rows.sis_rows import (
    USERS,
    DataSet,
    DataSetKey,
    Entity,
    LastImport,
    SisRow,
    enrollment_in,
    in_order,
    replace_value,
    value,
)
from shared.domain.provisioning.rows.terms import term_day

Rows = dict[tuple[str, ...], SisRow]
RowsByKey = dict[DataSetKey, Rows]


def with_retained_rows(
    planned: Iterable[DataSet], applied: LastImport, running_terms: Collection[str], policy: ProvisioningPolicy
) -> tuple[DataSet, ...]:
    """Return the planned data sets with the retained rows of the applied ones.

    - A term stays: its courses hold the work of past years.
    - A course without sections is concluded, with its last sections in it; it is never deleted.
    - A section that is gone, of a course that goes on, is left to Canvas to drop.
    - A student who left a section and has no row in PowerSchool any more gets the status of the dropped, a teacher that
      of the replaced: leaving does not depend on how Canvas compares files.
    - What moved to another term is the same in both data sets, so that the old one does not drop what the new one adds.
    - Users are left to Canvas to suspend, so that no name is stored after a person left.
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
            if key.term_sis_id and key.term_sis_id not in running_terms:
                continue
            rows = sets.setdefault(key, {})
            gone = {row.key(entity): row for row in applied.rows(key) if row.key(entity) not in rows}
            for identity, row in gone.items():
                if retained := all_terms.get(identity) or _retained_row(key, row, sets, policy):
                    rows[identity] = retained
    merged = (DataSet(key, in_order(rows.values())) for key, rows in sets.items())
    found = (*merged, *_enrollments(enrollments, applied, running_terms, sets, policy))
    return tuple(sorted(found, key=lambda data_set: data_set.key.sort_key))


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
        # One row each: of two persons, one may have got the SIS id of the other.
        gone = {at: row for row in reversed(applied.rows(key)) if (at := row.key(key.entity)) not in there}
        found = (moved(at) or _retained_row(key, row, sets, policy) for at, row in gone.items())
        retained = [row for row in found if row is not None]
        yield DataSet(key, in_order((*rows, *retained)) if retained else rows)


def _terms_of_sections(sets: RowsByKey) -> dict[str, list[str]]:
    terms: dict[str, list[str]] = {}
    for key, rows in sets.items():
        for (section,) in rows if key.entity is Entity.SECTIONS else ():
            terms.setdefault(section, []).append(key.term_sis_id)
    return terms


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
            # A concluded course is not taken over: its teachers get the status of its students.
            is_taught = value(Entity.ENROLLMENTS, row, "role") != STUDENT
            is_replaced = is_taught and not _is_concluded(section, key.term_sis_id, sets)
            return _ended(row, policy.replaced_teacher_status if is_replaced else policy.dropped_status)
        case Entity.USERS | Entity.SIS_ID_CHANGES:
            return None


def _is_concluded(section: SisRow, term: str, sets: RowsByKey) -> bool:
    course = sets.get(DataSetKey(Entity.COURSES, term), {}).get((value(Entity.SECTIONS, section, "course_id"),))
    return course is not None and value(Entity.COURSES, course, "status") == "completed"


def _ended(row: SisRow, status: DroppedStatus | ReplacedStatus) -> SisRow:
    is_over = value(Entity.ENROLLMENTS, row, "status") != "active"
    return row if is_over else replace_value(Entity.ENROLLMENTS, row, "status", status.value)


def _all_terms(sets: RowsByKey, entity: Entity) -> Rows:
    return {identity: row for key, rows in sets.items() if key.entity is entity for identity, row in rows.items()}


ENROLLMENT = "CC.DCID"
TERMS = DataSetKey(Entity.TERMS)


def odd_row_problems(odd_rows: Iterable[UnreadableRecord]) -> set[RosterProblem]:
    """Return a problem for each record, with the columns that cannot be read."""
    return {RosterProblem(RosterProblemCode.ROW_UNREADABLE, odd.source, ", ".join(odd.fields)) for odd in odd_rows}


def cannot_be_placed(odd: UnreadableRecord) -> bool:
    """Say whether it is unknown which rows to retain: an enrollment without its section or student."""
    return odd.record == ENROLLMENT and not {"section_dcid", "student_dcid"} <= odd.ids.keys()


def with_stored_terms(roster: Roster, applied: LastImport, policy: ProvisioningPolicy) -> Roster:
    """Return the roster with the days that Canvas has of terms whose row cannot be read: their classes stay."""
    rows = {row.values[0]: row for row in applied.rows(TERMS)}
    found = (_stored_term(odd, rows, policy) for odd in roster.odd_rows if odd.record == "TERMS.DCID")
    return replace(roster, terms=(*roster.terms, *(term for term in found if term is not None)))


def _stored_term(odd: UnreadableRecord, applied: Mapping[str, SisRow], policy: ProvisioningPolicy) -> SchoolTerm | None:
    if not {"term_id", "school_number"} <= odd.ids.keys():
        return None
    term_id, school = odd.ids["term_id"], odd.ids["school_number"]
    row = applied.get(policy.term_id_of(school, term_id, odd.dcid))
    if row is None:
        return None
    days = [term_day(value(Entity.TERMS, row, column), policy.zone) for column in ("start_date", "end_date")]
    return SchoolTerm(term_id, odd.dcid, school, odd.ids.get("year_id", 0), value(Entity.TERMS, row, "name"), "", *days)


def with_stored_rows(
    planned: Iterable[DataSet], applied: LastImport, odd_rows: Sequence[UnreadableRecord], unnamed: Collection[str]
) -> tuple[DataSet, ...]:
    """Return the plan with what was applied of these records in place of what would become of them.

    `unnamed` are the records of sections whose course is in no catalog: if a course cannot be read, it may be theirs.
    """
    planned = tuple(planned)
    is_about = _is_about(odd_rows, unnamed)
    retained = {s.key: [row for row in applied.rows(s.key) if is_about(s.key.entity, row)] for s in planned}
    if not any(retained.values()):
        return planned
    courses = _ids(retained, Entity.SECTIONS, "course_id")
    users = _ids(retained, Entity.ENROLLMENTS, "user_id")
    return tuple(_merged(s, retained[s.key], applied, courses=courses, users=users) for s in planned)


def _is_about(odd_rows: Sequence[UnreadableRecord], unnamed: Collection[str]) -> Callable[[Entity, SisRow], bool]:
    """Return what says whether an applied row is about a record that cannot be read, by the name of its source."""
    sources = {odd.source for odd in odd_rows}
    pairs = {
        f"SECTIONS.DCID {odd.ids['section_dcid']}, STUDENTS.DCID {odd.ids['student_dcid']}"
        for odd in odd_rows
        if odd.record == ENROLLMENT and not cannot_be_placed(odd)
    }
    unnamed = unnamed if any(odd.record == "COURSES.DCID" for odd in odd_rows) else ()

    def is_about(entity: Entity, row: SisRow) -> bool:
        if entity is Entity.ENROLLMENTS:
            return row.source in pairs or not sources.isdisjoint(row.source.split(", "))
        return row.source in sources or (entity in (Entity.COURSES, Entity.SECTIONS) and row.source in unnamed)

    return is_about


def _ids(retained: Mapping[DataSetKey, Iterable[SisRow]], entity: Entity, column: str) -> set[str]:
    """Return what the retained rows of an entity refer to."""
    return {value(entity, row, column) for key, rows in retained.items() if key.entity is entity for row in rows}


def _merged(
    planned: DataSet,
    retained: Iterable[SisRow],
    applied: LastImport,
    *,
    courses: Collection[str],
    users: Collection[str],
) -> DataSet:
    entity = planned.key.entity
    rows = {row.key(entity): row for row in planned.rows}
    referred = {Entity.COURSES: courses, Entity.USERS: users}.get(entity, ())
    for row in applied.rows(planned.key) if referred else ():
        # The retained rows need their course and users, planned or not; such a course is not concluded.
        identity = row.key(entity)
        ends = entity is Entity.COURSES and identity in rows and value(entity, rows[identity], "status") == "completed"
        if identity[0] in referred and (identity not in rows or ends):
            rows[identity] = row
    rows |= {row.key(entity): row for row in retained}
    return DataSet(planned.key, in_order(rows.values()))
