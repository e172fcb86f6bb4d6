# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what differs of the wanted plugins to what is to be done, way by way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, List, Mapping, Optional, Sequence, Tuple

from .._bundle.installed import Installed
from .._core.difference import Tracker
from .next_start import signature_of
from .observed import PluginsFound
from .planner import PluginWays
from .strategy import PREPACKAGED, Strategy
from .wanted import WantedPlugin

_FILES_DIFFER = ("version", "files", "stored")
ASPECTS = (*_FILES_DIFFER, "prepackaged", "enabled", "active")


@dataclass(frozen=True)
class Work:
    """What is to be done on one node.

    :param install: plugins whose bundle must get to the server
    :param touched: plugins that differ in anything, those to be removed too
    :param running: plugins that the server shall run at the end
    :param states: id -> enabled, where it differs
    :param installed: id -> what lies in the plugin directory
    :param enabled: id -> state that was found
    :param bundle: path in the node's store
    :param tree: digest of the files of a bundle
    :param signature: detached signature of a bundle, None if it has none
    :param kept: path in the node's store of a bundle of the plugin as it is installed; empty if there is none
    """

    install: Sequence[WantedPlugin]
    touched: Sequence[WantedPlugin]
    running: Sequence[WantedPlugin]
    states: Mapping[str, bool]
    installed: Mapping[str, Installed]
    enabled: Mapping[str, bool]
    bundle: Callable[[WantedPlugin], str]
    tree: Callable[[WantedPlugin], str]
    signature: Callable[[WantedPlugin], Optional[bytes]]
    kept: Callable[[WantedPlugin], str]

    @property
    def gone(self) -> Sequence[WantedPlugin]:
        """Plugins to be removed that are installed."""
        return [plugin for plugin in self.touched if not plugin.present and plugin.id in self.installed]


class PluginWork:
    """
    :param bundle: gives the path of a bundle in the node's store
    :param tree: gives the digest of the files of a bundle
    :param kept: gives the path in the node's store of a bundle of a plugin (id) with these files (digest), or ""
    """

    def __init__(
        self,
        wanted: Sequence[WantedPlugin],
        ways: PluginWays,
        bundle: Callable[[WantedPlugin], str],
        tree: Callable[[WantedPlugin], str],
        kept: Callable[[str, str], str],
    ) -> None:
        self._wanted = wanted
        self._ways = ways
        self._bundle = bundle
        self._tree = tree
        self._kept = kept

    def of(self, found: PluginsFound, differences: Tracker) -> List[Tuple[Strategy, Work]]:
        """What is to be done for each way that is taken."""
        install = self.to_install(differences)
        groups = self._ways.groups(self.touched(differences), install, found)
        return [(way, self._one(plugins, install, found, differences)) for way, plugins in groups]

    def _one(
        self, touched: List[WantedPlugin], install: List[WantedPlugin], found: PluginsFound, differences: Tracker
    ) -> Work:
        asked = {self._ways.asked_for(plugin) for plugin in touched}
        alike = [plugin for plugin in self._wanted if self._ways.asked_for(plugin) in asked]
        return Work(
            install=[plugin for plugin in install if plugin in touched],
            touched=touched,
            running=[plugin for plugin in alike if plugin.must_run],
            states={
                plugin.id: plugin.present and plugin.enabled
                for plugin in touched
                if "enabled" in aspects_of(plugin, differences)
            },
            installed=found.directory.plugins,
            enabled=found.states,
            bundle=self._bundle,
            tree=self._tree,
            signature=signature_of,
            kept=lambda plugin: self._kept_of(plugin, found),
        )

    def _kept_of(self, plugin: WantedPlugin, found: PluginsFound) -> str:
        installed = found.directory.plugins.get(plugin.id)
        return self._kept(plugin.id, installed.tree.digest) if installed is not None else ""

    def to_install(self, differences: Tracker) -> List[WantedPlugin]:
        """Plugins whose bundle must get to the server."""
        return [plugin for plugin in self._wanted if plugin.present and self._need_bundle(plugin, differences)]

    def _need_bundle(self, plugin: WantedPlugin, differences: Tracker) -> bool:
        put = ["prepackaged"] if self._ways.asked_for(plugin) == PREPACKAGED else []
        return bool({*_FILES_DIFFER, *put} & set(aspects_of(plugin, differences)))

    def touched(self, differences: Tracker) -> List[WantedPlugin]:
        """Plugins that differ in anything, those to be removed too."""
        names = set(differences.names())
        return [plugin for plugin in self._wanted if f"plugins.{plugin.id}" in names or aspects_of(plugin, differences)]


def aspects_of(plugin: WantedPlugin, differences: Tracker) -> List[str]:
    """What differs of a plugin."""
    names = set(differences.names())
    return [aspect for aspect in ASPECTS if f"plugins.{plugin.id}.{aspect}" in names]
