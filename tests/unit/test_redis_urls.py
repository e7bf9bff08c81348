"""The URL of one Redis, for redis-py and for Celery."""

import ssl
from pathlib import Path

import pytest

from shared.adapters.redis.urls import broker_sentinel_options, broker_tls, broker_url, connection_options
from shared.config import ConfigurationError, Settings, load


def settings_of(url: str, **changes: str) -> Settings:
    variables = {"REDIS_URL": url, **changes}
    return load({f"PASSBACK_{name}": value for name, value in variables.items()}, env_file=Path("no.env"))


@pytest.mark.parametrize("url", ["redis://127.0.0.1:6379/0", "rediss://:secret@redis.example:6380/3"])
def test_tcp_urls_are_the_same_for_both(url: str) -> None:
    """`redis://` and `rediss://` pass through."""
    assert broker_url(settings_of(url)) == url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock?virtual_host=0"),
        ("unix:///run/redis.sock?db=4", "redis+socket:///run/redis.sock?virtual_host=4"),
        ("unix://:p%40ss@/run/redis.sock?db=1", "redis+socket://:p%40ss@/run/redis.sock?virtual_host=1"),
        ("unix:///run/redis.sock?password=p%40ss", "redis+socket://:p%40ss@/run/redis.sock?virtual_host=0"),
        ("unix:///run/a%20b.sock", "redis+socket:///run/a%20b.sock?virtual_host=0"),
    ],
)
def test_a_unix_socket_is_translated(url: str, expected: str) -> None:
    """Path, database and password of `unix://` are carried over to kombu's spelling."""
    assert broker_url(settings_of(url)) == expected


def test_an_option_without_counterpart_is_refused() -> None:
    """An option that Celery would not obey is named instead of dropped."""
    with pytest.raises(ConfigurationError, match="max_connections"):
        broker_url(settings_of("unix:///run/redis.sock?max_connections=3"))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://passback@redis.example:6379/1", "redis://passback:p%40s%2Fs@redis.example:6379/1"),
        ("redis://redis.example", "redis://:p%40s%2Fs@redis.example"),
        ("redis://passback:own@redis.example", "redis://passback:own@redis.example"),
        ("unix:///run/redis.sock", "redis+socket://:p%40s%2Fs@/run/redis.sock?virtual_host=0"),
    ],
)
def test_a_password_of_its_own_fills_the_gap(url: str, expected: str) -> None:
    """The password setting goes into the URL for Celery, quoted, unless the URL holds one."""
    assert broker_url(settings_of(url, REDIS_PASSWORD="p@s/s")) == expected


def test_sentinels_take_the_place_of_the_host() -> None:
    """Celery asks every Sentinel, with the user and the database of the URL, and the Sentinels' own password."""
    settings = settings_of(
        "redis://passback@ignored.example/2", REDIS_PASSWORD="own",
        REDIS_SENTINELS="records@one.example:26379, [::1]:5", REDIS_SENTINEL_PASSWORD="theirs",
    )  # fmt: skip
    assert broker_url(settings) == ("sentinel://passback:own@one.example:26379/2;sentinel://passback:own@[::1]:5/2")
    options = broker_sentinel_options(settings)
    assert (options["master_name"], options["sentinel_kwargs"]["password"]) == ("records", "theirs")


def test_celery_checks_the_certificate(tmp_path: Path) -> None:
    """With `rediss://`, Celery demands a certificate, by the authority of the settings; without it, it has no TLS."""
    settings = settings_of("rediss://redis.example", CA_BUNDLE=str(tmp_path / "ca.crt"))
    assert broker_tls(settings) == {
        "ssl_cert_reqs": ssl.CERT_REQUIRED,
        "ssl_ca_certs": str(tmp_path / "ca.crt"),
        "ssl_exclude_verify_flags": [ssl.VerifyFlags.VERIFY_X509_STRICT],
    }
    assert broker_tls(settings_of("redis://redis.example")) is None
    assert "ssl_ca_certs" not in connection_options(settings_of("redis://redis.example", CA_BUNDLE="ca.crt"))


@pytest.mark.parametrize(
    ("url", "changes", "words"),
    [
        ("unix:///run/redis.sock", {"REDIS_SENTINELS": "one.example:26379"}, "PASSBACK_REDIS_SENTINELS"),
        ("redis://redis.example", {"REDIS_SENTINELS": "one.example"}, "PASSBACK_REDIS_SENTINELS"),
        ("redis://redis.example", {"REDIS_SENTINELS": "a.example:1,b@c.example:1"}, "PASSBACK_REDIS_SENTINELS"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(url: str, changes: dict[str, str], words: str) -> None:
    """A socket has no Sentinels, a Sentinel needs a port, and the master's name is before the first."""
    with pytest.raises(ConfigurationError, match=words):
        settings_of(url, **changes)
