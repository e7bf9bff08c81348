"""The reasons to hold a plan for a person, with their texts and limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, tzinfo

from shared.domain.provisioning.rows.sis_rows import Entity
from shared.domain.wording import CodeTable


class HoldReason(CodeTable):
    """The closed set of reasons, each with its code, its sentence and what the person can do."""

    sentence: str
    remedy: str

    NOTHING_READ = (
        "nothing_read",
        "PowerSchool gave no rows of a kind that a district always has.",
        "Check the plugin's grants and the data in PowerSchool, then run again. Do not approve.",
    )
    ROSTER_UNSETTLED = (
        "roster_unsettled",
        "A list changed during each of several readings, so that it is not known to be whole.",
        "Nothing, while many people edit rosters: the next run reads anew. Approving reads anew at once.",
    )
    ODD_ROWS = (
        "odd_rows",
        "More rows of PowerSchool cannot be read than single typing errors explain, or one whose owner is not known.",
        (
            "Look at the problems of this run: each names its record and fields. Mend them in PowerSchool, or approve "
            "to keep in Canvas what was applied of them."
        ),
    )
    SCHOOL_MISSING = (
        "school_missing",
        "A school with classes under way is missing altogether.",
        "Check in PowerSchool that the school is there; approve only if it closed.",
    )
    TERM_MISSING = (
        "term_missing",
        "A term that has not ended is missing, or has another SIS id.",
        "Check the school's terms in PowerSchool and the template for the SIS ids of terms.",
    )
    TERM_STOPS = (
        "term_stops",
        "A term with classes under way would not be running any more.",
        "Check the term's first and last day in PowerSchool; approve only if the term really ended or was put off.",
    )
    TERM_MOVED = (
        "term_moved",
        "A term's first or last day would move by weeks.",
        "Check the term's first and last day in PowerSchool; approve if the calendar was changed on purpose.",
    )
    SHRUNK_SLOWLY = (
        "shrunk_slowly",
        "More rows of a school have ended bit by bit than usually do in so much time.",
        "Look at the rows of this run and of the runs before it; approve if they were meant to end.",
    )
    SHRUNK = (
        "shrunk",
        "More rows of a school would end than usually do in one run.",
        "Look at the rows; approve if they are meant to end.",
    )
    MANY_LEAVERS = (
        "many_leavers",
        "After the end of their classes, more people of a school would lose their logins than usually leave.",
        "Look at the rows; approve if they left, as after a school year.",
    )
    SIS_IDS_CHANGED = (
        "sis_ids_changed",
        "Many records of a school would get new SIS ids: sections as new ones, people as those whom they are.",
        (
            "Check the template and the numbers in PowerSchool; approve if these people were renumbered. To renumber "
            "sections, change their SIS ids in Canvas first."
        ),
    )
    LOGINS_CHANGED = (
        "logins_changed",
        "Many people of a school would get new logins.",
        "Check the template for logins and the field it is made from; approve if people know their new logins.",
    )
    NAMES_CHANGED = (
        "names_changed",
        "Many people of a school would get new names.",
        "Look at the rows: names that went to the wrong people show here.",
    )
    FIRST_RUN = (
        "first_run",
        "Passback has never provisioned this Canvas, so that there is nothing to compare with.",
        "Look at the rows, above all at SIS ids and logins: they must be those of the people and courses in Canvas.",
    )
    ROWS_EXPIRED = (
        "rows_forgotten",
        "What was applied last is not kept any more, so that it cannot be told what would end.",
        "Compare some courses in Canvas with PowerSchool before approving.",
    )
    ACCOUNT_MISSING = (
        "account_missing",
        "Canvas has no account with the SIS id of the school's courses.",
        (
            "Create the sub-account in Canvas with this SIS id, or correct PASSBACK_PROVISION_ACCOUNT_SIS_ID; the next "
            "run goes on. Approved as it is, Canvas refuses these courses, and their sections and classes with them."
        ),
    )


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
    `unplaced_rows` those of them of which it is unknown which rows to retain.
    """

    schools: frozenset[int]
    empty: tuple[str, ...]
    today: date
    zone: tzinfo
    unsettled: tuple[str, ...] = ()
    odd_rows: int = 0
    unplaced_rows: int = 0


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a plan is not applied without a person: a code, and what to tell the person. Counts and ids only."""

    code: str
    sentence: str
    remedy: str = ""
    entity: Entity | None = None
    school_number: int | None = None


def hold_for(
    reason: HoldReason,
    entity: Entity | None = None,
    school_number: int | None = None,
    affected: int = 0,
    total: int = 0,
    detail: str = "",
) -> Hold:
    """Return the hold of a school's plan, or of the whole plan; `affected` rows of `total` are the reason."""
    where = "" if school_number is None else f"school {school_number}"
    counts = f"{affected} of {total} {'rows' if entity is None else entity.value}" if total else ""
    facts = ", ".join(filter(None, (where, detail, counts)))
    sentence = f"{reason.sentence.removesuffix('.')} ({facts})." if facts else reason.sentence
    return Hold(reason.value, sentence, reason.remedy, entity, school_number)
