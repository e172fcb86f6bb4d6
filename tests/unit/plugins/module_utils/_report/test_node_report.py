# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One report of a node, of resources that find, differ, warn or fail."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.difference import Tracker
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._core.resource import Pending, Resource
from ansible_collections.plugops.mattermost.plugins.module_utils._report import node_report
from ansible_collections.plugops.mattermost.plugins.module_utils._report.node_report import NodeReport


class FakeNode:
    """What a report asks a node; an exception in place of a value is raised."""

    api_only = False
    what_runs = "mattermost.service"

    def __init__(
        self, running: Any = True, plugin_system: Any = "on", enabled: Any = True, systemd: bool = True
    ) -> None:
        self._values = {"running": running, "plugin_system": plugin_system, "enabled": enabled, "systemd": systemd}

    def __getattr__(self, name: str) -> Any:
        value = self._values[name]
        if isinstance(value, Exception):
            raise value
        return value


class Fixed(Resource[None]):
    def __init__(self, name: str, **says: Any) -> None:
        self.name = name
        self.says = says

    def observe(self) -> None:
        if "error" in self.says:
            raise self.says["error"]

    def compare(self, found: None) -> Tracker:
        tracker = Tracker()
        for name in self.says.get("differences", []):
            tracker.add(name, False, True, "fix")
        return tracker

    def pending(self, found: None) -> Pending:
        return Pending(restart=self.says.get("restart", []), reload=self.says.get("reload", []))

    def facts(self, found: None) -> Dict[str, Any]:
        return {"is": self.name}

    def warnings(self, found: None) -> List[str]:
        return list(self.says.get("warnings", []))


Make = Callable[..., NodeReport]


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Make:
    def make(*resources: Resource[Any], **node: Any) -> NodeReport:
        monkeypatch.setattr(node_report, "read_plugin_settings", lambda node: {"Enable": node.enabled})
        made = NodeReport(FakeNode(**node))
        for resource in resources:
            made.add(resource.name, lambda resource=resource: resource)
        return made

    return make


def test_healthy(report: Make) -> None:
    result = report(Fixed("settings"), Fixed("plugins")).result()
    assert result == {
        "settings": {"is": "settings"},
        "plugins": {"is": "plugins"},
        "changed": False,
        "differences": [],
        "errors": [],
        "restart_required": False,
        "reload_required": False,
        "pending": {"restart": [], "reload": []},
        "expected_restart": [],
        "systemd": True,
        "running": True,
        "plugin_system": "on",
        "running_plugins": {},
        "healthy": True,
        "unhealthy": [],
    }


def test_everything_is_collected_once_and_in_order(report: Make) -> None:
    made = report(
        Fixed("a", differences=["a.x", "a.y"], restart=["r1"], reload=["l"], warnings=["w"]),
        Fixed("b", differences=["b.x"], restart=["r1", "r2"], reload=["l"], warnings=["w", "v"]),
    )
    result = made.result()
    assert [difference["name"] for difference in result["differences"]] == ["a.x", "a.y", "b.x"]
    assert result["pending"] == {"restart": ["r1", "r2"], "reload": ["l"]}
    assert (result["restart_required"], result["reload_required"], result["changed"]) == (True, True, False)
    assert made.warnings == ["w", "v"]
    assert result["unhealthy"] == [
        *(f"{name} is not as wanted" for name in ("a.x", "a.y", "b.x")),
        "a restart is pending: r1",
        "a restart is pending: r2",
        "a reload is pending: l",
    ]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OperatorError("the file is broken", where="/c"), "the file is broken (/c)."),
        (PermissionError(13, "Permission denied", "/opt/x"), "Permission denied (/opt/x)"),
        (ValueError("embedded null byte"), "ValueError: embedded null byte"),
        (RecursionError("too deep"), "RecursionError: too deep"),
    ],
)
def test_one_impossible_resource_hides_no_other(report: Make, error: Exception, text: str) -> None:
    result = report(Fixed("a", error=error), Fixed("b", differences=["b.x"])).result()
    assert result["errors"] == [{"concern": "a", "msg": text}]
    assert "a" not in result
    assert result["b"] == {"is": "b"}
    assert result["unhealthy"] == [f"a: {text}", "b.x is not as wanted"]
    assert not result["healthy"]


def test_resource_that_cannot_even_be_made(report: Make) -> None:
    def build() -> Resource[Any]:
        raise OperatorError("unknown key")

    made = report()
    made.add("settings", build)
    assert made.result()["errors"] == [{"concern": "settings", "msg": "unknown key."}]


def test_broken_configuration_stops_several_and_is_told_once(report: Make) -> None:
    error = OperatorError("config.json is truncated")
    result = report(
        Fixed("settings", error=error), Fixed("plugins", error=error), plugin_system=error, enabled=error
    ).result()
    assert result["errors"] == [{"concern": "settings", "msg": "config.json is truncated."}]
    assert (result["running"], result["plugin_system"], result["healthy"]) == (True, "unknown", False)


def test_node_that_cannot_be_asked_is_an_error_of_the_report(report: Make) -> None:
    result = report(running=OperatorError("no unit"), plugin_system=OperatorError("foreign socket")).result()
    assert result["errors"] == [
        {"concern": "service", "msg": "no unit."},
        {"concern": "server", "msg": "foreign socket."},
    ]
    assert (result["running"], result["plugin_system"], result["healthy"]) == (False, "unknown", False)
    result = report(plugin_system="off", enabled=OperatorError("no file")).result()
    assert {"concern": "settings", "msg": "no file."} in result["errors"]


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        ({"running": False, "plugin_system": "unknown"}, "mattermost.service does not run"),
        ({"plugin_system": "off"}, "start-up failed"),
        ({"plugin_system": "off", "enabled": False}, ""),
        ({"plugin_system": "unknown"}, "does not answer yet"),
        ({"systemd": False, "running": False, "plugin_system": "unknown"}, ""),
        ({"systemd": False, "plugin_system": "off"}, ""),
    ],
)
def test_service(report: Make, node: Dict[str, Any], reason: str) -> None:
    result = report(Fixed("a"), **node).result()
    assert result["healthy"] == (not reason)
    assert len(result["unhealthy"]) == (1 if reason else 0)
    assert reason in "".join(result["unhealthy"])


def test_names_of_strangers_make_no_lines_of_their_own(report: Make) -> None:
    odd = "plugins/x\nok: [app1]\x1b[2K"
    result = report(Fixed("a", differences=[odd], restart=[odd])).result()
    shown = r"plugins/x\nok: [app1]\x1b[2K"
    assert result["differences"][0]["name"] == shown
    assert result["pending"]["restart"] == [shown]
    assert result["unhealthy"] == [f"{shown} is not as wanted", f"a restart is pending: {shown}"]
