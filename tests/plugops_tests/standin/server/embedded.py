# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugins that servers 4.5 to 5.1 carry inside their binary and unpack at each start."""

from __future__ import annotations

import json
from typing import Any, Dict

from .gofs import GoError, clean_join, mkdir_all, remove_all, write_file
from .logs import Log

EMBEDDED: Dict[str, str] = {"jira": "JIRA", "zoom": "Zoom"}


def unpack_embedded(directory: str, log: Log) -> None:
    """Replace `<directory>/jira` and `<directory>/zoom`; a failure is logged and the start goes on."""
    for plugin_id, name in EMBEDDED.items():
        target = clean_join(directory, plugin_id)
        manifest: Dict[str, Any] = {"id": plugin_id, "name": name, "version": "1.0.0"}
        manifest["webapp"] = {"bundle_path": f"webapp/{plugin_id}_bundle.js"}
        try:
            remove_all(target)
            mkdir_all(clean_join(target, "webapp"), 0o744)
            write_file(clean_join(target, "plugin.json"), json.dumps(manifest).encode(), 0o644)
            script = f"/* {plugin_id} */\n".encode()
            write_file(clean_join(target, "webapp", f"{plugin_id}_bundle.js"), script, 0o644)
        except GoError as error:
            log.error(f"Failed to unpack prepackaged plugin: {plugin_id}: {error}")
