# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the wanted plugins with what a node has of them: no I/O, the same input gives the same differences."""

from __future__ import annotations

from typing import Optional, Sequence

from .._bundle.manifest import check_id
from .._core.difference import Tracker
from .aspects import ACTIVE, ENABLED, FILES, PREPACKAGED, VERSION, name_of
from .observed import PluginsFound
from .preconditions import refuse_doubtful_place, refuse_embedded, refuse_older_server
from .prepackaged_preconditions import refuse_to_bring_along
from .selection import Selection
from .strategies.prepackaged import in_words
from .strategies.registry import STRATEGIES
from .strategies.strategy import Deviation, Strategy
from .wanted import WantedPlugin


class Comparison:
    """Compares the plugins of a list, one after the other.

    :param leave_prepackaged: another resource ensures the bundles that the server brings along
    """

    def __init__(self, found: PluginsFound, selection: Selection, leave_prepackaged: bool) -> None:
        self._found = found
        self._selection = selection
        self._leave_prepackaged = leave_prepackaged
        self._differences = Tracker()

    def of(self, wanted: Sequence[WantedPlugin]) -> Tracker:
        """What differs.

        :raises OperatorError: something cannot be as wanted on this node
        """
        for plugin in wanted:
            refuse_doubtful_place(plugin, self._found)
            if not plugin.present:
                self._compare_absent(plugin)
            elif plugin.from_server:
                refuse_to_bring_along(plugin, self._found)
                self._compare_state(plugin)
            else:
                self._compare_present(plugin)
        return self._differences

    def _compare_present(self, plugin: WantedPlugin) -> None:
        found, request = self._found, self._selection.request(plugin)
        refuse_embedded(plugin, found.situation.version)
        refuse_older_server(plugin, found.situation.version)
        check_id(plugin.written_id or plugin.id, found.situation.version)
        found.tree_of(plugin)  # refuses a bundle that nobody has
        before = len(self._differences)
        request.check_bundle(plugin, found)
        if found.is_installed(plugin) or self._is_ready(plugin):
            self._add_all(plugin, request.deviations(plugin, found))
        else:
            self._compare_files(plugin)
        self._add_all(plugin, request.competitors(plugin, found))
        self._compare_state(plugin)
        if len(self._differences) == before:
            self._compare_active(plugin, request)

    def _is_ready(self, plugin: WantedPlugin) -> bool:
        """Whether the server has what it will install at its next start, by the strategy of the plugin."""
        return any(
            strategy.is_ready(plugin, self._found)
            and self._selection.choice(plugin, self._found.situation).strategy is strategy
            for strategy in STRATEGIES
        )

    def _compare_files(self, plugin: WantedPlugin) -> None:
        installed = self._found.directory.plugins.get(plugin.id)
        if installed is None or installed.version != plugin.version:
            self._add(plugin, VERSION, installed.version if installed else None, plugin.version)
        else:
            wanted = f"as in the bundle with sha256 {plugin.sha256}"
            self._add(plugin, FILES, self._found.changed_files.get(plugin.id), wanted)

    def _compare_state(self, plugin: WantedPlugin) -> None:
        verb = "enable" if plugin.enabled else "disable"
        state = self._found.state_of(plugin)
        self._differences.add(name_of(plugin, ENABLED), state, plugin.enabled, f"{verb} the plugin")

    def _compare_active(self, plugin: WantedPlugin, request: Strategy) -> None:
        """What was unpacked runs after the restart only; an upload is done when the server runs it."""
        active = self._found.active
        if not plugin.must_run or active is None or request.at_next_start:
            return
        if not self._selection.choice(plugin, self._found.situation).strategy.at_next_start:
            action = "enable again, wait until it runs"
            self._differences.add(name_of(plugin, ACTIVE), active.get(plugin.id), plugin.version, action)

    def _compare_absent(self, plugin: WantedPlugin) -> None:
        name, found = name_of(plugin), self._found
        installed = found.directory.plugins.get(plugin.id)
        if installed is not None:
            self._differences.add(name, installed.version, None, f"remove {installed.path}")
        elif plugin.id in found.filestore:
            path = found.filestore[plugin.id].path
            self._differences.add(name, "in the filestore", None, f"remove {path}")
        elif plugin.id in found.client_leftovers:
            left = f"left in {found.places.client_directory}"
            self._differences.add(name, left, None, "remove what the server left behind")
        self._compare_brought_back(plugin)
        self._differences.add(name_of(plugin, ENABLED), found.state_of(plugin), False, "disable the plugin")

    def _compare_brought_back(self, plugin: WantedPlugin) -> None:
        """Prepackaged bundles that would bring a removed plugin back."""
        bundles = self._found.prepackaged.get(plugin.id, [])
        if bundles and self._found.rules is not None and self._found.rules.always:
            paths = ", ".join(bundle.path for bundle in bundles)
            action = f"remove {paths}, which this server installs at every start; the node's store keeps it"
            self._add_all(plugin, [Deviation(PREPACKAGED, in_words(bundles), None, action)])

    def _add_all(self, plugin: WantedPlugin, deviations: Sequence[Deviation]) -> None:
        for one in deviations:
            if one.aspect != PREPACKAGED or not self._leave_prepackaged:
                self._add(plugin, one.aspect, one.found, one.wanted, one.action)

    def _add(
        self, plugin: WantedPlugin, aspect: str, found: Optional[str], wanted: Optional[str], action: str = ""
    ) -> None:
        """Without an action: what the strategy of the plugin does with its bundle."""
        if not action:
            choice = self._selection.choice(plugin, self._found.situation)
            action = choice.strategy.action(plugin, self._found, choice.reason)
        self._differences.add(name_of(plugin, aspect), found, wanted, action)
