"""Checks of the page inside Canvas, where it is installed: its address, Canvas's keys, its own keys, its launches."""

from collections.abc import Iterator
from functools import partial

from shared.adapters.canvas.jwks import platform_of
from shared.config import PREFIX
from workers.container import Container
from workers.doctor.network import count_keys, endpoint_of
from workers.doctor.redis import NEEDS
from workers.doctor.result import Check, CheckFailed, CheckResult, Step, ok

INSTALL_FIX = (
    "Open it from a course's menu in Canvas. If it is not there, see section 6 of deploy/guides/canvas-setup.md."
)


def steps(service: Container) -> Iterator[Step]:
    """Yield the checks of the page inside Canvas; none without the address that it needs."""
    if not service.settings.public_url:
        return
    yield Step("lti: installation", partial(_installation, service), needs=NEEDS)
    needs = ("lti: installation", "settings: CA bundle")
    yield Step("lti: Canvas's keys", partial(_canvas_keys, service), f"Correct {PREFIX}LTI_ISSUER or "
               f"{PREFIX}LTI_PLATFORM_URL: without these keys every launch gets 503 after a day.", needs)  # fmt: skip
    yield Step("lti: own keys", partial(_passback_keys, service), f"Canvas has to reach {PREFIX}PUBLIC_URL: correct "
               "it, or let the proxy pass /lti/ on to the web process.", needs)  # fmt: skip
    yield Step("lti: launches", partial(_launches, service), needs=needs)


def _installation(service: Container) -> Check:
    name, settings = "lti: installation", service.settings
    registrations = service.lti.registrations()
    pending = [each.client_id for each in registrations if each.confirmed_at is None]
    if not settings.lti_client_id and not registrations:
        # No problem: the page inside Canvas is optional.
        raise CheckFailed(CheckResult.SKIP, "passback is not installed in Canvas")
    if problems := settings.missing_for_lti():
        return Check(name, CheckResult.FAIL, "; ".join(problems), "Set it, and restart the web process.")
    if pending:
        found = f"registered and not confirmed: {', '.join(pending)}"
        return Check(name, CheckResult.WARN, found, "Compare it with Canvas, then `passback lti confirm`.")
    clients = dict.fromkeys([settings.lti_client_id, *(each.client_id for each in registrations)])
    return ok(name, f"clients {', '.join(filter(None, clients))} at {settings.public_url}")


def _canvas_keys(service: Container) -> str:
    setting = f"{PREFIX}LTI_PLATFORM_URL" if service.settings.lti_platform_url else f"{PREFIX}LTI_ISSUER"
    return _count_keys(service, platform_of(service.settings).keys_url, setting)


def _passback_keys(service: Container) -> str:
    return _count_keys(service, f"{service.settings.public_url}/lti/jwks", f"{PREFIX}PUBLIC_URL")


def _count_keys(service: Container, url: str, setting: str) -> str:
    endpoint = endpoint_of(url, setting)
    return f"{count_keys(url, endpoint, service.settings.ca_bundle)} at {endpoint.address}"


def _launches(service: Container) -> Check:
    name, deployments = "lti: launches", service.lti.deployments()
    if not deployments:
        return Check(name, CheckResult.WARN, "never opened in Canvas", INSTALL_FIX)
    names = ", ".join(each.deployment_id for each in deployments)
    return ok(name, f"last one at {deployments[0].last_launch_at:%Y-%m-%d %H:%M} UTC; deployments {names}")
