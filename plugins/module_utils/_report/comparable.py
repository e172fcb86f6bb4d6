# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""More of a node than a plan needs, so that nodes can be compared: bytes of bundles, values of plugins' settings."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any, Callable, Dict, Mapping, Optional

from .._bundle.bundle import Bundle, read_bundle
from .._bundle.store import STORE, Store
from .._core.errors import OperatorError
from .._node.node import Node
from .._settings.effective import read_plugin_settings
from .._startup.filestore import Filestore


def add_bundle_digests(node: Node, plugins: Dict[str, Any]) -> None:
    """Add to the report, for each installed plugin, the SHA-256 of a bundle that unpacks to its files (``bundle``, None
    if the node has none) and of the server's own copy in its filestore (``filestore``).

    :param plugins: the facts of the resource "plugins"
    """
    if node.api_only:  # the server's own copies cannot be seen
        for plugin in plugins["installed"].values():
            plugin["bundle"] = plugin["uploaded"]
        return
    store, filestore = Store(node.state_path(STORE)), Filestore(node, None)
    stored: Dict[str, str] = {}
    for sha256 in store.list():
        bundle = _sound(store.bundle, sha256)
        if bundle is not None:
            stored.setdefault(bundle.tree, sha256)
    for plugin_id, plugin in plugins["installed"].items():
        path = filestore.real_path(plugin_id)
        kept = _sound(read_bundle, path) if path else None
        plugin["filestore"] = kept.sha256 if kept else None
        same = kept.sha256 if kept and kept.tree == plugin["tree"] else None
        plugin["bundle"] = same or stored.get(plugin["tree"])


def _sound(read: Callable[[str], Optional[Bundle]], which: str) -> Optional[Bundle]:
    """A bundle; a damaged one is none."""
    try:
        return read(which)
    except OperatorError:
        return None


def setting_fingerprints(node: Node, key: str) -> Dict[str, Dict[str, str]]:
    """Plugin id -> setting -> what stands for its value: the same on two nodes where the value is the same, and of no
    use to anybody who does not know the key.

    :param key: random, made for one comparison
    """
    plugins = read_plugin_settings(node)["Plugins"]
    return {
        plugin_id.lower(): {
            name.lower(): _fingerprint(key, plugin_id.lower(), name.lower(), value)
            for name, value in (settings or {}).items()
        }
        for plugin_id, settings in _items(plugins)
    }


def _items(plugins: Mapping[str, Any]) -> Any:
    return [(plugin_id, settings) for plugin_id, settings in plugins.items() if isinstance(settings or {}, Mapping)]


def _fingerprint(key: str, plugin_id: str, name: str, value: Any) -> str:
    text = json.dumps([plugin_id, name, value], sort_keys=True)
    return hmac.new(key.encode("utf-8"), text.encode("utf-8"), hashlib.sha256).hexdigest()
