# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategies filestore and prepackaged: the bundle lies in a folder that the server installs from when it starts."""

from __future__ import annotations

from typing import Optional

from .._bundle.installed import Installed
from .._node.node import Node
from .._startup.bundle_folder import BundleFolder
from .installer import Installer, plugin_directory, remove_directories, save_states
from .jobs import Work
from .uploader import Uploader, refuse_unexecutable
from .wanted import WantedPlugin


class AtNextStart(Installer):
    """
    :param directory: host path of PluginSettings.Directory
    :param folder: where bundles are put
    :param uploader: of the server that runs, which then removes plugins itself; None where none does
    """

    def __init__(
        self, node: Node, directory: str, folder: BundleFolder, reason: str, uploader: Optional[Uploader]
    ) -> None:
        self._node = node
        self._directory = directory
        self._folder = folder
        self._reason = reason
        self._uploader = uploader

    def how(self, plugin: WantedPlugin, installed: Optional[Installed], stored: bool) -> str:
        return f"put the bundle with sha256 {plugin.sha256[:12]} into {self._folder.directory}: {self._reason}"

    def check(self, work: Work) -> None:
        self._node.account  # noqa: B018 - the owner of what is stored or removed; raises where there is none
        for plugin in work.install:
            refuse_unexecutable(plugin)
        if self._uploader is not None:
            self._uploader.check_removals([plugin.id for plugin in work.gone])

    def apply(self, work: Work) -> None:
        for plugin in work.install:
            self._folder.put(plugin.id, work.bundle(plugin), work.signature(plugin))
        if self._uploader is not None:
            for plugin in work.gone:
                self._uploader.remove(plugin.id)
        elif work.gone:
            with plugin_directory(self._node, self._directory) as unpacker:
                remove_directories(unpacker, work)
        save_states(self._node, work.states)
