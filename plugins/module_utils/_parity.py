# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.
"""Do the app servers agree? A comparison of their reports, nothing else."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping

# At most so many files are named for one plugin; a count tells the rest.
_NAMED_FILES = 20


@dataclass(frozen=True)
class NodeDifference:
    """One thing in which app servers differ.

    :param name: e.g. ``plugins.com.example.plugin.version``
    :param values: node -> JSON value, None where it has none
    :param odd: the nodes that differ from the most; all of them where there is no majority
    :param files: paths below the plugin's directory that differ, as far as the reports name files
    """

    name: str
    values: Dict[str, Any]
    odd: List[str]
    files: List[str] = field(default_factory=list)

    def as_dict(self) -> Dict[str, Any]:
        return {"name": self.name, "values": self.values, "odd": self.odd, "files": self.files}

    def __str__(self) -> str:
        values = ", ".join(f"{node}: {value}" for node, value in sorted(self.values.items()))
        files = f" (files: {', '.join(self.files)})" if self.files else ""
        return f"{self.name} differs on {', '.join(self.odd)} - {values}{files}"


def compare_nodes(reports: Mapping[str, Mapping[str, Any]]) -> List[NodeDifference]:
    """All in which the nodes differ, sorted by name.

    :param reports: node -> what mattermost_plugin_info returned there
    """
    flat = {node: _flatten(report) for node, report in reports.items()}
    names = sorted({name for values in flat.values() for name in values})
    differences = []
    for name in names:
        values = {node: flat[node].get(name) for node in flat}
        odd = _odd(values)
        if odd:
            differences.append(NodeDifference(name, values, odd, _differing_files(name, reports)))
    return differences


def _flatten(report: Mapping[str, Any]) -> Dict[str, Any]:
    """The comparable part of one report: name -> value. Paths of a node's own are no part of it."""
    plugins = report.get("plugins") or {}
    values: Dict[str, Any] = {"server_version": plugins.get("server_version")}
    for plugin_id, plugin in (plugins.get("installed") or {}).items():
        values[f"plugins.{plugin_id}.version"] = plugin.get("version")
        values[f"plugins.{plugin_id}.files"] = plugin.get("tree")
        values[f"plugins.{plugin_id}.enabled"] = plugin.get("enabled")
    settings = report.get("settings") or {}
    for key, value in (settings.get("settings") or {}).items():
        values[f"settings.{key}"] = value
    for plugin_id, enabled in (settings.get("states") or {}).items():
        values[f"settings.PluginStates.{plugin_id}"] = enabled
    return values


def _odd(values: Mapping[str, Any]) -> List[str]:
    marks = {node: json.dumps(value, sort_keys=True) for node, value in values.items()}
    counts = Counter(marks.values()).most_common()
    if len(counts) < 2:
        return []
    majority = counts[0][0] if counts[0][1] > counts[1][1] else None
    return sorted(node for node, mark in marks.items() if mark != majority)


def _differing_files(name: str, reports: Mapping[str, Mapping[str, Any]]) -> List[str]:
    parts = name.split(".")
    if parts[0] != "plugins" or parts[-1] != "files":
        return []
    plugin_id = ".".join(parts[1:-1])
    installed = [((report.get("plugins") or {}).get("installed") or {}).get(plugin_id) for report in reports.values()]
    known = [plugin["paths"] for plugin in installed if plugin and "paths" in plugin]
    paths = sorted({path for files in known for path in files})
    differing = [path for path in paths if len({files.get(path) for files in known}) > 1]
    if len(differing) > _NAMED_FILES:
        return [*differing[:_NAMED_FILES], f"and {len(differing) - _NAMED_FILES} more"]
    return differing
