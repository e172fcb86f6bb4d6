# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests on real hosts share."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

from plugops_tests.clusters import broken as cluster
from plugops_tests.sandbox.app_server import remove_sandbox


@pytest.fixture
def sandbox_place(tmp_path: Path) -> Iterator[Path]:
    """Where a test may make its sandbox; it is gone afterwards, also where it had to lie elsewhere."""
    place = tmp_path / "sandbox"
    yield place
    remove_sandbox(place)


@pytest.fixture(scope="module")
def broken() -> Iterator[cluster.TestCluster]:
    """Three real hosts with broken app servers; skipped where the machine cannot run them."""
    missing = cluster.missing()
    if missing:
        pytest.skip(f"no test hosts on this machine: {'; '.join(missing)}")
    with cluster.broken_cluster(plugins=4, files=3) as found:
        yield found
