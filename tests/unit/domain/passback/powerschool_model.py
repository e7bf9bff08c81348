"""The smallest PowerSchool that a plan can be applied to, strict about what a real one refuses."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import count

from shared.domain.passback.planning.links import Link, normalize_name
from shared.domain.passback.planning.plan import (
    ClearScoresStep,
    CreateStep,
    LinkExistingStep,
    Plan,
    Step,
    UnlinkStep,
    UpdateStep,
    WriteScoresStep,
)
from shared.domain.passback.powerschool import ActualAssignment, AssignmentKey, DesiredAssignment, Score
from tests.unit.domain.passback.baseline import MARK


@dataclass
class Gradebook:
    """PowerSchool's assignments by assignment section id, and passback's links to them."""

    assignments: dict[int, ActualAssignment]
    links: dict[AssignmentKey, Link]
    ids: "count[int]" = field(default_factory=lambda: count(9000))

    def apply(self, plan: Plan, steps: int | None = None) -> None:
        """Take the steps in order, as a worker without accidents would; with `steps`, only so many of them."""
        for step in plan.steps[:steps]:
            self._take(step)
            self._check()

    def _take(self, step: Step) -> None:
        match step:
            case UnlinkStep():
                del self.links[step.key]
            case LinkExistingStep():
                self.links[step.key] = step.link
            case CreateStep():
                self._write(step.desired, ActualAssignment(next(self.ids), next(self.ids), **_fields(step.desired)))
            case UpdateStep():
                unlocked = self.assignments[step.actual.assignment_section_id]
                assert not unlocked.locked
                before = self.links[step.key]
                self._write(step.desired, replace(unlocked, **_fields(step.desired)))
                if step.is_temporary:
                    self.links[step.key] = before
            case WriteScoresStep():
                self._score(step.key, step.scores)
            case ClearScoresStep():
                self._score(step.key, dict.fromkeys(step.replaces, Score(None)))

    def _write(self, desired: DesiredAssignment, written: ActualAssignment) -> None:
        written = replace(written, created_by_plugin=MARK)
        self.assignments[written.assignment_section_id] = written
        key = desired.key
        sent = self.links[key].sent_to if key in self.links else frozenset[int]()
        self.links[key] = Link(
            *key, written.name, written.due_date, written.assignment_id, written.assignment_section_id, sent
        )

    def _score(self, key: AssignmentKey, rows: Mapping[int, Score]) -> None:
        link = self.links[key]
        assert link.powerschool_assignment_section_id is not None
        held = self.assignments[link.powerschool_assignment_section_id]
        assert not held.locked
        self.assignments[held.assignment_section_id] = replace(held, scores={**held.scores, **rows})
        self.links[key] = replace(link, sent_to=link.sent_to | rows.keys())

    def _check(self) -> None:
        places = [(a.section_dcid, normalize_name(a.name), a.due_date) for a in self.assignments.values()]
        assert len(places) == len(set(places)), "two assignments of one name and date in a section"


def _fields(desired: DesiredAssignment) -> dict[str, object]:
    return {
        "section_dcid": desired.section_dcid,
        "name": desired.name,
        "due_date": desired.due_date,
        "points": desired.points,
        "category_id": desired.category_id,
        "description": desired.description,
    }
