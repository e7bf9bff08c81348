"""Checks of the settings."""

from collections.abc import Iterator

from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from shared.config import (
    CANVAS_SETTINGS,
    POWERSCHOOL_SETTINGS,
    ConfigurationError,
    Settings,
    is_loopback,
)
from workers.cli.doctor.result import Check, CheckResult, ok


def checks(settings: Settings) -> Iterator[Check]:
    """Yield the checks of the settings."""
    yield from _required(settings)
    yield _live_events(settings)
    yield _webhooks(settings)
    yield _time_zone(settings)
    yield from _encryption(settings)
    yield _check_sign_in(settings)


def _required(settings: Settings) -> Iterator[Check]:
    for name, required in (("settings: Canvas", CANVAS_SETTINGS), ("settings: PowerSchool", POWERSCHOOL_SETTINGS)):
        try:
            settings.require(*required)
        except ConfigurationError as error:
            yield Check(name, CheckResult.FAIL, str(error))
        else:
            yield ok(name, "set")


def _live_events(settings: Settings) -> Check:
    name = "settings: Live Events"
    if settings.live_events_allow_unsigned:
        return Check(
            name, CheckResult.WARN, "unsigned events are accepted",
            "Sign payloads in Canvas's data stream and unset PASSBACK_LIVE_EVENTS_ALLOW_UNSIGNED.",
        )  # fmt: skip
    if not settings.canvas_root_account_uuid:
        return Check(
            name, CheckResult.FAIL, "events of any Canvas customer would pass the signature check",
            "Set PASSBACK_CANVAS_ROOT_ACCOUNT_UUID to the district's root_account_uuid.",
        )  # fmt: skip
    return ok(name, "signed events of this district only")


def _webhooks(settings: Settings) -> Check:
    name, secret = "settings: webhooks", settings.webhook_secret.get_secret_value()
    if not secret:
        return ok(name, "rejected, since no secret is set")
    try:
        Webhook(secret)
    except (ValueError, EmptyWebhookSecretError):
        fix = "Set PASSBACK_WEBHOOK_SECRET to whsec_ and Base64; the web process does not start like this."
        return Check(name, CheckResult.FAIL, "the secret is not Base64", fix)
    return ok(name, "signed webhooks are accepted")


def _time_zone(settings: Settings) -> Check:
    name = "settings: time zone"
    if settings.district_time_zone is None:
        return Check(name, CheckResult.WARN, "not set; PowerSchool's own is used", "Set PASSBACK_DISTRICT_TIME_ZONE.")
    return ok(name, str(settings.district_time_zone))


def _encryption(settings: Settings) -> Iterator[Check]:
    for name, url in (("canvas", settings.canvas_url), ("powerschool", settings.powerschool_url)):
        if url.startswith("http://") and not is_loopback(url):
            yield Check(f"{name}: encryption", CheckResult.FAIL, "the URL is http", "Use https.")


def _check_sign_in(settings: Settings) -> Check:
    """Check whether anybody can sign in. Otherwise the web process starts on a loopback address only."""
    name = "web: sign-in"
    if not settings.has_sign_in:
        found = "nobody can sign in: the pages and the API are closed"
        return Check(name, CheckResult.WARN, found, "Set PASSBACK_OPERATOR_PASSWORD.")
    return ok(name, "possible; put TLS in front")
