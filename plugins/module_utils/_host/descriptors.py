# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to an open file or directory by its descriptor: owner, fsync, names of leftovers."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import List, Optional

# The beginning of every name that this package makes for a moment only.
PREFIX = ".plugops-"


def set_owner(handle: int, uid: Optional[int], gid: Optional[int]) -> None:
    found = os.fstat(handle)
    wanted_uid = found.st_uid if uid is None else uid
    wanted_gid = found.st_gid if gid is None else gid
    if (wanted_uid, wanted_gid) != (found.st_uid, found.st_gid):
        os.fchown(handle, wanted_uid, wanted_gid)


def names_at(directory: int, prefix: str) -> List[str]:
    with contextlib.suppress(PermissionError):  # one that may be written and not listed
        listed = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
        try:
            return [name for name in os.listdir(listed) if name.startswith(prefix)]
        finally:
            os.close(listed)
    return []


def fsync_at(directory: int) -> None:
    handle = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    try:
        fsync(handle)
    finally:
        os.close(handle)


def fsync(handle: int) -> None:
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
