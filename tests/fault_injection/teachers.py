"""Random actions of teachers in Canvas, the same for the same random generator."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from shared.sandbox.district.small import Ids, user_id_of
from workers.dev.demo.client import DemoClient

STUDENTS: dict[int, range] = {
    Ids.HEALTHY_COURSE: Ids.STUDENTS_HEALTHY,
    Ids.OUTAGE_COURSE: Ids.STUDENTS_OUTAGE,
    Ids.COURSE: Ids.STUDENTS_A,
}
GROUPS = {course: course * 10 + 3000 for course in (Ids.HEALTHY_COURSE, Ids.OUTAGE_COURSE)}
SINGLE_GRADE = "a single grade"


@dataclass
class Teachers:
    """Acts on the ordinary assignments of three courses, and on those it makes. `first_new_id` is theirs."""

    stage: DemoClient
    rng: random.Random
    first_new_id: int
    work: dict[int, list[int]] = field(init=False)
    held_back: set[tuple[int, int]] = field(default_factory=set)
    acts: int = 0

    def __post_init__(self) -> None:
        self.work = {
            Ids.HEALTHY_COURSE: [1021, 1022],
            Ids.OUTAGE_COURSE: [1061, 1062],
            Ids.COURSE: [Ids.ESSAY_DRAFT],
        }

    def act(self) -> None:
        """Do one random action."""
        actions: list[Callable[[int], None]] = [
            self._clear, self._excuse, self._create, self._hold_back, *[self._edit] * 2, *[self._grade] * 14,
        ]  # fmt: skip
        self.rng.choice(actions)(self.rng.choice(list(self.work)))
        self.acts += 1

    def release(self) -> None:
        """Turn SIS sync on for every assignment, so that the rules have one result for each."""
        for course, assignment in sorted(self.held_back):
            self._change(course, assignment, post_to_sis=True)
        self.held_back.clear()

    def _grade(self, course: int) -> None:
        # Quarters are exact in binary and in decimal, so that equal means equal.
        score = self.rng.randrange(0, 48) / 4
        self.stage.grade(SINGLE_GRADE, course, self._assignment(course), self._student(course), score)

    def _clear(self, course: int) -> None:
        self._submission("clear", course)

    def _excuse(self, course: int) -> None:
        self._submission("excuse", course)

    def _submission(self, do: str, course: int) -> None:
        assignment, student = self._assignment(course), self._student(course)
        self.stage.act(do=do, course_id=course, assignment_id=assignment, user_id=student)

    def _edit(self, course: int) -> None:
        assignment = self._assignment(course)
        changes: dict[str, object] = {"name": f"Renamed {assignment} {self.acts}"}
        if self.rng.random() < 0.5:
            changes = {
                "points_possible": float(self.rng.randrange(5, 100)),
                "description": f"<p>{self.acts}</p>",
            }
        if self.rng.random() < 0.3:
            changes["due_at"] = self._some_day()
        self._change(course, assignment, **changes)

    def _hold_back(self, course: int) -> None:
        assignment = self._assignment(course)
        self.held_back ^= {(course, assignment)}
        self._change(course, assignment, post_to_sis=(course, assignment) not in self.held_back)

    def _create(self, course: int) -> None:
        if course not in GROUPS or len(self.work[course]) > 6:
            self._grade(course)
            return
        new = self.first_new_id + self.acts
        group = GROUPS[course]
        assignment = {"id": new, "name": f"Made {new}", "due_at": self._some_day(), "assignment_group_id": group}
        self.stage.act(do="create_assignment", course_id=course, assignment=assignment)
        self.work[course].append(new)

    def _some_day(self) -> str:
        return (self.stage.clock.now() + timedelta(days=self.rng.randrange(1, 9))).isoformat()

    def _change(self, course: int, assignment: int, **changes: object) -> None:
        self.stage.act(do="edit_assignment", course_id=course, assignment_id=assignment, changes=changes)

    def _assignment(self, course: int) -> int:
        return self.rng.choice(self.work[course])

    def _student(self, course: int) -> int:
        return user_id_of(self.rng.choice(STUDENTS[course]))
