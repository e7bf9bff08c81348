"""Who may see what after a launch: by the roles in this course or account alone.

Canvas also names roles that somebody has anywhere in the district, such as `institution/person#Instructor`. They open
nothing. Source: canvas-lms `lib/lti/substitutions_helper.rb`.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from workers.web.api.dependencies import CANVAS_ID
from workers.web.lti.claims import Claims
from workers.web.lti.refusals import Refusal
from workers.web.lti.session import SESSION_LIFETIME, LtiRole, LtiSession
from workers.web.lti.validation import Check, refuse_first

COURSE_TEACHER = "http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"
ADMINISTRATOR = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#Administrator"
ACTIVE = "active"
MAX_TEXT_CHARS = 1_500
MAX_SECTIONS = 100

ACCOUNT_PLACEMENT = "account_navigation"
PLACEMENTS_BY_PATH = {
    "/lti/course": "course_navigation",
    "/lti/account": ACCOUNT_PLACEMENT,
    "/lti/post-grades": "post_grades",
    "/lti/assignment": "assignment_menu",
}
"""The pages on which a launch can land, and the placement in Canvas for which each is made."""
COURSE_PATHS = tuple(path for path, placement in PLACEMENTS_BY_PATH.items() if placement != ACCOUNT_PLACEMENT)


@dataclass(frozen=True, slots=True)
class _Roles:
    """What the launch says about the person, as claims about roles."""

    is_account: bool
    is_teacher: bool
    is_administrator: bool
    has_enrollment: bool


def session_of(claims: Claims, *, teachers_may_sync: bool, now: datetime) -> LtiSession:
    """Return what the launch opens. Raises: LaunchRefused."""
    roles = _roles(claims)
    refuse_first(_context_checks(claims, is_account=roles.is_account))
    refuse_first(_role_checks(roles))
    custom, role = claims.custom, _role(roles)
    section_ids = _ids(custom.section_ids) if role is LtiRole.TEACHER else ()
    refuse_first([(Refusal.SECTIONS_MISSING, role is LtiRole.TEACHER and not section_ids)])
    return LtiSession(
        role=role,
        user_id=custom.user_id,
        course_id=None if roles.is_account else custom.course_id,
        section_ids=section_ids,
        placement=placement_of(claims),
        assignment_id=custom.assignment_id if re.fullmatch(CANVAS_ID, custom.assignment_id) else None,
        real_user_id=custom.masquerading_user_id or None,
        api_domain=_host(custom.api_domain),
        return_url=_web_address(claims.presentation.return_url),
        message_token=custom.message_token if len(custom.message_token) <= MAX_TEXT_CHARS else "",
        high_contrast=custom.high_contrast == "true",
        may_sync=role is LtiRole.ADMIN or teachers_may_sync,
        expires_at=now + SESSION_LIFETIME,
    )


def placement_of(claims: Claims) -> str:
    """Return the placement; for one that passback does not know, that of the page which it opens."""
    if claims.placement in PLACEMENTS_BY_PATH.values():
        return claims.placement
    return PLACEMENTS_BY_PATH[urlsplit(claims.target).path]


def _roles(claims: Claims) -> _Roles:
    custom = claims.custom
    # An administrator of a school's account has the same role in that account.
    is_root = bool(custom.root_account_id) and custom.account_id == custom.root_account_id
    is_account = placement_of(claims) == ACCOUNT_PLACEMENT
    return _Roles(
        is_account=is_account,
        is_teacher=not is_account and COURSE_TEACHER in claims.roles,
        is_administrator=ADMINISTRATOR in claims.roles and (custom.is_root_admin == "true" or (is_account and is_root)),
        has_enrollment=custom.enrollment_state in ("", ACTIVE),
    )


def _context_checks(claims: Claims, *, is_account: bool) -> Check:
    custom = claims.custom
    yield Refusal.USER_MISSING, not re.fullmatch(CANVAS_ID, custom.user_id)
    real = custom.masquerading_user_id
    yield Refusal.USER_MISSING, bool(real) and not re.fullmatch(CANVAS_ID, real)
    # Canvas makes the address to return to, whatever is in the custom fields.
    returns_to = re.match(r"/courses/(\d+)(/|$)", _path(claims.presentation.return_url))
    if is_account:
        # The placement is part of an address that anybody in a course can type: it alone makes no launch from the
        # account, and a course may belong to the root account itself.
        yield Refusal.CONTEXT_CONTRADICTED, bool(custom.course_id) or returns_to is not None
    else:
        yield Refusal.COURSE_MISSING, not re.fullmatch(CANVAS_ID, custom.course_id)
        yield Refusal.CONTEXT_CONTRADICTED, returns_to is not None and returns_to[1] != custom.course_id


def _role_checks(roles: _Roles) -> Check:
    if roles.is_account:
        yield Refusal.NOT_AN_ADMIN, not roles.is_administrator
        return
    yield Refusal.NOT_A_TEACHER, not (roles.is_teacher or roles.is_administrator)
    yield Refusal.ENROLLMENT_NOT_ACTIVE, not (roles.has_enrollment or roles.is_administrator)


def _role(roles: _Roles) -> LtiRole:
    """Return the role of somebody who has one; an administrator who also teaches the course sees all of it."""
    return LtiRole.ADMIN if roles.is_administrator else LtiRole.TEACHER


def _ids(listed: str) -> tuple[str, ...]:
    """Return the ids of a comma-separated list, each once."""
    ids = dict.fromkeys(part.strip() for part in listed.split(","))
    return tuple(an_id for an_id in ids if re.fullmatch(CANVAS_ID, an_id))[:MAX_SECTIONS]


def _host(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?", name) else ""


def _web_address(url: str) -> str:
    is_one = url.startswith(("https://", "http://")) and url.isprintable() and len(url) <= MAX_TEXT_CHARS
    return url if is_one and _path(url) else ""


def _path(url: str) -> str:
    """Return the path of an address; empty for what is none, such as one with half an IPv6 address."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""
