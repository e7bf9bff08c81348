"""The pages of dead letters: groups, lists, one letter, what is about to be done, and how far it is."""

import re
from collections.abc import Mapping
from datetime import timedelta

from starlette.responses import Response

from shared.domain.actions import Verb
from workers.web.api.parameters import CODE, DEAD_LETTER_ID
from workers.web.errors import ApiError
from workers.web.pages.page_handlers import PageHandlers, PageRequest, View, redirect
from workers.web.views import dead_letters
from workers.web.views.dead_letter_causes import explained

PAGE = 50
SHOWN = 100
RATES = {"0": "as quickly as possible", "600": "10 a second", "60": "1 a second", "12": "12 a minute"}
PACED_FROM = 20


class DeadLetterViews:
    """Everything under `/dead-letters`."""

    def __init__(self, desk: PageHandlers) -> None:
        self._desk = desk

    def looks(self) -> Mapping[str, View]:
        """Return the pages by path."""
        return {
            "/dead-letters": self._list,
            "/dead-letters/confirm": self._confirm,
            "/dead-letters/batches/{batch_id}": self._batch,
            "/dead-letters/{letter_id}": self._letter,
        }

    def acts(self) -> Mapping[str, View]:
        """Return the forms by path."""
        return {"/dead-letters/act": self._act, "/dead-letters/batches/{batch_id}/cancel": self._cancel}

    def _list(self, visit: PageRequest) -> Response:
        cause = _code(visit.asked("cause"))
        groups = dead_letters.groups(self._desk.service)
        page = dead_letters.page(self._desk.service, cause, visit.asked("start") or None, PAGE)
        return self._desk.page(
            "dead_letters.html", visit, groups=[(group, explained(group.cause)) for group in groups], cause=cause,
            page=page, start=visit.asked("start"), total=sum(group.letters for group in groups),
            warning=self._desk.service.dead_letter_queue.warning(),
        )  # fmt: skip

    def _letter(self, visit: PageRequest) -> Response:
        letter_id = visit.parts["letter_id"]
        letter = dead_letters.find(self._desk.service, letter_id) if re.fullmatch(DEAD_LETTER_ID, letter_id) else None
        if letter is None:
            raise ApiError(404, "dead_letter_unknown", "This dead letter is not open any more: its work was done, or "
                          "somebody discarded it.")  # fmt: skip
        return self._desk.page("dead_letter.html", visit, letter=letter, explained=explained(letter.cause))

    def _confirm(self, visit: PageRequest) -> Response:
        verb, choice = _verb(visit.asked("verb")), _choice(visit.query)
        meant = choice.of(self._desk.service)
        return self._desk.page(
            "confirm.html", visit, verb=verb, choice=choice, meant=meant, shown=SHOWN, rates=RATES,
            rate="600" if len(meant) >= PACED_FROM else "0", courses={letter.course_id for letter in meant} - {""},
        )  # fmt: skip

    def _act(self, visit: PageRequest) -> Response:
        verb, choice = _verb(visit.said("verb")), _choice(visit.form)
        meant = choice.of(self._desk.service)
        per_minute = visit.said("rate", "0")
        if per_minute not in RATES:
            raise ApiError(422, "not_valid", "Choose one of the rates.")
        interval = timedelta(minutes=1) / int(per_minute) if per_minute != "0" else timedelta(0)
        batch_id = self._desk.acts.start_batch(visit.person, verb, meant, interval)
        return redirect(f"/dead-letters/batches/{batch_id}")

    def _batch(self, visit: PageRequest) -> Response:
        batch = self._desk.service.letter_batches.find(visit.parts["batch_id"])
        if batch is None:
            raise ApiError(404, "batch_unknown", "There was nothing of this id in the last day.")
        return self._desk.page("batch.html", visit, batch=batch, left=self._desk.service.dead_letter_queue.count())

    def _cancel(self, visit: PageRequest) -> Response:
        batch_id = visit.parts["batch_id"]
        self._desk.acts.cancel_batch(visit.person, batch_id)
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
