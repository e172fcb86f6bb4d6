# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The local file store: FileSettings.Directory, relative to the working directory like the server's own."""

from __future__ import annotations

import os
from typing import List

from .gofs import clean_join, mkdir_all, read_file, remove_all, write_file

PLUGIN_FOLDER = "plugins"


class FileStore:
    def __init__(self, directory: str) -> None:
        self._root = directory

    def prepare(self) -> None:
        """Make the root, as the server does at start. Raises GoError."""
        mkdir_all(os.path.normpath(self._root), 0o750)

    def plugin_bundles(self) -> List[str]:
        """Ids of the stored plugin bundles."""
        folder = clean_join(self._root, PLUGIN_FOLDER)
        if not os.path.isdir(folder):
            return []
        return [name[: -len(".tar.gz")] for name in sorted(os.listdir(folder)) if name.endswith(".tar.gz")]

    def read(self, name: str) -> bytes:
        return read_file(clean_join(self._root, name))

    def exists(self, name: str) -> bool:
        return os.path.exists(clean_join(self._root, name))

    def write(self, name: str, content: bytes) -> None:
        path = clean_join(self._root, name)
        mkdir_all(os.path.dirname(path), 0o750)
        write_file(path, content, 0o600)

    def remove(self, name: str) -> None:
        if self.exists(name):
            remove_all(clean_join(self._root, name))


def bundle_name(plugin_id: str) -> str:
    return f"{PLUGIN_FOLDER}/{plugin_id}.tar.gz"


def signature_name(plugin_id: str) -> str:
    return bundle_name(plugin_id) + ".sig"
