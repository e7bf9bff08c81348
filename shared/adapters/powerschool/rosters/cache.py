"""What passback remembers of PowerSchool's sections, in Redis, for all workers."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, timedelta

import msgspec
from pydantic import TypeAdapter

from shared.adapters.http.decimal_json import Json
from shared.adapters.powerschool.cache import JsonCache
from shared.domain.passback.powerschool import RosteredSection, RosteredStudent, Term

_INDEX = TypeAdapter(dict[str, int])
# How old a section's cached roster may be. A student who is not in it refreshes it sooner.
MAX_AGE = timedelta(hours=1)


class _Stored(msgspec.Struct, array_like=True, frozen=True):
    """A section as a list: STUDENTS.DCID by SIS id of those who are active, and of the others."""

    sis_section_id: str
    dcid: int
    school_number: int
    teacher_users_dcid: int | None
    first_day: date
    last_day: date
    year_id: int
    active: dict[str, int]
    others: dict[str, int]


class SectionCache:
    """Sections by SIS id, and SECTIONS.DCID by SIS id, each with a lifetime.

    A `change` names the latest change of rosters that PowerSchool confirmed, empty if there was none: what is
    remembered belongs to it, so that a later change lets all of it be forgotten.
    """

    def __init__(self, cache: JsonCache) -> None:
        self._cache = cache

    def sections(self, sis_ids: Collection[str], change: str) -> dict[str, RosteredSection]:
        """Return the remembered ones of these sections."""
        kept = self._cache.get_all(f"section-roster{change}", sis_ids)
        return {sis_id: _section(value) for sis_id, value in kept.items()}

    def remember(self, sections: Iterable[RosteredSection], change: str) -> None:
        """Keep these sections."""
        values = ((section.sis_section_id, _stored(section)) for section in sections)
        self._cache.put_all(f"section-roster{change}", values, MAX_AGE)

    def index(self, change: str) -> Mapping[str, int] | None:
        """Return SECTIONS.DCID by SIS id of all sections, None if it is not remembered."""
        kept = self._cache.get(f"section-index{change}", "district")
        return None if kept is None else _INDEX.validate_python(kept)

    def store_index(self, index: Mapping[str, int], change: str) -> None:
        """Keep the index."""
        self._cache.put(f"section-index{change}", "district", dict(index), MAX_AGE)


def _stored(section: RosteredSection) -> Json:
    students, term = section.students.items(), section.term
    return [
        section.sis_section_id,
        section.dcid,
        section.school_number,
        section.teacher_users_dcid,
        term.first_day.isoformat(),
        term.last_day.isoformat(),
        term.year_id,
        {sis_id: student.dcid for sis_id, student in students if student.active},
        {sis_id: student.dcid for sis_id, student in students if not student.active},
    ]


def _section(value: Json) -> RosteredSection:
    kept = msgspec.convert(value, _Stored)
    active = {sis_id: RosteredStudent(dcid, active=True) for sis_id, dcid in kept.active.items()}
    others = {sis_id: RosteredStudent(dcid, active=False) for sis_id, dcid in kept.others.items()}
    return RosteredSection(
        kept.sis_section_id,
        kept.dcid,
        kept.school_number,
        kept.teacher_users_dcid,
        Term(kept.first_day, kept.last_day, kept.year_id),
        active | others,
    )
