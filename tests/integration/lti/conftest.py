"""What all browser tests inside Canvas share: one town on two sites."""

from collections.abc import Iterator

import pytest

from tests.integration.lti.two_sites import TwoSites, two_sites


@pytest.fixture(scope="session")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoSites]:
    with two_sites(tmp_path_factory.mktemp("two-sites")) as running:
        yield running
