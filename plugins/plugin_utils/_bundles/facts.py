# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the controller's user keeps what was read in bundles and what was downloaded. It may be removed at any time."""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import Any, Dict, List, Optional

from ...module_utils._formats.json_reader import parse_json
from ...module_utils._host.writing import write_atomic

# Raised when what is kept of a bundle changes its meaning, so that nothing older is believed.
_FORMAT = 3
# A file changed right after it was read may bear the same times, if both happened in one tick of the clock.
_CTIME = 2  # its place in a stamp
_TICK = 2_000_000_000
# A key may expire meanwhile.
_BELIEVED_SECONDS = 3600


def cache_directory() -> str:
    """Of the controller's user; need not exist."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "plugops")


def facts_path() -> str:
    """Where the controller's user keeps what was read in bundles."""
    return os.path.join(cache_directory(), "bundles.json")


class BundleFacts:
    """What was read in bundles, kept on the controller so that an unchanged bundle is not read again.

    :param path: of the cache file
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._entries: Dict[str, Any] = {}
        self._changed = False
        with contextlib.suppress(OSError, ValueError), open(path, "rb") as source:
            self._entries = _entries_in(parse_json(source.read()))

    def of(self, path: str) -> Dict[str, Any]:
        """Facts of one bundle, as :class:`WantedPlugin` fields.

        :raises OperatorError: it is no plugin bundle, or a hostile one
        """
        read_at = time.time_ns()
        stamp = stamp_of(path)
        entry = self._entries.get(path)
        if entry is not None and entry["stamp"] == stamp:
            return dict(entry["facts"])
        from ...module_utils._bundle.bundle import read_bundle

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

    def verified(self, path: str, evidence: str) -> Optional[str]:
        """What :meth:`keep_verified` recorded for this very file and this evidence, unless that is too long ago."""
        entry = self._entries.get(path) or {}
        recorded = entry.get("verified")
        if not isinstance(recorded, list) or len(recorded) != 3 or entry["stamp"] != stamp_of(path):
            return None
        known, key, until = recorded
        now = time.time()
        return str(key) if known == evidence and now < until <= now + _BELIEVED_SECONDS else None

    def keep_verified(self, path: str, evidence: str, key: str) -> None:
        """Record the key that signed the bundle; where the bundle's facts are not kept, this is not either.

        :param evidence: names signature and keyring by their content
        """
        entry = self._entries.get(path)
        if entry is not None and entry["stamp"] == stamp_of(path):
            self._entries[path] = {**entry, "verified": [evidence, key, time.time() + _BELIEVED_SECONDS]}
            self._changed = True

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


def stamp_of(path: str) -> Optional[List[int]]:
    """What changes with the file; None if there is none, which reading it then tells."""
    with contextlib.suppress(OSError):
        found = os.stat(path)
        return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]
    return None
