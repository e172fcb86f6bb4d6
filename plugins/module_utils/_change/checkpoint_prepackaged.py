# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundles that a server brings along as a checkpoint has them, as far as a change of plugins has touched them."""

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


class PrepackagedOfThen(Resource[Found]):
    """What was replaced or taken away is back, what was put there is gone.

    :param then: by file name
    :param only: ids; then the bundles of these plugins alone
    """

    name = "plugins"

    def __init__(
        self, node: Node, then: Mapping[str, RecordedBundle], only: Optional[Collection[str]], store: Store
    ) -> None:
        self._node = node
        self._then = {name: item for name, item in then.items() if only is None or item.id in only}
        self._only = only
        self._store = store
        self._folder = Prepackaged(node, None)

    def observe(self) -> Found:
        bundles = self._folder.bundles({item.id for item in self._then.values() if item.sha256})
        return {
            bundle.name: (plugin_id, bundle)
            for plugin_id, ours in bundles.items()
            for bundle in ours
            if self._only is None or plugin_id in self._only
        }

    def compare(self, found: Found) -> Tracker:
        differences = Tracker()
        for name, then in self._lacking(found):
            if not self._store.has(then.sha256):
                raise OperatorError(
                    f"the node's store no longer has the prepackaged bundle of {then.id}",
                    where=posixpath.join(self._folder.directory, name),
                    wanted=f"version {then.version}, sha256 {then.sha256}",
                    remedy="take it from the server's release and put it there",
                )
            wanted = f"{name} (version {then.version})"
            differences.add(f"plugins.{then.id}.prepackaged", None, wanted, "put it back from the node's store")
        for plugin_id, bundle in self._added(found):
            there = f"{bundle.name} (version {bundle.version})"
            differences.add(f"plugins.{plugin_id}.prepackaged", there, None, f"remove {bundle.path}")
        return differences

    def _lacking(self, found: Found) -> List[Tuple[str, RecordedBundle]]:
        """What a change has replaced or taken away: of other bundles a checkpoint does not know the bytes."""
        return [
            (name, then)
            for name, then in self._then.items()
            if then.sha256 and (name not in found or found[name][1].sha256 != then.sha256)
        ]

    def _added(self, found: Found) -> List[Tuple[str, PrepackagedBundle]]:
        """What a change has put there goes by the id of the plugin."""
        return [
            (plugin_id, bundle)
            for name, (plugin_id, bundle) in found.items()
            if name == plugin_id + SUFFIX and name not in self._then
        ]

    def apply(self, found: Found, differences: Tracker) -> None:
        for name, then in self._lacking(found):
            signature = base64.b64decode(then.signature) if then.signature else None
            self._folder.put_back(name, self._store.path(then.sha256), signature)
        for _, bundle in self._added(found):
            self._folder.remove_file(bundle.name)
        self._node.forget()
