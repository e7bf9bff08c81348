"""What speaks against the remembered part of a course, one thing at a time."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from shared.domain.passback.canvas import GradebookRow, Override, OverrideTarget, Section, is_cache_consistent
from tests.unit.domain.passback.baseline import ASSIGNMENT, COURSE, ROSTERED

ROW = GradebookRow("71", "S1", frozenset({"21"}))
EMPTY = replace(ROSTERED, sis_section_id="4002", students={})
SECOND = Section("22", "Period 2", "4002")


def of(rows: tuple[GradebookRow, ...] = (ROW,), rosters: Any = (ROSTERED,), **changes: Any) -> bool:
    return is_cache_consistent(replace(COURSE, **changes), rows, rosters)


def test_a_course_as_it_was_fits() -> None:
    """Nothing speaks against sections that Canvas lists students in, and groups that assignments are in."""
    assert of()


@pytest.mark.parametrize(
    "changes",
    [
        {"assignments": (replace(ASSIGNMENT, group_id="39"),)},
        {"assignments": (replace(ASSIGNMENT, overrides=(Override(OverrideTarget.SECTION, "29"),)),)},
    ],
    ids=["group", "section date"],
)
def test_an_assignment_that_names_what_is_not_remembered(changes: Mapping[str, Any]) -> None:
    """A group or a section that came since is read."""
    assert not of(**changes)


def test_a_student_of_an_unknown_section() -> None:
    """A section that was cross-listed into the course brings its students."""
    assert not of((ROW, replace(ROW, user_id="72", section_ids=frozenset({"21", "22"}))))


def test_a_section_that_nobody_is_in_any_more() -> None:
    """A section that was cross-listed elsewhere took its students along, whom PowerSchool still has in it."""
    rosters = (ROSTERED, replace(ROSTERED, sis_section_id="4002"))
    assert not of(rosters=rosters, sections=(*COURSE.sections, SECOND))


def test_an_empty_section_fits() -> None:
    """A section without students in PowerSchool has none in Canvas."""
    assert of(rosters=(ROSTERED, EMPTY), sections=(*COURSE.sections, SECOND))


def test_rows_that_were_not_read_say_nothing() -> None:
    """Where no score was asked for, no section counts as empty."""
    assert of(())
