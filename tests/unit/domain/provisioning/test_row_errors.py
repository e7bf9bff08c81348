"""Row errors of SIS imports in plain words."""

from dataclasses import replace

import pytest

from shared.domain.provisioning.imports.row_errors import (
    KNOWN_ERRORS,
    UNKNOWN_ERROR,
    ImportMessage,
    RowError,
    explain_row_error,
    known_error,
)
from shared.domain.provisioning.rows.sis_rows import DataSet, DataSetKey, Entity, SisRow

USERS = DataSetKey(Entity.USERS)
ROW = SisRow(("1501", "1501", "Stu", "Dent", "", "student", "active"), 100, "STUDENTS.DCID 501")


def explained(message: str, row: SisRow) -> ImportMessage:
    """Return what is told of a message about the row."""
    error = RowError("users.csv", None, message, row_info=",".join(row.values))
    return explain_row_error(USERS, DataSet(USERS, (row,)), 1, error)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("user 77 has already claimed 1501's requested login information, skipping", "login_claimed"),
        ("The login a@district.example is already taken", "login_claimed"),
        ("E-mail address x for user 1501 is already claimed; ignoring", "email_claimed"),
        ("Attempted enrolling of deleted user 1501 in course 4001", "user_deleted"),
        ("An enrollment listed a section (1) and a course (2) that are unrelated", "unrelated_course"),
        ("User not found for enrollment: user 1501 does not exist", "user_unknown"),
        ("User 1501 didn't exist for user enrollment", "user_unknown"),
        ("Neither course 1 nor section 4001 existed for user enrollment", "section_unknown"),
        ("An enrollment referenced a non-existent section 4001", "section_unknown"),
        ("An enrollment referenced a non-existent course 4001", "course_unknown"),
        ("Section 4001 references course 4001 which doesn't exist", "course_unknown"),
        ("Course 4001 references unknown term 100-3601", "term_unknown"),
        ("Account not found: account school-100 doesn't exist", "account_unknown"),
        ("No name given for section 4001 in course 4001", "value_missing"),
        ("No login_id given for user 1501", "value_missing"),
        ('Improper status "paused" for an enrollment', "status_improper"),
        ('Improper role "pupil" for an enrollment', "role_improper"),
        ("Bad date format for term 100-3601", "date_invalid"),
        (
            "Diffing not performed because file size difference exceeded threshold",
            "too_large_a_change",
        ),
        ("A section did not pass validation (section: 1, error: Name)", "not_valid"),
        ("Something that nobody has seen", "other"),
        ("", "other"),
    ],
)
def test_kinds_of_messages_are_told_apart(message: str, kind: str) -> None:
    """By a few words, in either case."""
    assert {known_error(text).kind for text in (message, message.upper())} == {kind}


def test_an_explanation_names_the_record_to_mend() -> None:
    """Where the row is known."""
    assert explained("No login_id given", ROW).source == "STUDENTS.DCID 501"


def test_every_kind_is_told_once() -> None:
    """Each kind has one row, save for what no row recognises."""
    kinds = [known.kind for known in KNOWN_ERRORS]

    assert len(kinds) == len(set(kinds))
    assert UNKNOWN_ERROR.kind not in kinds


def test_whose_login_it_is_is_said() -> None:
    """Both people are named by ids; the remedy does not hand over the account of who left."""
    words = (
        "An existing Canvas user with the SIS ID 1501 has already claimed 1700's user_id requested login information"
    )
    told = explained(words, replace(ROW, values=("1700", *ROW.values[1:]), source="STUDENTS.DCID 700"))

    assert (told.explanation, told.source) == (
        "Another user in Canvas has this login already (SIS ID 1501).",
        "STUDENTS.DCID 700",
    )
    assert "change that user's login" in told.remedy
