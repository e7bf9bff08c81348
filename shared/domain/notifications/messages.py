"""Writes messages: the subject and the plain text of what a target was not told yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from shared.domain.notifications.rules import Pending
from shared.domain.notifications.state import Episode, Gap
from shared.domain.wording import counted, describe

# More than this is not read, and some services take short messages only. The Overview has all.
MAX_LISTED = 10
SUBJECT_CHARS = 90
MAY_HAVE_ARRIVED = "You may have this message already: passback does not know whether its last attempt arrived."


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent to one target."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Figures:
    """The numbers of a daily summary. `changes` reached PowerSchool in the last 24 hours, 95 of 100 in `within_s`.

    `within_s` is None without changes, and 0 for longer than the longest time that is counted.
    """

    connected: int
    with_problems: int
    dead_letters: int
    changes: int
    within_s: int | None
    last_event_at: datetime | None
    last_provisioning_at: datetime | None


def message_of(
    pending: Pending,
    open_episodes: Sequence[Episode],
    figures: Figures,
    gaps: Sequence[Gap],
    zone: tzinfo,
    base_url: str,
    *,
    may_have_arrived: bool = False,
) -> Message:
    """Return the message. `base_url` is where people reach passback's pages; empty where that is not set."""
    parts = [MAY_HAVE_ARRIVED] if may_have_arrived else []
    if pending.summary:
        parts += _summary(figures, gaps, zone)
    open_before = [each for each in open_episodes if pending.summary and each not in pending.opened]
    parts += _section("Needs a person:", [_begun(each, zone, base_url) for each in pending.opened])
    parts += _section("Over:", [_ended(each, zone) for each in pending.ended])
    parts += _section("Still open:", [_begun(each, zone, base_url) for each in open_before])
    parts.append(f"Times are those of {zone}." + (f" All of it: {base_url}/" if base_url else ""))
    return Message(_subject(pending, len(open_episodes)), "\n\n".join(parts) + "\n")


def _subject(pending: Pending, open_count: int) -> str:
    if pending.summary:
        needs = f"{counted(open_count, 'thing')} {'needs' if open_count == 1 else 'need'} a person"
        return f"passback, daily summary: {needs if open_count else 'nothing needs a person'}"
    opened, ended = pending.opened, pending.ended
    if len(opened) == 1:
        subject = f"passback: {opened[0].condition.title}"
    elif opened:
        subject = f"passback: {len(opened)} things need a person"
    elif len(ended) == 1:
        subject = f"passback: over: {ended[0].condition.title}"
    else:
        subject = f"passback: {len(ended)} things are over"
    short = subject if len(subject) <= SUBJECT_CHARS else f"{subject[: SUBJECT_CHARS - 1].rstrip()}…"
    return f"{short} ({len(ended)} over)" if opened and ended else short


def _summary(figures: Figures, gaps: Sequence[Gap], zone: tzinfo) -> list[str]:
    within = f"{counted(figures.within_s, 'second')}" if figures.within_s else "more than the longest time counted"
    speed = "" if figures.within_s is None else f", 95 of 100 within {within}"
    lines = [
        f"In the last 24 hours {counted(figures.changes, 'change')} reached PowerSchool{speed}.",
        f"{counted(figures.connected, 'course')} connected, {figures.with_problems} with work that needs attention.",
        f"{counted(figures.dead_letters, 'dead letter')}.",
        f"Last event from Canvas: {_at(figures.last_event_at, zone)}.",
        f"Last provisioning: {_at(figures.last_provisioning_at, zone)}.",
    ]
    lines += [
        f"Nothing was checked from {_at(gap.start, zone)} to {_at(gap.end, zone)}: no worker or no beat ran."
        for gap in gaps
    ]
    return ["\n".join(lines)]


def _section(title: str, entries: Sequence[str]) -> list[str]:
    more = len(entries) - MAX_LISTED
    shown = [*entries[:MAX_LISTED], *([f"And {more} more."] if more > 0 else [])]
    return [title, *shown] if entries else []


def _begun(episode: Episode, zone: tzinfo, base_url: str) -> str:
    condition = episode.condition
    lines = [f"- {condition.title}", f"  Since {_at(episode.since, zone)}. {condition.remedy}".rstrip()]
    if condition.link and base_url:
        lines.append(f"  {base_url}{condition.link}")
    return "\n".join(lines)


def _ended(episode: Episode, zone: tzinfo) -> str:
    ended_at = episode.ended_at or episode.since
    lasted = describe(ended_at - episode.since)
    return f"- Over since {_at(ended_at, zone)}, after {lasted}. It was: {episode.condition.title}"


def _at(at: datetime | None, zone: tzinfo) -> str:
    return "never" if at is None else f"{at.astimezone(zone):%a %d %b, %H:%M}"
