# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes of what a server installs by itself when it starts, beside the installs of the strategies."""

from __future__ import annotations

from typing import Collection, Sequence

from .._core.difference import Tracker
from .._startup.filestore import Filestore
from .aspects import PREPACKAGED, SIGNATURE, name_of
from .site import Site
from .wanted import WantedPlugin


def clear_startup(site: Site, wanted: Sequence[WantedPlugin], differences: Tracker) -> None:
    """Remove the bundles that would bring back or overtake a plugin, and add signatures that came later."""
    names = differences.names()
    gone = {difference.name for difference in differences if difference.wanted is None}
    for plugin in wanted:
        if not plugin.present and name_of(plugin) in names:
            site.filestore().remove(plugin.id)
        elif name_of(plugin, SIGNATURE) in names and plugin.detached_signature is not None:
            site.filestore().sign(plugin.id, plugin.detached_signature)
        if name_of(plugin, PREPACKAGED) in gone:
            keep_prepackaged(site, [plugin])
            site.prepackaged().remove(plugin.id)


def keep_prepackaged(site: Site, plugins: Sequence[WantedPlugin]) -> None:
    """Before bundles of the folder go: keep them in the node's store, for a rollback."""
    folder, ids = site.prepackaged(), [plugin.id for plugin in plugins]
    bundles = folder.bundles(ids)
    for bundle in (bundle for plugin_id in ids for bundle in bundles.get(plugin_id, [])):
        site.store.add(bundle.sha256, folder.real(bundle.name))


def renew_signatures(filestore: Filestore, installed: Collection[WantedPlugin]) -> None:
    """After an upload, which leaves beside the new bundle the signature of the one before, or none."""
    stored = filestore.bundles(()) if installed else {}
    for plugin in installed:
        wanted = plugin.detached_signature
        if plugin.id not in stored or stored[plugin.id].signature == wanted:
            continue
        if wanted is None:
            filestore.unsign(plugin.id)
        else:
            filestore.sign(plugin.id, wanted)
