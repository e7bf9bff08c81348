"""The plugin's named queries: what each returns, and which arguments and columns it declares.

They answer as the SQL in `deploy/powerschool-plugin/queries_root` says.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace

from shared.sandbox.powerschool.rows import Section
from shared.sandbox.powerschool.state import PowerSchool

INDEX_MARGIN = timedelta(days=60)
AFTER = ("after_dcid", "after_id")
Arguments = Mapping[str, frozenset[int]]
Row = Mapping[str, object]
Joined = Mapping[str, object]
"""The records that are joined in one row, by name."""


@dataclass(frozen=True, slots=True)
class PowerQuery:
    """A named query.

    `columns` maps each alias to the TABLE.FIELD that it needs, and to the joined record and the attribute of its value;
    a record that a left join did not find is absent. `key` are the columns that the rows are ordered by; the arguments
    of `AFTER` say after which of them rows begin. `arguments` are required arrays.
    """

    name: str
    core_table: str
    columns: Mapping[str, tuple[str, str, str]]
    joined: Callable[[PowerSchool, Arguments], Iterable[Joined]]
    key: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()

    @property
    def grants(self) -> dict[str, str]:
        """Return the TABLE.FIELD of each alias."""
        return {alias: field for alias, (field, _, _) in self.columns.items()}

    @property
    def positions(self) -> tuple[str, ...]:
        """Return the arguments that name the row after which rows begin."""
        return AFTER[: len(self.key)]

    def position(self, row: Row) -> tuple[int, ...]:
        """Return the values of the row's key; a join that found nothing counts as 0, as in the SQL."""
        return tuple(int(str(row.get(column) or 0)) for column in self.key)

    def rows(self, state: PowerSchool, arguments: Arguments) -> Iterable[Row]:
        """Yield the rows by alias, in their order."""
        columns = [(alias, record, attribute) for alias, (_, record, attribute) in self.columns.items()]
        for joined in self.joined(state, arguments):
            yield {
                alias: getattr(joined[record], attribute) for alias, record, attribute in columns if record in joined
            }


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


def _section_rows(state: PowerSchool, arguments: Arguments) -> Iterable[Joined]:
    for section in _sections(state, arguments):
        yield {"section": section, "term": state.term_of(section)}


def _index_rows(state: PowerSchool, _arguments: Arguments) -> Iterable[Joined]:
    """Return the sections of the school years under way or near."""
    return ({"section": section} for section in near_sections(state))


def _student_rows(state: PowerSchool, arguments: Arguments) -> Iterable[Joined]:
    """Return every enrollment, ended and dropped ones included, by CC.DCID."""
    rows = (row for section in _sections(state, arguments) for row in state.rosters[section.dcid])
    for row in sorted(rows, key=lambda row: row.dcid):
        yield {"enrollment": row, "student": state.students[row.student_dcid]}


def _gradebook_rows(state: PowerSchool, arguments: Arguments) -> Iterable[Joined]:
    """Return each assignment section, left-joined with its scores where they are asked for."""
    sections = _sections(state, arguments)
    rows = {key: row for section in sections for key, row in state.gradebooks[section.dcid].items()}
    for key, row in sorted(rows.items()):
        joined: Joined = {"row": row, "assignment": state.assignments[row.assignment_id]}
        scores = row.scores if key in arguments["score_section_ids"] else {}
        if not scores:
            yield joined
        for student_dcid, score in sorted(scores.items()):
            yield {**joined, "student": SimpleNamespace(dcid=student_dcid), "score": score}


INDEX_COLUMNS = {
    "section_dcid": ("sections.dcid", "section", "dcid"),
    "section_id": ("sections.id", "section", "id"),
    "school_number": ("sections.schoolid", "section", "school_number"),
    "course_number": ("sections.course_number", "section", "course_number"),
    "section_number": ("sections.section_number", "section", "section_number"),
    "term_id": ("sections.termid", "section", "term_id"),
}

QUERIES = {
    query.name: query
    for query in (
        PowerQuery(
            "org.passback.sync.roster.sections",
            "sections",
            INDEX_COLUMNS
            | {
                "year_id": ("terms.yearid", "term", "year_id"),
                "first_day": ("terms.firstday", "term", "first_day"),
                "last_day": ("terms.lastday", "term", "last_day"),
                "teacher_users_dcid": ("schoolstaff.users_dcid", "section", "lead"),
            },
            _section_rows,
            ("section_dcid",),
            ("section_dcids",),
        ),
        PowerQuery("org.passback.sync.roster.section_index", "sections", INDEX_COLUMNS, _index_rows, ("section_dcid",)),
        PowerQuery(
            "org.passback.sync.roster.students",
            "students",
            {
                "enrollment_dcid": ("cc.dcid", "enrollment", "dcid"),
                "section_dcid": ("sections.dcid", "enrollment", "section_dcid"),
                "student_dcid": ("students.dcid", "student", "dcid"),
                "student_number": ("students.student_number", "student", "number"),
                "entry_date": ("cc.dateenrolled", "enrollment", "entry_date"),
                "exit_date": ("cc.dateleft", "enrollment", "exit_date"),
                "is_dropped": ("cc.sectionid", "enrollment", "dropped"),
                "enroll_status": ("students.enroll_status", "student", "enroll_status"),
            },
            _student_rows,
            ("enrollment_dcid",),
            ("section_dcids",),
        ),
        PowerQuery(
            "org.passback.sync.gradebook.state",
            "assignmentsection",
            {
                "section_dcid": ("assignmentsection.sectionsdcid", "row", "section_dcid"),
                "assignment_id": ("assignmentsection.assignmentid", "row", "assignment_id"),
                "assignment_section_id": ("assignmentsection.assignmentsectionid", "row", "assignment_section_id"),
                "name": ("assignmentsection.name", "row", "name"),
                "due_date": ("assignmentsection.duedate", "row", "due_date"),
                "description": ("assignmentsection.description", "row", "description"),
                "points": ("assignmentsection.scoreentrypoints", "row", "points"),
                "category_id": ("assignmentcategoryassoc.teachercategoryid", "row", "category_id"),
                "created_by_plugin": ("assignment.createdbyplugin", "assignment", "created_by_plugin"),
                "is_counted": ("assignmentsection.iscountedinfinalgrade", "row", "counted"),
                "scores_published": ("assignmentsection.isscorespublish", "row", "scores_published"),
                "weight": ("assignmentsection.weight", "row", "weight"),
                "score_type": ("assignmentsection.scoretype", "row", "score_type"),
                "student_dcid": ("assignmentscore.studentsdcid", "student", "dcid"),
                "score_points": ("assignmentscore.scorepoints", "score", "points"),
                "score_kind": ("assignmentscore.actualscorekind", "score", "kind"),
                "is_missing": ("assignmentscore.ismissing", "score", "missing"),
                "is_exempt": ("assignmentscore.isexempt", "score", "exempt"),
                "is_late": ("assignmentscore.islate", "score", "late"),
                "is_collected": ("assignmentscore.iscollected", "score", "collected"),
                "is_absent": ("assignmentscore.isabsent", "score", "absent"),
                "is_incomplete": ("assignmentscore.isincomplete", "score", "incomplete"),
            },
            _gradebook_rows,
            arguments=("section_dcids", "score_section_ids"),
        ),
    )
}
