# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between the steps of a change a server is waited for, not plugins that come later or were taken back."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from plugops_tests.modules.place import SOCKET, Place, broken_place, running_server
from plugops_tests.support.bundles import make_bundle
from plugops_tests.support.playbooks import Run, run_playbook

MODULES = "plugops.mattermost.mattermost_plugin"
# So that the tasks wait: the service is somebody else's, or was restarted already.
RESTARTED = {"app_server_windows": True, "app_server_restart_required": True, "mattermost_service_managed": False}
PUT_BACK = {
    "app_server_report": {"systemd": False},
    "app_server_rollout": {"before": {"running": True, "plugin_system": "on"}},
    "app_server_by_api": False,
}


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """Its server runs, without the newer plugin of the directory of bundles."""
    with broken_place() as made, running_server(made):
        made.call("mattermost_service_directory", {"root": str(made.server.root)}, False)
        yield made


def play(place: Place, tmp_path: Path, tasks_from: str, given: Dict[str, Any]) -> Run:
    """The tasks as the role has them included, where bundles are wanted from a directory and by a lock file."""
    node = {"root": str(place.server.root), "socket": SOCKET, "server_version": ""}
    later = make_bundle(tmp_path / "bundles" / "later.tar.gz", "com.example.later", "1.0.0")
    sources = {"bundle_directory": str(later.parent), "lock": str(tmp_path / "lock.yml")}
    none = dict.fromkeys(sources, "")
    role = {"name": "plugops.mattermost.app_server", "tasks_from": tasks_from}
    lock = {"name": "Lock file", f"{MODULES}_lock": {"path": sources["lock"], "plugins": [{"src": str(later)}]}}
    checkpoint = {"name": "Checkpoint", f"{MODULES}_checkpoint": none, "register": "app_server_checkpoint"}
    playbook = tmp_path / "play.json"
    content = {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {"group/plugops.mattermost.node": node, "group/plugops.mattermost.sources": sources},
        "tasks": [{**lock, "module_defaults": {}}, checkpoint, {"name": "Tasks", "ansible.builtin.include_role": role}],
    }
    playbook.write_text(json.dumps([content]))
    inventory = tmp_path / "inventory.json"
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory.write_text(json.dumps({"all": {"hosts": {"localhost": here}}}))
    return run_playbook(str(playbook), inventory, {**given, "app_server_node": node, "mattermost_health_timeout": 2})


@pytest.mark.parametrize(("tasks_from", "given"), [("restart", RESTARTED), ("restore", PUT_BACK)])
def test_plugins_that_are_wanted_later_are_not_waited_for(
    place: Place, tmp_path: Path, tasks_from: str, given: Dict[str, Any]
) -> None:
    run = play(place, tmp_path, tasks_from, given)
    (waited,) = run.results(f"{MODULES}_info", "localhost")
    assert waited["unhealthy"] == []
