# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node has of plugins: in its directories, its configuration, its filestore, its running server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Set

from .._bundle.installed import PluginDirectory
from .._core.errors import OperatorError
from .._startup.filestore import StoredBundle
from .._startup.prepackaged import PrepackagedBundle
from .._startup.prepackaged_rules import REQUIRE_SIGNATURE, Rules, rules_of
from .situation import Situation
from .wanted import WantedPlugin


@dataclass(frozen=True)
class Places:
    """Host paths.

    :param directory: PluginSettings.Directory
    :param client_directory: PluginSettings.ClientDirectory
    :param store: our store of bundles
    :param filestore: the folder of the server's filestore that it installs from; empty if it cannot be used
    :param prepackaged: the folder of the bundles that the server brings along; empty if the server has none
    """

    directory: str
    client_directory: str
    store: str
    filestore: str = ""
    prepackaged: str = ""


@dataclass(frozen=True)
class PluginsFound:
    """What the node has. Everything that a comparison needs is in it.

    :param states: id -> enabled, in the configuration in effect
    :param active: id -> version that the server runs now; None if no server answers
    :param filestore: id -> bundle that the server installs from its filestore at its next start
    :param client_leftovers: ids of plugins to be removed of which files for browsers are left
    :param settings: PluginSettings that are in effect, or that will be once they are as wanted
    :param prepackaged: id -> bundles that the server brings along, the newest first
    :param trees: sha256 -> digest of the files of a bundle, as far as only our store knows it
    :param changed_files: id -> in which files an installed plugin of the wanted version differs, in words
    :param uploads: id -> our record of the last upload, on a node that is reached through its API alone
    """

    directory: PluginDirectory
    states: Dict[str, bool]
    active: Optional[Dict[str, str]]
    filestore: Dict[str, StoredBundle]
    client_leftovers: Set[str]
    places: Places
    situation: Situation
    settings: Mapping[str, Any]
    prepackaged: Dict[str, List[PrepackagedBundle]] = field(default_factory=dict)
    trees: Mapping[str, str] = field(default_factory=dict)
    changed_files: Mapping[str, str] = field(default_factory=dict)
    uploads: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def rules(self) -> Optional[Rules]:
        """When the server installs what it brings along; None if it brings nothing along in a folder."""
        return rules_of(self.situation.version, self.settings)

    @property
    def requires_signatures(self) -> bool:
        """Whether the server takes plugins only with a signature."""
        return bool(self.settings.get(REQUIRE_SIGNATURE))

    def tree_of(self, plugin: WantedPlugin) -> str:
        """Digest of the files of a wanted bundle.

        :raises OperatorError: neither the controller nor our store knows the bundle
        """
        tree = plugin.tree or self.trees.get(plugin.sha256, "")
        if not tree:
            raise OperatorError(
                f"the bundle of {plugin.id} is not in this node's store",
                where=self.places.store,
                wanted=f"sha256 {plugin.sha256}",
                remedy="specify src, the bundle's path on the controller",
            )
        return tree

    def is_installed(self, plugin: WantedPlugin) -> bool:
        """Whether a plugin is installed as wanted; one without a bundle of its own, in any version."""
        installed = self.directory.plugins.get(plugin.id)
        if installed is None or plugin.from_server:
            return installed is not None
        return installed.version == plugin.version and installed.tree.digest == self.tree_of(plugin)

    def is_stored(self, plugin: WantedPlugin) -> bool:
        """Whether the wanted bundle is in the server's filestore."""
        stored = self.filestore.get(plugin.id)
        return stored is not None and stored.sha256 == plugin.sha256

    def state_of(self, plugin: WantedPlugin) -> Optional[bool]:
        """Whether a plugin is enabled; None for one that the server may enable by itself, because it brings it along
        and the configuration does not name it."""
        return self.states.get(plugin.id, None if plugin.id in self.prepackaged else False)
