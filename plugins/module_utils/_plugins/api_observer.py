# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the plugins of a node that is reached through its REST API alone: what the server lists, what was uploaded.

No server returns the files of a plugin. A plugin counts as the bundle's if the server lists its version and the last
upload on record, in the state directory on the controller, was of that very bundle.
"""

from __future__ import annotations

import posixpath
from typing import Any, Mapping, Optional, Set

from .._bundle.installed import Installed, PluginDirectory
from .._bundle.tree import Tree
from .._core.errors import OperatorError
from .._server.client import API as API_PATH
from .._server.errors import PluginsDisabled
from .._startup.filestore import Filestore
from .._startup.prepackaged import Prepackaged
from .observer import Observer
from .upload_record import UploadRecord
from .wanted import WantedPlugin


class ApiObserver(Observer):
    """As :class:`Observer`, without a file of the node."""

    def place(self, key: str) -> str:
        return f"{(self._node.options.api_url or '').rstrip('/')}{API_PATH}/plugins"

    def _plugins(self) -> PluginDirectory:
        try:
            listed = self._node.answering_server().plugins()
        except PluginsDisabled as error:
            raise OperatorError(
                "the server's plugin system is off, its plugins cannot be seen through its API",
                where=self.place(""),
                remedy="set PluginSettings.Enable to true with mattermost_plugin_settings; if it is, see the server's "
                "log",
            ) from error
        uploads = self._uploads()
        plugins = [self._installed(item, uploads) for state in ("active", "inactive") for item in listed[state]]
        return PluginDirectory({plugin.id: plugin for plugin in plugins}, {}, {})

    def _installed(self, manifest: Mapping[str, Any], uploads: Mapping[str, Mapping[str, str]]) -> Installed:
        plugin_id, version = manifest["id"].lower(), manifest["version"]
        uploaded = uploads.get(plugin_id, {})
        digest = uploaded["tree"] if uploaded.get("version") == version else ""
        path = posixpath.join(self.place(""), plugin_id)
        return Installed(id=plugin_id, version=version, path=path, tree=Tree({}, digest), managed=False)

    def _client_leftovers(self) -> Set[str]:
        return set()

    def _filestore(self) -> Optional[Filestore]:
        return None

    def _prepackaged(self) -> Optional[Prepackaged]:
        return None

    def _describe_files(self, plugin: WantedPlugin, installed: Installed) -> str:
        if installed.tree.digest:
            return f"uploaded from the bundle with sha256 {self._uploads().get(plugin.id, {}).get('sha256', '')}"
        return "not known: no upload of this version is on record"

    def _uploads(self) -> Mapping[str, Mapping[str, str]]:
        return UploadRecord(self._node).read()
