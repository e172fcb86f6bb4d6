# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our record of uploads, for nodes whose files cannot be read: which bundle was uploaded last, by plugin."""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any, Dict, Mapping, Set

from .._formats.json_reader import parse_json
from .._host.directories import make_directories
from .._host.reading import OWN_RECORD_LIMIT, read_file
from .._host.writing import write_atomic
from .._node.node import Node

FILE_NAME = "uploads.json"


class UploadRecord:
    """The record of one node, in its state directory."""

    def __init__(self, node: Node) -> None:
        self._path = node.state_path(FILE_NAME)

    def read(self) -> Dict[str, Dict[str, str]]:
        """Id -> ``version``, ``sha256`` and ``tree``; what cannot be read is not known."""
        with contextlib.suppress(OSError, ValueError):
            found = parse_json(read_file(self._path, OWN_RECORD_LIMIT))
            if isinstance(found, dict):
                return {plugin_id: item for plugin_id, item in found.items() if _is_upload(item)}
        return {}

    def change(self, uploads: Mapping[str, Dict[str, str]], gone: Set[str]) -> None:
        """Add uploads, and remove what is gone.

        :raises OSError: it cannot be written
        """
        known = self.read()
        wanted = {**{i: item for i, item in known.items() if i not in gone}, **uploads}
        if wanted != known:
            make_directories(os.path.dirname(self._path))
            write_atomic(self._path, json.dumps(wanted, indent=2, sort_keys=True).encode("utf-8"))


def _is_upload(item: Any) -> bool:
    return isinstance(item, dict) and all(isinstance(item.get(key), str) for key in ("version", "sha256", "tree"))
