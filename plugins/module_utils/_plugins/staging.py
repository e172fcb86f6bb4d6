# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring bundles into a node's store before its plugins change, so that nothing is sent after that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List

from .._core.difference import Tracker
from .._core.resource import Pending, Resource
from .aspects import name_of
from .observed import PluginsFound
from .plugin_set import PluginSet
from .wanted import WantedPlugin


@dataclass(frozen=True)
class StagingFound:
    """What the node has, and what of it will change.

    :param differences: of the plugins
    :param lacking: the plugins whose bundle is needed for that, and is not in the store
    """

    plugins: PluginsFound
    differences: Tracker
    lacking: List[WantedPlugin]


class Staging(Resource[StagingFound]):
    """Ensures that the store has every bundle that the plugin set needs to become as wanted."""

    name = "plugins"

    def __init__(self, plugin_set: PluginSet) -> None:
        self._plugins = plugin_set

    def observe(self) -> StagingFound:
        found = self._plugins.observe()
        differences = self._plugins.compare(found)
        return StagingFound(found, differences, self._plugins.lacking(differences))

    def compare(self, found: StagingFound) -> Tracker:
        differences = Tracker()
        for plugin in found.lacking:
            wanted = f"bundle with sha256 {plugin.sha256}"
            differences.add(name_of(plugin, "staged"), None, wanted, "bring it into the node's store")
        return differences

    def check_preconditions(self, found: StagingFound, differences: Tracker) -> None:
        self._plugins.check_preconditions(found.plugins, found.differences)

    def apply(self, found: StagingFound, differences: Tracker) -> None:
        self._plugins.receive(found.differences)

    def pending(self, found: StagingFound) -> Pending:
        return self._plugins.pending(found.plugins)

    def warnings(self, found: StagingFound) -> List[str]:
        return self._plugins.warnings(found.plugins)

    def facts(self, found: StagingFound) -> Dict[str, Any]:
        return self._plugins.facts(found.plugins)
