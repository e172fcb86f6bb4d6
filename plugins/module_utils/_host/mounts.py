# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mounts that forbid writing or executing, as the kernel reports them for a path (statvfs(3))."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from typing import List, Optional

from .._core.blocker import MOUNT_NOEXEC, MOUNT_READ_ONLY, Blocker
from .paths import resolve
from .reading import MOUNTINFO, file_system, read_text
from .root import Root


@dataclass(frozen=True)
class Mount:
    """One line of /proc/self/mountinfo (proc(5))."""

    point: str
    options: str
    kind: str
    source: str


def mount_blockers(root: Root, path: str, must_execute: bool) -> List[Blocker]:
    """What the mount that holds the existing host path forbids.

    :param must_execute: programs are started from there; looked at on the live system only, since an image is
        mounted otherwise on its own host
    """
    real = root.real(path)
    flags = file_system(real).f_flag
    blockers = []
    if flags & os.ST_RDONLY:
        blockers.append(_blocker(MOUNT_READ_ONLY, real, path, "read-only", "rw"))
    if must_execute and root.is_live and flags & os.ST_NOEXEC:
        blockers.append(_blocker(MOUNT_NOEXEC, real, path, "noexec, no plugin with a server part can start", "exec"))
    return blockers


def mount_points() -> List[str]:
    """Where file systems are mounted, as this process sees it; none where the kernel does not tell."""
    try:
        return [mount.point for mount in parse_mountinfo(read_text(MOUNTINFO))]
    except FileNotFoundError:
        return []


def parse_mountinfo(text: str) -> List[Mount]:
    """The mounts in the order of the file: of two on one point, the later hides the earlier."""
    mounts = []
    for line in text.splitlines():
        before, dash, after = line.partition(" - ")
        front, back = before.split(" "), after.split(" ")
        if dash and len(front) >= 6 and len(back) >= 2:
            mounts.append(Mount(_unescape(front[4]), front[5], back[0], _unescape(back[1])))
    return mounts


def mount_of(path: str, mounts: List[Mount]) -> Optional[Mount]:
    """The mount that a path without links lies on."""
    best: Optional[Mount] = None
    for mount in mounts:
        inside = mount.point in ("/", path) or path.startswith(mount.point + "/")
        if inside and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best


def _blocker(kind: str, real: str, path: str, what: str, option: str) -> Blocker:
    mount = mount_of(resolve(real), parse_mountinfo(read_text(MOUNTINFO)))
    point, seen = (mount.point, f" ({mount.source}, {mount.kind}, {mount.options})") if mount else (path, "")
    return Blocker(
        kind,
        path,
        f"it lies on {point}{seen}, which is mounted {what}",
        f"mount -o remount,{option} {shlex.quote(point)}, and correct its line in /etc/fstab or its mount unit",
    )


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), text)
