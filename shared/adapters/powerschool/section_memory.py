"""What passback remembers of PowerSchool's sections, in Redis, for all workers."""

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta

from pydantic import TypeAdapter

from shared.adapters.powerschool.cache import JsonCache
from shared.domain.powerschool import RosteredSection

_SECTION = TypeAdapter(RosteredSection)
_INDEX = TypeAdapter(dict[str, int])


class SectionMemory:
    """Sections by SIS id, and SECTIONS.DCID by SIS id, each with a lifetime.

    A `hint` names the latest time PowerSchool said that rosters changed, empty if it never did: what is remembered
    belongs to it, so that a later hint lets all of it be forgotten.
    """

    def __init__(self, cache: JsonCache, max_age: timedelta) -> None:
        self._cache = cache
        self._max_age = max_age

    def sections(self, sis_ids: Collection[str], hint: str) -> dict[str, RosteredSection]:
        """Return the remembered ones of these sections."""
        kept = {sis_id: self._cache.get(f"section{hint}", sis_id) for sis_id in sis_ids}
        return {sis_id: _SECTION.validate_python(value) for sis_id, value in kept.items() if value is not None}

    def remember(self, sections: Iterable[RosteredSection], hint: str) -> None:
        """Keep these sections."""
        values = {section.sis_section_id: _SECTION.dump_python(section, mode="json") for section in sections}
        self._cache.put_all(f"section{hint}", values, self._max_age)

    def index(self, hint: str) -> Mapping[str, int] | None:
        """Return SECTIONS.DCID by SIS id of all sections, None if it is not remembered."""
        kept = self._cache.get(f"section-index{hint}", "district")
        return None if kept is None else _INDEX.validate_python(kept)

    def remember_index(self, index: Mapping[str, int], hint: str) -> None:
        """Keep the index."""
        self._cache.put(f"section-index{hint}", "district", dict(index), self._max_age)
