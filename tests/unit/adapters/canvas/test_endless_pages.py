"""A query whose rows go on for ever comes to an end."""

import httpx
import pytest

from shared.adapters.http.response import ApiResponse, RequestInfo
from shared.adapters.powerschool import pagination
from shared.adapters.powerschool.pagination import Position, QueryList, QueryPage, QueryReading
from shared.adapters.powerschool.wire import Wire
from shared.errors import UnexpectedResponse

ANSWER = ApiResponse.of(RequestInfo("powerschool", "POST", "/x"), httpx.Response(200, json={}))


class Row(Wire):
    """A row."""

    cc_dcid: int


def test_a_query_that_goes_on_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every page has one more row, in order, and counts more behind it."""
    monkeypatch.setattr(pagination, "MAX_PAGES", 50)
    asked: list[Position] = []

    def page_of(after: Position) -> QueryPage:
        asked.append(after)
        return QueryPage(ANSWER, [{"cc_dcid": after[0] + 1}], remaining=1_000)

    reading = QueryReading(QueryList("x", Row, ("cc_dcid",), "CC.DCID"), page_of, lambda: 1_000)
    with pytest.raises(UnexpectedResponse):
        list(reading.records())
    assert len(asked) == 51
