# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resources of a server that runs in a test, ensured as the modules ensure them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

from ansible_collections.plugops.mattermost.plugins.module_utils._bundle.store import STORE, Store
from ansible_collections.plugops.mattermost.plugins.module_utils._change.checkpoint_restore import CheckpointRestored
from ansible_collections.plugops.mattermost.plugins.module_utils._change.checkpoint_take import CheckpointTaken
from ansible_collections.plugops.mattermost.plugins.module_utils._core.resource import Outcome, ensure
from ansible_collections.plugops.mattermost.plugins.module_utils._directories.directories import Directories
from ansible_collections.plugops.mattermost.plugins.module_utils._node.node import Node
from ansible_collections.plugops.mattermost.plugins.module_utils._node.options import NodeOptions
from ansible_collections.plugops.mattermost.plugins.module_utils._plugins.plugin_set import PluginSet
from ansible_collections.plugops.mattermost.plugins.module_utils._plugins.wanted import WantedPlugin
from ansible_collections.plugops.mattermost.plugins.module_utils._settings.settings import Settings
from ansible_collections.plugops.mattermost.plugins.plugin_utils._bundles.wanted import BundleFacts, wanted_plugins

from plugops_tests.servers.deployment import PASSWORD, USER, Deployment
from plugops_tests.servers.server_process import unprivileged_user


class Modules:
    """The resources of one deployment, as the modules build them."""

    def __init__(self, deployment: Deployment, version: Tuple[int, ...], state_dir: Path) -> None:
        self._deployment = deployment
        self._version = ".".join(map(str, version[:3]))
        self._state_dir = state_dir
        self._api: Dict[str, str] = {}

    def by_api(self) -> Modules:
        """The same over the REST API, the socket left alone."""
        services = self._deployment.read_config()["ServiceSettings"]
        self._api = {
            "socket": "/nowhere",
            "api_url": f"http://{services['ListenAddress']}",
            "api_username": USER,
            "api_password": PASSWORD,
        }
        return self

    def node(self) -> Node:
        """The app server; its socket is the one of the configuration, if the server has made it."""
        named = self._deployment.read_config()["ServiceSettings"].get("LocalModeSocketLocation")
        socket: Any = named if named and Path(named).exists() else None
        return Node(
            NodeOptions(
                install_dir=str(self._deployment.install),
                service="plugops-no-such.service",
                service_user=unprivileged_user() or str(self._deployment.install.stat().st_uid),
                server_version=self._version,
                state_dir=str(self._state_dir),
                **(self._api or {"socket": socket}),
            ),
            _run,
        )

    def plugins(self, entries: Sequence[Dict[str, object]], check: bool = False, strategy: str = "auto") -> Outcome:
        """Ensure a list of plugins, the bundles in the node's store as after a delivery."""
        node = self.node()
        return ensure(PluginSet(node, self._delivered(node, entries), strategy=strategy), check)

    def _delivered(self, node: Node, entries: Sequence[Dict[str, object]]) -> List[WantedPlugin]:
        wanted, sources = wanted_plugins(entries, str, BundleFacts(str(self._state_dir / "facts.json")))
        store = Store(node.state_path(STORE))
        for sha256, path in sources.items():
            store.add(sha256, path)
        return wanted

    def checkpoint(self, entries: Sequence[Dict[str, object]]) -> Outcome:
        """Take one before these plugins are ensured."""
        node = self.node()
        return ensure(CheckpointTaken(node, coming=self._delivered(node, entries), change=str(entries)), False)

    def rollback(self, check: bool = False, strategy: str = "auto") -> Outcome:
        """To what was before the last change."""
        return ensure(CheckpointRestored(self.node(), strategy=strategy), check)

    def directories(self) -> Outcome:
        return ensure(Directories(self.node(), None, None), False)

    def settings(self, check: bool = False, via: str = "auto", **settings: object) -> Outcome:
        return ensure(Settings(self.node(), settings, {}, {}, channel=via), check)


def _run(argv: Sequence[str]) -> Tuple[int, str, str]:
    done = subprocess.run(list(argv), capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def names(outcome: Outcome) -> List[str]:
    return outcome.differences.names()
