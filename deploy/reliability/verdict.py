"""What the rules demand of PowerSchool, computed from Canvas's state alone, against what it holds."""

from dataclasses import dataclass
from decimal import Decimal
from html import unescape

from shared.sandbox.district import Ids
from workers.cli.demo.expected import held_scores, wanted_scores
from workers.cli.demo.stage import Json, Stage

SECTIONS = {
    Ids.HEALTHY_COURSE: (Ids.HEALTHY_DCID,),
    Ids.OUTAGE_COURSE: (Ids.OUTAGE_DCID,),
    Ids.COURSE: (Ids.SECTION_A_DCID,),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Everything in which PowerSchool is not what the rules demand; ids only."""

    lost: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Say whether PowerSchool is what the rules demand."""
        return not (self.lost or self.stale or self.doubled or self.outside)


def judge(stage: Stage, work: dict[int, list[int]], not_ours_before: list[Json]) -> Verdict:
    """Compare both sides. `work` is the assignments by course; `not_ours_before` what must be as it was."""
    rows = stage.gradebook()
    ours = [row for row in rows if row["created_by_plugin"] is not None]
    canvas = {a["id"]: a for a in stage.assignments()}
    submissions = stage.submissions()
    lost: list[str] = []
    stale: list[str] = []
    doubled: list[str] = []
    for course, assignments in work.items():
        for section in SECTIONS[course]:
            known = [row for row in ours if row["section_dcid"] == section]
            for assignment in assignments:
                place = f"{assignment}/{section}"
                wanted = wanted_scores(submissions, (assignment, section))
                name = unescape(str(canvas[assignment]["name"]))
                found = [row for row in known if row["name"] == name]
                doubled += [place] * (len(found) - 1)
                if found:
                    held = held_scores(found[0])
                    lost += [f"{place}/{student}" for student in wanted.keys() - held.keys()]
                    stale += [f"{place}/{s}" for s in wanted.keys() & held.keys() if wanted[s] != held[s]]
                    stale += _stale_assignment(place, canvas[assignment], found[0])
                elif wanted:
                    lost.append(place)
            if course in (Ids.HEALTHY_COURSE, Ids.OUTAGE_COURSE):
                names = {unescape(str(assignment["name"])) for assignment in canvas.values()}
                doubled += [f"row {row['assignment_section_id']}" for row in known if row["name"] not in names]
    return Verdict(tuple(lost), tuple(stale), tuple(doubled), tuple(_outside(rows, not_ours_before, stage)))


def not_ours(stage: Stage) -> list[Json]:
    """Return what PowerSchool holds that passback did not make."""
    return [row for row in stage.gradebook() if row["created_by_plugin"] is None]


def _stale_assignment(place: str, wanted: Json, row: Json) -> list[str]:
    return [] if Decimal(str(wanted["points_possible"])) == Decimal(str(row["points"])) else [f"{place} points"]


def _outside(rows: list[Json], before: list[Json], stage: Stage) -> list[str]:
    ours = {row["assignment_section_id"] for row in rows if row["created_by_plugin"] is not None}
    changed = [f"row {row['assignment_section_id']}" for row in before if row not in rows]
    written = {write["assignment_section_id"] for write in stage.writes()} - ours
    return changed + [f"write to {row}" for row in sorted(map(str, written))]
