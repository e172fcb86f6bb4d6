# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.
"""The operator's list of plugins, checked against the bundles on the controller."""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple

from ..module_utils._bundle import read_bundle
from ..module_utils._errors import OperatorError
from ..module_utils._files import write_atomic
from ..module_utils._wanted_plugin import WantedPlugin

_KNOWN = {"id", "src", "version", "sha256", "enabled", "state"}
_EXAMPLE = "write for example: - {src: files/com.example.plugin-1.2.0.tar.gz}"


class BundleFacts:
    """What was read in bundles, kept on the controller so that an unchanged bundle is not read again.

    :param path: of the cache file
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._entries: Dict[str, Any] = {}
        self._changed = False
        with contextlib.suppress(OSError, ValueError), open(path, encoding="utf-8") as source:
            entries = json.load(source)
            self._entries = entries if isinstance(entries, dict) else {}

    def of(self, path: str) -> Dict[str, Any]:
        """Facts of one bundle, as :class:`WantedPlugin` fields.

        :raises OperatorError: it is no plugin bundle, or a hostile one
        """
        found = os.stat(path)
        stamp = [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]
        entry = self._entries.get(path)
        if isinstance(entry, dict) and entry.get("stamp") == stamp:
            return dict(entry["facts"])
        bundle = read_bundle(path)
        facts = {
            "id": bundle.manifest.id,
            "version": bundle.manifest.version,
            "min_server_version": bundle.manifest.min_server_version,
            "sha256": bundle.sha256,
            "size": bundle.size,
            "tree": bundle.tree,
            "executables": list(bundle.manifest.executables),
            "unexecutable": list(bundle.unexecutable),
        }
        self._entries[path] = {"stamp": stamp, "facts": facts}
        self._changed = True
        return dict(facts)

    def save(self) -> None:
        """Keep what was read; a controller that cannot write its cache reads again next time."""
        if not self._changed:
            return
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            write_atomic(self._path, json.dumps(self._entries).encode("utf-8"), mode=0o600)


def default_cache_path() -> str:
    """Where the controller's user keeps caches."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "plugops", "bundles.json")


def wanted_plugins(
    entries: Sequence[Mapping[str, Any]], find: Callable[[str], str], facts: BundleFacts
) -> Tuple[List[WantedPlugin], Dict[str, str]]:
    """The list of plugins with what their bundles hold, and where each bundle lies (SHA-256 -> path).

    :param entries: as documented for the option ``plugins`` of the module mattermost_plugin
    :param find: turns ``src`` into a path that exists on the controller
    :raises OperatorError: an entry is wrong, contradicts its bundle, or stands twice
    """
    plugins: List[WantedPlugin] = []
    sources: Dict[str, str] = {}
    for number, entry in enumerate(entries, 1):
        where = f"plugins, entry {number}"
        _check_entry(entry, where)
        plugin = _plugin_of(entry, where, find, facts, sources)
        if any(other.id == plugin.id for other in plugins):
            raise OperatorError(
                f"the plugin {plugin.id} stands twice in the list", where=where, remedy="keep one entry"
            )
        plugins.append(plugin)
    return plugins, sources


def _check_entry(entry: Mapping[str, Any], where: str) -> None:
    if not isinstance(entry, Mapping):
        raise OperatorError("an entry must be a mapping", where=where, found=repr(entry), remedy=_EXAMPLE)
    unknown = sorted(set(entry) - _KNOWN)
    if unknown:
        raise OperatorError(
            "unknown key", where=where, found=", ".join(unknown), wanted=", ".join(sorted(_KNOWN)), remedy=_EXAMPLE
        )
    state = entry.get("state") or "present"
    if state not in ("present", "absent"):
        raise OperatorError("unknown state", where=where, found=str(state), wanted="present or absent")
    if state == "absent" and not entry.get("id"):
        raise OperatorError("state absent needs the plugin's id", where=where)
    if state == "present" and not entry.get("src") and not (entry.get("id") and entry.get("sha256")):
        raise OperatorError(
            "an entry needs src, or the id, version and sha256 of a bundle that the nodes' stores have",
            where=where,
            remedy=_EXAMPLE,
        )


def _plugin_of(
    entry: Mapping[str, Any],
    where: str,
    find: Callable[[str], str],
    facts: BundleFacts,
    sources: Dict[str, str],
) -> WantedPlugin:
    said = {key: str(entry[key]) for key in ("id", "version", "sha256") if entry.get(key)}
    for key in ("id", "sha256"):
        if key in said:
            said[key] = said[key].lower()
    if (entry.get("state") or "present") == "absent":
        return WantedPlugin(id=said["id"], present=False, enabled=False)
    fields: Dict[str, Any] = dict(said)
    if entry.get("src"):
        path = find(str(entry["src"]))
        fields = facts.of(path)
        for key, value in said.items():
            if fields[key] != value:
                raise OperatorError(
                    f"the bundle is not the one that the list names: another {key}",
                    where=f"{where}, {path}",
                    found=fields[key],
                    wanted=value,
                    remedy=f"take the right bundle, or correct {key} in the list",
                )
        sources[fields["sha256"]] = path
    enabled = entry.get("enabled")
    return WantedPlugin.from_dict({**fields, "enabled": True if enabled is None else bool(enabled)})
