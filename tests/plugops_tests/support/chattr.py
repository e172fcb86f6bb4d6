# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Immutable and append-only files, for tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def chattr(flags: str, path: Path) -> None:
    """As chattr(1); skips where it cannot be done. The caller takes the flags away again."""
    if os.geteuid() != 0:
        pytest.skip("needs root, for chattr")
    if not shutil.which("chattr"):
        pytest.skip("no chattr on this machine")
    done = subprocess.run(["chattr", flags, str(path)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no such flags on this file system: {done.stderr.strip()}")
