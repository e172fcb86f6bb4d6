# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an unpacked plugin back to a bundle that unpacks to the same files."""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
from typing import BinaryIO, Collection, List, Mapping, Tuple

from .._core.text import shown_path
from .._host.account import Account
from .._host.reading import open_directory, open_for
from .._host.rights import is_readable
from .._host.trees import walk
from .tree import MARKER, FileEntry

_LEVEL = 6
_PLAIN = 64  # digits of a sha256; what is no file has a word in its place


def cannot_pack(files: Mapping[str, FileEntry], executables: Collection[str]) -> str:
    """Why no bundle unpacks to these files, in words; empty if one does.

    :param executables: the server binaries that the manifest names
    """
    for path, entry in sorted(files.items()):
        if len(entry.sha256) != _PLAIN:
            return f"{shown_path(path)} is no regular file"
        if "\\" in path:
            return f"{shown_path(path)} has a backslash in its name"
        if path in executables and not entry.executable:
            return f"{shown_path(path)} is not executable, though the manifest calls it a server binary"
    return ""


def unreadable(real_path: str, account: Account) -> str:
    """Why a tree is not packed for an account, in words; empty if it may be.

    The service account could put a file of root's into its plugin, by another name: a bundle would bring it a copy.
    """
    with open_directory(real_path, strict=True) as top:
        for entry in walk(top, real_path):
            if not entry.is_directory and not is_readable(entry.found, account):
                return f"{shown_path(entry.path)} cannot be read by the user {account.name}"
    return ""


def pack_tree(real_path: str, plugin_id: str, out: BinaryIO, account: Account) -> None:
    """Write a bundle of the files below a directory: the same files give the same bytes.

    :param plugin_id: name of the bundle's only top-level directory
    :param account: that of the server, which may get the bundle back
    :raises OSError: a file is not what the account can read, see :func:`unreadable`
    """
    with gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=out, mtime=0) as packed, tarfile.open(
        fileobj=packed, mode="w", format=tarfile.GNU_FORMAT, encoding="utf-8", errors="surrogateescape"
    ) as archive, open_directory(real_path, strict=True) as top:
        _add_directory(archive, plugin_id)
        for name, is_directory in _members(top, real_path):
            if is_directory:
                _add_directory(archive, f"{plugin_id}/{name}")
            else:
                _add_file(archive, f"{plugin_id}/{name}", os.path.join(real_path, name), account)


def _add_directory(archive: tarfile.TarFile, name: str) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.mode = tarfile.DIRTYPE, 0o755
    archive.addfile(member)


def _add_file(archive: tarfile.TarFile, name: str, real: str, account: Account) -> None:
    # Neither a link nor a fifo that was put there meanwhile is followed or waited for.
    with open_for(account, real) as source:
        found = os.fstat(source.fileno())
        member = tarfile.TarInfo(name)
        member.mode = 0o755 if found.st_mode & stat.S_IXUSR else 0o644
        member.size = found.st_size
        archive.addfile(member, source)


def _members(top: int, path: str) -> List[Tuple[str, bool]]:
    """Name inside the plugin of every directory and file, sorted, and whether it is a directory; the server's marker
    is left out."""
    found = [(entry.path, entry.is_directory) for entry in walk(top, path) if entry.path != MARKER]
    return sorted(found, key=lambda member: member[0].split("/"))
