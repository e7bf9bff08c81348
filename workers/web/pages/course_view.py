"""A course as its pages show it, among the status pages and inside Canvas: one sentence, then what needs whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, cast

from shared.domain.passback.course_state import INTENTIONAL, NEED_ATTENTION, AssignmentStatus
from shared.domain.passback.rules.reasons import Actor, Reason
from shared.domain.wording import counted

Explanation = Mapping[str, Any]

_RANK = {status: number for number, status in enumerate(AssignmentStatus)}


@dataclass(frozen=True, slots=True)
class Row:
    """One section, or several that have the same status and reasons and no scores."""

    sections: tuple[str, ...]
    status: AssignmentStatus
    reasons: Sequence[Explanation]
    students: Sequence[Explanation]
    scores_there: int
    scores_wanted: int
    written_at: datetime | None

    @property
    def withholds_all(self) -> bool:
        """Say whether the assignment is in PowerSchool without a score, since every one of them is held back."""
        return self.status is AssignmentStatus.SYNCED and bool(self.students) and not self.scores_there


class Group(StrEnum):
    """Assignments by who has to do something, in the order in which a page lists them."""

    TEACHER = "teacher"
    OTHERS = "others"
    WAITS = "waits"
    ALL_BUT = "all_but"
    """Agrees but for students whose scores are held back, for whom the teacher can do nothing."""
    AGREES = "agrees"
    NOT_SELECTED = "not_selected"


# A student's score that needs nobody, and goes by itself.
WAITING = frozenset({Reason.RETRYING, Reason.NOT_GRADED_YET})

Work = tuple[Explanation, Sequence[Row]]
"""An assignment and its rows."""


@dataclass(frozen=True, slots=True)
class UnsentStudent:
    """A student of whom at least one score is held back for one reason, and of which assignments."""

    user_id: str
    student_sis_id: str | None
    reason: Explanation
    assignments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LastSent:
    """What was sent last. `took` is the time from Canvas to PowerSchool, None where a person or a schedule sent it."""

    names: tuple[str, ...]
    at: datetime
    took: timedelta | None


@dataclass(frozen=True, slots=True)
class CourseView:
    """A course's assignments by group, its students whose scores are held back, and what was sent last."""

    groups: Mapping[Group, Sequence[Work]]
    held: Sequence[UnsentStudent]
    last_sent: LastSent | None
    section_names: Mapping[str, str]

    def headline(self, you: str) -> str:
        """Return the sentence on top; `you` is whom a page calls the teacher."""
        counts = {group: len(work) for group, work in self.groups.items()}
        total = sum(counts.values()) - counts[Group.NOT_SELECTED]
        if not total:
            return "No assignment of this course goes to PowerSchool."
        agreeing = f"{counts[Group.AGREES]} of {counted(total, 'assignment')} {_s(counts[Group.AGREES], 'agree')}"
        parts = [
            f"{agreeing} with PowerSchool",
            *_part(counts[Group.TEACHER], "need", you),
            *_part(counts[Group.OTHERS], "need", "somebody else"),
            *_part(counts[Group.WAITS], "wait"),
            *_part(counts[Group.ALL_BUT], "agree", "for all but some students"),
        ]
        return "; ".join(parts) + "."

    def sentence(self, you: str) -> str:
        """Return the same of a view with one assignment; empty without any."""
        return next((_sentence(group, work[0], you) for group, work in self.groups.items() if work), "")


def _sentence(group: Group, work: Work, you: str) -> str:
    _, rows = work
    if group is Group.TEACHER and all(row.status is AssignmentStatus.SYNCED and row.scores_there for row in rows):
        return f"PowerSchool agrees with Canvas for all but some students, who need {you}."
    texts = {
        Group.TEACHER: f"Not sent as it is: this assignment needs {you}.",
        Group.OTHERS: "Not sent as it is: this assignment needs somebody else.",
        Group.WAITS: "This assignment waits, and goes to PowerSchool by itself.",
        Group.ALL_BUT: "PowerSchool agrees with Canvas for all but some students.",
        Group.AGREES: "PowerSchool agrees with Canvas.",
        Group.NOT_SELECTED: "This assignment is not to be sent to PowerSchool.",
    }
    return texts[group]


def course_view(explanation: Explanation) -> CourseView:
    """Return the view of an explanation, stored or live."""
    groups: dict[Group, list[Work]] = {group: [] for group in Group}
    for work in assignment_rows(cast("Sequence[Explanation]", explanation["assignments"])):
        groups[_group(work, live=explanation["live"])].append(work)
    names = {s["section_sis_id"]: s["name"] for s in explanation["sections"] if s["section_sis_id"] and s["name"]}
    return CourseView(groups, _unsent_students(explanation["assignments"]), _last_sent(explanation), names)


def _group(work: Work, *, live: bool) -> Group:
    assignment, rows = work
    statuses = {row.status for row in rows}
    if assignment["change_waits"] and not live and AssignmentStatus.DEAD not in statuses:
        # What the last sync found may be mended by the change.
        return Group.WAITS
    who = {reason["who"] for row in rows if row.status in NEED_ATTENTION for reason in row.reasons}
    held = [student for row in rows for student in row.students]
    if Actor.TEACHER in who | {student["who"] for student in held}:
        return Group.TEACHER
    if statuses & {AssignmentStatus.DEAD, AssignmentStatus.BLOCKED} or any(row.withholds_all for row in rows):
        return Group.OTHERS
    if statuses & {AssignmentStatus.RETRYING, AssignmentStatus.WAITING} or any(s["code"] in WAITING for s in held):
        return Group.WAITS
    if AssignmentStatus.SYNCED not in statuses:
        return Group.NOT_SELECTED
    return Group.ALL_BUT if held else Group.AGREES


def _unsent_students(assignments: Sequence[Explanation]) -> list[UnsentStudent]:
    """Return every student and reason once, those first for whom the teacher can do something."""
    unsent = (
        (work["name"], student) for work in assignments for each in work["sections"] for student in each["students"]
    )
    found: dict[tuple[str, str], UnsentStudent] = {}
    for name, student in unsent:
        key = student["user_id"], student["message"]
        held = found.setdefault(key, UnsentStudent(student["user_id"], student["student_sis_id"], student, ()))
        if name not in held.assignments:
            found[key] = replace(held, assignments=(*held.assignments, name))
    return sorted(found.values(), key=lambda held: (held.reason["who"] != Actor.TEACHER, held.student_sis_id or ""))


def _last_sent(explanation: Explanation) -> LastSent | None:
    sent = [
        (datetime.fromisoformat(section["written_at"]), assignment["name"])
        for assignment in explanation["assignments"]
        for section in assignment["sections"]
        if section["written_at"]
    ]
    if not sent:
        return None
    newest = max(at for at, _ in sent)
    names = tuple(dict.fromkeys(name for at, name in sent if at == newest))
    change: Mapping[str, Any] | None = explanation["last_change"]
    took = None
    if change is not None and datetime.fromisoformat(change["written_at"]) == newest:
        took = newest - datetime.fromisoformat(change["changed_at"])
    return LastSent(names, newest, took)


def _part(count: int, verb: str, whom: str = "") -> list[str]:
    return [f"{count} {_s(count, verb)} {whom}".rstrip()] if count else []


def _s(count: int, verb: str) -> str:
    return f"{verb}s" if count == 1 else verb


def assignment_rows(assignments: Sequence[Explanation]) -> list[tuple[Explanation, list[Row]]]:
    """Return each explained assignment with its rows: what needs attention first, else in Canvas's order."""
    rows = [(assignment, _merged(assignment["sections"])) for assignment in assignments]
    return sorted(rows, key=lambda item: min((_RANK[row.status] for row in item[1]), default=len(_RANK)))


def preview_rows(assignments: Sequence[Explanation]) -> list[tuple[Explanation, list[dict[str, Any]]]]:
    """Return each assignment of a preview with its rows: what a sync would change first, else in Canvas's order.

    Sections in which the same is not done for the same reasons are one row.
    """
    rows = [(assignment, _merged_preview(assignment["sections"])) for assignment in assignments]
    return sorted(rows, key=lambda item: not any(row["actions"] for row in item[1]))


def _merged_preview(sections: Sequence[Explanation]) -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for number, section in enumerate(sections):
        is_single = section["actions"] or section["students"]
        row = rows.setdefault(
            str(number) if is_single else repr((section["would"], section["reasons"])),
            {**section, "sections": [], "scores_equal": 0, "status": _status(section)},
        )
        row["sections"].append(section["section_sis_id"] or "without SIS id")
        row["scores_equal"] += section["scores_equal"]
    return list(rows.values())


def _status(section: Explanation) -> AssignmentStatus:
    is_on_purpose = section["state"] == "blocked" and any(
        reason["code"] in INTENTIONAL for reason in section["reasons"]
    )
    return AssignmentStatus.NOT_SELECTED if is_on_purpose else AssignmentStatus(section["state"])


def _merged(sections: Sequence[Explanation]) -> list[Row]:
    rows: dict[str, Row] = {}
    for number, row in enumerate(map(_row, sections)):
        is_single = row.students or row.scores_there or row.scores_wanted or row.written_at
        key = str(number) if is_single else repr((row.status, row.reasons))
        rows[key] = replace(row, sections=(*rows[key].sections, *row.sections)) if key in rows else row
    return list(rows.values())


def _row(section: Explanation) -> Row:
    return Row(
        (section["section_sis_id"] or "without SIS id",),
        _status(section),
        section["reasons"],
        section["students"],
        section["powerschool"]["scores"] if section["powerschool"] else 0,
        section["scores_wanted"],
        datetime.fromisoformat(section["written_at"]) if section["written_at"] else None,
    )
