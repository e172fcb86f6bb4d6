# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles that a node downloads itself, into its store."""

from __future__ import annotations

import os

from .._core.errors import OperatorError
from .._host.writing import unlink
from .._http.downloads import Downloads
from .._http.transfer import Transfer
from .store import Store


class NodeDownloads:
    """Downloads bundles on the node itself.

    :param directory: real path of a directory of this node where a download that was cut off waits for the next run
    :param limit: bytes that a bundle may have
    """

    def __init__(self, directory: str, transfer: Transfer, limit: int) -> None:
        self._directory = directory
        self._downloads = Downloads(directory, transfer, limit)

    def bring(self, url: str, sha256: str, store: Store) -> None:
        """Download a bundle into the store.

        :raises OperatorError: it cannot be had, is too large, or is another one
        """
        path = self._downloads.bundle(url, sha256)
        ours = path.startswith(self._directory + os.sep)
        try:
            store.add(sha256, path)
        except OperatorError:
            if ours and not store.has(sha256):  # damaged: the next run downloads it again
                unlink(path)
            raise
        if ours:
            unlink(path)
