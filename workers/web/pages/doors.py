"""Where a course's page stands: among the status pages, or inside Canvas. The parts that both show are the same."""

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
class Door:
    """What differs between the two: addresses by page, how they are asked for, the words, and what the page folds.

    `fields` are sent along with every link and form. `you` is whom the page calls the teacher, `target` where a link to
    Canvas opens.
    """

    paths: Mapping[str, str]
    method: str = "get"
    fields: Mapping[str, str] = field(default_factory=dict)
    who: Mapping[Actor, str] = field(default_factory=lambda: WHO)
    states: Mapping[AssignmentStatus, str] = field(default_factory=dict)
    you: str = "the teacher"
    target: str = ""
    folds: bool = False

    @property
    def is_inside_canvas(self) -> bool:
        """Say whether the page is a frame of Canvas's."""
        return self.method == "post"


def among_status_pages(course_id: str) -> Door:
    """Return the door of an operator."""
    course = f"/courses/{course_id}"
    pages = {name: f"{course}/{name}" for name in ("plan", "student", "totals", "history")}
    return Door({"courses": "/courses", "course": course, **pages})


def inside_canvas(fields: Mapping[str, str], *, for_teacher: bool) -> Door:
    """Return the door of somebody whom Canvas sent. Names and tokens must not get into addresses: all is sent."""
    pages = {name: f"/lti/course/{name}" for name in ("student", "totals", "history", "sync", "names")}
    others = {"courses": "/lti/account", "assignment": "/lti/assignment", "post_grades": "/lti/post-grades"}
    paths = {"course": "/lti/course", "plan": "/lti/course/preview", **pages, **others}
    if not for_teacher:
        return Door(paths, "post", fields, target="_top", folds=True)
    return Door(paths, "post", fields, TO_A_TEACHER, STATES_FOR_A_TEACHER, "you", "_top", folds=True)
