# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of ours is on this machine: `down` checks its own work with it, and a person sees that the machine is clean."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from . import cgroups, names, network, rootfs


def of_cluster(cluster: str) -> list[str]:
    """One line per thing that the cluster holds on the machine, outside its state directory."""
    return [line for owner, line in _everything() if owner == cluster]


def of_machine(cache: Path = rootfs.DEFAULT_CACHE) -> list[str]:
    """One line per thing of any cluster, and per build of a root file system that was cut off."""
    return [line for _, line in _everything()] + [f"half-made root file system {path}" for path in dead_builds(cache)]


def _everything() -> list[tuple[str, str]]:
    """(cluster id, description) of each thing."""
    found = []
    for cluster, path in cgroups.clusters().items():
        found.append((cluster, f"cgroup {path}"))
        found += [(cluster, f"process {pid} {_name(pid)}") for pid in cgroups.processes(path)]
    found += [(names.INTERFACE.fullmatch(name)["id"], f"interface {name}") for name in network.interfaces()]  # type: ignore[index]
    found += [(names.NAMESPACE.fullmatch(name)["id"], f"network namespace {name}") for name in network.namespaces()]  # type: ignore[index]
    for path in sorted(names.RUN_DIR.glob("*")):
        found.append((path.name, f"directory {path}"))
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount = Path(line.split(" ")[4])
        if names.RUN_DIR in mount.parents:
            found.append((mount.relative_to(names.RUN_DIR).parts[0], f"mount {mount}"))
    return found


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "(ended)"


def dead_builds(cache: Path) -> list[Path]:
    """Builds that nobody works on: the lock of their directory is free."""
    dead = []
    for path in sorted(cache.glob(".build-*")):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            dead.append(path)
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)
    return dead
