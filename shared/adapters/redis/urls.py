"""One setting, three readers: redis-py, its asyncio half and kombu want the same Redis told in different ways."""

import ssl
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from redis.connection import parse_url

from shared.config import PREFIX, ConfigurationError, Settings

SENTINEL_SCHEME = "sentinel"
# How long to wait for a response of Redis.
TIMEOUT_S = 2.0
_OF_NO_USE_WITH_SENTINELS = frozenset({"host", "port", "connection_class"})


def connection_options(settings: Settings) -> dict[str, Any]:
    """Return what redis-py's clients take besides the URL: timeouts, password and the authority behind TLS."""
    options: dict[str, Any] = _timeouts() | _authority(settings)
    password = settings.redis_password.get_secret_value()
    return options | ({"password": password} if password else {})


def url_options(settings: Settings) -> dict[str, Any]:
    """Return what the URL says of Redis apart from its place, which Sentinels know better: user, database and TLS."""
    parsed = parse_url(settings.redis_url)  # type: ignore[no-untyped-call]  # redis-py has no types here
    said = {name: value for name, value in parsed.items() if name not in _OF_NO_USE_WITH_SENTINELS}
    return said | ({"ssl": True} if settings.uses_redis_tls else {})


def sentinel_options(settings: Settings) -> dict[str, Any]:
    """Return what a connection to a Sentinel takes; encrypted exactly where Redis's own are."""
    options: dict[str, Any] = _timeouts()
    if settings.uses_redis_tls:
        options |= {"ssl": True, **_authority(settings)}
    password = settings.redis_sentinel_password.get_secret_value()
    return options | ({"password": password} if password else {})


def sentinel_addresses(settings: Settings) -> list[tuple[str, int]]:
    """Return the Sentinels' hosts and ports."""
    parts = [address.rpartition(":") for address in settings.redis_sentinel_hosts]
    return [(host.strip("[]"), int(port)) for host, _, port in parts]


def broker_url(settings: Settings) -> str:
    """Return the URL under which Celery finds the same Redis.

    `redis://` and `rediss://` are the same for both. `unix://[:password@]/path?db=1` becomes
    `redis+socket://[:password@]/path?virtual_host=1`; with Sentinels, it is a `sentinel://` for each of them. Raises
    `ConfigurationError` for options that have no counterpart.
    """
    parts = urlsplit(settings.redis_url)
    password = settings.redis_password.get_secret_value()
    if settings.redis_sentinels:
        account, database = _account(parts.username, parts.password or quote(password, safe="")), parts.path or "/0"
        urls = [f"{SENTINEL_SCHEME}://{account}{address}{database}" for address in settings.redis_sentinel_hosts]
        return ";".join(urls)
    if parts.scheme == "unix":
        return _socket_url(settings.redis_url, password)
    if password and not parts.password:
        address = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=f"{_account(parts.username, quote(password, safe=''))}{address}").geturl()
    return settings.redis_url


def broker_tls(settings: Settings) -> dict[str, Any] | None:
    """Return what Celery takes for TLS, None without: the certificate is always checked."""
    return {"ssl_cert_reqs": ssl.CERT_REQUIRED, **_authority(settings)} if settings.uses_redis_tls else None


def broker_sentinel_options(settings: Settings) -> dict[str, Any]:
    """Return Celery's transport options about the Sentinels; none without."""
    if not settings.redis_sentinels:
        return {}
    return {"master_name": settings.redis_sentinel_master, "sentinel_kwargs": sentinel_options(settings)}


def _timeouts() -> dict[str, Any]:
    return {"socket_timeout": TIMEOUT_S, "socket_connect_timeout": TIMEOUT_S}


def _authority(settings: Settings) -> dict[str, Any]:
    """Return the private authority. Python 3.13 would reject one that lacks key identifiers, as most of them do."""
    if not settings.ca_bundle or not settings.uses_redis_tls:
        return {}
    return {"ssl_ca_certs": str(settings.ca_bundle), "ssl_exclude_verify_flags": [ssl.VerifyFlags.VERIFY_X509_STRICT]}


def _socket_url(redis_url: str, spare_password: str) -> str:
    parts = urlsplit(redis_url)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    database = options.pop("db", "0")
    username = options.pop("username", unquote(parts.username or ""))
    password = options.pop("password", unquote(parts.password or "") or spare_password)
    if options:
        raise ConfigurationError(f"{PREFIX}REDIS_URL: unknown options of a unix:// URL: {', '.join(sorted(options))}")
    account = _account(quote(username, safe=""), quote(password, safe=""))
    return f"redis+socket://{account}{parts.path}?virtual_host={database}"


def _account(username: str | None, password: str | None) -> str:
    """Return the part of a URL before its host; both are quoted already."""
    return f"{username or ''}:{password or ''}@" if username or password else ""
