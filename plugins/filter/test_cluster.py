# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jinja filters of the role test_cluster."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ..plugin_utils._play.test_cluster import (
    collected_of,
    durations_of,
    layout_of,
    masked,
    not_running,
    problems_of,
    states_of,
    summary_of,
)


class FilterModule:
    """Filters of the role test_cluster."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        return {
            "test_cluster_collected": collected_of,
            "test_cluster_durations": durations_of,
            "test_cluster_layout": layout_of,
            "test_cluster_masked": masked,
            "test_cluster_not_running": not_running,
            "test_cluster_problems": lambda layout, host, given: problems_of(host, layout, given),
            "test_cluster_states": states_of,
            "test_cluster_summary": summary_of,
        }
