"""The school in memory."""

import pytest

from tests.unit.workers.school import School


@pytest.fixture
def school() -> School:
    return School()
