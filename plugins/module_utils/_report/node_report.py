# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One report of a node: every resource inspected, errors beside differences."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Callable, Dict, List, Sequence, TypeVar

from .._core.errors import INPUT_ERRORS, OperatorError, text_of
from .._core.resource import Resource, inspect
from .._core.text import in_lines
from .._node.node import Node
from .._plugins.running import Evidence, look
from .._plugins.wanted import WantedPlugin
from .._settings.effective import read_plugin_settings

T = TypeVar("T")


class NodeReport:
    """Collects what the resources of one node report."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._facts: Dict[str, Any] = {}
        self._differences: List[Dict[str, Any]] = []
        self._errors: List[Dict[str, str]] = []
        self._restart: List[str] = []
        self._reload: List[str] = []
        self._expected_restart: List[str] = []
        self._running: Dict[str, Evidence] = {}
        self.warnings: List[str] = []

    def look_at(self, wanted: Sequence[WantedPlugin]) -> None:
        """See whether the server runs the plugins that it must run."""
        self._running = self._ask("plugins", lambda: look(self._node, wanted), {})

    def add(self, name: str, build: Callable[[], Resource[Any]]) -> None:
        """Inspect one resource; an exception becomes an error of the report."""
        try:
            outcome = inspect(build())
        except (OperatorError, OSError, *INPUT_ERRORS) as error:
            self._add_error(name, error)
            return
        self._facts[name] = outcome.facts
        self._differences.extend(outcome.differences.as_list())
        self._restart.extend(reason for reason in outcome.pending.restart if reason not in self._restart)
        self._reload.extend(reason for reason in outcome.pending.reload if reason not in self._reload)
        self._expected_restart.extend(outcome.expected_restart)
        self.warnings.extend(warning for warning in outcome.warnings if warning not in self.warnings)

    def result(self) -> Dict[str, Any]:
        """The result as documented under RETURN of mattermost_plugin_info."""
        # Before the errors are read: each question that fails adds one.
        running = self._ask("service", lambda: self._node.running, False)
        plugin_system = self._ask("server", lambda: self._node.plugin_system, "unknown")
        unhealthy = self._unhealthy(running, plugin_system)
        return {
            **self._facts,
            "changed": False,
            "differences": self._differences,
            "errors": self._errors,
            "restart_required": bool(self._restart),
            "reload_required": bool(self._reload),
            "pending": in_lines({"restart": self._restart, "reload": self._reload}),
            "expected_restart": in_lines(self._expected_restart),
            "systemd": self._node.systemd,
            "running": running,
            "plugin_system": plugin_system,
            "running_plugins": {plugin_id: asdict(evidence) for plugin_id, evidence in self._running.items()},
            "healthy": not unhealthy,
            "unhealthy": in_lines(unhealthy),  # what a play fails with
        }

    def _add_error(self, resource: str, error: Exception) -> None:
        text = text_of(error)
        if text not in [known["msg"] for known in self._errors]:  # one cause often stops several resources
            self._errors.append({"concern": resource, "msg": text})

    def _ask(self, resource: str, question: Callable[[], T], unknown: T) -> T:
        try:
            return question()
        except (OperatorError, OSError, *INPUT_ERRORS) as error:
            self._add_error(resource, error)
            return unknown

    def _unhealthy(self, running: bool, plugin_system: str) -> List[str]:
        enabled = self._ask("settings", self._plugins_enabled, True) if plugin_system == "off" else True
        reasons = [f"{error['concern']}: {error['msg']}" for error in self._errors]
        reasons += [f"{difference['name']} is not as wanted" for difference in self._differences]
        reasons += [f"a restart is pending: {reason}" for reason in self._restart]
        reasons += [f"a reload is pending: {reason}" for reason in self._reload]
        names = [difference["name"] for difference in self._differences]
        for plugin_id, evidence in self._running.items():
            # Where the plugin differs it cannot run yet.
            if evidence.runs is False and not any(name.startswith(f"plugins.{plugin_id}.") for name in names):
                reasons.append(f"the server does not run {plugin_id}, as seen by {evidence.by}: {evidence.found}")
        if self._node.systemd or self._node.api_only:
            if not running:
                reasons.append(f"{self._node.what_runs} does not run")
            elif plugin_system == "off" and enabled:
                reasons.append("the server's plugin system is off, its start-up failed: see the server's log")
            elif plugin_system == "unknown":
                reasons.append("the server does not answer yet, neither on its socket nor on its listen address")
        return reasons

    def _plugins_enabled(self) -> bool:
        return bool(read_plugin_settings(self._node).get("Enable", True))
