# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The PluginSettings that a server works with: from its file or the server itself, and its environment."""

from __future__ import annotations

from typing import Any, Dict, Mapping

from .._config.document import FoldedMap, section_in
from .._config.plugin_settings import SECTION, effective, parse_wanted
from .._config.source import FILE
from .._node.node import Node
from .._server.client import Server
from .channel import is_read_only_cluster


def read_plugin_settings(node: Node) -> Dict[str, Any]:
    """The effective PluginSettings: as the file has them (a database: as the server returns them), overridden by the
    environment, defaults filled in. Ids in lower case. Values of ``Plugins`` are secrets.

    :raises OperatorError: neither file nor server can be read
    """
    return dict(node.once("plugin settings", lambda: _effective_settings(node)))


def _effective_settings(node: Node) -> Dict[str, Any]:
    overrides = {name: item.value for name, item in node.config_source.overrides_for(node.version).items()}
    if node.config_source.kind != FILE and node.server is not None:
        return effective(live_section(node.live_config or {}, node.server), overrides, node.version)
    return effective(node.config.section(SECTION), overrides, node.version)


def expected_plugin_settings(node: Node, wanted: Mapping[str, Any]) -> Dict[str, Any]:
    """As :func:`read_plugin_settings`, once ``wanted`` (keys that are no maps) are set: what the environment overrides
    stays as it is.

    :raises OperatorError: also for an unknown key or a value of the wrong type
    """
    overrides = node.config_source.overrides_for(node.version)
    coming = parse_wanted(wanted, {}, {}).settings
    return {**read_plugin_settings(node), **{name: coming[name] for name in coming if name not in overrides}}


def live_section(config: Dict[str, Any], server: Server) -> FoldedMap:
    """PluginSettings of a running server, in its whole configuration."""
    return section_in(config, SECTION, server.where)


def refuses_to_save(node: Node) -> bool:
    """Whether the running server keeps its configuration in a file that it refuses to write: a cluster's read-only
    one. Such changes are made in the file, on every app server."""
    config = node.live_config if node.config_source.kind == FILE else None
    return config is not None and is_read_only_cluster(config)
