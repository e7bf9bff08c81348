"""Defines the assignments that PowerSchool should have, and the links to those that it has."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from shared.domain.passback.powerschool import AssignmentKey, Score


@dataclass(frozen=True, slots=True)
class DesiredAssignment:
    """One Canvas assignment in one PowerSchool section, with its scores by STUDENTS.DCID.

    `description` is None where Canvas does not show it: PowerSchool's stays. `counted` (in the final grade) and
    `scores_published` are None where neither system says; `publish_option` is the category's default, None where it has
    none. `flag_only` holds the students whose 0 in `scores` comes with a flag and from no score. `unscored` holds the
    students whom Canvas lists without a score or a flag: what PowerSchool has for them was cleared. `unfinished` holds
    those whose score waits for a person to finish grading, and who have no flag.
    """

    assignment_id: str
    section_dcid: int
    name: str
    description: str | None
    due_date: date
    points: Decimal
    category_id: int
    publish_option: str | None = None
    counted: bool | None = None
    scores_published: bool | None = None
    flag_only: frozenset[int] = frozenset()
    scores: Mapping[int, Score] = field(default_factory=dict)
    unscored: frozenset[int] = frozenset()
    unfinished: frozenset[int] = frozenset()

    @property
    def key(self) -> AssignmentKey:
        """The key of its link."""
        return AssignmentKey(self.assignment_id, self.section_dcid)

    @property
    def has_scores(self) -> bool:
        """Say whether there is a score or an excuse, and not only missing work."""
        return any(score.exempt or dcid not in self.flag_only for dcid, score in self.scores.items())


def without_students(desired: DesiredAssignment, student_dcids: Collection[int]) -> DesiredAssignment:
    """Return the assignment without these students: nothing of theirs is sent, cleared or taken as cleared."""
    if not student_dcids:
        return desired
    return replace(
        desired,
        scores={dcid: score for dcid, score in desired.scores.items() if dcid not in student_dcids},
        unscored=desired.unscored - set(student_dcids),
        unfinished=desired.unfinished - set(student_dcids),
    )


@dataclass(frozen=True, slots=True)
class Echo:
    """What was sent in one field or score, and what PowerSchool had of it afterwards, as digests.

    `stored` is None until PowerSchool was looked at after the write. Until then, `sent` is a code of two letters for
    most scores, see `stored_forms.score_code`.
    """

    sent: str
    stored: str | None = None


@dataclass(frozen=True, slots=True)
class Takeover:
    """That a person linked an assignment which passback did not create.

    `made_by` is its ASSIGNMENT.createdbyplugin, empty for a teacher's. `is_written` says that passback has changed it
    since, or may have: then the takeover cannot be undone.
    """

    made_by: str
    is_written: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """Which PowerSchool assignment is this Canvas assignment's, in one section.

    A link without ids is a claim: a create was about to be sent with `name` and `due_date`, and its response is
    not known. `sent_to` holds the students (STUDENTS.DCID) for whom a score was written, `zeros` those whose score is
    the 0 that went with a flag alone. `echoes` holds, by the name of an owned field or by STUDENTS.DCID, what
    PowerSchool stores differently from what was sent, and scores that were not read since they were written.
    `taken_over` is None for what passback created.
    """

    assignment_id: str
    section_dcid: int
    name: str
    due_date: date
    powerschool_assignment_id: int | None = None
    powerschool_assignment_section_id: int | None = None
    sent_to: frozenset[int] = frozenset()
    zeros: frozenset[int] = frozenset()
    echoes: Mapping[str, Echo] = field(default_factory=dict)
    taken_over: Takeover | None = None

    @property
    def key(self) -> AssignmentKey:
        """The assignment and the section that it links."""
        return AssignmentKey(self.assignment_id, self.section_dcid)

    @property
    def is_claim(self) -> bool:
        """Say whether the outcome of the create is still unknown."""
        return self.powerschool_assignment_section_id is None
