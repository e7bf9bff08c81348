"""Texts of other systems, of any length and form: cut, then read in time in proportion; names do not come through."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx
import pytest

from shared.adapters.canvas.sis_import import SisImportErrorWire
from shared.adapters.http.error_text import MAX_ERROR_TEXT_CHARS, VOCABULARY, error_messages, redact
from shared.adapters.http.response import MAX_RETRY_AFTER, ApiResponse, RequestInfo, failure_of, retry_after
from shared.adapters.powerschool.errors import read_refusal
from shared.adapters.telemetry.logging import MAX_TEXT, redactor
from shared.domain.passback.course_search import search_terms
from shared.domain.passback.planning.diff import clean_description, is_same_description
from shared.domain.passback.planning.links import is_degraded
from shared.domain.passback.rules.eligibility import name_length
from shared.domain.provisioning.imports.row_errors import RowError, explain_row_error
from shared.domain.provisioning.rows.sis_rows import DataSetKey, Entity

MEGABYTE = 1_000_000
USERS = DataSetKey(Entity.USERS)
# Far above what any takes on a busy machine, far below what one of them took: a minute for a quarter of this.
BOUND_S = 5.0
NOW = datetime(2031, 10, 6, 19, 0, tzinfo=UTC)

PIECES = {
    "letters": "a",
    "digits": "1",
    "words": "Student ",
    "addresses": "a.b@",
    "dots": "a.",
    "quotes": "'",
    "opening quotes": "\u201c",
    "odd quotes": "x' ",
    "backslashes": "\\",
    "links": "http://",
    "tildes": "~",
    "token heads": "eyJ-",
    "e-mails": "email ",
    "terms": "unknown term ",
    "sections": "Unable to find AssignmentSection ",
    "waits": "1.1",
    "spaces": "password ",
    "blank": " ",
    "tags": "<div>",
    "bold": "<b><p>",
    "open tags": "<a ",
    "entities": "&#1",
    "brackets": "[",
    "joined": "IdId",
    "marks": "a\u0301\u0316",
    "emoji": "\U0001f389",
}

READERS: dict[str, Callable[[str], object]] = {
    "redact": redact,
    "sentences": lambda text: error_messages({"errors": [{"message": text}] * 3}),
    "refusal": lambda text: read_refusal(refused(409, text)),
    "section gone": lambda text: read_refusal(refused(500, text)),
    "plain refusal": lambda text: read_refusal(plain(403, text)),
    "sign": lambda text: failure_of(plain(403, text)),
    "retry in text": lambda text: retry_after(plain(429, text), NOW),
    "row error": lambda text: explain_row_error(USERS, None, 1, RowError("users.csv", 1, text)),
    "import message": lambda text: SisImportErrorWire(message=text).to_domain(is_failure=True),
    "log line": lambda text: redactor(["known-secret"])(None, "info", {"event": text, "more": [text]}),
    "description": clean_description,
    "descriptions": lambda text: is_same_description(text, text + "x"),
    "name": name_length,
    "course name": search_terms,
    "stored name": lambda text: is_degraded(text, text),
}


def refused(status: int, text: str) -> ApiResponse:
    body = {"message": text, "errors": [{"field": text, "params": {"student_dcid": text}}]}
    return ApiResponse.of(RequestInfo("powerschool", "PUT", "/x"), httpx.Response(status, json=body))


def plain(status: int, text: str, **headers: str) -> ApiResponse:
    headers = {"Content-Type": "text/plain", **headers}
    return ApiResponse.of(
        RequestInfo("canvas", "GET", "/x"), httpx.Response(status, content=text.encode(), headers=headers)
    )


@pytest.mark.parametrize("reader", READERS)
def test_a_megabyte_is_read_in_a_moment(reader: str) -> None:
    """Whatever it is made of."""
    slow = {}
    for name, piece in PIECES.items():
        text = (piece * (MEGABYTE // len(piece) + 1))[:MEGABYTE]
        started = time.process_time()
        READERS[reader](text)
        spent = time.process_time() - started
        if spent > BOUND_S:
            slow[name] = spent
    assert slow == {}


def test_a_short_name_can_not_be_read_in_endless_ways() -> None:
    """A name of emoji, stored as other characters: there are 5^30 ways to share them out."""
    started = time.process_time()
    assert not is_degraded("\U0001f389" * 30 + "b", "?" * 60)
    assert is_degraded("a\U0001f389b", "a????b")
    assert is_degraded("a\U0001f389b", "ab")
    assert not is_degraded("a\U0001f389b", "a?????b")
    assert time.process_time() - started < BOUND_S


CANARIES = ("Zed", "Example", "Quackenbush", "7.3", "zed@canary.example")
SPOKEN = (
    "Student Zed Example scored 7.3 on Broken Essay",
    "STUDENT ZED EXAMPLE SCORED 7.3 ON QUACKENBUSH",
    "student zed example: quackenbush",
    "zed_example.quackenbush",
    "ZedExample QuackenbushId Zed's",
    "Student.Zed [7.3] id 7.3 id Zed",
    "User ID: zed@canary.example, login_id Zed7",
    "'Zed Example\u2019s essay\" 7.3",
    "\u201cZed\u201d \u2018Example\u2019 <Quackenbush>",
    "\x1b[31mZed\x1b[0m \u202eExample\n7.3",
    "Z\u0435d Zed\u0301 Example7",
    "An existing Canvas user with the SIS ID Zed has already claimed Example's requested login information",
)


@pytest.mark.parametrize("text", SPOKEN)
def test_names_come_through_in_no_spelling(text: str) -> None:
    """Neither from a refusal, nor from its rows, nor from an import's messages."""
    refusal = read_refusal(refused(409, text))
    told = SisImportErrorWire(message=text).to_domain(is_failure=True).message
    explained = explain_row_error(USERS, None, 1, RowError("users.csv", 1, text))
    seen = " ".join((redact(text), str(vars(refusal)), repr(getattr(refusal, "rows", ())), told, explained.explanation))
    assert [canary for canary in CANARIES if canary.lower() in seen.lower()] == []
    assert redact(text).isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "Student.id [81002] does not have an AssignmentStudentAssociation",
        "Unable to find com.pearson.powerschool.xte.model.AssignmentSection with id 77001",
        "User does not teach section 6100 with access EDIT",
        "Plugin is missing required accessLevelV1Api READ permission",
        "At least one column lacks sufficient permission NoAccess",
        "Assignment Update is Missing Record",
        "Insufficient scopes on access token.",
        "user not authorized to perform that action",
        "A SIS integration is not configured and the bulk SIS Grade Export feature is not enabled not_enabled",
        "SIS imports can only be executed on root accounts",
        "Neither course nor section existed for user enrollment (Section ID: 85009, User ID: 10501)",
        "No old_id or old_integration_id given for change_sis_id",
        "Diffing not performed because file size difference exceeded threshold",
        "diffing_data_set_identifier is too long (maximum is … bytes)",
    ],
)
def test_what_the_systems_say_themselves_stays(text: str) -> None:
    """Their known sentences keep their words and ids."""
    assert redact(text).replace("bytes", "…").replace("… …", "…") == text.replace("bytes", "…").replace("… …", "…")


def test_every_column_of_the_plugin_is_a_known_word() -> None:
    """A missing grant is named by table and column, whichever it is."""
    plugin = ET.parse(Path("deploy/powerschool-plugin/plugin.xml"))
    columns = {f"{f.get('table')}.{f.get('field')}" for f in plugin.iter() if f.get("field") and f.get("table")}
    assert len(columns) > 50
    assert {column for column in columns if redact(column) != column} == set()
    assert redact("assignment.createdbyplugin") == "assignment.createdbyplugin"


def test_common_given_names_are_no_known_words() -> None:
    """Though some are words: the texts that have them are repeated without."""
    names = "will grant mark may grace case faith hope joy rose bill frank art drew max rob pat sue dean chase hunter"
    assert set(names.split()) & VOCABULARY == set()


@pytest.mark.parametrize(
    ("headers", "text", "asked"),
    [
        ({"Retry-After": "9" * 400}, "", MAX_RETRY_AFTER),
        ({"Retry-After": "1e400"}, "", None),
        ({"Retry-After": "nan"}, "", None),
        ({"Retry-After": "-1e308"}, "", None),
        ({"Retry-After": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}, "", None),
        ({"Retry-After": "Mon, 01 Jan 0001 00:00:00 +1400"}, "", None),
        ({}, f"Wait {'9' * 400} seconds", None),
        ({}, "Wait 999999999 seconds", MAX_RETRY_AFTER),
        ({}, "Wait 30 seconds", timedelta(seconds=30)),
    ],
)
def test_waits_are_bounded_where_they_are_read(headers: dict[str, str], text: str, asked: timedelta | None) -> None:
    """Numbers and dates that no clock has are no waits."""
    assert retry_after(plain(429, text, **headers), NOW) == asked


def test_error_bodies_are_cut_and_not_followed_for_ever() -> None:
    """Nested lists, a thousand texts, an encoding that is none for texts."""
    nested: object = "deep"
    for _ in range(900):
        nested = [nested]
    assert error_messages(nested) == []  # type: ignore[arg-type]  # a list of lists
    assert sum(map(len, error_messages([{"message": "x " * 900}] * 1000))) <= MAX_ERROR_TEXT_CHARS
    assert error_messages([0] * 5000 + ["late"]) == []
    assert len(plain(403, "x " * MEGABYTE).raw_error_text) <= MAX_ERROR_TEXT_CHARS
    response = httpx.Response(403, content=b"QlpoOTFBWSZT", headers={"Content-Type": "text/plain; charset=bz2"})
    assert ApiResponse.of(RequestInfo("canvas", "GET", "/x"), response).raw_error_text == "QlpoOTFBWSZT"


def test_a_log_line_is_cut_without_showing_half_a_secret() -> None:
    """Known secrets go first; what stands at the cut goes as a whole."""
    secret, token = "k" * 30, "x1" * 40
    long = f"{'word ' * 395}{secret} {token} more"
    event = redactor([secret])(None, "info", {"event": long})["event"]
    assert len(event) <= MAX_TEXT + 20
    assert "kkk" not in event
    assert "x1x1" not in event
    assert "x1" not in redactor()(None, "info", {"event": token * 100})["event"]
