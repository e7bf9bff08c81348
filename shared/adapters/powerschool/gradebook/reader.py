"""Reads PowerSchool's gradebook: assignments with scores by one PowerQuery of the plugin, and categories.

The query joins: every score comes with all columns of its assignment, thousands of rows for a course.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import msgspec
import structlog
from pydantic import AliasChoices, Field, TypeAdapter, ValidationError, model_validator

from shared.adapters.http.response import ApiResponse, UnreadableRow
from shared.adapters.http.wire import (
    AnyText,
    Date,
    FirstId,
    Flag,
    Number,
    OptionalFlag,
    OptionalId,
    OptionalNumber,
    Wire,
    without_nulls,
)
from shared.adapters.powerschool.client import PowerSchoolApi
from shared.adapters.powerschool.pagination import page_of
from shared.adapters.powerschool.powerqueries import MAX_IDS_PER_CALL, PowerQueries
from shared.adapters.redis.cache import JsonCache
from shared.domain.passback.powerschool import NO_MARKS, ActualAssignment, Mark, RosteredSection, Score, TeacherCategory
from shared.domain.passback.rules.score import is_reckonable
from shared.domain.plugin import STATE_QUERY
from shared.errors import IncompleteRead
from shared.log_events import LogEvent

log = structlog.get_logger()

# An empty list is no valid IN list, and no id is 0.
NO_ID = 0
# How old a teacher's cached categories may be. A missing category refreshes them sooner.
CATEGORY_MAX_AGE = timedelta(minutes=10)
SCORE_CODE = "SCORE_CODE"


class GradebookRow(msgspec.Struct, frozen=True, gc=False):
    """A `StateRow` in the documented form of PowerQueries, decoded several times faster: text, nulls left out."""

    section_dcid: int
    assignment_id: int
    assignment_section_id: int
    name: str
    due_date: date
    points: Decimal
    description: str = ""
    category_id: int | None = None
    created_by_plugin: str | None = None
    student_dcid: int | None = None
    score_points: Decimal | None = None
    score_kind: str = ""
    is_missing: bool = False
    is_exempt: bool = False
    is_counted: bool | None = None
    scores_published: bool | None = None
    weight: Decimal | None = None
    score_type: str | None = None
    is_late: bool | None = None
    is_collected: bool | None = None
    is_absent: bool | None = None
    is_incomplete: bool | None = None

    def __post_init__(self) -> None:
        """Leave a number such as `NaN`, which a `Decimal` takes, to `StateRow`."""
        if not (is_reckonable(self.points) and is_reckonable(self.score_points) and is_reckonable(self.weight)):
            raise ValueError("a number out of range")


class StateRow(Wire):
    """A row of `org.passback.sync.gradebook.state`: an assignment section, with one of its scores if it has any.

    The query of earlier versions of the plugin does not have what is None by default. Nulls are usually left out.
    """

    section_dcid: int
    assignment_id: int
    assignment_section_id: int
    name: AnyText
    due_date: Date
    description: AnyText = ""
    points: Number
    category_id: OptionalId = None
    created_by_plugin: AnyText | None = None
    student_dcid: OptionalId = None
    score_points: OptionalNumber = None
    score_kind: str = ""
    is_missing: Flag = False
    is_exempt: Flag = False
    is_counted: OptionalFlag = None
    scores_published: OptionalFlag = None
    weight: OptionalNumber = None
    score_type: AnyText | None = None
    is_late: OptionalFlag = None
    is_collected: OptionalFlag = None
    is_absent: OptionalFlag = None
    is_incomplete: OptionalFlag = None

    _drop_nulls = model_validator(mode="before")(without_nulls)


class FastRows(msgspec.Struct, frozen=True):
    """The query's response. `count` is how many rows there are, None where PowerSchool does not say."""

    record: list[GradebookRow] = []
    count: int | None = None


DECODER = msgspec.json.Decoder(FastRows, strict=False)
_STATE_ROWS = TypeAdapter(list[StateRow])
IDENTIFYING_COLUMNS = ("section_dcid", "assignment_id", "assignment_section_id")
# The columns of a score; every other one is its assignment's.
SCORE_COLUMNS = frozenset({"student_dcid", "score_points", "score_kind", "is_missing", "is_exempt"}) | {
    f"is_{mark}" for mark in Mark
}


def read_assignments(
    queries: PowerQueries, sections: Sequence[RosteredSection], scores_of: Collection[int]
) -> tuple[ActualAssignment, ...]:
    """Return every assignment of the sections, with scores for the assignment sections in `scores_of`.

    An unreadable list is an error, never "there are none". Raises: QueryUnavailable, IncompleteRead.
    """
    if not sections:
        return ()
    section_dcids, score_ids = [section.dcid for section in sections], sorted(scores_of)
    rows: list[GradebookRow | StateRow] = []
    all_odd: list[UnreadableRow] = []
    for start in range(0, max(len(score_ids), 1), MAX_IDS_PER_CALL):
        batch = score_ids[start : start + MAX_IDS_PER_CALL] or [NO_ID]
        response = queries.fetch(STATE_QUERY, {"section_dcids": section_dcids, "score_section_ids": batch}, DECODER)
        fast = response.decoded
        if isinstance(fast, FastRows):
            _check_complete(response, len(fast.record), fast.count)
            rows += fast.record
            continue
        listed, count = page_of(response)
        _check_complete(response, len(listed), count)
        found, odd = response.rows(_STATE_ROWS, listed)
        if not all((row.id(name) or "").isdigit() for row in odd for name in IDENTIFYING_COLUMNS):
            # It may be of any assignment, which would look deleted.
            raise response.unexpected("a row that does not say which assignment it is of")
        rows += found
        all_odd += odd
    return assignments_of(rows, all_odd)


def _check_complete(response: ApiResponse, rows: int, count: int | None) -> None:
    """Raise `IncompleteRead` for a response that was cut: the assignments beyond the cut would look deleted."""
    if count is not None and rows < count:
        raise IncompleteRead(f"{response.request}: {rows} rows of {count}")


def assignments_of(
    rows: Iterable[GradebookRow | StateRow], odd: Sequence[UnreadableRow] = ()
) -> tuple[ActualAssignment, ...]:
    """Return one value per assignment section, with the scores of its rows.

    An odd row, which must identify its assignment, costs its student's score, or the assignment where that cannot be
    read.
    """
    assignments = _assignments_of(rows)
    for row in odd:
        _add(row, assignments)
    return tuple(assignments.values())


def _add(odd: UnreadableRow, assignments: dict[int, ActualAssignment]) -> None:
    section_dcid, assignment_id, key = (int(odd.id(name) or "") for name in IDENTIFYING_COLUMNS)
    student = odd.id("student_dcid") or ""
    known = assignments.get(key) or _without_score(odd)
    if known is None:
        nothing = ActualAssignment(assignment_id, key, section_dcid, "", date.min, Decimal(0), None)
        assignments[key] = replace(nothing, unreadable=odd.fields)
    elif not student.isdigit():
        # A score of an unknown student.
        assignments[key] = replace(known, unreadable=known.unreadable or odd.fields)
    else:
        assignments[key] = replace(known, unreadable_scores={**known.unreadable_scores, int(student): odd.fields})


def _without_score(odd: UnreadableRow) -> ActualAssignment | None:
    """Return the row's assignment without scores, None where that is what cannot be read."""
    row = odd.row if isinstance(odd.row, dict) else {}
    try:
        assignment = StateRow.model_validate({name: value for name, value in row.items() if name not in SCORE_COLUMNS})
    except ValidationError:
        return None
    return _assignment(assignment, {})


def _assignments_of(rows: Iterable[GradebookRow | StateRow]) -> dict[int, ActualAssignment]:
    assignments: dict[int, ActualAssignment] = {}
    scores_of: dict[int, dict[int, Score]] = {}
    for row in rows:
        key, student = row.assignment_section_id, row.student_dcid
        scores = scores_of.get(key)
        if scores is None:
            scores = scores_of[key] = {}
            assignments[key] = _assignment(row, scores)
        if student is not None:
            is_code = row.score_kind == SCORE_CODE
            scores[student] = Score(row.score_points, row.is_missing, row.is_exempt, is_code, _marks(row))
    return assignments


def _marks(row: GradebookRow | StateRow) -> frozenset[Mark] | None:
    """Return the teacher's flags: none of them, for nearly every row; None if the query does not return them."""
    late, collected, absent, incomplete = row.is_late, row.is_collected, row.is_absent, row.is_incomplete
    if late or collected or absent or incomplete:
        flags = ((Mark.LATE, late), (Mark.COLLECTED, collected), (Mark.ABSENT, absent), (Mark.INCOMPLETE, incomplete))
        return frozenset(mark for mark, is_set in flags if is_set)
    return None if late is None else NO_MARKS


def _assignment(row: GradebookRow | StateRow, scores: Mapping[int, Score]) -> ActualAssignment:
    return ActualAssignment(
        assignment_id=row.assignment_id,
        assignment_section_id=row.assignment_section_id,
        section_dcid=row.section_dcid,
        name=row.name,
        due_date=row.due_date,
        points=row.points,
        category_id=row.category_id,
        description=row.description,
        created_by_plugin=row.created_by_plugin,
        counted=row.is_counted,
        scores_published=row.scores_published,
        weight=row.weight,
        score_type=row.score_type,
        scores=scores,
    )


class SectionRef(Wire):
    """A section that a category or an assignment names."""

    sectionsdcid: int


class CategoryWire(Wire):
    """One of `GET /ws/xte/teacher_category`; the documented and the measured names differ."""

    id: int = Field(validation_alias=AliasChoices("teachercategoryid", "id"))
    name: AnyText
    isactive: bool
    districtteachercategoryid: int | None = None
    defaultpublishoption: str | None = None
    isinfinalgrades: bool | None = None
    isdefaultpublishscores: bool | None = None
    excluded: list[SectionRef] = Field(
        default_factory=list,
        validation_alias=AliasChoices(
            "_teachercategorysectionexcludeassociations", "_teachercategorysectionexcludeassocs"
        ),
    )

    def to_domain(self) -> TeacherCategory:
        """Return the category."""
        return TeacherCategory(
            id=self.id,
            name=self.name,
            active=self.isactive,
            district_category_id=self.districtteachercategoryid,
            excluded_section_dcids=frozenset(section.sectionsdcid for section in self.excluded),
            default_publish_option=self.defaultpublishoption or None,
            counted=self.isinfinalgrades,
            scores_published=self.isdefaultpublishscores,
        )


class AssignmentSpan(Wire):
    """One of `GET /ws/xte/section/assignment/`: in which sections the assignment is."""

    assignmentid: FirstId
    sections: list[SectionRef] = Field(validation_alias="_assignmentsections")


_CATEGORIES = TypeAdapter(list[CategoryWire])
_SPANS = TypeAdapter(list[AssignmentSpan])


def read_categories(
    api: PowerSchoolApi, cache: JsonCache, users_dcid: int, year_id: int, *, refresh: bool
) -> tuple[TeacherCategory, ...]:
    """Return the teacher's categories, inactive ones included. One that cannot be read is left out and logged.

    Source: PowerSchool xte API, `GET /ws/xte/teacher_category`.
    """
    of = f"{users_dcid}-{year_id}"
    cached = None if refresh else cache.get("categories", of)
    if cached is not None:
        return tuple(category.to_domain() for category in _CATEGORIES.validate_python(cached, by_name=True))
    params = [("users_dcid", str(users_dcid)), ("year_id", str(year_id))]
    found, unreadable = api.send("GET", "/ws/xte/teacher_category", params=params).rows(_CATEGORIES)
    for row in unreadable:
        category_id = row.id("teachercategoryid") or row.id()
        log.warning(LogEvent.CATEGORY_SKIPPED, category_id=category_id, fields=row.fields)
    # The parsed values are cached: text such as NaN is another one after a round trip through JSON.
    cache.put("categories", of, _CATEGORIES.dump_python(found, mode="json"), CATEGORY_MAX_AGE)
    return tuple(category.to_domain() for category in found)


def read_sections_of_assignments(
    api: PowerSchoolApi, users_dcid: int, section_dcids: Sequence[int]
) -> dict[int, frozenset[int]]:
    """Return every section (SECTIONS.DCID) of each assignment of these sections; unreadable ones are left out.

    Source: PowerSchool xte API, `GET /ws/xte/section/assignment/`: a plain array. That an assignment is listed with
    all of its sections is inferred from the update, which must include them.
    """
    params = [("users_dcid", str(users_dcid)), ("section_ids", ",".join(map(str, section_dcids)))]
    spans, _ = api.send("GET", "/ws/xte/section/assignment/", params=params).rows(_SPANS)
    return {span.assignmentid: frozenset(section.sectionsdcid for section in span.sections) for span in spans}
