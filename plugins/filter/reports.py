# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jinja filters: reports and roll-outs as text, and single wanted settings."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Sequence

from ..module_utils._config.plugin_settings import find_key, wanted_value
from ..plugin_utils._reports.plan_text import plan_lines, rollback_lines
from ..plugin_utils._reports.rollout import failure, stopped, unfinished
from ..plugin_utils._windows.node import windows_report


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        return {
            "plan_lines": plan_lines,
            "restart_settings": _restart_settings,
            "rollback_lines": rollback_lines,
            "windows_report": windows_report,
            "wanted_value": wanted_value,
            "rollout_failure": _failure,
            "rollout_stopped": stopped,
            "rollout_unfinished": unfinished,
        }


def _restart_settings(differences: Sequence[Mapping[str, Any]]) -> List[str]:
    """Names of the differences in settings that a server takes over when it starts, and not before."""
    keys = {item["name"]: find_key(str(item["name"]).rpartition("settings.")[2]) for item in differences}
    return [name for name, key in keys.items() if key is not None and key.restart]


def _failure(rollouts: Dict[str, Any], node: str) -> str:
    return failure(node, rollouts)
