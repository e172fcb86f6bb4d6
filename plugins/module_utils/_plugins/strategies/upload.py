# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategy upload: the running server installs the bundle, and runs it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from ..._core.errors import OperatorError
from ..situation import Situation
from ..wanted import WantedPlugin
from .strategy import MAKE_REACHABLE, REQUESTED, Choice, Strategy

if TYPE_CHECKING:
    from ..installer import Installer
    from ..observed import PluginsFound
    from ..site import Site


class Upload(Strategy):
    """For a server that answers on its local-mode socket or its REST API and takes uploads."""

    name = "upload"
    at_next_start = False
    needs_files = False

    def _choose(self, situation: Situation) -> Choice:
        if not situation.reachable:
            raise OperatorError(
                "strategy upload needs a running server that answers on its local-mode socket or its REST API",
                found="no answer",
                remedy=f"{MAKE_REACHABLE}, or specify api_url and an account",
            )
        return Choice(self, REQUESTED)

    def offer(self, situation: Situation) -> Optional[Choice]:
        if situation.api_url:
            return Choice(self, "the node is reached through its REST API alone")
        if situation.reachable and situation.uploads:
            return Choice(self, f"the running server ({situation.version}) answers and takes uploads")
        return None

    def action(self, plugin: WantedPlugin, found: PluginsFound, reason: str) -> str:
        return f"upload the bundle with sha256 {plugin.sha256[:12]}: {reason}"

    def installer(self, site: Site) -> Installer:
        from ..install_by_upload import ByUpload
        from ..node_uploader import uploader_of

        uploader = uploader_of(site.node)
        if uploader is None:
            raise OperatorError(
                "the server answered when the strategy was chosen, and does not answer any more",
                where=site.node.what_runs,
                remedy="see the server's log, start the server and run again",
            )
        return ByUpload(site, uploader)
