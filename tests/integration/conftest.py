"""What the tests on real hosts share."""

from __future__ import annotations

from typing import Iterator

import pytest

from support import cluster


@pytest.fixture(scope="module")
def broken() -> Iterator[cluster.TestCluster]:
    """Three real hosts with broken app servers; skipped where the machine cannot run them."""
    missing = cluster.missing()
    if missing:
        pytest.skip(f"no test hosts on this machine: {'; '.join(missing)}")
    with cluster.broken_cluster(plugins=4, files=3) as found:
        yield found
