"""Whole lists of the v1 API and of tables, each counted beside its pages."""

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter

from shared.adapters.http.api import Params
from shared.adapters.powerschool.metadata import MetadataReader
from shared.adapters.powerschool.pages import Page, counted, inside, query_page, rows_inside, whole_list
from shared.adapters.powerschool.read_only import ReadOnlyPowerSchool
from shared.errors import NotFound

T = TypeVar("T", bound=BaseModel)


class V1Lists:
    """Reads lists whole, in the largest pages that the district permits, and single rows."""

    def __init__(self, api: ReadOnlyPowerSchool, metadata: MetadataReader) -> None:
        self._api = api
        self._metadata = metadata

    def rows(
        self, owner: str, resource: str, wire: type[T], dcid: int = 0, *, where: str = "", expansions: str = ""
    ) -> list[T]:
        """Return all rows of `/ws/v1/{owner}/{resource}`. Raises: RosterTruncated."""
        template, ids = f"/ws/v1/{owner}/{resource}", {"id": dcid}
        chosen = [("q", where)] if where else []
        expanded = [("expansions", expansions)] if expansions else []

        def page_of(paging: Params) -> Page:
            answer = self._api.get(template, ids, [*chosen, *expanded, *paging])
            return Page(answer, rows_inside(inside(answer, f"{resource}s"), resource))

        def count() -> int:
            return counted(self._api.get(f"{template}/count", ids, chosen))

        return whole_list(page_of, self._page_size(resource), _list_of(wire), count)

    def table(self, name: str, wire: type[T], columns: Mapping[str, object], where: str) -> list[T]:
        """Return the rows of a table that `where` selects, with these columns. Raises: RosterTruncated."""
        template = f"/ws/schema/table/{name}"
        chosen = [("q", where)]

        def page_of(paging: Params) -> Page:
            return query_page(self._api.get(template, params=[*chosen, ("projection", ",".join(columns)), *paging]))

        def count() -> int:
            return counted(self._api.get(f"{template}/count", params=chosen))

        return whole_list(page_of, self._page_size("schema_table_query"), _list_of(wire), count)

    def one(self, resource: str, dcid: int, wire: type[T], expansions: str = "") -> T | None:
        """Return one row, None if it does not exist."""
        params = [("expansions", expansions)] if expansions else []
        try:
            answer = self._api.get(f"/ws/v1/{resource}/{{id}}", {"id": dcid}, params)
        except NotFound:
            return None
        return answer.parsed(TypeAdapter(wire), inside(answer, resource))

    def _page_size(self, resource: str) -> int:
        return self._metadata.read().page_size(resource)


def _list_of(wire: type[T]) -> TypeAdapter[list[T]]:
    return TypeAdapter(list[wire])  # type: ignore[valid-type]  # a type that is a value
