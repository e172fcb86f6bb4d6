"""What all tests share."""

from __future__ import annotations

import os
from typing import List

import pytest


def pytest_collection_modifyitems(items: List[pytest.Item]) -> None:
    """Tests that take many minutes each run on request only, and say so."""
    if os.environ.get("PLUGOPS_MATRIX"):
        return
    skip = pytest.mark.skip(reason="takes many minutes; `make test-matrix` runs it")
    for item in items:
        if item.get_closest_marker("matrix"):
            item.add_marker(skip)
