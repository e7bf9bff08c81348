"""Canvas Live Events: bytes to a parsed event that holds only what passback needs.

Source: Canvas Live Events, "Event metadata" and the event bodies in canvas-lms `lib/canvas/live_events.rb`.
"""

from dataclasses import dataclass
from typing import Annotated

import msgspec
from pydantic import AliasChoices, Field, TypeAdapter, ValidationError

LOCAL_IDS_PER_SHARD = 10**13
MAX_ID_DIGITS = 20


class MalformedEvent(ValueError):
    """The bytes are no Live Event. Says what is wrong with their shape, never what was in them."""


@dataclass(frozen=True)
class EventMetadata:
    """The envelope. Only the name is certain to be there: background jobs send no context, but a `job_tag`.

    Ids are `object` so that an odd one makes an event of no interest no less acceptable; `local_id` reads them.
    `event_time` comes in two shapes and is not read: the truth is read from Canvas, so order does not matter.
    """

    event_name: str
    context_type: object = None
    context_id: object = None
    root_account_uuid: object = None
    job_tag: object = None


@dataclass(frozen=True)
class EventBody:
    """The ids that a body may name; which of them are there depends on the event."""

    course_id: object = None
    context_type: object = None
    context_id: object = None
    assignment_id: object = None
    course_section_id: object = None
    enrollment_id: object = None
    type: object = None


@dataclass(frozen=True)
class LiveEvent:
    """One event. `iss`, `exp` and `nbf` are claims of the signed form; Canvas documents none of them.

    Inside Canvas the envelope is called `attributes`; deliveries call it `metadata`.
    """

    metadata: Annotated[EventMetadata, Field(validation_alias=AliasChoices("metadata", "attributes"))]
    body: EventBody
    iss: object = None
    exp: Annotated[float | None, Field(allow_inf_nan=False)] = None
    nbf: Annotated[float | None, Field(allow_inf_nan=False)] = None


# Events as Canvas writes them, in a third of the time that the other takes; what is written otherwise is left to that.
FAST = msgspec.json.Decoder(LiveEvent)
TOLERANT = TypeAdapter(LiveEvent)


def parse(raw: bytes) -> LiveEvent:
    """Return the event in this JSON; unknown keys and unknown events are fine.

    Raises: MalformedEvent.
    """
    try:
        return FAST.decode(raw)
    except (ValueError, RecursionError):
        return _tolerantly_parsed(raw)


def _tolerantly_parsed(raw: bytes) -> LiveEvent:
    try:
        return TOLERANT.validate_json(raw)
    except ValidationError as error:
        raise MalformedEvent(_what_is_wrong(error)) from None


def local_id(value: object) -> str | None:
    """Return an id of Canvas local to the root account's shard, None where `value` is no id.

    A global id is the shard times 10**13 plus the local id. Canvas writes ids as text or as numbers.
    """
    if type(value) is str:
        if not value.isascii() or not value.isdigit() or len(value) > MAX_ID_DIGITS:
            return None
        number = int(value)
    elif type(value) is int and 0 < value < 10**MAX_ID_DIGITS:
        number = value
    else:
        return None
    return str(number % LOCAL_IDS_PER_SHARD) if number % LOCAL_IDS_PER_SHARD else None


def _what_is_wrong(error: ValidationError) -> str:
    """Return the kind of the first problem and our own name of the place; never the sender's words."""
    problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    return f"{place}: {problem['type']}" if place else str(problem["type"])
