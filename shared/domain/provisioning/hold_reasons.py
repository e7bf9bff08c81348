"""The reasons to hold a plan for a person, with their words and limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, tzinfo
from enum import StrEnum

from shared.domain.provisioning.rows.sis_rows import Entity, SisRow


class HoldReason(StrEnum):
    """The closed set of reasons."""

    NOTHING_READ = "nothing_read"
    ROSTER_UNSETTLED = "roster_unsettled"
    ODD_ROWS = "odd_rows"
    SCHOOL_MISSING = "school_missing"
    TERM_MISSING = "term_missing"
    TERM_STOPS = "term_stops"
    TERM_MOVED = "term_moved"
    SHRUNK = "shrunk"
    SHRUNK_SLOWLY = "shrunk_slowly"
    MANY_LEAVERS = "many_leavers"
    SIS_IDS_CHANGED = "sis_ids_changed"
    LOGINS_CHANGED = "logins_changed"
    NAMES_CHANGED = "names_changed"


@dataclass(frozen=True, slots=True)
class HoldText:
    """What to tell the person who approves or does not."""

    sentence: str
    remedy: str


HOLD_TEXTS: Mapping[HoldReason, HoldText] = {
    HoldReason.NOTHING_READ: HoldText(
        "PowerSchool gave no rows of a kind that a district always has.",
        "Check the plugin's grants and the data in PowerSchool, then run again. Do not approve.",
    ),
    HoldReason.ROSTER_UNSETTLED: HoldText(
        "A list changed during each of several readings, so that it is not known to be whole.",
        "Nothing, while many people edit rosters: the next run reads anew. Approving reads anew at once.",
    ),
    HoldReason.ODD_ROWS: HoldText(
        "More rows of PowerSchool cannot be read than single typing errors explain, or one whose owner is not known.",
        "Look at the problems of this run: each names its record and fields. Mend them in PowerSchool, or approve to "
        "keep in Canvas what was applied of them.",
    ),
    HoldReason.SCHOOL_MISSING: HoldText(
        "A school with classes under way is missing altogether.",
        "Check in PowerSchool that the school is there; approve only if it closed.",
    ),
    HoldReason.TERM_MISSING: HoldText(
        "A term that has not ended is missing, or has another SIS id.",
        "Check the school's terms in PowerSchool and the template for the SIS ids of terms.",
    ),
    HoldReason.TERM_STOPS: HoldText(
        "A term with classes under way would not be running any more.",
        "Check the term's first and last day in PowerSchool; approve only if the term really ended or was put off.",
    ),
    HoldReason.TERM_MOVED: HoldText(
        "A term's first or last day would move by weeks.",
        "Check the term's first and last day in PowerSchool; approve if the calendar was changed on purpose.",
    ),
    HoldReason.SHRUNK_SLOWLY: HoldText(
        "More rows of a school have ended bit by bit than usually do in so much time.",
        "Look at the rows of this run and of the runs before it; approve if they were meant to end.",
    ),
    HoldReason.SHRUNK: HoldText(
        "More rows of a school would end than usually do in one run.",
        "Look at the rows; approve if they are meant to end.",
    ),
    HoldReason.MANY_LEAVERS: HoldText(
        "After the end of their classes, more people of a school would lose their logins than usually leave.",
        "Look at the rows; approve if they left, as after a school year.",
    ),
    HoldReason.SIS_IDS_CHANGED: HoldText(
        "Many records of a school would get new SIS ids: sections as new ones, people as those whom they are.",
        "Check the template and the numbers in PowerSchool; approve if these people were renumbered. To renumber "
        "sections, change their SIS ids in Canvas first.",
    ),
    HoldReason.LOGINS_CHANGED: HoldText(
        "Many people of a school would get new logins.",
        "Check the template for logins and the field it is made from; approve if people know their new logins.",
    ),
    HoldReason.NAMES_CHANGED: HoldText(
        "Many people of a school would get new names.",
        "Look at the rows: names that went to the wrong people show here.",
    ),
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Above which share of a school's rows a plan is held, in percent, and how many rows it takes at least.

    `leavers` is the share of users of whom no class is under way any more; `percent` has a limit for each entity
    that is counted, and that of users is also the limit for new SIS ids, logins and names. `term_days` is by how many
    days a term may move, `odd_rows` how many rows may be left out since they cannot be read.
    """

    percent: Mapping[Entity, int]
    leavers: int
    rows: int = 10
    term_days: int = 28
    odd_rows: int = 10

    def are_exceeded(self, affected: int, total: int, percent: int) -> bool:
        """Say whether so many rows of `total` are too many."""
        return affected >= max(self.rows, 1) and affected * 100 > total * percent


@dataclass(frozen=True, slots=True)
class RosterFacts:
    """What is known of the reading itself. `empty` names the kinds of which PowerSchool gave no row.

    `unsettled` names the lists that changed during each reading. `odd_rows` counts the rows that cannot be read,
    `unplaced_rows` those of them of which it is not even known whose state is to be kept.
    """

    schools: frozenset[int]
    empty: tuple[str, ...]
    today: date
    zone: tzinfo
    unsettled: tuple[str, ...] = ()
    odd_rows: int = 0
    unplaced_rows: int = 0


@dataclass(frozen=True, slots=True)
class HoldFinding:
    """One reason to hold a plan: the school and entity it is about, and the rows as they were applied."""

    reason: HoldReason
    entity: Entity | None = None
    school_number: int | None = None
    total: int = 0
    rows: tuple[SisRow, ...] = ()
    detail: str = ""
    ended_before: int = 0
    """Rows that ended in runs before this one: they are counted, and not kept."""

    @property
    def affected(self) -> int:
        """How many rows it is about."""
        return len(self.rows) + self.ended_before

    @property
    def sentence(self) -> str:
        """What to tell the person: counts and ids, no names."""
        where = "" if self.school_number is None else f"school {self.school_number}"
        kind = "rows" if self.entity is None else self.entity.value
        counts = f"{self.affected} of {self.total} {kind}" if self.total else ""
        facts = ", ".join(filter(None, (where, self.detail, counts)))
        text = HOLD_TEXTS[self.reason].sentence
        return f"{text.removesuffix('.')} ({facts})." if facts else text

    @property
    def remedy(self) -> str:
        """What the person can do."""
        return HOLD_TEXTS[self.reason].remedy
