# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server installs by itself when it starts, from its filestore and its prepackaged bundles, held against the
wanted plugins.
"""

from __future__ import annotations

import base64
from typing import Any, Callable, Collection, Mapping, Optional, Sequence

from .._core.difference import Tracker
from .._node.node import Node
from .._startup.filestore import Filestore
from .._startup.prepackaged import REQUIRE_SIGNATURE, Prepackaged, PrepackagedBundle, Rules, rules_of
from .observed import PluginsFound
from .preconditions import refuse_unverifiable_signature
from .prepackaged_preconditions import overtaking, refuse_to_bring_along, refuse_to_prepackage
from .strategy import FILESTORE, PREPACKAGED
from .wanted import WantedPlugin


class NextStart:
    """
    :param settings: gives the PluginSettings in effect, or that will be by then
    :param leave_prepackaged: another resource sees to the bundles that the server brings along
    """

    def __init__(
        self,
        node: Node,
        filestore: Callable[[], Filestore],
        prepackaged: Callable[[], Prepackaged],
        settings: Callable[[], Mapping[str, Any]],
        leave_prepackaged: bool = False,
    ) -> None:
        self._node = node
        self._filestore = filestore
        self._prepackaged = prepackaged
        self._settings = settings
        self._leave_prepackaged = leave_prepackaged

    @property
    def _rules(self) -> Optional[Rules]:
        return rules_of(self._node.version, self._settings())

    # refusals

    def refuse(self, plugin: WantedPlugin, tree: str, way: str, found: PluginsFound) -> None:
        """What the server would not take at its next start.

        :param tree: digest of the files of the bundle
        :param way: that the operator asks for
        :raises OperatorError: so it is
        """
        rules = self._rules
        if way == PREPACKAGED and rules is not None:
            refuse_to_prepackage(plugin, tree, found, rules, self._filestore().problem)
        elif plugin.signature and self._settings().get(REQUIRE_SIGNATURE):
            refuse_unverifiable_signature(plugin, self._filestore().directory)

    def refuse_without_bundle(self, plugin: WantedPlugin, found: PluginsFound) -> None:
        """
        :raises OperatorError: nobody gives a bundle of the plugin, the server neither
        """
        refuse_to_bring_along(plugin, found, self._rules)

    # compare

    def has(self, plugin: WantedPlugin, way: str, found: PluginsFound) -> bool:
        """Whether the bundle lies where the server takes it from, by one of the ways of a next start."""
        if way == PREPACKAGED:
            bundles = found.prepackaged.get(plugin.id, [])
            return len(bundles) == 1 and bundles[0].is_wanted(plugin.sha256, signature_of(plugin))
        stored = found.filestore.get(plugin.id)
        return way == FILESTORE and stored is not None and stored.sha256 == plugin.sha256

    def compare(
        self, plugin: WantedPlugin, way: str, how: Callable[[], str], found: PluginsFound, differences: Tracker
    ) -> None:
        """What the server would install over a plugin that is there, or comes, as wanted.

        :param way: that the operator asks for
        :param how: says what brings the bundle there
        """
        if way != PREPACKAGED:
            self._compare_stored(plugin, way, how, found, differences)
        elif not self._leave_prepackaged and not self.has(plugin, way, found):
            there = _spelled(found.prepackaged.get(plugin.id, []))
            differences.add(f"plugins.{plugin.id}.prepackaged", there, _the_bundle(plugin), how())

    def _compare_stored(
        self, plugin: WantedPlugin, way: str, how: Callable[[], str], found: PluginsFound, differences: Tracker
    ) -> None:
        name, stored = f"plugins.{plugin.id}", found.filestore.get(plugin.id)
        if stored is None:
            if way == FILESTORE:
                differences.add(f"{name}.stored", None, _the_bundle(plugin), how())
        elif stored.sha256 != plugin.sha256:
            other = f"another bundle in the filestore, it would win at the next start (sha256 {stored.sha256})"
            differences.add(f"{name}.stored", other, _the_bundle(plugin), how())
        elif plugin.signature and stored.signature != signature_of(plugin):
            there = None if stored.signature is None else "another one"
            differences.add(f"{name}.signature", there, "the bundle's own", f"put it beside {stored.path}")

    def compare_prepackaged(self, plugin: WantedPlugin, found: PluginsFound, differences: Tracker) -> None:
        """A prepackaged bundle that would come over the wanted one, or back after a removal."""
        rules, name = self._rules, f"plugins.{plugin.id}.prepackaged"
        if rules is None or self._leave_prepackaged:
            return
        if plugin.present:
            bundle = overtaking(plugin, found.prepackaged.get(plugin.id, []), rules)
            if bundle is not None:
                there = f"version {bundle.version or '(none)'}, it would win at the next start"
                differences.add(name, there, None, f"remove {bundle.path}; the node's store keeps it")
        elif rules.always and plugin.id in found.prepackaged:
            bundles = found.prepackaged[plugin.id]
            paths = ", ".join(bundle.path for bundle in bundles)
            action = f"remove {paths}, which this server installs at every start; the node's store keeps it"
            differences.add(name, _spelled(bundles), None, action)

    # what comes

    def comes(self, plugin: WantedPlugin, way: str, enabled: bool, found: PluginsFound) -> bool:
        """Whether the server, started now, would install the wanted bundle.

        :param enabled: state of the plugin
        """
        rules = self._rules
        if way != PREPACKAGED:
            return self.has(plugin, FILESTORE, found)
        if rules is None or not rules.takes(enabled):
            return False
        return plugin.id in found.prepackaged if plugin.from_server else self.has(plugin, way, found)

    def takes_when_enabled(self, enabled: bool) -> bool:
        """Whether the server takes the prepackaged bundle of a plugin in this state."""
        return self._rules is not None and self._rules.takes(enabled)

    # mend

    def mend(self, wanted: Sequence[WantedPlugin], differences: Tracker, keep: Callable[[str, str], object]) -> None:
        """What no installer does: away with bundles that would bring back or overtake a plugin, and signatures that
        came later.

        :param keep: keeps a bundle (sha256, real path) for a rollback
        """
        names = differences.names()
        gone = {difference.name for difference in differences if difference.wanted is None}
        for plugin in wanted:
            name = f"plugins.{plugin.id}"
            if not plugin.present and name in names:
                self._filestore().remove(plugin.id)
            elif f"{name}.signature" in names:
                self._filestore().sign(plugin.id, base64.b64decode(plugin.signature))
            if f"{name}.prepackaged" in gone:
                self.keep_prepackaged([plugin], keep)
                self._prepackaged().remove(plugin.id)

    def keep_prepackaged(self, plugins: Sequence[WantedPlugin], keep: Callable[[str, str], object]) -> None:
        """Before bundles of the folder go.

        :param keep: keeps a bundle (sha256, real path) for a rollback
        """
        folder, ids = self._prepackaged(), [plugin.id for plugin in plugins]
        bundles = folder.bundles(ids)
        for bundle in (bundle for plugin_id in ids for bundle in bundles.get(plugin_id, [])):
            keep(bundle.sha256, folder.real(bundle.name))

    def renew_signatures(self, installed: Collection[WantedPlugin]) -> None:
        """An upload leaves beside the new bundle the signature of the one before, or none."""
        filestore = self._filestore()
        stored = filestore.bundles(()) if installed else {}
        for plugin in installed:
            wanted = signature_of(plugin)
            if plugin.id not in stored or stored[plugin.id].signature == wanted:
                continue
            if wanted is None:
                filestore.unsign(plugin.id)
            else:
                filestore.sign(plugin.id, wanted)


def signature_of(plugin: WantedPlugin) -> Optional[bytes]:
    """The detached signature that was delivered with the bundle; None if there was none."""
    return base64.b64decode(plugin.signature) if plugin.signature else None


def _the_bundle(plugin: WantedPlugin) -> str:
    return f"the bundle with sha256 {plugin.sha256}"


def _spelled(bundles: Sequence[PrepackagedBundle]) -> Optional[str]:
    return ", ".join(f"{bundle.name} (version {bundle.version or '(none)'})" for bundle in bundles) or None
