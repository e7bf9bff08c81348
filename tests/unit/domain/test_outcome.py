"""How long to wait before the next attempt."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.outcome import next_wait

WAITS = (timedelta(seconds=2), timedelta(seconds=10))


def test_each_wait_in_turn() -> None:
    """The wait after the n-th failed attempt is the n-th wait."""
    assert [next_wait(attempts, WAITS, lambda: 0.0) for attempts in (1, 2)] == list(WAITS)


def test_attempts_are_spent() -> None:
    """There is one attempt more than there are waits."""
    assert next_wait(3, WAITS, lambda: 0.0) is None


def test_no_waits() -> None:
    """Without waits there is one attempt."""
    assert next_wait(1, (), lambda: 0.0) is None


def test_jitter_shortens() -> None:
    """Jitter takes up to a quarter off a wait."""
    assert next_wait(2, WAITS, lambda: 0.4) == timedelta(seconds=9)


@pytest.mark.parametrize("attempts", [0, -1])
def test_nothing_failed(attempts: int) -> None:
    """Without a failed attempt there is no wait to ask for."""
    with pytest.raises(ValueError, match="follows a failed attempt"):
        next_wait(attempts, WAITS, lambda: 0.0)


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 2))
def test_bounds(rng: float, attempts: int) -> None:
    """A wait is never longer than configured, and never shorter than three quarters of it."""
    wait = next_wait(attempts, WAITS, lambda: rng)
    assert wait is not None
    assert WAITS[attempts - 1] * 0.75 <= wait <= WAITS[attempts - 1]
