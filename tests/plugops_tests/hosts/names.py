# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How everything that a cluster makes on this machine is called, so that `down` finds it without any record."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

RUN_DIR = Path("/run/plugops-tests")
"""Mount points and ssh control sockets of the clusters that are up. Short, because socket paths must be."""

HOST_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
INTERFACE = re.compile(r"plug-(?P<id>[0-9a-f]{6})-(br|\d{1,3})")
NAMESPACE = re.compile(r"plugops-(?P<id>[0-9a-f]{6})-[a-z0-9-]+")
CGROUP = re.compile(r"plugops-(?P<id>[0-9a-f]{6})")


def cluster_id(state_dir: Path) -> str:
    """Six hex digits that depend on the state directory alone: two directories are two clusters."""
    return hashlib.sha256(str(state_dir.resolve()).encode()).hexdigest()[:6]


def bridge(cluster: str) -> str:
    return f"plug-{cluster}-br"


def veth(cluster: str, index: int) -> str:
    """The controller's end of the cable to host number `index`. The kernel allows 15 characters."""
    return f"plug-{cluster}-{index}"


def namespace(cluster: str, host: str) -> str:
    """The network namespace of a host, which is also its machine name."""
    return f"plugops-{cluster}-{host}"


def cgroup(cluster: str) -> str:
    return f"plugops-{cluster}"


def run_dir(cluster: str) -> Path:
    return RUN_DIR / cluster


def control_path_dir(cluster: str) -> Path:
    """Where Ansible keeps its ssh control sockets for this cluster."""
    return run_dir(cluster) / "ssh"
