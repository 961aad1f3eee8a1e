"""What the end-to-end tests share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ordernotify.settings.names import STACK_TAG
from tests.e2e.cloud import EmbeddedCloud, running_cloud


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Mark every test of this folder, so that no file has to."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def embedded_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCloud]:
    """One embedded cloud for all tests of this process (each worker of pytest-xdist has its own)."""
    with running_cloud(tmp_path_factory.mktemp("state")) as cloud:
        # Teardown stops a cloud without stacks; the other tests of this process still need it.
        cloud.cloud().apigateway.create_rest_api(name="resident", tags={STACK_TAG: "resident"})
        yield cloud
