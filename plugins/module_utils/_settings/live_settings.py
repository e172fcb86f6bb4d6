# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PluginSettings as a running server returns them, and what must be sent to it so that nothing is lost.

``PUT /config/patch`` replaces ``PluginStates`` and ``Plugins`` as a whole, so both are sent in full. From 10.x on
``GET /config`` is no longer complete: it masks secrets and leaves out plugins that are not installed. What it hides is
taken from the file that the server reads, or the change is refused.
"""

from __future__ import annotations

import copy
from typing import Any, Collection, Dict, List, Optional, Sequence

from .._config.document import ABSENT, FoldedMap, Path, same_value
from .._config.plugin_settings import PLUGINS, SCALARS, STATES, Change, effective, enabled_ids
from .._core.errors import OperatorError
from .._core.server_version import ServerVersion
from .._server import features

MASKED = "*" * 32  # what the server puts in place of a secret


def complete(live: FoldedMap, file: Optional[FoldedMap], version: ServerVersion) -> FoldedMap:
    """The live section with what the server hides filled in from its file; what the file lacks stays masked."""
    if file is None or not features.PLUGIN_SETTINGS_HIDDEN.in_version(version):
        return live
    kept = file.below(PLUGINS)
    plugins = {
        plugin_id: _unmasked(settings or {}, kept.get(plugin_id) or {})
        for plugin_id, settings in live.below(PLUGINS).items()
    }
    plugins.update({plugin_id: kept[plugin_id] or {} for plugin_id in kept if plugin_id not in live.below(PLUGINS)})
    return FoldedMap({**live, live.spelling(PLUGINS): plugins}, live.where)


def patch(section: FoldedMap, changes: Sequence[Change]) -> Dict[str, Any]:
    """The PluginSettings to send: what changes, and of a map all of it."""
    sent: Dict[str, Any] = {}
    for change in changes:
        if change.key in (STATES, PLUGINS):
            whole = sent.setdefault(change.key, copy.deepcopy(dict(section.below(change.key))))
            _put(whole, change.path[2:], change.wanted)
        else:
            sent[change.key] = change.wanted
    return sent


def refuse_loss_of_hidden_settings(
    section: FoldedMap, changes: Sequence[Change], file: Optional[FoldedMap], version: ServerVersion
) -> None:
    """Refuse a patch of ``Plugins`` that would overwrite what the server hides.

    :param section: as :func:`complete` gives it
    :raises OperatorError: names the plugins and settings, never a value
    """
    if not any(change.key == PLUGINS for change in changes):
        return
    masked = [
        f"{plugin_id}.{name}"
        for plugin_id, settings in section.below(PLUGINS).items()
        for name, value in (settings or {}).items()
        if has_mask(value)
    ]
    remedy = "make the server's configuration file readable (become), or use via: file; where the configuration is "
    remedy += "in a database, set them in the System Console"
    if masked:
        raise OperatorError(
            "the settings of plugins cannot be changed through the socket: the server masks secrets among them, and "
            "sending the map would replace them by asterisks",
            where=section.where,
            found=f"masked: {', '.join(masked)}",
            remedy=remedy,
        )
    if file is None and features.PLUGIN_SETTINGS_HIDDEN.in_version(version):
        raise OperatorError(
            f"the settings of plugins cannot be changed through the socket: Mattermost {version} leaves those of "
            "plugins that are not installed out of its answer, and sending the map would delete them",
            where=section.where,
            remedy=remedy,
        )


def unread(
    file: FoldedMap, live: FoldedMap, overridden: Collection[str], version: Optional[ServerVersion]
) -> List[str]:
    """Names of the settings that differ between the file and the running server; what it hides is left out.

    :param overridden: keys that the environment decides
    """
    there, now = effective(file, {}, version), effective(live, {}, version)
    names = [
        f"settings.{key.name}"
        for key in SCALARS
        if key.name in there and key.name not in overridden and not same_value(there[key.name], now[key.name])
    ]
    if STATES not in overridden:
        # The server adds states of its own, so what the file lacks is no difference.
        states = enabled_ids(now[STATES])
        names += [
            f"settings.{STATES}.{plugin_id}"
            for plugin_id, enabled in enabled_ids(there[STATES]).items()
            if states.get(plugin_id, False) != enabled
        ]
    if PLUGINS not in overridden:
        for plugin_id, settings in there[PLUGINS].items():
            names += _unread_settings(plugin_id, settings or {}, now[PLUGINS].get(plugin_id), version)
    return names


def _unread_settings(
    plugin_id: str, settings: Dict[str, Any], live: Optional[Dict[str, Any]], version: Optional[ServerVersion]
) -> List[str]:
    if live is None and features.PLUGIN_SETTINGS_HIDDEN.in_version(version):
        return []  # left out by the server
    now = {name: _look_up(live or {}, name) for name in settings}
    return [
        f"settings.{PLUGINS}.{plugin_id}.{name}"
        for name, value in settings.items()
        if not same_value(value, now[name]) and not has_mask(now[name])
    ]


def _unmasked(live: Dict[str, Any], kept: Dict[str, Any]) -> Dict[str, Any]:
    """Each masked value replaced by the kept one, if any."""
    found = {name: _look_up(kept, name) if has_mask(value) else value for name, value in live.items()}
    return {name: live[name] if value is None else value for name, value in found.items()}


def _look_up(settings: Dict[str, Any], name: str) -> Any:
    """A plugin's setting: the one of exactly that name, else one that differs in case only."""
    if name in settings:
        return settings[name]
    return next((value for other, value in settings.items() if other.lower() == name.lower()), None)


def has_mask(value: Any) -> bool:
    """Whether the server masks the value, or a part of it."""
    if isinstance(value, dict):
        return any(has_mask(item) for item in value.values())
    if isinstance(value, list):
        return any(has_mask(item) for item in value)
    return value == MASKED


def _put(tree: Dict[str, Any], path: Path, value: Any) -> None:
    """Set or remove what lies at a path; its keys are spelled as in the tree, see :class:`Change`."""
    for name in path[:-1]:
        if tree.get(name) is None:
            tree[name] = {}
        tree = tree[name]
    if value is ABSENT:
        tree.pop(path[-1], None)
    else:
        tree[path[-1]] = value
