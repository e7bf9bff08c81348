"""Why PowerTeacher Pro refuses an assignment: one row per rule, all that apply are answered."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from shared.sandbox.powerschool.request import ErrorRow, Rule
from shared.sandbox.powerschool.rows import Section
from shared.sandbox.powerschool.state import PowerSchool
from shared.sandbox.powerschool.xte.bodies import AssignmentSectionBody

MAX_NAME_CHARS = 50
MAX_DESCRIPTION_CHARS = 4000
MAX_PUBLISH_OPTION_CHARS = 30
MAX_TOTAL = Decimal(9999)
SCORE_TYPES = frozenset({"POINTS", "PERCENT", "COLLECTED", "GRADESCALE"})


@dataclass(frozen=True, slots=True)
class Draft:
    """An assignment section as it would be written. `own_id` is its id on an update, None on a create."""

    state: PowerSchool
    section: Section
    users_dcid: int
    body: AssignmentSectionBody
    locked_term_ids: Collection[int]
    own_id: int | None = None

    @property
    def due(self) -> date | None:
        """Return the due date, None where it is missing or not YYYY-MM-DD."""
        text = self.body.duedate or ""
        try:
            day = date.fromisoformat(text)
        except ValueError:
            return None
        return day if day.isoformat() == text else None


def _name_length(draft: Draft) -> bool:
    name = draft.body.name or ""
    return not name.strip() or len(name) > MAX_NAME_CHARS


def _due_outside_term(draft: Draft) -> bool:
    term = draft.state.term_of(draft.section)
    return draft.due is not None and not term.first_day <= draft.due <= term.last_day


def _duplicate(draft: Draft) -> bool:
    name = (draft.body.name or "").casefold()
    return any(
        row.name.casefold() == name and row.due_date == draft.due and row.assignment_section_id != draft.own_id
        for row in draft.state.gradebooks[draft.section.dcid].values()
    )


def _category_unusable(draft: Draft) -> bool:
    for association in draft.body.categories or ():
        category = draft.state.categories.get(association.teachercategoryid)
        if category is None or category.users_dcid != draft.users_dcid or not category.active:
            return True
        if draft.section.dcid in category.excluded_section_dcids:
            return True
    return False


def _locked(draft: Draft) -> bool:
    row = draft.state.assignment_sections.get(draft.own_id) if draft.own_id is not None else None
    return row is not None and row.locked


RULES = (
    # Source: ASSIGNMENTSECTION.NAME S50 not null in a public schema dump; help pages of Schoology and Otus.
    Rule("Name", f"Name is required and at most {MAX_NAME_CHARS} characters long", _name_length),
    # Source: ASSIGNMENTSECTION.DESCRIPTION S4000 in a public schema dump.
    Rule(
        "Description",
        f"Description is at most {MAX_DESCRIPTION_CHARS} characters long",
        lambda draft: len(draft.body.description or "") > MAX_DESCRIPTION_CHARS,
    ),
    # Source: Published error title; mandatory according to the help pages of several vendors.
    Rule("Due Date Error", "Due date is missing or not a date", lambda draft: draft.due is None),
    # Source: Measured against a test server; help pages.
    Rule("Due Date Error", "Due date is not within the term of the section", _due_outside_term),
    # Source: Unique index of the schema dump and Otus's help page; the exact columns are inferred.
    Rule("Assignment Already Exists", "An assignment of this name and due date exists in the section", _duplicate),
    # Source: Published error title; column not null in the schema dump; the sign is inferred.
    Rule(
        "Score Entry Point Required",
        "Score entry points are required and not negative",
        lambda draft: draft.body.scoreentrypoints is None or draft.body.scoreentrypoints < 0,
    ),
    # Inferred.
    Rule(
        "Weight",
        "Weight and extra points are not negative nor above the maximum",
        lambda draft: not all(0 <= value <= MAX_TOTAL for value in (draft.body.weight, draft.body.extracreditpoints)),
    ),
    # Source: PowerTeacher Pro help.
    Rule(
        "Total Point Value",
        f"Points times weight plus extra points is at most {MAX_TOTAL}",
        lambda draft: draft.body.total + draft.body.extracreditpoints > MAX_TOTAL,
    ),
    # Source: True of all of a public capture and measured; that a difference is refused is inferred.
    Rule(
        "Total Point Value",
        "Total point value is not points times weight",
        lambda draft: draft.body.totalpointvalue not in (None, draft.body.total),
    ),
    # Source: Values of a public capture; the refusal is inferred.
    Rule("Score Type", "Score type is unknown", lambda draft: draft.body.scoretype not in SCORE_TYPES),
    # Source: ASSIGNMENTSECTION.PUBLISHOPTION S30 not null in a public schema dump.
    Rule(
        "Publish Option",
        "Publish option is empty or too long",
        lambda draft: not 1 <= len(draft.body.publishoption) <= MAX_PUBLISH_OPTION_CHARS,
    ),
    # Source: Published error title; that exactly one is primary is inferred.
    Rule(
        "Teacher Category ID",
        "A primary teacher category is required",
        lambda draft: sum(association.isprimary for association in draft.body.categories or ()) != 1,
    ),
    # Source: Published error title; categories belong to a teacher (measured), may be inactive or excluded.
    Rule(
        "Teacher Category ID",
        "Teacher category is not an active category of this teacher for this section",
        _category_unusable,
    ),
    # Source: PowerSchool xte API reference, 409 Locked Term.
    Rule("Locked Term", "The term is locked", lambda draft: draft.section.term_id in draft.locked_term_ids),
    # Source: Published error title; islocked in reads.
    Rule("Assignment is Locked", "The assignment is locked", _locked),
)


def refusals(draft: Draft) -> list[ErrorRow]:
    """Return every reason to refuse the draft."""
    return [
        ErrorRow(rule.code, rule.sentence, "AssignmentSection", {"section_dcid": draft.section.dcid})
        for rule in RULES
        if rule.broken(draft)
    ]
