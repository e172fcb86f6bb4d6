# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries of one directory exchanged for those of a release; what else lies there is not touched."""

from __future__ import annotations

import os
from typing import Callable, Sequence

from .._host.directories import make_directory
from .._host.reading import exists, is_directory, names_in, status
from .._host.trees import remove_tree
from .._host.writing import copy_file, link_or_copy, rename

# Not .plugops-…: such names are removed as the remains of a killed run.
_STAGING = ".mattermost-release.new"
_TRASH = ".mattermost-release.old"


class Exchange:
    """One directory that has entries of the release.

    New and outdated entries lie in it meanwhile, where only root can read: a rename does not leave a file system, and
    `client` may lie on another one than the install directory.

    :param tree: the directory of the store's release that it stands for
    :param directory: what is exchanged; a path without links. None is followed from then on, of root's neither: whoever
        owns the directory can give another name in it to a link that root made there
    :param link: hard links to the store are safe there
    """

    def __init__(self, tree: str, directory: str, link: bool) -> None:
        self._tree = tree
        self._directory = directory
        self._link = link
        self._staging = os.path.join(directory, _STAGING)
        self._trash = os.path.join(directory, _TRASH)

    def stage(self, wanted: Sequence[str]) -> None:
        """Copy the new entries: all that takes time and space."""
        self.clear()
        for place in (self._staging, self._trash):
            make_directory(place, 0o700, strict=True)
        copy = self._copy_function()
        for name in wanted:
            _place(os.path.join(self._tree, name), os.path.join(self._staging, name), copy)

    def exchange(self, wanted: Sequence[str], old: Sequence[str]) -> None:
        """Replace the outdated entries by the staged ones.

        :param old: the outdated entries; those that do not exist are skipped
        """
        for name in sorted({*wanted, *old}):
            target = os.path.join(self._directory, name)
            if exists(target):
                rename(target, os.path.join(self._trash, name), strict=True)
            if name in wanted:
                rename(os.path.join(self._staging, name), target, strict=True)

    def clear(self) -> None:
        """Remove what was staged and what was replaced."""
        for place in (self._staging, self._trash):
            remove_tree(place, strict=True)

    def _copy_function(self) -> Callable[[str, str, bool], None]:
        """Hard links where they are safe, since they take no space.

        They would give the store away where somebody gives the whole install directory to the service account, as
        Mattermost's own instructions say: such a directory gets copies.
        """
        is_ours = status(self._directory).st_uid == os.geteuid()
        return link_or_copy if self._link and is_ours else copy_file


def _place(source: str, target: str, copy: Callable[[str, str, bool], None]) -> None:
    """Copy a tree of the store, file by file."""
    if not is_directory(source):
        copy(source, target, True)
        return
    make_directory(target, 0o755, strict=True)
    for name in names_in(source):
        _place(os.path.join(source, name), os.path.join(target, name), copy)
