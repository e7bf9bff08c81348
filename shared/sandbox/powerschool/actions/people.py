"""What people do in PowerSchool while passback is at work: out-of-band changes, for the control plane.

Teachers rename, move, delete, lock and rescore at any time; students leave and arrive; teachers change (measured and
documented causes of failures in other integrations).
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.sandbox.powerschool.actions.rosters import BaseAction, RosterAction, found
from shared.sandbox.powerschool.errors import message, plain
from shared.sandbox.powerschool.rows import AssignmentSection, Score
from shared.sandbox.powerschool.seed import SeedAssignment, add_assignment
from shared.sandbox.powerschool.state import PowerSchool
from shared.sandbox.powerschool.xte.score_values import SCORE_CODES, derive


class _OnAssignment(BaseAction):
    assignment_section_id: int

    def row(self, state: PowerSchool) -> AssignmentSection:
        """Return the row that is acted on. Raises: Refusal with 404."""
        row = state.assignment_sections.get(self.assignment_section_id)
        if row is None:
            raise message(404, f"no assignment section {self.assignment_section_id}")
        state.touch("assignmentsection", row.assignment_section_id)
        return row


class Delete(_OnAssignment):
    """A teacher deletes an assignment with its scores."""

    do: Literal["delete"]

    def apply(self, state: PowerSchool) -> None:
        """Do it."""
        state.remove(state.assignments[self.row(state).assignment_id])


class Lock(_OnAssignment):
    """An assignment is locked or unlocked."""

    do: Literal["lock", "unlock"]

    def apply(self, state: PowerSchool) -> None:
        """Do it."""
        self.row(state).locked = self.do == "lock"


class Rescore(_OnAssignment):
    """A teacher enters a score by hand; flags that were there are gone."""

    do: Literal["rescore"]
    student_dcid: int
    points: Decimal

    def apply(self, state: PowerSchool) -> None:
        """Do it."""
        _enter(state, self.row(state), self.student_dcid, "REAL_SCORE", plain(self.points))


class EnterScoreCode(_OnAssignment):
    """A teacher enters a special code, which appears as SCORE_CODE."""

    do: Literal["score_code"]
    student_dcid: int
    code: str

    def apply(self, state: PowerSchool) -> None:
        """Do it. Raises: Refusal with 404 for an unknown code."""
        if self.code not in SCORE_CODES:
            raise message(404, f"no score code {self.code}")
        _enter(state, self.row(state), self.student_dcid, "SCORE_CODE", self.code)


class MarkScore(_OnAssignment):
    """A teacher sets or takes away flags of a score row, and comments on it; a row without a score may be too."""

    do: Literal["mark_score"]
    student_dcid: int
    late: bool | None = None
    collected: bool | None = None
    absent: bool | None = None
    incomplete: bool | None = None
    comment: str | None = None

    def apply(self, state: PowerSchool) -> None:
        """Do it."""
        row = self.row(state)
        score = row.scores.get(self.student_dcid)
        if score is None:
            score = row.scores[self.student_dcid] = Score(next(state.score_ids), state.clock.now())
        _change(score, self, "late", "collected", "absent", "incomplete", "comment")
        state.touch("assignmentscore", score.score_id)


class ChangeAssignment(_OnAssignment):
    """A teacher renames or moves an assignment, or changes how it is scored or counted."""

    do: Literal["change_assignment", "rename", "move"]
    name: str | None = None
    due_date: date | None = None
    score_type: Literal["POINTS", "PERCENT", "COLLECTED", "GRADESCALE"] | None = None
    weight: Decimal | None = None
    counted: bool | None = None
    scores_published: bool | None = None

    @model_validator(mode="after")
    def _has_its_value(self) -> Self:
        if (self.do == "rename" and self.name is None) or (self.do == "move" and self.due_date is None):
            raise ValueError(f"{self.do} without a value")
        return self

    def apply(self, state: PowerSchool) -> None:
        """Change what was given. Raises: Refusal with 404."""
        _change(self.row(state), self, "name", "due_date", "score_type", "weight", "counted", "scores_published")


class ChangeCategory(BaseAction):
    """A teacher changes a category: whether it is active, and what its new assignments start with."""

    do: Literal["change_category", "deactivate_category", "activate_category"]
    category_id: int
    in_final_grades: bool | None = None
    default_publish_scores: bool | None = None

    def apply(self, state: PowerSchool) -> None:
        """Do it. Raises: Refusal with 404."""
        category = found(state.categories, self.category_id, "category")
        _change(category, self, "in_final_grades", "default_publish_scores")
        if self.do != "change_category":
            category.active = self.do == "activate_category"


def _change(record: object, action: BaseAction, *names: str) -> None:
    """Set these fields of the record as far as the action gives them."""
    for name in names:
        if (value := getattr(action, name)) is not None:
            setattr(record, name, value)


def _enter(state: PowerSchool, row: AssignmentSection, student_dcid: int, kind: str, entered: str) -> None:
    old = row.scores.get(student_dcid)
    score = Score(old.score_id if old else next(state.score_ids), state.clock.now(), entered=entered, kind=kind)
    row.scores[student_dcid] = score
    derive(score, row)
    state.touch("assignmentscore", score.score_id)


class CreateAssignment(SeedAssignment):
    """A teacher makes an assignment by hand."""

    do: Literal["create"]

    def apply(self, state: PowerSchool) -> None:
        """Do it. Raises: Refusal with 404 for an unknown section."""
        found(state.sections, self.section_dcid, "section")
        add_assignment(state, self)


class LockTerm(BaseAction):
    """An administrator locks or unlocks a term (TERMS.ID)."""

    do: Literal["lock_term", "unlock_term"]
    term_id: int

    def apply(self, state: PowerSchool) -> None:
        """Do it."""
        change: Callable[[int], None] = state.locked_terms.add if self.do == "lock_term" else state.locked_terms.discard
        change(self.term_id)


class SetPlugin(BaseAction):
    """An administrator changes the plugin: its v1 access level, whether its queries are installed."""

    do: Literal["set_plugin"]
    v1_access: Literal["NONE", "READ", "FULL"] | None = None
    queries_installed: bool | None = None

    def apply(self, state: PowerSchool) -> None:
        """Do it."""
        _change(state.plugin, self, "v1_access", "queries_installed")


Action = Annotated[
    Delete
    | Lock
    | Rescore
    | EnterScoreCode
    | MarkScore
    | ChangeAssignment
    | ChangeCategory
    | CreateAssignment
    | RosterAction
    | LockTerm
    | SetPlugin,
    Field(discriminator="do"),
]
