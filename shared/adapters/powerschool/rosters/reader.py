"""Finds PowerSchool's sections and students by the SIS ids Canvas knows: the port `RosterReader`."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol

from shared.adapters.powerschool.cache import JsonCache
from shared.adapters.powerschool.pagination import QueryList
from shared.adapters.powerschool.powerqueries import PowerQueries
from shared.adapters.powerschool.rosters.cache import SectionCache
from shared.adapters.powerschool.rosters.sis_ids import ONLY_DCID
from shared.adapters.powerschool.wire import WholeText, Wire
from shared.domain.passback.powerschool import RosteredSection
from shared.domain.provisioning.rows.sis_ids import SisIdTemplate

INDEX_QUERY = "org.passback.sync.roster.section_index"


class IndexRow(Wire):
    """A row of `org.passback.sync.roster.section_index`: what a section's SIS id may be made of."""

    section_dcid: WholeText
    section_id: WholeText
    school_number: WholeText
    term_id: WholeText
    course_number: WholeText
    section_number: WholeText


@dataclass(frozen=True, slots=True)
class SectionAddress:
    """A section by both of its names."""

    sis_id: str
    dcid: int


class RosterSource(Protocol):
    """Reads rosters from PowerSchool."""

    def read(self, addresses: Sequence[SectionAddress], today: date) -> list[RosteredSection]:
        """Return the existing ones of these sections. Raises: QueryUnavailable."""
        ...


INDEX = QueryList(INDEX_QUERY, IndexRow, ("section_dcid",), "SECTIONS.DCID")


class SectionRosterReader:
    """Remembers every section in Redis, for an hour at most and while no rosters change.

    `last_change` names the latest time PowerSchool said so, empty if it never did; what is remembered belongs to it.
    `kept_ids` are SIS ids of students by STUDENTS.DCID that Canvas has and the template does not make: of those whose
    number changed, until Canvas has changed it too. Thread-safe.
    """

    def __init__(
        self,
        source: RosterSource,
        queries: PowerQueries,
        cache: JsonCache,
        template: SisIdTemplate,
        today: Callable[[], date],
        last_change: Callable[[], str] = lambda: "",
        kept_ids: Callable[[], Mapping[int, str]] = dict,
    ) -> None:
        self._source = source
        self._queries = queries
        self._memory = SectionCache(cache)
        self._template = template
        self._today = today
        self._last_change = last_change
        self._kept_ids = kept_ids

    def sections(self, sis_section_ids: Collection[str], *, refresh: bool = False) -> Mapping[str, RosteredSection]:
        """Return the known ones of these sections by SIS id; `refresh` asks PowerSchool even if remembered.

        Raises: QueryUnavailable.
        """
        # Read before PowerSchool is: what is read while rosters change counts as read before they did.
        change = self._last_change()
        found = {} if refresh else self._memory.sections(sis_section_ids, change)
        addresses = self._addresses(sorted(set(sis_section_ids) - found.keys()), change, refresh=refresh)
        read = self._read(addresses)
        self._memory.remember(read, change)
        kept_ids = self._kept_ids()
        every = (*found.values(), *read)
        return {section.sis_section_id: _with_stored_ids(section, kept_ids) for section in every}

    def _read(self, addresses: Sequence[SectionAddress]) -> list[RosteredSection]:
        return self._source.read(addresses, self._today()) if addresses else []

    def _addresses(self, sis_ids: Sequence[str], change: str, *, refresh: bool) -> list[SectionAddress]:
        """Return where the sections are: their SIS ids are DCIDs by default, else looked up in an index."""
        if self._template.text == ONLY_DCID:
            return [SectionAddress(sis_id, int(sis_id)) for sis_id in sis_ids if _is_dcid(sis_id)]
        index = self._index(change, refresh=refresh) if sis_ids else {}
        return [SectionAddress(sis_id, index[sis_id]) for sis_id in sis_ids if sis_id in index]

    def _index(self, change: str, *, refresh: bool) -> Mapping[str, int]:
        kept = None if refresh else self._memory.index(change)
        if kept is not None:
            return kept
        rows = self._queries.rows(INDEX)
        index = {self._template.render(row.model_dump()): int(row.section_dcid) for row in rows}
        self._memory.store_index(index, change)
        return index


def _with_stored_ids(section: RosteredSection, kept_ids: Mapping[int, str]) -> RosteredSection:
    """Return the section with its students by the SIS ids that Canvas has."""
    students = section.students
    if not any(student.dcid in kept_ids for student in students.values() if kept_ids):
        return section
    by_canvas = {kept_ids.get(student.dcid, sis_id): student for sis_id, student in students.items()}
    return replace(section, students=by_canvas)


def _is_dcid(text: str) -> bool:
    """Say whether the text is a number as the template writes it, without leading zeros."""
    return text.isascii() and text.isdigit() and str(int(text)) == text
