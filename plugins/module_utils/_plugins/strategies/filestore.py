# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategy filestore: the bundle is put into the filestore, from which the server installs when it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from ..._core.errors import OperatorError
from ..._server import features
from ..situation import Situation
from ..wanted import WantedPlugin
from .strategy import REQUESTED, Choice, Strategy, require

if TYPE_CHECKING:
    from ..installer import Installer
    from ..observed import PluginsFound
    from ..site import Site


class InFilestore(Strategy):
    """For a server with a filestore on this host's disk, running or not."""

    name = "filestore"
    keeps_stored = True

    def _choose(self, situation: Situation) -> Choice:
        require(
            features.FILESTORE,
            situation.version,
            "strategy filestore is for servers that install plugins from their filestore",
        )
        if situation.filestore_blocker:
            raise OperatorError(
                "strategy filestore needs a filestore on this host's disk",
                found=situation.filestore_blocker,
                wanted="FileSettings.DriverName local",
                remedy="start the server and use strategy: upload",
            )
        return Choice(self, REQUESTED)

    def offer(self, situation: Situation) -> Optional[Choice]:
        version = situation.version
        if version is None or not features.FILESTORE.in_version(version) or situation.filestore_blocker:
            return None
        unsupported = features.UNPACKED_UNSUPPORTED.in_version(version)
        if not (situation.managed or situation.reachable or unsupported):
            return None  # unpacking works, and leaves nothing in the filestore
        why = "the running server takes no uploads" if situation.reachable else "no running server answers"
        return Choice(self, f"{why}; {version} installs from its filestore at its next start")

    def is_ready(self, plugin: WantedPlugin, found: PluginsFound) -> bool:
        return found.is_stored(plugin)

    def action(self, plugin: WantedPlugin, found: PluginsFound, reason: str) -> str:
        return f"put the bundle with sha256 {plugin.sha256[:12]} into {found.places.filestore}: {reason}"

    def installer(self, site: Site) -> Installer:
        from ..install_at_next_start import IntoFilestore

        return IntoFilestore(site)
