# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundles that came with a server as a checkpoint has them, as far as a change has replaced or removed them."""

from __future__ import annotations

import base64
import posixpath
from typing import Collection, Dict, List, Mapping, Optional, Tuple

from .._bundle.store import Store
from .._core.difference import Tracker
from .._core.errors import OperatorError
from .._core.resource import Resource
from .._node.node import Node
from .._startup.bundle_folder import SUFFIX
from .._startup.prepackaged import Prepackaged, PrepackagedBundle
from .checkpoint import RecordedBundle

Found = Dict[str, Tuple[str, PrepackagedBundle]]  # by file name, with the plugin's id


class CheckpointPrepackaged(Resource[Found]):
    """Bundles that were replaced or removed are restored, those that were added are removed.

    :param recorded: the bundles of the checkpoint, by file name
    :param only: ids; then the bundles of these plugins alone
    """

    name = "plugins"

    def __init__(
        self, node: Node, recorded: Mapping[str, RecordedBundle], only: Optional[Collection[str]], store: Store
    ) -> None:
        self._node = node
        self._recorded = {name: item for name, item in recorded.items() if only is None or item.id in only}
        self._only = only
        self._store = store
        self._folder = Prepackaged(node, None)

    def observe(self) -> Found:
        bundles = self._folder.bundles({item.id for item in self._recorded.values() if item.sha256})
        return {
            bundle.name: (plugin_id, bundle)
            for plugin_id, ours in bundles.items()
            for bundle in ours
            if self._only is None or plugin_id in self._only
        }

    def compare(self, found: Found) -> Tracker:
        differences = Tracker()
        for name, bundle in self._lacking(found):
            if not self._store.has(bundle.sha256):
                raise OperatorError(
                    f"the node's store no longer has the prepackaged bundle of {bundle.id}",
                    where=posixpath.join(self._folder.directory, name),
                    wanted=f"version {bundle.version}, sha256 {bundle.sha256}",
                    remedy="copy it there from the server's release",
                )
            wanted = f"{name} (version {bundle.version})"
            differences.add(f"plugins.{bundle.id}.prepackaged", None, wanted, "restore it from the node's store")
        for plugin_id, added in self._added(found):
            there = f"{added.name} (version {added.version})"
            differences.add(f"plugins.{plugin_id}.prepackaged", there, None, f"remove {added.path}")
        return differences

    def _lacking(self, found: Found) -> List[Tuple[str, RecordedBundle]]:
        """What a change has replaced or removed: the bytes of other bundles are not recorded."""
        return [
            (name, bundle)
            for name, bundle in self._recorded.items()
            if bundle.sha256 and (name not in found or found[name][1].sha256 != bundle.sha256)
        ]

    def _added(self, found: Found) -> List[Tuple[str, PrepackagedBundle]]:
        """What a change has added, which has the plugin's id as its name."""
        return [
            (plugin_id, bundle)
            for name, (plugin_id, bundle) in found.items()
            if name == plugin_id + SUFFIX and name not in self._recorded
        ]

    def apply(self, found: Found, differences: Tracker) -> None:
        for name, bundle in self._lacking(found):
            signature = base64.b64decode(bundle.signature) if bundle.signature else None
            self._folder.restore(name, self._store.path(bundle.sha256), signature)
        for _plugin_id, added in self._added(found):
            self._folder.remove_file(added.name)
        self._node.forget()
