# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inspect a node by the options of mattermost_plugin_info: every resource, compared with what is wanted of it."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from .._config.plugin_settings import wanted_value
from .._core.errors import OperatorError
from .._directories.directories import Directories
from .._install.working_directory import ServiceDirectory
from .._node.node import Node
from .._plugins.for_node import plugin_set_class
from .._plugins.plugin_set import PluginSet
from .._plugins.wanted import wanted_of
from .._settings.settings import Settings
from .node_report import NodeReport

_SHORTEST_KEY = 32


def inspect_node(node: Node, params: Dict[str, Any], keep_digests: bool) -> Tuple[NodeReport, PluginSet]:
    """Inspect every resource in the order in which site.yml ensures them."""
    directory = wanted_value(params["settings"], "Directory")
    client_directory = wanted_value(params["settings"], "ClientDirectory")
    report = NodeReport(node)
    if not node.api_only:
        report.add("directories", lambda: Directories(node, directory, client_directory, params["directory_mode"]))
        report.add("service", lambda: ServiceDirectory(node, node.wanted_working_directory))
    report.add(
        "settings",
        lambda: Settings(
            node,
            params["settings"],
            params["states"],
            params["plugin_settings"],
            params["via"],
            signatures_follow=signatures_follow(params),
        ),
    )
    plugin_set = plugin_set_class(node)(
        node,
        wanted_of(params),
        strategy=params["strategy"],
        directory=directory,
        client_directory=client_directory,
        settings=params["settings"],
        full=params["verify"] == "full",
        list_files=params["files"],
    )
    report.add("plugins", lambda: plugin_set)
    report.look_at(wanted_of(params))
    if keep_digests:
        plugin_set.save_cache()
    return report, plugin_set


def signatures_follow(params: Dict[str, Any]) -> List[str]:
    """Ids of the plugins that need no signature before the settings change: they get one, or are removed."""
    return sorted(plugin.id for plugin in wanted_of(params) if plugin.signature or not plugin.present)


def add_comparable(node: Node, params: Dict[str, Any], result: Dict[str, Any]) -> None:
    """Add what only a comparison of nodes needs, and load it only then: a plan must be quick.

    :raises OperatorError: the key of the fingerprints is too short
    """
    from .comparable import add_bundle_digests, setting_fingerprints

    key = params["fingerprint_key"]
    if key and len(key) < _SHORTEST_KEY:
        raise OperatorError("fingerprint_key is too short to keep a secret", wanted=f"{_SHORTEST_KEY} characters")
    if params["bundle_digests"] and "plugins" in result:
        add_bundle_digests(node, result["plugins"])
    if key and "settings" in result:
        result["settings"]["fingerprints"] = setting_fingerprints(node, key)
