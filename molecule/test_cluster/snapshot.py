# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record the state of a machine: processes, ports, units, users, files.

`snapshot.py keep FILE`, later `snapshot.py compare FILE`, which prints each difference and ends with 1 if there is one.
"""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
from typing import Iterator, List

# What changes on its own: the kernel's files, systemd's bookkeeping, logs, sessions of the tests, backup copies.
IGNORED = (
    "/dev",
    "/proc",
    "/sys",
    "/tmp",
    "/run/ansible",
    "/run/log",
    "/run/sudo",
    "/run/systemd",
    "/run/udev",
    "/run/user",
    "/var/log",
    "/var/lib/apt",
    "/var/lib/systemd",
    "/var/cache/apt",
    "/var/tmp/systemd-private-",
    "/etc/passwd-",
    "/etc/shadow-",
    "/etc/group-",
    "/etc/gshadow-",
    "/etc/subuid-",
    "/etc/subgid-",
    "/etc/.pwd.lock",
)
SESSIONS = ("/user.slice", "/init.scope")


def files(directory: str) -> Iterator[str]:
    for entry in sorted(os.scandir(directory), key=lambda found: found.name):
        if entry.path.startswith(IGNORED) or entry.name == ".ansible":
            continue
        found = entry.stat(follow_symlinks=False)
        text = f"file {entry.path} {stat.filemode(found.st_mode)} {found.st_uid}:{found.st_gid}"
        if stat.S_ISLNK(found.st_mode):
            text += f" -> {os.readlink(entry.path)}"
        elif stat.S_ISREG(found.st_mode):
            text += f" {_content(entry.path, found.st_size)}"
        yield text
        if stat.S_ISDIR(found.st_mode):
            yield from files(entry.path)


def _content(path: str, size: int) -> str:
    """Configuration files are compared by content, the rest by size."""
    if not path.startswith("/etc/"):
        return str(size)
    with open(path, "rb") as stream:
        return hashlib.sha256(stream.read()).hexdigest()[:16]


def processes() -> Iterator[str]:
    """Unit and program of each process of a service; kernel threads have no program."""
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{number}/cgroup", encoding="utf-8") as stream:
                unit = stream.read().strip().rsplit(":", 1)[-1]
            program = os.readlink(f"/proc/{number}/exe")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if not any(session in unit for session in SESSIONS) and "sshd" not in program:
            yield f"process {program} of {os.path.basename(unit)}"


def listed(kind: str, argv: List[str], columns: slice) -> Iterator[str]:
    for line in subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines():
        if ".scope " in line:
            continue  # a session of the tests
        yield f"{kind} {' '.join(line.split()[columns])}"


def snapshot() -> List[str]:
    return sorted(
        {
            *files("/"),
            *processes(),
            *listed("port", ["ss", "-Hltun"], slice(0, 5, 4)),
            *listed("unit file", ["systemctl", "list-unit-files", "--no-legend", "--no-pager"], slice(0, 2)),
            *listed("failed unit", ["systemctl", "list-units", "--failed", "--plain", "--no-legend"], slice(0, 1)),
            *listed("user", ["getent", "passwd"], slice(0, 1)),
            *listed("group", ["getent", "group"], slice(0, 1)),
        }
    )


def main(action: str, path: str) -> int:
    now = snapshot()
    if action == "keep":
        with open(path, "w", encoding="utf-8") as stream:
            stream.write("\n".join(now))
        return 0
    with open(path, encoding="utf-8") as stream:
        before = stream.read().split("\n")
    differences = [f"+ {line}" for line in sorted({*now} - {*before})]
    differences += [f"- {line}" for line in sorted({*before} - {*now})]
    print("\n".join(differences))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
