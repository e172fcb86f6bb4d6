# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategy unpack: the unpacked bundle is swapped into the plugin directory."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Optional

from ..._core.errors import OperatorError
from ..._core.server_version import ServerVersion
from ..._server import features
from ..preconditions import refuse_unpacking
from ..situation import Situation
from ..wanted import WantedPlugin
from .strategy import MAKE_REACHABLE, REQUESTED, Choice, Strategy, require_version

if TYPE_CHECKING:
    from ..installer import Installer
    from ..observed import PluginsFound
    from ..site import Site


class Unpack(Strategy):
    """For servers that run what lies in their plugin directory, running or not."""

    name = "unpack"

    def _choose(self, situation: Situation) -> Choice:
        version = _keeps_unpacked(situation)
        if features.UNPACKED_UNSUPPORTED.in_version(version):
            warning = f"Mattermost {version} does not support unpacked plugins (since 10.5); 11.0 deletes them"
            return Choice(self, REQUESTED, warning)
        return Choice(self, REQUESTED)

    def offer(self, situation: Situation) -> Optional[Choice]:
        """The last one that is tried."""
        version = _keeps_unpacked(situation)
        if features.UNPACKED_UNSUPPORTED.in_version(version):
            raise OperatorError(
                "the server does not answer on a local-mode socket, and unpacking is not supported by this version",
                found=f"server version {version}",
                remedy=f"{MAKE_REACHABLE}; or request strategy: unpack in spite of it",
            )
        return Choice(self, f"no running server answers on a local-mode socket; {version} runs unpacked plugins")

    def action(self, plugin: WantedPlugin, found: PluginsFound, reason: str) -> str:
        refuse_unpacking(plugin, found)
        place = posixpath.join(found.places.directory, plugin.id)
        return f"unpack the bundle with sha256 {plugin.sha256[:12]} into {place}: {reason}"

    def installer(self, site: Site) -> Installer:
        from ..install_by_unpacking import ByUnpacking

        return ByUnpacking(site)


def _keeps_unpacked(situation: Situation) -> ServerVersion:
    """The version of a server that keeps what is unpacked."""
    version = require_version(situation.version)
    if features.UNPACKED_DELETED.in_version(version):
        raise OperatorError(
            "strategy unpack is refused: this server deletes every plugin at its next start that it has not installed "
            "itself",
            found=f"server version {version}",
            wanted=f"below {features.UNPACKED_DELETED.since}",
            remedy=MAKE_REACHABLE,
        )
    return version
