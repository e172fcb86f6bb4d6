# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all tests share."""

from __future__ import annotations

import os
from typing import List

import pytest
from hypothesis import HealthCheck, settings

from plugops_tests.support import compiling

compiling.keep()

# How long an example takes says more of the machine's other work than of the code.
settings.register_profile("plugops", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("plugops")


def pytest_collection_modifyitems(items: List[pytest.Item]) -> None:
    """What takes longest begins first; tests that take many minutes each run on request only, and say so."""
    items.sort(key=lambda item: "integration" not in item.path.parts)
    if os.environ.get("PLUGOPS_MATRIX"):
        return
    skip = pytest.mark.skip(reason="takes many minutes; `make test-matrix` runs it")
    for item in items:
        if item.get_closest_marker("matrix"):
            item.add_marker(skip)
