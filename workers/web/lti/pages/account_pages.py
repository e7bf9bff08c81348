"""The account's page for Canvas administrators: courses by school, those with problems first, and the search."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from starlette.responses import Response

from shared.adapters.canvas.account import MAX_FOUND, MIN_NAME_CHARS
from shared.domain.passback.course_search import CourseSearch
from workers.web.api.dependencies import CANVAS_ID
from workers.web.lti.pages.page_request import TOKEN_FIELD, LtiPages, LtiRequest, require_administrator
from workers.web.pages.course_pages import MAX_SEARCH_CHARS, PAGE_SIZE, STATUSES
from workers.web.pages.page_context import canvas_page_context
from workers.web.views.people import LivePeople, PersonCourses, courses_of_person, find_people

MAX_PERSON_CHARS = 255


@dataclass(frozen=True, slots=True)
class Selection:
    """What an administrator searches by. `people` are those of a name, where it is the name of several."""

    text: str = ""
    school: int | None = None
    shows_all: bool = False
    person: str = ""
    user_id: str = ""
    courses: PersonCourses = field(default_factory=PersonCourses)
    people: LivePeople = field(default_factory=LivePeople)

    @property
    def only_problems(self) -> bool:
        """Say whether courses without problems are left out: nobody looks for a course in particular."""
        return not (self.shows_all or self.text or self.person or self.user_id)

    @property
    def fields(self) -> Mapping[str, str]:
        """The fields of the form that select the same again."""
        given = {
            "q": self.text, "school": "" if self.school is None else str(self.school), "person": self.person,
            "all": "1" if self.shows_all else "", "user": self.user_id,
        }  # fmt: skip
        return {name: value for name, value in given.items() if value}


def show_account(pages: LtiPages, request: LtiRequest) -> Response:
    """`/lti/account` and `/lti/account/search`: the courses with problems, or those that are searched for.

    By a name, an id or a section; of a school; of a teacher or student.
    """
    require_administrator(request.session)
    selection = _selection(request)
    if not (selection.person or selection.user_id):
        return _listed(pages, request, selection)
    courses = courses_of_person(pages.service, selection.user_id, selection.person)
    people = LivePeople()
    if courses.failure and selection.person and len(selection.person) >= MIN_NAME_CHARS:
        people = find_people(pages.service, selection.person)
        if len(people.people) == 1:
            courses = courses_of_person(pages.service, people.people[0].user_id, "")
    return _listed(pages, request, replace(selection, courses=courses, people=people))


def _selection(request: LtiRequest) -> Selection:
    school, user_id = request.form("school"), request.form("user")
    return Selection(
        text=request.form("q").strip()[:MAX_SEARCH_CHARS],
        school=int(school) if school.isdecimal() and len(school) < 9 else None,
        shows_all=request.form("all") == "1",
        person=request.form("person").strip()[:MAX_PERSON_CHARS],
        user_id=user_id if re.fullmatch(CANVAS_ID, user_id) else "",
    )


def _listed(pages: LtiPages, request: LtiRequest, selection: Selection) -> Response:
    lists, start = pages.service.course_lists, request.offset()
    query = CourseSearch(
        text=selection.text, school=selection.school, only_problems=selection.only_problems,
        course_ids=selection.courses.ids,
    )  # fmt: skip
    page, totals = lists.page_with_totals(query, start=start, limit=PAGE_SIZE)
    return pages.page(
        "lti/account.html", request, page="/lti/account", page_context=canvas_page_context({TOKEN_FIELD: request.token},
        for_teacher=False), selection=selection, courses=page.courses, next_start=page.next_start, start=start,
        totals=totals, statuses=STATUSES, never_synced=lists.never_synced(selection.courses.ids or ()),
        connected=pages.service.records.count(), max_found=MAX_FOUND, min_chars=MIN_NAME_CHARS,
    )  # fmt: skip


POST = {"/lti/account": show_account, "/lti/account/search": show_account}
