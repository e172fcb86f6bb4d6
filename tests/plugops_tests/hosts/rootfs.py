# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Debian system that hosts start from: made once by debootstrap, kept in a cache, never written to afterwards.

A host mounts it as the lower layer of an overlay, so every start is a first start.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from . import apt_sources
from .commands import HostsError, locked, run

DEFAULT_CACHE = Path("/var/cache/plugops-tests")
DEPLOY_USER = "deploy"
DEPLOY_UID = 1000

# Mounts and processes of the build stay in namespaces of their own and end with it, even when it is killed.
_ISOLATED = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--")

_PACKAGES = (
    "acl",
    "attr",
    "dbus",
    "e2fsprogs",
    "iproute2",
    "libpam-systemd",
    "nginx",
    "openssh-server",
    "postgresql",
    "procps",
    "python3",
    "sudo",
    "systemd",
    "systemd-sysv",
)

_SSHD = """\
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
UseDNS no
"""

# path → (mode, text). sshd_config reads its drop-ins first, and the first value counts.
_FILES = {
    "etc/ssh/sshd_config.d/plugops-tests.conf": (0o644, _SSHD),
    "etc/sudoers.d/deploy": (0o440, f"{DEPLOY_USER} ALL=(ALL:ALL) NOPASSWD: ALL\n"),
    "etc/default/locale": (0o644, "LANG=C.UTF-8\n"),
    "etc/machine-id": (0o444, ""),  # empty, not absent: every start gets a new id and is not taken for a first boot
    "etc/resolv.conf": (0o644, ""),  # no name server: lookups fail at once instead of timing out
}

# What every host must have of its own: systemd takes its machine id from D-Bus when /etc/machine-id is empty. And
# what starts the services that are there for the host that shall be a load balancer or carry a database. (A pattern
# with a star: a name without one is followed, and a link to a unit that this machine lacks would not be found.)
_REMOVED = (
    "etc/ssh/ssh_host_*",
    "var/lib/dbus/machine-id",
    "etc/systemd/system/multi-user.target.wants/nginx.servic*",
    "etc/systemd/system/multi-user.target.wants/postgresql.servic*",
)

# Work that has no place in a test host: it would wake up in the middle of a measurement or wait for a network.
_MASKED = (
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "console-getty.service",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "systemd-networkd-wait-online.service",
)


@dataclass(frozen=True)
class Recipe:
    """All that a root file system depends on; its digest names the directory in the cache."""

    suite: str
    packages: tuple[str, ...] = _PACKAGES
    files: tuple[tuple[str, tuple[int, str]], ...] = tuple(_FILES.items())
    removed: tuple[str, ...] = _REMOVED
    masked: tuple[str, ...] = _MASKED
    deploy: tuple[str, int] = (DEPLOY_USER, DEPLOY_UID)

    @property
    def directory_name(self) -> str:
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()
        return f"{self.suite}-{digest[:12]}"


def cached(suite: str, cache: Path = DEFAULT_CACHE) -> Path | None:
    """The root file system, when it is there already."""
    path = cache / Recipe(suite).directory_name
    return path if path.is_dir() else None


def ensure(suite: str, cache: Path = DEFAULT_CACHE, mirror: str = "") -> Path:
    """The root file system of `suite`, built when the cache lacks it. Takes about a minute then."""
    if suite not in apt_sources.SUITES:
        raise HostsError(f"suite {suite!r} is not one of {', '.join(apt_sources.SUITES)}")
    if set(":,\\") & set(str(cache)):
        raise HostsError(f"{cache}: a cache directory cannot have ':', ',' or '\\' in its path (overlayfs options)")
    path = cached(suite, cache)
    if path is not None:
        return path
    recipe = Recipe(suite)
    target = cache / recipe.directory_name
    workshop = workshop_of(target)
    with locked(workshop):
        if target.is_dir():  # someone else built it while we waited
            return target
        source = apt_sources.given_mirror(mirror) if mirror else apt_sources.find_mirror(suite)
        tree = workshop / "root"
        remove_tree(tree)
        _debootstrap(recipe, source, tree, workshop / "keyring.gpg")
        _finish(recipe, tree)
        os.rename(tree, target)
        shutil.rmtree(workshop)
    return target


def workshop_of(target: Path) -> Path:
    """Where a root file system is built. It is renamed into place at the end, so a half-made one is never used."""
    return target.with_name(f".build-{target.name}")


def _debootstrap(recipe: Recipe, source: apt_sources.Mirror, tree: Path, keyring: Path) -> None:
    keyring.write_bytes(source.keys)
    check = ["--no-check-gpg"] if source.trusted else ["--force-check-gpg", f"--keyring={keyring}"]
    include = f"--include={','.join(recipe.packages)}"
    command = ["debootstrap", "--variant=minbase", include, *check, recipe.suite, str(tree), source.uri]
    environment = apt_sources.proxy_environment(dict(os.environ))
    try:
        run([*_ISOLATED, *command], timeout=1200, env=environment)
    except HostsError as error:
        log = tree / "debootstrap" / "debootstrap.log"
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:]) if log.is_file() else ""
        raise HostsError(f"{error}\n{tail}".rstrip()) from None


def _finish(recipe: Recipe, tree: Path) -> None:
    user, uid = recipe.deploy
    add_user = ["useradd", "--create-home", "--shell", "/bin/bash", "--uid", str(uid), user]
    run([*_ISOLATED, "chroot", str(tree), *add_user])
    for pattern in recipe.removed:
        for path in tree.glob(pattern):
            path.unlink()
    for name, (mode, text) in recipe.files:
        file = tree / name
        file.unlink(missing_ok=True)
        file.write_text(text)
        file.chmod(mode)
    for unit in recipe.masked:
        link = tree / "etc/systemd/system" / unit
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")


def remove_tree(tree: Path) -> None:
    """Remove what a build that was killed left behind; never anything that is mounted there."""
    if tree.exists():
        run(["rm", "-rf", "--one-file-system", str(tree)], timeout=300)
