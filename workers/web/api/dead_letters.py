"""The API about dead letters: list, group, show, retry and discard one, some or all."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import Field, StringConstraints

from shared.adapters.redis.dead_letters.store import DeadLetterBatch
from shared.domain.actions import Verb
from shared.domain.causes import Cause, is_known
from shared.domain.outcome import DeadLetter
from workers.container import Container
from workers.dead_letters import dead_letter_json
from workers.grade_passback.explain.response import Json
from workers.web.api.dependencies import (
    DEAD_LETTER_ID,
    Actions,
    Code,
    DeadLetterId,
    ErrorResponse,
    Service,
    Since,
    StrictModel,
    TimeParameter,
    plain,
)
from workers.web.errors import ApiError
from workers.web.views.operator_actions import OperatorActions

DeadLetterIdText = Annotated[str, StringConstraints(pattern=DEAD_LETTER_ID)]
BatchId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="Id of a batch")]
CauseQuery = Annotated[Code | None, Query(description="Only those of this cause; `messages`: unreadable messages")]

router = APIRouter()


def _open_dead_letter(service: Service, dead_letter_id: DeadLetterId) -> DeadLetter:
    found = service.dead_letter_queue.find(dead_letter_id)
    if found is None:
        raise ApiError(404, "dead_letter_unknown", "There is no open dead letter of this id.")
    return found


def _batch(service: Service, batch_id: BatchId) -> DeadLetterBatch:
    found = service.dead_letter_batches.find(batch_id)
    if found is None:
        raise ApiError(404, "batch_unknown", "There was no batch of this id in the last day.")
    return found


OpenDeadLetter = Annotated[DeadLetter, Depends(_open_dead_letter)]
Batch = Annotated[DeadLetterBatch, Depends(_batch)]


class SelectionRequest(StrictModel):
    """Options of a retry or discard of several dead letters: with `dry_run` their ids are only listed."""

    dry_run: bool = False


class SelectAll(SelectionRequest):
    """Every dead letter."""

    all: Literal[True]


class SelectSince(SelectionRequest):
    """The dead letters that failed since a time."""

    since: TimeParameter


class SelectByCause(SelectionRequest):
    """The dead letters of a cause; `messages` stands for unreadable messages."""

    cause: Code
    since: TimeParameter | None = None


class SelectByIds(SelectionRequest):
    """The dead letters of these ids; with a cause or a time, only those that match."""

    ids: Annotated[list[DeadLetterIdText], Field(min_length=1, max_length=500)]
    cause: Code | None = None
    since: TimeParameter | None = None


# An empty body selects nothing: `all` has to be stated, too.
AnySelection = SelectByIds | SelectByCause | SelectSince | SelectAll


@router.get("/dead-letters")
def dead_letters(
    service: Service,
    response: Response,
    cause: CauseQuery = None,
    since: Since = None,
    start: Annotated[str | None, Query(pattern=DEAD_LETTER_ID, description="`X-Next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> list[Json]:
    """List the dead letters, the oldest failure first; those of a cause by their ids.

    One page at a time: the header `X-Next` has the `start` of the next one. With `since`, all at once.
    """
    _refuse_unknown_cause(service, cause)
    if since is not None or (cause is None and start is None):
        return [dead_letter_json(each) for each in service.dead_letter_queue.select(cause=cause, since=since)]
    page, next_start = service.dead_letter_queue.page(cause, start, limit)
    if next_start is not None:
        response.headers["X-Next"] = next_start
    return [dead_letter_json(each) for each in page]


@router.get("/dead-letters/groups")
def groups(service: Service) -> list[Json]:
    """Return the number of dead letters of each cause, and what to do about it."""
    counts = service.dead_letter_queue.counts_by_cause()
    return [
        {"cause": code, "letters": count, "meaning": Cause(code).meaning, "remedy": Cause(code).remedy}
        for code, count in counts.items()
    ]


@router.post("/dead-letters/retry", status_code=202)
def retry_selected(service: Service, actions: Actions, selection: AnySelection) -> Json:
    """Start a batch that retries the selected dead letters; with `dry_run`, return their ids only."""
    return _start_batch(service, actions, Verb.RETRY, selection)


@router.post("/dead-letters/discard", status_code=202)
def discard_selected(service: Service, actions: Actions, selection: AnySelection) -> Json:
    """Start a batch that discards the selected dead letters; with `dry_run`, return their ids only."""
    return _start_batch(service, actions, Verb.DISCARD, selection)


def _start_batch(service: Container, actions: OperatorActions, verb: Verb, selection: SelectionRequest) -> Json:
    _refuse_unknown_ids(service, getattr(selection, "ids", ()))
    _refuse_unknown_cause(service, getattr(selection, "cause", None))
    selected = service.dead_letter_queue.select(**selection.model_dump(include={"ids", "cause", "since"}))
    if selection.dry_run:
        return {f"would_{verb}": [dead_letter.id for dead_letter in selected]}
    return {"batch_id": actions.start_batch(verb, selected), "total": len(selected)}


def _refuse_unknown_ids(service: Container, ids: Sequence[str]) -> None:
    """Refuse a selection that names what is not open: nothing would say which of them was left out."""
    missing = [each for each in dict.fromkeys(ids) if service.dead_letter_queue.find(each) is None]
    if missing:
        raise ApiError(404, "dead_letter_unknown", f"There is no open dead letter {', '.join(missing)}.")


def _refuse_unknown_cause(service: Container, cause: str | None) -> None:
    """Refuse a cause that is none: a misspelled one would look as if there were nothing to do."""
    if cause in (None, Cause.MESSAGES) or is_known(cause) or cause in service.dead_letter_queue.counts_by_cause():
        return
    raise ApiError(404, "cause_unknown", f"There is no cause {cause}.")


@router.get("/dead-letters/batches/{batch_id}")
def batch(found: Batch) -> Json:
    """Return the progress of a batch."""
    return plain(found)  # type: ignore[no-any-return]  # JSON of a dataclass


@router.post("/dead-letters/batches/{batch_id}/cancel", status_code=202)
def cancel(actions: Actions, found: Batch) -> Json:
    """Cancel a batch between two jobs; the remaining dead letters are untouched. Safe to repeat."""
    return {"id": found.id, "cancelled": actions.cancel_batch(found.id)}


@router.get("/dead-letters/{letter_id}")
def dead_letter(found: OpenDeadLetter) -> Json:
    """Return one dead letter; of a message without its content."""
    return dead_letter_json(found)


@router.post(
    "/dead-letters/{letter_id}/retry",
    status_code=202,
    responses={409: {"model": ErrorResponse, "description": "It cannot be run again"}},
)
def retry(actions: Actions, found: OpenDeadLetter) -> Json:
    """Retry one dead letter. Needs the header `X-Requested-With`, or a JSON body, against forgery.

    A course is synced anew, and its dead letter stays open until that succeeds. Safe to repeat.
    """
    if not actions.retry([found]).retried:
        raise ApiError(409, "not_retryable", "This job cannot be run again; export or discard it.")
    return {"id": found.id, "requested": True}


@router.post("/dead-letters/{letter_id}/discard", status_code=202)
def discard(actions: Actions, found: OpenDeadLetter) -> Json:
    """Remove one dead letter without doing its work; a later change of its course may cause it again."""
    actions.discard([found])
    return {"id": found.id, "discarded": True}
