# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring bundles into a node's store before its plugins change: all that is sent is sent then."""

from __future__ import annotations

from typing import Any, Dict, List

from .._core.difference import Tracker
from .._core.resource import Pending, Resource
from .observed import PluginsFound
from .plugin_set import PluginSet


class Staging(Resource[PluginsFound]):
    """Ensures that the store has every bundle that the plugin set needs to become as wanted."""

    name = "plugins"

    def __init__(self, plugin_set: PluginSet) -> None:
        self._plugins = plugin_set

    def observe(self) -> PluginsFound:
        return self._plugins.observe()

    def compare(self, found: PluginsFound) -> Tracker:
        differences = Tracker()
        for plugin in self._plugins.lacking(self._plugins.compare(found)):
            wanted = f"bundle with sha256 {plugin.sha256}"
            differences.add(f"plugins.{plugin.id}.staged", None, wanted, "bring it into the node's store")
        return differences

    def apply(self, found: PluginsFound, differences: Tracker) -> None:
        self._plugins.receive(self._plugins.compare(found))

    def pending(self, found: PluginsFound) -> Pending:
        return self._plugins.pending(found)

    def warnings(self, found: PluginsFound) -> List[str]:
        return self._plugins.warnings(found)

    def facts(self, found: PluginsFound) -> Dict[str, Any]:
        return self._plugins.facts(found)
