"""Explains what Canvas says about a row of an SIS import, and names the PowerSchool record to mend.

Canvas's documentation lists no messages. Those of its published importers (canvas-lms, `lib/sis`) change between
versions and with the language of the account, so a kind is recognised by a few words that belong to it. Rows marked
`inferred` name kinds of which no message was seen; of a message that no row recognises, only words that Canvas is
known to use are shown.
"""

import csv
import re
from dataclasses import dataclass

from shared.domain.provisioning.rows.sis_rows import HEADERS, DataSet, DataSetKey, Entity, SisRow


@dataclass(frozen=True, slots=True)
class RowError:
    """What Canvas says about one row of an import. `row` counts from 1, the header included; None for the whole file.

    With diffing Canvas imports a file of its own making, so `row` is inferred to count in that one, not in the upload:
    `row_info`, the row itself as Canvas repeats it, is the better way back to its source. `message` and `row_info` may
    quote the row, names included: they are shown to signed-in people and kept in Redis, never logged.
    """

    file: str
    row: int | None
    message: str
    is_failure: bool = False
    row_info: str = ""


@dataclass(frozen=True, slots=True)
class ImportMessage:
    """A row that Canvas refused or warned about, in plain words, and the PowerSchool record to mend.

    `error.message` holds words of Canvas and ids; `error.row_info` quotes the row, which is for signed-in people only.
    """

    key: DataSetKey
    import_id: int
    error: RowError
    explanation: str = ""
    remedy: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class KnownError:
    """A kind of message: the pattern of its text, and what a person is told."""

    kind: str
    pattern: str
    sentence: str
    remedy: str
    inferred: bool = False


UNKNOWN_ERROR = KnownError(
    "other", "", "Canvas did not take the row as it is.", "Compare the record in PowerSchool with Canvas's words."
)
# The first that matches counts, so that the narrower stand before the wider.
KNOWN_ERRORS: tuple[KnownError, ...] = (
    KnownError(
        "too_large_a_change",
        r"diffing not performed|difference exceeded threshold|couldn't generate diff",
        "Canvas did not compare the file with the one before it, so that nothing that is gone was ended.",
        "Nothing to do: the next remaster of this data set puts it right.",
    ),
    KnownError(
        "email_claimed",
        r"e-?mail.*(already|claimed|taken|in use)",
        "The e-mail address belongs to another user in Canvas; the user was taken without it.",
        "Merge the two users in Canvas, or correct the e-mail address in PowerSchool.",
    ),
    KnownError(
        "login_claimed",
        r"claim(ed|s).*login|login.*(already|claimed|taken|in use)|unique_id.*(already|taken)",
        "Another user in Canvas has this login already.",
        "See in Canvas whose it is. If it is somebody else's, who left perhaps, change that user's login there, or "
        "correct the field from which logins are made in PowerSchool; only if both are the same person, give that user "
        "this person's SIS id.",
    ),
    KnownError(
        "user_deleted",
        r"deleted user|removed user",
        "The user was deleted in Canvas and can not be enrolled.",
        "Restore the user in Canvas, or end the enrollment in PowerSchool.",
    ),
    KnownError(
        "unrelated_course",
        r"unrelated|not (belong|related)",
        "The section belongs to another course in Canvas than the one that was named.",
        "Check in Canvas whether the section was cross-listed or moved by hand.",
    ),
    KnownError(
        "term_unknown",
        r"(unknown|non-?exist|no such|invalid|doesn.?t exist|didn.?t exist|not exist).*\bterm\b"
        r"|\bterm\b.*(unknown|doesn.?t exist|didn.?t exist|not exist|not found)",
        "Canvas does not know the course's term.",
        "Check whether the term was deleted in Canvas, or whether its own row had an error.",
    ),
    KnownError(
        "account_unknown",
        r"(unknown|non-?exist|no such|invalid).*\baccount"
        r"|\baccount\b.*(doesn.?t exist|didn.?t exist|not exist|not found)",
        "Canvas has no account with the SIS id of the school's account.",
        "Give the sub-account in Canvas this SIS id, or correct the setting for accounts.",
    ),
    KnownError(
        "user_unknown",
        r"\buser\b.*(doesn.?t|didn.?t|does not|did not|not) exist|(unknown|non-?exist\w*|no such) user",
        "Canvas does not know the person.",
        "See whether the person's own row had an error, and mend that first.",
    ),
    KnownError(
        "section_unknown",
        r"(unknown|non-?exist\w*|no such) section|neither course.*nor section"
        r"|^section (?!.*references).*(doesn.?t|didn.?t|does not|not) exist",
        "Canvas does not know the section.",
        "See whether the section's own row had an error, and mend that first.",
    ),
    KnownError(
        "course_unknown",
        r"(unknown|non-?exist\w*|no such) course|course.*(doesn.?t|didn.?t|does not|not) exist",
        "Canvas does not know the section's course.",
        "See whether the course's own row had an error, and mend that first.",
    ),
    KnownError(
        "status_improper",
        r"(improper|invalid) status",
        "Canvas does not know the row's status.",
        "Tell whoever looks after passback in your district: this is no matter of PowerSchool's data.",
    ),
    KnownError(
        "role_improper",
        r"(improper|invalid|unknown) role",
        "Canvas does not know the row's role.",
        "Check in Canvas that the roles Teacher and Student are active; tell whoever looks after passback.",
    ),
    KnownError(
        "date_invalid",
        r"(bad|invalid|improper) date|date.*(invalid|not valid|can't be|must be)",
        "Canvas did not take a date.",
        "Check the term's first and last day in PowerSchool.",
    ),
    KnownError(
        "value_missing",
        r"^no \w+ given|can't be blank|is required|is missing",
        "A value is missing that Canvas needs.",
        "Fill the field in PowerSchool.",
    ),
    KnownError(
        "duplicate_row",
        r"duplicate",
        "The file has the same record twice.",
        "Check in PowerSchool whether two records have the same number.",
        inferred=True,
    ),
    KnownError(
        "sticky",
        r"stick|stuck",
        "The field was changed by hand in Canvas, and Canvas keeps that.",
        "Change it in Canvas by hand, if it should follow PowerSchool.",
        inferred=True,
    ),
    KnownError(
        "not_valid",
        r"did not pass validation|failed (saving|adding)|too long|internal error",
        "Canvas could not store the record as it is.",
        "Compare the record in PowerSchool with Canvas's words, and correct what they name.",
    ),
)
_PATTERNS = tuple((known, re.compile(known.pattern, re.IGNORECASE)) for known in KNOWN_ERRORS)
# Whose login it is, as canvas-lms says it: "An existing Canvas user with the SIS ID 7 has already claimed …".
_HOLDER = re.compile(r"(?:SIS|Canvas) ID [A-Za-z]{0,2}\d[\d-]{0,30}\b", re.ASCII)
# A kind is recognised by its first words. The patterns take time with the square of the length.
MAX_MESSAGE_CHARS = 300


def known_error(message: str) -> KnownError:
    """Return the kind of Canvas's message."""
    return next((known for known, pattern in _PATTERNS if pattern.search(message[:MAX_MESSAGE_CHARS])), UNKNOWN_ERROR)


def explain_row_error(key: DataSetKey, data_set: DataSet | None, import_id: int, error: RowError) -> ImportMessage:
    """Return what Canvas said about a row in plain words, with the PowerSchool record to mend.

    `data_set` holds the rows that were sent, where they are stored.
    """
    known, row = known_error(error.message), row_of(key, data_set, error)
    holder = _HOLDER.search(error.message[:MAX_MESSAGE_CHARS]) if known.kind == "login_claimed" else None
    sentence = f"{known.sentence.removesuffix('.')} ({holder[0]})." if holder else known.sentence
    return ImportMessage(key, import_id, error, sentence, known.remedy, row.source if row else "")


def row_of(key: DataSetKey, data_set: DataSet | None, error: RowError) -> SisRow | None:
    """Return the row that Canvas speaks of. It repeats it as a line of the file; numbers count in a file of its own."""
    named = row_key_of(key.entity, error)
    if data_set is None or named is None:
        return None
    return next((row for row in data_set.rows if row.key(key.entity) == named), None)


def row_key_of(entity: Entity, error: RowError) -> tuple[str, ...] | None:
    """Return what identifies the row that Canvas speaks of, None where it does not repeat it as a line of the file."""
    values = next(csv.reader([error.row_info]), []) if error.row_info else []
    return SisRow(tuple(values)).key(entity) if len(values) == len(HEADERS[entity]) else None
