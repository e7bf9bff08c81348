"""A course of the list of courses, for the API and the command line."""

from shared.adapters.redis.course_data.course_index import CourseListItem

Json = dict[str, object]


def listed_course(course: CourseListItem) -> Json:
    """Return a course of the list; the results of its last sync are None before the first."""
    summary = course.summary
    return {
        "course_id": course.course_id,
        "name": summary.name if summary else None,
        "synced_at": summary.synced_at if summary else None,
        "assignments": dict(summary.assignments) if summary else None,
        "scores_wanted": summary.scores_wanted if summary else None,
        "scores_there": summary.scores_there if summary else None,
        "students_held_back": summary.students_held_back if summary else None,
        "schools": list(summary.schools) if summary else None,
        "terms": list(summary.terms) if summary else None,
        "sections": list(summary.sections) if summary else None,
        "dead_letters": course.dead_letters,
        "has_problems": course.has_problems,
    }
