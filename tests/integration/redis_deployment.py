"""A Redis as `deploy/redis` sets it up: its redis.conf, its users, TLS, a replica, and a Sentinel over both."""

import ipaddress
import shutil
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis.exceptions import RedisError

from shared.clock import SystemClock
from workers.dev.process_group import free_port

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "redis"
USERS = ("passback", "metrics", "backup", "replica", "sentinel")
ADMIN = "user admin on nopass allkeys allchannels allcommands\n"
READY_WITHIN_S = 15.0


def password_of(user: str) -> str:
    """Return a password with every kind of character that a URL would have to quote."""
    return f"pass@{user}/:?#%41"


# The authority is as districts make theirs: without the key identifiers that Python 3.13 wants by default.
LENIENT = [ssl.VerifyFlags.VERIFY_X509_STRICT]


def make_certificates(folder: Path) -> None:
    """Make an authority, and a server's certificate for the loopback address, as PEM files."""
    now = SystemClock().now()
    authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])

    def certificate(name: x509.Name, key: ec.EllipticCurvePrivateKey, *extensions: x509.ExtensionType) -> bytes:
        builder = x509.CertificateBuilder(
            authority, name, key.public_key(), x509.random_serial_number(), now - timedelta(days=1),
            now + timedelta(days=1),
        )  # fmt: skip
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    server = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "redis")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    (folder / "ca.crt").write_bytes(certificate(authority, authority_key, x509.BasicConstraints(True, None)))
    (folder / "server.crt").write_bytes(certificate(server, server_key, names))
    (folder / "server.key").write_bytes(
        server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


@dataclass
class Deployment:
    """The running servers. `secrets` is a directory as `PASSBACK_SECRETS_DIR` and `users.sh` want it."""

    folder: Path
    primary_port: int
    replica_port: int
    sentinel_port: int
    _primary: subprocess.Popen[bytes]

    @property
    def secrets(self) -> Path:
        """The directory of the passwords."""
        return self.folder / "secrets"

    @property
    def authority(self) -> Path:
        """The authority that signed the servers' certificate."""
        return self.folder / "ca.crt"

    def client(self, port: int, user: str = "admin") -> redis.Redis:
        """Return a client of one of the servers."""
        return redis.Redis(
            host="127.0.0.1", port=port, username=user, password=password_of(user), socket_timeout=5,
            ssl=True, ssl_ca_certs=str(self.authority), ssl_exclude_verify_flags=LENIENT,
        )  # fmt: skip

    def kill_primary(self) -> None:
        """Kill the primary as the kernel would."""
        self._primary.kill()
        self._primary.wait(timeout=10)

    def refusals(self, port: int) -> list[tuple[str, str, str]]:
        """Return whom Redis refused what since it started: user, reason, command or key."""
        with self.client(port) as client:
            return [(entry["username"], entry["reason"], entry["object"]) for entry in client.acl_log()]


@contextmanager
def running_deployment(folder: Path) -> Iterator[Deployment]:
    """Yield a primary, its replica and a Sentinel, each from the files in `deploy/redis`, with TLS everywhere."""
    make_certificates(folder)
    secrets = folder / "secrets"
    secrets.mkdir()
    for user in USERS:
        (secrets / f"redis-{user}").write_text(password_of(user) + "\n")
    users = subprocess.run([FOLDER / "users.sh", secrets], capture_output=True, text=True, check=True, timeout=20)
    (folder / "users.acl").write_text(users.stdout + ADMIN)
    ports = [free_port() for _ in range(3)]
    with ExitStack() as stack:
        primary = stack.enter_context(_server(folder, "primary", ports[0]))
        stack.enter_context(_server(folder, "replica", ports[1], "--replicaof", "127.0.0.1", str(ports[0])))
        found = Deployment(folder, *ports, primary)
        _await(lambda: _replicates(found))
        stack.enter_context(_sentinel(folder, ports))
        _await(lambda: _is_watched(found))
        yield found


@contextmanager
def _server(folder: Path, name: str, port: int, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    (folder / name).mkdir()
    # Its own: a failover makes Redis rewrite its file.
    shutil.copy(FOLDER / "redis.conf", folder / name)
    arguments = [
        folder / name / "redis.conf", "--aclfile", folder / "users.acl", "--dir", folder / name, "--bind", "127.0.0.1",
        "--repl-diskless-sync-delay", "0", "--masteruser", "replica", "--masterauth", password_of("replica"),
        "--port", "0", "--tls-port", str(port), *_tls(folder), *more,
    ]  # fmt: skip
    with _process("redis-server", arguments, folder / f"{name}.log") as process:
        yield process


def _tls(folder: Path) -> list[str]:
    """Return redis.conf's commented lines on TLS as arguments, with the files of the test."""
    (example,) = [text for text in (FOLDER / "redis.conf").read_text().split("\n\n") if "# TLS: " in text]
    lines = [line.removeprefix("# ") for line in example.splitlines() if line.startswith("# tls-")]
    named = [line.replace("/etc/passback/redis-tls", str(folder)).split() for line in lines if "tls-port" not in line]
    return [part for name, value in named for part in (f"--{name}", value)]


@contextmanager
def _sentinel(folder: Path, ports: list[int]) -> Iterator[None]:
    """Run a Sentinel on the shipped file: its comments taken away, with the test's places and shorter times."""
    text = (FOLDER / "sentinel.conf").read_text()
    for old, new in (
        ("\nport 26379", ""), ("# port 0", "port 0"), ("# tls-", "tls-"), ("26379\n", f"{ports[2]}\n"),
        ("/etc/passback/redis-tls", str(folder)), ("redis-1.example 6379 2", f"127.0.0.1 {ports[0]} 1"),
        ("passback 5000", "passback 500"), ("# sentinel auth-", "sentinel auth-"), ("# requirepass", "requirepass"),
        ("CHANGE-ME-TOO", f'"{password_of("sentinels")}"'), ("CHANGE-ME", f'"{password_of("sentinel")}"'),
    ):  # fmt: skip
        assert old in text, f"sentinel.conf has no {old}"
        text = text.replace(old, new)
    place = folder / "sentinel.conf"
    place.write_text(f"{text}\nbind 127.0.0.1\ndir {folder}\n")
    with _process("redis-server", [place, "--sentinel"], folder / "sentinel.log"):
        yield


@contextmanager
def _process(program: str, arguments: list[object], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    found = shutil.which(program)
    assert found is not None
    with log.open("wb") as output:
        process = subprocess.Popen([found, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=output)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=10)


def _replicates(found: Deployment) -> bool:
    with found.client(found.replica_port) as client:
        return bool(client.info("replication")["master_link_status"] == "up")


def _is_watched(found: Deployment) -> bool:
    with redis.Redis(
        host="127.0.0.1", port=found.sentinel_port, password=password_of("sentinels"),
        ssl=True, ssl_ca_certs=str(found.authority), ssl_exclude_verify_flags=LENIENT,
    ) as sentinel:  # fmt: skip
        return any(replica["master-link-status"] == "ok" for replica in sentinel.sentinel_slaves("passback"))


def _await(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            if condition():
                return
        except (RedisError, ValueError):
            pass
        if time.monotonic() > until:
            raise AssertionError(f"not so within {READY_WITHIN_S:g} s")
        time.sleep(0.05)
