"""Records as Canvas's REST API shows them.

Source: canvas-lms Courses, Sections, Assignments, Assignment Groups, Submissions and Enrollments API documentation,
lib/api/v1/assignment.rb.
"""

import re
from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from shared.sandbox.canvas.seed import (
    OVERRIDE_DATES,
    OVERRIDE_TARGETS,
    Assignment,
    Checkpoint,
    GradingPeriod,
    Group,
    Override,
    Section,
    Submission,
)
from shared.sandbox.canvas.state import ACCOUNT_ID, ROOT_ACCOUNT_ID, CanvasState, Course, Enrollment, User, most_lenient
from shared.sandbox.canvas.values import fields_of, grade_of, rest_time, times_of

MAX_DATES: Final = 25
"""With this many overrides, `all_dates` becomes `all_dates_count`."""

_FILE_LINK: Final = re.compile(r"(/files/\d+/(?:download|preview))(?:\?wrap=1)?")

Json = dict[str, Any]


_DROP_RULES: Final = ("drop_lowest", "drop_highest", "never_drop")
_ASSIGNMENT_FIELDS: Final = (
    "id", "name", "locked_for_user", "points_possible", "grading_type", "published", "workflow_state",
    "only_visible_to_overrides", "assignment_group_id", "group_category_id", "grade_group_students_individually",
    "submission_types", "is_quiz_lti_assignment", "integration_id", "integration_data", "omit_from_final_grade",
    "hide_in_gradebook", "suppress_assignment", "anonymous_grading", "moderated_grading", "post_manually", "muted",
)  # fmt: skip
_SUBMISSION_FIELDS: Final = (
    "id", "user_id", "assignment_id", "attempt", "body", "submission_type", "score", "entered_score", "points_deducted",
    "excused", "late_policy_status", "workflow_state", "grade_matches_current_submission", "grader_id",
)  # fmt: skip


def course_json(course: Course, zone: str, include: Collection[str] = ()) -> Json:
    """Return a course; `term` and `concluded` only if asked for."""
    shown: Json = {
        **fields_of(course, "id", "name", "workflow_state", "sis_course_id"),
        **times_of(course, "created_at", "start_at", "end_at"),
        "course_code": course.code,
        "account_id": ACCOUNT_ID,
        "root_account_id": ROOT_ACCOUNT_ID,
        "integration_id": None,
        "enrollment_term_id": course.term.id,
        "time_zone": course.time_zone or zone,
        "restrict_enrollments_to_course_dates": False,
        **fields_of(course, "apply_assignment_group_weights", "hide_final_grades"),
    }
    if "term" in include:
        shown["term"] = fields_of(course.term, "id", "name", "sis_term_id") | times_of(
            course.term, "start_at", "end_at"
        )
    if "concluded" in include:
        shown["concluded"] = course.concluded
    return shown


def section_json(course: Course, section: Section) -> Json:
    """Return a section; `sis_course_id` is that of the course it is in now."""
    return {
        **fields_of(section, "id", "name", "nonxlist_course_id", "sis_section_id"),
        **times_of(section, "start_at", "end_at"),
        "course_id": course.id,
        "restrict_enrollments_to_section_dates": bool(section.start_at or section.end_at),
        "sis_course_id": course.sis_course_id,
        "integration_id": None,
        "sis_import_id": 1 if section.sis_section_id else None,
    }


def students_in(course: Course, section: Section) -> int:
    """Return how many active and invited students a section has."""
    return sum(
        enrollment.section_id == section.id
        and enrollment.type == "StudentEnrollment"
        and enrollment.state in ("active", "invited")
        for enrollment in list(course.enrollments.values())
    )


def group_json(group: Group) -> Json:
    """Return an assignment group; `rules` has only those that it has."""
    rules = fields_of(group, *_DROP_RULES)
    return group.model_dump(exclude=set(_DROP_RULES)) | {"rules": {name: rule for name, rule in rules.items() if rule}}


def grading_period_json(period: GradingPeriod) -> Json:
    """Return a grading period."""
    return fields_of(period, "id", "title", "weight") | times_of(period, "start_date", "end_date")


def enrollment_json(course: Course, enrollment: Enrollment, user: User) -> Json:
    """Return an enrollment with its user."""
    return {
        **fields_of(enrollment, "id", "user_id", "type"),
        **times_of(enrollment, "created_at", "updated_at"),
        "course_id": course.id,
        "course_section_id": enrollment.section_id,
        "role": enrollment.type,
        "enrollment_state": enrollment.state,
        "sis_import_id": 1 if enrollment.from_sis else None,
        "sis_user_id": user.sis_user_id,
        "sis_section_id": course.sections[enrollment.section_id].sis_section_id,
        "sis_course_id": course.sis_course_id,
        "user": user_json(user),
    }


def user_json(user: User) -> Json:
    """Return a person."""
    return fields_of(user, "id", "name", "sis_user_id") | {
        "sortable_name": user.sortable_name or user.name,
        "short_name": user.short_name or user.name,
        "login_id": user.login,
    }


def assignment_json(
    course: Course,
    assignment: Assignment,
    include: Collection[str] = (),
    *,
    base_dates: bool = False,
    theme: str = "",
) -> Json:
    """Return an assignment: with the dates of "Everyone Else" if `base_dates`, else as they apply to the asker.

    `post_to_sis` is absent where the SIS feature is off. The description is null while the assignment is locked to the
    asker (canvas-lms `Assignment#filter_attributes_for_user`, `include_description?`).
    """
    shown: Json = {
        **fields_of(assignment, *_ASSIGNMENT_FIELDS),
        **times_of(assignment, "unlock_at", "lock_at", "created_at", "updated_at"),
        "course_id": course.id,
        "description": None if assignment.locked_for_user else decorated(assignment.description, theme),
        "due_at": rest_time(assignment.due_at if base_dates else _due_at_for_teachers(assignment)),
        "visible_to_everyone": course.visible_to_everyone(assignment),
        "has_overrides": bool(assignment.active_overrides),
        "is_quiz_assignment": assignment.quiz_id is not None,
        "sis_assignment_id": None,
        "anonymize_students": assignment.anonymous_grading and assignment.muted,
        "in_closed_grading_period": False,
        "due_date_required": False,
        "max_name_length": 255,
        "graded_submissions_exist": _is_graded(course, assignment),
        "has_sub_assignments": bool(assignment.checkpoints),
    }
    if course.sis_feature:
        shown["post_to_sis"] = assignment.post_to_sis
    if assignment.quiz_id is not None:
        shown["quiz_id"] = assignment.quiz_id
    if assignment.external_tool_url:
        shown["external_tool_tag_attributes"] = {"url": assignment.external_tool_url, "new_tab": False}
    if "overrides" in include:
        shown["overrides"] = [override_json(assignment, override) for override in assignment.active_overrides]
    if "checkpoints" in include:
        shown["checkpoints"] = [_checkpoint_json(assignment, checkpoint) for checkpoint in assignment.checkpoints]
    if "all_dates" in include:
        shown |= _all_dates(course, assignment)
    if "grades_published" in include:
        shown["grades_published"] = assignment.grades_published or not assignment.moderated_grading
    return shown


def _checkpoint_json(assignment: Assignment, checkpoint: Checkpoint) -> Json:
    """Return a checkpoint: with its own dates, points and overrides, and without an id of its own (inferred)."""
    return {
        **fields_of(checkpoint, "tag", "points_possible", "only_visible_to_overrides"),
        **times_of(checkpoint, *OVERRIDE_DATES),
        "name": assignment.name,
        "overrides": [override_json(assignment, override) for override in checkpoint.overrides],
    }


def decorated(html: str, theme: str) -> str:
    """Return HTML as API callers get it: after the account's mobile CSS and JavaScript, file links with a verifier.

    Source: canvas-lms lib/api.rb, `api_user_content`.
    """
    if not theme or not html:
        return html
    files = "https://instructure-uploads.example/account_1/attachments"
    tags = f'<link rel="stylesheet" href="{files}/{theme}/mobile.css"><script src="{files}/{theme}/mobile.js"></script>'
    return tags + _FILE_LINK.sub(rf"\1?verifier={theme}&amp;wrap=1", html)


def override_json(assignment: Assignment, override: Override) -> Json:
    """Return an override with its one target; a date is there only if it is overridden."""
    shown: Json = {"id": override.id, "assignment_id": assignment.id, "title": override.title}
    shown |= times_of(override, *(name for name in OVERRIDE_DATES if override.overrides(name)))
    if override.overrides("due_at"):
        shown |= {"all_day": False, "all_day_date": override.due_at.date().isoformat() if override.due_at else None}
    target = next(name for name in OVERRIDE_TARGETS if getattr(override, name) is not None)
    return shown | {target: getattr(override, target)}


def submission_json(state: CanvasState, course: Course, submission: Submission, includes: Collection[str] = ()) -> Json:
    """Return a submission; `missing`, `late` and `assignment_visible` are computed now.

    `assignment_visible` comes only with `include[]=visibility` (canvas-lms `lib/api/v1/submission.rb`).
    """
    assignment = course.assignments[submission.assignment_id]
    due_at = course.due_at(assignment, submission.user_id)
    late, submitted_at = course.is_late(submission), submission.submitted_at
    period = course.grading_period_of(assignment, submission.user_id)
    seconds_late = (submitted_at - due_at).total_seconds() if submitted_at and due_at else 0
    is_visible = assignment.published and course.is_assigned_to(assignment, submission.user_id)
    visibility = {"assignment_visible": is_visible} if "visibility" in includes else {}
    return {
        **fields_of(submission, *_SUBMISSION_FIELDS),
        **times_of(submission, "graded_at", "posted_at", "submitted_at"),
        "grade": grade_of(assignment, submission.score),
        "entered_grade": grade_of(assignment, submission.entered_score),
        "missing": course.is_missing(submission, state.clock.now()),
        "late": late,
        "seconds_late": max(0, int(seconds_late)) if late else 0,
        **visibility,
        "cached_due_date": rest_time(due_at),
        "grading_period_id": period.id if period else None,
        "redo_request": False,
        "custom_grade_status_id": None,
    }


def _due_at_for_teachers(assignment: Assignment) -> datetime | None:
    """Return the date that applies to a teacher of all sections: the most lenient one."""
    dates = [override.due_at for override in assignment.active_overrides if override.overrides("due_at")]
    base = [] if assignment.only_visible_to_overrides else [assignment.due_at]
    return most_lenient([*base, *dates])


def _is_graded(course: Course, assignment: Assignment) -> bool:
    return any(
        submission.score is not None
        for submission in list(course.submissions.values())
        if submission.assignment_id == assignment.id
    )


def _all_dates(course: Course, assignment: Assignment) -> Json:
    """Return `all_dates`, or only their number where there are many; the base entry goes if no section uses it."""
    overrides = assignment.active_overrides
    if len(overrides) >= MAX_DATES:
        return {"all_dates_count": len(overrides)}
    dates: list[Json] = [
        {"id": o.id, "title": o.title, "set_type": o.kind, "set_id": o.course_section_id} | times_of(o, *OVERRIDE_DATES)
        for o in overrides
    ]
    if {section.id for section in course.listed_sections()} - {override.course_section_id for override in overrides}:
        base = {"base": True, "title": "Everyone else" if overrides else "Everyone"}
        dates.insert(0, base | times_of(assignment, *OVERRIDE_DATES))
    return {"all_dates": dates}
