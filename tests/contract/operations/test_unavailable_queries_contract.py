"""The contract of `UnavailableQueries`: since when which query of the plugin does not run."""

from datetime import UTC, datetime, timedelta

import pytest
import redis

from shared.adapters.redis.cache import UnavailableQueries
from shared.adapters.redis.keys import Keys
from shared.domain.causes import Cause
from shared.domain.plugin import FORMULAS_QUERY, STATE_QUERY, UnavailableQuery
from tests.manual_clock import ManualClock

NOW = datetime(2031, 3, 4, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def queries(client: redis.Redis, keys: Keys, clock: ManualClock) -> UnavailableQueries:
    return UnavailableQueries(client, keys, clock)


def test_the_first_refusal_of_a_fault_stays(queries: UnavailableQueries, clock: ManualClock) -> None:
    """Another fault begins anew; a query that runs is none of them."""
    assert queries.add(STATE_QUERY, Cause.QUERY_MISSING)
    clock.advance(HOUR)
    assert not queries.add(STATE_QUERY, Cause.QUERY_MISSING)
    assert queries.find(STATE_QUERY) == UnavailableQuery(STATE_QUERY, Cause.QUERY_MISSING, NOW, NOW + HOUR)
    assert queries.add(STATE_QUERY, Cause.QUERY_OUTDATED)
    assert queries.all() == [UnavailableQuery(STATE_QUERY, Cause.QUERY_OUTDATED, NOW + HOUR, NOW + HOUR)]
    assert [queries.remove(STATE_QUERY), queries.remove(STATE_QUERY)] == [True, False]
    assert queries.all() == []


def test_an_entry_of_an_earlier_version_is_read(client: redis.Redis, keys: Keys, queries: UnavailableQueries) -> None:
    """Earlier versions stored the same JSON, without the name."""
    stored = '{"fault":"powerschool_query_missing","since":"2031-03-04T09:00:00Z","asked_at":"2031-03-04T10:00:00.5Z"}'
    client.hset(keys.unavailable_queries, FORMULAS_QUERY, stored)
    asked_at = NOW + HOUR + timedelta(milliseconds=500)
    assert queries.all() == [UnavailableQuery(FORMULAS_QUERY, Cause.QUERY_MISSING, NOW, asked_at)]
