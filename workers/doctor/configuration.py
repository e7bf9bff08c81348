"""Checks of the settings."""

import ssl
from base64 import b64decode
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
from workers.doctor.result import Check, CheckResult, ok


def checks(settings: Settings) -> Iterator[Check]:
    """Yield the checks of the settings."""
    yield from required(settings)
    yield from _ca_bundle(settings)
    yield _live_events(settings)
    yield _webhooks(settings)
    yield _time_zone(settings)
    yield from _encryption(settings)
    yield _check_sign_in(settings)


def required(settings: Settings) -> Iterator[Check]:
    """Yield whether Canvas and PowerSchool are configured."""
    for name, required in (("settings: Canvas", CANVAS_SETTINGS), ("settings: PowerSchool", POWERSCHOOL_SETTINGS)):
        try:
            settings.require(*required)
        except ConfigurationError as error:
            missing, _, fix = str(error).partition(". ")
            yield Check(name, CheckResult.FAIL, missing, f"{fix}.")
        else:
            yield ok(name, "set")


def _ca_bundle(settings: Settings) -> Iterator[Check]:
    """Check whether the file of private authorities can be used, where one is set."""
    if settings.ca_bundle is None:
        return
    name, fix = "settings: CA bundle", "Set PASSBACK_CA_BUNDLE to a PEM file that this user can read."
    try:
        ssl.create_default_context().load_verify_locations(cafile=str(settings.ca_bundle))
    except ssl.SSLError:
        yield Check(name, CheckResult.FAIL, f"{settings.ca_bundle} is no PEM file of certificates", fix)
    except OSError as error:
        yield Check(name, CheckResult.FAIL, f"{settings.ca_bundle} cannot be read ({error.strerror})", fix)
    else:
        yield ok(name, "readable")


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
        # The library skips what is no Base64, and would use what is left of the secret.
        b64decode(secret.removeprefix("whsec_"), validate=True)
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
