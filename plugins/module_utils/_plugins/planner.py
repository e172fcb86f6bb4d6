# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what differs of the wanted plugins to what is to be done, strategy by strategy."""

from __future__ import annotations

from typing import Dict, List, Sequence, Tuple

from .._core.difference import Tracker
from .aspects import ENABLED, aspects_of, name_of
from .job import Job
from .observed import PluginsFound
from .selection import Selection
from .strategies.registry import WITHOUT_SERVER
from .strategies.strategy import Choice, Strategy
from .wanted import WantedPlugin


class Planner:
    """Plans the changes of a list of plugins.

    :param wanted: all plugins of the node's list
    """

    def __init__(self, wanted: Sequence[WantedPlugin], selection: Selection) -> None:
        self._wanted = wanted
        self._selection = selection

    def jobs(self, found: PluginsFound, differences: Tracker) -> List[Tuple[Strategy, Job]]:
        """What is to be done by each strategy that is used."""
        install = self.to_install(differences)
        return [
            (strategy, self._job(plugins, install, found, differences))
            for strategy, plugins in self._by_strategy(install, found, differences)
        ]

    def _by_strategy(
        self, install: Sequence[WantedPlugin], found: PluginsFound, differences: Tracker
    ) -> List[Tuple[Strategy, List[WantedPlugin]]]:
        needed = {self._selection.request(plugin).name for plugin in install}
        groups: Dict[str, Tuple[Strategy, List[WantedPlugin]]] = {}
        for plugin in self.touched(differences):
            is_needed = self._selection.request(plugin).name in needed or plugin.from_server
            if is_needed or found.situation.reachable:
                strategy = self._selection.choice(plugin, found.situation).strategy
            else:
                strategy = WITHOUT_SERVER  # nothing is installed, so the requested one need not be usable
            groups.setdefault(strategy.name, (strategy, []))[1].append(plugin)
        return list(groups.values())

    def _job(
        self,
        touched: List[WantedPlugin],
        install: Sequence[WantedPlugin],
        found: PluginsFound,
        differences: Tracker,
    ) -> Job:
        requests = {self._selection.request(plugin).name for plugin in touched}
        same = [plugin for plugin in self._wanted if self._selection.request(plugin).name in requests]
        return Job(
            install=[plugin for plugin in install if plugin in touched],
            touched=touched,
            running=[plugin for plugin in same if plugin.must_run],
            states={
                plugin.id: plugin.present and plugin.enabled
                for plugin in touched
                if ENABLED in aspects_of(plugin, differences)
            },
            found=found,
        )

    def to_install(self, differences: Tracker) -> List[WantedPlugin]:
        """Plugins whose bundle must get to the server."""
        return [plugin for plugin in self._wanted if plugin.present and self._needs_bundle(plugin, differences)]

    def _needs_bundle(self, plugin: WantedPlugin, differences: Tracker) -> bool:
        return bool({*self._selection.request(plugin).bundle_aspects} & {*aspects_of(plugin, differences)})

    def touched(self, differences: Tracker) -> List[WantedPlugin]:
        """Plugins that differ in anything, those to be removed too."""
        names = set(differences.names())
        return [plugin for plugin in self._wanted if name_of(plugin) in names or aspects_of(plugin, differences)]

    def choices(self, found: PluginsFound, differences: Tracker) -> List[Choice]:
        """How each bundle that is to be installed gets to the server."""
        return [self._selection.choice(plugin, found.situation) for plugin in self.to_install(differences)]

    def waiting_for_start(self, found: PluginsFound, differences: Tracker) -> List[str]:
        """Ids of the plugins whose change a running server takes over only when it starts next."""
        return [
            plugin.id
            for strategy, job in self.jobs(found, differences)
            if strategy.at_next_start
            for plugin in job.touched
            if self._selection.request(plugin).needs_start(plugin, aspects_of(plugin, differences), found)
        ]

    def coming(self, found: PluginsFound) -> List[str]:
        """Ids of the plugins that the server installs as wanted when it starts next."""
        not_yet = [plugin for plugin in self._wanted if plugin.present and not found.is_installed(plugin)]
        return [plugin.id for plugin in not_yet if self._selection.request(plugin).comes(plugin, found)]
