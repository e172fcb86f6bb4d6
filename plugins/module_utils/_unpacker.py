# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.
"""Put a plugin's files into the plugin directory, or take them away: by rename, whole or not at all."""

from __future__ import annotations

import os
import shutil

from ._account import Account
from ._bundle import unpack_bundle
from ._errors import OperatorError
from ._files import fsync_directory
from ._tree import read_tree, swap_in

# One fixed name, so that the next run finds and clears what a killed run has left.
_STAGING = ".plugops-staging"


class Unpacker:
    """Swaps unpacked bundles into one plugin directory. Use as a context manager: it leaves nothing behind.

    :param directory: the plugin directory as this process sees it
    :param account: who owns what is unpacked
    """

    def __init__(self, directory: str, account: Account) -> None:
        self._directory = directory
        self._account = account
        self._staging = os.path.join(_staging_parent(directory), _STAGING)

    def __enter__(self) -> Unpacker:
        self._clear()
        os.mkdir(self._staging, 0o700)
        return self

    def __exit__(self, *_: object) -> None:
        self._clear()

    def install(self, plugin_id: str, bundle: str, tree: str) -> None:
        """Unpack ``bundle`` beside the plugin directory, check it, swap it in.

        :param bundle: path of the .tar.gz
        :param tree: digest that the unpacked files must have
        :raises OperatorError: what was unpacked is not what was wanted; the old plugin is untouched
        """
        staged = os.path.join(self._staging, f"{plugin_id}.new")
        unpack_bundle(bundle, staged, uid=self._account.uid, gid=self._account.gid)
        found = read_tree(staged, None).digest
        if found != tree:
            raise OperatorError(
                f"the unpacked files of {plugin_id} are not those of the bundle",
                where=bundle,
                found=f"tree {found[:12]}",
                wanted=f"tree {tree[:12]}",
                remedy="check the disk and the memory of this host",
            )
        swap_in(staged, os.path.join(self._directory, plugin_id), os.path.join(self._staging, f"{plugin_id}.old"))

    def remove(self, name: str) -> None:
        """Take a plugin's directory away; it vanishes at once and whole."""
        os.rename(os.path.join(self._directory, name), os.path.join(self._staging, f"{name}.old"))
        fsync_directory(self._directory)

    def _clear(self) -> None:
        if os.path.lexists(self._staging):
            shutil.rmtree(self._staging)


def _staging_parent(directory: str) -> str:
    """Outside the plugin directory where a rename can still reach it; else inside, under a name servers skip."""
    parent = os.path.dirname(os.path.realpath(directory))
    same = os.stat(parent).st_dev == os.stat(directory).st_dev
    return parent if same and os.access(parent, os.W_OK | os.X_OK) else os.path.realpath(directory)
