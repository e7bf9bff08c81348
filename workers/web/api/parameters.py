"""Parameters that the endpoints share: the operator, the formats of ids, times."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints
from pydantic_core import to_jsonable_python

from workers.web.auth.access import require_csrf, require_operator
from workers.web.auth.roles import User

CANVAS_ID = r"^[0-9]{1,20}$"
DEAD_LETTER_ID = r"^[A-Za-z0-9_.:-]{1,100}$"
SIS_ID = r"^[^\x00-\x1f]{1,255}$"
CODE = r"^[A-Za-z0-9_.-]{1,100}$"
MAX_ENTRIES = 1000


def operator(request: Request) -> User:
    """Return the signed-in operator. Rejects viewers and requests that may be forged."""
    require_csrf(request)
    person: User = request.state.person
    return require_operator(person)


Operator = Annotated[User, Depends(operator)]
CourseId = Annotated[str, Path(pattern=CANVAS_ID, description="Canvas course id")]
DeadLetterId = Annotated[str, Path(pattern=DEAD_LETTER_ID, description="Dead letter id")]
Code = Annotated[str, StringConstraints(pattern=CODE)]


def aware(at: datetime) -> datetime:
    """Return the time, of UTC where it has no offset."""
    return at if at.tzinfo else at.replace(tzinfo=UTC)


TimeParameter = Annotated[datetime, AfterValidator(aware)]
Since = Annotated[TimeParameter | None, Query(description="Only from this time on; UTC without an offset")]


class StrictModel(BaseModel):
    """A body; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


def plain(value: object) -> Any:  # JSON
    """Return a value as JSON has it: dataclasses by their fields, times in ISO 8601, durations in seconds."""
    return to_jsonable_python(value, timedelta_mode="float")
