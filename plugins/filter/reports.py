# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jinja filters: reports and roll-outs as text, and single wanted settings."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ..module_utils._plugin_settings import wanted_value
from ..module_utils._report import plan_lines, rollback_lines
from ..module_utils._rollout import failure, stopped, unfinished


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        return {
            "plan_lines": plan_lines,
            "rollback_lines": rollback_lines,
            "wanted_value": wanted_value,
            "rollout_failure": _failure,
            "rollout_stopped": stopped,
            "rollout_unfinished": unfinished,
        }


def _failure(rollouts: Dict[str, Any], node: str) -> str:
    return failure(node, rollouts)
