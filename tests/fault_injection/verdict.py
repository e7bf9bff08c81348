"""What the rules demand of PowerSchool, computed from Canvas's state alone, against what it holds."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from shared.adapters.redis.course_data.audit import Audit
from shared.sandbox.district.small import LOS_ANGELES, Ids, student_dcid_of, user_id_of
from workers.dev.demo.client import DemoClient, Json
from workers.dev.demo.expectations import Value, expected_scores, wanted_scores

SECTIONS = {
    Ids.HEALTHY_COURSE: (Ids.HEALTHY_DCID,),
    Ids.OUTAGE_COURSE: (Ids.OUTAGE_DCID,),
    Ids.COURSE: (Ids.SECTION_A_DCID,),
}

# Each section's lead teacher has a category Homework of their own.
HOMEWORK = {
    Ids.HEALTHY_DCID: Ids.CATEGORY_HOMEWORK,
    Ids.OUTAGE_DCID: Ids.OTHER_CATEGORY_HOMEWORK,
    Ids.SECTION_A_DCID: Ids.CATEGORY_HOMEWORK,
}


# A score that PowerSchool was given: the assignment section's id, STUDENTS.DCID, and the value.
Written = tuple[object, int, Value]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Everything in which PowerSchool is not what the rules demand; ids only.

    `backwards` are scores that were overwritten by an older value, even if they are right by now, `unaudited` scores
    that were written without an audit entry.
    """

    lost: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    backwards: tuple[str, ...] = ()
    unaudited: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Say whether PowerSchool is what the rules demand."""
        return not (self.lost or self.stale or self.doubled or self.outside or self.backwards or self.unaudited)


def judge(stage: DemoClient, work: dict[int, list[int]], not_ours_before: list[Json], audit: Audit) -> Verdict:
    """Compare both sides. `work` is the assignments by course; `not_ours_before` what must be as it was."""
    rows = stage.gradebook()
    ours = [row for row in rows if row["created_by_plugin"] is not None]
    canvas = {a["id"]: a for a in stage.assignments()}
    submissions = stage.submissions()
    lost: list[str] = []
    stale: list[str] = []
    doubled: list[str] = []
    places: dict[object, int] = {}
    for course, assignments in work.items():
        for section in SECTIONS[course]:
            known = [row for row in ours if row["section_dcid"] == section]
            for assignment in assignments:
                place = f"{assignment}/{section}"
                wanted = wanted_scores(submissions, (assignment, section))
                name = str(canvas[assignment]["name"])
                found = [row for row in known if row["name"] == name]
                doubled += [place] * (len(found) - 1)
                if found:
                    places[found[0]["assignment_section_id"]] = assignment
                    held = expected_scores(found[0])
                    lost += [f"{place}/{student}" for student in wanted.keys() - held.keys()]
                    stale += [f"{place}/{s}" for s in wanted.keys() & held.keys() if wanted[s] != held[s]]
                    stale += _stale_assignment(place, canvas[assignment], found[0])
                elif any(exempt or not missing for _, missing, exempt in wanted.values()):
                    # Missing work alone creates no assignment.
                    lost.append(place)
            if course in (Ids.HEALTHY_COURSE, Ids.OUTAGE_COURSE):
                names = {str(assignment["name"]) for assignment in canvas.values()}
                doubled += [f"row {row['assignment_section_id']}" for row in known if row["name"] not in names]
    outside = _outside(rows, not_ours_before, stage)
    written = list(_written(stage, places))
    backwards, unaudited = _backwards(stage, places, written), _unaudited(written, audit)
    return Verdict(tuple(lost), tuple(stale), tuple(doubled), tuple(outside), tuple(backwards), tuple(unaudited))


def not_ours(stage: DemoClient) -> list[Json]:
    """Return what PowerSchool holds that passback did not make."""
    return [row for row in stage.gradebook() if row["created_by_plugin"] is None]


def _stale_assignment(place: str, wanted: Json, row: Json) -> list[str]:
    due_at = datetime.fromisoformat(str(wanted["due_at"])).astimezone(LOS_ANGELES)
    agrees = {
        "points": Decimal(str(wanted["points_possible"])) == Decimal(str(row["points"])),
        "due date": due_at.date().isoformat() == row["due_date"],
        "description": (wanted["description"] or "") == (row["description"] or ""),
        "category": row["category_id"] == HOMEWORK[int(str(row["section_dcid"]))],
    }
    return [f"{place} {what}" for what, does in agrees.items() if not does]


def _outside(rows: list[Json], before: list[Json], stage: DemoClient) -> list[str]:
    ours = {row["assignment_section_id"] for row in rows if row["created_by_plugin"] is not None}
    changed = [f"row {row['assignment_section_id']}" for row in before if row not in rows]
    written = {write["assignment_section_id"] for write in stage.writes()} - ours
    return changed + [f"write to {row}" for row in sorted(map(str, written))]


def _written(stage: DemoClient, places: Mapping[object, int]) -> Iterator[Written]:
    """Yield every score that PowerSchool was given in these places, in order."""
    for write in stage.writes():
        place = write["assignment_section_id"]
        if place in places and write["kind"] == "scores":
            for student, (points, missing, exempt) in zip(write["students"], write["values"], strict=True):  # type: ignore[call-overload]
                yield place, student, (Decimal(points), missing, exempt)


def _backwards(stage: DemoClient, places: Mapping[object, int], given: Sequence[Written]) -> list[str]:
    """Return the scores whose writes are not in the order in which their values came to be in Canvas."""
    history = _history(stage)
    written: dict[tuple[int, int], list[Value]] = defaultdict(list)
    for place, student, value in given:
        written[places[place], student].append(value)
    return [f"{place[0]}/{place[1]}" for place, values in written.items() if not _in_order(values, history[place])]


def _unaudited(given: Sequence[Written], audit: Audit) -> Iterator[str]:
    """Yield each score that PowerSchool was given more often than the audit log records."""
    written = Counter((str(place), student, value) for place, student, value in given)
    audited = Counter(
        (str(entry.powerschool_assignment_section_id), score.student_dcid, (after.points, after.missing, after.exempt))
        for course in SECTIONS
        for entry in audit.of_course(str(course))
        for score in entry.scores
        if (after := score.after) is not None
    )
    yield from (f"{place}/{student}" for place, student, _ in written - audited)


def _history(stage: DemoClient) -> dict[tuple[int, int], list[Value]]:
    """Return every value that teachers gave a score, in order, by assignment and STUDENTS.DCID."""
    history: dict[tuple[int, int], list[Value]] = defaultdict(list)
    for action in stage.actions:
        if action["do"] in ("grade", "excuse"):
            student = student_dcid_of(int(str(action["user_id"])) - user_id_of(0))
            score = Decimal(str(action.get("score") or 0))
            history[int(str(action["assignment_id"])), student].append((score, False, action["do"] == "excuse"))
    return history


def _in_order(values: list[Value], history: list[Value]) -> bool:
    """Say whether the values can be met one after the other while going through the history once."""
    position = 0
    for value in values:
        while position < len(history) and history[position] != value:
            position += 1
        if position == len(history):
            return False
    return True
