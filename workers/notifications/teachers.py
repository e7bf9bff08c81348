"""Sends each teacher once a week what needs them, a slice at a time: first the teachers of courses, then messages.

A digest is sent at most once. A teacher is removed from those to be told before the message is sent, and is put back
only where it certainly did not arrive. Addresses are read from Canvas for one message, and are not stored.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta, tzinfo
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import structlog
from pydantic import SecretStr

from shared.adapters.canvas.account import CanvasAccount
from shared.adapters.redis.operations.notifications import TeacherDigests
from shared.clock import Clock, last_due
from shared.domain.notifications.teachers import (
    OF_ONE_MESSAGE,
    RETRY_WAITS,
    UNKNOWN,
    CourseNeeds,
    Digest,
    DigestPhase,
    teacher_message,
)
from shared.errors import PermanentError, TransientError
from shared.log_events import LogEvent
from workers.notifications.delivery import Deliver, MessageKind, Target

log = structlog.get_logger()

DIGEST_SCHEDULE = "30 6 * * mon"
TEACHERS = "teachers"
# Shorter than the interval of checks, so that messages to administrators do not wait for those to teachers.
SLICE = timedelta(seconds=20)
# One address. A comma or a line break would add recipients.
_ADDRESS = re.compile(r"[^\s,;:<>\"'()\[\]\\@]+@[^\s,;:<>\"'()\[\]\\@]+")
_RECIPIENTS = ("to", "cc", "bcc")


@dataclass(frozen=True, slots=True)
class TeacherDigest:
    """One slice of the weekly digest. The caller holds the lease of notifications, and it is not a quiet hour."""

    store: TeacherDigests
    people: Callable[[], CanvasAccount]
    needs: Callable[[str], CourseNeeds | None]
    courses: Callable[[], Iterable[str]]
    deliver: Deliver
    clock: Clock
    zone: tzinfo
    url: SecretStr
    canvas_url: str
    with_names: bool

    def run(self) -> None:
        """Go on with the digest until the slice is over. A new installation begins with the next week's."""
        now, digest = self.clock.now(), self.store.read()
        due = last_due(DIGEST_SCHEDULE, now, self.zone)
        if digest is None:
            self.store.save(Digest(due))
            return
        if digest.due < due:
            digest = Digest(due, DigestPhase.READING)
            self.store.begin(digest, self.courses())
        if digest.not_before is not None and now < digest.not_before:
            return
        while digest.is_open and self.clock.now() - now < SLICE:
            digest = self._step(replace(digest, not_before=None))
            self.store.save(digest)
            if digest.not_before is not None:
                return

    def _step(self, digest: Digest) -> Digest:
        try:
            if digest.phase is DigestPhase.READING:
                return self._read_one(digest)
            return self._tell_one(digest)
        except TransientError as error:
            return self._deferred(digest, error.cause)

    def _read_one(self, digest: Digest) -> Digest:
        course_id = self.store.next_course()
        if course_id is None:
            return replace(digest, phase=DigestPhase.SENDING)
        try:
            teacher_ids = list(self.people().teachers(course_id)) if self.needs(course_id) else []
        except PermanentError:
            self.store.course_read(course_id, [])
            return replace(digest, unread=digest.unread + 1)
        self.store.course_read(course_id, teacher_ids)
        return replace(digest, failed=0)

    def _tell_one(self, digest: Digest) -> Digest:
        teacher_id = self.store.next_teacher()
        if teacher_id is None:
            log.info(
                LogEvent.TEACHERS_NOTIFIED, sent=digest.sent, refused=digest.refused, unread=digest.unread,
                without_address=digest.without_address, nothing_left=digest.nothing_left,
            )  # fmt: skip
            return replace(digest, phase=DigestPhase.DONE)
        course_ids = self.store.courses_of(teacher_id)
        needs = [found for course_id in course_ids if (found := self.needs(course_id))]
        address = self._address(teacher_id, needs) if needs else ""
        if not self.store.take(teacher_id):
            return digest
        if not needs:
            return replace(digest, nothing_left=digest.nothing_left + 1)
        if not _ADDRESS.fullmatch(address):
            return replace(digest, without_address=digest.without_address + 1)
        after, is_unsent = self._sent(digest, needs, address)
        if is_unsent:
            self.store.put_back(teacher_id, course_ids)
        return after

    def _sent(self, digest: Digest, needs: Sequence[CourseNeeds], address: str) -> tuple[Digest, bool]:
        """Send one message; return the digest, and whether the message is to be sent again."""
        message = teacher_message(needs, self.canvas_url, with_names=self.with_names)
        failure = self.deliver(Target(TEACHERS, url_to(self.url, address)), message, MessageKind.INFO)
        if failure is None:
            return replace(digest, sent=digest.sent + 1, failed=0, last_failure=None), False
        if failure in OF_ONE_MESSAGE:
            return replace(digest, refused=digest.refused + 1), False
        return self._deferred(replace(digest, last_failure=failure), failure), failure not in UNKNOWN

    def _address(self, teacher_id: str, needs: Iterable[CourseNeeds]) -> str:
        """Return the teacher's address from a course in which they still are; empty if there is none."""
        for course in needs:
            try:
                addresses = self.people().teachers(course.course_id)
            except PermanentError:
                continue
            if address := addresses.get(teacher_id):
                return address
        return ""

    def _deferred(self, digest: Digest, cause: str) -> Digest:
        """Return the digest that waits before it goes on; given up after the last wait."""
        failed, now = digest.failed + 1, self.clock.now()
        if failed > len(RETRY_WAITS):
            log.error(LogEvent.TEACHER_DIGEST_LOST, cause=str(cause), left=self.store.left())
            return replace(digest, phase=DigestPhase.LOST, failed=failed)
        log.warning(LogEvent.TEACHER_DIGEST_DEFERRED, cause=str(cause), failed=failed)
        return replace(digest, failed=failed, not_before=now + RETRY_WAITS[failed - 1])


def url_to(url: SecretStr, address: str) -> SecretStr:
    """Return the mail server's URL with this recipient alone."""
    parts = urlsplit(url.get_secret_value())
    query = [(key, value) for key, value in parse_qsl(parts.query, keep_blank_values=True) if key not in _RECIPIENTS]
    return SecretStr(f"{parts.scheme}://{parts.netloc}?{urlencode([*query, ('to', address)], quote_via=quote)}")
