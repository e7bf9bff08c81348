"""Decides when an assignment is passed back: one row per rule, and every row that applies is reported.

Who an assignment must be for can be read in two ways: (a) any date for particular students, groups or modules
blocks it, or (b) only an assignment that is for nobody else is blocked. This is (b): extensions for single
students beside "Everyone Else" are fine, and Canvas's `visible_to_everyone` decides.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, timedelta, tzinfo
from html import unescape
from html.entities import html5

from shared.domain.passback.canvas import Assignment, Course, GradingType, Section, effective_due_at, local_due_date
from shared.domain.passback.powerschool import RosteredSection, Term
from shared.domain.passback.rules.categories import CategoryMatch, MissingReason, NoCategory
from shared.domain.passback.rules.reasons import Finding, Reason

ROLL_CALL_NAME = "Roll Call Attendance"
UNGRADABLE_SUBMISSIONS = frozenset({"not_graded", "wiki_page"})
# The limit of Canvas's own passback dialog.
DEFAULT_MAX_NAME_CHARS = 30
# Stands for any assignment where a rule looks at the section alone.
NO_WORK = Assignment("", "", None, None, GradingType.POINTS, True, True, True, "")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|\w{1,32});")


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts that the rules check: one assignment in one section of its course.

    `rostered` is None where PowerSchool has no such section, and `category` where the section has no teacher.
    `today` is the school's date, `max_name_chars` the district's limit for names.
    """

    course: Course
    section: Section
    assignment: Assignment
    rostered: RosteredSection | None
    category: CategoryMatch | NoCategory | None
    today: date
    zone: tzinfo
    grace_days: int
    asked_for_by_person: bool = False
    max_name_chars: int = DEFAULT_MAX_NAME_CHARS

    @property
    def due_date(self) -> date | None:
        """The section's due date on the school's calendar."""
        due_at = effective_due_at(self.assignment, self.section.id)
        return None if due_at is None else local_due_date(due_at, self.zone)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its reason, when it applies, and the facts that make the reason's sentence exact."""

    reason: Reason
    applies: Callable[[Facts], bool]
    detail: Callable[[Facts], str] = lambda _: ""


def eligibility_findings(facts: Facts) -> tuple[Finding, ...]:
    """Return every reason that blocks the assignment in this section, in table order."""
    return _findings(RULES, facts)


def connection_findings(course: Course, section: Section, rostered: RosteredSection | None) -> tuple[Finding, ...]:
    """Return why nothing of a section can be sent, whatever its assignments are."""
    return _findings(CONNECTION_RULES, Facts(course, section, NO_WORK, rostered, None, date.min, UTC, 0))


def _findings(rules: Iterable[Rule], facts: Facts) -> tuple[Finding, ...]:
    return tuple(Finding(rule.reason, rule.detail(facts)) for rule in rules if rule.applies(facts))


def name_length(name: str) -> int:
    """Return the number of characters, with an HTML entity as the one character that it stands for.

    A name is plain text: `&amp;` is shown as typed, and sent so. Only Canvas's check unescapes it. What does not end
    with a semicolon is no entity, although `html.unescape` reads one in `&notes`.

    Source: Canvas Gradebook, "Sync to SIS": the unescaped name is compared with the limit.
    """
    return len(_ENTITY.sub(_character, name))


def _character(entity: re.Match[str]) -> str:
    text = entity[0]
    return unescape(text) if text[1] == "#" or text[1:] in html5 else text


def _is_attendance(assignment: Assignment) -> bool:
    by_tool = assignment.name == ROLL_CALL_NAME and "external_tool" in assignment.submission_types
    return by_tool or "attendance" in assignment.submission_types


def is_not_gradable(assignment: Assignment) -> bool:
    """Say whether nobody can be graded for it."""
    kinds = UNGRADABLE_SUBMISSIONS.intersection(assignment.submission_types)
    return assignment.grading_type is GradingType.NOT_GRADED or bool(kinds)


def _name_length_and_limit(facts: Facts) -> str:
    length = f"{name_length(facts.assignment.name)} characters"
    is_usual = facts.max_name_chars == DEFAULT_MAX_NAME_CHARS
    return length if is_usual else f"{length}, the district's limit is {facts.max_name_chars}"


def _is_due_outside_term(facts: Facts) -> bool:
    due = facts.due_date
    return facts.rostered is not None and due is not None and not facts.rostered.term.contains(due)


def _due_and_term(facts: Facts) -> str:
    assert facts.rostered is not None
    term = facts.rostered.term
    return f"due {facts.due_date}, term {term.first_day} to {term.last_day}"


def _is_term_closed(facts: Facts) -> bool:
    if facts.rostered is None or facts.asked_for_by_person:
        return False
    return facts.today > facts.rostered.term.last_day + timedelta(days=facts.grace_days)


def _term_and_grace(facts: Facts) -> str:
    assert facts.rostered is not None
    return f"ended {facts.rostered.term.last_day}, grace period {facts.grace_days} days"


def _categories(facts: Facts) -> str:
    assert isinstance(facts.category, NoCategory)
    assert facts.rostered is not None
    return describe_missing(facts.category, facts.rostered.term)


def describe_missing(missing: NoCategory, term: Term) -> str:
    """Return the detail of `category_missing`: what cannot be used and why, and what could be."""
    usable = ", ".join(missing.usable) or "none"
    found = {
        MissingReason.NONE: f"the district's map names {missing.mapped}, which the teacher does not have; "
        if missing.mapped
        else "",
        MissingReason.INACTIVE: f"{missing.rejected} is inactive; ",
        MissingReason.EXCLUDED: f"{missing.rejected} is excluded for this section; ",
        MissingReason.TOO_EARLY: f"{missing.rejected} can be linked from {term.first_day} on, the first day of the "
        "term; ",
    }[missing.why]
    return f"{found}active categories: {usable}"


CONNECTION_RULES = (
    # These apply to a section, whatever the assignment.
    Rule(Reason.COURSE_SIS_ID_MISSING, lambda f: not f.course.sis_course_id),
    Rule(Reason.SECTION_SIS_ID_MISSING, lambda f: not f.section.sis_section_id),
    Rule(
        Reason.SECTION_UNKNOWN,
        lambda f: bool(f.section.sis_section_id) and f.rostered is None,
        detail=lambda f: f"SIS id {f.section.sis_section_id}",
    ),
    Rule(Reason.TEACHER_MISSING, lambda f: f.rostered is not None and f.rostered.teacher_users_dcid is None),
)
RULES = (
    # These apply in all sections alike.
    Rule(
        Reason.SIS_SYNC_OFF,
        lambda f: not f.assignment.post_to_sis,
        detail=lambda f: "Canvas does not show the switch in this course" if f.assignment.post_to_sis is None else "",
    ),
    Rule(Reason.NOT_PUBLISHED, lambda f: not f.assignment.published),
    Rule(Reason.NOT_GRADABLE, lambda f: is_not_gradable(f.assignment)),
    Rule(Reason.ATTENDANCE, lambda f: _is_attendance(f.assignment)),
    Rule(
        Reason.NAME_TOO_LONG, lambda f: name_length(f.assignment.name) > f.max_name_chars, detail=_name_length_and_limit
    ),
    Rule(Reason.NOT_ASSIGNED_TO_EVERYONE, lambda f: not f.assignment.visible_to_everyone),
    Rule(Reason.POINTS_MISSING, lambda f: f.assignment.points_possible is None),
    Rule(Reason.ANONYMOUS_UNTIL_POSTED, lambda f: f.assignment.anonymize_students),
    Rule(
        Reason.MODERATED_UNTIL_RELEASED, lambda f: f.assignment.moderated and f.assignment.grades_published is not True
    ),
    Rule(Reason.HIDDEN_IN_GRADEBOOK, lambda f: f.assignment.hidden_in_gradebook),
    # These apply to one section.
    Rule(Reason.DUE_DATE_MISSING, lambda f: f.due_date is None),
    Rule(Reason.DUE_DATE_OUTSIDE_TERM, _is_due_outside_term, detail=_due_and_term),
    Rule(Reason.TERM_CLOSED, _is_term_closed, detail=_term_and_grace),
    Rule(Reason.CATEGORY_MISSING, lambda f: isinstance(f.category, NoCategory), detail=_categories),
    *CONNECTION_RULES,
)
