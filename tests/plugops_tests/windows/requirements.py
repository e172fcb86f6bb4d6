# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this machine lacks for Windows machines, so that a test can skip and say why."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

WINE = Path("/usr/lib/wine/wine64")
WINESERVER = Path("/usr/lib/wine/wineserver64")
HEADERS = Path("/usr/include/wine/wine/windows/windows.h")
LIBC = Path("/usr/include/stdio.h")
LOCALE = Path("/usr/lib/locale/C.utf8")
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


_FOR_GCC = ((HEADERS, "libwine-dev"), (LIBC, "libc6-dev"))


def missing() -> list[str]:
    """One line for each thing that is missing; empty when nothing is."""
    found = [
        f"{path} (Debian package {package})"
        for path, package in ((WINE, "wine64"), (WINESERVER, "wine64"), (LOCALE, "libc-bin"), *_FOR_GCC)
        if not path.exists()
    ]
    found += [f"the program {name} (Debian package {package})" for name, package in _PROGRAMS if not program(name)]
    if not found and os.geteuid() == 0 and not Path("/run/sshd").is_dir():
        Path("/run/sshd").mkdir(mode=0o755)  # as sshd's own unit does
    return found


def program(name: str) -> str:
    """Where a program lies; empty if nowhere."""
    return shutil.which(name, path=_PATH) or ""


_PROGRAMS = (
    ("winegcc-stable", "wine64-tools"),
    ("gcc", "gcc"),
    ("sshd", "openssh-server"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
)
