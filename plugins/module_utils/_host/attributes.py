# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a directory carries besides owner and mode: immutable flag, ACL, SELinux label."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import stat
import struct
from typing import List

from .._core.blocker import APPEND_ONLY, IMMUTABLE, SELINUX_LABEL, Blocker
from .paths import at
from .reading import attribute, read_text
from .root import Root

# ioctl_iflags(2): FS_IOC_GETFLAGS is _IOR('f', 1, long), though the kernel fills an int.
_GET_FLAGS = (2 << 30) | (struct.calcsize("l") << 16) | (ord("f") << 8) | 1
_APPEND_FLAG = 0x20
_IMMUTABLE_FLAG = 0x10
_ENFORCING = "/sys/fs/selinux/enforce"
# Labels of files that were moved, not copied, from a home or a temporary directory, or that lost their label.
_STRAY_TYPES = ("unlabeled_t", "admin_home_t", "user_home_t", "user_home_dir_t", "tmp_t", "user_tmp_t")


def change_flags(real: str) -> int:
    """As :func:`flags_at`, by path."""
    with contextlib.suppress(OSError), at(real, follow=False) as spot:
        return flags_at(spot.parent, spot.name)
    return 0


def flags_at(directory: int, name: str) -> int:
    """The immutable and append-only flags that chattr(1) sets on an entry of an open directory.

    0 where neither is set, the file system has no flags, or they may not be read. Links and devices have none.
    """
    try:
        if not _has_flags(os.stat(name, dir_fd=directory, follow_symlinks=False)):
            return 0
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return 0
    try:
        flags = struct.unpack("i", fcntl.ioctl(handle, _GET_FLAGS, b"\0" * struct.calcsize("l"))[:4])[0]
        return int(flags) & (_IMMUTABLE_FLAG | _APPEND_FLAG)
    except OSError:
        return 0
    finally:
        os.close(handle)


def _has_flags(found: os.stat_result) -> bool:
    return stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)


def flag_blockers(root: Root, path: str) -> List[Blocker]:
    """Whether chattr(1) has closed the host path to every change."""
    flags = change_flags(root.real(path))
    blockers = []
    for flag, kind, letter in ((_IMMUTABLE_FLAG, IMMUTABLE, "i"), (_APPEND_FLAG, APPEND_ONLY, "a")):
        if flags & flag:
            blockers.append(
                Blocker(
                    kind,
                    path,
                    f"it has the {kind} flag (lsattr shows {letter})",
                    f"chattr -{letter} {shlex.quote(path)}",
                )
            )
    return blockers


def has_acl(real: str) -> bool:
    """Whether an access ACL (acl(5)) adds to the mode."""
    with contextlib.suppress(OSError):
        return bool(attribute(real, "system.posix_acl_access"))
    return False


def label_blockers(root: Root, path: str, enforcing: str = _ENFORCING) -> List[Blocker]:
    """Whether SELinux enforces and the directory has a label that no policy gives to a service's files."""
    if not root.is_live:
        return []
    with contextlib.suppress(OSError):
        if read_text(enforcing).strip() != "1":
            return []
        label = attribute(path, "security.selinux").rstrip(b"\0").decode("utf-8", "replace")
        fields = label.split(":")
        if len(fields) > 2 and fields[2] in _STRAY_TYPES:
            return [
                Blocker(
                    SELINUX_LABEL,
                    path,
                    f"its SELinux label is {label}, SELinux may keep the server out",
                    f"restorecon -R -v {shlex.quote(path)}",
                    fatal=False,
                )
            ]
    return []
