# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategy prepackaged: the bundle is one of those that the server brings along in a folder of its installation."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Optional, Sequence

from ..._server import features
from ..aspects import BUNDLE_ASPECTS, PREPACKAGED
from ..prepackaged_preconditions import refuse_to_prepackage
from ..situation import Situation
from ..wanted import WantedPlugin
from .auto import AUTO
from .strategy import REQUESTED, Choice, Deviation, Strategy, require, the_bundle

if TYPE_CHECKING:
    from ..._startup.prepackaged import PrepackagedBundle
    from ..installer import Installer
    from ..observed import PluginsFound
    from ..site import Site


class Prepackaged(Strategy):
    """For servers that install from that folder at their start; never chosen by ``auto``."""

    name = "prepackaged"
    compares_versions = True
    bundle_aspects = (*BUNDLE_ASPECTS, PREPACKAGED)

    def _choose(self, situation: Situation) -> Choice:
        require(
            features.PREPACKAGED,
            situation.version,
            "strategy prepackaged is for servers that bring plugins along in a folder",
        )
        return Choice(self, REQUESTED)

    def check_bundle(self, plugin: WantedPlugin, found: PluginsFound) -> None:
        self.choose(found.situation)
        if found.rules is not None:
            refuse_to_prepackage(plugin, found, found.rules)

    def is_ready(self, plugin: WantedPlugin, found: PluginsFound) -> bool:
        bundles = found.prepackaged.get(plugin.id, [])
        return len(bundles) == 1 and bundles[0].is_wanted(plugin.sha256, plugin.detached_signature)

    def action(self, plugin: WantedPlugin, found: PluginsFound, reason: str) -> str:
        return f"put the bundle with sha256 {plugin.sha256[:12]} into {found.places.prepackaged}: {reason}"

    def deviations(self, plugin: WantedPlugin, found: PluginsFound) -> List[Deviation]:
        if self.is_ready(plugin, found):
            return []
        return [Deviation(PREPACKAGED, in_words(found.prepackaged.get(plugin.id, [])), the_bundle(plugin))]

    def competitors(self, plugin: WantedPlugin, found: PluginsFound) -> List[Deviation]:
        return []

    def comes(self, plugin: WantedPlugin, found: PluginsFound) -> bool:
        if found.rules is None or not found.rules.takes(found.states.get(plugin.id, False)):
            return False
        return plugin.id in found.prepackaged if plugin.from_server else self.is_ready(plugin, found)

    def needs_start(self, plugin: WantedPlugin, aspects: Sequence[str], found: PluginsFound) -> bool:
        if not plugin.present:
            return super().needs_start(plugin, aspects, found)
        takes = found.rules is not None and found.rules.takes(plugin.enabled)
        return takes and not found.is_installed(plugin)

    def installer(self, site: Site) -> Installer:
        from ..install_at_next_start import IntoPrepackaged

        return IntoPrepackaged(site)

    def to_restore(self, was_prepackaged: bool) -> str:
        return self.name if was_prepackaged else AUTO


def in_words(bundles: Sequence[PrepackagedBundle]) -> Optional[str]:
    """Names and versions of bundles; None if there are none."""
    return ", ".join(f"{bundle.name} (version {bundle.version or '(none)'})" for bundle in bundles) or None
