# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps an account from using a directory, and no change of owner or mode can fix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Union

# Every kind there is; an audit reports each as a finding of its own, so the words stay.
NOT_A_DIRECTORY = "not-a-directory"  # a file, a dangling link or a loop of links is in the path
HIDDEN = "hidden"  # this process cannot access it
PARENT_MISSING = "parent-missing"  # what should hold the directory is missing and is not ours to make
UNTRUSTED_LINK = "untrusted-link"  # not root's, so root does not follow it
OUTSIDE = "directory-outside"  # named by the server's settings alone, outside the install directory
SYSTEM_DIRECTORY = "system-directory"  # of the operating system's, or holds one
PARENT_NOT_SEARCHABLE = "parent-not-searchable"  # outside the install directory, so not ours to fix
NEEDS_ROOT = "needs-root"  # could be fixed, but not by the user that runs the module
ACL = "acl"
NOT_GIVEN = "not-given"  # files that may be another's, which are never chowned
NOT_WRITABLE = "not-writable"  # refused although mode and owner allow it
MOUNT_READ_ONLY = "mount-read-only"
MOUNT_NOEXEC = "mount-noexec"
IMMUTABLE = "immutable"
APPEND_ONLY = "append-only"
SELINUX_LABEL = "selinux-label"
SANDBOX_READ_ONLY = "sandbox-read-only"
SANDBOX_HIDDEN = "sandbox-hidden"
SANDBOX_NOEXEC = "sandbox-noexec"
SANDBOX_OTHER_ROOT = "sandbox-other-root"


@dataclass(frozen=True)
class Blocker:
    """One thing that blocks.

    :param kind: one of the kinds above
    :param path: host path at which it is
    :param evidence: what was seen, in words
    :param remedy: what the operator has to do
    :param fatal: the server's plugins cannot work with it; otherwise it is worth a warning
    """

    kind: str
    path: str
    evidence: str
    remedy: str
    fatal: bool = True

    def as_dict(self) -> Dict[str, Union[str, bool]]:
        return {
            "kind": self.kind,
            "path": self.path,
            "evidence": self.evidence,
            "remedy": self.remedy,
            "fatal": self.fatal,
        }
