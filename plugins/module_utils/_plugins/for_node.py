# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which resource ensures the plugins of a node, by how the node can be reached."""

from __future__ import annotations

from typing import Type

from .._node.node import Node
from .plugin_set import PluginSet


def plugin_set_class(node: Node) -> Type[PluginSet]:
    """The class for a node with files, or for one with an API alone."""
    if not node.api_only:
        return PluginSet
    from .api_plugin_set import ApiPluginSet

    return ApiPluginSet
