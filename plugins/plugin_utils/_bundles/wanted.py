# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugins that the operator wants: the list, the directory of bundles and the lock file taken together."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Tuple

from ...module_utils._core.errors import OperatorError
from ...module_utils._plugins.wanted import WantedPlugin
from .entry import Entry, parse_entry
from .facts import BundleFacts, facts_path
from .sources import BundleSources, Find, Resolved, SourceOptions

if TYPE_CHECKING:
    from .lock_file import Lock

_SUFFIX = ".tar.gz"


def take_plugins(args: Dict[str, Any], find: Find) -> Dict[str, str]:
    """In a module's arguments put what the bundles hold (``bundles``) in place of what the operator wrote.

    :returns: SHA-256 -> path of each bundle on the controller
    :raises OperatorError: as :func:`wanted_plugins`
    """
    options = SourceOptions.take(args)
    facts = BundleFacts(facts_path())
    try:
        plugins, sources = wanted_plugins(args.pop("plugins", None) or [], find, facts, options)
    finally:
        facts.save()
    args["bundles"] = [plugin.to_dict() for plugin in plugins]
    return sources


def wanted_plugins(
    entries: Sequence[Any], find: Find, facts: BundleFacts, options: Optional[SourceOptions] = None
) -> Tuple[List[WantedPlugin], Dict[str, str]]:
    """What is wanted, with what the bundles hold, and where each bundle lies (SHA-256 -> path).

    :param entries: as documented for the option ``plugins`` of the module mattermost_plugin
    :param find: turns ``src`` into a path that exists on the controller
    :raises OperatorError: an entry is wrong, contradicts its bundle or the lock file, or is there twice
    """
    options = options or SourceOptions()
    lock = _read_lock(options.lock) if options.lock else None
    resolved = Wanted(find, facts, options, lock).all(entries)
    if lock is not None:
        for found in resolved:
            lock.refuse_contradiction(found.plugin, found.entry.where)
    return [found.plugin for found in resolved], {found.plugin.sha256: found.path for found in resolved if found.path}


def _read_lock(path: str) -> Lock:
    from .lock_file import read_lock

    return read_lock(path)


class Wanted:
    """What the list, the directory of bundles and the lock file specify together.

    :param lock: supplies what the list leaves out; whether the list contradicts it is not looked at
    """

    def __init__(self, find: Find, facts: BundleFacts, options: SourceOptions, lock: Optional[Lock]) -> None:
        self._sources = BundleSources(find, facts, options)
        self._lock = lock
        self._offered = self._in_directory(find(options.bundle_directory)) if options.bundle_directory else {}

    def all(self, entries: Sequence[Any]) -> List[Resolved]:
        """Each wanted plugin once: what the list and the directory name, then the rest of the lock file.

        :raises OperatorError: as :func:`wanted_plugins`
        """
        named = self.named(entries)
        known = {found.plugin.id for found in named}
        pins = self._lock.pins if self._lock else {}
        rest = [
            Entry(where=pin.where, id=plugin_id, present=pin.present)
            for plugin_id, pin in pins.items()
            if plugin_id not in known
        ]
        return [*named, *(self._resolve(entry) for entry in rest)]

    def named(self, entries: Sequence[Any]) -> List[Resolved]:
        """What the list names, then the rest of the directory.

        :raises OperatorError: as :func:`wanted_plugins`
        """
        found: Dict[str, Resolved] = {}
        for number, raw in enumerate(entries, 1):
            entry = parse_entry(raw, f"plugins, entry {number}")
            resolved = self._resolve(entry)
            plugin_id = resolved.plugin.id
            if plugin_id in found:
                raise OperatorError(
                    f"the list holds the plugin {plugin_id} twice", where=entry.where, remedy="keep one entry"
                )
            found[plugin_id] = resolved
        rest = [Entry(where=bundles[0].where, id=plugin_id) for plugin_id, bundles in self._offered.items()]
        return [*found.values(), *(self._resolve(entry) for entry in rest if entry.id not in found)]

    def offered(self) -> Dict[str, str]:
        """SHA-256 -> path of every bundle of the directory."""
        paths = [bundle.src for bundles in self._offered.values() for bundle in bundles]
        return {self._sources.sha256_of(path): path for path in paths}

    def _resolve(self, entry: Entry) -> Resolved:
        resolved = self._sources.resolve(self._completed(entry))
        if entry.strategy:
            resolved = replace(resolved, plugin=replace(resolved.plugin, strategy=entry.strategy))
        pin = self._pin(resolved.plugin.id)
        if pin is None or entry.enabled is not None or not resolved.plugin.present:
            return resolved
        return replace(resolved, plugin=replace(resolved.plugin, enabled=pin.enabled is not False))

    def _pin(self, plugin_id: str) -> Optional[Entry]:
        return self._lock.resolved(plugin_id) if self._lock and plugin_id in self._lock.pins else None

    def _in_directory(self, directory: str) -> Dict[str, List[Entry]]:
        """Plugin id -> its bundles."""
        try:
            names = sorted(name for name in os.listdir(directory) if name.endswith(_SUFFIX) and name[0] != ".")
        except OSError as error:
            raise OperatorError(
                "the directory of bundles cannot be read",
                where=directory,
                found=error.strerror or str(error),
                remedy="correct bundle_directory, or check that you may read it",
            ) from error
        offered: Dict[str, List[Entry]] = {}
        for name in names:
            path = os.path.join(directory, name)
            plugin_id = self._sources.id_of(path)
            offered.setdefault(plugin_id, []).append(Entry(where=path, src=path))
        return offered

    def _completed(self, entry: Entry) -> Entry:
        """An entry without a source, completed from the directory or the lock file."""
        pin = self._pin(entry.id)
        if entry.has_source and pin is not None and pin.sha256 == entry.sha256:
            return replace(entry, tree=pin.tree, version=entry.version or pin.version)
        if entry.has_source or not entry.present:
            return entry
        offered = self._choose(entry, pin)
        if offered is not None:
            pinned = pin if pin is not None and self._sources.matches(offered.src, pin.specified()) else entry
            where = entry.where if entry.where == offered.where else f"{entry.where}, {offered.where}"
            return replace(entry, where=where, src=offered.src, signature=entry.signature or pinned.signature)
        if pin is None or not pin.present:
            return entry
        where = pin.where if entry.where == pin.where else f"{entry.where}, {pin.where}"
        signature = entry.signature or pin.signature
        specified: Dict[str, Any] = entry.specified()
        return replace(pin, where=where, enabled=entry.enabled, signature=signature, **specified)

    def _choose(self, entry: Entry, pin: Optional[Entry]) -> Optional[Entry]:
        offered = self._offered.get(entry.id, [])
        specified = entry.specified()
        fitting = [bundle for bundle in offered if self._sources.matches(bundle.src, specified)]
        if pin is not None and len(fitting) > 1:
            pinned = [bundle for bundle in fitting if self._sources.matches(bundle.src, pin.specified())]
            fitting = pinned or fitting
        if len(fitting) > 1:
            raise OperatorError(
                f"there are several bundles of {entry.id}",
                where=entry.where,
                found=", ".join(bundle.src for bundle in fitting),
                remedy=f"keep one of them, or specify which: plugins: [{{id: {entry.id}, version: …}}]",
            )
        return fitting[0] if fitting else None
