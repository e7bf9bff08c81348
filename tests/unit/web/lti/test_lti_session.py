"""The token of a launch: what it carries, how long, and who can make one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.manual_clock import ManualClock
from workers.web.lti.session import LtiRole, LtiSession, LtiSessions

NOW = datetime(2026, 10, 5, 15, 0, tzinfo=UTC)
SECRET = "a secret of thirty-two characters"
SESSION = LtiSession(
    role=LtiRole.TEACHER, user_id="31", course_id="7", section_ids=("71", "72"), placement="course_navigation",
    assignment_id=None, real_user_id=None, api_domain="district.instructure.com", return_url="", message_token="",
    high_contrast=False, may_sync=True, expires_at=NOW + timedelta(hours=1),
)  # fmt: skip


def sessions(clock: ManualClock | None = None, secret: str = SECRET) -> LtiSessions:
    return LtiSessions(lambda: secret, clock or ManualClock(NOW))


def test_a_session_is_read_back_as_it_was() -> None:
    """The token carries every field."""
    assert sessions().read(sessions().issue(SESSION)) == SESSION


def test_a_session_ends() -> None:
    """After its hour the token opens nothing."""
    clock = ManualClock(NOW)
    token = sessions(clock).issue(SESSION)
    clock.advance(timedelta(minutes=59, seconds=59))
    assert sessions(clock).read(token) == SESSION
    clock.advance(timedelta(seconds=1))
    assert sessions(clock).read(token) is None


@pytest.mark.parametrize("token", ["", ".", "x" * 9000, "e30.AAAA"])
def test_what_is_no_token_opens_nothing(token: str) -> None:
    """Whatever somebody sends, it is refused as no session."""
    assert sessions().read(token) is None


def test_another_course_needs_another_launch() -> None:
    """A token whose course somebody exchanged is refused: the signature covers it."""
    mine, foreign = sessions(), sessions(secret="x" * 32)
    forged = foreign.issue(replace(SESSION, course_id="8"))
    spliced = forged.rpartition(".")[0] + "." + mine.issue(SESSION).rpartition(".")[2]
    for token in (forged, spliced):
        assert mine.read(token) is None


def test_who_acts_as_somebody_else_only_looks() -> None:
    """The audit gets the real person, who cannot sync; a teacher cannot either where the district says so."""
    masquerading = replace(SESSION, real_user_id="1")
    assert (masquerading.actor, masquerading.can_sync) == ("canvas-user:1", False)
    assert (SESSION.actor, SESSION.can_sync) == ("canvas-user:31", True)
    assert not replace(SESSION, may_sync=False).can_sync
