"""The plugin's named queries: what each returns, and which arguments and columns it declares.

They answer as the SQL in `deploy/powerschool-plugin/queries_root` says.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from shared.sandbox.powerschool.rows import AssignmentSection, Score, Section
from shared.sandbox.powerschool.state import PowerSchool

INDEX_MARGIN = timedelta(days=60)
AFTER = ("after_dcid", "after_id")
Arguments = Mapping[str, frozenset[int]]
Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class PowerQuery:
    """A named query. `arguments` are required arrays; `columns` maps each alias to the TABLE.FIELD it needs.

    `key` are the columns that its rows are in order of; the arguments of `AFTER` say after which of them rows begin.
    """

    name: str
    core_table: str
    arguments: tuple[str, ...]
    columns: Mapping[str, str]
    rows: Callable[[PowerSchool, Arguments], Iterable[Row]]
    key: tuple[str, ...] = ()

    @property
    def positions(self) -> tuple[str, ...]:
        """Return the arguments that name the row after which rows begin."""
        return AFTER[: len(self.key)]

    def position(self, row: Row) -> tuple[int, ...]:
        """Return where the row stands; a join that found nothing counts as 0, as the SQL has it."""
        return tuple(int(str(row.get(column) or 0)) for column in self.key)


def _sections(state: PowerSchool, arguments: Arguments) -> list[Section]:
    """Return the known ones of the sections asked for, ordered as the SQL orders them."""
    return [state.sections[dcid] for dcid in sorted(arguments["section_dcids"]) if dcid in state.sections]


def near_years(state: PowerSchool) -> set[int]:
    """Return the year ids of the school years that have a term no further than `INDEX_MARGIN` from today."""
    first, last = state.today() - INDEX_MARGIN, state.today() + INDEX_MARGIN
    return {term.year_id for term in state.terms.values() if term.first_day <= last and term.last_day >= first}


def near_sections(state: PowerSchool) -> list[Section]:
    """Return the sections of those years by SECTIONS.DCID."""
    years = near_years(state)
    sections = (state.sections[dcid] for dcid in sorted(state.sections))
    return [section for section in sections if state.term_of(section).year_id in years]


def _index_row(section: Section) -> Row:
    return {
        "section_dcid": section.dcid,
        "section_id": section.id,
        "school_number": section.school_number,
        "course_number": section.course_number,
        "section_number": section.section_number,
        "term_id": section.term_id,
    }


def _section_rows(state: PowerSchool, arguments: Arguments) -> Iterable[Row]:
    for section in _sections(state, arguments):
        term = state.term_of(section)
        yield {
            **_index_row(section),
            "year_id": term.year_id,
            "first_day": term.first_day,
            "last_day": term.last_day,
            "teacher_users_dcid": section.lead,
        }


def _index_rows(state: PowerSchool, _arguments: Arguments) -> Iterable[Row]:
    """Return the sections of the school years under way or near."""
    return (_index_row(section) for section in near_sections(state))


def _student_rows(state: PowerSchool, arguments: Arguments) -> Iterable[Row]:
    """Return every enrollment, ended and dropped ones included, by CC.DCID."""
    rows = (row for section in _sections(state, arguments) for row in state.rosters[section.dcid])
    for row in sorted(rows, key=lambda row: row.dcid):
        student = state.students[row.student_dcid]
        yield {
            "enrollment_dcid": row.dcid,
            "section_dcid": row.section_dcid,
            "student_dcid": student.dcid,
            "student_number": student.number,
            "entry_date": row.entry_date,
            "exit_date": row.exit_date,
            "is_dropped": row.dropped,
            "enroll_status": student.enroll_status,
        }


def _gradebook_rows(state: PowerSchool, arguments: Arguments) -> Iterable[Row]:
    """Return each assignment section, left-joined with its scores where they are asked for."""
    sections = _sections(state, arguments)
    rows = {key: row for section in sections for key, row in state.gradebooks[section.dcid].items()}
    for key, row in sorted(rows.items()):
        columns = _assignment_columns(state, row)
        scores = row.scores if key in arguments["score_section_ids"] else {}
        if not scores:
            yield columns
        for student_dcid, score in sorted(scores.items()):
            yield {**columns, "student_dcid": student_dcid, **_score_columns(score)}


def _assignment_columns(state: PowerSchool, row: AssignmentSection) -> Row:
    return {
        "section_dcid": row.section_dcid,
        "assignment_id": row.assignment_id,
        "assignment_section_id": row.assignment_section_id,
        "name": row.name,
        "due_date": row.due_date,
        "description": row.description,
        "points": row.points,
        "category_id": row.category_id,
        "created_by_plugin": state.assignments[row.assignment_id].created_by_plugin,
        "is_counted": row.counted,
        "scores_published": row.scores_published,
        "weight": row.weight,
        "score_type": row.score_type,
    }


def _score_columns(score: Score) -> Row:
    return {
        "score_points": score.points,
        "score_kind": score.kind,
        "is_missing": score.missing,
        "is_exempt": score.exempt,
        "is_late": score.late,
        "is_collected": score.collected,
        "is_absent": score.absent,
        "is_incomplete": score.incomplete,
    }


INDEX_COLUMNS = {
    "section_dcid": "sections.dcid",
    "section_id": "sections.id",
    "school_number": "sections.schoolid",
    "course_number": "sections.course_number",
    "section_number": "sections.section_number",
    "term_id": "sections.termid",
}

QUERIES = {
    query.name: query
    for query in (
        PowerQuery(
            "org.passback.sync.roster.sections",
            "sections",
            ("section_dcids",),
            {
                **INDEX_COLUMNS,
                "year_id": "terms.yearid",
                "first_day": "terms.firstday",
                "last_day": "terms.lastday",
                "teacher_users_dcid": "schoolstaff.users_dcid",
            },
            _section_rows,
            ("section_dcid",),
        ),
        PowerQuery(
            "org.passback.sync.roster.section_index", "sections", (), INDEX_COLUMNS, _index_rows, ("section_dcid",)
        ),
        PowerQuery(
            "org.passback.sync.roster.students",
            "students",
            ("section_dcids",),
            {
                "enrollment_dcid": "cc.dcid",
                "section_dcid": "sections.dcid",
                "student_dcid": "students.dcid",
                "student_number": "students.student_number",
                "entry_date": "cc.dateenrolled",
                "exit_date": "cc.dateleft",
                "is_dropped": "cc.sectionid",
                "enroll_status": "students.enroll_status",
            },
            _student_rows,
            ("enrollment_dcid",),
        ),
        PowerQuery(
            "org.passback.sync.gradebook.state",
            "assignmentsection",
            ("section_dcids", "score_section_ids"),
            {
                "section_dcid": "assignmentsection.sectionsdcid",
                "assignment_id": "assignmentsection.assignmentid",
                "assignment_section_id": "assignmentsection.assignmentsectionid",
                "name": "assignmentsection.name",
                "due_date": "assignmentsection.duedate",
                "description": "assignmentsection.description",
                "points": "assignmentsection.scoreentrypoints",
                "category_id": "assignmentcategoryassoc.teachercategoryid",
                "created_by_plugin": "assignment.createdbyplugin",
                "is_counted": "assignmentsection.iscountedinfinalgrade",
                "scores_published": "assignmentsection.isscorespublish",
                "weight": "assignmentsection.weight",
                "score_type": "assignmentsection.scoretype",
                "student_dcid": "assignmentscore.studentsdcid",
                "score_points": "assignmentscore.scorepoints",
                "score_kind": "assignmentscore.actualscorekind",
                "is_missing": "assignmentscore.ismissing",
                "is_exempt": "assignmentscore.isexempt",
                "is_late": "assignmentscore.islate",
                "is_collected": "assignmentscore.iscollected",
                "is_absent": "assignmentscore.isabsent",
                "is_incomplete": "assignmentscore.isincomplete",
            },
            _gradebook_rows,
        ),
    )
}
