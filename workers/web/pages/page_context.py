"""What differs between a course's pages among the status pages and inside Canvas. Both show the same templates."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.domain.passback.course_state import AssignmentStatus
from shared.domain.passback.rules.reasons import Actor

WHO = {
    Actor.NOBODY: "nobody",
    Actor.TEACHER: "the teacher",
    Actor.CANVAS_ADMIN: "the Canvas administrator",
    Actor.POWERSCHOOL_ADMIN: "the PowerSchool administrator",
    Actor.OPERATOR: "passback's operator",
}
TO_A_TEACHER = {
    **WHO,
    Actor.TEACHER: "you",
    Actor.CANVAS_ADMIN: "your Canvas administrator",
    Actor.POWERSCHOOL_ADMIN: "your PowerSchool administrator",
    Actor.OPERATOR: "whoever looks after passback in your district",
}
STATES_FOR_A_TEACHER = {
    AssignmentStatus.DEAD: "given up",
    AssignmentStatus.RETRYING: "tried again",
    AssignmentStatus.BLOCKED: "not sent",
    AssignmentStatus.WAITING: "waits",
    AssignmentStatus.SYNCED: "agrees",
    AssignmentStatus.NOT_SELECTED: "not to be sent",
}


@dataclass(frozen=True, slots=True)
class PageContext:
    """The paths of the pages, the HTTP method of their links, and the texts for the reader.

    `fields` are sent with every link and form. `you` is what the page calls the teacher. A link to Canvas opens in
    `target`. `collapses` says that the lists of assignments are closed at first.
    """

    paths: Mapping[str, str]
    method: str = "get"
    fields: Mapping[str, str] = field(default_factory=dict)
    who: Mapping[Actor, str] = field(default_factory=lambda: WHO)
    states: Mapping[AssignmentStatus, str] = field(default_factory=dict)
    you: str = "the teacher"
    target: str = ""
    collapses: bool = False

    @property
    def is_in_canvas(self) -> bool:
        """Say whether the page is a frame of Canvas's."""
        return self.method == "post"


def status_page_context(course_id: str) -> PageContext:
    """Return the context of an operator's page."""
    course = f"/courses/{course_id}"
    pages = {name: f"{course}/{name}" for name in ("plan", "student", "totals", "history")}
    return PageContext({"courses": "/courses", "course": course, **pages})


def canvas_page_context(fields: Mapping[str, str], *, for_teacher: bool) -> PageContext:
    """Return the context of a page inside Canvas. Names and tokens must not be in a URL: all values are form fields."""
    pages = {name: f"/lti/course/{name}" for name in ("student", "totals", "history", "sync", "names")}
    others = {"courses": "/lti/account", "assignment": "/lti/assignment", "post_grades": "/lti/post-grades"}
    paths = {"course": "/lti/course", "plan": "/lti/course/preview", **pages, **others}
    if not for_teacher:
        return PageContext(paths, "post", fields, target="_top", collapses=True)
    return PageContext(paths, "post", fields, TO_A_TEACHER, STATES_FOR_A_TEACHER, "you", "_top", collapses=True)
