"""Matches assignment groups with PowerSchool categories, for one teacher and one section."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from shared.domain.passback.canvas import AssignmentGroup
from shared.domain.passback.powerschool import TeacherCategory, Term


@dataclass(frozen=True, slots=True)
class CategoryAssociation:
    """The category of an assignment group, by id, so that a rename on either side changes nothing.

    Categories belong to a teacher: `category_ids` holds one id per teacher of the course's sections. Every other
    teacher has the copy of the same district category, where there is one.
    """

    category_ids: frozenset[int]
    district_category_id: int | None = None


class MatchedBy(StrEnum):
    """How a category was found. A match by the district's map or by name is stored as an association."""

    ASSOCIATION = "association"
    MAP = "map"
    NAME = "name"
    DEFAULT = "default"


STORED_MATCHES = frozenset({MatchedBy.MAP, MatchedBy.NAME})


@dataclass(frozen=True, slots=True)
class CategoryMatch:
    """The category that an assignment group's work goes to."""

    category: TeacherCategory
    by: MatchedBy


class MissingReason(StrEnum):
    """Why an assignment group has no category."""

    NONE = "none"
    INACTIVE = "inactive"
    EXCLUDED = "excluded"
    TOO_EARLY = "too_early"


@dataclass(frozen=True, slots=True)
class NoCategory:
    """No category. `usable` names those the teacher could use; `rejected` the one that cannot be used, if any.

    `mapped` is the category that the district's map names for the group and that the teacher does not have.
    """

    why: MissingReason
    usable: tuple[str, ...] = ()
    rejected: str = ""
    mapped: str = ""


def match_category(
    group: AssignmentGroup,
    section_dcid: int,
    categories: Sequence[TeacherCategory],
    associations: Mapping[str, CategoryAssociation],
    default_name: str = "",
    *,
    can_match_by_name: bool = True,
    category_map: Mapping[str, str] | None = None,
) -> CategoryMatch | NoCategory:
    """Return the category of `group` among one teacher's `categories`, or why there is none.

    `associations` is keyed by assignment group id. An association whose category became inactive or excluded is
    not replaced by another category: that would move work that is already in PowerSchool without anyone asking.
    A match by name is a new association, which is only made where `can_match_by_name`.

    `category_map` is the district's: from group names (`map_key`) to names of categories. It has priority over the
    group's own name, and does not apply to a teacher who has no category of that name. A category of that name that is
    inactive or excluded is not replaced by another one either.

    Source: product rules, "Categories".
    """
    stored = associated(associations.get(group.id), categories)
    if stored is not None:
        return _unusable(stored, section_dcid, categories) or CategoryMatch(stored, MatchedBy.ASSOCIATION)
    mapped = (category_map or {}).get(map_key(group.name), "")
    for name, by in ((mapped, MatchedBy.MAP), (group.name, MatchedBy.NAME), (default_name, MatchedBy.DEFAULT)):
        for category in _usable(categories, section_dcid):
            if not _same(category.name, name):
                continue
            if by in STORED_MATCHES and not can_match_by_name:
                return NoCategory(MissingReason.TOO_EARLY, _usable_names(categories, section_dcid), category.name)
            return CategoryMatch(category, by)
        if by is MatchedBy.MAP and (blocked := _blocked(name, section_dcid, categories)):
            return blocked
    return _blocked(group.name, section_dcid, categories) or NoCategory(
        MissingReason.NONE, _usable_names(categories, section_dcid), mapped=mapped
    )


def map_key(group_name: str) -> str:
    """Return a group's name as the district's map has it: without regard to case and outer spaces."""
    return group_name.strip().casefold()


def associated(
    association: CategoryAssociation | None, categories: Sequence[TeacherCategory]
) -> TeacherCategory | None:
    """Return the one of a teacher's `categories` that is associated, None if none is.

    The teacher's id has priority over the district's: a person may have selected a category of the teacher although
    there is a copy of the district's as well.
    """
    if association is None:
        return None
    district_id = association.district_category_id
    by_id = (category for category in categories if category.id in association.category_ids)
    copies = (c for c in categories if district_id is not None and c.district_category_id == district_id)
    return next(by_id, None) or next(copies, None)


def stored_match(association: CategoryAssociation | None, found: TeacherCategory) -> CategoryAssociation:
    """Return the association that also covers `found`: one id per teacher, and the district's where there is one."""
    earlier = association or CategoryAssociation(frozenset())
    return CategoryAssociation(
        earlier.category_ids | {found.id}, earlier.district_category_id or found.district_category_id
    )


def can_match_by_name(term: Term, today: date) -> bool:
    """Say whether an association can be made now: from the term's first day on.

    It can be made after the last day too: a person may still sync a course whose term is over.

    Source: "an association can only be made from the first day of an active term".
    """
    return today >= term.first_day


def _unusable(category: TeacherCategory, section_dcid: int, categories: Sequence[TeacherCategory]) -> NoCategory | None:
    """Return the category as one that cannot be used, None where it can."""
    blocking_reason = _blocking_reason(category, section_dcid)
    if blocking_reason is None:
        return None
    return NoCategory(blocking_reason, _usable_names(categories, section_dcid), category.name)


def _blocked(name: str, section_dcid: int, categories: Sequence[TeacherCategory]) -> NoCategory | None:
    """Return the category of this name as one that cannot be used; None where there is none of this name."""
    named = (_unusable(category, section_dcid, categories) for category in categories if _same(category.name, name))
    return next(filter(None, named), None)


def _blocking_reason(category: TeacherCategory, section_dcid: int) -> MissingReason | None:
    if not category.active:
        return MissingReason.INACTIVE
    if section_dcid in category.excluded_section_dcids:
        return MissingReason.EXCLUDED
    return None


def _usable(categories: Sequence[TeacherCategory], section_dcid: int) -> list[TeacherCategory]:
    return [category for category in categories if _blocking_reason(category, section_dcid) is None]


def _usable_names(categories: Sequence[TeacherCategory], section_dcid: int) -> tuple[str, ...]:
    return tuple(sorted(category.name for category in _usable(categories, section_dcid)))


def _same(name: str, other: str) -> bool:
    return map_key(name) == map_key(other)
