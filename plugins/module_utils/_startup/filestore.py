# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundles that a server (5.14 and later) installs from its local filestore at every start.

An upload leaves ``<FileSettings.Directory>/plugins/<id>.tar.gz`` there, and ``.sig`` beside it may be its signature.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Collection, Dict, Optional, Tuple

from .._bundle.manifest_in_bundle import manifest_of
from .._bundle.tree import DigestCache
from .._node.node import Node
from .bundle_folder import SIGNATURE, SUFFIX, BundleFolder


@dataclass(frozen=True)
class StoredBundle:
    """One bundle of the filestore.

    :param path: host path
    :param sha256: empty for a bundle that was not requested
    :param signature: content of the ``.sig`` beside it; None if there is none
    :param version: in its manifest; empty for a bundle whose version was not requested, or that has none
    """

    path: str
    sha256: str
    signature: Optional[bytes]
    version: str = ""


class Filestore(BundleFolder):
    """The plugin folder of one server's filestore. Where it is not local, or not known, it holds nothing.

    :ivar problem: why bundles cannot be put there; empty if they can
    """

    what = "the server's filestore"
    # As the server's own local driver makes them.
    file_mode, directory_mode = 0o600, 0o750

    def __init__(self, node: Node, cache: Optional[DigestCache]) -> None:
        directory, self.problem = _find(node)
        super().__init__(node, cache, directory)

    def owner(self) -> Tuple[int, int]:
        account = self._node.account
        return account.uid, account.gid

    def bundles(self, ids: Collection[str], versions_of: Collection[str] = ()) -> Dict[str, StoredBundle]:
        """Id (lower case) -> what is stored.

        :param ids: those whose bytes must be known
        :param versions_of: those whose versions must be known
        :raises OperatorError: this process cannot access the folder
        """
        found = {name[: -len(SUFFIX)].lower(): name for name in self.names() if name.endswith(SUFFIX)}
        return {
            plugin_id: StoredBundle(
                self.path(name),
                self.digest(name) if plugin_id in ids else "",
                self.signature(name),
                self._version(name) if plugin_id in versions_of else "",
            )
            for plugin_id, name in found.items()
        }

    def real_path(self, plugin_id: str) -> str:
        """Where this process finds the stored bundle, in any case its name is written; empty if there is none."""
        found = (name for name in self.names() if name.lower() == f"{plugin_id.lower()}{SUFFIX}")
        return next(map(self.real, found), "")

    def _version(self, name: str) -> str:
        manifest = manifest_of(self.real(name))
        return manifest.version if manifest else ""

    def remove(self, plugin_id: str) -> None:
        """Remove the stored bundle and its signature, in any case the id is written there."""
        for name in self.names():
            if name.lower() in (f"{plugin_id}{SUFFIX}", f"{plugin_id}{SUFFIX}{SIGNATURE}"):
                self.unlink(name)


def _find(node: Node) -> Tuple[str, str]:
    """Host path of the folder, or why there is none that could be used.

    :raises OperatorError: the settings name a directory that is not this app server's
    """
    if node.api_only:
        return "", "the app server is reached through its REST API alone"
    settings = node.section("FileSettings")
    if settings is None:
        return "", "the server keeps its configuration in a database, and none answers"
    driver = str(settings.get("drivername") or "local")
    if driver != "local":
        return "", f"FileSettings.DriverName is {driver}"
    directory = node.resolve(str(settings.get("directory") or "./data"))
    node.once(f"refuse {directory}", lambda: node.refuse_foreign("FileSettings.Directory", directory))
    return posixpath.join(directory, "plugins"), ""
