# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files for browsers that servers leave of a removed plugin: they never remove those themselves."""

from __future__ import annotations

import os
from typing import Collection, Set

from .._host.reading import names_in
from .._host.trees import remove_tree
from .._node.node import Node


class ClientLeftovers:
    """What is left in one directory.

    :param directory: host path of PluginSettings.ClientDirectory
    """

    def __init__(self, node: Node, directory: str) -> None:
        self._real = node.root.real(node.root.resolve(directory))

    def of(self, ids: Collection[str]) -> Set[str]:
        """The ids of which something is left."""
        try:
            names = set(names_in(self._real))
        except (FileNotFoundError, NotADirectoryError):
            return set()
        return {plugin_id for plugin_id in ids if _names(plugin_id) & names}

    def remove(self, ids: Collection[str]) -> None:
        """Remove what is left of these ids."""
        for name in sorted(name for plugin_id in ids for name in _names(plugin_id)):
            remove_tree(os.path.join(self._real, name))


def _names(plugin_id: str) -> Set[str]:
    return {plugin_id, f"{plugin_id}_bundle.js"}  # from 5.2 on a directory, before that one file
