# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.
"""The wanted list of plugins against what one node has: files, state, and whether the server runs them."""

from __future__ import annotations

import base64
import contextlib
import os
import posixpath
import shutil
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Set

from ._config_source import FILE
from ._difference import Tracker
from ._ensure import Concern, Pending, ensure
from ._errors import OperatorError
from ._installed import Installed, PluginDirectory, scan_plugins
from ._manifest import check_id
from ._node import Node
from ._plugin_refusals import (
    refuse_doubtful_place,
    refuse_older_server,
    refuse_removal_of_stored,
    refuse_removal_of_uninstalled,
    refuse_unpacking,
)
from ._plugin_settings import enabled_ids
from ._server_errors import ServerError
from ._settings import Settings, expected_plugin_settings, read_plugin_settings, refuses_to_save
from ._store import Store
from ._strategy import AUTO, UNPACK, UPLOAD, Strategy, choose
from ._tree import DigestCache, describe_changes, tree_digest
from ._unpacker import Unpacker
from ._uploader import Uploader, active_versions
from ._wanted_plugin import WantedPlugin

STORE = "bundles"
CACHE = "trees.json"
_FILES_DIFFER = ("version", "files")
ASPECTS = (*_FILES_DIFFER, "enabled", "active")


@dataclass(frozen=True)
class PluginsFound:
    """What the node has.

    :param states: id -> enabled, as the configuration in effect says
    :param active: id -> version that the server runs now; None where no server can be asked
    :param filestore: ids of the bundles that the server installs from its filestore at its next start
    """

    directory: PluginDirectory
    states: Dict[str, bool]
    active: Optional[Dict[str, str]]
    filestore: Set[str]
    client_leftovers: Set[str]


class PluginSet(Concern[PluginsFound]):
    """Ensures a list of plugins.

    :param strategy: ``auto``, ``unpack`` or ``upload``
    :param directory: PluginSettings.Directory that the server will have; default: the one it has
    :param client_directory: likewise PluginSettings.ClientDirectory
    :param settings: PluginSettings that the server gets before its plugins change; None: not known
    :param delivery: path of a tar with the bundles that the node lacked, ``<sha256>.tar.gz`` each
    :param full: read every file again instead of trusting the digests of unchanged files
    :param list_files: let the facts name every file, so that nodes can be compared file by file
    :ivar chosen: the way that bundles take, once one had to be chosen
    """

    name = "plugins"

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
        full: bool = False,
        list_files: bool = False,
    ) -> None:
        self._node = node
        self._wanted = list(wanted)
        self._asked = strategy
        self._delivery = delivery
        self._given = {"Directory": directory, "ClientDirectory": client_directory}
        self._settings = settings
        self._store = Store(node.state_path(STORE))
        self._cache = DigestCache(node.state_path(CACHE))
        self._full = full
        self._list_files = list_files
        self.chosen: Optional[Strategy] = None

    @property
    def _directory(self) -> str:
        return self._place("Directory")

    @property
    def _client_directory(self) -> str:
        return self._place("ClientDirectory")

    def _place(self, key: str) -> str:
        """Host path of one of the two directories."""
        return self._node.resolve(self._given[key] or read_plugin_settings(self._node)[key])

    # observe

    def observe(self) -> PluginsFound:
        return PluginsFound(
            directory=scan_plugins(self._directory, self._node.root, None if self._full else self._cache),
            states=self._states(),
            active=self._active(),
            filestore=self._filestore_ids(),
            client_leftovers=self._client_leftovers(),
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
            return active_versions(server.plugins())
        except ServerError as error:
            if error.status == 501:  # off, or its start-up failed: the directories' and the settings' matter
                return None
            raise

    def _filestore_ids(self) -> Set[str]:
        if self._node.config_source.kind != "file":
            return set()
        settings = self._node.config.section("FileSettings")
        if settings.get("DriverName", "local") != "local":
            return set()
        directory = posixpath.join(self._node.resolve(settings.get("Directory") or "./data"), "plugins")
        suffix = ".tar.gz"
        return {name[: -len(suffix)].lower() for name in self._names_in(directory) if name.endswith(suffix)}

    def _client_leftovers(self) -> Set[str]:
        names = set(self._names_in(self._client_directory))
        return {plugin.id for plugin in self._wanted if not plugin.present and self._client_names(plugin.id) & names}

    def _names_in(self, directory: str) -> List[str]:
        try:
            return sorted(os.listdir(self._node.root.real(self._node.root.resolve(directory))))
        except (FileNotFoundError, NotADirectoryError):
            return []

    @staticmethod
    def _client_names(plugin_id: str) -> Set[str]:
        return {plugin_id, f"{plugin_id}_bundle.js"}  # from 5.2 on a directory, before that one file

    # compare

    def compare(self, found: PluginsFound) -> Tracker:
        differences = Tracker()
        for plugin in self._wanted:
            refuse_doubtful_place(plugin, found.directory, self._directory)
            if plugin.present:
                self._compare_present(plugin, found, differences)
            else:
                self._compare_absent(plugin, found, differences)
        if len(differences):
            self._refuse_what_would_fail(differences)
        return differences

    def _refuse_what_would_fail(self, differences: Tracker) -> None:
        """What no other module mends is told before anything changes, in check mode too."""
        uploader, names = self._uploader(), differences.names()
        if uploader is None:
            self._node.account  # noqa: B018 - the owner of what is unpacked; raises where there is none
        else:
            install = self._to_install(differences)
            uploader.check_bundles(install)
            if install and self._settings is not None:
                uploader.check_settings(expected_plugin_settings(self._node, self._settings))
            uploader.check_removals([plugin.id for plugin in self._wanted if f"plugins.{plugin.id}" in names])

    def _compare_present(self, plugin: WantedPlugin, found: PluginsFound, differences: Tracker) -> None:
        refuse_older_server(plugin, self._node.version)
        check_id(plugin.written_id or plugin.id, self._node.version)
        name = f"plugins.{plugin.id}"
        before = len(differences)
        installed = found.directory.plugins.get(plugin.id)
        tree = self._tree_of(plugin)
        if installed is None or installed.version != plugin.version:
            found_version = installed.version if installed else None
            differences.add(f"{name}.version", found_version, plugin.version, self._how(plugin, found))
        elif installed.tree.digest != tree:
            differences.add(
                f"{name}.files",
                self._describe_files(plugin, installed),
                f"as in the bundle with sha256 {plugin.sha256}",
                self._how(plugin, found),
            )
        state = found.states.get(plugin.id, False)
        verb = "enable" if plugin.enabled else "disable"
        differences.add(f"{name}.enabled", state, plugin.enabled, f"{verb} the plugin")
        # What was unpacked runs after the restart only; an upload is done when the server runs it.
        asked_now = self._asked != UNPACK and found.active is not None
        if len(differences) == before and plugin.enabled and asked_now:
            version = (found.active or {}).get(plugin.id)
            differences.add(f"{name}.active", version, plugin.version, "enable again, wait until it runs")

    def _compare_absent(self, plugin: WantedPlugin, found: PluginsFound, differences: Tracker) -> None:
        name = f"plugins.{plugin.id}"
        installed = found.directory.plugins.get(plugin.id)
        if plugin.id in found.filestore and self._uploader() is None:
            refuse_removal_of_stored(plugin)
        if installed is not None:
            differences.add(name, installed.version, None, f"remove {installed.path}")
        elif plugin.id in found.filestore:
            refuse_removal_of_uninstalled(plugin)
        elif plugin.id in found.client_leftovers:
            differences.add(name, f"left in {self._client_directory}", None, "remove what the server left behind")
        if found.states.get(plugin.id):
            differences.add(f"{name}.enabled", True, False, "disable the plugin")

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
        strategy = self.strategy()
        bundle = f"the bundle with sha256 {plugin.sha256[:12]}"
        if strategy.name == UPLOAD:
            return f"upload {bundle}: {strategy.reason}"
        installed = found.directory.plugins.get(plugin.id)
        refuse_unpacking(plugin, installed, plugin.id in found.filestore, self._node.version)
        return f"unpack {bundle} into {posixpath.join(self._directory, plugin.id)}: {strategy.reason}"

    def strategy(self) -> Strategy:
        """The way for this node.

        :raises OperatorError: none is open
        """
        if self.chosen is None:
            self.chosen = self._choose()
        return self.chosen

    def _choose(self) -> Strategy:
        return choose(self._asked, self._node.version, self._node.server is not None)

    # apply

    def lacking(self, differences: Tracker) -> List[str]:
        """SHA-256 of the bundles that are needed to mend the differences and are not in the node's store."""
        return [plugin.sha256 for plugin in self.lacking_plugins(differences)]

    def lacking_plugins(self, differences: Tracker) -> List[WantedPlugin]:
        return [plugin for plugin in self._to_install(differences) if not self._store.has(plugin.sha256)]

    def receive(self, differences: Tracker) -> None:
        """Take what was delivered into the node's store.

        :raises OperatorError: something that is needed to mend the differences was not
        """
        if self._delivery:
            self._store.receive(self._delivery)
        lacking = self.lacking(differences)
        if lacking:
            raise OperatorError(
                "bundles were not delivered to this node",
                wanted=", ".join(lacking),
                remedy="call the module as plugops.mattermost.mattermost_plugin, so that its controller half runs",
            )
        for plugin in self._wanted:
            if plugin.signature and self._store.has(plugin.sha256):
                self._store.keep_signature(plugin.sha256, base64.b64decode(plugin.signature))

    def apply(self, found: PluginsFound, differences: Tracker) -> None:
        install = self._to_install(differences)
        uploader = self._uploader()
        if uploader is not None and install:
            uploader.check_settings()
        self.receive(differences)
        if uploader is not None:
            self._apply_by_server(uploader, found, install, differences)
        else:
            self._apply_by_files(found, install, differences)
        self._remove_client_leftovers()
        self._node.forget()

    def restart_reasons(self, found: PluginsFound, differences: Tracker) -> List[str]:
        if not self._node.running or self._uploader() is not None:
            return []
        return [f"plugins changed on disk: {', '.join(plugin.id for plugin in self._touched(differences))}"]

    def owe_restart(self, reason: str) -> None:
        self._node.owe_restart(reason)

    def _uploader(self) -> Optional[Uploader]:
        """Where the running server makes the change; None where it is made in its files."""
        server = self._node.server
        if server is None or self._choose().name != UPLOAD:
            return None
        return Uploader(server, save_state=self._save_state if refuses_to_save(self._node) else None)

    def _save_state(self, plugin_id: str, enabled: bool) -> None:
        ensure(Settings(self._node, {}, {plugin_id: enabled}, {}, via=FILE), check_mode=False)

    def _to_install(self, differences: Tracker) -> List[WantedPlugin]:
        names = set(differences.names())
        return [
            plugin
            for plugin in self._wanted
            if plugin.present and names & {f"plugins.{plugin.id}.{aspect}" for aspect in _FILES_DIFFER}
        ]

    def _touched(self, differences: Tracker) -> List[WantedPlugin]:
        names = set(differences.names())
        return [
            plugin
            for plugin in self._wanted
            if names & {f"plugins.{plugin.id}", *(f"plugins.{plugin.id}.{aspect}" for aspect in ASPECTS)}
        ]

    def _apply_by_server(
        self, uploader: Uploader, found: PluginsFound, install: List[WantedPlugin], differences: Tracker
    ) -> None:
        for plugin in install:
            uploader.install(plugin, self._store.path(plugin.sha256), found.states.get(plugin.id, False))
        for plugin in self._touched(differences):
            if not plugin.present and plugin.id in found.directory.plugins:
                uploader.remove(plugin.id)
            elif not (plugin in install and found.states.get(plugin.id) and plugin.enabled):
                uploader.switch(plugin.id, plugin.present and plugin.enabled)
        uploader.wait_active([plugin for plugin in self._wanted if plugin.present and plugin.enabled])

    def _apply_by_files(self, found: PluginsFound, install: List[WantedPlugin], differences: Tracker) -> None:
        real = self._node.root.real(self._node.root.resolve(self._directory))
        with Unpacker(real, self._node.account) as unpacker:
            for plugin in install:
                unpacker.install(plugin.id, self._store.path(plugin.sha256), self._tree_of(plugin))
            for plugin in self._wanted:
                if not plugin.present and plugin.id in found.directory.plugins:
                    unpacker.remove(posixpath.basename(found.directory.plugins[plugin.id].path))
        states = {
            plugin.id: plugin.present and plugin.enabled
            for plugin in self._wanted
            if f"plugins.{plugin.id}.enabled" in differences.names()
        }
        if states:
            settings = Settings(self._node, {}, states, {})
            current = settings.observe()
            settings.apply(current, settings.compare(current))

    def _remove_client_leftovers(self) -> None:
        real = self._node.root.real(self._node.root.resolve(self._client_directory))
        for plugin in self._wanted:
            for name in sorted(self._client_names(plugin.id)) if not plugin.present else []:
                path = os.path.join(real, name)
                if os.path.isdir(path) and not os.path.islink(path):
                    shutil.rmtree(path)
                elif os.path.lexists(path):
                    os.unlink(path)

    # what else is to be said

    def pending(self, found: PluginsFound) -> Pending:
        return Pending(restart=self._node.pending_restart)

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
