"""What a launch opens: one person, one role, one course or account, for an hour.

It travels as a signed token in the pages themselves, as a form's field or a header, because browsers withhold cookies
from pages inside a frame. It is never part of an address: addresses end up in histories and logs.

Who may see what is decided by the roles in this course or account alone. Canvas also names roles that somebody has
anywhere in the district, such as `institution/person#Instructor`. They open nothing.
Source: canvas-lms `lib/lti/substitutions_helper.rb`.
"""

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from urllib.parse import urlsplit

from itsdangerous import BadData, URLSafeSerializer

from shared.clock import Clock
from workers.web.api.dependencies import CANVAS_ID
from workers.web.lti.claims import Check, Claims, refuse_first
from workers.web.lti.configuration import PLACEMENTS_BY_PATH
from workers.web.lti.refusals import Refusal
from workers.web.lti.state import serializer

SESSION_LIFETIME = timedelta(hours=1)
MAX_TOKEN_CHARS = 8_000
COURSE_TEACHER = "http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"
ADMINISTRATOR = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#Administrator"
MAX_TEXT_CHARS = 1_500
MAX_SECTIONS = 100


class LtiRole(StrEnum):
    """As whom Canvas sent somebody: a teacher of this course, or an administrator of the root account."""

    TEACHER = "teacher"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class LtiSession:
    """Who opened passback in Canvas, where, and until when.

    `section_ids` are the Canvas sections of the course in which a teacher is enrolled, never none; an administrator's
    are empty, and not limited. `real_user_id` is the person who acts as somebody else in Canvas (masquerading).
    """

    role: LtiRole
    user_id: str
    course_id: str | None
    section_ids: tuple[str, ...]
    placement: str
    assignment_id: str | None
    real_user_id: str | None
    api_domain: str
    return_url: str
    message_token: str
    high_contrast: bool
    may_sync: bool
    expires_at: datetime

    @property
    def actor(self) -> str:
        """Return the name for logs and for the audit: the real person's id."""
        return f"canvas-user:{self.real_user_id or self.user_id}"

    @property
    def can_sync(self) -> bool:
        """Say whether this person may request a sync; who acts as somebody else only looks."""
        return self.may_sync and self.real_user_id is None


class LtiSessions:
    """Signs sessions, and reads them back from their tokens."""

    def __init__(self, secret: Callable[[], str], clock: Clock) -> None:
        self._secret = secret
        self._clock = clock

    def issue(self, session: LtiSession) -> str:
        """Return the token of a session."""
        expires_at = int(session.expires_at.timestamp())
        return str(self._serializer.dumps({**asdict(session), "expires_at": expires_at}))

    def read(self, token: str) -> LtiSession | None:
        """Return the session of a token; None for what is no token of ours, or older than its lifetime."""
        if len(token) > MAX_TOKEN_CHARS:
            return None
        try:
            fields = self._serializer.loads(token)
            expires_at = datetime.fromtimestamp(fields.pop("expires_at"), UTC)
            role, section_ids = LtiRole(fields.pop("role")), tuple(fields.pop("section_ids"))
            session = LtiSession(role=role, section_ids=section_ids, expires_at=expires_at, **fields)
        except (BadData, TypeError, KeyError, ValueError, AttributeError):
            # The last four: a token of an earlier version, which had other fields.
            return None
        return session if session.expires_at > self._clock.now() else None

    @cached_property
    def _serializer(self) -> URLSafeSerializer:
        return serializer(self._secret(), "passback lti")


def session_of(claims: Claims, *, teachers_may_sync: bool, now: datetime) -> LtiSession:
    """Return what the launch opens. Raises: LaunchRefused."""
    custom, placement = claims.custom, _placement_of(claims)
    is_account = placement == "account_navigation"
    is_teacher = not is_account and COURSE_TEACHER in claims.roles
    # An administrator of a school's account has the same role in that account.
    is_root = is_account and bool(custom.root_account_id) and custom.account_id == custom.root_account_id
    is_administrator = ADMINISTRATOR in claims.roles and (custom.is_root_admin == "true" or is_root)
    has_enrollment = custom.enrollment_state in ("", "active")
    refuse_first(_context_checks(claims, is_account=is_account))
    refuse_first(
        [
            (Refusal.NOT_AN_ADMIN, is_account and not is_administrator),
            (Refusal.NOT_A_TEACHER, not (is_teacher or is_administrator)),
            (Refusal.ENROLLMENT_NOT_ACTIVE, not (has_enrollment or is_administrator)),
        ]
    )
    # An administrator who also teaches the course sees all of it.
    role = LtiRole.ADMIN if is_administrator else LtiRole.TEACHER
    section_ids = _ids(custom.section_ids) if role is LtiRole.TEACHER else ()
    refuse_first([(Refusal.SECTIONS_MISSING, role is LtiRole.TEACHER and not section_ids)])
    return LtiSession(
        role=role,
        user_id=custom.user_id,
        course_id=None if is_account else custom.course_id,
        section_ids=section_ids,
        placement=placement,
        assignment_id=custom.assignment_id if re.fullmatch(CANVAS_ID, custom.assignment_id) else None,
        real_user_id=custom.masquerading_user_id or None,
        api_domain=_host(custom.api_domain),
        return_url=_web_address(claims.return_url),
        message_token=custom.message_token if len(custom.message_token) <= MAX_TEXT_CHARS else "",
        high_contrast=custom.high_contrast == "true",
        may_sync=role is LtiRole.ADMIN or teachers_may_sync,
        expires_at=now + SESSION_LIFETIME,
    )


def _placement_of(claims: Claims) -> str:
    """Return the placement; for one that passback does not know, that of the page which it opens."""
    if claims.placement in PLACEMENTS_BY_PATH.values():
        return claims.placement
    return PLACEMENTS_BY_PATH[urlsplit(claims.target).path]


def _context_checks(claims: Claims, *, is_account: bool) -> Check:
    custom = claims.custom
    yield Refusal.USER_MISSING, not re.fullmatch(CANVAS_ID, custom.user_id)
    real = custom.masquerading_user_id
    yield Refusal.USER_MISSING, bool(real) and not re.fullmatch(CANVAS_ID, real)
    # Canvas makes the address to return to, whatever is in the custom fields.
    returns_to = re.match(r"/courses/(\d+)(/|$)", _path(claims.return_url))
    if is_account:
        # The placement is part of an address that anybody in a course can type: it alone makes no launch from the
        # account, and a course may belong to the root account itself.
        yield Refusal.CONTEXT_CONTRADICTED, bool(custom.course_id) or returns_to is not None
    else:
        yield Refusal.COURSE_MISSING, not re.fullmatch(CANVAS_ID, custom.course_id)
        yield Refusal.CONTEXT_CONTRADICTED, returns_to is not None and returns_to[1] != custom.course_id


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
