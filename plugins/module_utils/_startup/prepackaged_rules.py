# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a server installs the bundles that it brings along, by its version and its settings.

From 5.2 to 5.19 it installs every one of them at every start. From 5.20 on it takes the newest bundle of a plugin that
is enabled, if ``AutomaticPrepackagedPlugins`` is on and nothing as new is installed; it does not store what it installs
so, and installs it again at every start. From 10.11 on it takes none without a signature.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Optional

from .._core.server_version import ServerVersion
from .._server import features

FOLDER = "prepackaged_plugins"
AUTOMATIC, REQUIRE_SIGNATURE = "AutomaticPrepackagedPlugins", "RequirePluginSignature"


@dataclass(frozen=True)
class Rules:
    """When one server installs what is prepackaged.

    :param version: of the server
    :param automatic: ``AutomaticPrepackagedPlugins``
    :param signed: only with a signature
    """

    version: ServerVersion
    automatic: bool
    signed: bool

    @property
    def always(self) -> bool:
        """Whether it installs every bundle at every start, regardless of what is there."""
        return not features.PREPACKAGED_ONLY_IF_NEWER.in_version(self.version)

    def takes(self, enabled: bool) -> bool:
        """Whether it looks at the bundle of a plugin at all."""
        return self.always or (self.automatic and enabled)


def rules_of(version: Optional[ServerVersion], settings: Mapping[str, Any]) -> Optional[Rules]:
    """The rules of one server.

    :param settings: PluginSettings in effect
    :returns: None for a server that brings nothing along in a folder, or whose version is not known
    """
    if version is None or not features.PREPACKAGED.in_version(version):
        return None
    signed = features.PREPACKAGED_ONLY_SIGNED.in_version(version) or bool(settings.get(REQUIRE_SIGNATURE))
    return Rules(version, bool(settings.get(AUTOMATIC, True)), signed)
