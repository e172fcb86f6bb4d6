# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rollback.yml on two app servers as plain directories: plan, check mode, back, back again, and forth by name."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from plugops_tests.sandbox.app_server import NEW, OLD, PLUGIN_ID, VERSION, AppServer, make_sandbox, remove_sandbox
from plugops_tests.support.bundles import make_bundle
from plugops_tests.support.playbooks import Run, run_playbook

pytestmark = pytest.mark.slow

OTHER_ID = "com.example.other"
CHECKPOINT = "plugops.mattermost.mattermost_plugin_checkpoint"
NAMES = ("app1", "app2")
ALL_AT_ONCE = {"mattermost_rolling_batch": "100%"}  # where the order is not what is tested
SUMS = "find . -type f -printf '%p %m ' -exec sha256sum {} ';' | sort"


class Cluster:
    """App servers that have what is wanted once :meth:`site` was run."""

    def __init__(self, place: Path) -> None:
        self.sandbox = place / "sandbox"
        self.servers: List[AppServer] = make_sandbox(self.sandbox, names=NAMES)
        self.inventory = place / "inventory.json"
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "ansible_remote_tmp": str(place / "tmp"),
            "mattermost_become": False,
            "mattermost_server_version": VERSION,
        }
        hosts = {server.name: {"mattermost_root": str(server.root)} for server in self.servers}
        self.inventory.write_text(json.dumps({"mattermost_app_servers": {"hosts": hosts, "vars": variables}}))

    def bundle(self, version: str) -> Dict[str, Any]:
        return {"src": str(self.sandbox / "bundles" / f"{PLUGIN_ID}-{version}.tar.gz")}

    def site(self, *plugins: Dict[str, Any], **settings: Any) -> Run:
        wanted = {"mattermost_plugins": list(plugins), "mattermost_plugin_settings": settings, **ALL_AT_ONCE}
        return run_playbook("playbooks/site.yml", self.inventory, wanted)

    def rollback(self, *options: str, may_fail: bool = False, **variables: Any) -> Run:
        given = {f"mattermost_rollback_{name}": value for name, value in variables.items()}
        return run_playbook("playbooks/rollback.yml", self.inventory, {**given, **self.hooks()}, options, may_fail)

    def hooks(self) -> Dict[str, Any]:
        """Each notes in a file that it ran, and for which app server."""
        found = {}
        for name in ("drain", "undrain"):
            path = self.sandbox.parent / f"{name}.yml"
            noted = {"path": str(self.sandbox.parent / "hooks"), "create": True, "mode": "0644"}
            line = {"line": f"{name} {{{{ inventory_hostname }}}} {{{{ 99999999 | random }}}}"}
            task = {"name": "Note it", "ansible.builtin.lineinfile": {**noted, **line}}
            path.write_text(json.dumps([task]))
            found[f"mattermost_{name}_tasks"] = str(path)
        return found

    def hooks_seen(self) -> List[str]:
        path = self.sandbox.parent / "hooks"
        seen = [line.rpartition(" ")[0] for line in path.read_text().splitlines()] if path.exists() else []
        path.unlink(missing_ok=True)
        return seen

    def sums(self) -> Dict[str, str]:
        """Path, mode and SHA-256 of every file of every plugin, by app server, as other programs see them."""
        return {
            server.name: subprocess.run(
                SUMS, shell=True, cwd=server.install_dir / "plugins", capture_output=True, text=True, check=True
            ).stdout
            for server in self.servers
        }


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    place = tmp_path_factory.mktemp("rollback")
    for directory in (place, *place.parents):
        if directory.owner() != "root" or directory == place:
            directory.chmod(0o755)
    made = Cluster(place)
    try:
        yield made
    finally:
        remove_sandbox(made.sandbox)


def going_back(run: Run) -> Dict[str, bool]:
    """Host -> whether the first look said that something goes back."""
    return {name: run.results(CHECKPOINT, name)[0]["changed"] for name in NAMES}


def test_back_without_a_bundle_and_back_again_changes_nothing(cluster: Cluster) -> None:
    cluster.site(cluster.bundle(OLD))
    before = cluster.sums()
    other = {"src": str(make_bundle(cluster.sandbox / "bundles", OTHER_ID, "3.0.0"))}
    cluster.site(cluster.bundle(NEW), other, EnableHealthCheck=False)
    changed = cluster.sums()
    assert all(changed[name] != before[name] for name in NAMES)

    checked = cluster.rollback("--check")
    assert cluster.sums() == changed
    assert going_back(checked) == dict.fromkeys(NAMES, True)
    assert f"plugins.{PLUGIN_ID}.version: {NEW} -> {OLD}" in checked.output
    targets = {checked.results(CHECKPOINT, name)[0]["checkpoint"]["name"] for name in NAMES}
    assert len(targets) == 1, "the app servers cannot all go back by one name"
    cluster.hooks_seen()

    run = cluster.rollback()
    assert cluster.sums() == before
    assert [task for task in run.tasks if task["action"].endswith(".mattermost_plugin")] == []
    assert "delivered" not in json.dumps(run.tasks)
    assert cluster.hooks_seen() == [f"{hook} {name}" for name in NAMES for hook in ("drain", "undrain")]

    again = cluster.rollback()
    assert again.changed() == []
    assert cluster.hooks_seen() == []
    assert cluster.sums() == before

    (undo,) = {
        item["name"]
        for name in NAMES
        for item in run.results(CHECKPOINT, name)[1]["checkpoints"]
        if item["name"].startswith("before-rollback-")
    }
    cluster.rollback(checkpoint=undo)
    assert cluster.sums() == changed
