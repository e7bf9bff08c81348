"""The pages of dead letters: causes and list, one dead letter, confirmation, progress of a batch."""

import re

from starlette.responses import Response

from shared.domain.actions import Verb
from shared.domain.causes import Cause
from workers.web.api.dependencies import CODE, DEAD_LETTER_ID
from workers.web.errors import ApiError
from workers.web.pages.page_handlers import Form, PageHandlers, PageRequest, redirect
from workers.web.views import dead_letters as views

PAGE_SIZE = 50
CONFIRM_LIMIT = 100


def list_dead_letters(pages: PageHandlers, request: PageRequest) -> Response:
    """`/dead-letters`: the causes, and a page of one cause's dead letters or of all."""
    cause = _code(request.query("cause"))
    counts = pages.service.dead_letter_queue.counts_by_cause()
    page, next_start = views.page(pages.service, cause, request.query("start") or None, PAGE_SIZE)
    return pages.page(
        "dead_letters/dead_letters.html", request,
        causes=[(each, count, Cause(each)) for each, count in counts.items()],
        cause=cause, dead_letters=page, start=request.query("start"), next_start=next_start,
        total=sum(counts.values()), warning=pages.service.dead_letter_queue.warning(),
    )  # fmt: skip


def show_dead_letter(pages: PageHandlers, request: PageRequest) -> Response:
    """`/dead-letters/{dead_letter_id}`: one dead letter."""
    dead_letter_id = request.path_params["dead_letter_id"]
    is_id = re.fullmatch(DEAD_LETTER_ID, dead_letter_id)
    dead_letter = views.find(pages.service, dead_letter_id) if is_id else None
    if dead_letter is None:
        raise ApiError(404, "dead_letter_unknown", "This dead letter is not open any more: its work was done, or "
                      "somebody discarded it.")  # fmt: skip
    return pages.page(
        "dead_letters/dead_letter.html", request, dead_letter=dead_letter, explained=Cause(dead_letter.cause)
    )


def confirm(pages: PageHandlers, request: PageRequest) -> Response:
    """`/dead-letters/confirm`: the selected dead letters, before they are retried or discarded."""
    verb, (ids, cause) = _verb(request.query("verb")), _selection(request.query_fields)
    selected = views.select(pages.service, ids, cause)
    return pages.page(
        "layout/confirm.html", request, verb=verb, ids=ids, cause=cause, selected=selected, limit=CONFIRM_LIMIT,
        courses={dead_letter.course_id for dead_letter in selected} - {""},
    )  # fmt: skip


def start_batch(pages: PageHandlers, request: PageRequest) -> Response:
    """Retry or discard the selected dead letters. Discards only as many as the form's page counted."""
    verb, (ids, cause) = _verb(request.form("verb")), _selection(request.form_fields)
    selected = views.select(pages.service, ids, cause)
    if verb is Verb.DISCARD and request.form("count") != str(len(selected)):
        raise ApiError(409, "changed_meanwhile", f"There are {len(selected)} now. Nothing was discarded: go back, and "
                       "look at them again.")  # fmt: skip
    batch_id = request.actions.start_batch(verb, selected)
    return redirect(f"/dead-letters/batches/{batch_id}")


def show_batch(pages: PageHandlers, request: PageRequest) -> Response:
    """`/dead-letters/batches/{batch_id}`: progress of a batch."""
    batch = pages.service.dead_letter_batches.find(request.path_params["batch_id"])
    if batch is None:
        raise ApiError(404, "batch_unknown", "There was nothing of this id in the last day.")
    return pages.page(
        "dead_letters/batch.html", request, batch=batch, remaining=pages.service.dead_letter_queue.count()
    )


def cancel_batch(_pages: PageHandlers, request: PageRequest) -> Response:
    """Cancel a batch."""
    batch_id = request.path_params["batch_id"]
    request.actions.cancel_batch(batch_id)
    return redirect(f"/dead-letters/batches/{batch_id}")


def _verb(given: str) -> Verb:
    if given not in (Verb.RETRY, Verb.DISCARD):
        raise ApiError(422, "not_valid", "Dead letters are retried or discarded.")
    return Verb(given)


def _selection(fields: Form) -> tuple[list[str], str | None]:
    """Return the selected ids, or the selected cause. Raises `ApiError` where nothing is selected, not even all."""
    ids = [dead_letter_id for dead_letter_id in fields.get("id", []) if re.fullmatch(DEAD_LETTER_ID, dead_letter_id)]
    cause = _code(fields.get("cause", [""])[0])
    if not ids and cause is None and fields.get("all") != ["1"]:
        raise ApiError(422, "not_valid", "Nothing is chosen: go back, and tick some.")
    return ids, None if ids else cause


def _code(given: str) -> str | None:
    return given if re.fullmatch(CODE, given) else None


GET = {
    "/dead-letters": list_dead_letters,
    "/dead-letters/confirm": confirm,
    "/dead-letters/batches/{batch_id}": show_batch,
    "/dead-letters/{dead_letter_id}": show_dead_letter,
}
POST = {"/dead-letters/act": start_batch, "/dead-letters/batches/{batch_id}/cancel": cancel_batch}
