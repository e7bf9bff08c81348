"""For all tests: hypothesis sets no deadline, and whatever a test does to logging ends with it."""

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

settings.register_profile("without_deadline", deadline=None)
settings.load_profile("without_deadline")


@pytest.fixture(autouse=True)
def _logging_configuration_as_before() -> Iterator[None]:
    """Restore structlog's configuration: a program that a test runs may silence it for whatever runs afterwards."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)
