"""What a view inside Canvas gets: the request, its course with what this person may see of it, and the templates."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import cast
from urllib.parse import urlsplit

from starlette.responses import Response

from shared.adapters.redis.remote_limits.outages import read_outages, record_page_view
from shared.config import Settings
from shared.domain.passback.course_state import CourseRecord
from workers.container import Container
from workers.grade_passback.explain.response import Json
from workers.web.api.dependencies import CANVAS_ID
from workers.web.errors import ApiError
from workers.web.lti.pages.plain_text import outage_text
from workers.web.lti.refusals import Refusal
from workers.web.lti.session import LtiRole, LtiSession, LtiSessions
from workers.web.pages.page_context import PageContext, canvas_page_context
from workers.web.pages.page_handlers import Form, first
from workers.web.pages.rendering import Renderer

TOKEN_FIELD, TOKEN_HEADER = "lti_token", "X-Passback-Lti"
ASKED_FIELD = "asked"


@dataclass(frozen=True, slots=True)
class LtiRequest:
    """One request of somebody whom Canvas sent, with the fields of its form."""

    session: LtiSession
    token: str
    form_fields: Form

    def form(self, name: str) -> str:
        """Return a field of the form."""
        return first(self.form_fields, name)

    def offset(self) -> int:
        """Return where the page of a list starts."""
        start = self.form("start")
        return int(start) if start.isdecimal() and len(start) < 9 else 0


class LtiPages:
    """What the views use: the container, and the templates. `sessions` has the tokens of launches."""

    def __init__(self, service: Container, sessions: LtiSessions) -> None:
        self.service = service
        self.sessions = sessions
        self.renderer = Renderer(service.clock, service.settings.district_time_zone, service.settings.canvas_url)

    @property
    def zone(self) -> tzinfo:
        """Return the time zone of the pages."""
        return self.service.settings.district_time_zone or UTC

    def canvas_url(self, session: LtiSession) -> str:
        """Return the address of the Canvas in which the page is open, under the name that the person uses."""
        configured = self.service.settings.canvas_url
        scheme = urlsplit(configured).scheme or "https"
        return f"{scheme}://{session.api_domain}" if session.api_domain else configured.rstrip("/")

    def page(self, template: str, request: LtiRequest, **values: object) -> Response:
        """Return the page, with what every page inside Canvas shows."""
        service = self.service
        record_page_view(service.redis, service.keys)
        return self.renderer.page(
            template, 200, session=request.session, lti_token=request.token, outage_text=outage_text,
            canvas_url=self.canvas_url(request.session),
            outages=read_outages(service.redis, service.keys), **values,
        )  # fmt: skip

    def course_page(self, template: str, request: LtiRequest, page: str, **values: object) -> Response:
        """Return a page of the request's course; `page` is its path. Raises: ApiError for another course."""
        access = course_access(request)
        return self.page(
            template, request, page=page, access=access, page_context=access.page_context, course_id=access.course_id,
            **values,
        )  # fmt: skip

    def message(
        self, status: int, title: str, text: str, *, template: str = "lti/launch/message.html", **values: object
    ) -> Response:
        """Return a page without a session: it says why there is no other, or is on the way to one."""
        values = {"code": "", "again": {}, **values}
        return self.renderer.page(template, status, session=None, title=title, text=text, **values)

    def refusal(self, refusal: Refusal, *, again: Mapping[str, str] | None = None) -> Response:
        """Return the page of a refusal: what is wrong, what to do, and its code; with a form to begin `again`."""
        text = f"{refusal.what} {refusal.remedy}"
        return self.message(refusal.status, "Not opened", text, code=refusal.code, again=again or {})


View = Callable[[LtiPages, LtiRequest], Response]


@dataclass(frozen=True, slots=True)
class CourseAccess:
    """A course, the Canvas sections of it that this person may see (None: all), and the door of its pages."""

    course_id: str
    section_ids: Collection[str] | None
    page_context: PageContext

    @property
    def asked_at(self) -> datetime | None:
        """Return when this page, or one before it, asked for a sync; None if none did."""
        asked = self.page_context.fields.get(ASKED_FIELD)
        return datetime.fromtimestamp(int(asked), UTC) if asked else None

    def is_part(self, found: Json) -> bool:
        """Say whether the person sees some sections alone of the course of an explanation or a preview."""
        sections = cast("list[Json]", found["sections"])
        return self.section_ids is not None and any(s["section_id"] not in self.section_ids for s in sections)

    def section_names(self, found: Json) -> dict[str, str]:
        """Return the names that Canvas gives the sections of an explanation or a preview, by SIS id."""
        sections = cast("list[dict[str, str]]", found["sections"])
        return {s["section_sis_id"]: s["name"] for s in sections if s["section_sis_id"] and s["name"]}

    def section_dcids(self, record: CourseRecord | None) -> dict[int, str]:
        """Return the visible sections by SECTIONS.DCID, with the names that Canvas gives them."""
        if record is None:
            return {}
        names = {
            s.sis_id: s.name for s in record.sections if self.section_ids is None or s.section_id in self.section_ids
        }
        visible = [r for r in record.rosters if self.section_ids is None or r.section_sis_id in names]
        return {r.section_dcid: names.get(r.section_sis_id) or r.section_sis_id for r in visible}

    def seen(self, record: CourseRecord | None) -> CourseRecord | None:
        """Return the record without the assignments that are in no visible section."""
        if record is None or self.section_ids is None:
            return record
        sis_ids = {section.sis_id for section in record.sections if section.section_id in self.section_ids}
        assignments = [a for a in record.assignments if any(s.section_sis_id in sis_ids for s in a.sections)]
        return replace(record, assignments=tuple(assignments))

    def student_sis_ids(self, record: CourseRecord | None) -> frozenset[str]:
        """Return the SIS ids of the students of the visible sections, as PowerSchool had them at the last sync."""
        dcids = self.section_dcids(record)
        rosters = [r for r in record.rosters if r.section_dcid in dcids] if record else []
        return frozenset(sis_id for roster in rosters for sis_id in roster.student_sis_ids)


def course_access(request: LtiRequest) -> CourseAccess:
    """Return the course of the request: the launch's own, or the one that an administrator selects.

    Raises: ApiError for any other course, and for what is none.
    """
    session, named, asked = request.session, request.form("course_id"), request.form(ASKED_FIELD)
    fields = {TOKEN_FIELD: request.token}
    if re.fullmatch(r"\d{10}", asked, re.ASCII):
        fields[ASKED_FIELD] = asked
    if session.course_id is None:
        require_administrator(session)
        if not re.fullmatch(CANVAS_ID, named):
            raise ApiError(422, "not_valid", "A course is named by its Canvas id, a number.")
        return CourseAccess(named, None, canvas_page_context({**fields, "course_id": named}, for_teacher=False))
    if named not in ("", session.course_id):
        raise ApiError(403, "other_course", "This page was opened for another course. Open it in that course.")
    is_teacher = session.role is LtiRole.TEACHER
    page_context = canvas_page_context(fields, for_teacher=is_teacher)
    return CourseAccess(session.course_id, frozenset(session.section_ids) if is_teacher else None, page_context)


def require_administrator(session: LtiSession) -> None:
    """Raise `ApiError` for a teacher, and for a launch from a course."""
    if session.role is not LtiRole.ADMIN or session.course_id is not None:
        raise ApiError(403, "not_administrator", "This page is for Canvas administrators, from the account's menu.")


def may_sync(session: LtiSession, settings: Settings) -> bool:
    """Say whether this person may request a sync, as the launch and the present settings say."""
    return session.can_sync and (settings.lti_teachers_may_sync or session.role is LtiRole.ADMIN)


def require_sync(session: LtiSession, settings: Settings) -> None:
    """Raise `ApiError` for whoever may only look."""
    if session.real_user_id is not None:
        raise ApiError(403, "acts_as_another", "Whoever acts as another user in Canvas can look, and not sync.")
    if not may_sync(session, settings):
        raise ApiError(403, "may_not_sync", "Your district has passback sync by itself, and not when teachers ask.")
