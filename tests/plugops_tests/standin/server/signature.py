# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Detached OpenPGP signatures, checked with gpg where it is installed; without gpg no signature is good.

Servers do not know the Edwards curves: a signature by such a key, gpg's default now, is never good.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from typing import List

_EDDSA = b"signature packet: algo 22,"


def is_good(content: bytes, signature: bytes, key_files: List[str], config_directory: str) -> bool:
    """True if one of the keys (paths, relative ones beside config.json) made the signature."""
    gpg = shutil.which("gpg")
    if gpg is None:
        return False
    with tempfile.TemporaryDirectory(prefix="signature") as home:
        data, detached = os.path.join(home, "data"), os.path.join(home, "data.sig")
        for path, part in ((data, content), (detached, signature)):
            with open(path, "wb") as stream:
                stream.write(part)
        # One keyring and no agent, so that nothing stays behind.
        base = [gpg, "--batch", "--quiet", "--no-autostart", "--homedir", home, "--trust-model", "always"]
        for name in key_files:
            key = os.path.join(config_directory, name)
            subprocess.run([*base, "--import", key], check=False, capture_output=True)
        listed = subprocess.run([*base, "--list-packets", detached], check=False, capture_output=True).stdout
        if _EDDSA in listed:
            return False
        return subprocess.run([*base, "--verify", detached, data], check=False, capture_output=True).returncode == 0
