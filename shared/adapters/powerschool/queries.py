"""Runs the PowerQueries of the passback plugin (`deploy/powerschool-plugin`)."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter

from shared.adapters.http.answers import Answer, Decoder
from shared.adapters.http.exact_json import Json
from shared.adapters.powerschool.api import PowerSchoolApi
from shared.adapters.powerschool.wire import listed
from shared.clock import Clock
from shared.errors import AccessDenied, NotFound

T = TypeVar("T", bound=BaseModel)

REMEMBERED_AS_MISSING = timedelta(minutes=10)
# Oracle takes at most 1,000 values in an IN list.
IDS_PER_CALL = 500


STATE_QUERY = "org.passback.sync.gradebook.state"


class AnyRow(BaseModel):
    """A row of any query."""


class PowerQueries:
    """Knows for ten minutes which queries this PowerSchool does not have, so that it is not asked every time."""

    def __init__(self, api: PowerSchoolApi, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._missing_until: dict[str, datetime] = {}

    def run(
        self, name: str, rows: TypeAdapter[list[T]], args: Mapping[str, Sequence[int]] | None = None
    ) -> list[T] | None:
        """Return all rows, None if the query is not installed or its fields are not granted.

        Source: PowerSchool PowerQueries; values are strings, nulls are left out, and so is `record` without rows.
        """
        answer = self.answer(name, args)
        return None if answer is None else rows_of(answer, rows)

    def answer(
        self, name: str, args: Mapping[str, Sequence[int]] | None = None, decoder: Decoder | None = None
    ) -> Answer | None:
        """Return the answer, by `decoder` if it can; None if the query is not installed or not granted."""
        if self._is_missing(name):
            return None
        body: Json = {key: list(values) for key, values in (args or {}).items()}
        params = [("pagesize", "0")]
        try:
            return self._api.send("POST", f"/ws/schema/query/{name}", params=params, body=body, decoder=decoder)
        except (NotFound, AccessDenied) as error:
            if error.status == 401:
                raise
            self._missing_until[name] = self._clock.now() + REMEMBERED_AS_MISSING
            return None

    def is_installed(self) -> bool:
        """Say whether PowerSchool has the plugin's queries and lets them be run."""
        return (
            self.run(STATE_QUERY, TypeAdapter(list[AnyRow]), {"section_dcids": [0], "score_section_ids": [0]})
            is not None
        )

    def _is_missing(self, name: str) -> bool:
        until = self._missing_until.get(name)
        return until is not None and self._clock.now() < until


def rows_of(answer: Answer, rows: TypeAdapter[list[T]]) -> list[T]:
    """Return the rows of an answer that no decoder read."""
    if not isinstance(answer.body, dict):
        raise answer.unexpected("no rows")
    return answer.parsed(rows, listed(answer.body.get("record")))
