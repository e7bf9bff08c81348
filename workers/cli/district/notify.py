"""`passback notify`: what people are told, and whether it arrives."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Annotated, cast

import typer
from redis.exceptions import RedisError
from rich.console import Group
from rich.text import Text

from shared.config import PREFIX, ConfigurationError
from shared.domain.notifications.messages import Message
from shared.domain.notifications.state import DeliveryFailure, Episode, NotificationState, TargetState
from shared.domain.notifications.teachers import Digest
from shared.domain.wording import counted
from workers.cli.options import fail, services
from workers.cli.terminal.output import ExitCode, JsonOption, emit
from workers.container import Container
from workers.notifications.delivery import MessageKind, Target, deliver, has_apprise, targets_of
from workers.notifications.notifier import end_wait
from workers.notifications.reading import NotifySettings, notify_settings
from workers.notifications.teachers import TEACHERS, url_to

Json = dict[str, object]

notify = typer.Typer(name="notify", help="Messages to administrators about what needs them.")
TEST = Message(
    "passback: this is a test",
    "Somebody ran `passback notify test`. Messages about what needs a person arrive here.\n",
)
EXTRA = DeliveryFailure.EXTRA_MISSING

Address = Annotated[
    str, typer.Option("--to", metavar="ADDRESS", help="Send it to this address by the mail server for teachers.")
]
TargetId = Annotated[str | None, typer.Option("--target", metavar="ID", help="Only this target, such as `mailtos 1`.")]


@notify.command()
def status(as_json: JsonOption = False) -> None:
    """Show what needs people, who was told, and whether messages arrive. The exit code is 1 if some do not."""
    with services() as service:
        settings, state = notify_settings(service), service.notifications.read()
        has_teachers = bool(service.settings.notify_teachers_url.get_secret_value())
        digest = service.teacher_digests.read() if has_teachers else None
        found = {**_status_json(settings, state, service.clock.now()), "teachers": digest and _digest_json(digest)}
        emit(found, as_json, _status_text, zone=settings.zone)
    is_failing = any(state.failing()) or bool(digest and digest.is_failing)
    raise typer.Exit(ExitCode.PROBLEMS if is_failing else ExitCode.FINE)


@notify.command("test")
def send_test(target: TargetId = None, to: Address = "", as_json: JsonOption = False) -> None:
    """Send a test message to every target now, quiet hours or not. The exit code is 1 if one does not take it."""
    with services() as service:
        name = "notify_teachers_url" if to else "notify_urls"
        service.settings.require(name)
        teachers_url = service.settings.notify_teachers_url
        targets = [Target(TEACHERS, url_to(teachers_url, to))] if to else targets_of(service.settings.notify_urls)
        if not has_apprise():
            raise ConfigurationError(f"{PREFIX}{name.upper()} is set, and {EXTRA.sentence} {EXTRA.remedy}")
        selected = [each for each in targets if target in (None, each.id)]
        if not selected:
            fail(f"no target {target}; there is {', '.join(each.id for each in targets)}", ExitCode.USAGE)
        results = [_tested(service, each) for each in selected]
    emit(results, as_json, lambda found: Group(*[_line(each, "its server took the message") for each in found]))
    raise typer.Exit(ExitCode.FINE if all(each["cause"] is None for each in results) else ExitCode.PROBLEMS)


def _tested(service: Container, target: Target) -> Json:
    failure = deliver(target, TEST, MessageKind.INFO, ca_bundle=service.settings.ca_bundle)
    if failure is None:
        # What waits for the next attempt goes with the next check. Without Redis nothing waits.
        with suppress(RedisError):
            end_wait(service.notifications, target.id)
    return {"target": target.id, **_failure_json(failure)}


def _failure_json(failure: DeliveryFailure | None) -> Json:
    if failure is None:
        return {"cause": None, "message": "", "remedy": ""}
    return {"cause": failure.value, "message": failure.sentence, "remedy": failure.remedy}


def _line(target: Json, well: str) -> Text:
    found = well if target["cause"] is None else f"{target['message']} {target['remedy']}"
    return Text(f"{target['target']}: {found}")


def _status_json(settings: NotifySettings, state: NotificationState, now: datetime) -> Json:
    return {
        "checked_at": state.checked_at,
        "quiet_now": settings.is_quiet(now),
        "targets": [_target_json(state.target(each.id)) for each in settings.targets],
        "open": [_episode_json(each, state) for each in state.open_episodes],
    }


def _target_json(target: TargetState) -> Json:
    return {
        "target": target.id,
        "delivered_at": target.delivered_at,
        "failed_attempts": target.failed,
        "next_attempt_at": target.next_attempt_at,
        "lost": target.lost,
        **_failure_json(target.last_failure),
    }


def _digest_json(digest: Digest) -> Json:
    return {
        "due_at": digest.due,
        "phase": digest.phase.value,
        "sent": digest.sent,
        "refused": digest.refused,
        "without_address": digest.without_address,
        "nothing_left": digest.nothing_left,
        "courses_unread": digest.unread,
        "failed_attempts": digest.failed,
        "next_attempt_at": digest.not_before,
        **_failure_json(digest.last_failure),
    }


def _episode_json(episode: Episode, state: NotificationState) -> Json:
    condition = episode.condition
    return {
        "key": condition.key,
        "since": episode.since,
        "title": condition.title,
        "remedy": condition.remedy,
        "link": condition.link,
        "told": [each.id for each in state.targets.values() if condition.key in each.notified],
    }


def _status_text(found: Json) -> Group:
    return Group(*map(Text, _status_lines(found)))


def _teachers_text(digest: Json) -> str:
    counts = f"{digest['sent']} told, {digest['refused']} refused, {digest['without_address']} without an address"
    failure = "" if digest["cause"] is None else f" {digest['message']} {digest['remedy']}"
    return f"teachers: digest of {digest['due_at']} is {digest['phase']}: {counts}.{failure}"


def _status_lines(found: Json) -> Iterator[str]:
    targets, episodes = cast("list[Json]", found["targets"]), cast("list[Json]", found["open"])
    if not targets:
        yield "Nobody is told: PASSBACK_NOTIFY_URLS is not set."
    elif not found["checked_at"]:
        yield "Nothing was checked yet: a worker and beat have to run."
    for target in targets:
        yield _line(target, f"last message {target['delivered_at'] or 'never'}").plain
        if target["next_attempt_at"]:
            failed = counted(int(str(target["failed_attempts"])), "attempt")
            yield f"  {failed} failed; the next is at {target['next_attempt_at']}"
        if target["lost"]:
            yield f"  messages given up since the last one that arrived: {target['lost']}"
    if found["teachers"]:
        yield _teachers_text(cast("Json", found["teachers"]))
    if found["quiet_now"]:
        yield "These are quiet hours: messages wait for their end."
    yield "Needs a person:" if episodes else "Nothing needs a person."
    for episode in episodes:
        notified = ", ".join(cast("list[str]", episode["told"])) or "nobody yet"
        yield f"- {episode['title']} {episode['remedy']}".rstrip()
        yield f"  since {episode['since']}; told: {notified}"
