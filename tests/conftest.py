# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all tests share: which run, in which order, and a summary of those that did not."""

from __future__ import annotations

import collections
import os
import time
from typing import Counter, List

import pytest
from hypothesis import HealthCheck, settings

from plugops_tests.support import compiling

STARTED = time.monotonic()
IN_MATRIX = "in the matrix, since it takes long: make test-matrix, or one of them: PLUGOPS_MATRIX=1 pytest FILE::TEST"

compiling.keep()

# How long an example takes says more of the machine's other work than of the code.
settings.register_profile("plugops", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("plugops")


def pytest_collection_modifyitems(items: List[pytest.Item]) -> None:
    """Long tests begin first; those of the matrix run on request only."""
    items.sort(key=lambda item: "integration" not in item.path.parts)
    if os.environ.get("PLUGOPS_MATRIX"):
        return
    skip = pytest.mark.skip(reason=IN_MATRIX)
    for item in items:
        if item.get_closest_marker("matrix"):
            item.add_marker(skip)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How long it took, and what did not run: one line a reason, which tells what is needed to run it."""
    if terminalreporter.config.option.collectonly:
        return
    reasons: Counter[str] = collections.Counter()
    for report in terminalreporter.stats.get("skipped", []):
        if isinstance(report.longrepr, tuple):  # a test that is expected to fail has another
            reasons[report.longrepr[2].removeprefix("Skipped: ")] += 1
    terminalreporter.section("duration and skipped tests")
    minutes, seconds = divmod(round(time.monotonic() - STARTED), 60)
    terminalreporter.line(f"{minutes} min {seconds:02} s, {sum(reasons.values())} tests skipped")
    for reason, number in reasons.most_common():
        terminalreporter.line(f"{number:6}  {reason}")
