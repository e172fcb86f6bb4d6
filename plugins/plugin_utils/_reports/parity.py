# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Do the app servers agree? A comparison of their reports, nothing else."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping

from ...module_utils._server.seeded_plugins import is_seeded

_STATES = "settings.PluginStates."
_VALUES = "settings.Plugins."
# At most so many files are named for one plugin; a count tells the rest.
_NAMED_FILES = 20


def came_along(report: Mapping[str, Any], plugin_id: str) -> bool:
    """Whether a node has the plugin in the version that came with its server.

    :param report: what mattermost_plugin_info returned there
    """
    plugins = report.get("plugins") or {}
    installed, brought = ((plugins.get(key) or {}).get(plugin_id) for key in ("installed", "prepackaged"))
    return bool(installed and brought and installed.get("version") == brought.get("version"))


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
    """Everything in which the nodes differ, sorted by name.

    :param reports: node -> what mattermost_plugin_info returned there
    """
    flat = _labelled({node: _flatten(report) for node, report in reports.items()})
    names = sorted({name for values in flat.values() for name in values})
    differences = []
    for name in names:
        values = {node: flat[node].get(name) for node in flat}
        if _is_seeded_state(name, values) or _is_unknown_bundle(name, values) or _are_unknown_files(name, flat):
            continue
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
        for name in ("bundle", "filestore"):
            if name in plugin:
                values[f"plugins.{plugin_id}.{name}"] = plugin[name]
    settings = report.get("settings") or {}
    for key, value in (settings.get("settings") or {}).items():
        values[f"settings.{key}"] = value
    for plugin_id, enabled in (settings.get("states") or {}).items():
        values[f"{_STATES}{plugin_id}"] = enabled
    for plugin_id, fingerprints in (settings.get("fingerprints") or {}).items():
        for name, fingerprint in fingerprints.items():
            values[f"{_VALUES}{plugin_id}.{name}"] = fingerprint
    return values


def compare_with_pins(
    reports: Mapping[str, Mapping[str, Any]], pins: Mapping[str, Mapping[str, Any]], lock: str
) -> List[NodeDifference]:
    """Everything in which nodes differ from a lock file, and what they have besides, sorted by name.

    :param reports: as for :func:`compare_nodes`
    :param pins: plugin id -> ``present``, ``version``, ``enabled``, ``bundle`` (SHA-256) and ``files`` (tree digest,
        may be empty)
    :param lock: name of the lock file among the nodes
    """
    installed = {node: (report.get("plugins") or {}).get("installed") or {} for node, report in reports.items()}
    differences: List[NodeDifference] = []
    ids = {
        plugin_id
        for node, plugins in installed.items()
        for plugin_id in plugins
        if not is_seeded(plugin_id) and not came_along(reports[node], plugin_id)
    }
    for plugin_id in sorted({*pins, *ids}):
        pin = pins.get(plugin_id) or {"present": False}
        for aspect in _aspects(pin):
            found = {node: _aspect(plugins.get(plugin_id), aspect) for node, plugins in installed.items()}
            wanted = pin["version"] if aspect == "version" and pin["present"] else pin.get(aspect)
            odd = sorted(node for node, value in found.items() if value != wanted and value is not _UNKNOWN)
            if odd:
                shown = {node: None if value is _UNKNOWN else value for node, value in found.items()}
                name = f"lock.{plugin_id}.{aspect}"
                differences.append(NodeDifference(name, {**shown, lock: wanted}, odd))
    return differences


def _aspects(pin: Mapping[str, Any]) -> List[str]:
    if not pin["present"]:
        return ["version"]
    return ["version", "enabled", "files" if pin.get("files") else "bundle"]


# No difference: the node has no bundle to compare with the lock file.
_UNKNOWN = object()


def _aspect(plugin: Any, aspect: str) -> Any:
    if plugin is None:
        return None
    if aspect == "bundle":
        return plugin.get("bundle") or _UNKNOWN
    if aspect == "files":
        return plugin.get("tree") or _UNKNOWN
    return plugin.get(aspect)


def _is_seeded_state(name: str, values: Mapping[str, Any]) -> bool:
    """Whether the nodes differ only because some servers have not yet written a state of their own."""
    if not (name.startswith(_STATES) and is_seeded(name[len(_STATES) :])):
        return False
    return len({value for value in values.values() if value is not None}) < 2


def _is_unknown_bundle(name: str, values: Mapping[str, Any]) -> bool:
    """Whether the nodes differ only because some keep no bundle of the files that they all run."""
    if not (name.startswith("plugins.") and name.endswith(".bundle")):
        return False
    return len({value for value in values.values() if value is not None}) < 2


def _are_unknown_files(name: str, flat: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether the nodes differ only because the files of some, reached through an API alone, are not known."""
    if not (name.startswith("plugins.") and name.endswith(".files")):
        return False
    version = name[: -len("files")] + "version"
    known = {values.get(name) for values in flat.values()} - {None}
    return len(known) < 2 and all(values.get(version) is not None for values in flat.values())


def _labelled(flat: Dict[str, Dict[str, Any]]) -> Dict[str, Dict[str, Any]]:
    """Numbers in place of fingerprints: they show which nodes have the same value, and nothing else."""
    seen: Dict[str, List[str]] = {}
    labelled: Dict[str, Dict[str, Any]] = {}
    for node in sorted(flat):
        labelled[node] = dict(flat[node])
        for name in (name for name in flat[node] if name.startswith(_VALUES)):
            known = seen.setdefault(name, [])
            if flat[node][name] not in known:
                known.append(flat[node][name])
            labelled[node][name] = f"value {known.index(flat[node][name]) + 1} (not shown)"
    return labelled


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
