# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles and signatures from URLs: each downloaded once into a cache, even by several
runs at once, and named there by its content. The cache belongs to the controller's user, or to a node that downloads
itself."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import stat
from typing import BinaryIO, Callable, Iterator, Optional
from urllib.parse import unquote, urlsplit

from .._core.errors import OperatorError
from .._host.directories import make_directories
from .._host.paths import at
from .._host.reading import exists, lstat, sha256_of_open
from .._host.writing import fsync_directory, rename
from .transfer import Transfer, is_sound, shown_url

SIGNATURE_LIMIT = 64 * 1024


def is_url(text: str) -> bool:
    """Whether a text is a URL, and no path."""
    return re.match("(https?|file):", text, re.IGNORECASE) is not None


class Downloads:
    """Files from URLs, through a cache.

    :param directory: cache; need not exist
    :param limit: bytes that a bundle may have
    """

    def __init__(self, directory: str, transfer: Transfer, limit: int) -> None:
        self._directory = directory
        self._transfer = transfer
        self._limit = limit

    def bundle(self, url: str, sha256: str) -> str:
        """Path of the bundle with this content.

        :raises OperatorError: it is not available, or its content is another
        """
        _check(url)
        if _scheme(url) == "file":
            return local_path(url)
        target = os.path.join(self._directory, "bundles", f"{sha256}.tar.gz")
        return self._once(target, lambda out: self._complete(url, sha256, out))

    def signature(self, url: str, sha256: str) -> str:
        """Path of the signature of the bundle with this sha256; what is no signature at all fails when it is verified.

        :raises OperatorError: it is not available
        """
        _check(url)
        if _scheme(url) == "file":
            return local_path(url)
        name = f"{sha256}-{hashlib.sha256(url.encode('utf-8')).hexdigest()[:16]}.sig"
        return self._once(os.path.join(self._directory, "signatures", name), lambda out: self._replace(url, out))

    def _complete(self, url: str, sha256: str, out: BinaryIO) -> None:
        resumed = self._transfer.fetch(url, out, self._limit)
        found = self._sha256_of(out)
        if found != sha256 and resumed:  # its beginning may have been of another file
            out.truncate(0)
            self._transfer.fetch(url, out, self._limit)
            found = self._sha256_of(out)
        if found != sha256:
            out.truncate(0)
            raise OperatorError(
                "the downloaded bundle is not the wanted one",
                where=shown_url(url),
                found=f"sha256 {found}",
                wanted=f"sha256 {sha256}",
                remedy="check whether the publisher replaced it; only then specify the new sha256",
            )

    def _sha256_of(self, out: BinaryIO) -> str:
        out.seek(0)
        return sha256_of_open(out, self._limit, str(out.name))

    def _replace(self, url: str, out: BinaryIO) -> None:
        out.truncate(0)
        self._transfer.fetch(url, out, SIGNATURE_LIMIT)

    def _once(self, target: str, fill: Callable[[BinaryIO], None]) -> str:
        try:
            for directory in (self._directory, os.path.dirname(target)):
                make_directories(directory, mode=0o700)
            while not exists(target):
                with _alone(f"{target}.part") as part:
                    if part is not None:
                        fill(part)
                        os.fsync(part.fileno())
                        rename(f"{target}.part", target)
                        fsync_directory(os.path.dirname(target))
        except OSError as error:
            raise OperatorError(
                "the download cannot be stored",
                where=str(error.filename or target),
                found=error.strerror or str(error),
                remedy="check free space and write permission, or set XDG_CACHE_HOME",
            ) from error
        return target


@contextlib.contextmanager
def _alone(path: str) -> Iterator[Optional[BinaryIO]]:
    """The file, open for reading and appending by this process alone; None if another one has finished and
    renamed it.

    The kernel forgets the lock of a process that is killed, and the size of the file says how far it got.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    with at(path, follow=False) as spot:
        handle = os.open(spot.name, flags, 0o600, dir_fd=spot.parent)
    with os.fdopen(handle, "a+b") as out:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "no regular file", path)
        fcntl.flock(handle, fcntl.LOCK_EX)  # of this user alone, and whoever holds it has a deadline
        yield out if _is_file(path, handle) else None


def _is_file(path: str, handle: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle), lstat(path))
    return False


def _scheme(url: str) -> str:
    return urlsplit(url).scheme


def _check(url: str) -> None:
    if not (is_sound(url, ("file",)) or is_sound(url, ("http", "https"))):
        raise OperatorError("this is no URL of a file", found=shown_url(url), wanted="https://, http:// or file:///")


def local_path(url: str) -> str:
    """The path in a file URL."""
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise OperatorError("a file URL names a file of the machine that reads it", found=url, wanted="file:///path")
    return unquote(parts.path)
