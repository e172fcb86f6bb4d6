# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The releases of ansible-core that the collection supports, each in an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Dict, Optional, Tuple

from plugops_tests.support.playbooks import REPOSITORY

# Series -> release, and the newest Python of a controller that it supports.
CORES: Dict[str, Tuple[str, str]] = {
    "2.17": ("2.17.14", "3.12"),
    "2.18": ("2.18.19", "3.13"),
    "2.19": ("2.19.14", "3.13"),
    "2.20": ("2.20.10", "3.13"),
    "2.21": ("2.21.5", "3.13"),
}
PLACE = REPOSITORY / ".cache" / "cores"


def interpreter(version: str) -> Optional[str]:
    """Python of this version, from PATH or from pyenv; None where there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = sorted(pyenv.glob(f"{version}.*/bin/python{version}"))
    return str(candidates[-1]) if candidates else shutil.which(f"python{version}")


def environment(series: str) -> Optional[Path]:
    """The ``bin`` of an environment with that ansible-core alone, made once; None without a fitting Python."""
    release, version = CORES[series]
    python = interpreter(version)
    if python is None:
        return None
    place = PLACE / f"{release}-py{version}"
    if not (place / "complete").exists():
        subprocess.run([python, "-m", "venv", "--clear", str(place)], check=True)
        install = [str(place / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, f"ansible-core=={release}"], check=True)
        (place / "complete").touch()
    return place / "bin"
