# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.
"""One report of a node: every concern inspected, what stands in the way beside what differs."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from ._ensure import Concern, inspect
from ._errors import OperatorError
from ._node import Node
from ._settings import read_plugin_settings
from ._unit import systemd_is_running


class NodeReport:
    """Collects what the concerns of one node say."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._facts: Dict[str, Any] = {}
        self._differences: List[Dict[str, Any]] = []
        self._errors: List[Dict[str, str]] = []
        self._restart: List[str] = []
        self._reload: List[str] = []
        self._expected_restart: List[str] = []
        self.warnings: List[str] = []

    def add(self, name: str, build: Callable[[], Concern[Any]]) -> None:
        """Inspect one concern; what makes it impossible becomes an error of the report."""
        try:
            outcome = inspect(build())
        except OperatorError as error:
            self._errors.append({"concern": name, "msg": str(error)})
            return
        self._facts[name] = outcome.facts
        self._differences.extend(outcome.differences.as_list())
        self._restart.extend(reason for reason in outcome.pending.restart if reason not in self._restart)
        self._reload.extend(reason for reason in outcome.pending.reload if reason not in self._reload)
        self._expected_restart.extend(outcome.expected_restart)
        self.warnings.extend(warning for warning in outcome.warnings if warning not in self.warnings)

    def result(self) -> Dict[str, Any]:
        """As documented under RETURN of mattermost_plugin_info."""
        unhealthy = self._unhealthy()
        return {
            **self._facts,
            "changed": False,
            "differences": self._differences,
            "errors": self._errors,
            "restart_required": bool(self._restart),
            "reload_required": bool(self._reload),
            "pending": {"restart": self._restart, "reload": self._reload},
            "expected_restart": self._expected_restart,
            "systemd": systemd_is_running(self._node.root),
            "running": self._node.running,
            "plugin_system": self._node.plugin_system,
            "healthy": not unhealthy,
            "unhealthy": unhealthy,
        }

    def _unhealthy(self) -> List[str]:
        reasons = [f"{error['concern']}: {error['msg']}" for error in self._errors]
        reasons += [f"{difference['name']} is not as wanted" for difference in self._differences]
        reasons += [f"a restart is owed: {reason}" for reason in self._restart]
        reasons += [f"a reload is owed: {reason}" for reason in self._reload]
        if systemd_is_running(self._node.root):
            if not self._node.running:
                reasons.append(f"{self._node.service_name} does not run")
            elif self._node.plugin_system == "off" and self._plugins_enabled():
                reasons.append("the server's plugin system is off, its start-up failed: see the server's log")
            elif self._node.server is None and self._node.plugin_system == "unknown":
                reasons.append("the server does not answer yet, neither on its socket nor on its listen address")
        return reasons

    def _plugins_enabled(self) -> bool:
        return bool(read_plugin_settings(self._node).get("Enable", True))
