"""What messages say: ids, times of the district, links where people reach the pages."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from shared.domain.notifications.messages import MAX_LISTED, MAY_HAVE_ARRIVED, Figures, Message, message_of
from shared.domain.notifications.rules import Pending
from shared.domain.notifications.state import Condition, Episode, Gap

ZONE = ZoneInfo("America/Chicago")
SINCE = datetime(2031, 3, 4, 15, 12, tzinfo=UTC)
BASE = "https://passback.district.example"
LETTERS = Episode(
    Condition("dead_letters:canvas_", "dead_letters", "12 jobs wait for a person.", "Retry them.", "/dead-letters"),
    SINCE,
)
OVER = Episode(
    Condition("system_unwell:canvas", "system_unwell", "Canvas is unavailable."),
    SINCE,
    ended_at=SINCE + timedelta(minutes=30),
)
FIGURES = Figures(1204, 12, 3, 212, 8, SINCE, None)


def written(
    pending: Pending, *still_open: Episode, base: str = BASE, gaps: tuple[Gap, ...] = (), **flags: bool
) -> Message:
    return message_of(pending, [*pending.opened, *still_open], FIGURES, gaps, ZONE, base, **flags)


def test_one_condition_is_the_subject() -> None:
    """With since when, what to do and where, on the district's clocks."""
    message = written(Pending((LETTERS,)))
    assert message.subject == "passback: 12 jobs wait for a person."
    assert message.body == (
        "Needs a person:\n\n"
        "- 12 jobs wait for a person.\n"
        "  Since Tue 04 Mar, 09:12. Retry them.\n"
        "  https://passback.district.example/dead-letters\n\n"
        "Times are those of America/Chicago. All of it: https://passback.district.example/\n"
    )


def test_without_a_public_address_there_are_no_links() -> None:
    """A path alone leads nowhere."""
    assert "/" not in written(Pending((LETTERS,)), base="").body.replace("America/Chicago", "")


@pytest.mark.parametrize(
    ("opened", "ended", "subject"),
    [
        (2, 0, "passback: 2 things need a person"),
        (1, 2, "passback: 12 jobs wait for a person. (2 over)"),
        (0, 1, "passback: over: Canvas is unavailable."),
        (0, 3, "passback: 3 things are over"),
    ],
)
def test_the_subject_says_what_is_most_important(opened: int, ended: int, subject: str) -> None:
    """What needs a person comes before what is over."""
    assert written(Pending((LETTERS,) * opened, (OVER,) * ended)).subject == subject


def test_an_end_says_since_when_and_after_how_long() -> None:
    """And what it was."""
    body = written(Pending(ended=(OVER,))).body
    assert "- Over since Tue 04 Mar, 09:42, after 30 minutes. It was: Canvas is unavailable." in body


def test_a_flood_of_causes_is_listed_in_part() -> None:
    """The Overview has the rest."""
    body = written(Pending((LETTERS,) * (MAX_LISTED + 7))).body
    assert body.count("12 jobs") == MAX_LISTED
    assert "And 7 more." in body


def test_the_summary_has_numbers_what_is_open_and_when_nothing_was_checked() -> None:
    """Also where nothing needs anybody: that it arrives is the proof that messages do."""
    summary = Pending(summary=SINCE)
    gap = Gap(SINCE, SINCE + timedelta(hours=2))
    message = written(summary, LETTERS, gaps=(gap,))
    assert message.subject == "passback, daily summary: 1 thing needs a person"
    for part in (
        "212 changes reached PowerSchool, 95 of 100 within 8 seconds.",
        "1204 courses connected, 12 with work that needs attention.",
        "3 dead letters.",
        "Last event from Canvas: Tue 04 Mar, 09:12.",
        "Last provisioning: never.",
        "Nothing was checked from Tue 04 Mar, 09:12 to Tue 04 Mar, 11:12: no worker or no beat ran.",
        "Still open:\n\n- 12 jobs",
    ):
        assert part in message.body
    assert written(summary).subject == "passback, daily summary: nothing needs a person"


def test_a_message_that_may_be_there_already_says_so() -> None:
    """At its beginning."""
    assert written(Pending((LETTERS,)), may_have_arrived=True).body.startswith(MAY_HAVE_ARRIVED)
