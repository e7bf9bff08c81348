"""One setting, two readers: redis-py and kombu spell the URL of a unix socket differently."""

from urllib.parse import parse_qs, quote, unquote, urlsplit

from shared.config import PREFIX, ConfigurationError


def broker_url(redis_url: str) -> str:
    """Return the URL under which Celery finds the Redis that redis-py finds under `redis_url`.

    `redis://` and `rediss://` are the same for both. `unix://[:password@]/path?db=1` becomes
    `redis+socket://[:password@]/path?virtual_host=1`. Raises `ConfigurationError` for options that have no
    counterpart.
    """
    parts = urlsplit(redis_url)
    if parts.scheme != "unix":
        return redis_url
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    database = options.pop("db", "0")
    username = options.pop("username", unquote(parts.username or ""))
    password = options.pop("password", unquote(parts.password or ""))
    if options:
        raise ConfigurationError(f"{PREFIX}REDIS_URL: unknown options of a unix:// URL: {', '.join(sorted(options))}")
    account = f"{quote(username, safe='')}:{quote(password, safe='')}@" if username or password else ""
    return f"redis+socket://{account}{parts.path}?virtual_host={database}"
