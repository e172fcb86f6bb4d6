# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place to look at and read a node's files: no foreign link, no FIFO or device, never without a limit."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from typing import BinaryIO, Iterator, List, Optional

from .account import Account
from .paths import at
from .rights import is_readable

_CHUNK = 1024 * 1024
_PART = 256 * 1024
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

# Limits in bytes of what is read whole, by kind; SECURITY.md has the table.
OWN_RECORD_LIMIT = 64 * _CHUNK  # what this collection itself keeps on the node
SYSTEM_FILE_LIMIT = 4 * _CHUNK  # unit files, passwd, web server configuration
MOUNTINFO = "/proc/self/mountinfo"
# What is read as a stream: nothing that a server takes is larger.
STREAM_LIMIT = 2 * 1024 * _CHUNK


def lstat(path: str) -> os.stat_result:
    """What is at ``path``, a link in the last place not followed.

    :raises OSError: nothing is there, or the path is closed; for all of this file see also :func:`.paths.at`
    """
    with at(path, follow=False) as spot:
        return spot.present()


def status(path: str) -> os.stat_result:
    """What ``path`` leads to."""
    with at(path) as spot:
        return spot.present()


def exists(path: str) -> bool:
    """Whether something is at ``path``, a link that leads nowhere, or where nobody may follow, among it."""
    with contextlib.suppress(OSError):
        return bool(lstat(path))
    return False


def is_file(path: str) -> bool:
    """Whether ``path`` leads to a regular file."""
    found = _found(path)
    return found is not None and stat.S_ISREG(found.st_mode)


def is_directory(path: str) -> bool:
    """Whether ``path`` leads to a directory."""
    found = _found(path)
    return found is not None and stat.S_ISDIR(found.st_mode)


def is_link(path: str) -> bool:
    """Whether a link is at ``path``."""
    with contextlib.suppress(OSError):
        return stat.S_ISLNK(lstat(path).st_mode)
    return False


def may(path: str, right: int) -> bool:
    """Whether this process may do that (os.R_OK, …) with what is at ``path``."""
    with contextlib.suppress(OSError), at(path) as spot:
        return os.access(spot.name, right, dir_fd=spot.parent, follow_symlinks=False)
    return False


def read_link(path: str) -> str:
    """The target of the link at ``path``."""
    with at(path, follow=False) as spot:
        return os.readlink(spot.name, dir_fd=spot.parent)


def names_in(path: str) -> List[str]:
    """The names in a directory, sorted."""
    with open_directory(path) as handle:
        return sorted(os.listdir(handle))


@contextlib.contextmanager
def open_directory(path: str, strict: bool = False) -> Iterator[int]:
    """A descriptor of a directory, to list it and to work in it.

    :param strict: see :func:`.paths.at`
    """
    with at(path, strict=strict) as spot, _named(spot.path):
        handle = os.open(spot.name, _LIST, dir_fd=spot.parent)
    try:
        yield handle
    finally:
        os.close(handle)


def open_file(path: str, follow: bool = True) -> BinaryIO:
    """A regular file, opened for reading; who reads it whole uses :func:`read_file`.

    :raises OSError: also where it is no regular file
    """
    with at(path, follow) as spot:
        spot.present()
        return open_at(spot.parent, spot.name, spot.path)


def open_at(directory: int, name: str, path: str = "") -> BinaryIO:
    """The regular file of that name in an open directory, opened for reading.

    :param path: how errors name it
    """
    with _named(path or name):
        _refuse_special(os.stat(name, dir_fd=directory, follow_symlinks=False))  # to open a device may do something
        handle = os.open(name, _READ, dir_fd=directory)
        try:
            _refuse_special(os.fstat(handle))
            return os.fdopen(handle, "rb")
        except BaseException:
            os.close(handle)
            raise


def read_for(account: Account, path: str, limit: int) -> bytes:
    """As :func:`read_file`, for what may come back to the account: root reads nothing that the account could not.

    :raises PermissionError: the account may not read the file
    """
    with open_for(account, path) as source:
        return read_open(source, limit, path)


def open_for(account: Account, path: str) -> BinaryIO:
    """As :func:`open_file`, no link followed in the last place, and with the rule of :func:`read_for`."""
    source = open_file(path, follow=False)
    if is_readable(os.fstat(source.fileno()), account):
        return source
    source.close()
    raise PermissionError(errno.EACCES, f"the user {account.name} may not read it, so it is not copied for it", path)


def read_file(path: str, limit: int, follow: bool = True) -> bytes:
    """The content of a regular file.

    :param limit: in bytes
    :raises OSError: also where it is no regular file, or larger than ``limit`` (EFBIG)
    """
    with open_file(path, follow) as source:
        return read_open(source, limit, path)


def read_open(source: BinaryIO, limit: int, path: str) -> bytes:
    """What is left of an open file, as :func:`read_file`."""
    if os.fstat(source.fileno()).st_size > limit:
        raise too_large(path, limit)
    data = b""
    # By parts: a file of /proc has no size beforehand, and the kernel allocates all that is requested.
    for chunk in iter(lambda: source.read(_PART), b""):
        data += chunk
        if len(data) > limit:
            raise too_large(path, limit)
    return data


def too_large(path: str, limit: int) -> OSError:
    """The error for a file that is larger than what of its kind is read."""
    return OSError(errno.EFBIG, f"it is larger than {_size(limit)}, and not read", path)


def read_text(path: str, limit: int = SYSTEM_FILE_LIMIT) -> str:
    """As :func:`read_file`, for text: bytes that are no UTF-8 survive as surrogates."""
    return read_file(path, limit).decode("utf-8", "surrogateescape")


def sha256_of(path: str, limit: int = STREAM_LIMIT) -> str:
    """The SHA-256 of a regular file, as 64 hex digits.

    :raises OSError: as :func:`read_file`
    """
    with open_file(path) as source:
        return sha256_of_open(source, limit, path)


def sha256_of_open(source: BinaryIO, limit: int, path: str) -> str:
    """The SHA-256 of what is left of an open file."""
    digest, left = hashlib.sha256(), limit
    if os.fstat(source.fileno()).st_size > limit:
        raise too_large(path, limit)
    for chunk in iter(lambda: source.read(_CHUNK), b""):
        left -= len(chunk)
        if left < 0:  # it grows while it is read
            raise too_large(path, limit)
        digest.update(chunk)
    return digest.hexdigest()


def attribute(path: str, name: str) -> bytes:
    """An extended attribute of what ``path`` leads to.

    :raises OSError: also ENODATA: it has none of that name
    """
    with _opened_unread(path) as handle:
        return os.getxattr(f"/proc/self/fd/{handle}", name)  # getxattr(2) takes no O_PATH descriptor


def file_system(path: str) -> os.statvfs_result:
    """statvfs(3) of what ``path`` leads to."""
    with _opened_unread(path) as handle:
        return os.fstatvfs(handle)


@contextlib.contextmanager
def _opened_unread(path: str) -> Iterator[int]:
    """A descriptor (O_PATH) of anything but a link."""
    with at(path) as spot, _named(spot.path):
        handle = os.open(spot.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=spot.parent)
    try:
        yield handle
    finally:
        os.close(handle)


def _found(path: str) -> Optional[os.stat_result]:
    try:
        with at(path) as spot:
            return spot.found
    except OSError:
        return None


def _refuse_special(found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "a directory, no regular file")
    if stat.S_ISLNK(found.st_mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "no regular file")


def _size(limit: int) -> str:
    return f"{limit // _CHUNK} MiB" if limit >= _CHUNK else f"{limit} bytes"


@contextlib.contextmanager
def _named(path: str) -> Iterator[None]:
    """Errors name the whole path, not the last part alone."""
    try:
        yield
    except OSError as error:
        error.filename = path
        raise
