"""A short siege of the web process, without a figure of speed."""

import pytest

from tests.fault_injection.siege import LIMIT_MB, run

pytestmark = [pytest.mark.slow, pytest.mark.redis, pytest.mark.xdist_group("plant")]


def test_the_web_process_survives_all_attacks_at_once() -> None:
    """Under attack it accepts and stores signed events, and its memory and log stay bounded."""
    siege = run(4.0)
    assert siege.survived
    assert siege.most_mb < LIMIT_MB
    assert siege.accepted > 0
    assert siege.stored >= siege.accepted
    assert siege.log_bytes < 50_000
    assert {name for name, count in siege.attacks.items() if count == 0} == set()
    assert len(siege.attacks) == 15
