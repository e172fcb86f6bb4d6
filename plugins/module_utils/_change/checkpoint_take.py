# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resource "checkpoint": what the node runs is recorded, and can be restored without a transfer."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import time
from dataclasses import dataclass, replace
from typing import Any, Collection, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from .._bundle.bundle import Bundle, read_bundle
from .._bundle.installed import Installed, read_manifest
from .._bundle.pack import cannot_pack, pack_tree, unreadable
from .._bundle.store import STORE, Store
from .._config.document import section_in
from .._config.plugin_settings import SECTION
from .._config.source import DATABASE
from .._core.difference import Tracker
from .._core.errors import OperatorError
from .._core.resource import Resource
from .._host.account import Account
from .._host.reading import read_for, read_text, sha256_of
from .._install.working_directory import drop_in_path
from .._node.node import Node
from .._plugins.observed import PluginsFound
from .._plugins.plugin_set import PluginSet
from .._plugins.wanted import WantedPlugin
from .._startup.bundle_folder import LARGEST_BUNDLE
from .._startup.filestore import Filestore
from .._startup.prepackaged import Prepackaged, PrepackagedBundle
from .checkpoint import (
    DIRECTORY,
    FILESTORE,
    MARKED,
    UNPACKED,
    Checkpoint,
    Checkpoints,
    RecordedBundle,
    RecordedPlugin,
    State,
    check_name,
    new_name,
    outdated,
)

KEEP, KEEP_BUNDLES = 5, 3
_LARGEST_SIGNATURE = 1024 * 1024


def drop_in_of(node: Node) -> Optional[str]:
    """The text of our drop-in; None if there is none."""
    try:
        return read_text(node.root.real(drop_in_path(node.service)))
    except (FileNotFoundError, NotADirectoryError):
        return None


def section_of(node: Node) -> Dict[str, Any]:
    """PluginSettings as the configuration has them, secrets included; of a database, as the server returns them."""
    if node.config_source.kind == DATABASE and node.server is not None:
        return dict(section_in(node.server.get_config(), SECTION, node.server.where))
    return dict(node.config.section(SECTION))


def state_of(node: Node, found: PluginsFound) -> State:
    """What the node runs, for a checkpoint."""
    plugins = {
        plugin.id: RecordedPlugin(
            version=plugin.version,
            tree=plugin.tree.digest,
            enabled=found.states.get(plugin.id, False),
            how=FILESTORE if plugin.id in found.filestore else MARKED if plugin.managed else UNPACKED,
            ran=None if found.active is None else plugin.id in found.active,
        )
        for plugin in found.directory.plugins.values()
    }
    return State(plugins, section_of(node), drop_in_of(node), _recorded(found.prepackaged))


def _recorded(prepackaged: Mapping[str, Sequence[PrepackagedBundle]]) -> Dict[str, RecordedBundle]:
    return {
        bundle.name: RecordedBundle(
            plugin_id, bundle.version, bundle.sha256, base64.b64encode(bundle.signature or b"").decode("ascii")
        )
        for plugin_id, bundles in prepackaged.items()
        for bundle in bundles
    }


@dataclass(frozen=True)
class TakenFound:
    """What is there.

    :param checkpoints: the oldest first
    :param stored: the bundles of the store, the newest first
    :param left_behind: what an interrupted removal has left in the store
    """

    state: State
    plugins: PluginsFound
    checkpoints: List[Checkpoint]
    stored: List[Bundle]
    left_behind: List[str]

    def bundle_of(self, plugin_id: str, tree: str) -> str:
        """SHA-256 of a stored bundle that unpacks to this tree; empty if there is none."""
        same = (bundle.sha256 for bundle in self.stored if (bundle.manifest.id, bundle.tree) == (plugin_id, tree))
        return next(same, "")


class CheckpointTaken(Resource[TakenFound]):
    """The newest checkpoint is what the node runs, or there is one of the wanted name.

    :param name: of the checkpoint; default: the time
    :param coming: plugins that the coming change ensures: bundles of those that it replaces or removes are stored, its
        own are kept
    :param only: ids of plugins whose bundles are stored; with neither this nor ``coming``: all
    :param change: stands for what the change wants
    :param reverts: of a rollback, the checkpoint that it restores
    :param keep: how many checkpoints are kept
    :param keep_bundles: how many bundles of each plugin are kept although nothing needs them
    :param prune: whether anything is removed at all
    """

    name = "checkpoint"

    def __init__(
        self,
        node: Node,
        *,
        name: str = "",
        coming: Optional[Sequence[WantedPlugin]] = None,
        only: Optional[Collection[str]] = None,
        change: str = "",
        reverts: str = "",
        reverted: Optional[List[str]] = None,
        keep: int = KEEP,
        keep_bundles: int = KEEP_BUNDLES,
        prune: bool = True,
    ) -> None:
        self._node = node
        self._requested_name = check_name(name) if name else ""
        self._coming = coming
        self._only = None if only is None else {plugin_id.lower() for plugin_id in only}
        self._change = _digest_of(change, coming or [])
        self._reverts = reverts
        self._reverted = reverted
        for option, number in (("keep", keep), ("keep_bundles", keep_bundles)):
            if number < 1:
                raise OperatorError(
                    f"{option} must be at least 1", found=str(number), remedy=f"set {option} to 1 or more"
                )
        self._keep = keep
        self._keep_bundles = keep_bundles
        self._prune = prune
        self._plugin_set = PluginSet(node, [])
        self._store = Store(node.state_path(STORE))
        self._checkpoints = Checkpoints(node.state_path(DIRECTORY))

    def observe(self) -> TakenFound:
        plugins = self._plugin_set.observe()
        plugins = replace(plugins, prepackaged=Prepackaged(self._node, None).bundles(self._touching(plugins)))
        return TakenFound(
            state=state_of(self._node, plugins),
            plugins=plugins,
            checkpoints=self._checkpoints.list(),
            stored=self._store.newest_first(),
            left_behind=self._store.left_behind(),
        )

    # compare

    def compare(self, found: TakenFound) -> Tracker:
        differences = Tracker()
        place = os.path.join(self._node.state_dir, STORE)
        for plugin in self._to_store(found):
            wanted = f"{plugin.version} (tree {plugin.tree.digest[:12]})"
            differences.add(f"checkpoint.bundles.{plugin.id}", None, wanted, f"keep a bundle of it in {place}")
        for bundle in self._prepackaged_to_store(found):
            wanted = f"{bundle.version} (sha256 {bundle.sha256[:12]})"
            differences.add(f"checkpoint.prepackaged.{bundle.name}", None, wanted, f"keep a copy of it in {place}")
        if self._is_needed(found):
            versions = {plugin_id: plugin.version for plugin_id, plugin in sorted(found.state.plugins.items())}
            place = os.path.join(self._node.state_dir, DIRECTORY)
            differences.add("checkpoint.state", None, versions, f"write a checkpoint below {place}")
        for checkpoint in self._outdated(found):
            differences.add(f"checkpoint.old.{checkpoint.name}", checkpoint.taken, None, "remove this old checkpoint")
        for sha256, what in self._unneeded(found):
            differences.add(f"checkpoint.store.{sha256}", what, None, "remove this bundle from the store")
        return differences

    def _is_needed(self, found: TakenFound) -> bool:
        if self._requested_name and any(item.name == self._requested_name for item in found.checkpoints):
            return False
        newest = found.checkpoints[-1] if found.checkpoints else None
        return (
            newest is None
            or (newest.change, newest.reverts) != (self._change, self._reverts)
            or not (newest.state.is_same(found.state))
        )

    def _to_store(self, found: TakenFound) -> List[Installed]:
        """The plugins whose bytes are to be kept and are in no bundle of the store."""
        return [
            plugin
            for plugin in found.plugins.directory.plugins.values()
            if self._may_change(plugin)
            and not found.bundle_of(plugin.id, plugin.tree.digest)
            and not self._cannot_pack(plugin)
        ]

    def _may_change(self, plugin: Installed) -> bool:
        coming = {wanted.id: wanted for wanted in self._coming or []}
        if self._only is None and self._coming is None:
            return True
        if self._only is not None and plugin.id in self._only:
            return True
        wanted = coming.get(plugin.id)
        if wanted is None or wanted.from_server:
            return False
        return (wanted.version, wanted.tree) != (plugin.version, plugin.tree.digest)

    def _touching(self, found: PluginsFound) -> Set[str]:
        """Ids of the plugins whose prepackaged bundles may be replaced or removed."""
        if self._only is None and self._coming is None:
            return set(found.directory.plugins)
        return {*(self._only or ()), *(plugin.id for plugin in self._coming or [] if not plugin.from_server)}

    def _prepackaged_to_store(self, found: TakenFound) -> List[PrepackagedBundle]:
        return [
            bundle
            for bundles in found.plugins.prepackaged.values()
            for bundle in bundles
            if bundle.sha256 and not self._store.has(bundle.sha256)
        ]

    def _cannot_pack(self, plugin: Installed) -> str:
        real = self._node.root.real(plugin.path)
        executables = read_manifest(real, plugin.path).executables
        return cannot_pack(plugin.tree.files, executables) or unreadable(real, self._node.account)

    def _outdated(self, found: TakenFound) -> List[Checkpoint]:
        if not self._prune:
            return []
        coming = [self._checkpoint(found, {})] if self._is_needed(found) else []
        return [item for item in outdated([*found.checkpoints, *coming], self._keep) if item not in coming]

    def _unneeded(self, found: TakenFound) -> List[Tuple[str, str]]:
        """SHA-256 and description of what the store need not keep."""
        if not self._prune:
            return []
        removed = {checkpoint.name for checkpoint in self._outdated(found)}
        states = [found.state, *(item.state for item in found.checkpoints if item.name not in removed)]
        trees = {(plugin_id, plugin.tree) for state in states for plugin_id, plugin in state.plugins.items()}
        needed = {plugin.sha256 for state in states for plugin in state.plugins.values()}
        needed |= {bundle.sha256 for state in states for bundle in state.prepackaged.values()}
        needed |= {plugin.sha256 for plugin in self._coming or []}
        last: Dict[str, int] = {plugin.id: 1 for plugin in self._to_store(found)}
        unneeded: List[Tuple[str, str]] = []
        for bundle in found.stored:
            plugin_id = bundle.manifest.id
            last[plugin_id] = last.get(plugin_id, 0) + 1
            if last[plugin_id] <= self._keep_bundles or bundle.sha256 in needed or (plugin_id, bundle.tree) in trees:
                continue
            unneeded.append((bundle.sha256, f"{plugin_id} {bundle.manifest.version}"))
        return [*unneeded, *((sha256, "an index without its bundle") for sha256 in found.left_behind)]

    # apply

    def apply(self, found: TakenFound, differences: Tracker) -> None:
        outdated_ones, unneeded = self._outdated(found), self._unneeded(found)
        bundles = {plugin.id: self._keep_bytes(plugin, found) for plugin in self._to_store(found)}
        for bundle in self._prepackaged_to_store(found):
            self._store.add(bundle.sha256, self._real(bundle))
        if self._is_needed(found):
            self._checkpoints.write(self._checkpoint(found, bundles))
        for checkpoint in outdated_ones:
            self._checkpoints.remove(checkpoint)
        for sha256, _description in unneeded:
            if sha256 not in bundles.values():  # its index was left behind, and it is stored again
                self._store.remove(sha256)

    def _checkpoint(self, found: TakenFound, bundles: Dict[str, str]) -> Checkpoint:
        newest = found.checkpoints[-1].number if found.checkpoints else 0
        plugins = {}
        for plugin_id, plugin in found.state.plugins.items():
            sha256 = bundles.get(plugin_id) or found.bundle_of(plugin_id, plugin.tree)
            plugins[plugin_id] = replace(plugin, sha256=sha256, signature=self._signature_of(plugin_id, sha256, found))
        return Checkpoint(
            number=newest + 1,
            name=self._requested_name or new_name([item.name for item in found.checkpoints]),
            taken=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            state=replace(found.state, plugins=plugins),
            change=self._change,
            reverts=self._reverts,
            reverted=self._reverted,
        )

    def _keep_bytes(self, plugin: Installed, found: TakenFound) -> str:
        """Store a bundle of the plugin as it is; returns its SHA-256."""
        for copy in self._copies(plugin.id, found):
            with contextlib.suppress(OperatorError):  # damaged, or of another plugin
                bundle = read_bundle(copy)
                if bundle.tree == plugin.tree.digest:
                    self._store.add(bundle.sha256, copy)
                    return bundle.sha256
        real, account = self._node.root.real(plugin.path), self._node.account
        return self._store.pack(plugin.id, plugin.tree.digest, lambda out: pack_tree(real, plugin.id, out, account))

    def _signature_of(self, plugin_id: str, sha256: str, found: TakenFound) -> str:
        """The signature of a bundle, base64: that beside the server's copy, else that which it was delivered with."""
        if not sha256:
            return ""
        signature = self._store.signature(sha256)
        for copy in self._copies(plugin_id, found):
            beside = _beside(copy, self._node.account)
            # A bundle is read for it only where there is a signature at all.
            if (beside or signature) and sha256_of(copy, LARGEST_BUNDLE) == sha256:
                signature = beside
                break
        return base64.b64encode(signature).decode("ascii")

    def _copies(self, plugin_id: str, found: TakenFound) -> List[str]:
        """Real paths of the server's own bundles of a plugin: in its filestore, and prepackaged."""
        stored = Filestore(self._node, None).real_path(plugin_id)
        prepackaged = [self._real(bundle) for bundle in found.plugins.prepackaged.get(plugin_id, [])]
        return [*([stored] if stored else []), *prepackaged]

    def _real(self, bundle: PrepackagedBundle) -> str:
        return self._node.root.real(self._node.root.resolve(bundle.path))

    # warnings, facts

    def warnings(self, found: TakenFound) -> List[str]:
        return [
            f"{plugin.id} cannot be restored as it is now: {why}"
            for plugin in found.plugins.directory.plugins.values()
            for why in [self._cannot_pack(plugin) if self._may_change(plugin) else ""]
            if why and not found.bundle_of(plugin.id, plugin.tree.digest)
        ]

    def facts(self, found: TakenFound) -> Dict[str, Any]:
        return {"checkpoints": [checkpoint.facts() for checkpoint in found.checkpoints]}


class CheckpointRemoved(Resource[List[Checkpoint]]):
    """There is no checkpoint of that name: it is removed."""

    name = "checkpoint"

    def __init__(self, node: Node, name: str) -> None:
        self._name = check_name(name)
        self._checkpoints = Checkpoints(node.state_path(DIRECTORY))

    def observe(self) -> List[Checkpoint]:
        return self._checkpoints.list()

    def compare(self, found: List[Checkpoint]) -> Tracker:
        differences = Tracker()
        for checkpoint in found:
            if checkpoint.name == self._name:
                differences.add(f"checkpoint.old.{self._name}", checkpoint.taken, None, "remove this checkpoint")
        return differences

    def apply(self, found: List[Checkpoint], differences: Tracker) -> None:
        for checkpoint in found:
            if checkpoint.name == self._name:
                self._checkpoints.remove(checkpoint)


def _beside(bundle: str, account: Account) -> bytes:
    """The signature beside a bundle at a real path; empty if there is none."""
    try:
        return read_for(account, bundle + ".sig", _LARGEST_SIGNATURE)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise OperatorError(
            "the signature beside a bundle of the server cannot be kept in a checkpoint",
            where=bundle + ".sig",
            found=error.strerror or str(error),
            wanted=f"a regular file of at most {_LARGEST_SIGNATURE} bytes that the user {account.name} can read",
            remedy="look at what it is, and remove it",
        ) from error


def _digest_of(change: str, coming: Sequence[WantedPlugin]) -> str:
    """Identifies the change: by its options and its bundles, which may be others at the same path."""
    if not change and not coming:
        return ""
    bundles = [[plugin.id, plugin.present, plugin.enabled, plugin.version, plugin.sha256] for plugin in coming]
    return hashlib.sha256(json.dumps([change, bundles]).encode("utf-8")).hexdigest()
