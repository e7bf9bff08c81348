"""Selects many courses: of a school, of a term, or all of the district; for the verbs that take more than one."""

from dataclasses import dataclass
from typing import Annotated

import typer

from shared.domain.passback.course_search import CourseSearch
from workers.cli.options import require_course_ids
from workers.container import Container
from workers.known_ids import require_course, unknown_part

OptionalCourse = Annotated[str | None, typer.Argument(metavar="[COURSE]", help="Canvas course id.")]
AllCourses = Annotated[bool, typer.Option("--all", help="All connected courses.")]


@dataclass(frozen=True, slots=True)
class Selection:
    """The selected courses, and what selected them; `is_bulk` unless one course was named."""

    course_ids: tuple[str, ...]
    target: str
    is_bulk: bool = True
    term: str = ""

    @property
    def names_days(self) -> bool:
        """Say whether a term was named by its days: a school year also has terms that are over."""
        return "/" in self.term

    @property
    def options(self) -> str:
        """The options that select the same again."""
        parts = (part.partition(":") for part in self.target.split(" "))
        return " ".join(f"--{name} {value}".strip() if self.is_bulk else value for name, _, value in parts)


def select_courses(service: Container, course: str | None, school: int | None, term: str, every: bool) -> Selection:
    """Return the selected courses, the longest not synced first. Raises: typer.BadParameter, CourseGone.

    One course, or a school and a term, or all.
    """
    is_narrowed = school is not None or bool(term)
    if (course is not None) + is_narrowed + every != 1:
        raise typer.BadParameter("name one course, or select courses: --school N, --term TERM, both of them, or --all")
    if course is not None:
        require_course_ids(course)
        require_course(service, course)
        return Selection((course,), f"course:{course}", is_bulk=False)
    connected = service.records.connected()
    if not connected:
        raise typer.BadParameter("no course is connected yet: name a course")
    if every:
        return Selection(tuple(connected), "all")
    found = set(service.course_lists.ids(CourseSearch(school=school, term=term)))
    if not found:
        refuse_unknown_part(service, school, term)
    target = " ".join(filter(None, ("" if school is None else f"school:{school}", f"term:{term}" if term else "")))
    return Selection(tuple(one for one in connected if one in found), target, term=term)


def refuse_unknown_part(service: Container, school: int | None, term: str) -> None:
    """Refuse a school or a term of which no course is known: it would select nothing. Raises: typer.BadParameter."""
    if unknown := unknown_part(service, school, term):
        kind, problem = unknown
        raise typer.BadParameter(problem, param_hint=f"--{kind}")
