# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The version of this collection, which galaxy.yml alone specifies."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

_ROOT = Path(__file__).parents[3]


def collection_version(root: Path = _ROOT) -> str:
    """Version that an installed collection has in MANIFEST.json, a checkout in galaxy.yml; empty without either.

    :param root: Directory of the collection.
    """
    manifest, source = root / "MANIFEST.json", root / "galaxy.yml"
    if manifest.is_file():
        return str(json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"])
    if source.is_file():
        return str(yaml.safe_load(source.read_text(encoding="utf-8"))["version"])
    return ""
