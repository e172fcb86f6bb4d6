# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three real hosts with broken app servers, there while a block runs."""

from __future__ import annotations

import contextlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence

from plugops_tests.clusters.artifacts import NEW, OLD, make_artifacts, plugin_ids
from plugops_tests.hosts import cluster, requirements, rootfs
from plugops_tests.support import compiling
from plugops_tests.support.playbooks import run_playbook

NAMES = ("app1", "app2", "app3")
VERSION = "5.36.1"


@dataclass(frozen=True)
class TestCluster:
    """The hosts app1 to app3.

    :param artifacts: holds the release and the bundles
    :param inventory: for Ansible
    :param ssh_config: for ssh and testinfra
    """

    __test__ = False  # no test class

    artifacts: Path
    inventory: Path
    ssh_config: Path
    plugins: int

    def wanted(self, plugins: int) -> Dict[str, Any]:
        """The variables of an operator who wants the first ``plugins`` plugins in their new version."""
        return {
            "mattermost_plugin_settings": {"EnableUploads": True},
            "mattermost_plugins": [
                {"src": str(self.artifacts / f"{plugin_id}-{NEW}.tar.gz")} for plugin_id in plugin_ids(plugins)
            ],
        }


def missing() -> List[str]:
    """What this machine lacks to run test hosts; empty if nothing."""
    return requirements.missing("bookworm", rootfs.DEFAULT_CACHE, "")


@contextlib.contextmanager
def broken_cluster(plugins: int, files: int = 0, names: Sequence[str] = NAMES) -> Iterator[TestCluster]:
    """Start three hosts, break their app servers in three ways, take the hosts down afterwards.

    :param plugins: how many plugins there are bundles of
    :param files: filler files in each
    :param names: which of the three are started
    """
    with tempfile.TemporaryDirectory(prefix="plugops-cluster-") as place:
        directory = Path(place)
        make_artifacts(directory / "artifacts", VERSION, plugins, files)
        state_dir = directory / "cluster"
        try:
            group, bind = "mattermost_app_servers", compiling.on_hosts()
            cluster.up(state_dir, cluster.Wanted(tuple(names), "bookworm", group, "deploy", (), bind))
            found = TestCluster(directory / "artifacts", state_dir / "inventory.yml", state_dir / "ssh_config", plugins)
            _break(found, names)
            yield found
        finally:
            cluster.down(state_dir)


def faults(plugins: int) -> Dict[str, Dict[str, Any]]:
    """What is broken on which host: app3 has its local-mode socket, so that bundles are uploaded there."""
    ids = plugin_ids(plugins)
    common = {"broken_working_directory": "", "broken_drop_in": "", "broken_local_mode": False, "broken_plugins": []}
    return {
        "app1": {**common, "broken_plugins": [f"{plugin_id}-{NEW}" for plugin_id in ids]},
        "app2": {**common, "broken_drop_in": "/opt/mattermost/bin"},
        "app3": {**common, "broken_local_mode": True, "broken_plugins": [f"{ids[0]}-{OLD}"]},
    }


def _break(found: TestCluster, names: Sequence[str]) -> None:
    variables = found.inventory.parent / "host_vars"
    variables.mkdir()
    for name in names:
        (variables / f"{name}.yml").write_text(json.dumps(faults(found.plugins)[name]))
    common = {
        "broken_release": str(found.artifacts / f"mattermost-{VERSION}.tar.gz"),
        "broken_bundles": str(found.artifacts),
    }
    run_playbook("molecule/resources/break.yml", found.inventory, common)
