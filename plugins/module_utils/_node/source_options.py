# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that specify where bundles come from and who signs them.

The action on the controller reads them; those of downloads go on to a node that downloads itself.
"""

from __future__ import annotations

from typing import Any, Dict

SOURCE_ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "bundle_directory": {"type": "path"},
    "lock": {"type": "path"},
    "fetch": {"type": "str", "choices": ["controller", "node"], "default": "controller"},
    "keyring": {"type": "path"},
    "signatures_required": {"type": "bool", "default": False},
    "download_limit": {"type": "str", "default": "1G"},
    "download_timeout": {"type": "int", "default": 30},
    "download_ca_path": {"type": "path"},
}
