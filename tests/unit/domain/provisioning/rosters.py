"""One valid school with two algebra sections; tests change one thing of it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from zoneinfo import ZoneInfo

from shared.domain.provisioning.imports.corrections import NOTHING_KNOWN, CanvasUsers, corrections_before
from shared.domain.provisioning.plan import ImportPlan, plan_roster
from shared.domain.provisioning.policy import CoursePer, ProvisioningPolicy, SisIdTemplate
from shared.domain.provisioning.problems import RosterProblemCode
from shared.domain.provisioning.roster import (
    CatalogCourse,
    ClassEnrollment,
    ClassSection,
    Roster,
    School,
    SchoolTerm,
    StaffMember,
    Student,
    TeachingAssignment,
)
from shared.domain.provisioning.rows.sis_rows import ChangedRow, DataSet, DataSetKey, Entity, SisRow, in_order, value

CHICAGO = ZoneInfo("America/Chicago")
FIRST_DAY, LAST_DAY, TODAY = date(2026, 8, 17), date(2026, 12, 18), date(2026, 10, 5)
FALL = SchoolTerm(3601, 41, 100, 36, "Fall", "F", FIRST_DAY, LAST_DAY)
SPRING = SchoolTerm(3602, 42, 100, 36, "Spring", "S", date(2027, 1, 11), date(2027, 5, 28))

POLICY = ProvisioningPolicy(
    zone=CHICAGO,
    section_sis_id=SisIdTemplate("{section_dcid}"),
    course_sis_id=SisIdTemplate("{section_dcid}"),
    student_sis_id=SisIdTemplate("{student_number}"),
    staff_sis_id=SisIdTemplate("T{teacher_number}"),
    term_sis_id=SisIdTemplate("{school_number}-{term_id}"),
    student_login_id=SisIdTemplate("{student_number}"),
    staff_login_id=SisIdTemplate("T{teacher_number}"),
)
PER_TEACHER = replace(
    POLICY, course_per=CoursePer.TEACHER, course_sis_id=SisIdTemplate("{term_id}-{course_number}-T{teacher_number}")
)


@dataclass(frozen=True, slots=True)
class WholePlan(ImportPlan):
    """A plan with what must come before it."""

    corrections: tuple[DataSet, ...] = ()


def teacher(users_dcid: int, **changes: object) -> StaffMember:
    """Return a teacher of the school, whose number is like the DCID."""
    email = f"t{users_dcid}@district.example"
    valid = StaffMember(users_dcid, str(users_dcid), "Tea", f"Cher{users_dcid}", email, (100,))
    return replace(valid, **changes)  # type: ignore[arg-type]


def student(dcid: int, **changes: object) -> Student:
    """Return a student of the school, whose number is the DCID and a thousand."""
    valid = Student(dcid, str(dcid + 1000), "Stu", f"Dent{dcid}", f"s{dcid}@district.example", 100)
    return replace(valid, **changes)  # type: ignore[arg-type]


def section(dcid: int, lead: int | None = 900, *co_teachers: int, **changes: object) -> ClassSection:
    """Return an algebra section of the fall."""
    leads = () if lead is None else (TeachingAssignment(lead, is_lead=True),)
    teachers = (*leads, *(TeachingAssignment(users_dcid, is_lead=False) for users_dcid in co_teachers))
    valid = ClassSection(dcid, dcid + 5000, 100, 3601, "ALG1", str(dcid % 100), teachers)
    return replace(valid, **changes)  # type: ignore[arg-type]


def enrolled(section_dcid: int, student_dcid: int, **changes: object) -> ClassEnrollment:
    """Return an enrollment from the first day on."""
    return replace(ClassEnrollment(section_dcid, student_dcid, FIRST_DAY), **changes)  # type: ignore[arg-type]


ROSTER = Roster(
    schools=(School(100, 7, "North"),),
    terms=(FALL,),
    courses=(CatalogCourse("ALG1", "Algebra 1", 0),),
    sections=(section(4001), section(4002)),
    staff=(teacher(900), teacher(901)),
    students=(student(501), student(502)),
    enrollments=(enrolled(4001, 501), enrolled(4002, 502)),
)


def roster(**changes: object) -> Roster:
    """Return the valid roster with these kinds of rows replaced."""
    return replace(ROSTER, **changes)  # type: ignore[arg-type]


def plan(
    of: Roster = ROSTER,
    policy: ProvisioningPolicy = POLICY,
    today: date = TODAY,
    applied: Iterable[DataSet] = (),
    canvas: CanvasUsers = NOTHING_KNOWN,
) -> WholePlan:
    """Return the plan of the roster."""
    applied = tuple(applied)
    found = plan_roster(of, policy, today, applied, canvas)
    corrections = corrections_before(found.data_sets, applied, found.id_changes, canvas)
    return WholePlan(found.data_sets, found.problems, found.id_changes, found.deviating_ids, corrections=corrections)


def rows(plan: ImportPlan, entity: Entity, term: str | None = None) -> list[SisRow]:
    """Return an entity's rows, of all terms or of one."""
    return [r for s in plan.data_sets if s.key.entity is entity and term in (None, s.key.term_sis_id) for r in s.rows]


def column(plan: ImportPlan, entity: Entity, name: str) -> dict[str, str]:
    """Return what an entity's rows have in a column, by their keys joined with slashes."""
    return {"/".join(row.key(entity)): value(entity, row, name) for row in rows(plan, entity)}


def problems(plan: ImportPlan) -> list[tuple[RosterProblemCode, str]]:
    """Return the problems' codes and records."""
    return [(p.code, p.source) for p in plan.problems]


def data_set(plan: ImportPlan, entity: Entity, term: str = "100-3601") -> DataSet:
    """Return one data set."""
    return next(s for s in plan.data_sets if s.key == DataSetKey(entity, term))


def with_changes(before: DataSet | None, key: DataSetKey, changes: Iterable[ChangedRow]) -> DataSet:
    """Return the data set once the changes are applied."""
    entity = key.entity
    rows = {row.key(entity): row for row in (before.rows if before else ())}
    for change in changes:
        if change.after is not None:
            rows[change.after.key(entity)] = change.after
        elif change.before is not None:
            del rows[change.before.key(entity)]
    return DataSet(key, in_order(rows.values()))
