# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock file brought up to date: what is wanted now against what it pins."""

from __future__ import annotations

import os
from typing import Dict, Iterable, List, Mapping

from ...module_utils._core.difference import Tracker
from ...module_utils._core.errors import OperatorError
from ...module_utils._host.writing import write_atomic
from .entry import Entry
from .lock_file import Lock, read_lock, refuse_secret_urls, written
from .sources import Resolved

_MODE = 0o644  # for a new one


def present_lock(path: str) -> Lock:
    """The lock file as it is; an empty one if there is none.

    :raises OperatorError: what is there is no lock file
    """
    return read_lock(path) if os.path.lexists(path) else Lock(path)


def pins_of(found: Iterable[Resolved], before: Lock) -> List[Entry]:
    """What the lock file must pin of resolved plugins.

    :raises OperatorError: a plugin cannot be pinned
    """
    return [_pin(resolved, before) for resolved in found]


def _pin(found: Resolved, before: Lock) -> Entry:
    plugin = found.plugin
    where = f"{before.path}, {plugin.id}"
    if not plugin.present:
        return Entry(where=where, id=plugin.id, present=False, enabled=False)
    if not plugin.version:
        raise OperatorError(
            f"{plugin.id} cannot be pinned, its manifest has no version",
            where=f"{found.entry.where}, {found.path}",
            remedy="ask the plugin's author for a bundle with a version, or leave the plugin out of the lock file",
        )
    return Entry(
        where=where,
        id=plugin.id,
        version=plugin.version,
        sha256=plugin.sha256,
        tree=plugin.tree,
        src=_spelled(found.path, plugin.id, "src", before) if found.entry.src else "",
        url=found.entry.url,
        signature=_spelled(found.signature, plugin.id, "signature", before),
        enabled=plugin.enabled,
    )


def _spelled(path: str, plugin_id: str, key: str, before: Lock) -> str:
    """A path as the lock file has it already, if it is the same one: a person may have written it."""
    known = getattr(before.pins[plugin_id], key) if plugin_id in before.pins else ""
    return known if known and before.absolute(known) == os.path.abspath(path) else before.relative(path)


def updated(before: Lock, pins: Iterable[Entry], purge: bool) -> Lock:
    """The lock file with these pins.

    :param purge: pin nothing else
    :raises OperatorError: a password would be written to the lock file
    """
    new = {pin.id: pin for pin in pins}
    refuse_secret_urls(new)
    merged = new if purge else {**before.pins, **new}
    return Lock(before.path, {plugin_id: merged[plugin_id] for plugin_id in sorted(merged)})


def differences_of(before: Lock, after: Lock) -> Tracker:
    """What is to be written, plugin by plugin and key by key.

    :raises OperatorError: it cannot be written there
    """
    differences = Tracker()
    if not os.path.lexists(before.path):
        differences.add("lock", None, before.path, "write the lock file")
    if len(differences) and not os.path.isdir(os.path.dirname(os.path.abspath(before.path))):
        raise OperatorError("the lock file's directory does not exist", where=before.path, remedy="create it")
    for plugin_id in sorted({*before.pins, *after.pins}):
        old, new = _written(before.pins, plugin_id), _written(after.pins, plugin_id)
        verb = "pin" if plugin_id in after.pins else "no longer pin"
        for key in [*new, *(key for key in old if key not in new)]:
            differences.add(f"lock.{plugin_id}.{key}", old.get(key), new.get(key), f"{verb} it in {before.path}")
    return differences


def _written(pins: Mapping[str, Entry], plugin_id: str) -> Dict[str, object]:
    return written(pins[plugin_id]) if plugin_id in pins else {}


def write_lock(lock: Lock) -> None:
    """Write the lock file, whole or not at all.

    :raises OperatorError: it cannot be written; the old one is as it was
    """
    try:
        existing = os.path.lexists(lock.path)
        write_atomic(lock.path, lock.text().encode("utf-8"), mode=None if existing else _MODE)
    except OSError as error:
        raise OperatorError(
            "the lock file cannot be written",
            where=lock.path,
            found=error.strerror or str(error),
            remedy="check that its directory exists and that you have write permission",
        ) from error
