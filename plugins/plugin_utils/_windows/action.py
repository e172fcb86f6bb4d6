# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is the same in every action that ensures a resource on a Windows host."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ...module_utils._core.errors import OperatorError
from ...module_utils._core.resource import Resource, ensure
from ...module_utils._core.text import one_line, printable
from .host import WindowsHost, host_of


def run_resource(
    action: Any, result: Dict[str, Any], task_vars: Dict[str, Any], build: Callable[[WindowsHost], Resource[Any]]
) -> Dict[str, Any]:
    """Ensure one resource on the action's host, and answer Ansible."""
    try:
        host = host_of(action, str(task_vars.get("inventory_hostname", "")))
        resource = build(host)
        outcome = ensure(resource, action._task.check_mode)
    except OperatorError as error:
        return {**result, "failed": True, "msg": str(error)}
    answer = {**outcome.result(), resource.name: outcome.facts}
    if not action._task.diff:
        answer.pop("diff")
    if outcome.warnings:
        answer["warnings"] = [one_line(warning) for warning in outcome.warnings]
    return {**result, **dict(printable(answer))}
