"""Reads what PowerSchool's gradebook holds: by one PowerQuery, or without the plugin's queries call by call."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from pydantic import BaseModel, Field, TypeAdapter

from shared.adapters.powerschool.api import PowerSchoolApi
from shared.adapters.powerschool.metadata import MetadataReader
from shared.adapters.powerschool.queries import IDS_PER_CALL, STATE_QUERY, PowerQueries, rows_of
from shared.adapters.powerschool.state_rows import DECODER, FastRow, FastRows, assignments_of
from shared.adapters.powerschool.wire import AssignmentWire, ScoreWire, StateRow, listed
from shared.domain.powerschool import ActualAssignment, ActualScore, RosteredSection

# An empty list is no valid IN list, and no id is 0.
NO_ID = 0


class _Tables(BaseModel):
    assignmentscore: ScoreWire


class _ScoreRecord(BaseModel):
    tables: _Tables = Field()


_STATE_ROWS = TypeAdapter(list[StateRow])
_ASSIGNMENTS = TypeAdapter(list[AssignmentWire])
_SCORE_RECORDS = TypeAdapter(list[_ScoreRecord])
_SCORE_COLUMNS = "assignmentscoreid,studentsdcid,scorepoints,actualscorekind,ismissing,isexempt"


class AssignmentReader:
    """Reads assignments with scores. An unreadable list is an error, never "there are none"."""

    def __init__(self, api: PowerSchoolApi, queries: PowerQueries, metadata: MetadataReader) -> None:
        self._api = api
        self._queries = queries
        self._metadata = metadata

    def read(self, sections: Sequence[RosteredSection], scores_of: Collection[int]) -> tuple[ActualAssignment, ...]:
        """Return every assignment of the sections, with scores for the assignment sections in `scores_of`."""
        if not sections:
            return ()
        rows = self._state([section.dcid for section in sections], sorted(scores_of))
        return assignments_of(rows) if rows is not None else self._one_by_one(sections, scores_of)

    def _state(self, section_dcids: Sequence[int], scores_of: Sequence[int]) -> list[FastRow | StateRow] | None:
        rows: list[FastRow | StateRow] = []
        for start in range(0, max(len(scores_of), 1), IDS_PER_CALL):
            some = scores_of[start : start + IDS_PER_CALL] or [NO_ID]
            args = {"section_dcids": section_dcids, "score_section_ids": some}
            answer = self._queries.answer(STATE_QUERY, args, DECODER)
            if answer is None:
                return None
            fast = answer.decoded
            rows.extend(fast.record if isinstance(fast, FastRows) else rows_of(answer, _STATE_ROWS))
        return rows

    def _one_by_one(
        self, sections: Sequence[RosteredSection], scores_of: Collection[int]
    ) -> tuple[ActualAssignment, ...]:
        """Read the lists teacher by teacher. A section without a teacher cannot be read so, nor be written."""
        by_teacher = defaultdict[int, list[int]](list)
        for section in sections:
            if section.teacher_users_dcid is not None:
                by_teacher[section.teacher_users_dcid].append(section.dcid)
        found = [each for users_dcid, dcids in by_teacher.items() for each in self._list(users_dcid, dcids)]
        return tuple(
            replace(each, scores=dict(self._scores(each.assignment_section_id)))
            if each.assignment_section_id in scores_of
            else each
            for each in found
        )

    def _list(self, users_dcid: int, section_dcids: Sequence[int]) -> list[ActualAssignment]:
        """Source: PowerSchool xte API, `GET /ws/xte/section/assignment/`; a plain list, never in pages."""
        params = [("users_dcid", str(users_dcid)), ("section_ids", ",".join(map(str, section_dcids)))]
        answer = self._api.send("GET", "/ws/xte/section/assignment/", params=params)
        found = [each for wire in answer.parsed(_ASSIGNMENTS) for each in wire.to_domain()]
        # An assignment that spans sections comes with all of them, also with those that were not asked for.
        return [each for each in found if each.section_dcid in section_dcids]

    def _scores(self, assignment_section_id: int) -> Iterator[tuple[int, ActualScore]]:
        """Source: PowerSchool table API, ASSIGNMENTSCORE; pages as long as the district allows."""
        page_size = self._metadata.read().schema_table_query_max_page_size
        page, full = 1, True
        while full:
            params = [
                ("q", f"assignmentsectionid=={assignment_section_id}"),
                ("projection", _SCORE_COLUMNS),
                ("sort", "assignmentscoreid"),
                ("page", str(page)),
                ("pagesize", str(page_size)),
            ]
            answer = self._api.send("GET", "/ws/schema/table/assignmentscore", params=params)
            if not isinstance(answer.body, dict):
                raise answer.unexpected("no rows")
            records = answer.parsed(_SCORE_RECORDS, listed(answer.body.get("record")))
            for record in records:
                score = record.tables.assignmentscore
                yield score.studentsdcid, score.to_domain()
            page, full = page + 1, len(records) >= page_size
