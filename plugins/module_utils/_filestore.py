# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.
"""The bundles that a server (5.14 and later) installs from its local filestore at every start.

An upload leaves ``<FileSettings.Directory>/plugins/<id>.tar.gz`` there, and ``.sig`` beside it may be its signature.
"""

from __future__ import annotations

import contextlib
import io
import os
import posixpath
import shutil
import stat
import time
from dataclasses import dataclass
from typing import Collection, Dict, List, Optional

from ._errors import OperatorError
from ._files import create_in_place_of, fsync_directory, sha256_of
from ._node import Node
from ._tree import DigestCache, remove_tree

_SUFFIX = ".tar.gz"
_SIGNATURE = ".sig"
# As the server's own local driver makes them.
_FILE_MODE, _DIRECTORY_MODE = 0o600, 0o750
_NEW = ".plugops-new"
_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class StoredBundle:
    """One bundle of the filestore.

    :param path: host path
    :param sha256: empty for a bundle that nobody asked for
    :param signature: content of the ``.sig`` beside it; None where there is none
    """

    path: str
    sha256: str
    signature: Optional[bytes]


class Filestore:
    """The plugin folder of one server's filestore. Where it is not local, or not known, it holds nothing.

    :ivar problem: why bundles cannot be put there; empty if they can
    """

    def __init__(self, node: Node, cache: Optional[DigestCache]) -> None:
        self._node = node
        self._cache = cache
        self.problem = ""
        self.directory = self._find()

    def _find(self) -> str:
        """Host path of the folder; empty where there is none that could be used."""
        if self._node.api_only:
            self.problem = "the app server is reached through its REST API alone"
            return ""
        settings = self._node.section("FileSettings")
        if settings is None:
            self.problem = "the server keeps its configuration in a database, and none answers"
            return ""
        driver = str(settings.get("drivername") or "local")
        if driver != "local":
            self.problem = f"FileSettings.DriverName is {driver}"
            return ""
        return posixpath.join(self._node.resolve(str(settings.get("directory") or "./data")), "plugins")

    def bundles(self, ids: Collection[str]) -> Dict[str, StoredBundle]:
        """Id (lower case) -> what is stored.

        :param ids: those whose bytes shall be known
        :raises OperatorError: this process may not look there
        """
        return {
            name[: -len(_SUFFIX)].lower(): self._read(name, name[: -len(_SUFFIX)].lower() in ids)
            for name in self._names()
            if name.endswith(_SUFFIX)
        }

    def put(self, plugin_id: str, source: str, signature: Optional[bytes]) -> None:
        """Store a bundle as an upload would; a crash at any instant leaves the old one or the new one.

        :param source: real path of the bundle
        :param signature: detached signature; None removes the one that is there, which is not this bundle's
        """
        self._make_directory()
        account = self._node.account
        target = self._real(plugin_id + _SUFFIX)
        if signature is None:
            self.unsign(plugin_id)
        with open(source, "rb") as packed:
            create_in_place_of(
                target, lambda out: shutil.copyfileobj(packed, out, _CHUNK), _FILE_MODE, account.uid, account.gid
            )
        if signature is not None:
            self.sign(plugin_id, signature)

    def sign(self, plugin_id: str, signature: bytes) -> None:
        """Put the signature beside the stored bundle."""
        account = self._node.account
        target = self._real(plugin_id + _SUFFIX + _SIGNATURE)
        create_in_place_of(
            target, lambda out: shutil.copyfileobj(io.BytesIO(signature), out), _FILE_MODE, account.uid, account.gid
        )

    def unsign(self, plugin_id: str) -> None:
        """Remove the signature beside the stored bundle."""
        self._unlink(plugin_id + _SUFFIX + _SIGNATURE)

    def remove(self, plugin_id: str) -> None:
        """Remove the stored bundle and its signature, in whatever case the id is written there."""
        for name in self._names():
            if name.lower() in (f"{plugin_id}{_SUFFIX}", f"{plugin_id}{_SUFFIX}{_SIGNATURE}"):
                self._unlink(name)

    def _names(self) -> List[str]:
        if not self.directory:
            return []
        try:
            return sorted(os.listdir(self._real()))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except PermissionError as error:
            raise OperatorError(
                "the server's filestore cannot be read",
                where=self.directory,
                found=error.strerror or str(error),
                remedy="run as root (become: true), or as the service's user",
            ) from error

    def _read(self, name: str, closely: bool) -> StoredBundle:
        path = posixpath.join(self.directory, name)
        return StoredBundle(path, self._digest(name) if closely else "", self._signature(name))

    def _digest(self, name: str) -> str:
        real, directory = self._real(name), self._real()
        found = os.lstat(real)
        if not stat.S_ISREG(found.st_mode):
            return ""
        known = self._cache.get(directory, name, found) if self._cache else None
        if known is not None:
            return known
        read_at = time.time_ns()
        digest = sha256_of(real)
        if self._cache:
            self._cache.put(directory, name, found, digest, read_at)
        return digest

    def _signature(self, name: str) -> Optional[bytes]:
        with contextlib.suppress(OSError), open(self._real(name + _SIGNATURE), "rb") as source:
            return source.read(_CHUNK)
        return None

    def _make_directory(self) -> None:
        """With what is missing above it, as the service user's."""
        account = self._node.account
        missing: List[str] = []
        path = self._real()
        while not os.path.isdir(path):
            missing.insert(0, path)
            path = os.path.dirname(path)
        for wanted in missing:
            # Under another name until it is the service user's: a killed run must not leave one that the server cannot
            # write.
            made = os.path.join(os.path.dirname(wanted), _NEW)
            remove_tree(made)
            os.mkdir(made, _DIRECTORY_MODE)
            os.chmod(made, _DIRECTORY_MODE)
            os.chown(made, account.uid, account.gid, follow_symlinks=False)
            os.rename(made, wanted)

    def _unlink(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._real(name))
            fsync_directory(self._real())

    def _real(self, name: str = "") -> str:
        directory = self._node.root.real(self._node.root.resolve(self.directory))
        return os.path.join(directory, name) if name else directory
