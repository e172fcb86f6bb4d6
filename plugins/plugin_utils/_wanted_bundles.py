# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.
"""The operator's list of plugins, checked against the bundles on the controller."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from ansible.module_utils.parsing.convert_bool import boolean

from ..module_utils._bundle import read_bundle
from ..module_utils._errors import OperatorError
from ..module_utils._files import write_atomic
from ..module_utils._manifest import check_id
from ..module_utils._wanted_plugin import WantedPlugin

_KNOWN = {"id", "src", "version", "sha256", "enabled", "state"}
_TEXTS = ("id", "src", "version", "sha256", "state")
_SHA256 = re.compile("[0-9a-f]{64}")
# Raised when what is kept of a bundle changes its meaning, so that nothing older is believed.
_FORMAT = 2
# A file changed right after it was read may bear the same times, if both happened in one tick of the clock.
_CTIME = 2  # its place in a stamp
_TICK = 2_000_000_000
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
            self._entries = _entries_in(json.load(source))

    def of(self, path: str) -> Dict[str, Any]:
        """Facts of one bundle, as :class:`WantedPlugin` fields.

        :raises OperatorError: it is no plugin bundle, or a hostile one
        """
        read_at = time.time_ns()
        stamp = _stamp(path)
        entry = self._entries.get(path)
        if entry is not None and entry["stamp"] == stamp:
            return dict(entry["facts"])
        bundle = read_bundle(path)
        facts = {
            "id": bundle.manifest.id,
            "written_id": bundle.manifest.written_id,
            "version": bundle.manifest.version,
            "min_server_version": bundle.manifest.min_server_version,
            "sha256": bundle.sha256,
            "size": bundle.size,
            "tree": bundle.tree,
            "executables": list(bundle.manifest.executables),
            "unexecutable": list(bundle.unexecutable),
        }
        if stamp is not None and stamp[_CTIME] < read_at - _TICK:
            self._entries[path] = {"stamp": stamp, "facts": facts}
            self._changed = True
        return dict(facts)

    def save(self) -> None:
        """Keep what was read; a controller that cannot write its cache reads again next time."""
        if not self._changed:
            return
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            present = {path: entry for path, entry in self._entries.items() if os.path.exists(path)}
            content = json.dumps({"format": _FORMAT, "bundles": present})
            write_atomic(self._path, content.encode("utf-8"), mode=0o600)


def _entries_in(content: Any) -> Dict[str, Any]:
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        return {}
    bundles = content.get("bundles")
    return {
        path: entry
        for path, entry in (bundles if isinstance(bundles, dict) else {}).items()
        if isinstance(entry, dict) and isinstance(entry.get("facts"), dict) and "stamp" in entry
    }


def _stamp(path: str) -> Optional[List[int]]:
    """What changes with the file; None where there is none, which reading it then tells."""
    with contextlib.suppress(OSError):
        found = os.stat(path)
        return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]
    return None


def default_cache_path() -> str:
    """Where the controller's user keeps caches."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "plugops", "bundles.json")


def take_plugins(args: Dict[str, Any], find: Callable[[str], str]) -> Dict[str, str]:
    """In a module's arguments put what the bundles hold (``bundles``) in place of the operator's list (``plugins``).

    :returns: SHA-256 -> path of each bundle on the controller
    :raises OperatorError: as :func:`wanted_plugins`
    """
    facts = BundleFacts(default_cache_path())
    plugins, sources = wanted_plugins(args.pop("plugins", None) or [], find, facts)
    facts.save()
    args["bundles"] = [plugin.to_dict() for plugin in plugins]
    return sources


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
    for key in _TEXTS:
        if entry.get(key) is not None and not isinstance(entry[key], str):
            raise OperatorError(
                f"{key} must be a text",
                where=where,
                found=repr(entry[key]),
                remedy='quote it: YAML reads "1.10" as 1.1',
            )
    state = entry.get("state") or "present"
    if state not in ("present", "absent"):
        raise OperatorError("unknown state", where=where, found=str(state), wanted="present or absent")
    if state == "absent" and not entry.get("id"):
        raise OperatorError("state absent needs the plugin's id", where=where)
    by_hash = all(entry.get(key) for key in ("id", "version", "sha256"))
    if state == "present" and not entry.get("src") and not by_hash:
        raise OperatorError(
            "an entry needs src, or the id, version and sha256 of a bundle that the nodes' stores have",
            where=where,
            remedy=_EXAMPLE,
        )
    if entry.get("sha256") and not _SHA256.fullmatch(entry["sha256"].lower()):
        raise OperatorError("sha256 is no SHA-256", where=where, found=entry["sha256"], wanted="64 hex digits")


def _enabled(value: Any, where: str) -> bool:
    try:
        return True if value is None else bool(boolean(value))
    except TypeError as error:
        raise OperatorError("enabled must be true or false", where=where, found=repr(value)) from error


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
    if entry.get("state") == "absent":
        check_id(said["id"], None)  # it becomes the name of what is removed
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
    else:
        check_id(said["id"], None)
    return WantedPlugin.from_dict({**fields, "enabled": _enabled(entry.get("enabled"), where)})
