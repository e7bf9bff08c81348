"""Checks of notifications: whether each target's URL can be used, and whether messages arrive."""

from collections.abc import Iterator
from functools import partial

from shared.domain.wording import counted, describe
from workers.container import Container
from workers.doctor.redis import NEEDS
from workers.doctor.result import Check, CheckFailed, CheckResult, Step
from workers.notifications.delivery import Target, check, targets_of
from workers.notifications.teachers import TEACHERS, url_to

TEST_FIX = "Run `passback notify test` afterwards."


def steps(service: Container) -> Iterator[Step]:
    """Yield the checks of each target. Nothing is sent: `passback notify test` does that."""
    targets = targets_of(service.settings.notify_urls)
    if not targets:
        yield Step("notifications", lambda: "off: PASSBACK_NOTIFY_URLS is not set, so nobody is told")
    if service.settings.notify_teachers_url.get_secret_value():
        example = Target(TEACHERS, url_to(service.settings.notify_teachers_url, "teacher@district.example"))
        name = f"notifications: {TEACHERS}"
        yield Step(name, partial(_url, example, name))
        yield Step(f"{name}: delivery", partial(_digest, service), needs=(name, *NEEDS))
    for target in targets:
        name = f"notifications: {target.id}"
        yield Step(name, partial(_url, target, name))
        yield Step(f"{name}: delivery", partial(_delivery, service, target), needs=(name, *NEEDS))


def _url(target: Target, name: str) -> str | Check:
    failure = check(target)
    if failure is None:
        return "the URL can be used"
    return Check(name, CheckResult.FAIL, failure.sentence.rstrip("."), f"{failure.remedy} {TEST_FIX}")


def _delivery(service: Container, target: Target) -> str:
    state, now = service.notifications.read().target(target.id), service.clock.now()
    if state.is_failing:
        since = "" if state.failing_since is None else f" for {describe(now - state.failing_since)}"
        found = f"messages do not arrive{since}: {state.failure.sentence.rstrip('.')}"
        raise CheckFailed(CheckResult.FAIL, found, f"{state.failure.remedy} {TEST_FIX}")
    if state.delivered_at is None:
        return "nothing was sent yet; try it with `passback notify test`"
    return f"the last message was taken {describe(now - state.delivered_at)} ago"


def _digest(service: Container) -> str:
    digest = service.teacher_digests.read()
    if digest is None:
        return "the first digest goes out next week"
    if digest.is_failing:
        failure = digest.last_failure
        found = "Canvas gives no addresses" if failure is None else failure.sentence.rstrip(".")
        fix = "See whether Canvas is well." if failure is None else failure.remedy
        raise CheckFailed(CheckResult.FAIL, f"the weekly digest does not go out: {found}", fix)
    if digest.unread and not digest.sent:
        fix = "Give the key the scope GET courses/:course_id/users: deploy/canvas/developer-key.json has all of them."
        raise CheckFailed(CheckResult.WARN, f"Canvas shows no teachers of {counted(digest.unread, 'course')}", fix)
    if digest.without_address and not digest.sent:
        fix = (
            "Give the service user the right to see e-mail addresses in Canvas (users - view login IDs and addresses)."
        )
        raise CheckFailed(CheckResult.WARN, "Canvas gives no address of any teacher", fix)
    return f"{digest.sent} told, {digest.refused} refused, {digest.without_address} without an address"
