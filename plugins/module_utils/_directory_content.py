# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.

"""What lies in a directory and must belong to the account that is to change, replace and remove it."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from dataclasses import dataclass
from typing import Callable, List, Tuple

from ._account import Account
from ._attributes import change_flags

_SHOWN = 3
_SEARCH_AND_CHANGE = 0o700
_READ = 0o400
# An entry may vanish, or become something else, between two looks at it.
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
# One entry: descriptor of its directory, its name there, its path below the top, its state.
_Visit = Callable[[int, str, str, os.stat_result], None]


@dataclass(frozen=True)
class Content:
    """What is not as the account needs it, as sorted paths below the directory.

    :param foreign: not owned by the account
    :param closed: owned, but a directory without rwx, or a file without r, for its owner
    :param stuck: those of them, and those plugin directories, that chattr(1) has closed to every change
    """

    foreign: Tuple[str, ...] = ()
    closed: Tuple[str, ...] = ()
    stuck: Tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.foreign or self.closed)

    def describe(self, user: str) -> str:
        """E.g. ``3 entries not owned by mattermost: a, b, c``."""
        parts = []
        if self.foreign:
            parts.append(f"{_count(self.foreign)} not owned by {user}: {_some(self.foreign)}")
        if self.closed:
            parts.append(f"{_count(self.closed)} closed to the owner: {_some(self.closed)}")
        return "; ".join(parts)

    def describe_stuck(self) -> str:
        """E.g. ``2 entries with the immutable or append-only flag: a, b``."""
        return f"{_count(self.stuck)} with the immutable or append-only flag: {_some(self.stuck)}"


def scan_content(real: str, account: Account) -> Content:
    """Look at everything below ``real`` without following a link there.

    :raises OSError: ``real`` itself cannot be read
    """
    foreign: List[str] = []
    closed: List[str] = []

    def visit(directory: int, name: str, path: str, found: os.stat_result) -> None:
        (closed if found.st_uid == account.uid else foreign).append(path)

    _walk(real, account, visit)
    with os.scandir(real) as entries:
        plugins = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    stuck = [path for path in {*foreign, *closed, *plugins} if change_flags(os.path.join(real, path))]
    return Content(tuple(sorted(foreign)), tuple(sorted(closed)), tuple(sorted(stuck)))


def mend_content(real: str, account: Account) -> None:
    """Give what is foreign to the account, and the owner the rights it lacks; nothing else is touched.

    Works from descriptor to descriptor: whoever owns the directory cannot lead it elsewhere with a link.

    :raises OSError: an entry cannot be changed
    """

    def visit(directory: int, name: str, path: str, found: os.stat_result) -> None:
        if found.st_uid != account.uid:
            os.chown(name, account.uid, account.gid, dir_fd=directory, follow_symlinks=False)
        lacking = _lacking(found)
        if lacking:
            _add_mode(directory, name, lacking)

    _walk(real, account, visit)


def _lacking(found: os.stat_result) -> int:
    """The mode bits that the owner needs and does not have."""
    mode = found.st_mode
    needed = _SEARCH_AND_CHANGE if stat.S_ISDIR(mode) else _READ if stat.S_ISREG(mode) else 0
    return needed & ~mode


def _add_mode(directory: int, name: str, bits: int) -> None:
    # O_PATH needs no right to read the entry, and /proc names exactly the entry that was opened.
    handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
            os.chmod(f"/proc/self/fd/{handle}", stat.S_IMODE(mode) | bits)
    finally:
        os.close(handle)


def _walk(real: str, account: Account, visit: _Visit) -> None:
    """Call ``visit`` for each entry that is not as the account needs it, a directory before what lies in it."""
    top = os.open(real, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _walk_open(top, "", account, visit)
    finally:
        os.close(top)


def _walk_open(directory: int, prefix: str, account: Account, visit: _Visit) -> None:
    inside = []
    with os.scandir(directory) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                found = entry.stat(follow_symlinks=False)
                if found.st_uid != account.uid or _lacking(found):
                    visit(directory, entry.name, prefix + entry.name, found)
                if stat.S_ISDIR(found.st_mode):
                    inside.append(entry.name)
    for name in inside:
        try:
            child = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        except OSError as error:
            if error.errno in _GONE or error.errno == errno.EACCES:  # a closed one has been visited as such
                continue
            raise
        try:
            _walk_open(child, f"{prefix}{name}/", account, visit)
        finally:
            os.close(child)


def _count(paths: Tuple[str, ...]) -> str:
    return "1 entry" if len(paths) == 1 else f"{len(paths)} entries"


def _some(paths: Tuple[str, ...]) -> str:
    shown = ", ".join(paths[:_SHOWN])
    return f"{shown} and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else shown
