# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PluginSettings as a checkpoint has them."""

from __future__ import annotations

from typing import Any, Collection, List, Mapping, Optional, Sequence

from .._config.document import ABSENT, FoldedMap, same_value
from .._config.plugin_settings import PLUGINS, SECTION, STATES, Change, enabled_ids, find_key
from .._config.source import DATABASE, FILE
from .._node.node import Node
from .._server import features
from .._settings.live_settings import has_mask
from .._settings.settings import SOCKET, Settings


class CheckpointSettings(Settings):
    """PluginSettings as a checkpoint has them: what it does not have is removed or gets its default.

    :param recorded: PluginSettings of the checkpoint
    :param only: ids; then the states and settings of these plugins alone
    :param without: ids whose states another resource ensures
    """

    def __init__(
        self, node: Node, recorded: Mapping[str, Any], only: Optional[Collection[str]], without: Collection[str]
    ) -> None:
        super().__init__(node, {}, {}, {}, channel=_channel(node))
        self._recorded = FoldedMap(recorded, f"{SECTION} of the checkpoint")
        self._only = only
        self._without = without

    def _needed(self, section: FoldedMap) -> List[Change]:
        scalars = [] if self._only is not None else self._scalars(section)
        return [*scalars, *self._states(section), *self._plugins(section)]

    def _scalars(self, section: FoldedMap) -> List[Change]:
        found = []
        for name in {**self._recorded, **section}:
            key = find_key(name)
            if key is not None and key.type == "map":
                continue
            found_value, recorded = section.get(name), self._recorded.get(name)
            default = key.default if key is not None else None
            before, now = (key.normal(value) if key is not None else value for value in (recorded, found_value))
            wanted = default if recorded is None else recorded
            known = key is not None or name in self._recorded
            if known and not same_value(default if before is None else before, default if now is None else now):
                name = key.name if key is not None else name
                found.append(Change(f"settings.{name}", (SECTION, section.spelling(name)), found_value, wanted))
        return _once(found)

    def _states(self, section: FoldedMap) -> List[Change]:
        recorded, states = enabled_ids(self._recorded.below(STATES)), section.below(STATES)
        now = enabled_ids(states)
        found = []
        for plugin_id in {**recorded, **now}:
            enabled = recorded.get(plugin_id, False)
            if self._covers(plugin_id) and plugin_id not in self._without and now.get(plugin_id, False) != enabled:
                state = states.below(plugin_id)
                path = (SECTION, STATES, states.spelling(plugin_id), state.spelling("Enable"))
                found.append(Change(f"settings.{STATES}.{plugin_id}", path, now.get(plugin_id), enabled))
        return found

    def _plugins(self, section: FoldedMap) -> List[Change]:
        recorded, now = self._recorded.below(PLUGINS), section.below(PLUGINS)
        found = []
        for plugin_id in sorted({*(key.lower() for key in recorded), *(key.lower() for key in now)}):
            if not self._covers(plugin_id):
                continue
            if plugin_id not in recorded:
                path = (SECTION, PLUGINS, now.spelling(plugin_id))
                found.append(Change(f"settings.{PLUGINS}.{plugin_id}", path, now[plugin_id], ABSENT, secret=True))
            else:
                found += self._settings_of(plugin_id, recorded.below(plugin_id), now)
        return found

    @staticmethod
    def _settings_of(plugin_id: str, recorded: FoldedMap, plugins: FoldedMap) -> List[Change]:
        now = plugins.below(plugin_id)
        found = []
        for name in {**recorded, **{name: None for name in now if name not in recorded}}:
            found_value, wanted = now.get(name), recorded.get(name, ABSENT)
            same = name in now and wanted is not ABSENT and same_value(found_value, wanted)
            if same or has_mask(found_value) or has_mask(wanted):  # what a server masks is not known
                continue
            path = (SECTION, PLUGINS, plugins.spelling(plugin_id), now.spelling(name))
            found.append(Change(f"settings.{PLUGINS}.{plugin_id}.{name}", path, found_value, wanted, secret=True))
        return found

    def _covers(self, plugin_id: str) -> bool:
        return self._only is None or plugin_id in self._only


def _once(changes: Sequence[Change]) -> List[Change]:
    return list({change.name: change for change in changes}.values())


def _channel(node: Node) -> str:
    """The file, which hides nothing, if the server reads one and notices its changes; else the socket."""
    notices = features.FILE_WATCHED.in_version(node.version) or features.RELOAD_BY_SOCKET.in_version(node.version)
    # A running server that does not notice a change of its file undoes it when it saves next.
    undone = node.server is not None and not notices
    return SOCKET if node.config_source.kind == DATABASE or undone else FILE
