# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole directory trees by descriptors: walk, remove, exchange; deep, huge and changing ones among them."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import secrets
import stat
from typing import Iterator, List, NamedTuple

from .paths import at

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_DEEPEST = 64  # descriptors that are open at once while a tree is removed
_ROUNDS = 10_000
_RENAME_EXCHANGE = 2
# No such system call, or a file system that cannot do it (NFS, some overlays); EPERM: a seccomp filter.
_NO_EXCHANGE = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM)

# What a plugin's tree, and so every tree that is walked, may have. The largest public plugins have some thousand files.
MAX_DEPTH = 100
MAX_ENTRIES = 200_000


class Entry(NamedTuple):
    """One entry of a tree.

    :param directory: descriptor of the directory that holds it; open until the next entry is taken
    :param path: below the top of the tree, ``a/b/name``
    """

    directory: int
    name: str
    path: str
    found: os.stat_result

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.found.st_mode)


class TreeLimit(OSError):
    """A tree is deeper or larger than any plugin's."""


def walk(top: int, path: str = "", closed: bool = False) -> Iterator[Entry]:
    """Every entry below an open directory, a directory before what lies in it; no link is followed.

    What vanishes meanwhile is left out.

    :param path: how messages name the top
    :param closed: leave out what lies in directories that this process may not read
    :raises PermissionError: there is such a directory; the error names it
    :raises TreeLimit: see :data:`MAX_DEPTH` and :data:`MAX_ENTRIES`
    """
    left = [MAX_ENTRIES]
    yield from _walk(top, "", 0, path, left, closed)


def _walk(directory: int, prefix: str, depth: int, top: str, left: List[int], closed: bool) -> Iterator[Entry]:
    if depth > MAX_DEPTH:
        raise TreeLimit(errno.ENAMETOOLONG, f"directories lie in it more than {MAX_DEPTH} deep", top)
    inside = []
    with os.scandir(directory) as entries:
        for found in entries:
            left[0] -= 1
            if left[0] < 0:
                raise TreeLimit(errno.EFBIG, f"it holds more than {MAX_ENTRIES} entries", top)
            with contextlib.suppress(FileNotFoundError):
                entry = Entry(directory, found.name, prefix + found.name, found.stat(follow_symlinks=False))
                if entry.is_directory:
                    inside.append(found.name)
                yield entry
    for name in inside:
        try:
            child = os.open(name, _OPEN, dir_fd=directory)
        except OSError as error:
            if error.errno in _GONE or (closed and error.errno == errno.EACCES):
                continue
            error.filename = os.path.join(top, prefix + name)
            raise
        try:
            yield from _walk(child, f"{prefix}{name}/", depth + 1, top, left, closed)
        finally:
            os.close(child)


def remove_tree(path: str, strict: bool = False) -> None:
    """Remove what is at ``path``, links not followed; nothing there is fine.

    :param strict: see :func:`.paths.at`
    :raises OSError: something of it is left; EXDEV: a file system is mounted in it, of which nothing is removed
    """
    with contextlib.suppress(FileNotFoundError), at(path, follow=False, strict=strict) as spot:
        try:
            remove_at(spot.parent, spot.name)
        except OSError as error:
            error.filename = os.path.join(os.path.dirname(spot.path), str(error.filename or spot.name))
            raise


def remove_at(directory: int, name: str) -> None:
    """As :func:`remove_tree`, for a name in an open directory."""
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(found.st_mode):
        os.unlink(name, dir_fd=directory)
        return
    top = os.open(name, _OPEN, dir_fd=directory)
    try:
        _refuse_mounted(top, _mount(directory), name)
        for _round in range(_ROUNDS):
            _empty(top, top, 0, _mount(top))
            try:
                os.rmdir(name, dir_fd=directory)
                return
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
    finally:
        os.close(top)
    raise OSError(errno.EBUSY, "another process puts new files there all the time", name)


def _empty(top: int, directory: int, depth: int, mount: str) -> None:
    """Remove what lies in a directory; what lies too deep goes up to the top, for the next round."""
    with os.scandir(directory) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_directory in found:
        with contextlib.suppress(FileNotFoundError):
            if not is_directory:
                os.unlink(name, dir_fd=directory)
            elif depth >= _DEEPEST:
                os.rename(name, secrets.token_hex(8), src_dir_fd=directory, dst_dir_fd=top)
            else:
                child = os.open(name, _OPEN, dir_fd=directory)
                try:
                    _refuse_mounted(child, mount, name)
                    _empty(top, child, depth + 1, mount)
                finally:
                    os.close(child)
                _remove_empty(name, directory)


def _refuse_mounted(directory: int, mount: str, name: str) -> None:
    """What an operator has mounted in a tree is not part of it."""
    if _mount(directory) != mount:
        raise OSError(errno.EXDEV, "a file system is mounted there, and nothing of it is removed", name)


def _mount(directory: int) -> str:
    """Which mount an open directory lies on; its device alone would be the same behind a bind mount."""
    with contextlib.suppress(OSError), open(f"/proc/self/fdinfo/{directory}", encoding="ascii") as lines:
        for line in lines:
            if line.startswith("mnt_id:"):
                return line
    return str(os.fstat(directory).st_dev)  # no Linux, or no /proc


def _remove_empty(name: str, directory: int) -> None:
    try:
        os.rmdir(name, dir_fd=directory)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):  # filled again meanwhile: the next round
            raise


def exchange(directory: int, name: str, other_directory: int, other: str) -> bool:
    """Swap two names in one step; False where this host cannot.

    :raises OSError: it could, but not here
    """
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):  # an old C library
        return False
    if renameat2(directory, os.fsencode(name), other_directory, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _NO_EXCHANGE:
        return False
    raise OSError(code, os.strerror(code), name)
