"""The API about dead letters: list, group, show, retry and discard one, some or all."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field, StringConstraints

from shared.adapters.redis.dead_letters.batches import DeadLetterBatch
from shared.domain.actions import Verb
from shared.domain.passback.course_state import DeadLetter
from workers.container import Container
from workers.dead_letters.service import dead_letter_json
from workers.grade_passback.explain.response import Json
from workers.web.api.errors import ErrorResponse
from workers.web.api.parameters import (
    DEAD_LETTER_ID,
    Code,
    DeadLetterId,
    Operator,
    Since,
    StrictModel,
    TimeParameter,
    plain,
)
from workers.web.errors import ApiError
from workers.web.views import dead_letters
from workers.web.views.dead_letter_causes import explained
from workers.web.views.operator_actions import OperatorActions

DeadLetterIdText = Annotated[str, StringConstraints(pattern=DEAD_LETTER_ID)]
BatchId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="Id of a batch")]
CauseQuery = Annotated[Code | None, Query(description="Only those of this cause; `messages`: those nobody could read")]


class SelectionRequest(StrictModel):
    """Options of a retry or discard of several dead letters: with `dry_run` they are only named."""

    dry_run: bool = False

    @property
    def choice(self) -> dead_letters.DeadLetterSelection:
        """Return the selection: all."""
        return dead_letters.DeadLetterSelection()


class SelectAll(SelectionRequest):
    """Every dead letter."""

    all: Literal[True]


class SelectSince(SelectionRequest):
    """Those that failed since."""

    since: TimeParameter

    @property
    def choice(self) -> dead_letters.DeadLetterSelection:
        """Return the selection."""
        return dead_letters.DeadLetterSelection(since=self.since)


class SelectByCause(SelectionRequest):
    """Those of a cause; `messages` stands for those that nobody could read."""

    cause: Code
    since: TimeParameter | None = None

    @property
    def choice(self) -> dead_letters.DeadLetterSelection:
        """Return the selection."""
        return dead_letters.DeadLetterSelection(cause=self.cause, since=self.since)


class SelectByIds(SelectionRequest):
    """Those of these ids; with a cause or a time, only those among them that fit."""

    ids: Annotated[list[DeadLetterIdText], Field(min_length=1, max_length=500)]
    cause: Code | None = None
    since: TimeParameter | None = None

    @property
    def choice(self) -> dead_letters.DeadLetterSelection:
        """Return the selection."""
        return dead_letters.DeadLetterSelection(tuple(self.ids), self.cause, self.since)


# An empty body selects nothing: `all` has to be stated, too.
Choosing = SelectByIds | SelectByCause | SelectSince | SelectAll


class DeadLetterApi:
    """The endpoints under `/dead-letters`."""

    def __init__(self, service: Container, actions: OperatorActions) -> None:
        self._service = service
        self._actions = actions

    def add_to(self, router: APIRouter) -> None:
        """Add the endpoints with their paths."""
        router.get("/dead-letters")(self.dead_letters)
        router.get("/dead-letters/groups")(self.groups)
        router.post("/dead-letters/retry", status_code=202)(self.retry_some)
        router.post("/dead-letters/discard", status_code=202)(self.discard_some)
        router.get("/dead-letters/batches/{batch_id}")(self.batch)
        router.post("/dead-letters/batches/{batch_id}/cancel", status_code=202)(self.cancel)
        router.get("/dead-letters/{letter_id}")(self.dead_letter)
        conflict: dict[int | str, dict[str, Any]] = {
            409: {"model": ErrorResponse, "description": "It cannot be run again"}
        }
        router.post("/dead-letters/{letter_id}/retry", status_code=202, responses=conflict)(self.retry)
        router.post("/dead-letters/{letter_id}/discard", status_code=202)(self.discard)

    def dead_letters(
        self,
        response: Response,
        cause: CauseQuery = None,
        since: Since = None,
        start: Annotated[str | None, Query(pattern=DEAD_LETTER_ID, description="`X-Next` of the page before")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
    ) -> list[Json]:
        """Return the jobs that are kept for a person, the oldest failure first; of a cause, by their ids.

        A page at a time: the header `X-Next` says where the next one starts. With `since`, everything at once.
        """
        if since is not None or (cause is None and start is None):
            found = dead_letters.DeadLetterSelection(cause=cause, since=since).of(self._service)
            return [dead_letter_json(letter) for letter in found]
        page = dead_letters.page(self._service, cause, start, limit)
        if page.next_start is not None:
            response.headers["X-Next"] = page.next_start
        return [dead_letter_json(letter) for letter in page.letters]

    def groups(self) -> list[Json]:
        """Return how many there are of each cause, and what to do about it."""
        found = dead_letters.groups(self._service)
        return [{**plain(group), **plain(explained(group.cause))} for group in found]

    def dead_letter(self, letter_id: DeadLetterId) -> Json:
        """Return one of them; of a message, not what was in it."""
        return dead_letter_json(self._found(letter_id))

    def retry(self, person: Operator, letter_id: DeadLetterId) -> Json:
        """Set the job going again. Needs the header `X-Requested-With`, or a JSON body, against forgery.

        A course gets a fresh sync, and its letter stays open until that succeeds. Safe to repeat.
        """
        if not self._actions.retry_one(person, self._found(letter_id)):
            raise ApiError(409, "not_retryable", "This job cannot be run again; export or discard it.")
        return {"id": letter_id, "requested": True}

    def discard(self, person: Operator, letter_id: DeadLetterId) -> Json:
        """Remove the job without doing its work; a later change of its course may bring it up again."""
        self._actions.discard_one(person, self._found(letter_id))
        return {"id": letter_id, "discarded": True}

    def retry_some(self, person: Operator, selection: Choosing) -> Json:
        """Start a batch that retries the selected dead letters; with `dry_run`, return their ids only."""
        return self._some(person, Verb.RETRY, selection)

    def discard_some(self, person: Operator, selection: Choosing) -> Json:
        """Start a batch that discards the selected dead letters; with `dry_run`, return their ids only."""
        return self._some(person, Verb.DISCARD, selection)

    def batch(self, batch_id: BatchId) -> Json:
        """Say how far a batch is."""
        return plain(self._batch(batch_id))  # type: ignore[no-any-return]  # JSON of a dataclass

    def cancel(self, person: Operator, batch_id: BatchId) -> Json:
        """Let a batch end where it is; what it had not come to is untouched. Safe to repeat."""
        self._batch(batch_id)
        return {"id": batch_id, "cancelled": self._actions.cancel_batch(person, batch_id)}

    def _some(self, person: Operator, verb: Verb, selection: SelectionRequest) -> Json:
        selected = selection.choice.of(self._service)
        if selection.dry_run:
            return {f"would_{verb}": [letter.id for letter in selected]}
        batch_id = self._actions.start_batch(person, verb, selected)
        return {"batch_id": batch_id, "total": len(selected)}

    def _found(self, letter_id: str) -> DeadLetter:
        letter = dead_letters.find(self._service, letter_id)
        if letter is None:
            raise ApiError(404, "dead_letter_unknown", "There is no open dead letter of this id.")
        return letter

    def _batch(self, batch_id: str) -> DeadLetterBatch:
        batch = self._service.letter_batches.find(batch_id)
        if batch is None:
            raise ApiError(404, "batch_unknown", "There was no batch of this id in the last day.")
        return batch
