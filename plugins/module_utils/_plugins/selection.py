# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which strategy each plugin of a list takes on one node."""

from __future__ import annotations

from .situation import Situation
from .strategies.registry import PREPACKAGED, strategy_named
from .strategies.strategy import Choice, Strategy
from .wanted import WantedPlugin


class Selection:
    """The requested strategies, and what is chosen for them.

    :param requested: name of the strategy for plugins that have none of their own
    :param by_files: the files of the node can be reached
    """

    def __init__(self, requested: str, by_files: bool) -> None:
        self._requested = requested
        self._by_files = by_files

    def request(self, plugin: WantedPlugin) -> Strategy:
        """The strategy that the operator requests for a plugin, perhaps ``auto``."""
        if self._is_brought_along(plugin):
            return PREPACKAGED
        return strategy_named(plugin.strategy or self._requested)

    def choice(self, plugin: WantedPlugin, situation: Situation) -> Choice:
        """The strategy of a plugin; the same in the same situation, which a change does not alter.

        :raises OperatorError: none can be used
        """
        if self._is_brought_along(plugin):
            return Choice(PREPACKAGED, "the server brings it along")
        return self.request(plugin).choose(situation)

    def _is_brought_along(self, plugin: WantedPlugin) -> bool:
        return plugin.from_server and self._by_files
