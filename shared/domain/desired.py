"""What PowerSchool should hold, as eligibility and scoring derive it from Canvas, and the link to what it does hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

import msgspec


class DesiredScore(msgspec.Struct, frozen=True, gc=False):
    """One student's score, with all of Canvas's decimals.

    With a flag and no score in Canvas, `points` is 0 (product rule "missing, excused").
    """

    student_dcid: int
    points: Decimal
    missing: bool = False
    exempt: bool = False


@dataclass(frozen=True, slots=True)
class DesiredAssignment:
    """One Canvas assignment in one PowerSchool section, with its scores by STUDENTS.DCID.

    `name` is HTML-unescaped. `publish_option` is the category's default, None where it has none. `unscored`
    holds the students whom Canvas lists without a score or a flag: what PowerSchool has for them was cleared.
    """

    assignment_id: str
    section_dcid: int
    name: str
    description: str
    due_date: date
    points: Decimal
    category_id: int
    publish_option: str | None = None
    scores: Mapping[int, DesiredScore] = field(default_factory=dict)
    unscored: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Link:
    """Which PowerSchool assignment is this Canvas assignment's, in one section.

    A link without ids is a claim: a create was about to be sent with `name` and `due_date`, and its answer is
    not known. `sent_to` holds the students (STUDENTS.DCID) for whom a score was written.
    """

    assignment_id: str
    section_dcid: int
    name: str
    due_date: date
    powerschool_assignment_id: int | None = None
    powerschool_assignment_section_id: int | None = None
    sent_to: frozenset[int] = frozenset()

    @property
    def is_claim(self) -> bool:
        """Say whether the outcome of the create is still unknown."""
        return self.powerschool_assignment_section_id is None
