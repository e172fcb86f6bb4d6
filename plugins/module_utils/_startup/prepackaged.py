# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundles that a server (5.2 and later) brings along in ``prepackaged_plugins``, with their signatures."""

from __future__ import annotations

import functools
import json
import posixpath
import time
from dataclasses import dataclass
from typing import Collection, Dict, List, Optional, Tuple

from .._bundle.manifest_in_bundle import manifest_of
from .._bundle.tree import DigestCache
from .._core.plugin_version import is_newer
from .._host.reading import lstat, status
from .._node.node import Node
from .bundle_folder import SIGNATURE, SUFFIX, BundleFolder
from .prepackaged_rules import FOLDER

# No file is named so: what the cache keeps of a bundle beside its digest.
_MANIFEST = "/manifest"


@dataclass(frozen=True)
class PrepackagedBundle:
    """One bundle of the folder.

    :param name: of the file
    :param path: host path
    :param version: in its manifest; empty where it has none
    :param sha256: empty for a bundle that was not requested
    :param signature: content of the ``.sig`` beside it; None if there is none
    """

    name: str
    path: str
    version: str
    sha256: str
    signature: Optional[bytes]

    def is_wanted(self, sha256: str, signature: Optional[bytes]) -> bool:
        """Whether it is this bundle, with this signature; None: any."""
        return self.sha256 == sha256 and (signature is None or self.signature == signature)


class Prepackaged(BundleFolder):
    """The folder of one server."""

    what = "the server's folder of prepackaged bundles"

    def __init__(self, node: Node, cache: Optional[DigestCache]) -> None:
        super().__init__(node, cache, "" if node.api_only else posixpath.join(node.install_dir, FOLDER))

    def owner(self) -> Tuple[int, int]:
        """As the rest of the installation."""
        found = status(self._node.root.real(self._node.root.resolve(self._node.install_dir)))
        return found.st_uid, found.st_gid

    def bundles(self, ids: Collection[str]) -> Dict[str, List[PrepackagedBundle]]:
        """Plugin id -> its bundles, the newest first.

        :param ids: those whose bytes must be known
        :raises OperatorError: this process cannot access the folder
        """
        found: Dict[str, List[PrepackagedBundle]] = {}
        for name in self.names():
            plugin_id, version = self._manifest_of(name) if name.endswith(SUFFIX) else ("", "")
            if plugin_id:
                sha256 = self.digest(name) if plugin_id in ids else ""
                bundle = PrepackagedBundle(name, self.path(name), version, sha256, self.signature(name))
                found.setdefault(plugin_id, []).append(bundle)
        return {plugin_id: sorted(bundles, key=_NEWEST_FIRST) for plugin_id, bundles in found.items()}

    def _manifest_of(self, name: str) -> Tuple[str, str]:
        """Id and version in the manifest of a bundle; empty where a server finds none, either."""
        directory, found = self.real(), lstat(self.real(name))
        known = self._cache.get(directory, name + _MANIFEST, found) if self._cache else None
        if known is None:
            read_at = time.time_ns()
            manifest = manifest_of(self.real(name))
            known = json.dumps([manifest.id, manifest.version] if manifest else ["", ""])
            if self._cache:
                self._cache.put(directory, name + _MANIFEST, found, known, read_at)
        plugin_id, version = json.loads(known)
        return plugin_id, version

    def put(self, plugin_id: str, source: str, signature: Optional[bytes]) -> None:
        """In place of all other bundles of the plugin."""
        super().put(plugin_id, source, signature)
        self._remove(plugin_id, but=plugin_id + SUFFIX)

    def remove(self, plugin_id: str) -> None:
        """Remove all bundles of the plugin, and their signatures."""
        self._remove(plugin_id)

    def _remove(self, plugin_id: str, but: str = "") -> None:
        for bundle in self.bundles(()).get(plugin_id, []):
            if bundle.name != but:
                self.remove_file(bundle.name)

    def restore(self, name: str, source: str, signature: Optional[bytes]) -> None:
        """Put a bundle under the name that its file had, beside all others."""
        super().put(name[: -len(SUFFIX)], source, signature)

    def remove_file(self, name: str) -> None:
        """Remove one bundle and its signature."""
        self.unlink(name)
        self.unlink(name + SIGNATURE)


def _compare(one: PrepackagedBundle, other: PrepackagedBundle) -> int:
    return int(is_newer(other.version, one.version)) - int(is_newer(one.version, other.version))


_NEWEST_FIRST = functools.cmp_to_key(_compare)
