"""When an assignment is passed back: one row per rule, and every row that applies is reported.

Who an assignment must be for can be read in two ways: (a) any date for particular students, groups or modules
blocks it, or (b) only an assignment that is for nobody else is blocked. This is (b): extensions for single
students beside "Everyone Else" are fine, and Canvas's `visible_to_everyone` decides.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from html import unescape
from html.entities import html5
from typing import Generic, TypeVar

from shared.domain.passback.canvas import Assignment, Course, GradingType, Section
from shared.domain.passback.powerschool import RosteredSection
from shared.domain.passback.rules.categories import CategoryMatch, CategoryMissing, MissingReason
from shared.domain.passback.rules.due_dates import effective_due_at, local_due_date
from shared.domain.passback.rules.reasons import Actor, Explanation, Finding, Reason

ROLL_CALL_NAME = "Roll Call Attendance"
UNGRADABLE_SUBMISSIONS = frozenset({"not_graded", "wiki_page"})
# The limit of Canvas's own passback dialog.
DEFAULT_MAX_NAME_CHARS = 30
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|\w{1,32});")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AssignmentFacts:
    """What the assignment's own rules look at; `max_name_chars` is the district's limit for names."""

    assignment: Assignment
    max_name_chars: int = DEFAULT_MAX_NAME_CHARS


@dataclass(frozen=True, slots=True)
class Facts:
    """What the section's rules look at: one assignment in one section of its course.

    `rostered` is None where PowerSchool has no such section, and `category` where nobody could be asked for it.
    `today` is the school's date.
    """

    course: Course
    section: Section
    assignment: Assignment
    rostered: RosteredSection | None
    category: CategoryMatch | None
    today: date
    zone: tzinfo
    grace_days: int
    asked_for_by_person: bool = False

    @property
    def due_date(self) -> date | None:
        """The section's due date on the school's calendar."""
        due_at = effective_due_at(self.assignment, self.section.id)
        return None if due_at is None else local_due_date(due_at, self.zone)


@dataclass(frozen=True, slots=True)
class Rule(Generic[T]):
    """One rule: its reason, when it applies, what to tell the teacher, and the facts that make it exact."""

    reason: Reason
    applies: Callable[[T], bool]
    explanation: Explanation
    detail: Callable[[T], str] = lambda _: ""


def assignment_findings(assignment: Assignment, max_name_chars: int = DEFAULT_MAX_NAME_CHARS) -> tuple[Finding, ...]:
    """Return every reason that keeps the assignment back in all its sections, in table order."""
    return _findings(ASSIGNMENT_RULES, AssignmentFacts(assignment, max_name_chars))


def section_findings(facts: Facts) -> tuple[Finding, ...]:
    """Return every reason that keeps the assignment back in this section, in table order."""
    return _findings(SECTION_RULES, facts)


def name_length(name: str) -> int:
    """Return the number of characters, with an HTML entity as the one character that it stands for.

    A name is plain text: `&amp;` is shown as typed, and sent so. Canvas's check alone unescapes it. What does not end
    with a semicolon is no entity: `html.unescape` reads one into `&notes`.

    Source: Canvas Gradebook, "Sync to SIS": the unescaped name is compared with the limit.
    """
    return len(_ENTITY.sub(_character, name))


def _character(entity: re.Match[str]) -> str:
    text = entity[0]
    return unescape(text) if text[1] == "#" or text[1:] in html5 else text


def _findings(rules: Iterable[Rule[T]], subject: T) -> tuple[Finding, ...]:
    return tuple(Finding(rule.reason, rule.detail(subject)) for rule in rules if rule.applies(subject))


def _is_attendance(assignment: Assignment) -> bool:
    by_tool = assignment.name == ROLL_CALL_NAME and "external_tool" in assignment.submission_types
    return by_tool or "attendance" in assignment.submission_types


def _is_not_gradable(assignment: Assignment) -> bool:
    kinds = UNGRADABLE_SUBMISSIONS.intersection(assignment.submission_types)
    return assignment.grading_type is GradingType.NOT_GRADED or bool(kinds)


def _name_length_and_limit(facts: AssignmentFacts) -> str:
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
    assert isinstance(facts.category, CategoryMissing)
    assert facts.rostered is not None
    usable = ", ".join(facts.category.usable) or "none"
    found = {
        MissingReason.NONE: "",
        MissingReason.INACTIVE: f"{facts.category.rejected} is inactive; ",
        MissingReason.EXCLUDED: f"{facts.category.rejected} is excluded for this section; ",
        MissingReason.TOO_EARLY: f"{facts.category.rejected} can be linked from {facts.rostered.term.first_day} on, "
        "the first day of the term; ",
    }[facts.category.why]
    return f"{found}active categories: {usable}"


ASSIGNMENT_RULES: tuple[Rule[AssignmentFacts], ...] = (
    Rule(
        Reason.SIS_SYNC_OFF,
        lambda f: not f.assignment.post_to_sis,
        Explanation(
            '"Sync to SIS" is off for this assignment.',
            'Turn on "Sync to SIS" in the assignment\'s settings. If there is no such switch, ask your Canvas '
            "administrator to make it available in the course.",
            Actor.TEACHER,
            source='"Sync to SIS" (`post_to_sis`) is off',
        ),
        detail=lambda f: "Canvas does not show the switch in this course" if f.assignment.post_to_sis is None else "",
    ),
    Rule(
        Reason.NOT_PUBLISHED,
        lambda f: not f.assignment.published,
        Explanation(
            "The assignment is not published in Canvas.",
            "Publish the assignment.",
            Actor.TEACHER,
            source="it is not published",
        ),
    ),
    Rule(
        Reason.NOT_GRADABLE,
        lambda f: _is_not_gradable(f.assignment),
        Explanation(
            "The assignment is not graded in Canvas.",
            'Display its grade as something other than "Not Graded", if it should count.',
            Actor.TEACHER,
            source='grading type is "not graded" (assignments, graded discussions and quizzes are eligible)',
        ),
    ),
    Rule(
        Reason.ATTENDANCE,
        lambda f: _is_attendance(f.assignment),
        Explanation(
            "Attendance taken with Roll Call is never sent.",
            "Nothing to do: PowerSchool has its own attendance.",
            Actor.NOBODY,
            source="it is the Roll Call Attendance assignment",
        ),
    ),
    Rule(
        Reason.NAME_TOO_LONG,
        lambda f: name_length(f.assignment.name) > f.max_name_chars,
        Explanation(
            f"The assignment's name is longer than {DEFAULT_MAX_NAME_CHARS} characters.",
            f"Shorten the name in Canvas to {DEFAULT_MAX_NAME_CHARS} characters or fewer; where your district has set "
            "another limit, the reason names it.",
            Actor.TEACHER,
            source="the name is longer than 30 characters, an HTML entity counting as the one that it stands for (the "
            "limit is a setting, 30 to 50)",
        ),
        detail=_name_length_and_limit,
    ),
    Rule(
        Reason.NOT_ASSIGNED_TO_EVERYONE,
        lambda f: not f.assignment.visible_to_everyone,
        Explanation(
            "The assignment is only for particular students, groups, sections or modules.",
            'Assign it to "Everyone Else" as well; dates of their own for sections or single students may stay.',
            Actor.TEACHER,
            source="only assigned to particular students, groups, sections or modules (section dates beside "
            "Everyone Else, and extensions for single students, are fine)",
        ),
    ),
    Rule(
        Reason.POINTS_MISSING,
        lambda f: f.assignment.points_possible is None,
        Explanation(
            "The assignment has no points possible.",
            "Enter the points possible in Canvas; 0 is fine for extra credit.",
            Actor.TEACHER,
            source="points possible is empty",
        ),
    ),
    Rule(
        Reason.ANONYMOUS_UNTIL_POSTED,
        lambda f: f.assignment.anonymize_students,
        Explanation(
            "The assignment is graded anonymously, and Canvas still hides who got what.",
            "Post the grades in Canvas once grading is finished.",
            Actor.TEACHER,
            source="Canvas is still hiding who got what",
        ),
    ),
    Rule(
        Reason.MODERATED_UNTIL_RELEASED,
        lambda f: f.assignment.moderated and f.assignment.grades_published is not True,
        Explanation(
            "The assignment is moderated, and its final grades are not released yet.",
            "Release the grades in Canvas once moderation is finished.",
            Actor.TEACHER,
            source="Canvas is still hiding who got what",
        ),
    ),
    Rule(
        Reason.HIDDEN_IN_GRADEBOOK,
        lambda f: f.assignment.hidden_in_gradebook,
        Explanation(
            "Canvas hides the assignment from its own gradebook.",
            "Show the assignment in the Canvas gradebook, if its scores should be in PowerSchool.",
            Actor.TEACHER,
            source="Canvas hides it from its own gradebook (`hide_in_gradebook`, `suppress_assignment`)",
        ),
    ),
)

SECTION_RULES: tuple[Rule[Facts], ...] = (
    Rule(
        Reason.DUE_DATE_MISSING,
        lambda f: f.due_date is None,
        Explanation(
            "The assignment has no due date for this section.",
            "Enter a due date in Canvas; for a discussion with checkpoints, enter it for each of them.",
            Actor.TEACHER,
            source="no due date",
        ),
    ),
    Rule(
        Reason.DUE_DATE_OUTSIDE_TERM,
        _is_due_outside_term,
        Explanation(
            "The due date lies outside the section's term in PowerSchool.",
            "Choose a due date within the term.",
            Actor.TEACHER,
            source="the due date, as a local calendar date of the school, is outside the section's PowerSchool term",
        ),
        detail=_due_and_term,
    ),
    Rule(
        Reason.TERM_CLOSED,
        _is_term_closed,
        Explanation(
            "The section's term is over, so changes no longer go to PowerSchool by themselves.",
            "Start a sync of the course by hand, if PowerSchool should still have the change.",
            Actor.TEACHER,
            source="the term ended longer ago than the grace period; a sync asked for by a person still goes through",
        ),
        detail=_term_and_grace,
    ),
    Rule(
        Reason.CATEGORY_MISSING,
        lambda f: isinstance(f.category, CategoryMissing),
        Explanation(
            "The assignment group has no category in PowerSchool.",
            "Name the assignment group like one of your PowerSchool categories, activate the category there, or have "
            "the two linked.",
            Actor.TEACHER,
            source="the assignment group has no PowerSchool category, and no default is set",
        ),
        detail=_categories,
    ),
    Rule(
        Reason.COURSE_SIS_ID_MISSING,
        lambda f: not f.course.sis_course_id,
        Explanation(
            "The Canvas course has no SIS id, so it is not connected to PowerSchool.",
            "Have the course connected to PowerSchool through its SIS id.",
            Actor.CANVAS_ADMIN,
            source="the course or section is not connected to PowerSchool",
        ),
    ),
    Rule(
        Reason.SECTION_SIS_ID_MISSING,
        lambda f: not f.section.sis_section_id,
        Explanation(
            "The Canvas section has no SIS id, so it is not connected to PowerSchool.",
            "Have the section connected to PowerSchool through its SIS id.",
            Actor.CANVAS_ADMIN,
            source="the course or section is not connected to PowerSchool",
        ),
    ),
    Rule(
        Reason.SECTION_UNKNOWN,
        lambda f: bool(f.section.sis_section_id) and f.rostered is None,
        Explanation(
            "PowerSchool has no section with the SIS id of this Canvas section.",
            "Have the section's SIS id compared with PowerSchool's section.",
            Actor.CANVAS_ADMIN,
            source="the course or section is not connected to PowerSchool",
        ),
        detail=lambda f: f"SIS id {f.section.sis_section_id}",
    ),
    Rule(
        Reason.TEACHER_MISSING,
        lambda f: f.rostered is not None and f.rostered.teacher_users_dcid is None,
        Explanation(
            "The section has no lead teacher in PowerSchool, for whom grades could be entered.",
            "Have a lead teacher assigned to the section in PowerSchool.",
            Actor.POWERSCHOOL_ADMIN,
        ),
    ),
)
