# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wanted list of plugins against what one node has: files, state, and whether the server runs them."""

from __future__ import annotations

import base64
import contextlib
import posixpath
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from .._bundle.installed import Installed, scan_plugins
from .._bundle.manifest import check_id
from .._bundle.store import Store
from .._bundle.tree import DigestCache, describe_changes, tree_digest
from .._config.plugin_settings import enabled_ids
from .._core.difference import Tracker
from .._core.errors import OperatorError
from .._core.resource import Pending, Resource
from .._host.reading import is_directory
from .._node.node import Node
from .._server import features
from .._server.errors import PluginsDisabled
from .._settings.effective import expected_plugin_settings, read_plugin_settings
from .._startup.filestore import Filestore, StoredBundle
from .._startup.prepackaged import Prepackaged, PrepackagedBundle
from .client_files import ClientLeftovers
from .jobs import PluginWork, aspects_of
from .next_start import NextStart
from .observed import PluginsFound
from .planner import PluginWays
from .preconditions import refuse_doubtful_place, refuse_embedded, refuse_older_server
from .strategy import AUTO, FILESTORE, PREPACKAGED, UNPACK, UPLOAD, Strategy
from .wanted import WantedPlugin

STORE = "bundles"
CACHE = "trees.json"
_AT_NEXT_START = (UNPACK, FILESTORE, PREPACKAGED)


class PluginSet(Resource[PluginsFound]):
    """Ensures a list of plugins.

    :param strategy: one of the names in :mod:`_strategy`
    :param directory: PluginSettings.Directory that the server will have; default: the one it has
    :param client_directory: likewise PluginSettings.ClientDirectory
    :param settings: PluginSettings that the server gets before its plugins change; None: not known
    :param delivery: path of a tar with the bundles that the node lacked, ``<sha256>.tar.gz`` each
    :param download: brings a bundle (URL, sha256) into the store, of those that the node gets itself
    :param full: read every file again instead of trusting the digests of unchanged files
    :param list_files: let the facts name every file, so that nodes can be compared file by file
    :param leave_prepackaged: another resource sees to the bundles that the server brings along
    :ivar chosen: the way that bundles take, once one had to be chosen
    """

    name = "plugins"
    ways_class = PluginWays

    def __init__(
        self,
        node: Node,
        wanted: Sequence[WantedPlugin],
        *,
        strategy: str = AUTO,
        directory: Optional[str] = None,
        client_directory: Optional[str] = None,
        settings: Optional[Mapping[str, Any]] = None,
        delivery: Optional[str] = None,
        download: Optional[Callable[[str, str, Store], None]] = None,
        full: bool = False,
        list_files: bool = False,
        leave_prepackaged: bool = False,
    ) -> None:
        self._node = node
        self._wanted = list(wanted)
        self._delivery = delivery
        self._download = download
        self._given = {"Directory": directory, "ClientDirectory": client_directory}
        self._settings = settings
        self._store = Store(node.state_path(STORE))
        self._cache = DigestCache(node.state_path(CACHE))
        self._full = full
        self._list_files = list_files
        self._ways = self.ways_class(
            node,
            self._wanted,
            strategy,
            lambda: self._filestore,
            lambda: self._prepackaged,
            lambda: self._directory,
            None if settings is None else self._expected,
        )
        self._work = PluginWork(
            self._wanted,
            self._ways,
            lambda plugin: self._store.path(plugin.sha256),
            self._tree_of,
            self._store.path_of,
        )
        self._next = NextStart(
            node, lambda: self._filestore, lambda: self._prepackaged, self._expected, leave_prepackaged
        )
        self.chosen: Optional[Strategy] = None

    @property
    def _absent(self) -> List[str]:
        return [plugin.id for plugin in self._wanted if not plugin.present]

    @property
    def _directory(self) -> str:
        return self._place("Directory")

    @property
    def _client_directory(self) -> str:
        return self._place("ClientDirectory")

    def _place(self, key: str) -> str:
        """Host path of one of the two directories.

        :raises OperatorError: it is not this app server's
        """
        given = self._given[key]
        path = self._node.resolve(given or read_plugin_settings(self._node)[key])
        name = f"refuse {key} {path}"
        self._node.once(name, lambda: self._node.refuse_foreign(f"PluginSettings.{key}", path, named=bool(given)))
        return path

    # observe

    def observe(self) -> PluginsFound:
        return PluginsFound(
            directory=scan_plugins(self._directory, self._node.root, None if self._full else self._cache),
            states=self._states(),
            active=self._active(),
            filestore=self._stored_bundles(),
            client_leftovers=ClientLeftovers(self._node, self._client_directory).of(self._absent),
            prepackaged=self._prepackaged_bundles(),
        )

    def save_cache(self) -> None:
        """Keep the digests that this run had to compute; where that cannot be done the next run computes them again."""
        with contextlib.suppress(OSError):
            self._cache.save()

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

    @property
    def _filestore(self) -> Filestore:
        return Filestore(self._node, None if self._full else self._cache)

    @property
    def _prepackaged(self) -> Prepackaged:
        return Prepackaged(self._node, None if self._full else self._cache)

    def _stored_bundles(self) -> Dict[str, StoredBundle]:
        if not features.FILESTORE.in_version(self._node.version):
            return {}
        coming = {plugin.id for plugin in self._wanted if self._ways.asked_for(plugin) == PREPACKAGED}
        return self._filestore.bundles({plugin.id for plugin in self._wanted if plugin.present}, coming)

    def _prepackaged_bundles(self) -> Dict[str, List[PrepackagedBundle]]:
        if not features.PREPACKAGED.in_version(self._node.version):
            return {}
        return self._prepackaged.bundles({plugin.id for plugin in self._wanted})

    # compare

    def compare(self, found: PluginsFound) -> Tracker:
        differences = Tracker()
        for plugin in self._wanted:
            refuse_doubtful_place(plugin, found.directory, self._directory)
            if plugin.present:
                self._compare_present(plugin, found, differences)
            else:
                self._compare_absent(plugin, found, differences)
        for way, work in self._work.of(found, differences):
            self._ways.installer(way).check(work)
        return differences

    def _compare_present(self, plugin: WantedPlugin, found: PluginsFound, differences: Tracker) -> None:
        if plugin.from_server:
            self._next.refuse_without_bundle(plugin, found)
            self._compare_state(plugin, found, differences)
            return
        refuse_embedded(plugin, self._node.version)
        refuse_older_server(plugin, self._node.version)
        check_id(plugin.written_id or plugin.id, self._node.version)
        asked, tree = self._ways.asked_for(plugin), self._tree_of(plugin)
        if asked == PREPACKAGED:
            self._way(plugin, found)  # raises where it is not open
        self._next.refuse(plugin, tree, asked, found)
        before = len(differences)
        if self._fits(plugin, found) or self._lies_ready(plugin, found):
            self._next.compare(plugin, asked, lambda: self._how(plugin, found), found, differences)
        else:
            self._compare_files(plugin, found, differences)
        if asked != PREPACKAGED:
            self._next.compare_prepackaged(plugin, found, differences)
        self._compare_state(plugin, found, differences)
        # What was unpacked runs after the restart only; an upload is done when the server runs it.
        asked_now = asked not in _AT_NEXT_START and found.active is not None
        if len(differences) == before and plugin.must_run and asked_now and self._way(plugin, found).name == UPLOAD:
            version = (found.active or {}).get(plugin.id)
            differences.add(f"plugins.{plugin.id}.active", version, plugin.version, "enable again, wait until it runs")

    def _fits(self, plugin: WantedPlugin, found: PluginsFound) -> bool:
        """Whether the plugin is installed as wanted; one that nobody gives a bundle of, in any version."""
        installed = found.directory.plugins.get(plugin.id)
        if installed is None or plugin.from_server:
            return installed is not None
        return installed.version == plugin.version and installed.tree.digest == self._tree_of(plugin)

    def _lies_ready(self, plugin: WantedPlugin, found: PluginsFound) -> bool:
        """Whether the server has what it is to install at its next start."""
        return any(
            self._next.has(plugin, way, found) and self._way(plugin, found).name == way
            for way in (FILESTORE, PREPACKAGED)
        )

    def _compare_files(self, plugin: WantedPlugin, found: PluginsFound, differences: Tracker) -> None:
        name, installed = f"plugins.{plugin.id}", found.directory.plugins.get(plugin.id)
        if installed is None or installed.version != plugin.version:
            found_version = installed.version if installed else None
            differences.add(f"{name}.version", found_version, plugin.version, self._how(plugin, found))
        else:
            differences.add(
                f"{name}.files",
                self._describe_files(plugin, installed),
                f"as in the bundle with sha256 {plugin.sha256}",
                self._how(plugin, found),
            )

    def _compare_state(self, plugin: WantedPlugin, found: PluginsFound, differences: Tracker) -> None:
        state = _state(plugin, found)
        verb = "enable" if plugin.enabled else "disable"
        differences.add(f"plugins.{plugin.id}.enabled", state, plugin.enabled, f"{verb} the plugin")

    def _compare_absent(self, plugin: WantedPlugin, found: PluginsFound, differences: Tracker) -> None:
        name = f"plugins.{plugin.id}"
        installed = found.directory.plugins.get(plugin.id)
        if installed is not None:
            differences.add(name, installed.version, None, f"remove {installed.path}")
        elif plugin.id in found.filestore:
            differences.add(name, "in the filestore", None, f"remove {found.filestore[plugin.id].path}")
        elif plugin.id in found.client_leftovers:
            differences.add(name, f"left in {self._client_directory}", None, "remove what the server left behind")
        self._next.compare_prepackaged(plugin, found, differences)
        differences.add(f"{name}.enabled", _state(plugin, found), False, "disable the plugin")

    def _tree_of(self, plugin: WantedPlugin) -> str:
        if plugin.tree:
            return plugin.tree
        files = self._store.files(plugin.sha256)
        if files is None:
            raise OperatorError(
                f"the bundle of {plugin.id} is not in this node's store",
                where=posixpath.join(self._node.state_dir, STORE),
                wanted=f"sha256 {plugin.sha256}",
                remedy="give src, the bundle's path on the controller",
            )
        return tree_digest(files)

    def _describe_files(self, plugin: WantedPlugin, installed: Installed) -> str:
        wanted = self._store.files(plugin.sha256)
        if wanted is None:
            return f"other files than in the bundle (tree {installed.tree.digest[:12]})"
        return describe_changes(installed.tree.files, wanted)

    def _how(self, plugin: WantedPlugin, found: PluginsFound) -> str:
        way = self._way(plugin, found)
        if self.chosen is None or way.name == UPLOAD:  # what must be seen to before an upload matters to all
            self.chosen = way
        installed = found.directory.plugins.get(plugin.id)
        return self._ways.installer(way).how(plugin, installed, plugin.id in found.filestore)

    def _way(self, plugin: WantedPlugin, found: PluginsFound) -> Strategy:
        return self._ways.of(plugin, found)

    def _expected(self) -> Mapping[str, Any]:
        """PluginSettings that the server will have by then, as far as that is known."""
        if self._settings is None:
            return read_plugin_settings(self._node)
        return expected_plugin_settings(self._node, self._settings)

    # apply

    def to_send(self, differences: Tracker) -> List[str]:
        """SHA-256 of the bundles that must be sent to the node to mend the differences."""
        return [plugin.sha256 for plugin in self.lacking(differences) if not plugin.url]

    def lacking(self, differences: Tracker) -> List[WantedPlugin]:
        """Those that need a bundle which is not in the node's store."""
        return [plugin for plugin in self._work.to_install(differences) if not self._store.has(plugin.sha256)]

    def receive(self, differences: Tracker) -> None:
        """Take what was delivered, and what the node gets itself, into its store.

        :raises OperatorError: something that is needed to mend the differences is not there
        """
        if self._delivery:
            self._store.receive(self._delivery)
        for plugin in self.lacking(differences):
            if plugin.url and self._download:
                self._download(plugin.url, plugin.sha256, self._store)
        lacking = self.lacking(differences)
        if lacking:
            raise OperatorError(
                "bundles were not delivered to this node",
                wanted=", ".join(plugin.sha256 for plugin in lacking),
                remedy="call the module as plugops.mattermost.mattermost_plugin, so that its controller half runs",
            )
        for plugin in self._wanted:
            if plugin.signature and self._store.has(plugin.sha256):
                self._store.keep_signature(plugin.sha256, base64.b64decode(plugin.signature))

    def apply(self, found: PluginsFound, differences: Tracker) -> None:
        self.receive(differences)
        for way, work in self._work.of(found, differences):
            if way.name == PREPACKAGED:
                self._next.keep_prepackaged(work.install, self._store.add)
            self._ways.installer(way).apply(work)
            if way.name == UPLOAD:
                self._next.renew_signatures(work.install)
        self._mend_next_start(differences)
        self._remove_client_leftovers()
        self._node.forget()

    def tidy(self) -> None:
        from .._bundle.unpacker import clear_staging

        real = self._node.root.real(self._node.root.resolve(self._directory))
        if is_directory(real):
            clear_staging(real)

    def _mend_next_start(self, differences: Tracker) -> None:
        self._next.mend(self._wanted, differences, self._store.add)

    def restart_reasons(self, found: PluginsFound, differences: Tracker) -> List[str]:
        if not self._node.running:
            return []
        ids = [
            plugin.id
            for way, work in self._work.of(found, differences)
            if self._ways.installer(way).at_next_start
            for plugin in work.touched
            if self._needs_start(plugin, found, differences)
        ]
        return [f"plugins changed on disk: {', '.join(ids)}"] if ids else []

    def _needs_start(self, plugin: WantedPlugin, found: PluginsFound, differences: Tracker) -> bool:
        """Whether what differs of a plugin comes to effect at a start only."""
        if not plugin.present or self._ways.asked_for(plugin) != PREPACKAGED:
            return set(aspects_of(plugin, differences)) != {"prepackaged"}
        return not self._fits(plugin, found) and self._next.takes_when_enabled(plugin.enabled)

    def owe_restart(self, reason: str) -> None:
        self._node.owe_restart(reason)

    def _remove_client_leftovers(self) -> None:
        ClientLeftovers(self._node, self._client_directory).remove(self._absent)

    # what else is to be said

    def pending(self, found: PluginsFound) -> Pending:
        restart = list(self._node.pending_restart)
        coming = [plugin.id for plugin in self._wanted if plugin.present and self._comes(plugin, found)]
        if self._node.running and coming:
            restart.append(f"the server installs when it starts: {', '.join(coming)}")
        return Pending(restart=restart)

    def _comes(self, plugin: WantedPlugin, found: PluginsFound) -> bool:
        """Whether the server will have the plugin as wanted only at its next start."""
        enabled = found.states.get(plugin.id, False)
        return not self._fits(plugin, found) and self._next.comes(plugin, self._ways.asked_for(plugin), enabled, found)

    def warnings(self, found: PluginsFound) -> List[str]:
        warnings = [f"The server skips {path}: {why}" for path, why in sorted(found.directory.unreadable.items())]
        if self.chosen is not None and self.chosen.warning:
            warnings.append(self.chosen.warning)
        return warnings

    def facts(self, found: PluginsFound) -> Dict[str, Any]:
        return {
            "directory": self._directory,
            "client_directory": self._client_directory,
            "server_version": str(self._node.version) if self._node.version else None,
            "installed": {plugin.id: self._facts_of(plugin, found) for plugin in found.directory.plugins.values()},
            "stored": self._store.list(),
            "filestore": {
                plugin_id: {"path": bundle.path, "signed": bundle.signature is not None}
                for plugin_id, bundle in found.filestore.items()
            },
            "prepackaged": {
                plugin_id: {"path": newest.path, "version": newest.version, "signed": newest.signature is not None}
                for plugin_id, (newest, *_) in found.prepackaged.items()
            },
        }

    def _facts_of(self, plugin: Installed, found: PluginsFound) -> Dict[str, Any]:
        facts: Dict[str, Any] = {
            "version": plugin.version,
            "tree": plugin.tree.digest,
            "managed": plugin.managed,
            "enabled": found.states.get(plugin.id, False),
            "active": None if found.active is None else plugin.id in found.active,
        }
        if self._list_files:
            facts["paths"] = {
                path: entry.sha256 + ("*" if entry.executable else "") for path, entry in plugin.tree.files.items()
            }
        return facts


def _state(plugin: WantedPlugin, found: PluginsFound) -> Optional[bool]:
    """None for one that the server might enable by itself, because it brings it along and nothing is said."""
    return found.states.get(plugin.id, None if plugin.id in found.prepackaged else False)
