"""The school in memory."""

import pytest

from tests.unit.workers.grade_passback.school import School


@pytest.fixture
def school() -> School:
    return School()
