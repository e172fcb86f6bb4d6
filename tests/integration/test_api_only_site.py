# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One inventory and one roll-out: an ordinary app server, and one of which only the REST API can be reached.

The first is a sandbox. Of the second a server runs, and whatever is tried over its ssh connection would fail.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from plugops_tests.modules.harness import differing
from plugops_tests.modules.place import KEPT_SECRETS, Place, broken_place, running_server
from plugops_tests.sandbox.app_server import NEW, PLUGIN_ID, make_sandbox, plugin_version, remove_sandbox
from plugops_tests.support.bundles import SERVER_EXECUTABLE, make_bundle
from plugops_tests.support.playbooks import Run, run_playbook

pytestmark = pytest.mark.slow

INFO = "plugops.mattermost.mattermost_plugin_info"
ENDS_AT_ONCE = {SERVER_EXECUTABLE: b"#!/bin/sh\nexit 1\n"}


@dataclass(frozen=True)
class Mixed:
    """app1 is ordinary, api1 the REST API of ``place``."""

    inventory: Path
    place: Place
    state: Path

    def play(self, playbook: str, *options: str, may_fail: bool = False, **variables: Any) -> Run:
        given = {"mattermost_plugins": [{"src": self.place.bundle()}], **variables}
        return run_playbook(f"playbooks/{playbook}.yml", self.inventory, given, options, may_fail)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mixed]:
    directory = tmp_path_factory.mktemp("mixed")
    directory.chmod(0o755)
    sandbox, state = directory / "sandbox", directory / "state"
    try:
        (app1,) = make_sandbox(sandbox, names=["app1"])
        with broken_place() as place, running_server(place):
            hosts: Dict[str, Any] = {
                "app1": {
                    "ansible_connection": "local",
                    "ansible_python_interpreter": "{{ ansible_playbook_python }}",
                    "mattermost_root": str(app1.root),
                    "mattermost_server_version": "5.36.1",
                    "mattermost_plugin_settings": {"EnableUploads": True},
                },
                "api1": {
                    **{f"mattermost_{name}": value for name, value in place.api().items()},
                    "ansible_connection": "ssh",
                    "ansible_host": "127.0.0.1",
                    "ansible_port": 1,
                    "mattermost_api_only": True,
                },
            }
            common = {
                "ansible_remote_tmp": str(directory / "tmp"),
                "mattermost_become": False,
                "mattermost_controller_state_dir": str(state),
                "mattermost_health_timeout": 5,
                # What the place has already.
                "mattermost_plugin_configs": {PLUGIN_ID: dict(zip(("token", "pin"), KEPT_SECRETS))},
            }
            inventory = directory / "inventory.json"
            inventory.write_text(json.dumps({"mattermost_app_servers": {"hosts": hosts, "vars": common}}))
            yield Mixed(inventory, place, state)
    finally:
        remove_sandbox(sandbox)


def test_one_roll_out_for_both(mixed: Mixed) -> None:
    """Check mode, roll-out, and then one module call on each and nothing to do."""
    before = mixed.place.snapshot()
    checked = mixed.play("site", "--check")
    predicted = [change for change in checked.changed() if change.startswith("api1")]
    assert predicted == ["api1: plugops.mattermost.app_server : Ensure the plugins"]
    assert differing(before, mixed.place.snapshot()) == []

    done = mixed.play("site")
    assert {change.partition(":")[0] for change in done.changed()} == {"app1", "api1"}
    assert plugin_version(mixed.place.server) == NEW
    record = json.loads(next(mixed.state.glob("nodes/*/uploads.json")).read_text(encoding="utf-8"))
    assert record[PLUGIN_ID]["sha256"] == mixed.place.sha256()
    assert list(mixed.state.glob("**/run-lock.json")) == []

    again = mixed.play("site")
    assert again.changed() == []
    for host in ("app1", "api1"):
        calls = [task["action"] for task in again.tasks if task["host"] == host and "mattermost_" in task["action"]]
        assert calls[:1] == [INFO]
        assert calls.count(INFO) == 1


@pytest.mark.matrix
def test_what_fails_is_not_restored_and_that_is_reported(mixed: Mixed, tmp_path: Path) -> None:
    """There is no checkpoint; the run lock is released, and the next run fixes it."""
    broken = make_bundle(tmp_path, PLUGIN_ID, "1.2.0", server=True, files=ENDS_AT_ONCE)
    wanted = [{"src": str(broken)}]
    run = mixed.play("site", "--limit=api1", may_fail=True, mattermost_plugins=wanted)
    assert run.returncode == 2, run.output
    message = run.tasks[-1]["result"]["msg"]
    assert run.tasks[-1]["host"] == "api1"
    assert "COULD NOT be restored" in message
    assert "no checkpoint is taken of an app server that is managed through its REST API only" in message
    assert list(mixed.state.glob("**/run-lock.json")) != []  # without a lease: it says that something was begun
    assert mixed.play("site", "--limit=api1").returncode == 0
    assert list(mixed.state.glob("**/run-lock.json")) == []
    assert plugin_version(mixed.place.server) == NEW


def test_going_back_is_refused_before_anything_changes(mixed: Mixed) -> None:
    before = mixed.place.snapshot()
    run = mixed.play("rollback", may_fail=True)
    assert run.returncode == 2
    (said,) = [task for task in run.tasks if task["status"] == "failed"]
    assert (said["host"], "--limit" in said["result"]["msg"]) == ("api1", True)
    assert run.changed() == []
    assert differing(before, mixed.place.snapshot()) == []
