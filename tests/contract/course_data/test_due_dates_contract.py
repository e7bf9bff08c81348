"""The contract of due dates: what `CourseStates.save` remembers is found once it passed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import redis

from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.keys import Keys
from shared.domain.passback.course_state import CourseRecord

NOW = datetime(2031, 3, 4, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
RECORD = CourseRecord("101", NOW, (), next_due_at=NOW + HOUR)


@pytest.fixture
def records(client: redis.Redis, keys: Keys) -> CourseStates:
    return CourseStates(client, keys)


def test_a_date_is_found_once_it_passed(records: CourseStates) -> None:
    """At its moment and later, and not before."""
    records.save(RECORD)
    assert records.passed_due_dates(NOW + HOUR - timedelta(milliseconds=1)) == {}
    assert records.passed_due_dates(NOW + HOUR) == {"101": NOW + HOUR}


def test_the_last_sync_decides(records: CourseStates) -> None:
    """A date replaces the earlier one; without one ahead, the course is not awaited."""
    records.save(RECORD)
    records.save(replace(RECORD, next_due_at=NOW + 2 * HOUR))
    assert records.passed_due_dates(NOW + 9 * HOUR) == {"101": NOW + 2 * HOUR}
    records.save(replace(RECORD, next_due_at=None))
    assert records.passed_due_dates(NOW + 9 * HOUR) == {}


def test_a_date_with_microseconds_is_forgotten(records: CourseStates) -> None:
    """What was found is deleted, however exact the date was."""
    records.save(replace(RECORD, next_due_at=NOW + timedelta(microseconds=1_234_567)))
    records.delete_due_dates(records.passed_due_dates(NOW + HOUR))
    assert records.passed_due_dates(NOW + HOUR) == {}


def test_forgetting_leaves_what_a_sync_remembered_meanwhile(records: CourseStates) -> None:
    """A new date of the same course stays, and so do other courses."""
    records.save(RECORD)
    records.save(replace(RECORD, course_id="202"))
    passed = records.passed_due_dates(NOW + HOUR)
    records.save(replace(RECORD, next_due_at=NOW + HOUR / 2))
    records.delete_due_dates(passed)
    assert records.passed_due_dates(NOW + HOUR) == {"101": NOW + HOUR / 2}
