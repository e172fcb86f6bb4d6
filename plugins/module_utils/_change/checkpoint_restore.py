# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resource "restored": a node runs what a checkpoint has, ensured by the resources of every other change."""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from typing import Any, Collection, Dict, List, Optional

from .._bundle.bundle import Bundle
from .._bundle.store import STORE, Store
from .._config.document import FoldedMap
from .._config.plugin_settings import SECTION, effective, takes_uploads
from .._core.difference import Tracker
from .._core.errors import OperatorError
from .._core.resource import Pending, Resource, ensure
from .._host.directories import make_directories
from .._host.writing import fsync_directory, unlink, write_atomic
from .._install.working_directory import drop_in_path, reload_units
from .._node.node import Node
from .._plugins.aspects import ASPECTS
from .._plugins.observed import PluginsFound
from .._plugins.plugin_set import PluginSet
from .._plugins.strategies.registry import DEFAULT, strategy_named
from .._plugins.strategies.strategy import Choice
from .._plugins.wanted import WantedPlugin
from .checkpoint import DIRECTORY, Checkpoint, Checkpoints, RecordedPlugin, State, find, previous
from .checkpoint_prepackaged import CheckpointPrepackaged
from .checkpoint_settings import CheckpointSettings
from .checkpoint_take import CheckpointTaken, drop_in_of, state_of


class DropIn(Resource[Optional[str]]):
    """Our drop-in of the service has the text of the checkpoint, or does not exist.

    :param text: of the checkpoint; None: there was no drop-in
    """

    name = "service"

    def __init__(self, node: Node, text: Optional[str]) -> None:
        self._node = node
        self._text = text

    def observe(self) -> Optional[str]:
        return drop_in_of(self._node)

    def compare(self, found: Optional[str]) -> Tracker:
        differences = Tracker()
        path = drop_in_path(self._node.service)
        differences.add("service.drop_in", found, self._text, f"{'remove' if self._text is None else 'write'} {path}")
        return differences

    def apply(self, found: Optional[str], differences: Tracker) -> None:
        real = self._node.root.real(drop_in_path(self._node.service))
        if self._text is None:
            unlink(real)
            fsync_directory(os.path.dirname(real))
        else:
            make_directories(os.path.dirname(real))
            owner = 0 if os.geteuid() == 0 else None
            data = self._text.encode("utf-8", "surrogateescape")
            write_atomic(real, data, mode=0o644, uid=owner, gid=owner)
        if self._node.root.is_live:
            reload_units(self._node, self._node.service_name)
        self._node.forget()

    def restart_reasons(self, found: Optional[str], differences: Tracker) -> List[str]:
        return [f"{drop_in_path(self._node.service)} changed"] if self._node.running else []

    def require_restart(self, reason: str) -> None:
        self._node.require_restart(reason)


@dataclass(frozen=True)
class Part:
    """One resource, what it found and what differs there."""

    resource: Resource[Any]
    found: Any
    differences: Tracker


@dataclass(frozen=True)
class RestoredFound:
    """What is there, and the checkpoint that it is compared with.

    :param parts: in the order in which they are ensured
    """

    target: Checkpoint
    state: State
    plugins: PluginsFound
    parts: List[Part]


class CheckpointRestored(Resource[RestoredFound]):
    """The node runs what a checkpoint has.

    :param name: of the checkpoint; empty: the state before the last change
    :param only: ids; then these plugins alone, with their states and settings
    :param undo_name: of the checkpoint that is taken before; default: the time
    :param strategy: as for :class:`PluginSet`
    :ivar target: the checkpoint to restore, once the node was observed
    :ivar chosen: how bundles get to the server, once preconditions were checked and a bundle is to be installed
    """

    name = "restored"

    def __init__(
        self,
        node: Node,
        *,
        name: str = "",
        only: Optional[Collection[str]] = None,
        undo_name: str = "",
        strategy: str = DEFAULT,
        full: bool = False,
    ) -> None:
        self._node = node
        self._requested_name = name
        self._only = None if only is None else sorted({plugin_id.lower() for plugin_id in only})
        self._undo_name = undo_name
        self._strategy = strategy
        self._full = full
        self._store = Store(node.state_path(STORE))
        self._stored: Optional[List[Bundle]] = None
        self._ids: List[str] = []
        self.plugin_set = PluginSet(node, [], full=full)
        self.target: Optional[Checkpoint] = None
        self.chosen: Optional[Choice] = None

    # observe

    def observe(self) -> RestoredFound:
        plugins = self.plugin_set.observe()
        state = state_of(self._node, plugins)
        if self.target is None:  # chosen once: the change itself makes another one the previous
            checkpoints = Checkpoints(self._node.state_path(DIRECTORY)).list()
            self.target = (
                find(checkpoints, self._requested_name)
                if self._requested_name
                else previous(checkpoints, state, self._only)
            )
        parts = []
        for resource in self._resources(self.target.state, state, plugins):
            found = resource.observe()
            parts.append(Part(resource, found, resource.compare(found)))
        return RestoredFound(self.target, state, plugins, parts)

    def _resources(self, recorded: State, now: State, plugins: PluginsFound) -> List[Resource[Any]]:
        wanted = self._wanted(recorded, plugins)
        ids = [plugin.id for plugin in wanted]
        self._ids = sorted({*self._ids, *ids})
        settings = CheckpointSettings(self._node, recorded.settings, self._only, ids)
        directory, client_directory = self._directories(recorded, now)
        self.plugin_set = PluginSet(
            self._node,
            wanted,
            strategy=self._strategy,
            directory=directory,
            client_directory=client_directory,
            full=self._full,
            leave_prepackaged=True,
        )
        resources: List[Resource[Any]] = [self.plugin_set, settings]
        if not _takes_uploads(self._node, now) and _takes_uploads(self._node, recorded):
            resources.reverse()
        resources.insert(0, CheckpointPrepackaged(self._node, recorded.prepackaged, self._only, self._store))
        return [DropIn(self._node, recorded.drop_in), *resources] if self._only is None else resources

    def _directories(self, recorded: State, now: State) -> List[str]:
        """The plugin directories to restore to.

        :raises OperatorError: the checkpoint has others, and the running server keeps those that it started with
        """
        is_set, was_set = (
            effective(FoldedMap(state.settings, SECTION), {}, self._node.version) for state in (now, recorded)
        )
        keys = ["Directory", "ClientDirectory"]
        moved = [key for key in keys if key in is_set and is_set[key] != was_set[key]]
        if self._only is None and moved and self._node.running:
            raise OperatorError(
                f"{', '.join(moved)} had another value when the checkpoint was taken, and the running server keeps the "
                "directories that it started with",
                found=", ".join(str(is_set[key]) for key in moved),
                wanted=", ".join(str(was_set[key]) for key in moved),
                remedy="restore the value with mattermost_plugin_settings, restart the server and run again; or stop "
                "the server first",
            )
        chosen = is_set if self._only is not None else was_set
        return [str(chosen.get(key) or "") for key in keys]

    def _wanted(self, state: State, plugins: PluginsFound) -> List[WantedPlugin]:
        """The checkpoint as a list of wanted plugins."""
        recorded, now = state.plugins, plugins.directory.plugins
        wanted = []
        for plugin_id in sorted({*recorded, *now} if self._only is None else self._only):
            plugin, installed = recorded.get(plugin_id), now.get(plugin_id)
            if plugin is None:
                if installed is not None:
                    wanted.append(WantedPlugin(id=plugin_id, present=False, enabled=False))
                continue
            bundle = self._bundle_of(plugin_id, plugin)
            if bundle is not None:
                wanted.append(_wanted_plugin(plugin, bundle, self._strategy_of(plugin_id, bundle, state)))
            elif installed is None or installed.tree.digest != plugin.tree:
                raise OperatorError(
                    f"the store has no bundle of {plugin_id} as it was",
                    where=posixpath.join(self._node.state_dir, STORE),
                    wanted=f"{plugin.version}, tree {plugin.tree[:12]}",
                    remedy="put the bundle of this version into the list of plugins and run site.yml, or name another "
                    "checkpoint",
                )
        return wanted

    def _strategy_of(self, plugin_id: str, bundle: Bundle, recorded: State) -> str:
        """The requested strategy must not make a bundle prepackaged that was not."""
        was = any((item.id, item.sha256) == (plugin_id, bundle.sha256) for item in recorded.prepackaged.values())
        return strategy_named(self._strategy).to_restore(was)

    def _bundle_of(self, plugin_id: str, plugin: RecordedPlugin) -> Optional[Bundle]:
        if self._stored is None:
            self._stored = self._store.newest_first()
        same = [item for item in self._stored if (item.manifest.id, item.tree) == (plugin_id, plugin.tree)]
        recorded = [item for item in same if item.sha256 == plugin.sha256]
        return next(iter([*recorded, *same]), None)

    # compare

    def compare(self, found: RestoredFound) -> Tracker:
        differences = Tracker()
        for difference in (difference for part in found.parts for difference in part.differences):
            differences.add(difference.name, difference.found, difference.wanted, difference.action, difference.secret)
        return differences

    def check_preconditions(self, found: RestoredFound, differences: Tracker) -> None:
        for part in found.parts:
            part.resource.check_preconditions(part.found, part.differences)
        self.chosen = self.chosen or self.plugin_set.chosen

    # apply

    def restart_reasons(self, found: RestoredFound, differences: Tracker) -> List[str]:
        changing = [part for part in found.parts if len(part.differences)]
        return [reason for part in changing for reason in part.resource.restart_reasons(part.found, part.differences)]

    def require_restart(self, reason: str) -> None:
        self._node.require_restart(reason)

    def apply(self, found: RestoredFound, differences: Tracker) -> None:
        self._take(found)
        for part in found.parts:
            ensure(part.resource, check_mode=False)
        self._node.forget()

    def _take(self, found: RestoredFound) -> None:
        """Take a checkpoint: a rollback is a change too, and can be rolled back."""
        changing = [
            plugin_id
            for plugin_id, plugin in found.state.plugins.items()
            if not plugin.is_same(found.target.state.plugins.get(plugin_id))
        ]
        taken = CheckpointTaken(
            self._node,
            name=self._undo_name,
            only=changing if self._only is None else self._only,
            reverts=found.target.name,
            reverted=self._only,
            prune=False,
        )
        ensure(taken, check_mode=False)

    # pending, warnings, facts

    def pending(self, found: RestoredFound) -> Pending:
        pending = [part.resource.pending(part.found) for part in found.parts]
        return Pending(
            list(dict.fromkeys(reason for item in pending for reason in item.restart)),
            list(dict.fromkeys(reason for item in pending for reason in item.reload)),
        )

    def warnings(self, found: RestoredFound) -> List[str]:
        return list(dict.fromkeys(text for part in found.parts for text in part.resource.warnings(part.found)))

    def facts(self, found: RestoredFound) -> Dict[str, Any]:
        return self.plugin_set.facts(found.plugins)

    def restored_parts(self, differences: Tracker) -> Dict[str, Any]:
        """Which plugins and settings the differences are of, and whether the drop-in is among them."""
        names = set(differences.names())
        return {
            "plugins": [
                plugin_id
                for plugin_id in self._ids
                if names & {f"plugins.{plugin_id}", *(f"plugins.{plugin_id}.{aspect}" for aspect in ASPECTS)}
            ],
            "settings": [difference.name for difference in differences.starting_with("settings.")],
            "drop_in": "service.drop_in" in names,
        }


def _wanted_plugin(plugin: RecordedPlugin, bundle: Bundle, strategy: str) -> WantedPlugin:
    return WantedPlugin(
        id=bundle.manifest.id,
        present=True,
        enabled=plugin.enabled,
        written_id=bundle.manifest.written_id,
        version=bundle.manifest.version,
        sha256=bundle.sha256,
        size=bundle.size,
        tree=bundle.tree,
        signature=plugin.signature,
        min_server_version=bundle.manifest.min_server_version,
        executables=bundle.manifest.executables,
        unexecutable=bundle.unexecutable,
        strategy=strategy,
        may_idle=plugin.ran is False,
    )


def _takes_uploads(node: Node, state: State) -> bool:
    return takes_uploads(effective(FoldedMap(state.settings, SECTION), {}, node.version))
