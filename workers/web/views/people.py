"""People as a page shows them, read live from Canvas for a user who may see names."""

from collections.abc import Callable
from dataclasses import dataclass

from shared.adapters.http.exchange import waits_at_most
from shared.config import ConfigurationError
from shared.domain.passback.canvas import Person
from shared.errors import AccessDenied, PassbackError, PersonUnknown
from workers.container import Container
from workers.web.auth.roles import User
from workers.web.views.live_reads import FOR_NAMES

NOT_ALLOWED = (
    "Canvas does not let passback's token look for people. Give its user the right to see the account's users, and the "
    "token the scopes of deploy/canvas/developer-key.json; or search by course."
)


@dataclass(frozen=True, slots=True)
class LivePeople:
    """People by name, or a sentence that says why they could not be read."""

    people: tuple[Person, ...] = ()
    failure: str = ""

    @property
    def names(self) -> dict[str, str]:
        """The names by Canvas user id."""
        return {person.user_id: person.name for person in self.people}


@dataclass(frozen=True, slots=True)
class PersonCourses:
    """The ids of a person's courses, None for no person in particular, or a sentence why they could not be read."""

    ids: frozenset[str] | None = None
    failure: str = ""


def students_of(service: Container, user: User, course_id: str) -> LivePeople:
    """Return the students of the course; nobody for a user who may not see names."""
    return _for(user, lambda: service.canvas_account.students(course_id))


def members_of(service: Container, user: User, course_id: str) -> LivePeople:
    """Return the students of the course and its staff, who grade; nobody for a user who may not see names."""
    return _for(user, lambda: service.canvas_account.members(course_id))


def _for(user: User, read: Callable[[], tuple[Person, ...]]) -> LivePeople:
    return read_people(read) if user.can_see_scores else LivePeople()


def read_people(read: Callable[[], tuple[Person, ...]]) -> LivePeople:
    """Return the people that are read, or why they could not be."""
    try:
        with waits_at_most(FOR_NAMES):
            return LivePeople(read())
    except (PassbackError, ConfigurationError) as error:
        return LivePeople(failure=f"The names could not be read from Canvas ({error}).")


def courses_of_person(service: Container, user_id: str, sis_id: str) -> PersonCourses:
    """Return the courses of a person, by the id of Canvas or the SIS id."""
    try:
        with waits_at_most(FOR_NAMES):
            return PersonCourses(service.canvas_account.courses_of(user_id, sis_id=sis_id))
    except PersonUnknown:
        failure = "Canvas has nobody with this id."
    except AccessDenied:
        failure = NOT_ALLOWED
    except (PassbackError, ConfigurationError) as error:
        failure = f"Only Canvas knows who is in which course, and it could not be asked ({error})."
    return PersonCourses(frozenset(), failure)


def find_people(service: Container, name: str) -> LivePeople:
    """Return the people of this name."""
    try:
        with waits_at_most(FOR_NAMES):
            found = service.canvas_account.find(name)
    except AccessDenied:
        return LivePeople(failure=NOT_ALLOWED)
    except (PassbackError, ConfigurationError) as error:
        return LivePeople(failure=f"Canvas could not be asked ({error}).")
    return LivePeople(found, "" if found else "Canvas has nobody of this name or with this SIS id.")
