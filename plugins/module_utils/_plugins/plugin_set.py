# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resource "plugins": the wanted list of plugins on one node."""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Type

from .._bundle.installed import Installed
from .._bundle.store import STORE, Store
from .._bundle.tree import DigestCache
from .._core.difference import Tracker
from .._core.errors import OperatorError
from .._core.resource import Pending, Resource
from .._host.reading import is_directory
from .._node.node import Node
from .client_files import ClientLeftovers
from .comparison import Comparison
from .observed import PluginsFound
from .observer import Observer
from .planner import Planner
from .selection import Selection
from .site import Site
from .strategies.registry import DEFAULT
from .strategies.strategy import Choice
from .wanted import WantedPlugin

CACHE = "trees.json"


class PluginSet(Resource[PluginsFound]):
    """Ensures a list of plugins.

    :param strategy: one of the names in :mod:`.strategies.registry`
    :param directory: PluginSettings.Directory that the server will have; default: the one it has
    :param client_directory: likewise PluginSettings.ClientDirectory
    :param settings: PluginSettings that the server gets before its plugins change; None: not known
    :param delivery: path of a tar with the bundles that the node lacked, ``<sha256>.tar.gz`` each
    :param download: brings a bundle (URL, sha256) into the store, of those that the node downloads itself
    :param full: read every file again instead of trusting the digests of unchanged files
    :param list_files: let the facts name every file, so that nodes can be compared file by file
    :param leave_prepackaged: another resource ensures the bundles that the server brings along
    :ivar chosen: how bundles get to the server, once preconditions were checked and a bundle is to be installed
    """

    name = "plugins"
    observer_class: Type[Observer] = Observer

    def __init__(
        self,
        node: Node,
        wanted: Sequence[WantedPlugin],
        *,
        strategy: str = DEFAULT,
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
        self._store = Store(node.state_path(STORE))
        self._cache = DigestCache(node.state_path(CACHE))
        self._list_files = list_files
        self._leave_prepackaged = leave_prepackaged
        self._coming_settings = settings is not None
        self._trusted_cache = None if full else self._cache
        self._selection = Selection(strategy, by_files=not node.api_only)
        self._planner = Planner(self._wanted, self._selection)
        self._observer = self.observer_class(
            node,
            self._wanted,
            self._selection,
            self._store,
            self._trusted_cache,
            {"Directory": directory, "ClientDirectory": client_directory},
            settings,
        )
        self.chosen: Optional[Choice] = None

    # observe

    def observe(self) -> PluginsFound:
        return self._observer.observe()

    def save_cache(self) -> None:
        """Keep the digests that this run had to compute; if that fails the next run computes them again."""
        with contextlib.suppress(OSError):
            self._cache.save()

    # compare

    def compare(self, found: PluginsFound) -> Tracker:
        return Comparison(found, self._selection, self._leave_prepackaged).of(self._wanted)

    def check_preconditions(self, found: PluginsFound, differences: Tracker) -> None:
        for choice in self._planner.choices(found, differences):
            if self.chosen is None or not choice.strategy.at_next_start:  # its warnings and needs matter to all
                self.chosen = choice
        for strategy, job in self._planner.jobs(found, differences):
            strategy.installer(self._site(found)).check(job)

    def _site(self, found: PluginsFound) -> Site:
        return Site(
            node=self._node,
            directory=found.places.directory,
            store=self._store,
            cache=self._trusted_cache,
            expected=found.settings if self._coming_settings else None,
        )

    # bundles

    def to_send(self) -> List[str]:
        """Look which bundles must be sent to the node before its differences can be fixed.

        :returns: their sha256
        """
        found = self.observe()
        differences = self.compare(found)
        self.check_preconditions(found, differences)
        return [plugin.sha256 for plugin in self.lacking(differences) if not plugin.url]

    def lacking(self, differences: Tracker) -> List[WantedPlugin]:
        """Those that need a bundle which is not in the node's store."""
        return [plugin for plugin in self._planner.to_install(differences) if not self._store.has(plugin.sha256)]

    def receive(self, differences: Tracker) -> None:
        """Take what was delivered, and what the node downloads itself, into its store.

        :raises OperatorError: something that is needed to fix the differences is not there
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
                remedy="call the module as plugops.mattermost.mattermost_plugin, so that its action plugin runs",
            )
        for plugin in self._wanted:
            if plugin.detached_signature is not None and self._store.has(plugin.sha256):
                self._store.keep_signature(plugin.sha256, plugin.detached_signature)

    # apply

    def apply(self, found: PluginsFound, differences: Tracker) -> None:
        self.receive(differences)
        for strategy, job in self._planner.jobs(found, differences):
            strategy.installer(self._site(found)).apply(job)
        self._clear_leftovers(found, differences)
        self._node.forget()

    def _clear_leftovers(self, found: PluginsFound, differences: Tracker) -> None:
        """Remove what no strategy removes."""
        from .startup_changes import clear_startup

        clear_startup(self._site(found), self._wanted, differences)
        absent = [plugin.id for plugin in self._wanted if not plugin.present]
        ClientLeftovers(self._node, found.places.client_directory).remove(absent)

    def tidy(self) -> None:
        from .._bundle.unpacker import clear_staging

        real = self._node.root.real(self._node.root.resolve(self._observer.place("Directory")))
        if is_directory(real):
            clear_staging(real)

    def restart_reasons(self, found: PluginsFound, differences: Tracker) -> List[str]:
        ids = self._planner.waiting_for_start(found, differences) if self._node.running else []
        return [f"plugins changed on disk: {', '.join(ids)}"] if ids else []

    def require_restart(self, reason: str) -> None:
        self._node.require_restart(reason)

    # what else the operator must know

    def pending(self, found: PluginsFound) -> Pending:
        restart = list(self._node.pending_restart)
        coming = self._planner.coming(found)
        if self._node.running and coming:
            restart.append(f"the server installs when it starts: {', '.join(coming)}")
        return Pending(restart=restart)

    def warnings(self, found: PluginsFound) -> List[str]:
        warnings = [f"The server skips {path}: {why}" for path, why in sorted(found.directory.unreadable.items())]
        if self.chosen is not None and self.chosen.warning:
            warnings.append(self.chosen.warning)
        return warnings

    def facts(self, found: PluginsFound) -> Dict[str, Any]:
        return {
            "directory": found.places.directory,
            "client_directory": found.places.client_directory,
            "server_version": str(self._node.version) if self._node.version else None,
            "installed": {plugin.id: self._facts_of(plugin, found) for plugin in found.directory.plugins.values()},
            "stored": self._store.list(),
            "filestore": {
                plugin_id: {"path": bundle.path, "signed": bundle.signature is not None}
                for plugin_id, bundle in found.filestore.items()
            },
            "prepackaged": {
                plugin_id: {"path": newest.path, "version": newest.version, "signed": newest.signature is not None}
                for plugin_id, (newest, *_older) in found.prepackaged.items()
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
