# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way the bundle of each plugin takes on one node, and what carries it out."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from .._config.document import section_in
from .._config.plugin_settings import SECTION, takes_uploads
from .._node.node import Node
from .._settings.effective import refuses_to_save
from .._startup.filestore import Filestore
from .._startup.prepackaged import Prepackaged
from .observed import PluginsFound
from .strategy import AUTO, FILESTORE, PREPACKAGED, UNPACK, UPLOAD, Strategy, choose
from .wanted import WantedPlugin

if TYPE_CHECKING:
    from .installer import Installer

Expected = Callable[[], Mapping[str, Any]]


class PluginWays:
    """
    :param wanted: all plugins of the node's list
    :param asked: the way for plugins that do not say their own
    :param directory: gives the host path of PluginSettings.Directory
    :param expected: gives the PluginSettings that the server will have by then; None: not known
    """

    def __init__(
        self,
        node: Node,
        wanted: Sequence[WantedPlugin],
        asked: str,
        filestore: Callable[[], Filestore],
        prepackaged: Callable[[], Prepackaged],
        directory: Callable[[], str],
        expected: Optional[Expected],
    ) -> None:
        self._node = node
        self._wanted = wanted
        self._asked = asked
        self._filestore = filestore
        self._prepackaged = prepackaged
        self._directory = directory
        self._expected = expected
        self._chosen: Dict[str, Strategy] = {}

    def asked_for(self, plugin: WantedPlugin) -> str:
        """The way that the operator wants for a plugin."""
        return PREPACKAGED if plugin.from_server else plugin.strategy or self._asked

    def of(self, plugin: WantedPlugin, found: PluginsFound) -> Strategy:
        """The way of a plugin; it stays the same, whatever the way itself changes.

        :raises OperatorError: none is open
        """
        if plugin.from_server:
            return Strategy(PREPACKAGED, "the server brings it along")
        asked = self.asked_for(plugin)
        if asked not in self._chosen:
            self._chosen[asked] = self._choose(asked, found)
        return self._chosen[asked]

    def _choose(self, asked: str, found: PluginsFound) -> Strategy:
        reachable = self._node.server is not None
        ours = [plugin.id for plugin in self._wanted if plugin.present]
        marked = [i for i in ours if i in found.directory.plugins and found.directory.plugins[i].managed]
        return choose(
            asked,
            self._node.version,
            reachable,
            uploads=reachable and asked == AUTO and takes_uploads(self._settings()),
            filestore=self._filestore().problem,
            managed=bool(marked or set(ours) & set(found.filestore)),
        )

    def _settings(self) -> Mapping[str, Any]:
        if self._expected:
            return self._expected()
        return section_in(self._node.live_config or {}, SECTION, "the running server's configuration")

    def groups(
        self, touched: Sequence[WantedPlugin], install: Sequence[WantedPlugin], found: PluginsFound
    ) -> List[Tuple[Strategy, List[WantedPlugin]]]:
        """The plugins that differ, by the way that they take.

        :param install: those that need their bundle. Where nothing is to be installed and no server runs, any way
            will do
        """
        needed = {self.asked_for(plugin) for plugin in install}
        groups: Dict[str, Tuple[Strategy, List[WantedPlugin]]] = {}
        for plugin in touched:
            asked = self.asked_for(plugin)
            certain = asked in needed or plugin.from_server or self._node.server is not None
            way = self.of(plugin, found) if certain else Strategy(UNPACK, "")
            groups.setdefault(way.name, (way, []))[1].append(plugin)
        return list(groups.values())

    def installer(self, way: Strategy) -> Installer:
        """What carries the work of one way out. Loaded only where there is work: a plan without a difference shall be
        quick."""
        from .._log.server_log import last_words
        from .install_at_next_start import AtNextStart
        from .install_by_unpacking import ByUnpacking
        from .install_by_upload import ByUpload
        from .installer import save_state_in_file
        from .uploader import Uploader

        server = self._node.server
        save = functools.partial(save_state_in_file, self._node) if server and refuses_to_save(self._node) else None
        words = functools.partial(last_words, self._node)
        uploader = Uploader(server, save_state=save, last_words=words) if server else None
        if way.name == UPLOAD and uploader:
            return ByUpload(uploader, way.reason, self._expected)
        if way.name in (FILESTORE, PREPACKAGED):
            folder = self._filestore() if way.name == FILESTORE else self._prepackaged()
            return AtNextStart(self._node, self._directory(), folder, way.reason, uploader)
        return ByUnpacking(self._node, self._directory(), way.reason)
