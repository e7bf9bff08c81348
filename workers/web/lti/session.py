"""What a launch opens: one person, one role, one course or account, for an hour.

It travels as a signed token in the pages themselves, as a form's field or a header, because browsers withhold cookies
from pages inside a frame. It is never part of an address: addresses end up in histories and logs.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property

from itsdangerous import BadData, URLSafeSerializer

from shared.clock import Clock

SESSION_LIFETIME = timedelta(hours=1)
SALT = "passback lti"
MAX_TOKEN_CHARS = 8_000


class LtiRole(StrEnum):
    """As whom Canvas sent somebody: a teacher of this course, or an administrator of the root account."""

    TEACHER = "teacher"
    ADMIN = "admin"


class InvalidSession(Exception):
    """The token is not one of ours, or older than its lifetime."""


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

    def read(self, token: str) -> LtiSession:
        """Return the session of a token. Raises: InvalidSession."""
        if len(token) > MAX_TOKEN_CHARS:
            raise InvalidSession
        try:
            fields = self._serializer.loads(token)
            expires_at = datetime.fromtimestamp(fields.pop("expires_at"), UTC)
            role, section_ids = LtiRole(fields.pop("role")), tuple(fields.pop("section_ids"))
            session = LtiSession(role=role, section_ids=section_ids, expires_at=expires_at, **fields)
        except (BadData, TypeError, KeyError, ValueError, AttributeError):
            # The last four: a token of an earlier version, which had other fields.
            raise InvalidSession from None
        if session.expires_at <= self._clock.now():
            raise InvalidSession
        return session

    @cached_property
    def _serializer(self) -> URLSafeSerializer:
        digest = {"digest_method": hashlib.sha256}
        return URLSafeSerializer(self._secret(), salt=SALT, serializer=json, signer_kwargs=digest)
