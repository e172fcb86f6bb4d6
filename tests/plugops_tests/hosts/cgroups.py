# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cgroup of each test host. It is made before the host and holds every process of it, so it is also how a host is
found and ended: only ids that the kernel lists there are ever signalled.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from . import names
from .commands import HostsError, run

_OWN_MOUNT = names.RUN_DIR / "cgroup"
_MOUNTINFO = Path("/proc/self/mountinfo")


def mount_points(filesystem: str, mountinfo: str) -> list[Path]:
    """Where `filesystem` is mounted, by the text of /proc/<pid>/mountinfo (proc_pid_mountinfo(5))."""
    found = []
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        if after.split(" ")[0] == filesystem:
            escaped = before.split(" ")[4]
            found.append(Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), escaped)))
    return found


def hierarchy(*, mount: bool = False) -> Path | None:
    """The mounted cgroup v2 hierarchy (also beside v1). With `mount`, a machine that has none gets one of ours."""
    mounted = mount_points("cgroup2", _MOUNTINFO.read_text())
    if mounted:
        return mounted[0]
    if not mount:
        return None
    _OWN_MOUNT.mkdir(mode=0o700, parents=True, exist_ok=True)
    run(["mount", "-t", "cgroup2", "plugops-tests", str(_OWN_MOUNT)])
    return _OWN_MOUNT


def release_hierarchy() -> None:
    """Unmount the hierarchy when it is ours and no cluster uses it any more."""
    if _OWN_MOUNT in mount_points("cgroup2", _MOUNTINFO.read_text()) and not clusters():
        run(["umount", str(_OWN_MOUNT)])
    if _OWN_MOUNT.is_dir() and not _OWN_MOUNT.is_mount():
        _OWN_MOUNT.rmdir()


def clusters() -> dict[str, Path]:
    """Cluster id → its cgroup, of every cluster that has one."""
    top = hierarchy()
    matches = ((names.CGROUP.fullmatch(path.name), path) for path in top.iterdir()) if top else ()
    return {match["id"]: path for match, path in matches if match}


def create(cluster: str, host: str) -> Path:
    top = hierarchy(mount=True)
    if top is None:
        raise HostsError("cgroup v2 is neither mounted nor can it be")
    path = top / names.cgroup(cluster) / host
    path.mkdir(parents=True)
    return path


def processes(path: Path) -> list[int]:
    """The ids of all processes below a cgroup."""
    return sorted(pid for directory in _tree(path) for pid in _members(directory))


def supervisor(path: Path) -> list[int]:
    """systemd-nspawn itself: it moves into `supervisor`, its host into `payload` (systemd's CGROUP_DELEGATION)."""
    return _members(path / "supervisor")


def wait_empty(path: Path, timeout: float) -> bool:
    """Wait until no process is left below a cgroup. The kernel notifies the poll of `cgroup.events`."""
    deadline = time.monotonic() + timeout
    try:
        with open(path / "cgroup.events") as events:
            poll = select.poll()
            poll.register(events, select.POLLPRI)
            while True:
                events.seek(0)
                if "populated 0" in events.read():
                    return True
                if not poll.poll(max(0, deadline - time.monotonic()) * 1000) and time.monotonic() >= deadline:
                    return False
    except FileNotFoundError:
        return True


def kill(path: Path, timeout: float = 10) -> None:
    """SIGKILL every process below a cgroup, by id, until none is left."""
    deadline = time.monotonic() + timeout
    while True:
        for pid in processes(path):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if wait_empty(path, 0.5):
            return
        if time.monotonic() > deadline:
            raise HostsError(f"processes {processes(path)} in {path} do not end; look at /proc/<pid>/stack")


def remove(path: Path) -> None:
    """Remove a cgroup and those below it, with whatever process joined in the meantime."""
    while path.is_dir():
        kill(path)
        for directory in reversed(list(_tree(path))):
            try:
                directory.rmdir()
            except FileNotFoundError:
                continue
            except OSError:  # EBUSY: a starting host joined just now; end it too
                break


def _tree(path: Path) -> Iterator[Path]:
    """`path` and the directories below it, parents first."""
    for directory, _, _ in os.walk(path):
        yield Path(directory)


def _members(directory: Path) -> list[int]:
    try:
        return [int(line) for line in (directory / "cgroup.procs").read_text().split()]
    except OSError:  # it went away while we looked (ENOENT, ENODEV)
        return []
