# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What owner and mode of a file give an account, as the kernel reads them. Pure."""

from __future__ import annotations

import os

from .account import Account


def grants(found: os.stat_result, account: Account, right: int) -> bool:
    """Whether mode and owner give the account a right (os.R_OK, …); an ACL may decide otherwise.

    Only one of the three classes counts, the first that fits (path_resolution(7)).
    """
    if account.uid == 0:
        return True
    if found.st_uid == account.uid:
        return bool(found.st_mode & right << 6)
    if found.st_gid in (account.gid, *account.groups):
        return bool(found.st_mode & right << 3)
    return bool(found.st_mode & right)


def is_readable(found: os.stat_result, account: Account) -> bool:
    """Whether the account can read a file, or give itself the right: what it cannot, root must not copy for it."""
    return found.st_uid == account.uid or grants(found, account, os.R_OK)
