# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at what a node has of plugins: everything that a comparison with the wanted ones needs."""

from __future__ import annotations

import posixpath
from typing import Any, Dict, List, Mapping, Optional, Sequence, Set

from .._bundle.installed import Installed, PluginDirectory, scan_plugins
from .._bundle.store import STORE, Store
from .._bundle.tree import DigestCache, describe_changes, tree_digest
from .._config.document import section_in
from .._config.plugin_settings import SECTION, enabled_ids, takes_uploads
from .._node.node import Node
from .._server import features
from .._server.errors import PluginsDisabled
from .._settings.effective import expected_plugin_settings, read_plugin_settings
from .._startup.filestore import Filestore, StoredBundle
from .._startup.prepackaged import Prepackaged, PrepackagedBundle
from .client_files import ClientLeftovers
from .observed import Places, PluginsFound
from .selection import Selection
from .situation import Situation
from .wanted import WantedPlugin


class Observer:
    """Looks at one node.

    :param cache: digests of files that were read before; None: read them again
    :param named: host paths that the operator names for PluginSettings.Directory and ClientDirectory
    :param coming: PluginSettings that the server gets before its plugins change; None: not known
    """

    def __init__(
        self,
        node: Node,
        wanted: Sequence[WantedPlugin],
        selection: Selection,
        store: Store,
        cache: Optional[DigestCache],
        named: Mapping[str, Optional[str]],
        coming: Optional[Mapping[str, Any]],
    ) -> None:
        self._node = node
        self._wanted = wanted
        self._selection = selection
        self._store = store
        self._cache = cache
        self._named = named
        self._coming = coming
        self._situation: Optional[Situation] = None

    def observe(self) -> PluginsFound:
        """What the node has.

        :raises OperatorError: something of it cannot be seen, or a directory is not this app server's
        """
        directory, states, active = self._plugins(), self._states(), self._active()
        filestore = self._filestore()
        stored = self._stored_bundles(filestore)
        left = self._client_leftovers()
        prepackaged = self._prepackaged()
        # Once: an upload changes what is stored and managed, and must not change which strategy was right.
        self._situation = self._situation or self._look_at_situation(directory, filestore, stored)
        trees = self._trees()
        return PluginsFound(
            directory=directory,
            states=states,
            active=active,
            filestore=stored,
            client_leftovers=left,
            places=self._places(filestore, prepackaged),
            situation=self._situation,
            settings=self._expected() if self._wanted else {},
            prepackaged=self._prepackaged_bundles(prepackaged),
            trees=trees,
            changed_files=self._changed_files(directory, trees),
            uploads=self._uploads(),
        )

    def place(self, key: str) -> str:
        """Host path of one of the two directories.

        :param key: of PluginSettings
        :raises OperatorError: it is not this app server's
        """
        named = self._named[key]
        path = self._node.resolve(named or read_plugin_settings(self._node)[key])
        name = f"refuse {key} {path}"
        self._node.once(name, lambda: self._node.refuse_foreign(f"PluginSettings.{key}", path, named=bool(named)))
        return path

    def _plugins(self) -> PluginDirectory:
        return scan_plugins(self.place("Directory"), self._node.root, self._cache)

    def _places(self, filestore: Optional[Filestore], prepackaged: Optional[Prepackaged]) -> Places:
        return Places(
            directory=self.place("Directory"),
            client_directory=self.place("ClientDirectory"),
            store=posixpath.join(self._node.state_dir, STORE),
            filestore=filestore.directory if filestore else "",
            prepackaged=prepackaged.directory if prepackaged else "",
        )

    def _states(self) -> Dict[str, bool]:
        return enabled_ids(read_plugin_settings(self._node)["PluginStates"])

    def _active(self) -> Optional[Dict[str, str]]:
        server = self._node.server
        if server is None:
            return None
        try:
            return server.running()
        except PluginsDisabled:  # or their start-up failed: the resources directories and settings deal with that
            return None

    def _client_leftovers(self) -> Set[str]:
        absent = [plugin.id for plugin in self._wanted if not plugin.present]
        return ClientLeftovers(self._node, self.place("ClientDirectory")).of(absent)

    # what the server installs when it starts

    def _filestore(self) -> Optional[Filestore]:
        return Filestore(self._node, self._cache) if features.FILESTORE.in_version(self._node.version) else None

    def _stored_bundles(self, filestore: Optional[Filestore]) -> Dict[str, StoredBundle]:
        if filestore is None:
            return {}
        with_versions = {item.id for item in self._wanted if self._selection.request(item).compares_versions}
        return filestore.bundles({plugin.id for plugin in self._wanted if plugin.present}, with_versions)

    def _prepackaged(self) -> Optional[Prepackaged]:
        return Prepackaged(self._node, self._cache) if features.PREPACKAGED.in_version(self._node.version) else None

    def _prepackaged_bundles(self, prepackaged: Optional[Prepackaged]) -> Dict[str, List[PrepackagedBundle]]:
        return prepackaged.bundles({plugin.id for plugin in self._wanted}) if prepackaged else {}

    # which strategies can be used

    def _look_at_situation(
        self, directory: PluginDirectory, filestore: Optional[Filestore], stored: Mapping[str, StoredBundle]
    ) -> Situation:
        present = [plugin.id for plugin in self._wanted if plugin.present]
        marked = [i for i in present if i in directory.plugins and directory.plugins[i].managed]
        return Situation(
            version=self._node.version,
            reachable=self._node.server is not None,
            uploads=self._takes_uploads(),
            filestore_blocker=filestore.problem if filestore else "this server installs nothing from its filestore",
            managed=bool(marked or set(present) & set(stored)),
            api_url=(self._node.options.api_url or "") if self._node.api_only else "",
        )

    def _takes_uploads(self) -> bool:
        """Whether the server takes uploads, if a strategy depends on that."""
        if not any(self._selection.request(plugin).depends_on_uploads for plugin in self._wanted):
            return False
        if self._node.server is None or self._node.api_only:
            return False
        if self._coming is not None:
            return takes_uploads(self._expected())
        return takes_uploads(section_in(self._node.live_config or {}, SECTION, "the running server's configuration"))

    def _expected(self) -> Mapping[str, Any]:
        """PluginSettings that the server will have when its plugins change, as far as that is known."""
        if self._coming is None:
            return read_plugin_settings(self._node)
        return expected_plugin_settings(self._node, self._coming)

    # bundles

    def _trees(self) -> Dict[str, str]:
        """Of the bundles that the controller has not read."""
        unread = [plugin.sha256 for plugin in self._wanted if plugin.present and plugin.sha256 and not plugin.tree]
        files = {sha256: self._store.files(sha256) for sha256 in unread}
        return {sha256: tree_digest(found) for sha256, found in files.items() if found is not None}

    def _changed_files(self, directory: PluginDirectory, trees: Mapping[str, str]) -> Dict[str, str]:
        """Of plugins that are installed in the wanted version, with other files."""
        installed_too = [
            (plugin, directory.plugins[plugin.id])
            for plugin in self._wanted
            if plugin.present and plugin.sha256 and plugin.id in directory.plugins
        ]
        return {
            plugin.id: self._describe_files(plugin, installed)
            for plugin, installed in installed_too
            if installed.version == plugin.version
            and installed.tree.digest != (plugin.tree or trees.get(plugin.sha256, ""))
        }

    def _describe_files(self, plugin: WantedPlugin, installed: Installed) -> str:
        wanted = self._store.files(plugin.sha256)
        if wanted is None:
            return f"other files than in the bundle (tree {installed.tree.digest[:12]})"
        return describe_changes(installed.tree.files, wanted)

    def _uploads(self) -> Mapping[str, Mapping[str, str]]:
        """Our record of the last uploads, needed only if files cannot be read."""
        return {}
