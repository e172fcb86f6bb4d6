# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this machine lacks to run test hosts, found out by trying, so that a test can skip and say why."""

from __future__ import annotations

import os
import shutil
import urllib.error
import urllib.request
from pathlib import Path

from . import apt_sources, rootfs
from .commands import HostsError, run

_PROGRAMS = {
    "apt-cache": "apt",
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "mount": "mount",
    "setpriv": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "systemd-nspawn": "systemd-container",
    "unshare": "util-linux",
}

# Each is tried in namespaces that vanish with the attempt. /tmp stands for any directory to mount on.
_TRIALS = {
    "network namespaces with bridges and veth pairs": (
        "ip link add plug-trial type bridge && ip link add plug-a type veth peer name plug-b"
    ),
    "tmpfs and overlayfs": (
        "mount -t tmpfs tmpfs /tmp && cd /tmp && mkdir l u w m"
        " && mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w,redirect_dir=on m"
    ),
    "cgroup v2, writable": (
        "test -e /sys/fs/cgroup/cgroup.controllers || mount -t cgroup2 cgroup2 /sys/fs/cgroup;"
        " cd /sys/fs/cgroup && mkdir plug-trial-$$ && rmdir plug-trial-$$"
    ),
}


def missing(suite: str, cache: Path = rootfs.DEFAULT_CACHE, mirror: str = "") -> list[str]:
    """What is missing to start hosts of `suite`, each in one line; empty when nothing is."""
    if os.geteuid() != 0:
        return ["root: test hosts need mounts, namespaces and bridges"]
    found = [
        f"the program {name} (Debian package {package})"
        for name, package in _PROGRAMS.items()
        if not shutil.which(name)
    ]
    if found:
        return found
    for what, trial in _TRIALS.items():
        try:
            run(["unshare", "--mount", "--net", "--propagation", "private", "--", "sh", "-ec", trial])
        except HostsError as error:
            said = str(error).rpartition("): ")[2]
            found.append(f"{what}: {' '.join(said.split())}")
    if rootfs.cached(suite, cache) is None:
        found += _mirror_problem(suite, mirror)
    return found


def _mirror_problem(suite: str, given: str) -> list[str]:
    """Why the root file system, which the cache lacks, cannot be built."""
    try:
        mirror = given or apt_sources.find_mirror(suite).uri
    except HostsError as error:
        return [f"a Debian mirror: {error}"]
    if mirror.startswith("file:"):
        release = Path(mirror[len("file:") :]) / "dists" / suite / "Release"
        return [] if release.exists() else [f"{release} on the mirror"]
    environment = apt_sources.proxy_environment(dict(os.environ))
    proxies = {scheme: environment.get(f"{scheme}_proxy", "") for scheme in ("http", "https")}
    handler = urllib.request.ProxyHandler({scheme: proxy for scheme, proxy in proxies.items() if proxy})
    opener = urllib.request.build_opener(handler)
    url = f"{mirror.rstrip('/')}/dists/{suite}/Release"
    try:
        with opener.open(urllib.request.Request(url, method="HEAD"), timeout=20):
            return []
    except (urllib.error.URLError, OSError) as error:
        return [f"{url}: {error}"]
