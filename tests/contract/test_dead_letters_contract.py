"""The contract of `DeadLetters`: one open entry per course and assignment."""

from datetime import timedelta

import pytest
from stores_under_test import District

from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.domain.outcome import DeadLetter, DeadLetterKind


@pytest.fixture
def letters(district: District) -> DeadLetters:
    return DeadLetters(district.client, district.keys, now_ms=district.time)


def test_a_dead_letter_keeps_what_a_person_needs(district: District, letters: DeadLetters) -> None:
    """An entry has its course, assignment, cause, answer, attempts and times, and a readable id."""
    now = district.time.now
    letter = letters.add("101", "7", "powerschool_500", "PUT /ws/xte/score: 500", 6)
    assert letter == DeadLetter(
        "assignment-101-7", "101", "7", "powerschool_500", "PUT /ws/xte/score: 500", 6, now, now, attempt_times=(now,)
    )
    assert letters.of_course("101") == [letter]
    assert letters.all() == [letter]


def test_a_course_can_fail_as_a_whole(letters: DeadLetters) -> None:
    """An entry for a whole course names no assignment, and stands beside those of its assignments."""
    whole = letters.add("101", None, "canvas_404", "", 1)
    part = letters.add("101", "7", "powerschool_500", "", 6)
    assert (whole.id, whole.assignment_id) == ("course-101", None)
    assert {letter.id for letter in letters.of_course("101")} == {whole.id, part.id}


def test_a_repeated_failure_updates_its_entry(district: District, letters: DeadLetters) -> None:
    """Cause, answer, attempts and last time are the newest, the first time stays."""
    first = letters.add("101", "7", "powerschool_500", "first", 6)
    district.time.advance(timedelta(minutes=1))
    again = letters.add("101", "7", "powerschool_timeout", "second", 12)
    assert letters.all() == [again]
    assert (again.first_failed_at, again.last_failed_at) == (first.first_failed_at, district.time.now)
    assert (again.cause, again.answer, again.attempts) == ("powerschool_timeout", "second", 12)


def test_the_oldest_failure_comes_first(district: District, letters: DeadLetters) -> None:
    """Entries come in the order of their first failure, over all courses."""
    for course_id in ("303", "101", "202"):
        letters.add(course_id, None, "canvas_404", "", 1)
        district.time.advance(timedelta(seconds=1))
    letters.add("303", None, "canvas_404", "", 2)
    assert [letter.course_id for letter in letters.all()] == ["303", "101", "202"]


def test_provisioning_has_one_entry(district: District, letters: DeadLetters) -> None:
    """It is of the run that failed last, beside those of courses, and is closed by itself."""
    course = letters.add("101", None, "canvas_404", "", 1)
    first = letters.add_provisioning("7", "import_failed", "", 6, failed_before=[district.time.now])
    district.time.advance(timedelta(minutes=1))
    again = letters.add_provisioning("8", "roster_truncated", "fewer rows", 6)
    assert letters.all() == [course, again]
    assert (again.id, again.kind, again.source) == ("provisioning", DeadLetterKind.PROVISIONING, "8")
    assert (again.course_id, again.first_failed_at) == ("", first.first_failed_at)
    letters.close_provisioning()
    letters.close_provisioning()
    assert letters.all() == [course]


def test_a_closed_entry_is_gone(letters: DeadLetters) -> None:
    """Closing takes one entry, and may be repeated; a later failure opens a new one."""
    letters.add("101", None, "canvas_404", "", 1)
    kept = letters.add("101", "7", "powerschool_500", "", 6)
    letters.close("101", None)
    letters.close("101", None)
    assert letters.all() == [kept]
    assert letters.of_course("101") == [kept]
    assert letters.of_course("202") == []


def test_times_are_the_servers(district: District) -> None:
    """Without a clock of the tests, the Redis server's time is noted."""
    before, _ = district.client.time()
    letter = DeadLetters(district.client, district.keys).add("101", None, "canvas_404", "", 1)
    after, _ = district.client.time()
    assert before <= letter.first_failed_at.timestamp() < after + 1


def test_the_attempts_times_are_kept(district: District, letters: DeadLetters) -> None:
    """An entry lists its failed attempts, the earlier ones too, and what a retry adds; the newest 20 at the most."""
    start, minute = district.time.now, timedelta(minutes=1)
    district.time.advance(minute)
    letter = letters.add("101", "7", "powerschool_500", "", 2, failed_before=[start])
    assert letter.attempt_times == (start, start + minute)
    assert letter.first_failed_at == start
    for _ in range(30):
        district.time.advance(minute)
        letter = letters.add("101", "7", "powerschool_500", "", 2)
    assert len(letter.attempt_times) == 20
    assert letter.attempt_times[-1] == district.time.now == letter.last_failed_at


def test_a_retried_entry_stays_open(district: District, letters: DeadLetters) -> None:
    """A retry is noted on the entry, which stays until its work succeeds; a closed one cannot be marked."""
    letter = letters.add("101", None, "canvas_404", "", 1)
    district.time.advance(timedelta(minutes=1))
    assert letters.mark_retried(letter.id)
    [open_letter] = letters.all()
    assert open_letter.retried_at == district.time.now
    letters.close("101", None)
    assert not letters.mark_retried(letter.id)
    assert letters.all() == []


def test_open_entries_are_counted(district: District, letters: DeadLetters) -> None:
    """How many are open, and since when the oldest failed, can be asked without reading them all."""
    assert (letters.count(), letters.oldest_at()) == (0, None)
    began = district.time.now
    for course_id in ("101", "202"):
        letters.add(course_id, None, "canvas_404", "", 1)
        district.time.advance(timedelta(seconds=1))
    assert (letters.count(), letters.oldest_at()) == (2, began)
