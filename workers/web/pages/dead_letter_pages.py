"""The pages of dead letters: causes and list, one dead letter, confirmation, progress of a batch."""

import re

from shared.domain.actions import Verb
from shared.domain.causes import Cause
from workers.web.api.dependencies import CODE, DEAD_LETTER_ID
from workers.web.errors import ApiError
from workers.web.pages.page_handlers import Form, PageRequest, Values, first

PAGE_SIZE = 50
CONFIRM_LIMIT = 100


def list_dead_letters(request: PageRequest) -> Values:
    """The causes, and a page of one cause's dead letters or of all."""
    cause, start, queue = _code(request.field("cause")), request.field("start"), request.service.dead_letter_queue
    counts = queue.counts_by_cause()
    page, next_start = queue.page(cause, start or None, PAGE_SIZE)
    return {
        "causes": [(each, count, Cause(each)) for each, count in counts.items()], "cause": cause,
        "dead_letters": page, "start": start, "next_start": next_start, "total": sum(counts.values()),
        "warning": queue.warning(),
    }  # fmt: skip


def show_dead_letter(request: PageRequest) -> Values:
    """One dead letter."""
    dead_letter_id = request.path_params["dead_letter_id"]
    is_id = re.fullmatch(DEAD_LETTER_ID, dead_letter_id)
    dead_letter = request.service.dead_letter_queue.find(dead_letter_id) if is_id else None
    if dead_letter is None:
        raise ApiError(404, "dead_letter_unknown", "This dead letter is not open any more: its work was done, or "
                      "somebody discarded it.")  # fmt: skip
    return {"dead_letter": dead_letter, "explained": Cause(dead_letter.cause)}


def confirm(request: PageRequest) -> Values:
    """The selected dead letters, before they are retried or discarded."""
    verb, (ids, cause) = _verb(request.field("verb")), _selection(request.fields)
    selected = request.service.dead_letter_queue.select(ids, cause)
    courses = {dead_letter.course_id for dead_letter in selected} - {""}
    return {
        "verb": verb, "ids": ids, "cause": cause, "selected": selected, "limit": CONFIRM_LIMIT, "courses": courses,
    }  # fmt: skip


def start_batch(request: PageRequest) -> str:
    """Retry or discard the selected dead letters. Discards only as many as the form's page counted."""
    verb, (ids, cause) = _verb(request.field("verb")), _selection(request.fields)
    selected = request.service.dead_letter_queue.select(ids, cause)
    if verb is Verb.DISCARD and request.field("count") != str(len(selected)):
        raise ApiError(409, "changed_meanwhile", f"There are {len(selected)} now. Nothing was discarded: go back, and "
                       "look at them again.")  # fmt: skip
    return f"/dead-letters/batches/{request.actions.start_batch(verb, selected)}"


def show_batch(request: PageRequest) -> Values:
    """Progress of a batch."""
    batch = request.service.dead_letter_batches.find(request.path_params["batch_id"])
    if batch is None:
        raise ApiError(404, "batch_unknown", "There was nothing of this id in the last day.")
    return {"batch": batch, "remaining": request.service.dead_letter_queue.count()}


def cancel_batch(request: PageRequest) -> str:
    """Cancel a batch."""
    batch_id = request.path_params["batch_id"]
    request.actions.cancel_batch(batch_id)
    return f"/dead-letters/batches/{batch_id}"


def _verb(given: str) -> Verb:
    if given not in (Verb.RETRY, Verb.DISCARD):
        raise ApiError(422, "not_valid", "Dead letters are retried or discarded.")
    return Verb(given)


def _selection(fields: Form) -> tuple[list[str], str | None]:
    """Return the selected ids, or the selected cause. Raises `ApiError` where nothing is selected, not even all."""
    ids = [dead_letter_id for dead_letter_id in fields.get("id", []) if re.fullmatch(DEAD_LETTER_ID, dead_letter_id)]
    cause = _code(first(fields, "cause"))
    if not ids and cause is None and fields.get("all") != ["1"]:
        raise ApiError(422, "not_valid", "Nothing is chosen: go back, and tick some.")
    return ids, None if ids else cause


def _code(given: str) -> str | None:
    return given if re.fullmatch(CODE, given) else None
