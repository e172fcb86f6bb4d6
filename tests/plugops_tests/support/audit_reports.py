# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports of app servers for tests of what an audit makes of them: healthy, drifted, broken, silent, and hostile."""

from __future__ import annotations

from typing import Any, Dict, List

from ansible_collections.plugops.mattermost.plugins.module_utils._audit.findings import Findings

TREES = {"old": "a1" * 32, "new": "b2" * 32}
HOSTILE = "<script>document.title='owned'</script>\"'&amp;{{ 7*7 }}"


def plugin(version: str = "1.2.0", tree: str = "new", enabled: bool = True, active: Any = True) -> Dict[str, Any]:
    return {"version": version, "tree": TREES[tree], "managed": True, "enabled": enabled, "active": active}


def report(findings: Findings, **more: Any) -> Dict[str, Any]:
    """As mattermost_plugin_info returns it."""
    installed = more.pop("installed", {"com.example.todo": plugin(), "com.example.poll": plugin("2.0.1")})
    return {
        "changed": False,
        "differences": [],
        "errors": [],
        "pending": {"restart": [], "reload": []},
        "expected_restart": [],
        "running": True,
        "plugin_system": "on",
        "plugins": {"server_version": "9.10.0", "installed": installed},
        "settings": {"settings": {"EnableUploads": True}, "states": {}},
        **more,
        "findings": findings.as_list(),
    }


def difference(name: str, found: Any, wanted: Any, action: str) -> Dict[str, Any]:
    return {"name": name, "found": found, "wanted": wanted, "action": action}


def healthy() -> Dict[str, Any]:
    found = Findings()
    found.add("unmanaged-plugin", "com.example.poll", "/opt/mattermost/plugins/com.example.poll has no .filestore")
    return report(found)


def drifted() -> Dict[str, Any]:
    found = Findings()
    found.add("leftovers-in-bin", "/opt/mattermost/bin/data", "/opt/mattermost/bin/data holds 3 files")
    found.add("unmanaged-plugin", "com.example.poll", "/opt/mattermost/plugins/com.example.poll has no .filestore")
    older = {"com.example.todo": plugin("1.1.0", "old"), "com.example.poll": plugin("2.0.1")}
    wanted = difference("plugins.com.example.todo.version", "1.1.0", "1.2.0", "upload the bundle with sha256 5f8c12…")
    return report(found, installed=older, differences=[wanted], expected_restart=["plugins changed on disk: todo"])


def broken() -> Dict[str, Any]:
    found = Findings()
    values = {"user": "mattermost", "group": "mattermost", "service": "mattermost.service", "wanted": "/opt/mattermost"}
    found.add(
        "working-directory-wrong",
        "",
        "WorkingDirectory of mattermost.service is /opt/mattermost/bin, wanted /opt/mattermost "
        "(/etc/systemd/system/mattermost.service.d/50-local.conf:2)",
        values=values,
    )
    found.explain(
        "working-directory-wrong",
        [],
        [],
        "/opt/mattermost/logs/mattermost.log, 2026-11-24 06:49:54 UTC: Failed to start up plugins: mkdir "
        "./client/plugins: no such file or directory (2 times since the last start)",
    )
    found.add(
        "foreign-owner",
        "/opt/mattermost/plugins",
        "/opt/mattermost/plugins (Directory) holds 11 entries not owned by mattermost: com.example.todo, "
        "com.example.todo/assets, com.example.todo/plugin.json and 8 more",
        values=values,
    )
    stopped = {
        "com.example.todo": plugin(active=False),
        "com.example.poll": plugin("2.0.1", enabled=False, active=False),
    }
    changes: List[Dict[str, Any]] = [
        difference("service.WorkingDirectory", "/opt/mattermost/bin", "/opt/mattermost", "write a drop-in"),
        difference("settings.PluginSettings.EnableUploads", False, True, "set in /opt/mattermost/config/config.json"),
    ]
    return report(found, installed=stopped, differences=changes, plugin_system="off")


def hostile() -> Dict[str, Any]:
    """Every text that anybody on a node could choose."""
    found = Findings()
    found.add("manifest-unreadable", f"/plugins/{HOSTILE}", f"{HOSTILE}\x1b[31m", values={"user": HOSTILE})
    changed = difference(f"plugins.{HOSTILE}", HOSTILE, {"a": [HOSTILE]}, HOSTILE)
    return report(
        found,
        installed={HOSTILE: plugin(HOSTILE)},
        differences=[changed],
        errors=[{"concern": "plugins", "msg": HOSTILE}],
        expected_restart=[HOSTILE],
    )


def unreachable() -> Dict[str, Any]:
    return {"changed": False, "unreachable": True, "msg": "Failed to connect to the host via ssh: timed out"}


def cluster() -> Dict[str, Dict[str, Any]]:
    return {"app1": healthy(), "app2": drifted(), "app3": broken(), "app4.example.com": unreachable()}
