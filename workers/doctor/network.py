"""Names what keeps this machine from an answer: DNS, refused, TLS, proxy, timeout; each with its fix."""

import errno
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx
from redis.exceptions import TimeoutError as RedisTimeout

from shared.adapters.http.client import MAX_BYTES_SMALL, PROBE_TIMEOUT_S
from shared.adapters.http.exchange import BodyTooLarge, deadline, http_client, read_body
from shared.adapters.http.response import ApiResponse, RequestInfo
from shared.events import keys_by_id
from workers.doctor.result import CheckFailed, CheckResult

PORTS = {"http": 80, "https": 443, "redis": 6379, "rediss": 6379}
AUTHORITY_FIX = (
    "Name the authority's PEM file in PASSBACK_CA_BUNDLE (that of the proxy, if a proxy inspects TLS), or install a "
    "certificate of a public authority. It has to name the host."
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a connection leads, and which setting says so.

    `hop` and `hop_setting` are those of the first connection: a proxy's, where the environment names one.
    """

    address: str
    setting: str
    hop: str = ""
    hop_setting: str = ""


def endpoint_of(url: str, setting: str) -> Endpoint:
    """Return the place of a URL of HTTP."""
    address, scheme = address_of(url), urlsplit(url).scheme
    proxies = {} if proxy_bypass(address) else getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    if proxy is None:
        return Endpoint(address, setting, address, setting)
    hop = f"the proxy {address_of(proxy if '//' in proxy else f'http://{proxy}')}"
    return Endpoint(address, setting, hop, f"{scheme.upper()}_PROXY, or exempt the host in NO_PROXY")


def address_of(url: str) -> str:
    """Return host and port of a URL, without user and password."""
    parts = urlsplit(url)
    return f"{parts.hostname or ''}:{parts.port or PORTS.get(parts.scheme, '')}"


# The errors that a row explains, in a word or two, what is found, and the fix. The first row that explains any error
# of the chain counts.
_FAULTS: tuple[tuple[tuple[type[BaseException], ...], str, str, str], ...] = (
    (
        (socket.gaierror,),
        "its host name is not known",
        "DNS: the name of {hop} cannot be resolved",
        "Correct {hop_setting}, or mend DNS here.",
    ),
    (
        (ssl.SSLCertVerificationError,),
        "its certificate is not trusted",
        "TLS: the certificate of {address} is not trusted ({detail})",
        AUTHORITY_FIX,
    ),
    (
        (ssl.SSLError,),
        "there is no TLS at this address",
        "TLS: {address} does not speak it as expected ({detail})",
        "Correct scheme and port of {setting}.",
    ),
    (
        (httpx.ProxyError,),
        "the proxy does not connect",
        "proxy: {hop} does not connect to {address} ({detail})",
        "Allow the host in the proxy, or correct {hop_setting}.",
    ),
    (
        (ConnectionRefusedError,),
        "the connection was refused",
        "refused: nothing listens at {hop}",
        "Start it, or correct {hop_setting}. See whether a firewall refuses the connection.",
    ),
    (
        (FileNotFoundError,),
        "there is no such socket",
        "there is no socket {address}",
        "Start it, or correct {setting}.",
    ),
    (
        (PermissionError,),
        "this user may not open its socket",
        "this user may not open {address}",
        "Correct its permissions, or run as another user.",
    ),
    (
        (httpx.ConnectTimeout,),
        "no answer in time",
        "timeout: {hop} does not take the connection",
        "See whether a firewall drops it, or correct {hop_setting}.",
    ),
    (
        (httpx.TimeoutException, TimeoutError, RedisTimeout),
        "no answer in time",
        "timeout: {address} does not answer in time",
        "See whether it is overloaded, and whether {setting} leads to it.",
    ),
    (
        (ConnectionError, httpx.RemoteProtocolError, httpx.ReadError),
        "the connection was closed",
        "{address} ends the connection without an answer",
        "Correct scheme and port of {setting}: it may expect TLS, or be another service.",
    ),
    ((OSError,), "", "{hop} cannot be reached ({detail})", "Correct {hop_setting}, or mend the network."),
)


def network_cause(error: BaseException) -> str:
    """Return in a few words why a system does not answer, empty if the exceptions do not say."""
    causes = list(exception_chain(error))
    return next((text for errors, text, *_ in _FAULTS if any(isinstance(each, errors) for each in causes)), "")


def network_fault(error: BaseException, endpoint: Endpoint) -> CheckFailed | None:
    """Return what is wrong with the connection; None for an error that no connection causes."""
    causes = list(exception_chain(error))
    for errors, _, found, fix in _FAULTS:
        cause = next((each for each in causes if isinstance(each, errors)), None)
        if cause is None:
            continue
        fields = {
            "address": endpoint.address,
            "setting": endpoint.setting,
            "hop": endpoint.hop or endpoint.address,
            "hop_setting": endpoint.hop_setting or endpoint.setting,
            "detail": _detail(cause),
        }
        return CheckFailed(CheckResult.FAIL, found.format(**fields), fix.format(**fields))
    return None


def _detail(error: BaseException) -> str:
    """Return the part of an error that is no text of the other side."""
    match error:
        case ssl.SSLCertVerificationError():
            return error.verify_message
        case ssl.SSLError():
            return str(error.reason)
        case httpx.ProxyError():
            # Its text is the status of the proxy's answer, with a reason in words of the proxy's own.
            status = str(error).partition(" ")[0]
            return status if status.isdecimal() else "no answer that HTTP describes"
        case OSError():
            return errno.errorcode.get(error.errno or 0, type(error).__name__)
    return type(error).__name__


def fetch(url: str, endpoint: Endpoint, ca_bundle: Path | None) -> ApiResponse:
    """Return what a GET without a token brings. Raises: CheckFailed where nothing comes."""
    try:
        with (
            deadline(PROBE_TIMEOUT_S),
            http_client("", PROBE_TIMEOUT_S, headers={"Accept": "application/json"}, ca_bundle=ca_bundle) as client,
            client.stream("GET", url) as response,
        ):
            try:
                body = read_body(response, MAX_BYTES_SMALL)
            except BodyTooLarge as large:
                body = large.start
    except httpx.InvalidURL:
        raise CheckFailed(CheckResult.FAIL, f"{endpoint.setting} is no URL", f"Correct {endpoint.setting}.") from None
    except httpx.RequestError as error:
        raise network_fault(error, endpoint) or CheckFailed(CheckResult.FAIL, type(error).__name__) from None
    return ApiResponse.of(RequestInfo("", "GET", url), response, raw=body)


def count_keys(url: str, endpoint: Endpoint, ca_bundle: Path | None) -> int:
    """Return how many usable keys a key set has. Raises: CheckFailed, if it has none."""
    response = fetch(url, endpoint, ca_bundle)
    if not response.succeeded:
        raise CheckFailed(CheckResult.FAIL, f"{endpoint.address} answers {response.status}")
    count = len(keys_by_id(response.body)) if isinstance(response.body, dict) else 0
    if not count:
        raise CheckFailed(CheckResult.FAIL, f"{endpoint.address} gives no usable key")
    return count


def check_response(response: ApiResponse, name: str, endpoint: Endpoint, *, is_expected: bool) -> str:
    """Return that the system answers. Raises: CheckFailed where something else does, or it is in maintenance."""
    status = response.status
    if status == httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
        found = f"proxy: {endpoint.hop} asks for a user and a password (407)"
        raise CheckFailed(CheckResult.FAIL, found, f"Correct {endpoint.hop_setting}.")
    if 300 <= status < 400:
        _raise_redirect(response, name, endpoint)
    if status >= 500:
        fix = f"See whether {name} is up. Workers wait and lose nothing; `passback status` shows what waits."
        raise CheckFailed(CheckResult.FAIL, f"{endpoint.address} answers {status}: {name} is unavailable", fix)
    if not is_expected:
        media_type = response.headers.get("Content-Type", "nothing").partition(";")[0][:40]
        found = f"{endpoint.address} answers, but not as {name} does ({status}, {media_type})"
        raise CheckFailed(
            CheckResult.FAIL, found, f"Correct {endpoint.setting}: scheme and host alone, without a path."
        )
    return f"{endpoint.address} answers"


def _raise_redirect(response: ApiResponse, name: str, endpoint: Endpoint) -> None:
    """Raise what a redirect means: another address of the same resource, or a page in its place."""
    asked = response.request.template
    target = urlsplit(urljoin(asked, response.headers.get("Location", "")[:500]))
    origin = f"{target.scheme}://{target.hostname or ''}{f':{target.port}' if target.port else ''}"
    if target.path == urlsplit(asked).path:
        found = f"{endpoint.address} redirects to {origin}"
        raise CheckFailed(CheckResult.FAIL, found, f"Set {endpoint.setting} to {origin}, if that is your {name}.")
    found = (
        f"{endpoint.address} redirects to a page ({response.status}): {name} is in maintenance, or this is not {name}"
    )
    fix = f"Wait for the end of the maintenance, or correct {endpoint.setting}. Workers wait and lose nothing."
    raise CheckFailed(CheckResult.FAIL, found, fix)


def exception_chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what caused it, the last first."""
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        yield at
        seen.add(id(at))
        # httpcore raises its errors again `from None`, which hides what the operating system said.
        hides = at.__suppress_context__ and not isinstance(at, httpcore.NetworkError | httpcore.TimeoutException)
        at = at.__cause__ or (None if hides else at.__context__)
