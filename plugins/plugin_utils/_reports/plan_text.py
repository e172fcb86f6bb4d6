# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports in words: what an operator reads on the terminal."""

from __future__ import annotations

from typing import Any, List, Mapping

from ...module_utils._core.text import one_line

_WIDTH = 68


def plan_lines(reports: Mapping[str, Mapping[str, Any]]) -> List[str]:
    """What site.yml would change, node by node.

    :param reports: node -> what mattermost_plugin_info returned there
    """
    lines: List[str] = []
    for node, report in sorted(reports.items()):
        lines.extend(_node_lines(node, report))
    return [one_line(line) for line in lines]


def _node_lines(node: str, report: Mapping[str, Any]) -> List[str]:
    if report.get("failed") or "differences" not in report:
        return [f"{node}: no report: {report.get('msg') or 'the task did not run to its end there'}"]
    differences = report["differences"] or []
    errors = report.get("errors") or []
    later = report.get("after_restart") or []
    if not differences and not errors and not later:
        begun = "a change was begun and not ended, it would be ended" if report.get("unfinished") else "nothing to do"
        return [f"{node}: {begun}" + _restart(report)]
    lines = [f"{node}: {len(differences)} to change" + _restart(report)]
    for difference in differences:
        lines.append(f"  {difference['name']}: {_value(difference['found'])} -> {_value(difference['wanted'])}")
        lines.append(f"      {difference['action']}")
    lines.extend(f"  known once the service runs ({error['concern']}): {error['msg']}" for error in later)
    lines.extend(f"  NOT POSSIBLE ({error['concern']}): {error['msg']}" for error in errors)
    return lines


def rollback_lines(plans: Mapping[str, Mapping[str, Any]]) -> List[str]:
    """What rollback.yml would restore, node by node, and the other checkpoints.

    :param plans: node -> what mattermost_plugin_checkpoint returned there in check mode
    """
    lines: List[str] = []
    for node, plan in sorted(plans.items()):
        if "checkpoint" not in plan:
            lines.append(f"{node}: no plan: {plan.get('msg') or 'the task did not run to its end there'}")
            continue
        target = plan["checkpoint"]
        to = f"{target['name']}, taken {target['taken']}"
        first, *differences = _node_lines(node, plan)
        lines.append(f"{first}, to be as in checkpoint {to}")
        lines.extend(differences)
        others = [item["name"] for item in plan["checkpoints"] if item["name"] != target["name"]]
        lines.append(f"  other checkpoints: {', '.join(reversed(others)) or 'none'}")
    return [one_line(line) for line in lines]


def _restart(report: Mapping[str, Any]) -> str:
    pending = (report.get("pending") or {}).get("restart") or []
    reasons = [*pending, *(report.get("expected_restart") or [])]
    return f", and a restart ({'; '.join(reasons)})" if reasons else ""


def _value(value: Any) -> str:
    if value is None:
        return "(none)"
    text = str(value)
    return text if len(text) <= _WIDTH else text[: _WIDTH - 3] + "..."
