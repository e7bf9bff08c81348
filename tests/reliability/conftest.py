"""One set of processes for all tests of this directory, since starting it takes long."""

import shutil
from collections.abc import Iterator

import pytest

from tests.fault_injection.plant import Plant, running_plant


@pytest.fixture(scope="session")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server on PATH")
    with running_plant(tmp_path_factory.mktemp("logs")) as running:
        yield running
