"""The plugin's named queries: what each returns, and which arguments and columns it declares.

They answer as the SQL in `deploy/powerschool-plugin` says: in `queries_root`, those of `passback totals` in `optional`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from operator import attrgetter
from types import SimpleNamespace
from typing import Final

from shared.sandbox.powerschool.rows import Enrollment, Section
from shared.sandbox.powerschool.state import PowerSchool
from shared.sandbox.powerschool.term_grades import term_grade

INDEX_MARGIN: Final = timedelta(days=60)
AFTER: Final = ("after_dcid", "after_id")
PROVISIONING: Final = "org.passback.sync.provisioning."
Arguments = Mapping[str, frozenset[int]]
Row = Mapping[str, object]
Joined = Mapping[str, object]
"""The records that are joined in one row, by name."""

by_dcid = attrgetter("dcid")


@dataclass(frozen=True, slots=True)
class PowerQuery:
    """A named query.

    `columns` has a line for each: its alias, the TABLE.FIELD that it needs, and the joined record and attribute of its
    value; a record that a left join did not find is absent. `key` are the columns that the rows are ordered by; the
    arguments of `AFTER` say after which of them rows begin. `arguments` are required arrays.
    """

    name: str
    core_table: str
    joined: Callable[[PowerSchool, Arguments], Iterable[Joined]]
    columns: str
    key: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()

    @property
    def grants(self) -> dict[str, str]:
        """Return the TABLE.FIELD of each alias."""
        return {alias: field for alias, field, _ in self._lines()}

    @property
    def positions(self) -> tuple[str, ...]:
        """Return the arguments that name the row after which rows begin."""
        return AFTER[: len(self.key)]

    def position(self, row: Row) -> tuple[int, ...]:
        """Return the values of the row's key; a join that found nothing counts as 0, as in the SQL."""
        return tuple(int(str(row.get(column) or 0)) for column in self.key)

    def rows(self, state: PowerSchool, arguments: Arguments) -> Iterable[Row]:
        """Yield the rows by alias, in their order."""
        columns = [(alias, *source.split(".")) for alias, _, source in self._lines()]
        for joined in self.joined(state, arguments):
            yield {
                alias: getattr(joined[record], attribute) for alias, record, attribute in columns if record in joined
            }

    def _lines(self) -> list[list[str]]:
        return [line.split() for line in self.columns.splitlines() if line.strip()]


def _asked_sections(state: PowerSchool, arguments: Arguments) -> list[Section]:
    """Return the known ones of the sections asked for, ordered as the SQL orders them."""
    return [state.sections[dcid] for dcid in sorted(arguments["section_dcids"] & state.sections.keys())]


def near_years(state: PowerSchool) -> set[int]:
    """Return the year ids of the school years that have a term no further than `INDEX_MARGIN` from today."""
    first, last = state.today() - INDEX_MARGIN, state.today() + INDEX_MARGIN
    return {term.year_id for term in state.terms.values() if term.first_day <= last and term.last_day >= first}


def near_sections(state: PowerSchool) -> list[Section]:
    """Return the sections of those years by SECTIONS.DCID."""
    years = near_years(state)
    return [each for each in sorted(state.sections.values(), key=by_dcid) if state.term_of(each).year_id in years]


def _enrollments_of(state: PowerSchool, sections: Iterable[Section]) -> list[Enrollment]:
    """Return every enrollment, ended and dropped ones included, by CC.DCID."""
    rows = (row for section in sections for row in state.rosters[section.dcid])
    return sorted((row for row in rows if row.student_dcid in state.students), key=by_dcid)


def _section_rows(state: PowerSchool, arguments: Arguments) -> Iterable[Joined]:
    return ({"section": each, "term": state.term_of(each)} for each in _asked_sections(state, arguments))


def _index_rows(state: PowerSchool, _arguments: Arguments) -> Iterable[Joined]:
    return ({"section": section} for section in near_sections(state))


def _roster_rows(state: PowerSchool, arguments: Arguments) -> Iterable[Joined]:
    rows = _enrollments_of(state, _asked_sections(state, arguments))
    return ({"enrollment": row, "student": state.students[row.student_dcid]} for row in rows)


def _gradebook_rows(state: PowerSchool, arguments: Arguments) -> Iterable[Joined]:
    """Return each assignment section, left-joined with its scores where they are asked for."""
    sections = _asked_sections(state, arguments)
    rows = {key: row for section in sections for key, row in state.gradebooks[section.dcid].items()}
    for key, row in sorted(rows.items()):
        joined: Joined = {"row": row, "assignment": state.assignments[row.assignment_id]}
        scores = row.scores if key in arguments["score_section_ids"] else {}
        if not scores:
            yield joined
        for student_dcid, score in sorted(scores.items()):
            yield {**joined, "student": SimpleNamespace(dcid=student_dcid), "score": score}


def _schools(state: PowerSchool, _arguments: Arguments) -> Iterable[Joined]:
    return ({"school": school} for school in sorted(state.schools.values(), key=by_dcid))


def _terms(state: PowerSchool, _arguments: Arguments) -> Iterable[Joined]:
    years = near_years(state)
    return ({"term": term} for term in sorted(state.terms.values(), key=by_dcid) if term.year_id in years)


def _courses(state: PowerSchool, _arguments: Arguments) -> Iterable[Joined]:
    used = {section.course_number for section in near_sections(state)}
    return ({"course": course} for course in sorted(state.courses.values(), key=by_dcid) if course.number in used)


def section_teacher_id(section: Section, number: int) -> int:
    """Return SECTIONTEACHER.ID of the section's teacher of that number."""
    return section.dcid * 100 + number


def _sections(state: PowerSchool, _arguments: Arguments) -> Iterable[Joined]:
    """Return each section, left-joined with its co-teachers who have not left."""
    for section in near_sections(state):
        day = min(state.today(), state.term_of(section).last_day)
        others = [
            {"section": section, "co": teacher, "row": SimpleNamespace(id=section_teacher_id(section, number))}
            for number, teacher in enumerate(section.teachers)
            if teacher.users_dcid != section.lead and (teacher.end_date is None or teacher.end_date >= day)
        ]
        yield from others or [{"section": section}]


def _staff(state: PowerSchool, _arguments: Arguments) -> Iterable[Joined]:
    leads = {section.lead for section in near_sections(state)}
    shown = {member.dcid for member in state.staff.values() if member.active or member.dcid in leads}
    staff = sorted(state.staff.values(), key=attrgetter("dcid", "staff_id"))
    return ({"staff": member} for member in staff if member.dcid in shown)


def _students(state: PowerSchool, _arguments: Arguments) -> Iterable[Joined]:
    """Return each student, left-joined with the e-mail addresses."""
    enrolled = {row.student_dcid for row in _enrollments_of(state, near_sections(state))}
    for student in sorted(state.students.values(), key=by_dcid):
        if student.enroll_status != 0 and student.dcid not in enrolled:
            continue
        if not student.emails:
            yield {"student": student}
        for number, address in enumerate(student.emails, 1):
            email = SimpleNamespace(
                id=student.dcid * 10 + number, address=address, is_primary=address == student.email, priority=number
            )
            yield {"student": student, "email": email}


def _enrollments(state: PowerSchool, _arguments: Arguments) -> Iterable[Joined]:
    return ({"enrollment": row} for row in _enrollments_of(state, near_sections(state)))


def _grade_rows(state: PowerSchool, arguments: Arguments) -> Iterable[Joined]:
    for section in _asked_sections(state, arguments):
        for student_dcid in sorted({row.student_dcid for row in state.rosters[section.dcid]}):
            grade = term_grade(state, section, student_dcid)
            if grade is not None:
                yield {"section": section, "grade": grade}


def _formula_rows(state: PowerSchool, arguments: Arguments) -> Iterable[Joined]:
    """Return a row per weighted category, and one for a section that calculates by total points."""
    for section in _asked_sections(state, arguments):
        kind = SimpleNamespace(type="Category_Weighting" if section.category_weights else "Total_Points")
        joined: Joined = {"section": section, "term": state.term_of(section), "kind": kind}
        if not section.category_weights:
            yield joined
        for category_id, weight in section.category_weights.items():
            category = state.categories.get(category_id)
            district_id = category.district_id if category else None
            yield {**joined, "weight": SimpleNamespace(weight=weight, category_id=category_id, district_id=district_id)}


_INDEX_COLUMNS: Final = """
    section_dcid sections.dcid section.dcid
    section_id sections.id section.id
    school_number sections.schoolid section.school_number
    course_number sections.course_number section.course_number
    section_number sections.section_number section.section_number
    term_id sections.termid section.term_id
"""
_ENROLLMENT_COLUMNS: Final = """
    enrollment_dcid cc.dcid enrollment.dcid
    section_dcid sections.dcid enrollment.section_dcid
    student_dcid students.dcid enrollment.student_dcid
    entry_date cc.dateenrolled enrollment.entry_date
    exit_date cc.dateleft enrollment.exit_date
    is_dropped cc.sectionid enrollment.dropped
"""

_ALL = (
    PowerQuery(
        "org.passback.sync.roster.sections", "sections", _section_rows, key=("section_dcid",),
        arguments=("section_dcids",),
        columns=_INDEX_COLUMNS + """
            year_id terms.yearid term.year_id
            first_day terms.firstday term.first_day
            last_day terms.lastday term.last_day
            teacher_users_dcid schoolstaff.users_dcid section.lead
        """,
    ),
    PowerQuery(
        "org.passback.sync.roster.section_index", "sections", _index_rows, key=("section_dcid",), columns=_INDEX_COLUMNS
    ),
    PowerQuery(
        "org.passback.sync.roster.students", "students", _roster_rows, key=("enrollment_dcid",),
        arguments=("section_dcids",),
        columns=_ENROLLMENT_COLUMNS + """
            student_number students.student_number student.number
            enroll_status students.enroll_status student.enroll_status
        """,
    ),
    PowerQuery(
        "org.passback.sync.gradebook.state", "assignmentsection", _gradebook_rows,
        arguments=("section_dcids", "score_section_ids"),
        columns="""
            section_dcid assignmentsection.sectionsdcid row.section_dcid
            assignment_id assignmentsection.assignmentid row.assignment_id
            assignment_section_id assignmentsection.assignmentsectionid row.assignment_section_id
            name assignmentsection.name row.name
            due_date assignmentsection.duedate row.due_date
            description assignmentsection.description row.description
            points assignmentsection.scoreentrypoints row.points
            category_id assignmentcategoryassoc.teachercategoryid row.category_id
            created_by_plugin assignment.createdbyplugin assignment.created_by_plugin
            is_counted assignmentsection.iscountedinfinalgrade row.counted
            scores_published assignmentsection.isscorespublish row.scores_published
            weight assignmentsection.weight row.weight
            score_type assignmentsection.scoretype row.score_type
            student_dcid assignmentscore.studentsdcid student.dcid
            score_points assignmentscore.scorepoints score.points
            score_kind assignmentscore.actualscorekind score.kind
            is_missing assignmentscore.ismissing score.missing
            is_exempt assignmentscore.isexempt score.exempt
            is_late assignmentscore.islate score.late
            is_collected assignmentscore.iscollected score.collected
            is_absent assignmentscore.isabsent score.absent
            is_incomplete assignmentscore.isincomplete score.incomplete
        """,
    ),
    PowerQuery(
        f"{PROVISIONING}schools", "schools", _schools, key=("school_dcid",),
        columns="""
            school_number schools.school_number school.number
            school_dcid schools.dcid school.dcid
            school_name schools.name school.name
        """,
    ),
    PowerQuery(
        f"{PROVISIONING}terms", "terms", _terms, key=("term_dcid",),
        columns="""
            term_id terms.id term.id
            term_dcid terms.dcid term.dcid
            school_number terms.schoolid term.school_number
            year_id terms.yearid term.year_id
            term_name terms.name term.name
            abbreviation terms.abbreviation term.abbreviation
            first_day terms.firstday term.first_day
            last_day terms.lastday term.last_day
        """,
    ),
    PowerQuery(
        f"{PROVISIONING}courses", "courses", _courses, key=("course_dcid",),
        columns="""
            course_dcid courses.dcid course.dcid
            course_number courses.course_number course.number
            course_name courses.course_name course.name
            school_number courses.schoolid course.school_number
        """,
    ),
    PowerQuery(
        f"{PROVISIONING}sections", "sections", _sections, key=("section_dcid", "section_teacher_id"),
        columns=_INDEX_COLUMNS + """
            lead_users_dcid schoolstaff.users_dcid section.lead
            co_users_dcid schoolstaff.users_dcid co.users_dcid
            section_teacher_id sectionteacher.id row.id
            co_role_id sectionteacher.roleid co.role_id
            co_first_day sectionteacher.start_date co.start_date
            co_last_day sectionteacher.end_date co.end_date
        """,
    ),
    PowerQuery(
        f"{PROVISIONING}staff", "users", _staff, key=("users_dcid", "staff_id"),
        columns="""
            users_dcid users.dcid staff.dcid
            teacher_number users.teachernumber staff.teacher_number
            first_name users.first_name staff.first_name
            last_name users.last_name staff.shown_last_name
            email users.email_addr staff.email
            staff_id schoolstaff.id staff.staff_id
            school_number schoolstaff.schoolid staff.school_number
            status schoolstaff.status staff.status
        """,
    ),
    PowerQuery(
        f"{PROVISIONING}students", "students", _students, key=("student_dcid", "email_id"),
        columns="""
            student_dcid students.dcid student.dcid
            student_number students.student_number student.number
            first_name students.first_name student.first_name
            last_name students.last_name student.shown_last_name
            school_number students.schoolid student.school_number
            enroll_status students.enroll_status student.enroll_status
            email_id personemailaddressassoc.emailaddressid email.id
            email emailaddress.emailaddress email.address
            is_primary personemailaddressassoc.isprimaryemailaddress email.is_primary
            priority personemailaddressassoc.emailaddresspriorityorder email.priority
        """,
    ),
    PowerQuery(
        f"{PROVISIONING}enrollments", "cc", _enrollments, key=("enrollment_dcid",), columns=_ENROLLMENT_COLUMNS
    ),
    PowerQuery(
        "org.passback.sync.totals.term_grades", "pgfinalgrades", _grade_rows, arguments=("section_dcids",),
        columns="""
            section_dcid sections.dcid section.dcid
            student_dcid students.dcid grade.student_dcid
            store_code pgfinalgrades.finalgradename grade.store_code
            letter pgfinalgrades.grade grade.letter
            grade_percent pgfinalgrades.percent grade.percent
            first_day pgfinalgrades.startdate grade.first_day
            last_day pgfinalgrades.enddate grade.last_day
        """,
    ),
    PowerQuery(
        "org.passback.sync.totals.formulas", "gradecalculationtype", _formula_rows, arguments=("section_dcids",),
        columns="""
            section_dcid sections.dcid section.dcid
            store_code termbins.storecode term.abbreviation
            first_day termbins.date1 term.first_day
            last_day termbins.date2 term.last_day
            calculation gradecalculationtype.type kind.type
            category_id gradecalcformulaweight.teachercategoryid weight.category_id
            district_category_id gradecalcformulaweight.districtteachercategoryid weight.district_id
            category_weight gradecalcformulaweight.weight weight.weight
        """,
    ),
)  # fmt: skip
QUERIES: Final = {query.name: query for query in _ALL}
PROVISIONING_QUERIES: Final = {name: query for name, query in QUERIES.items() if name.startswith(PROVISIONING)}
