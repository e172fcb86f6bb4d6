# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One process at a time: locks that only this user can hold, waited for with a limit."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from typing import Iterator

from .._core.errors import OperatorError
from .directories import make_directories
from .paths import at
from .reading import read_text

WAIT_SECONDS = 900.0  # the longest change: an upload of a large bundle, and the server's start
_POLL_SECONDS = 0.1  # flock(2) takes no time limit


@contextlib.contextmanager
def alone(path: str, seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Only one process at a time is in such a block for a lock file; one that is killed leaves it.

    :param path: of the lock file; it and its directory are made, and stay. Nobody else can open it: whoever can open
        a file for reading can keep its lock for ever
    :param seconds: the longest wait
    :raises OperatorError: somebody else is in the block all the time, or the file is another user's
    """
    make_directories(os.path.dirname(path))
    handle = _open(path)
    try:
        _wait(handle, path, seconds)
        yield
    finally:
        os.close(handle)


def _open(path: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with at(path, follow=False) as spot:
        handle = os.open(spot.name, flags, 0o600, dir_fd=spot.parent)
    found = os.fstat(handle)
    if not _is_ours(found):
        os.close(handle)
        raise OperatorError(
            "other users can use the lock file",
            where=path,
            found=f"uid {found.st_uid}, {found.st_nlink} names, mode {found.st_mode:o}",
            wanted=f"a regular file of uid {os.geteuid()} with one name",
            remedy="let one user alone use the state directory; remove the file when no run uses it",
        )
    if (found.st_uid, stat.S_IMODE(found.st_mode)) != (os.geteuid(), 0o600):
        os.fchown(handle, os.geteuid(), -1)
        os.fchmod(handle, 0o600)
    return handle


def _is_ours(found: os.stat_result) -> bool:
    owned = os.geteuid() in (0, found.st_uid)
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and owned


def _wait(handle: int, path: str, seconds: float) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                return  # a file system without locks
        if time.monotonic() >= end:
            raise OperatorError(
                "another process is changing the same app server",
                where=path,
                found=f"{_holder(handle)} holds the lock after {seconds:.0f} s",
                remedy="wait until it has ended and run again; if it hangs, end that process",
            )
        time.sleep(_POLL_SECONDS)


def _holder(handle: int) -> str:
    """Who has the lock, as the kernel reports it; the file itself stays empty, so that a run that changes nothing does
    not write it."""
    inode = os.fstat(handle).st_ino
    with contextlib.suppress(OSError):
        for line in read_text("/proc/locks").splitlines():
            fields = line.split()  # 1: FLOCK ADVISORY WRITE <pid> <major>:<minor>:<inode> 0 EOF
            if len(fields) > 5 and fields[1] == "FLOCK" and fields[5].endswith(f":{inode}"):
                return f"process {fields[4]}{_command(fields[4])}"
    return "a process that cannot be named"


def _command(pid: str) -> str:
    with contextlib.suppress(OSError):
        words = read_text(f"/proc/{pid}/cmdline").split("\0")
        return f" ({' '.join(os.path.basename(word) for word in words[:2])})"
    return ""
