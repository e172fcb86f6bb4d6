# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make and remove directories: owner and mode as wanted regardless of the umask, in the directory that was opened."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from typing import List, Optional

from .descriptors import PREFIX, fsync_at, names_at, set_owner
from .paths import Spot, at
from .reading import is_directory

_NEW_DIRECTORY = PREFIX + "new-"
_TRIES = 16  # to make a directory that other runs take for a leftover


def make_directory(
    path: str, mode: int, uid: Optional[int] = None, gid: Optional[int] = None, strict: bool = False
) -> None:
    """Make a directory with that owner and mode regardless of the umask; a killed run may leave it closed.

    :raises FileExistsError: something is there
    """
    with at(path, follow=False, strict=strict) as spot:
        _refuse_present(spot)
        try:
            _make_closed(spot.parent, spot.name, mode, uid, gid)
            fsync_at(spot.parent)
        except BaseException:
            with contextlib.suppress(OSError):  # where it is another's it is not empty, or not removed
                os.rmdir(spot.name, dir_fd=spot.parent)
            raise


def make_whole_directory(
    path: str, mode: int, uid: Optional[int] = None, gid: Optional[int] = None, strict: bool = False
) -> None:
    """As :func:`make_directory`; it gets its name when it has its owner, so that a killed run leaves none that is
    closed to whoever needs it."""
    with at(path, follow=False, strict=strict) as spot:
        _refuse_present(spot)
        _clear_directories(spot.parent)
        for tries_left in reversed(range(_TRIES)):
            try:
                _make_and_name(spot, mode, uid, gid)
                break
            except FileNotFoundError:  # another run has cleared it as a leftover
                if not tries_left:
                    raise
        fsync_at(spot.parent)


def _make_and_name(spot: Spot, mode: int, uid: Optional[int], gid: Optional[int]) -> None:
    made = _NEW_DIRECTORY + secrets.token_hex(8)
    try:
        _make_closed(spot.parent, made, mode, uid, gid)
        os.rename(made, spot.name, src_dir_fd=spot.parent, dst_dir_fd=spot.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.rmdir(made, dir_fd=spot.parent)
        if isinstance(error, OSError) and error.errno == errno.ENOTEMPTY:  # another run was quicker, and at work there
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), spot.path) from error
        raise


def _refuse_present(spot: Spot) -> None:
    if spot.found is not None:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), spot.path)


def _make_closed(parent: int, name: str, mode: int, uid: Optional[int], gid: Optional[int]) -> None:
    """Closed to others until it is as wanted; the umask can only take away."""
    os.mkdir(name, 0o700, dir_fd=parent)
    handle = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        if os.fstat(handle).st_uid != os.geteuid() or os.listdir(handle):
            # Whoever owns the directory around it has put another one in its place.
            raise OSError(errno.ESTALE, "another process exchanged the new directory", name)
        set_owner(handle, uid, gid)
        os.fchmod(handle, mode)
    finally:
        os.close(handle)


def make_directories(path: str, mode: int = 0o755) -> None:
    """Make a directory of this user's and what is missing above it; an existing one is left as it is."""
    missing: List[str] = []
    while not is_directory(path):
        missing.append(path)
        path = os.path.dirname(path)
    for wanted in reversed(missing):
        with contextlib.suppress(FileExistsError):  # another run was quicker
            _make_own_directory(wanted, mode)
        if not is_directory(wanted):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), wanted)


def _make_own_directory(path: str, mode: int) -> None:
    """With its mode from the first moment on, and never in the place of one that another run has just made."""
    with at(path, follow=False) as spot:
        umask = os.umask(0o777 & ~mode)
        try:
            os.mkdir(spot.name, mode, dir_fd=spot.parent)
        finally:
            os.umask(umask)
        fsync_at(spot.parent)


def remove_directory(path: str, strict: bool = False) -> None:
    """Remove an empty directory."""
    with at(path, follow=False, strict=strict) as spot:
        os.rmdir(spot.name, dir_fd=spot.parent)


def _clear_directories(directory: int) -> None:
    """Likewise; whoever is just making one makes it again with the next run."""
    for name in names_at(directory, _NEW_DIRECTORY):
        with contextlib.suppress(OSError):
            os.rmdir(name, dir_fd=directory)
