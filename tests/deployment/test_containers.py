"""The image and the compose file. No container engine takes part: people build the image, from what is checked here."""

import re
import shlex

import pytest

from tests.architecture.project import ROOT
from tests.deployment.deployed import DEPLOY, Document, compose

DOCKERFILE = (DEPLOY / "docker" / "Dockerfile").read_text()
INSTRUCTIONS = re.findall(r"^([A-Z]+) (.+)$", re.sub(r"\\\n\s*", "", DOCKERFILE), re.MULTILINE)
COMPOSE = compose()
SERVICES: dict[str, Document] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if name != "redis"}


def arguments_of(instruction: str) -> list[str]:
    return [arguments for name, arguments in INSTRUCTIONS if name == instruction]


def test_base_images_are_pinned() -> None:
    """Both stages, and Redis, name a version of their base image."""
    images = [arguments.split()[0] for arguments in arguments_of("FROM")] + [SERVICES["redis"]["image"]]

    assert len(images) == 3
    assert [image for image in images if not re.fullmatch(r"[a-z]+:\d+\.\d+-[a-z-]+", image)] == []


def test_the_image_runs_as_nobody_in_particular() -> None:
    """The last stage ends as a user without rights, by number, so that an orchestrator can see that it is not root."""
    last_stage = INSTRUCTIONS[[name for name, _ in INSTRUCTIONS].index("FROM", 1) :]
    users = [arguments for name, arguments in last_stage if name == "USER"]

    assert users == ["10001:10001"]
    assert last_stage.index(("USER", "10001:10001")) > max(
        number for number, (name, _) in enumerate(last_stage) if name in {"RUN", "COPY"}
    )


def test_packages_are_installed_by_hash_alone() -> None:
    """Nothing is installed that is not in a list with hashes, or a wheel that was just built."""
    installs = [part for run in arguments_of("RUN") for part in run.split("&&") if "pip install" in part]

    assert len(installs) == 3
    assert all("--require-hashes" in part or "--no-index" in part for part in installs)


def test_what_is_copied_is_there_and_not_ignored() -> None:
    """The files that the build needs are in the repository, and in its context."""
    copied = [path for line in arguments_of("COPY") if "--from" not in line for path in shlex.split(line)[:-1]]
    context = (DEPLOY / "docker" / "Dockerfile.dockerignore").read_text().splitlines()

    assert copied
    assert [path for path in copied if not (ROOT / path).exists()] == []
    assert [path for path in copied if f"!{path.removeprefix('./')}" not in context] == []


def test_the_image_has_a_health_check() -> None:
    """A web process that hangs is found out."""
    (check,) = arguments_of("HEALTHCHECK")

    assert "/livez" in check


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_can_do_little(name: str) -> None:
    """No root, no capabilities, no new rights, a read-only disk, and bounds on memory and processes."""
    service = SERVICES[name]

    assert not service["user"].startswith("0:")
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert {"mem_limit", "pids_limit", "logging"} <= service.keys()
    assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_the_loopback_address(name: str) -> None:
    """Whoever wants more puts a proxy in front. Redis is not published at all."""
    ports = SERVICES[name].get("ports", [])

    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert name != "redis" or not ports


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "web"])
def test_a_container_has_a_health_check(name: str) -> None:
    """Only the web process can use the image's own."""
    assert SERVICES[name]["healthcheck"]["test"]


def test_secrets_are_files() -> None:
    """No secret is in a variable, every secret that is used is defined, and each is a file beside the compose file."""
    used = {secret for service in SERVICES.values() for secret in service["secrets"]}

    assert used == COMPOSE["secrets"].keys()
    assert all(secret["file"] == f"secrets/{name}" for name, secret in COMPOSE["secrets"].items())
    assert all("PASSWORD" not in variable for service in OURS.values() for variable in service["environment"])


def test_everything_refers_to_what_is_there() -> None:
    """Networks and dependencies exist; Redis is on no network that leads outside."""
    for service in SERVICES.values():
        assert set(service["networks"]) <= COMPOSE["networks"].keys()
        assert set(service.get("depends_on", ())) <= SERVICES.keys()
    assert SERVICES["redis"]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"]["internal"] is True
