# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done on one node by one strategy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Sequence

from .observed import PluginsFound
from .wanted import WantedPlugin


@dataclass(frozen=True)
class Job:
    """The plugins that one strategy changes.

    :param install: plugins whose bundle must get to the server
    :param touched: plugins that differ in anything, those to be removed too
    :param running: plugins that the server must run at the end
    :param states: id -> enabled, if it differs
    :param found: what the node had before the change
    """

    install: Sequence[WantedPlugin]
    touched: Sequence[WantedPlugin]
    running: Sequence[WantedPlugin]
    states: Mapping[str, bool]
    found: PluginsFound

    @property
    def gone(self) -> Sequence[WantedPlugin]:
        """Plugins to be removed that are installed."""
        return [plugin for plugin in self.touched if not plugin.present and self.is_installed(plugin)]

    def is_installed(self, plugin: WantedPlugin) -> bool:
        """Whether the plugin was installed, in any version."""
        return plugin.id in self.found.directory.plugins

    def is_enabled(self, plugin: WantedPlugin) -> bool:
        """Whether the plugin was enabled."""
        return self.found.states.get(plugin.id, False)
