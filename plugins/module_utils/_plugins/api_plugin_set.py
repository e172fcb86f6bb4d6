# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugins of a node that is reached through its REST API alone: uploads, and a record of them."""

from __future__ import annotations

from typing import Any, Dict, List

from .._bundle.installed import Installed
from .._core.difference import Tracker
from .._settings.effective import read_plugin_settings
from .api_observer import ApiObserver
from .observed import PluginsFound
from .plugin_set import PluginSet
from .upload_record import UploadRecord
from .wanted import WantedPlugin

PROOF = (
    "{} is reached through its REST API alone: that the plugins' files are those of the bundles is known from the "
    "uploads on record, it cannot be proved"
)
STALE = (
    "The server knows public keys of signatures (SignaturePublicKeyFiles). An upload leaves beside the stored bundle "
    "the signature of the one before, if there was one, and through the REST API alone that cannot be fixed: under "
    "RequirePluginSignature these plugins could vanish at the next start: {ids}"
)


class ApiPluginSet(PluginSet):
    """As :class:`PluginSet`, without a file of the node."""

    observer_class = ApiObserver

    def save_cache(self) -> None:
        """There is none: no file is read."""

    # apply

    def apply(self, found: PluginsFound, differences: Tracker) -> None:
        record, install = UploadRecord(self._node), self._planner.to_install(differences)
        gone = [plugin for plugin in self._planner.touched(differences) if not plugin.present]
        # Before the upload: a run that is killed after it must not leave a record of other bytes.
        record.change({}, {plugin.id for plugin in (*install, *gone)})
        super().apply(found, differences)
        record.change({plugin.id: _upload_of(plugin, found) for plugin in install}, set())

    def tidy(self) -> None:
        """Nothing of the node's is written but by the server."""

    def _clear_leftovers(self, found: PluginsFound, differences: Tracker) -> None:
        """The server removes what it stored; the files for browsers are out of reach."""

    # what else the operator must know

    def warnings(self, found: PluginsFound) -> List[str]:
        present = any(plugin.present for plugin in self._wanted)
        proof = [PROOF.format(self._node.options.api_url)] if present else []
        return [*super().warnings(found), *proof, *self._stale_signatures()]

    def _stale_signatures(self) -> List[str]:
        """If signatures are in use: an upload leaves that of the bundle before, and only files would show it."""
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
        uploaded = found.uploads.get(plugin.id, {}) if plugin.tree.digest else {}
        facts = {**super()._facts_of(plugin, found), "tree": plugin.tree.digest or None}
        facts.pop("paths", None)
        return {**facts, "uploaded": uploaded.get("sha256")}


def _upload_of(plugin: WantedPlugin, found: PluginsFound) -> Dict[str, str]:
    return {"version": plugin.version, "sha256": plugin.sha256, "tree": found.tree_of(plugin)}
