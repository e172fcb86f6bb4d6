# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every strategy can do, and how most of them do it.

A new strategy is a subclass in a file of its own, and its line in ``registry``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, List, Optional, Sequence

from ..._core.errors import OperatorError
from ..._core.server_version import ServerVersion
from ..._server.features import Feature
from ..aspects import BUNDLE_ASPECTS, PREPACKAGED, SIGNATURE, STORED
from ..preconditions import refuse_unverifiable_signature
from ..prepackaged_preconditions import overtaking
from ..situation import Situation
from ..wanted import WantedPlugin

if TYPE_CHECKING:
    from ..installer import Installer
    from ..observed import PluginsFound
    from ..site import Site

REQUESTED = "requested"  # the reason for a strategy that the operator names
MAKE_REACHABLE = (
    "start the server and switch ServiceSettings.EnableLocalMode on, so that the bundle can be uploaded through its "
    "local socket"
)


@dataclass(frozen=True)
class Choice:
    """A strategy that can be used, and why this one.

    :param reason: in words for the operator
    :param warning: what the operator must know about it; empty if nothing
    """

    strategy: Strategy
    reason: str
    warning: str = ""

    @property
    def name(self) -> str:
        """The strategy's name."""
        return self.strategy.name


@dataclass(frozen=True)
class Deviation:
    """What of the bundle of a plugin is not as this strategy needs it.

    :param aspect: see :mod:`..aspects`
    :param action: what will be done; empty: what the chosen strategy does with a bundle
    """

    aspect: str
    found: Optional[str]
    wanted: Optional[str]
    action: str = ""


class Strategy:
    """How bundles get from a node's store to a server that runs them. Without state: one object for all nodes.

    :cvar name: as operators write it
    :cvar at_next_start: a running server takes the change over only when it starts next
    :cvar needs_files: the files of the app server are needed, its API alone is not enough
    :cvar keeps_stored: the bundle must be in the server's filestore even if the plugin is installed as wanted
    :cvar depends_on_uploads: it must be known whether the server takes uploads
    :cvar compares_versions: the versions of bundles in the filestore must be known
    :cvar bundle_aspects: what can differ of a plugin that needs the bundle
    """

    name = ""
    at_next_start = True
    needs_files = True
    keeps_stored = False
    depends_on_uploads = False
    compares_versions = False
    bundle_aspects: Sequence[str] = BUNDLE_ASPECTS

    # which strategy

    def choose(self, situation: Situation) -> Choice:
        """The choice where an operator requests this strategy.

        :raises OperatorError: it cannot be used here
        """
        if situation.api_url and self.needs_files:
            raise OperatorError(
                f"strategy {self.name} needs the files of the app server, which is reached through its API alone",
                where=situation.api_url,
                found="api_only: true",
                wanted="strategy: auto or upload",
                remedy="correct the strategy, or remove api_only and run on the app server itself",
            )
        return self._choose(situation)

    def _choose(self, situation: Situation) -> Choice:
        raise NotImplementedError

    def offer(self, situation: Situation) -> Optional[Choice]:
        """The choice where the operator leaves the strategy open; None if another strategy must be tried.

        :raises OperatorError: no strategy is left to try
        """
        return None

    # compare

    def check_bundle(self, plugin: WantedPlugin, found: PluginsFound) -> None:
        """Refuse a bundle that the server would not take.

        :raises OperatorError: it would not
        """
        if plugin.signature and found.requires_signatures:
            refuse_unverifiable_signature(plugin, found.places.filestore)

    def is_ready(self, plugin: WantedPlugin, found: PluginsFound) -> bool:
        """Whether the bundle already is where the server takes it from at its next start."""
        return False

    def action(self, plugin: WantedPlugin, found: PluginsFound, reason: str) -> str:
        """What will be done with the bundle, in words.

        :raises OperatorError: it would not last
        """
        raise NotImplementedError

    def deviations(self, plugin: WantedPlugin, found: PluginsFound) -> List[Deviation]:
        """What differs although the plugin is installed as wanted, or will be at the next start."""
        stored = found.filestore.get(plugin.id)
        if stored is None:
            return [Deviation(STORED, None, the_bundle(plugin))] if self.keeps_stored else []
        if stored.sha256 != plugin.sha256:
            other = f"another bundle in the filestore, it would win at the next start (sha256 {stored.sha256})"
            return [Deviation(STORED, other, the_bundle(plugin))]
        if plugin.signature and stored.signature != plugin.detached_signature:
            present = None if stored.signature is None else "another one"
            return [Deviation(SIGNATURE, present, "the bundle's own", f"put it beside {stored.path}")]
        return []

    def competitors(self, plugin: WantedPlugin, found: PluginsFound) -> List[Deviation]:
        """Prepackaged bundles that would be installed over the wanted one at the next start."""
        bundle = found.rules and overtaking(plugin, found.prepackaged.get(plugin.id, []), found.rules)
        if not bundle:
            return []
        present = f"version {bundle.version or '(none)'}, it would win at the next start"
        return [Deviation(PREPACKAGED, present, None, f"remove {bundle.path}; the node's store keeps it")]

    # the next start

    def comes(self, plugin: WantedPlugin, found: PluginsFound) -> bool:
        """Whether the server, started now, would install the wanted bundle."""
        return found.is_stored(plugin)

    def needs_start(self, plugin: WantedPlugin, aspects: Sequence[str], found: PluginsFound) -> bool:
        """Whether a plugin in which these aspects differ needs a start of the server."""
        return set(aspects) != {PREPACKAGED}

    # apply

    def installer(self, site: Site) -> Installer:
        """What carries this strategy out. Loads what changes a node, and therefore only where something differs.

        :raises OperatorError: what it needs is no longer there
        """
        raise NotImplementedError

    # restore

    def to_restore(self, was_prepackaged: bool) -> str:
        """The strategy for a bundle that a checkpoint brings back where this one is requested.

        :param was_prepackaged: the bundle was prepackaged when the checkpoint was taken
        """
        return self.name


def the_bundle(plugin: WantedPlugin) -> str:
    """How differences name the wanted bundle."""
    return f"the bundle with sha256 {plugin.sha256}"


def require(feature: Feature, version: Optional[ServerVersion], problem: str) -> ServerVersion:
    """The server's version, which has a feature.

    :raises OperatorError: the version is not known, or older
    """
    known = require_version(version)
    if not feature.in_version(known):
        raise OperatorError(
            problem,
            found=f"server version {known}",
            wanted=f"at least {feature.since}",
            remedy="use strategy: auto or unpack",
        )
    return known


def require_version(version: Optional[ServerVersion]) -> ServerVersion:
    """The server's version.

    :raises OperatorError: it is not known
    """
    if version is None:
        raise OperatorError(
            "the strategy for the bundles depends on the server's version, and no server answers",
            found="server_version not set",
            remedy="set server_version, or start the server",
        )
    return version
