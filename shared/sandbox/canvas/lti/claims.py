"""Who launches what, and what Canvas says of it: roles, custom fields and claims.

Source: canvas-lms lib/lti/substitutions_helper.rb (roles), lib/lti/variable_expander.rb (variables: a variable whose
guard fails stays a literal, an empty one is null, numbers become text), lib/lti/messages/jwt_message.rb (claims).
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any, Final

from shared.sandbox.canvas.lti.tools import Tool
from shared.sandbox.canvas.state import (
    ACCOUNT_ID,
    ROOT_ACCOUNT_ID,
    SERVICE_USER_ID,
    CanvasState,
    Course,
    Enrollment,
    User,
)

CLAIM: Final = "https://purl.imsglobal.org/spec/lti/claim/"
VERSION: Final = "1.3.0"
ID_TOKEN_LIFETIME: Final = timedelta(hours=1)

LIS: Final = "http://purl.imsglobal.org/vocab/lis/v2/"
INSTRUCTOR: Final = f"{LIS}membership#Instructor"
ANYBODY: Final = f"{LIS}system/person#User"
ADMINISTRATOR: Final = f"{LIS}institution/person#Administrator"
MEMBERSHIP: Final = f"{LIS}membership"
CONTEXT_ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "TeacherEnrollment": (INSTRUCTOR,),
    "TaEnrollment": (f"{LIS}membership/Instructor#TeachingAssistant", INSTRUCTOR),
    "DesignerEnrollment": (f"{LIS}membership#ContentDeveloper",),
    "StudentEnrollment": (f"{LIS}membership#Learner",),
    "StudentViewEnrollment": (
        f"{LIS}membership#Learner",
        "http://purl.imsglobal.org/vocab/lti/system/person#TestUser",
    ),
    "ObserverEnrollment": (f"{LIS}membership#Mentor",),
}
INSTITUTION_ROLES: Final[Mapping[str, str]] = {
    "TeacherEnrollment": f"{LIS}institution/person#Instructor",
    "TaEnrollment": f"{LIS}institution/person#Instructor",
    "DesignerEnrollment": f"{LIS}institution/person#Instructor",
    "StudentEnrollment": f"{LIS}institution/person#Student",
}
STAFF: Final = frozenset({"TeacherEnrollment", "TaEnrollment", "DesignerEnrollment"})
COURSE_TYPE: Final = "http://purl.imsglobal.org/vocab/lis/v2/course#CourseOffering"


def is_current(enrollment: Enrollment) -> bool:
    """Say whether the enrollment gives access now."""
    return enrollment.state in ("active", "invited")


def is_account_admin(user: User) -> bool:
    """Say whether the person administers the root account: the service user does."""
    return user.id == SERVICE_USER_ID


def opaque_id(kind: str, number: int) -> str:
    """Return the id by which tools know a person or a context."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"sandbox-canvas/{kind}/{number}"))


def account_guid(canvas: CanvasState) -> str:
    """Return the root account's `lti_guid`, as Canvas makes it from the uuid."""
    return f"{canvas.seed.root_account_uuid}:canvas-lms"


@dataclass(frozen=True)
class Launch:
    """One person who opens one placement of a tool: in a course, or in the account where `course` is None.

    `real_user` differs from `user` while somebody acts as another person. `base_url` is Canvas as the browser named it.
    A launch by address has a `target` and no placement.
    """

    canvas: CanvasState
    tool: Tool
    placement: str
    user: User
    real_user: User
    course: Course | None
    assignment_id: int | None
    base_url: str
    target: str = ""

    @property
    def domain(self) -> str:
        """Host and port of Canvas."""
        return self.base_url.partition("://")[2]

    @property
    def context_path(self) -> str:
        """The path of the course's or the account's pages."""
        return f"/courses/{self.course.id}" if self.course else f"/accounts/{ROOT_ACCOUNT_ID}"

    @property
    def target_link_uri(self) -> str:
        """What the tool is asked to show."""
        placed = self.tool.placed(self.placement)
        return self.target or (placed and placed.target_link_uri) or self.tool.target_link_uri

    @cached_property
    def enrollments(self) -> list[Enrollment]:
        """The person's current enrollments in the course."""
        return current_enrollments(self.course, self.user) if self.course else []

    def roles(self) -> list[str]:
        """Return every role, sorted: those in the course, those in the institution, and that of anybody."""
        context = (role for each in self.enrollments for role in CONTEXT_ROLES[each.type])
        everywhere = (
            INSTITUTION_ROLES[each.type]
            for course in self.canvas.courses.values()
            for each in current_enrollments(course, self.user)
            if each.type in INSTITUTION_ROLES
        )
        admin = [ADMINISTRATOR] if is_account_admin(self.user) else []
        return sorted({*context, *everywhere, *admin, ANYBODY})

    def custom_fields(self) -> dict[str, Any]:
        """Return the tool's custom fields with their variables substituted."""
        placed = self.tool.placed(self.placement)
        fields = self.tool.custom_fields | (placed.custom_fields if placed else {})
        return {name: self._expanded(value) for name, value in fields.items()}

    def claims(self, issuer: str) -> dict[str, Any]:
        """Return the claims, without the nonce that the tool asks for."""
        now = self.canvas.clock.now()
        placed = self.tool.placed(self.placement)
        own = {
            "message_type": placed.message_type if placed else "LtiResourceLinkRequest",
            "version": VERSION,
            "deployment_id": self.tool.deployment_id,
            "target_link_uri": self.target_link_uri,
            "resource_link": {"id": self._context()["id"], "title": self.tool.title},
            "context": self._context(),
            "tool_platform": {
                "guid": account_guid(self.canvas),
                "name": "Sandbox district",
                "version": "cloud",
                "product_family_code": "canvas",
            },
            "launch_presentation": {
                "document_target": "iframe",
                "return_url": f"{self.base_url}{self.context_path}/external_content/success/external_tool_redirect",
                "locale": "en",
                "width": placed and placed.launch_width,
                "height": placed and placed.launch_height,
            },
            "roles": self.roles(),
            "custom": self.custom_fields(),
            "lti11_legacy_user_id": opaque_id("legacy user", self.user.id),
        }
        return {
            "iss": issuer,
            "aud": self.tool.client_id,
            "azp": self.tool.client_id,
            "sub": opaque_id("user", self.user.id),
            "iat": int(now.timestamp()),
            "exp": int((now + ID_TOKEN_LIFETIME).timestamp()),
            "locale": "en",
            "https://www.instructure.com/placement": self.placement or None,
            **{f"{CLAIM}{name}": value for name, value in own.items()},
            **self._personal(),
        }

    def _personal(self) -> dict[str, Any]:
        """Return what the tool's privacy level lets it know of the person."""
        level, personal = self.tool.privacy_level, dict[str, Any]()
        if level in ("public", "name_only"):
            course_sis_id = self.course.sis_course_id if self.course else None
            sourced = {"person_sourcedid": self.user.sis_user_id, "course_offering_sourcedid": course_sis_id}
            personal |= {"name": self.user.name, f"{CLAIM}lis": sourced}
        if level in ("public", "email_only"):
            personal["email"] = self.user.email or self.user.login
        return personal

    def _context(self) -> dict[str, Any]:
        if self.course is None:
            return {"id": opaque_id("account", ROOT_ACCOUNT_ID), "title": "Sandbox district", "type": ["Account"]}
        label, title = self.course.code, self.course.name
        return {"id": opaque_id("course", self.course.id), "label": label, "title": title, "type": [COURSE_TYPE]}

    def _expanded(self, field: str) -> Any:
        variable = VARIABLES.get(field)
        value = variable(self) if variable else field
        if value is NOT_AVAILABLE:
            return field
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def current_enrollments(course: Course, user: User) -> list[Enrollment]:
    """Return the person's current enrollments in the course."""
    return [each for each in list(course.enrollments.values()) if each.user_id == user.id and is_current(each)]


def _membership_roles(launch: Launch, _course: Course) -> str:
    names = [each.custom_role or each.type for each in launch.enrollments]
    return ",".join(dict.fromkeys([*names, *(["Account Admin"] if is_account_admin(launch.user) else [])]))


def _enrollment_state(launch: Launch, course: Course) -> str:
    own = [e for e in list(course.enrollments.values()) if e.user_id == launch.user.id and e.state != "deleted"]
    is_active = any(each.state == "active" for each in own) and not course.concluded
    return "" if not own else "active" if is_active else "inactive"


def _section_ids(launch: Launch, _course: Course) -> str:
    return ",".join(map(str, sorted({each.section_id for each in launch.enrollments})))


def _section_sis_ids(launch: Launch, course: Course) -> str:
    sections = [course.sections[each.section_id] for each in launch.enrollments]
    return ",".join(sorted({section.sis_section_id for section in sections if section.sis_section_id}))


NOT_AVAILABLE: Final = object()
Variable = Callable[[Launch], Any]


def _in_course(variable: Callable[[Launch, Course], Any]) -> Variable:
    return lambda launch: NOT_AVAILABLE if launch.course is None else variable(launch, launch.course)


VARIABLES: Final[Mapping[str, Variable]] = {
    "$Canvas.course.id": _in_course(lambda _, course: course.id),
    "$Canvas.course.sisSourceId": _in_course(lambda _, course: course.sis_course_id),
    "$Canvas.user.id": lambda launch: launch.user.id,
    "$Canvas.user.sisSourceId": lambda launch: launch.user.sis_user_id,
    "$Canvas.membership.roles": _in_course(_membership_roles),
    "$Canvas.enrollment.enrollmentState": _in_course(_enrollment_state),
    "$Canvas.course.sectionIds": _in_course(_section_ids),
    "$Canvas.course.sectionSisSourceIds": _in_course(_section_sis_ids),
    "$Canvas.account.id": lambda launch: ACCOUNT_ID if launch.course else ROOT_ACCOUNT_ID,
    "$Canvas.rootAccount.id": lambda _: ROOT_ACCOUNT_ID,
    "$vnd.Canvas.root_account.uuid": lambda launch: launch.canvas.seed.root_account_uuid,
    "$Canvas.api.domain": lambda launch: launch.domain,
    "$Canvas.user.isRootAccountAdmin": lambda launch: is_account_admin(launch.user),
    "$Canvas.masqueradingUser.id": lambda launch: (
        NOT_AVAILABLE if launch.real_user == launch.user else launch.real_user.id
    ),
    "$com.instructure.PostMessageToken": lambda _: str(uuid.uuid4()),
    "$Canvas.user.prefersHighContrast": lambda launch: "true" if launch.user.prefers_high_contrast else "false",
    "$Person.address.timezone": lambda launch: launch.canvas.seed.zone,
    "$Message.locale": lambda _: "en",
    "$Canvas.assignment.id": lambda launch: launch.assignment_id or NOT_AVAILABLE,
}
