# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.
"""Bundles and signatures from URLs: each downloaded once into a cache, under its name there by content, whatever the
number of runs at once. The cache is that of the controller's user, or of a node that downloads itself."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
from typing import BinaryIO, Callable, Iterator, Optional
from urllib.parse import unquote, urlsplit

from ._errors import OperatorError
from ._host.reading import sha256_of
from ._host.writing import fsync_directory
from ._transfer import Transfer, shown_url

SIGNATURE_LIMIT = 64 * 1024


def is_url(text: str) -> bool:
    return re.match("(https?|file):", text, re.IGNORECASE) is not None


class Downloads:
    """
    :param directory: cache; need not exist
    :param limit: bytes that a bundle may have
    """

    def __init__(self, directory: str, transfer: Transfer, limit: int) -> None:
        self._directory = directory
        self._transfer = transfer
        self._limit = limit

    def bundle(self, url: str, sha256: str) -> str:
        """Path of the bundle with this content.

        :raises OperatorError: it cannot be had, or is another one
        """
        _check(url)
        if _scheme(url) == "file":
            return local_path(url)
        target = os.path.join(self._directory, "bundles", f"{sha256}.tar.gz")
        return self._once(target, lambda out: self._complete(url, sha256, out))

    def signature(self, url: str, sha256: str) -> str:
        """Path of the signature of the bundle with this sha256; what is no signature at all fails when it is verified.

        :raises OperatorError: it cannot be had
        """
        _check(url)
        if _scheme(url) == "file":
            return local_path(url)
        name = f"{sha256}-{hashlib.sha256(url.encode('utf-8')).hexdigest()[:16]}.sig"
        return self._once(os.path.join(self._directory, "signatures", name), lambda out: self._anew(url, out))

    def _complete(self, url: str, sha256: str, out: BinaryIO) -> None:
        resumed = self._transfer.fetch(url, out, self._limit)
        found = sha256_of(out.name)
        if found != sha256 and resumed:  # its beginning may have been of another file
            out.truncate(0)
            self._transfer.fetch(url, out, self._limit)
            found = sha256_of(out.name)
        if found != sha256:
            out.truncate(0)
            raise OperatorError(
                "the downloaded bundle is not the one that was wanted",
                where=shown_url(url),
                found=f"sha256 {found}",
                wanted=f"sha256 {sha256}",
                remedy="see whether the publisher did replace it; only then write the new sha256",
            )

    def _anew(self, url: str, out: BinaryIO) -> None:
        out.truncate(0)
        self._transfer.fetch(url, out, SIGNATURE_LIMIT)

    def _once(self, target: str, fill: Callable[[BinaryIO], None]) -> str:
        try:
            for directory in (self._directory, os.path.dirname(target)):
                os.makedirs(directory, mode=0o700, exist_ok=True)
            while not os.path.exists(target):
                with _alone(f"{target}.part") as part:
                    if part is not None:
                        fill(part)
                        os.fsync(part.fileno())
                        os.rename(part.name, target)
                        fsync_directory(os.path.dirname(target))
        except OSError as error:
            raise OperatorError(
                "the download cannot be kept",
                where=str(error.filename or target),
                found=error.strerror or str(error),
                remedy="see to it that there is space and that you may write there, or set XDG_CACHE_HOME",
            ) from error
        return target


@contextlib.contextmanager
def _alone(path: str) -> Iterator[Optional[BinaryIO]]:
    """The file, open for appending by this process alone; None where another one has finished and taken it away.

    The kernel forgets the lock of a process that is killed, and the file says how far it came.
    """
    with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600), "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_file(path, lock.fileno()):
            yield None
            return
        with open(path, "ab") as out:
            yield out


def _is_file(path: str, handle: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle), os.stat(path))
    return False


def _scheme(url: str) -> str:
    return urlsplit(url).scheme


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https", "file") and (parts.scheme == "file" or bool(parts.hostname))
        parts.port  # noqa: B018 - raises where it is no number
    except ValueError:
        sound = False
    if not sound or any(ord(character) <= 32 for character in url):
        raise OperatorError("this is no URL of a file", found=shown_url(url), wanted="https://, http:// or file:///")


def local_path(url: str) -> str:
    """Of a file URL."""
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise OperatorError("a file URL names a file of the machine that reads it", found=url, wanted="file:///path")
    return unquote(parts.path)
