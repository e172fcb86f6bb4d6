# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of ``<name>.tar.gz`` bundles that a server reads when it starts, with their signatures (``.sig``) beside."""

from __future__ import annotations

import contextlib
import io
import os
import posixpath
import stat
import time
from typing import List, Optional, Tuple

from .._bundle.tree import DigestCache
from .._core.errors import OperatorError
from .._host.directories import make_whole_directory
from .._host.reading import is_directory, lstat, names_in, open_file, read_for, sha256_of
from .._host.writing import copy_into, create_in_place_of, fsync_directory, unlink
from .._node.node import Node

SUFFIX = ".tar.gz"
SIGNATURE = ".sig"
LARGEST_SIGNATURE = 1024 * 1024  # bytes
LARGEST_BUNDLE = 1024 * 1024 * 1024  # bytes; what is larger is no bundle that anybody wants


class BundleFolder:
    """One such folder of a server.

    :ivar directory: host path of the folder; empty if none could be used
    """

    # How messages name it.
    what = ""
    file_mode, directory_mode = 0o644, 0o755

    def __init__(self, node: Node, cache: Optional[DigestCache], directory: str) -> None:
        self._node = node
        self._cache = cache
        self.directory = directory
        self._real = ""

    def owner(self) -> Tuple[int, int]:
        """Of what is put there: uid and gid."""
        raise NotImplementedError

    def names(self) -> List[str]:
        """Of the files there, sorted.

        :raises OperatorError: this process cannot access the folder
        """
        if not self.directory:
            return []
        try:
            return names_in(self.real())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except PermissionError as error:
            raise OperatorError(
                f"{self.what} cannot be read",
                where=self.directory,
                found=error.strerror or str(error),
                remedy="run as root (become: true), or as the service's user",
            ) from error

    def put(self, plugin_id: str, source: str, signature: Optional[bytes]) -> None:
        """Keep a bundle as ``<id>.tar.gz``; a crash at any instant leaves the old one or the new one.

        :param source: real path of the bundle
        :param signature: detached signature; None removes the one that is there, which is not this bundle's
        """
        self._make_directory()
        uid, gid = self.owner()
        target = self.real(plugin_id + SUFFIX)
        if signature is None:
            self.unsign(plugin_id)
        with open_file(source) as packed:
            create_in_place_of(target, copy_into(packed), self.file_mode, uid, gid, strict=True)
        if signature is not None:
            self.sign(plugin_id, signature)

    def sign(self, plugin_id: str, signature: bytes) -> None:
        """Put the signature beside the bundle."""
        uid, gid = self.owner()
        target = self.real(plugin_id + SUFFIX + SIGNATURE)
        create_in_place_of(target, copy_into(io.BytesIO(signature)), self.file_mode, uid, gid, strict=True)

    def unsign(self, plugin_id: str) -> None:
        """Remove the signature beside the bundle."""
        self.unlink(plugin_id + SUFFIX + SIGNATURE)

    def unlink(self, name: str) -> None:
        """Remove a file of the folder, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            unlink(self.real(name), strict=True)
            fsync_directory(self.real())

    def path(self, name: str) -> str:
        """Host path of a file of the folder."""
        return posixpath.join(self.directory, name)

    def real(self, name: str = "") -> str:
        """Where this process finds the folder, or a file of it."""
        if not self._real:  # once: a link that is moved meanwhile leads the next step nowhere else
            self._real = self._node.root.real(self._node.root.resolve(self.directory))
        directory = self._real
        return os.path.join(directory, name) if name else directory

    def digest(self, name: str) -> str:
        """SHA-256 of a file; empty where it is none, or larger than any bundle."""
        real, directory = self.real(name), self.real()
        found = lstat(real)
        if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST_BUNDLE:
            return ""
        known = self._cache.get(directory, name, found) if self._cache else None
        if known is not None:
            return known
        read_at = time.time_ns()
        digest = sha256_of(real)
        if self._cache:
            self._cache.put(directory, name, found, digest, read_at)
        return digest

    def signature(self, name: str) -> Optional[bytes]:
        """What the ``.sig`` beside a bundle holds; None if there is none."""
        with contextlib.suppress(OSError):
            return read_for(self._node.account, self.real(name + SIGNATURE), LARGEST_SIGNATURE)
        return None

    def _make_directory(self) -> None:
        """With what is missing above it."""
        uid, gid = self.owner()
        missing: List[str] = []
        path = self.real()
        while not is_directory(path):
            missing.insert(0, path)
            path = os.path.dirname(path)
        for wanted in missing:
            make_whole_directory(wanted, self.directory_mode, uid, gid, strict=True)
