"""Maps Canvas assignment groups to PowerSchool categories, as a person asks: of a course, and a map of the district."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo

from shared.adapters.redis.course_data.links import CategoryMatches
from shared.clock import Clock
from shared.domain.passback.canvas import AssignmentGroup, Course
from shared.domain.passback.powerschool import RosteredSection, TeacherCategory
from shared.domain.passback.rules.categories import (
    CategoryAssociation,
    CategoryMatch,
    NoCategory,
    associated,
    can_match_by_name,
    map_key,
    match_category,
    stored_match,
)
from shared.ports.passback import CanvasReader, PowerSchoolGradebook, RosterReader

COLUMNS = ["group", "category"]
# PowerSchool's own limit of a category's name is lower; Canvas's groups have up to 255 characters.
MAX_NAME_CHARS = 255
MAX_ENTRIES = 5000
MAX_NAMED = 10


class InvalidMapping(Exception):
    """The association cannot be made, or the file is no map; the message says why, where, and what to do."""


@dataclass(frozen=True, slots=True)
class GroupInSection:
    """The category of an assignment group in one section; `categories` are all of the section's teacher."""

    group: AssignmentGroup
    section: RosteredSection
    match: CategoryMatch | NoCategory
    categories: tuple[TeacherCategory, ...]


@dataclass(frozen=True, slots=True)
class _Teacher:
    """A lead teacher with the sections of the course and the categories as PowerSchool has them now."""

    users_dcid: int
    sections: tuple[RosteredSection, ...]
    categories: tuple[TeacherCategory, ...]


@dataclass(frozen=True)
class CategoryLinks:
    """Lists, stores and deletes category associations. Reads both systems; writes only to Redis."""

    canvas: CanvasReader
    rosters: RosterReader
    powerschool: PowerSchoolGradebook
    associations: CategoryMatches
    clock: Clock
    zone: tzinfo

    def show(self, course_id: str, default_category: str = "") -> list[GroupInSection]:
        """Return every assignment group in every section that has a lead teacher. Raises `PassbackError`."""
        course = self.canvas.course(course_id)
        associations, category_map = self.associations.of_course(course_id), self.associations.district_map()
        return [
            GroupInSection(
                group,
                section,
                match_category(
                    group,
                    section.dcid,
                    teacher.categories,
                    associations,
                    default_category,
                    can_match_by_name=can_match_by_name(section.term, self._today()),
                    category_map=category_map,
                ),
                teacher.categories,
            )
            for group in course.groups.values()
            for teacher in self._teachers(course)
            for section in teacher.sections
        ]

    def link(self, course_id: str, group: str, category: str) -> tuple[str, CategoryAssociation]:
        """Associate a group with a category, each given by id or by name; replaces that teacher's association.

        Returns the group's id with the association. A name selects every teacher's category of that name.

        Raises: InvalidMapping, PassbackError.
        """
        course = self.canvas.course(course_id)
        group_id = _one_group(course, group).id
        teachers = self._teachers(course)
        selected = _find_category(teachers, category)
        for teacher, selected_category in selected:
            self._check(teacher, selected_category)
        earlier = self.associations.of_course(course_id).get(group_id)
        others = [t for t in teachers if t.users_dcid not in {teacher.users_dcid for teacher, _ in selected}]
        # The other teachers keep what they have, by their own ids: the district category may be another one now.
        retained = (associated(earlier, teacher.categories) for teacher in others)
        association = CategoryAssociation(frozenset(category.id for category in retained if category is not None))
        for _, selected_category in selected:
            association = stored_match(association, selected_category)
        self.associations.save(course_id, group_id, association)
        return group_id, association

    def unlink(self, course_id: str, group: str) -> str:
        """Delete a group's association; return the group's id. Raises `InvalidMapping` if there is none."""
        known = self.associations.of_course(course_id)
        group_id = group if group in known else _one_group(self.canvas.course(course_id), group).id
        if group_id not in known:
            raise InvalidMapping(
                f"assignment group {group_id} is not linked; `passback categories list` shows which are"
            )
        self.associations.delete(course_id, group_id)
        return group_id

    def _check(self, teacher: _Teacher, category: TeacherCategory) -> None:
        """Raise `InvalidMapping` if the category could be used in none of the teacher's sections."""
        if not category.active:
            raise InvalidMapping(f"category {category.id} is inactive: activate it in PowerSchool, then link it")
        included = [s for s in teacher.sections if s.dcid not in category.excluded_section_dcids]
        if not included:
            sections = ", ".join(section.sis_section_id for section in teacher.sections)
            raise InvalidMapping(
                f"category {category.id} is excluded for section {sections}: include it in PowerSchool, then link it"
            )
        if not any(can_match_by_name(section.term, self._today()) for section in included):
            first_day = min(section.term.first_day for section in included)
            raise InvalidMapping(
                f"the term has not begun: link category {category.id} from {first_day} on, its first day"
            )

    def _today(self) -> date:
        return self.clock.now().astimezone(self.zone).date()

    def _teachers(self, course: Course) -> list[_Teacher]:
        rosters = self.rosters.sections([s.sis_section_id for s in course.sections if s.sis_section_id])
        taught: dict[int, list[RosteredSection]] = {}
        for _, section in sorted(rosters.items()):
            if section.teacher_users_dcid is not None:
                taught.setdefault(section.teacher_users_dcid, []).append(section)
        return [
            _Teacher(
                users_dcid,
                tuple(sections),
                self.powerschool.categories(users_dcid, sections[0].term.year_id, refresh=True),
            )
            for users_dcid, sections in taught.items()
        ]


def _find_category(teachers: Sequence[_Teacher], wanted: str) -> list[tuple[_Teacher, TeacherCategory]]:
    """Return the selected categories with their teachers, at most one of each teacher. Raises `InvalidMapping`."""
    available = [(teacher, category) for teacher in teachers for category in teacher.categories]
    if not available:
        raise InvalidMapping(
            "no section of the course has a lead teacher with categories: have it connected to PowerSchool"
        )
    by_id = [(teacher, category) for teacher, category in available if str(category.id) == wanted]
    selected = by_id or [(teacher, category) for teacher, category in available if _is_called(category.name, wanted)]
    if not selected:
        theirs = _named((category.id, category.name) for _, category in available if category.active)
        raise InvalidMapping(f"the course's lead teachers have no category {wanted}: choose one of theirs, {theirs}")
    if len({teacher.users_dcid for teacher, _ in selected}) < len(selected):
        ids = _named((category.id, category.name) for _, category in selected)
        raise InvalidMapping(f"a teacher has several categories {wanted}: choose by id, {ids}")
    return selected


def _one_group(course: Course, wanted: str) -> AssignmentGroup:
    if wanted in course.groups:
        return course.groups[wanted]
    named = [group for group in course.groups.values() if _is_called(group.name, wanted)]
    if len(named) == 1:
        return named[0]
    known = _named((group.id, group.name) for group in named or course.groups.values())
    problem = "several assignment groups" if named else "no assignment group"
    raise InvalidMapping(f"course {course.id} has {problem} {wanted}: choose by id, {known}")


def _is_called(name: str, wanted: str) -> bool:
    return name.strip().casefold() == wanted.strip().casefold()


def _named(rows: Iterable[tuple[object, str]]) -> str:
    return ", ".join(f"{row_id} ({name})" for row_id, name in rows) or "of which there are none"


def check_entry(group: str, category: str) -> str | None:
    """Return why this is no entry of a map, None if it is one."""
    for what, name in (("group", group), ("category", category)):
        if not name.strip():
            return f"the {what} has no name"
        if len(name.strip()) > MAX_NAME_CHARS:
            return f"the name of the {what} is longer than {MAX_NAME_CHARS} characters"
        if not name.strip().isprintable():
            return f"the name of the {what} has a character that does not print"
    return None


def read_category_map(content: bytes) -> dict[str, str]:
    """Return the category of each group of a CSV file with the columns `group`, `category`. Raises: InvalidMapping."""
    found: dict[str, tuple[str, str]] = {}
    problems: list[str] = []
    for number, row in _rows(content):
        problem = f"{len(row)} columns instead of 2" if len(row) != len(COLUMNS) else check_entry(*row)
        if problem is None:
            group, category = row[0].strip(), row[1].strip()
            earlier = found.setdefault(map_key(group), (group, category))
            if map_key(earlier[1]) != map_key(category):
                problem = f"{group} stands for {earlier[1]} in an earlier line"
        if problem is not None:
            problems.append(f"line {number}: {problem}")
    if not (found or problems):
        raise InvalidMapping("the file has no entry: write a line group,category for each group")
    if len(found) > MAX_ENTRIES:
        problems.append(f"{len(found)} groups are more than {MAX_ENTRIES}")
    if problems:
        more = f"; and {len(problems) - MAX_NAMED} more" if len(problems) > MAX_NAMED else ""
        raise InvalidMapping(f"nothing was stored. {'; '.join(problems[:MAX_NAMED])}{more}")
    return dict(found.values())


def _rows(content: bytes) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows below the head with their line numbers, without empty ones. Raises: InvalidMapping."""
    try:
        # Excel writes a byte order mark.
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        head, *rows = [(reader.line_num, row) for row in reader] or [(1, [])]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidMapping(f"the file is no CSV file in UTF-8 ({error}): save it as CSV UTF-8") from None
    if [name.strip().casefold() for name in head[1]] != COLUMNS:
        raise InvalidMapping("the first line has to be: group,category")
    yield from ((number, row) for number, row in rows if any(cell.strip() for cell in row))
