"""The metadata of Live Events: actor, context, and request or job.

Source: canvas-lms doc/api/data_services, Canvas event metadata.
"""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from shared.sandbox.canvas.state import ACCOUNT_ID, ROOT_ACCOUNT_ID, SERVICE_USER_ID, CanvasState, Course, User

SHARD_SIZE: Final = 10**13
HOSTNAME: Final = "sandbox.canvas.example"
SIS_JOB: Final = "SIS::CSV::ImportRefactored#run_parallel_importer"
SIS_BATCH_JOB: Final = "SisBatch.process_all_for_account"
"""Inferred from the name of the method that works off imports: no example of it is published."""
SUBMISSIONS_JOB: Final = "Assignment#update_submissions"

NO_COURSE: Final = 0


@dataclass(frozen=True)
class LiveEvent:
    """One event, ready to be sent.

    `course_id` is for the delivery log: some events do not name their course, and some have none (`NO_COURSE`).
    """

    name: str
    course_id: int
    payload: dict[str, Any]


@dataclass(frozen=True)
class Origin:
    """Where a change came from: an actor's web request, or a background job."""

    actor: User | None = None
    role: str = "TeacherEnrollment"
    job_tag: str | None = None
    method: str = "POST"
    path: str = "/gradebook/update_submission"
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass
class Envelope:
    """Makes the metadata of events. With `token_in_url`, URLs carry an access token, as Canvas's own examples do."""

    state: CanvasState
    token_in_url: bool = False

    def metadata(self, name: str, course: Course, origin: Origin) -> dict[str, Any]:
        """Return the metadata: of a web request, or of a background job that has no user and usually no context."""
        metadata = self._always(name, origin)
        if origin.job_tag is None:
            return metadata | self._of_request(course, origin)
        metadata |= self._of_job(origin)
        if name == "grade_change" or name.startswith("submission_"):
            # Canvas amends the context of these to the course, whoever raised them.
            metadata |= {"context_type": "Course", "context_id": self.global_id(course.id)}
        return metadata

    def account_metadata(self, name: str, origin: Origin) -> dict[str, Any]:
        """Return the metadata of an event about the root account: a request of the service user's, or a job."""
        metadata = self._always(name, origin)
        if origin.job_tag is not None:
            return metadata | self._of_job(origin)
        account, actor = self.global_id(ROOT_ACCOUNT_ID), self.state.users[SERVICE_USER_ID]
        return metadata | {
            **self._of_any_request(actor, origin),
            "context_account_id": account,
            "context_id": account,
            "context_role": "AccountAdmin",
            "context_sis_source_id": None,
            "context_type": "Account",
            "referrer": None,
            "session_id": None,
            "url": f"https://{HOSTNAME}{origin.path}",
        }

    def global_id(self, local_id: int | None) -> str | None:
        """Return the id with its shard, as text."""
        return None if local_id is None else str(self.state.seed.shard * SHARD_SIZE + local_id)

    def job_time(self, time: datetime) -> str:
        """Return a time in the second shape, which jobs use: local, with a numeric offset and no T."""
        return time.astimezone(ZoneInfo(self.state.seed.zone)).strftime("%Y-%m-%d %H:%M:%S %z")

    def _always(self, name: str, origin: Origin) -> dict[str, Any]:
        now = self.state.clock.now()
        millis = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {
            "event_name": name,
            "event_time": self.job_time(now) if origin.job_tag == SIS_JOB else millis,
            "producer": "canvas",
            "root_account_id": self.global_id(ROOT_ACCOUNT_ID),
            "root_account_uuid": self.state.seed.root_account_uuid,
            "root_account_lti_guid": f"{self.state.seed.root_account_uuid}.{HOSTNAME}",
        }

    def _of_job(self, origin: Origin) -> dict[str, Any]:
        return {
            "job_id": str(1_000_000_000_000_000 + uuid.UUID(origin.request_id).int % 10**12),
            "job_tag": origin.job_tag,
        }

    def _of_request(self, course: Course, origin: Origin) -> dict[str, Any]:
        actor = origin.actor or self.state.users[course.teacher_user_id]
        query = f"?access_token={self.state.seed.token}" if self.token_in_url else ""
        return {
            **self._of_any_request(actor, origin),
            "client_ip": "192.0.2.10",
            "context_account_id": self.global_id(ACCOUNT_ID),
            "context_id": self.global_id(course.id),
            "context_role": origin.role,
            "context_sis_source_id": course.sis_course_id,
            "context_type": "Course",
            "developer_key_id": None,
            "referrer": f"https://{HOSTNAME}/courses/{course.id}/gradebook{query}",
            "session_id": uuid.UUID(origin.request_id).hex,
            "url": f"https://{HOSTNAME}/courses/{course.id}{origin.path}{query}",
            "user_agent": "SandboxBrowser/1.0",
        }

    def _of_any_request(self, actor: User, origin: Origin) -> dict[str, Any]:
        return {
            "hostname": HOSTNAME,
            "http_method": origin.method,
            "request_id": origin.request_id,
            "time_zone": self.state.seed.zone,
            "user_account_id": self.global_id(ROOT_ACCOUNT_ID),
            "user_id": self.global_id(actor.id),
            "user_login": actor.login,
            "user_sis_id": actor.sis_user_id,
        }
