# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adopting a cluster as it is: what one app server runs, or most of them, becomes what the lock file pins."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ...module_utils._core.errors import OperatorError
from ...module_utils._server.seeded_plugins import is_seeded
from .._reports.parity import came_along
from .entry import Entry
from .lock_file import Lock

MAJORITY = "majority"


@dataclass(frozen=True)
class Adoption:
    """What becomes of the plugins of a cluster that is adopted.

    :param pins: to be written
    :param unknown: plugin id -> why it cannot be pinned
    :param left_out: ids of plugins that the server brings along itself
    """

    pins: List[Entry]
    unknown: Dict[str, str]
    left_out: List[str]


def adopt(reports: Mapping[str, Mapping[str, Any]], truth: str, before: Lock, offered: Mapping[str, str]) -> Adoption:
    """The pins for what one app server runs, or most of them.

    :param reports: node -> what mattermost_plugin_info returned there with ``bundle_digests``
    :param truth: name of a node, or ``majority``
    :param offered: SHA-256 -> path of bundles on the controller
    :raises OperatorError: the reports do not decide which state is to be adopted
    """
    installed = {node: _installed(node, report) for node, report in reports.items()}
    if not installed:
        raise OperatorError("there is no report to adopt", remedy="run mattermost_plugin_info on the app servers first")
    if truth != MAJORITY and truth not in installed:
        raise OperatorError(
            "no report of the app server that should be adopted",
            found=", ".join(sorted(installed)),
            wanted=truth,
        )
    pins: List[Entry] = []
    unknown: Dict[str, str] = {}
    left_out: List[str] = []
    for plugin_id in sorted({plugin_id for plugins in installed.values() for plugin_id in plugins}):
        nodes = [truth] if truth != MAJORITY else _most(plugin_id, installed)
        having = [installed[node][plugin_id] for node in nodes if plugin_id in installed[node]]
        if not having:
            continue
        sha256 = next((plugin["bundle"] for plugin in having if plugin.get("bundle")), "")
        brought = is_seeded(plugin_id) or any(came_along(reports[node], plugin_id) for node in nodes)
        if not sha256 and brought:
            left_out.append(plugin_id)
        elif not sha256:
            unknown[plugin_id] = f"no store and no filestore of {', '.join(nodes)} has a bundle with these files"
        elif not having[0].get("version"):
            unknown[plugin_id] = "its manifest has no version"
        else:
            pins.append(_pin(plugin_id, having[0], sha256, before, offered))
    return Adoption(pins, unknown, left_out)


def _installed(node: str, report: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    plugins = (report.get("plugins") or {}).get("installed")
    if plugins is None:
        errors = "; ".join(error.get("msg", "") for error in report.get("errors") or [])
        raise OperatorError(f"the plugins of {node} could not be read", found=errors or "no report of its plugins")
    return plugins


def _most(plugin_id: str, installed: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> List[str]:
    """The nodes that agree, if they are more than those that agree on anything else."""
    marks = {node: _mark(plugins.get(plugin_id)) for node, plugins in installed.items()}
    ranked: List[Tuple[str, int]] = Counter(marks.values()).most_common()
    if len(ranked) > 1 and ranked[0][1] == ranked[1][1]:
        told = ", ".join(f"{node}: {_told(plugins.get(plugin_id))}" for node, plugins in sorted(installed.items()))
        raise OperatorError(
            f"no majority of the app servers agrees on {plugin_id}",
            found=told,
            remedy="specify which app server is right (adopt: its name)",
        )
    return sorted(node for node, mark in marks.items() if mark == ranked[0][0])


def _mark(plugin: Optional[Mapping[str, Any]]) -> str:
    return json.dumps(plugin and [plugin.get(key) for key in ("version", "tree", "enabled")])


def _told(plugin: Optional[Mapping[str, Any]]) -> str:
    if plugin is None:
        return "not there"
    state = "enabled" if plugin.get("enabled") else "disabled"
    return f"{plugin.get('version')} {state} (tree {str(plugin.get('tree'))[:12]})"


def _pin(plugin_id: str, plugin: Mapping[str, Any], sha256: str, before: Lock, offered: Mapping[str, str]) -> Entry:
    known = before.pins.get(plugin_id)
    same = known if known is not None and known.sha256 == sha256 else None
    src = before.relative(offered[sha256]) if sha256 in offered else ""
    return Entry(
        where=f"{before.path}, {plugin_id}",
        id=plugin_id,
        version=str(plugin["version"]),
        sha256=sha256,
        tree=str(plugin.get("tree") or ""),
        src=same.src if same and same.has_source else src,
        url=same.url if same else "",
        signature=same.signature if same else "",
        enabled=bool(plugin.get("enabled")),
    )
