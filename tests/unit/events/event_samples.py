"""One valid Live Event; tests change one field of it."""

import copy
import json

SHARD = 7_000 * 10**13
UUID = "root-uuid-of-the-test-district"

_GRADE_CHANGE: dict[str, dict[str, object]] = {
    "metadata": {
        "event_name": "grade_change",
        "event_time": "2026-02-03T04:05:06.789Z",
        "producer": "canvas",
        "context_type": "Course",
        "context_id": str(SHARD + 61),
        "root_account_uuid": UUID,
        "user_login": None,
    },
    "body": {
        "submission_id": str(SHARD + 900),
        "assignment_id": str(SHARD + 41),
        "student_id": str(SHARD + 17),
        "student_sis_id": None,
        "score": 9.5,
        "old_score": None,
        "grading_complete": True,
    },
}


def event(
    name: str = "grade_change",
    metadata: dict[str, object] | None = None,
    body: dict[str, object] | None = None,
    *,
    without: tuple[str, ...] = (),
) -> dict[str, object]:
    """Return the event with these fields in place of its own; `without` names metadata to leave out."""
    made = copy.deepcopy(_GRADE_CHANGE)
    made["metadata"] |= {"event_name": name, **(metadata or {})}
    for key in without:
        del made["metadata"][key]
    if body is not None:
        made["body"] = body
    return dict(made)


def raw(**changes: object) -> bytes:
    """Return the event as bytes."""
    return json.dumps(event(**changes)).encode()  # type: ignore[arg-type]
