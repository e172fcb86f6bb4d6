# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a plugin's files into the plugin directory, or take them away: by rename, whole or not at all."""

from __future__ import annotations

import os
from typing import Tuple

from .._core.errors import OperatorError
from .._host.account import Account
from .._host.directories import make_directory, remove_directory
from .._host.paths import resolve
from .._host.reading import is_directory
from .._host.trees import remove_tree
from .._host.writing import fsync_directory, rename
from .bundle import unpack_bundle
from .tree import read_tree, swap_in

# One fixed name, so that the next run finds and clears what a killed run has left.
_STAGING = ".plugops-staging"


def clear_staging(directory: str) -> None:
    """Remove what a killed run has left of its unpacking into this plugin directory; most often that is nothing.

    :raises OSError: it cannot be removed
    """
    for place in _staging_places(resolve(directory)):
        remove_tree(place, strict=True)


def _staging_places(directory: str) -> Tuple[str, str]:
    """Outside the plugin directory, where a rename can still reach it; and inside, under a name that servers skip."""
    return os.path.join(os.path.dirname(directory), _STAGING), os.path.join(directory, _STAGING)


class Unpacker:
    """Swaps unpacked bundles into one plugin directory. Use as a context manager: it leaves nothing behind.

    From when the directory has been resolved no link is followed, of root's neither: whoever owns the directory around
    it could give one of them the name of the staging.

    :param directory: the plugin directory as this process sees it
    :param account: who owns what is unpacked
    """

    def __init__(self, directory: str, account: Account) -> None:
        self._directory = resolve(directory)
        self._account = account
        self._outside, self._inside = _staging_places(self._directory)
        self._staging = self._outside

    def __enter__(self) -> Unpacker:
        if not is_directory(self._directory):
            raise OperatorError(
                "there is no plugin directory to unpack into",
                where=self._directory,
                remedy="run mattermost_plugin_directories first, which creates it",
            )
        self._clear()
        self._staging = self._outside if self._outside_will_do() else self._inside
        if self._staging == self._inside:
            make_directory(self._inside, 0o700, strict=True)
        return self

    def _outside_will_do(self) -> bool:
        """Tried, not guessed: a bind mount has the device number of its surroundings and yet no rename leads there."""
        try:
            make_directory(self._outside, 0o700, strict=True)
        except OSError:
            return False
        probe = os.path.join(self._outside, "probe")
        make_directory(probe, 0o700, strict=True)
        try:
            rename(probe, self._inside, strict=True)
        except OSError:
            remove_tree(self._outside, strict=True)
            return False
        remove_directory(self._inside, strict=True)
        return True

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
        rename(os.path.join(self._directory, name), os.path.join(self._staging, f"{name}.old"), strict=True)
        fsync_directory(self._directory)

    def _clear(self) -> None:
        clear_staging(self._directory)
