# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access ACLs without setfacl(1)."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path

import pytest

_USER_OBJ, _USER, _GROUP_OBJ, _MASK, _OTHER, _NO_ID = 0x01, 0x02, 0x04, 0x10, 0x20, 0xFFFFFFFF


def give_acl(path: Path, uid: int, rights: int) -> None:
    """Give one user ``rights`` (0 to 7) beside the mode of ``path``; skips where the file system has no ACLs."""
    mode = path.stat().st_mode
    entries = [
        (_USER_OBJ, mode >> 6 & 7, _NO_ID),
        (_USER, rights, uid),
        (_GROUP_OBJ, mode >> 3 & 7, _NO_ID),
        (_MASK, 7, _NO_ID),
        (_OTHER, mode & 7, _NO_ID),
    ]
    data = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)  # linux/posix_acl_xattr.h
    try:
        os.setxattr(path, "system.posix_acl_access", data)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        pytest.skip(f"the file system of {path} has no ACLs")
