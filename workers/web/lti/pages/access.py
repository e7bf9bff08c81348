"""Which course a request is about, and what of it this person may see."""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import cast

from shared.config import Settings
from shared.domain.passback.course_state import CourseRecord
from workers.grade_passback.explain.response import Json
from workers.web.api.dependencies import CANVAS_ID
from workers.web.errors import ApiError
from workers.web.lti.pages.page_renderer import TOKEN_FIELD, LtiRequest
from workers.web.lti.session import LtiRole, LtiSession
from workers.web.pages.page_context import PageContext, canvas_page_context

ASKED_FIELD = "asked"


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
