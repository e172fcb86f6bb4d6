# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks on an app server whose service account is an attacker."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping

from plugops_tests.security.attacks import Target
from plugops_tests.support.playbooks import Run, run_playbook


@dataclass(frozen=True)
class Deployment:
    """One app server in an inventory.

    :param version: of its server
    """

    found: Target
    version: str

    def inventory(self) -> Path:
        path = self.found.place.directory / "inventory.json"
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "ansible_remote_tmp": str(self.found.place.directory / "tmp"),
            "mattermost_become": False,
            "mattermost_server_version": self.version,
            "mattermost_health_timeout": 1,
        }
        hosts = {"app3": {"mattermost_root": str(self.found.place.server.root)}}
        path.write_text(json.dumps({"mattermost_app_servers": {"hosts": hosts, "vars": variables}}), encoding="utf-8")
        return path

    def run(self, playbook: str, variables: Mapping[str, Any], may_fail: bool = True) -> Run:
        """One that fails says why: no error of Python's own."""
        run = run_playbook(f"playbooks/{playbook}.yml", self.inventory(), variables, may_fail=may_fail)
        assert "Traceback" not in run.output, run.output
        assert "MODULE FAILURE" not in run.output, run.output
        return run

    def wanted(self, version: str) -> Mapping[str, Any]:
        return {
            "mattermost_plugins": [{"src": self.found.place.bundle(version)}],
            "mattermost_plugin_settings": {"EnableUploads": True},
        }


def failures(run: Run) -> str:
    """What the tasks that failed said."""
    return "\n".join(str(task["result"].get("msg")) for task in run.tasks if task["status"] == "failed")
