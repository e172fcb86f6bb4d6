# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.
"""The wanted list of plugins against what one node has: files, state, and whether the server runs them."""

from __future__ import annotations

import base64
import contextlib
import functools
import os
import posixpath
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence, Set

from ._difference import Tracker
from ._ensure import Concern, Pending
from ._errors import OperatorError
from ._filestore import Filestore, StoredBundle
from ._installed import Installed, PluginDirectory, scan_plugins
from ._installer import Installer, Work, save_state_in_file
from ._manifest import check_id
from ._node import Node
from ._plugin_refusals import refuse_doubtful_place, refuse_older_server, refuse_unverifiable_signature
from ._plugin_settings import SECTION, enabled_ids, takes_uploads
from ._server_errors import ServerError
from ._server_log import last_words
from ._settings import expected_plugin_settings, read_plugin_settings, refuses_to_save
from ._store import Store
from ._strategy import AUTO, FILESTORE, FILESTORE_SINCE, UNPACK, UPLOAD, Strategy, choose
from ._tree import DigestCache, describe_changes, tree_digest
from ._unpacker import clear_staging
from ._wanted_plugin import WantedPlugin

if TYPE_CHECKING:
    from ._node_downloads import NodeDownloads

STORE = "bundles"
CACHE = "trees.json"
STRATEGIES = (AUTO, UPLOAD, FILESTORE, UNPACK)
_REQUIRE_SIGNATURE = "RequirePluginSignature"
_FILES_DIFFER = ("version", "files", "stored")
ASPECTS = (*_FILES_DIFFER, "enabled", "active")


@dataclass(frozen=True)
class PluginsFound:
    """What the node has.

    :param states: id -> enabled, as the configuration in effect says
    :param active: id -> version that the server runs now; None where no server can be asked
    :param filestore: id -> bundle that the server installs from its filestore at its next start
    """

    directory: PluginDirectory
    states: Dict[str, bool]
    active: Optional[Dict[str, str]]
    filestore: Dict[str, StoredBundle]
    client_leftovers: Set[str]


class PluginSet(Concern[PluginsFound]):
    """Ensures a list of plugins.

    :param strategy: one of :data:`STRATEGIES`
    :param directory: PluginSettings.Directory that the server will have; default: the one it has
    :param client_directory: likewise PluginSettings.ClientDirectory
    :param settings: PluginSettings that the server gets before its plugins change; None: not known
    :param delivery: path of a tar with the bundles that the node lacked, ``<sha256>.tar.gz`` each
    :param downloads: for bundles that the node gets itself
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
        downloads: Optional[NodeDownloads] = None,
        full: bool = False,
        list_files: bool = False,
    ) -> None:
        self._node = node
        self._wanted = list(wanted)
        self._asked = strategy
        self._delivery = delivery
        self._downloads = downloads
        self._given = {"Directory": directory, "ClientDirectory": client_directory}
        self._settings = settings
        self._store = Store(node.state_path(STORE))
        self._cache = DigestCache(node.state_path(CACHE))
        self._full = full
        self._list_files = list_files
        self._way: Optional[Strategy] = None
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
            filestore=self._stored_bundles(),
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
            return server.running()
        except ServerError as error:
            if error.status == 501:  # off, or its start-up failed: the directories' and the settings' matter
                return None
            raise

    @property
    def _filestore(self) -> Filestore:
        return Filestore(self._node, None if self._full else self._cache)

    def _stored_bundles(self) -> Dict[str, StoredBundle]:
        version = self._node.version
        if version is not None and version < FILESTORE_SINCE:
            return {}
        return self._filestore.bundles({plugin.id for plugin in self._wanted if plugin.present})

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
            work = self._work(found, differences)
            self._installer(found, bool(work.install)).check(work)
        return differences

    def _compare_present(self, plugin: WantedPlugin, found: PluginsFound, differences: Tracker) -> None:
        refuse_older_server(plugin, self._node.version)
        check_id(plugin.written_id or plugin.id, self._node.version)
        if plugin.signature and (self._expected() or read_plugin_settings(self._node)).get(_REQUIRE_SIGNATURE):
            refuse_unverifiable_signature(plugin, self._filestore.directory)
        name = f"plugins.{plugin.id}"
        before = len(differences)
        installed = found.directory.plugins.get(plugin.id)
        tree = self._tree_of(plugin)
        stored = found.filestore.get(plugin.id)
        fits = installed is not None and installed.version == plugin.version and installed.tree.digest == tree
        comes = stored is not None and stored.sha256 == plugin.sha256
        if fits or (comes and self._choose(found).name == FILESTORE):
            self._compare_stored(plugin, found, differences)
        elif installed is None or installed.version != plugin.version:
            found_version = installed.version if installed else None
            differences.add(f"{name}.version", found_version, plugin.version, self._how(plugin, found))
        else:
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
        asked_now = self._asked not in (UNPACK, FILESTORE) and found.active is not None
        if len(differences) == before and plugin.must_run and asked_now and self._choose(found).name == UPLOAD:
            version = (found.active or {}).get(plugin.id)
            differences.add(f"{name}.active", version, plugin.version, "enable again, wait until it runs")

    def _compare_stored(self, plugin: WantedPlugin, found: PluginsFound, differences: Tracker) -> None:
        """What the server would install over the plugin at its next start, and its signature."""
        name, stored = f"plugins.{plugin.id}", found.filestore.get(plugin.id)
        wanted = f"the bundle with sha256 {plugin.sha256}"
        if stored is None:
            if self._asked == FILESTORE:
                differences.add(f"{name}.stored", None, wanted, self._how(plugin, found))
            return
        if stored.sha256 != plugin.sha256:
            other = f"another bundle in the filestore, it would win at the next start (sha256 {stored.sha256})"
            differences.add(f"{name}.stored", other, wanted, self._how(plugin, found))
        elif plugin.signature and stored.signature != base64.b64decode(plugin.signature):
            there = None if stored.signature is None else "another one"
            differences.add(f"{name}.signature", there, "the bundle's own", f"put it beside {stored.path}")

    def _compare_absent(self, plugin: WantedPlugin, found: PluginsFound, differences: Tracker) -> None:
        name = f"plugins.{plugin.id}"
        installed = found.directory.plugins.get(plugin.id)
        if installed is not None:
            differences.add(name, installed.version, None, f"remove {installed.path}")
        elif plugin.id in found.filestore:
            differences.add(name, "in the filestore", None, f"remove {found.filestore[plugin.id].path}")
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
        self.chosen = self._choose(found)
        installed = found.directory.plugins.get(plugin.id)
        return self._installer(found, True).how(plugin, installed, plugin.id in found.filestore)

    def _choose(self, found: PluginsFound) -> Strategy:
        """The way for this node; it stays the same, whatever the way itself changes.

        :raises OperatorError: none is open
        """
        if self._way is None:
            reachable = self._node.server is not None
            ours = [plugin.id for plugin in self._wanted if plugin.present]
            marked = [i for i in ours if i in found.directory.plugins and found.directory.plugins[i].managed]
            self._way = choose(
                self._asked,
                self._node.version,
                reachable,
                uploads=reachable and self._asked == AUTO and takes_uploads(self._expected() or self._live()),
                filestore=self._filestore.problem,
                managed=bool(marked or set(ours) & set(found.filestore)),
            )
        return self._way

    def _expected(self) -> Optional[Mapping[str, Any]]:
        """PluginSettings that the server will have by then; None: those that it has."""
        return None if self._settings is None else expected_plugin_settings(self._node, self._settings)

    def _live(self) -> Mapping[str, Any]:
        return (self._node.live_config or {}).get(SECTION) or {}

    def _installer(self, found: PluginsFound, install: bool) -> Installer:
        """What carries the work out. Where nothing is to be installed and no server runs, any way will do.

        Loaded only where there is work: a plan without a difference shall be quick.
        """
        from ._install_by_filestore import ByFilestore
        from ._install_by_unpacking import ByUnpacking
        from ._install_by_upload import ByUpload
        from ._uploader import Uploader

        server = self._node.server
        way = self._choose(found) if install or server is not None else Strategy(UNPACK, "")
        save = functools.partial(save_state_in_file, self._node) if server and refuses_to_save(self._node) else None
        words = functools.partial(last_words, self._node)
        uploader = Uploader(server, save_state=save, last_words=words) if server else None
        if way.name == UPLOAD and uploader:
            return ByUpload(uploader, way.reason, None if self._settings is None else self._expected_settings)
        if way.name == FILESTORE:
            return ByFilestore(self._node, self._directory, self._filestore, way.reason, uploader)
        return ByUnpacking(self._node, self._directory, way.reason)

    def _expected_settings(self) -> Mapping[str, Any]:
        return self._expected() or {}

    # apply

    def to_send(self, differences: Tracker) -> List[str]:
        """SHA-256 of the bundles that must be sent to the node to mend the differences."""
        return [plugin.sha256 for plugin in self.lacking(differences) if not plugin.url]

    def lacking(self, differences: Tracker) -> List[WantedPlugin]:
        """Those that need a bundle which is not in the node's store."""
        return [plugin for plugin in self._to_install(differences) if not self._store.has(plugin.sha256)]

    def receive(self, differences: Tracker) -> None:
        """Take what was delivered, and what the node gets itself, into its store.

        :raises OperatorError: something that is needed to mend the differences is not there
        """
        if self._delivery:
            self._store.receive(self._delivery)
        for plugin in self.lacking(differences):
            if plugin.url and self._downloads:
                self._downloads.bring(plugin.url, plugin.sha256, self._store)
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
        work = self._work(found, differences)
        self._installer(found, bool(work.install)).apply(work)
        self._mend_filestore(differences)
        self._renew_signatures(work)
        self._remove_client_leftovers()
        self._node.forget()

    def tidy(self) -> None:
        real = self._node.root.real(self._node.root.resolve(self._directory))
        if os.path.isdir(real):
            clear_staging(real)

    def _mend_filestore(self, differences: Tracker) -> None:
        """What no installer does: a bundle that would bring a removed plugin back, a signature that came later."""
        names, filestore = differences.names(), self._filestore
        for plugin in self._wanted:
            if not plugin.present and f"plugins.{plugin.id}" in names:
                filestore.remove(plugin.id)
            elif f"plugins.{plugin.id}.signature" in names:
                filestore.sign(plugin.id, base64.b64decode(plugin.signature))

    def _renew_signatures(self, work: Work) -> None:
        """An upload leaves beside the new bundle the signature of the one before, or none."""
        filestore = self._filestore
        stored = filestore.bundles(()) if work.install else {}
        for plugin in work.install:
            wanted = work.signature(plugin)
            if plugin.id not in stored or stored[plugin.id].signature == wanted:
                continue
            if wanted is None:
                filestore.unsign(plugin.id)
            else:
                filestore.sign(plugin.id, wanted)

    def restart_reasons(self, found: PluginsFound, differences: Tracker) -> List[str]:
        work = self._work(found, differences)
        if not work.touched or not self._node.running or not self._installer(found, bool(work.install)).at_next_start:
            return []
        return [f"plugins changed on disk: {', '.join(plugin.id for plugin in work.touched)}"]

    def owe_restart(self, reason: str) -> None:
        self._node.owe_restart(reason)

    def _work(self, found: PluginsFound, differences: Tracker) -> Work:
        names = set(differences.names())
        return Work(
            install=self._to_install(differences),
            touched=self._touched(differences),
            running=[plugin for plugin in self._wanted if plugin.must_run],
            states={
                plugin.id: plugin.present and plugin.enabled
                for plugin in self._wanted
                if f"plugins.{plugin.id}.enabled" in names
            },
            installed=found.directory.plugins,
            enabled=found.states,
            bundle=lambda plugin: self._store.path(plugin.sha256),
            tree=self._tree_of,
            signature=lambda plugin: base64.b64decode(plugin.signature) if plugin.signature else None,
        )

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
        restart = list(self._node.pending_restart)
        coming = [plugin.id for plugin in self._wanted if plugin.present and self._comes(plugin, found)]
        if self._node.running and coming:
            restart.append(f"the server installs from its filestore when it starts: {', '.join(coming)}")
        return Pending(restart=restart)

    def _comes(self, plugin: WantedPlugin, found: PluginsFound) -> bool:
        """Whether the server will have the plugin as wanted only at its next start."""
        stored, installed = found.filestore.get(plugin.id), found.directory.plugins.get(plugin.id)
        if stored is None or stored.sha256 != plugin.sha256:
            return False
        return installed is None or installed.tree.digest != self._tree_of(plugin)

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
