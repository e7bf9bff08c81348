"""A query whose rows go on for ever comes to an end."""

import httpx
import pytest

from shared.adapters.http.response import ApiResponse, RequestInfo
from shared.adapters.http.wire import Wire
from shared.adapters.powerschool import pagination
from shared.adapters.powerschool.pagination import Position, QueryList, QueryReading
from shared.errors import UnexpectedResponse


class Row(Wire):
    """A row."""

    cc_dcid: int


def test_a_query_that_goes_on_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every page has one more row, in order, and counts more behind it."""
    monkeypatch.setattr(pagination, "MAX_PAGES", 50)
    asked: list[Position] = []

    def page_after(after: Position) -> ApiResponse:
        asked.append(after)
        body = {"record": [{"cc_dcid": after[0] + 1}], "count": 1_000}
        return ApiResponse.of(RequestInfo("powerschool", "POST", "/x"), httpx.Response(200, json=body))

    reading = QueryReading(QueryList("x", Row, ("cc_dcid",), "CC.DCID"), page_after, lambda: 1_000, list)
    with pytest.raises(UnexpectedResponse):
        reading.read()
    assert len(asked) == 51
