"""Shows what a check of readiness found: filtered, as JSON and as CSV, for the command line, the pages and the API."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TextIO

from shared.adapters.redis.operations.readiness import ReadinessStore
from shared.domain.causes import Cause
from shared.domain.passback.readiness.findings import (
    ROWS,
    CourseFindings,
    DistrictReadiness,
    ReadinessFinding,
    ReadinessRun,
    SystemFinding,
)
from shared.domain.passback.rules.reasons import Actor
from workers.grade_passback.explain.response import Json, time_json
from workers.grade_passback.operations.history import safe_cell
from workers.grade_passback.readiness.check import CANVAS_COURSES, COURSES, POWERSCHOOL_LISTS

NOT_CHECKED: Mapping[str, str] = {
    POWERSCHOOL_LISTS: (
        "PowerSchool's lists of sections, terms and teachers could not be read: sections without a Canvas course, "
        "dates of terms and teachers' numbers are not checked."
    ),
    CANVAS_COURSES: (
        "Canvas's list of the account's courses could not be read: only connected courses and those with synced work "
        "are checked, and sections without a Canvas course are not known."
    ),
    COURSES: "Some courses could not be read, so sections without a Canvas course are not known.",
}
COLUMNS = (
    "school_number", "teacher_sis_id", "teacher_users_dcid", "term", "course_id", "section_sis_ids", "assignment_ids",
    "group_id", "code", "message", "remedy", "who", "students", "grades", "as_of",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReadinessQuery:
    """Selects findings; what is None or empty selects all.

    `term` is a school year, `2026-27`, or the days of a term; `teacher` is a SIS id or USERS.DCID.
    """

    school: int | None = None
    term: str = ""
    teacher: str = ""
    who: Actor | None = None
    code: str = ""


@dataclass(frozen=True, slots=True)
class ListedFinding:
    """A finding with the teacher's SIS id, empty where the teacher has none or is not known, and when it was found."""

    finding: ReadinessFinding
    teacher_sis_id: str
    as_of: datetime

    def as_json(self) -> Json:
        """Return it as the API and `readiness --json` have it."""
        f = self.finding
        return {
            "code": f.code, "message": f.message, "remedy": f.remedy, "who": f.who,
            "school_number": f.school_number, "term": f.term, "teacher_users_dcid": f.teacher_users_dcid,
            "teacher_sis_id": self.teacher_sis_id, "course_id": f.course_id,
            "section_sis_ids": list(f.section_sis_ids), "assignment_ids": list(f.assignment_ids),
            "group_id": f.group_id, "students": f.students, "grades": f.grades, "as_of": time_json(self.as_of),
        }  # fmt: skip


@dataclass(frozen=True)
class ReadinessReport:
    """The findings that a query selects, those that hold most grades back first, and what is known of the check.

    `schools`, `terms` and `codes` are those of all findings, to choose from; `codes` counts the selected ones.
    """

    run: ReadinessRun | None
    findings: Sequence[ListedFinding]
    unread: Sequence[CourseFindings]
    systems: Sequence[SystemFinding]
    schools: Sequence[int]
    terms: Sequence[str]
    codes: Mapping[str, int]
    unknown: Sequence[str] = ()
    """What the query names and the check did not see, in sentences: a school, term, teacher or reason."""

    @property
    def not_checked(self) -> list[str]:
        """What the check could not see, in sentences."""
        parts = dict.fromkeys(self.run.without if self.run else ())
        return [*self.unknown, *(NOT_CHECKED[part] for part in parts)]

    @property
    def waits_for(self) -> Cause | None:
        """Why the check waits, or ended before it had read everything."""
        return Cause(self.run.waits_for) if self.run is not None and self.run.waits_for else None

    @property
    def is_ready(self) -> bool:
        """Say whether everything was checked and nothing selected is to be mended."""
        is_done = self.run is not None and self.run.finished_at is not None and not self.run.waits_for
        return is_done and not (self.findings or self.unread or self.systems or self.not_checked)

    def as_json(self, start: int = 0, limit: int | None = None) -> Json:
        """Return the report with a page of its findings."""
        run, end = self.run, None if limit is None else start + limit
        waits_for = self.waits_for
        return {
            "ready": self.is_ready,
            "run": None
            if run is None
            else {
                "started_at": time_json(run.started_at), "actor": run.actor,
                "finished_at": time_json(run.finished_at), "courses": run.courses, "done": run.done,
                "waits_for": None if waits_for is None else _cause(waits_for),
            },
            "not_checked": self.not_checked,
            "unread": [{"course_id": c.course_id, **_cause(Cause(c.unread))} for c in self.unread],
            "systems": [{"check": s.check, "found": s.found, "fix": s.fix, "who": s.who} for s in self.systems],
            "total": len(self.findings),
            "codes": dict(self.codes),
            "findings": [listed.as_json() for listed in self.findings[start:end]],
            "next": end if end is not None and end < len(self.findings) else None,
        }  # fmt: skip


def readiness_report(store: ReadinessStore, query: ReadinessQuery) -> ReadinessReport:
    """Return what is stored of the newest check. Reads Redis alone."""
    run, (district, courses) = store.run(), store.findings()
    teachers = dict(district.teachers) if district else {}
    years = {days: year for year, days in district.terms} if district else {}
    # A newer version may have stored codes that this one does not know.
    known = [(f, course.read_at) for course in courses for f in course.findings if f.code in ROWS]
    known += [(f, district.read_at) for f in district.findings if f.code in ROWS] if district else []
    selected = [
        ListedFinding(finding, teachers.get(finding.teacher_users_dcid or 0, ""), at)
        for finding, at in known
        if _matches(finding, query, teachers, years)
    ]
    is_known = run is not None and run.finished_at is not None and POWERSCHOOL_LISTS not in run.without
    unknown = _unknown(query, district, [f for f, _ in known]) if is_known and district else _unknown_code(query)
    systems = [each for each in (run.systems if run else ()) if query.who in (None, each.who)]
    return ReadinessReport(
        run,
        sorted(selected, key=_most_grades_first),
        unread=sorted((course for course in courses if course.unread), key=lambda c: (len(c.course_id), c.course_id)),
        systems=systems,
        schools=sorted({f.school_number for f, _ in known if f.school_number is not None}),
        terms=sorted({f.term for f, _ in known if f.term}),
        codes=Counter(str(each.finding.code) for each in selected),
        unknown=unknown,
    )


def write_readiness_csv(out: TextIO, findings: Iterable[ListedFinding]) -> int:
    """Write the findings by school and teacher, a row each; return how many there are."""
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    in_order = sorted(findings, key=_by_school_and_teacher)
    for listed in in_order:
        row = listed.as_json()
        for name in ("section_sis_ids", "assignment_ids"):
            row[name] = " ".join(getattr(listed.finding, name))
        writer.writerow({name: safe_cell(row[name]) for name in COLUMNS})
    return len(in_order)


def readiness_csv(findings: Iterable[ListedFinding]) -> str:
    """Return the findings as CSV."""
    out = io.StringIO(newline="")
    write_readiness_csv(out, findings)
    return out.getvalue()


def _unknown(query: ReadinessQuery, district: DistrictReadiness, found: Sequence[ReadinessFinding]) -> list[str]:
    """Return what a query names that a finished check has not seen: that nothing was found of it means nothing."""
    schools = {*district.schools, *(f.school_number for f in found), None}
    terms = {*(code for codes in district.terms for code in codes), *(f.term for f in found), ""}
    dcids = {*dict(district.teachers), *(f.teacher_users_dcid for f in found)}
    teachers = {*dict(district.teachers).values(), *map(str, dcids - {None}), ""}
    return [
        *([] if query.school in schools else [f"No section of school {query.school} was seen."]),
        *([] if query.term in terms else [f"No section of term {query.term} was seen."]),
        *([] if query.teacher in teachers else [f"No section of teacher {query.teacher} was seen."]),
        *_unknown_code(query),
    ]


def _unknown_code(query: ReadinessQuery) -> list[str]:
    return [f"There is no reason {query.code}."] if query.code and query.code not in ROWS else []


def _matches(
    finding: ReadinessFinding, query: ReadinessQuery, teachers: Mapping[int, str], years: Mapping[str, str]
) -> bool:
    teacher = finding.teacher_users_dcid or 0
    return (
        query.school in (None, finding.school_number)
        and query.term in ("", finding.term, years.get(finding.term))
        and query.teacher in ("", teachers.get(teacher, ""), str(teacher or ""))
        and query.who in (None, finding.who)
        and query.code in ("", finding.code)
    )


def _most_grades_first(listed: ListedFinding) -> tuple[int, int, str, str, str]:
    f = listed.finding
    return -f.grades, -f.students, f.code, f.course_id, f.detail


def _by_school_and_teacher(listed: ListedFinding) -> tuple[object, ...]:
    f = listed.finding
    return f.school_number or 0, listed.teacher_sis_id, f.teacher_users_dcid or 0, f.term, _most_grades_first(listed)


def _cause(cause: Cause) -> Json:
    return {"code": cause.value, "message": cause.meaning, "remedy": cause.fix}
