# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategy unpack: the unpacked bundle is swapped into the plugin directory."""

from __future__ import annotations

import posixpath
from typing import Optional

from .._bundle.installed import Installed
from .._node.node import Node
from .installer import Installer, plugin_directory, remove_directories, save_states
from .jobs import Work
from .preconditions import refuse_unpacking
from .wanted import WantedPlugin


class ByUnpacking(Installer):
    """
    :param directory: host path of PluginSettings.Directory
    """

    def __init__(self, node: Node, directory: str, reason: str) -> None:
        self._node = node
        self._directory = directory
        self._reason = reason

    def how(self, plugin: WantedPlugin, installed: Optional[Installed], stored: bool) -> str:
        refuse_unpacking(plugin, installed, stored, self._node.version)
        place = posixpath.join(self._directory, plugin.id)
        return f"unpack the bundle with sha256 {plugin.sha256[:12]} into {place}: {self._reason}"

    def check(self, work: Work) -> None:
        self._node.account  # noqa: B018 - the owner of what is unpacked; raises where there is none

    def apply(self, work: Work) -> None:
        with plugin_directory(self._node, self._directory) as unpacker:
            for plugin in work.install:
                unpacker.install(plugin.id, work.bundle(plugin), work.tree(plugin))
            remove_directories(unpacker, work)
        save_states(self._node, work.states)
