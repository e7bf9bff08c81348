"""Retains the applied rows of records that cannot be read.

One odd row must neither stop a district nor end classes. Its content is unknown, so that everything about its record
stays: a person's user, a section with its course and enrollments, one enrollment, a course's name, a term's days. A
record of which nothing was applied yet is left out.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from shared.domain.provisioning.imports.last_import import LastImport, value
from shared.domain.provisioning.policy import ProvisioningPolicy
from shared.domain.provisioning.problems import RosterProblem, RosterProblemCode
from shared.domain.provisioning.roster import Roster, SchoolTerm, UnreadableRecord
from shared.domain.provisioning.rows.sis_rows import DataSet, DataSetKey, Entity, SisRow, in_order
from shared.domain.provisioning.rows.terms import term_day

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
