# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugins of a node that is reached through its REST API alone: what the server says, and what was uploaded.

No server tells the bytes of a plugin. A plugin counts as the bundle's when the server says its version and the last
upload on record, in the state directory on the controller, was of that very bundle.
"""

from __future__ import annotations

import contextlib
import json
import os
import posixpath
from typing import Any, Dict, List, Mapping, Set

from .._bundle.installed import Installed, PluginDirectory
from .._bundle.tree import Tree
from .._core.difference import Tracker
from .._core.errors import OperatorError
from .._formats.json_reader import parse_json
from .._host.directories import make_directories
from .._host.reading import OWN_RECORD_LIMIT, read_file
from .._host.writing import write_atomic
from .._server.client import API as API_PATH
from .._server.client import Server
from .._server.errors import PluginsDisabled
from .._settings.effective import read_plugin_settings
from .._startup.filestore import StoredBundle
from .observed import PluginsFound
from .planner import PluginWays
from .plugin_set import PluginSet
from .strategy import AUTO, UPLOAD, Strategy
from .wanted import WantedPlugin

UPLOADS = "uploads.json"
PROOF = (
    "{} is reached through its REST API alone: that the plugins' files are those of the bundles is known from the "
    "uploads on record, it cannot be proved"
)
STALE = (
    "The server knows public keys of signatures (SignaturePublicKeyFiles). An upload leaves beside the stored bundle "
    "the signature of the one before, if there was one, and through the REST API alone that cannot be mended: under "
    "RequirePluginSignature these plugins could vanish at the next start: {ids}"
)


class UploadRecord:
    """Which bundle was uploaded last, by plugin.

    :param path: path of the record as this process sees it
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def read(self) -> Dict[str, Dict[str, str]]:
        """Id -> ``version``, ``sha256`` and ``tree``; what cannot be read is not known."""
        with contextlib.suppress(OSError, ValueError):
            found = parse_json(read_file(self._path, OWN_RECORD_LIMIT))
            if isinstance(found, dict):
                return {plugin_id: item for plugin_id, item in found.items() if _is_upload(item)}
        return {}

    def change(self, uploads: Mapping[str, Dict[str, str]], gone: Set[str]) -> None:
        """Put uploads in, take what is gone out.

        :raises OSError: it cannot be written
        """
        known = self.read()
        wanted = {**{i: item for i, item in known.items() if i not in gone}, **uploads}
        if wanted != known:
            make_directories(os.path.dirname(self._path))
            write_atomic(self._path, json.dumps(wanted, indent=2, sort_keys=True).encode("utf-8"))


def _is_upload(item: Any) -> bool:
    return isinstance(item, dict) and all(isinstance(item.get(key), str) for key in ("version", "sha256", "tree"))


class ApiWays(PluginWays):
    """Uploads alone."""

    def asked_for(self, plugin: WantedPlugin) -> str:
        return plugin.strategy or self._asked

    def of(self, plugin: WantedPlugin, found: PluginsFound) -> Strategy:
        asked = self.asked_for(plugin)
        if asked not in (AUTO, UPLOAD):
            raise OperatorError(
                f"strategy {asked} needs the files of the app server, and it is reached through its API alone",
                where=self._node.options.api_url or "",
                found="api_only: true",
                wanted="strategy: auto or upload",
                remedy="correct the strategy, or take api_only away and run on the app server itself",
            )
        reason = "asked for" if asked == UPLOAD else "the node is reached through its REST API alone"
        return Strategy(UPLOAD, reason)


class ApiPluginSet(PluginSet):
    """As :class:`PluginSet`, without a file of the node."""

    ways_class = ApiWays

    _uploads: Mapping[str, Mapping[str, str]] = {}  # the record, as it was observed

    @property
    def _record(self) -> UploadRecord:
        return UploadRecord(self._node.state_path(UPLOADS))

    def _place(self, key: str) -> str:
        return f"{(self._node.options.api_url or '').rstrip('/')}{API_PATH}/plugins"

    def _server(self) -> Server:
        return self._node.answering_server()

    # observe

    def observe(self) -> PluginsFound:
        try:
            told = self._server().plugins()
        except PluginsDisabled as error:
            raise OperatorError(
                "the server's plugin system is off, its plugins cannot be seen through its API",
                where=self._place(""),
                remedy="set PluginSettings.Enable to true with mattermost_plugin_settings; if it is, see the server's "
                "log",
            ) from error
        self._uploads = self._record.read()
        plugins = [self._installed(manifest) for state in ("active", "inactive") for manifest in told[state]]
        return PluginsFound(
            directory=PluginDirectory({plugin.id: plugin for plugin in plugins}, {}, {}),
            states=self._states(),
            active=self._active(),
            filestore={},
            client_leftovers=set(),
        )

    def _installed(self, manifest: Mapping[str, Any]) -> Installed:
        plugin_id, version = manifest["id"].lower(), manifest["version"]
        uploaded = self._uploads.get(plugin_id, {})
        digest = uploaded["tree"] if uploaded.get("version") == version else ""
        path = posixpath.join(self._place(""), plugin_id)
        return Installed(id=plugin_id, version=version, path=path, tree=Tree({}, digest), managed=False)

    def save_cache(self) -> None:
        """There is none: no file is read."""

    def _stored_bundles(self) -> Dict[str, StoredBundle]:
        return {}

    # compare

    def _describe_files(self, plugin: WantedPlugin, installed: Installed) -> str:
        uploaded = self._uploads.get(plugin.id, {})
        if installed.tree.digest:
            return f"uploaded from the bundle with sha256 {uploaded.get('sha256', '')}"
        return "not known: no upload of this version is on record"

    # apply

    def apply(self, found: PluginsFound, differences: Tracker) -> None:
        install = self._work.to_install(differences)
        # Before the upload: a run that is killed after it must not leave a record of other bytes.
        self._record.change({}, {plugin.id for plugin in self._touched_files(differences)})
        super().apply(found, differences)
        self._record.change({plugin.id: self._upload_of(plugin) for plugin in install}, set())

    def _upload_of(self, plugin: WantedPlugin) -> Dict[str, str]:
        return {"version": plugin.version, "sha256": plugin.sha256, "tree": self._tree_of(plugin)}

    def _touched_files(self, differences: Tracker) -> List[WantedPlugin]:
        gone = [plugin for plugin in self._work.touched(differences) if not plugin.present]
        return [*self._work.to_install(differences), *gone]

    def tidy(self) -> None:
        """Nothing of the node's is written but by the server."""

    def _mend_next_start(self, differences: Tracker) -> None:
        """The server removes what it stored."""

    def _remove_client_leftovers(self) -> None:
        """Out of reach."""

    # what else is to be said

    def warnings(self, found: PluginsFound) -> List[str]:
        present = any(plugin.present for plugin in self._wanted)
        proof = [PROOF.format(self._node.options.api_url)] if present else []
        return [*super().warnings(found), *proof, *self._stale_signatures()]

    def _stale_signatures(self) -> List[str]:
        """Where signatures are in use: an upload leaves that of the bundle before, and only files could tell."""
        ids = [plugin.id for plugin in self._wanted if plugin.present and not plugin.from_server]
        if not ids or not read_plugin_settings(self._node).get("SignaturePublicKeyFiles"):
            return []
        return [STALE.format(ids=", ".join(ids))]

    def facts(self, found: PluginsFound) -> Dict[str, Any]:
        settings = read_plugin_settings(self._node)
        return {
            **super().facts(found),
            "directory": settings["Directory"],
            "client_directory": settings["ClientDirectory"],
        }

    def _facts_of(self, plugin: Installed, found: PluginsFound) -> Dict[str, Any]:
        uploaded = self._uploads.get(plugin.id, {}) if plugin.tree.digest else {}
        facts = {**super()._facts_of(plugin, found), "tree": plugin.tree.digest or None}
        facts.pop("paths", None)
        return {**facts, "uploaded": uploaded.get("sha256")}
