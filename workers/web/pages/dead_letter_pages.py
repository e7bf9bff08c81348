"""The pages of dead letters: groups, lists, one letter, what is about to be done, and how far it is."""

import re
from collections.abc import Mapping

from starlette.responses import Response

from shared.domain.actions import Verb
from workers.web.api.parameters import CODE, DEAD_LETTER_ID
from workers.web.errors import ApiError
from workers.web.pages.page_handlers import PageHandlers, PageRequest, redirect
from workers.web.views import dead_letters
from workers.web.views.dead_letter_causes import explained

PAGE = 50
SHOWN = 100


def list_dead_letters(pages: PageHandlers, request: PageRequest) -> Response:
    """`/dead-letters`: groups by cause, and a page of one group or of all."""
    cause = _code(request.query("cause"))
    groups = dead_letters.groups(pages.service)
    page = dead_letters.page(pages.service, cause, request.query("start") or None, PAGE)
    return pages.page(
        "dead_letters.html", request, groups=[(group, explained(group.cause)) for group in groups], cause=cause,
        page=page, start=request.query("start"), total=sum(group.letters for group in groups),
        warning=pages.service.dead_letter_queue.warning(),
    )  # fmt: skip


def show_dead_letter(pages: PageHandlers, request: PageRequest) -> Response:
    """`/dead-letters/{letter_id}`: one dead letter."""
    letter_id = request.path_params["letter_id"]
    letter = dead_letters.find(pages.service, letter_id) if re.fullmatch(DEAD_LETTER_ID, letter_id) else None
    if letter is None:
        raise ApiError(404, "dead_letter_unknown", "This dead letter is not open any more: its work was done, or "
                      "somebody discarded it.")  # fmt: skip
    return pages.page("dead_letter.html", request, letter=letter, explained=explained(letter.cause))


def confirm(pages: PageHandlers, request: PageRequest) -> Response:
    """`/dead-letters/confirm`: the selected dead letters, before they are retried or discarded."""
    verb, choice = _verb(request.query("verb")), _choice(request.query_fields)
    selected = choice.of(pages.service)
    return pages.page(
        "confirm.html", request, verb=verb, choice=choice, selected_letters=selected, shown=SHOWN,
        courses={letter.course_id for letter in selected} - {""},
    )  # fmt: skip


def start_batch(pages: PageHandlers, request: PageRequest) -> Response:
    """Retry or discard the selected dead letters."""
    verb, choice = _verb(request.form("verb")), _choice(request.form_fields)
    selected = choice.of(pages.service)
    batch_id = pages.actions.start_batch(request.person, verb, selected)
    return redirect(f"/dead-letters/batches/{batch_id}")


def show_batch(pages: PageHandlers, request: PageRequest) -> Response:
    """`/dead-letters/batches/{batch_id}`: progress of a batch."""
    batch = pages.service.letter_batches.find(request.path_params["batch_id"])
    if batch is None:
        raise ApiError(404, "batch_unknown", "There was nothing of this id in the last day.")
    return pages.page("batch.html", request, batch=batch, left=pages.service.dead_letter_queue.count())


def cancel_batch(pages: PageHandlers, request: PageRequest) -> Response:
    """Cancel a batch."""
    batch_id = request.path_params["batch_id"]
    pages.actions.cancel_batch(request.person, batch_id)
    return redirect(f"/dead-letters/batches/{batch_id}")


def _verb(given: str) -> Verb:
    if given not in (Verb.RETRY, Verb.DISCARD):
        raise ApiError(422, "not_valid", "Dead letters are retried or discarded.")
    return Verb(given)


def _choice(fields: Mapping[str, list[str]]) -> dead_letters.DeadLetterSelection:
    """Return what is chosen. Raises `ApiError` where nothing is: everything has to be asked for."""
    ids = tuple(letter_id for letter_id in fields.get("id", []) if re.fullmatch(DEAD_LETTER_ID, letter_id))
    cause = _code(fields.get("cause", [""])[0])
    if not ids and cause is None and fields.get("all") != ["1"]:
        raise ApiError(422, "not_valid", "Nothing is chosen: go back, and tick some.")
    return dead_letters.DeadLetterSelection(ids, None if ids else cause)


def _code(given: str) -> str | None:
    return given if re.fullmatch(CODE, given) else None


GET = {
    "/dead-letters": list_dead_letters,
    "/dead-letters/confirm": confirm,
    "/dead-letters/batches/{batch_id}": show_batch,
    "/dead-letters/{letter_id}": show_dead_letter,
}
POST = {"/dead-letters/act": start_batch, "/dead-letters/batches/{batch_id}/cancel": cancel_batch}
