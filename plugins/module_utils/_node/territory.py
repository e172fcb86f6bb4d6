# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which directories an app server may claim: a path in its settings is a wish of the account that writes them.

Whoever owns config.json could else make root create a directory anywhere, or give away one of the system's. So a
directory of the settings lies in the install directory, or the operator has named it in an option. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

from .._core.blocker import OUTSIDE, SYSTEM_DIRECTORY, Blocker

OPTION = "allowed_directories"
# Never an app server's, whoever names them: these, what lies in them, and every directory that holds one of them.
SYSTEM_DIRECTORIES = (
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var/cache/apt",
    "/var/cron",
    "/var/db",
    "/var/lib/apt",
    "/var/lib/containers",
    "/var/lib/docker",
    "/var/lib/dpkg",
    "/var/lib/plugops",
    "/var/lib/rpm",
    "/var/lib/sudo",
    "/var/lib/systemd",
    "/var/log/journal",
    "/var/run",
    "/var/spool/cron",
)
# Never the directory itself, though an app server's may lie in it: they are everybody's.
SHARED_DIRECTORIES = ("/home", "/media", "/mnt", "/opt", "/srv", "/tmp", "/var/mail", "/var/opt", "/var/tmp")  # noqa: S108
# An installation may lie in these, though they lie in a system directory.
_EXCEPT = ("/usr/local", "/usr/share/webapps")


@dataclass(frozen=True)
class Territory:
    """Where the directories of one app server may lie; host paths without links.

    :param install_dir: of the release
    :param named: directories outside of it that the operator has named in an option
    :param requested: the same, as they were written: from there a link of root's may lead elsewhere
    """

    install_dir: str
    named: Tuple[str, ...] = ()
    requested: Tuple[str, ...] = ()

    def is_installed(self, path: str) -> bool:
        """Whether a path is the install directory or lies in it."""
        return lies_in(path, self.install_dir)

    def is_ours(self, path: str) -> bool:
        """Whether a directory may be made, changed and used: the server's own, or one that the operator named."""
        return self.is_installed(path) or any(lies_in(path, named) for named in self.named)

    def blocker(self, setting: str, requested: str, path: str) -> Optional[Blocker]:
        """Why a directory that a setting names is not used; None if it may be.

        :param setting: e.g. ``PluginSettings.Directory``
        :param requested: the path as the setting has it, absolute; only links of root's have led from there to ``path``
        :param path: where it leads, without links
        """
        system = system_directory(path, self.install_dir)
        if system:
            return Blocker(
                SYSTEM_DIRECTORY,
                path,
                f"{setting} names it, and {_relation(path, system)}; an app server must not have a directory there",
                f"correct {setting}",
            )
        if self.is_ours(path) or any(lies_in(requested, place) for place in (*self.requested, self.install_dir)):
            return None
        return Blocker(
            OUTSIDE,
            path,
            f"{setting} names it outside the install directory {self.install_dir}; whoever can write the server's "
            "configuration could claim any directory of this host",
            f"if it is right, name it in {OPTION} (the role: mattermost_{OPTION}); else correct {setting}",
        )


def system_directory(path: str, install_dir: str = "") -> str:
    """The system directory that a path is, holds or lies in; empty if none.

    :param install_dir: the server's own may lie in one, and what lies in it is the server's
    """
    for system in (*SYSTEM_DIRECTORIES, *_EXCEPT):
        if lies_in(system, path):
            return system
    if path in SHARED_DIRECTORIES:
        return path
    if (install_dir and lies_in(path, install_dir)) or any(lies_in(path, usual) for usual in _EXCEPT):
        return ""
    return next((system for system in SYSTEM_DIRECTORIES if lies_in(path, system)), "")


def lies_in(path: str, directory: str) -> bool:
    """Whether a path is a directory or lies in it; both without links."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _relation(path: str, system: str) -> str:
    if path == system:
        return "it is a directory of the system"
    return f"it lies in {system}" if lies_in(path, system) else f"it holds {system}"
