# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.
"""Release tarballs, unpacked once per host: `<store>/<sha256>/` holds what the tarball's `mattermost/` holds."""

from __future__ import annotations

import ctypes
import errno
import os
import re
from typing import Dict

from ._archive import Archive, Limits
from ._errors import OperatorError
from ._host.reading import file_system, is_directory, is_file, open_directory, open_file, sha256_of
from ._host.trees import remove_tree
from ._host.writing import create_new, fsync_directory, make_directories, make_directory, rename

# 5.0 renamed the server's program.
PROGRAMS = ("bin/mattermost", "bin/platform")
# Recent releases unpack to some 800 MB, with the web app in thousands of small files.
_LIMITS = Limits(files=200_000, unpacked_bytes=8 * 1024**3)
_SHA256 = re.compile("[0-9a-f]{64}")
_MIB = 1024 * 1024


class ReleaseStore:
    """The unpacked releases of one host. They are shared by hard links: nobody but root may write to them.

    :param directory: as this process sees it
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def tree(self, sha256: str) -> str:
        """Where a release lies, or would lie."""
        if not _SHA256.fullmatch(sha256):
            raise OperatorError(
                "sha256 is no SHA-256",
                found=repr(sha256),
                wanted="64 hex digits in lower case",
                remedy="take it from where the release is published, or from sha256sum",
            )
        return os.path.join(self.directory, sha256)

    def has(self, sha256: str) -> bool:
        """A tree gets its name when it is whole, so what is there is whole."""
        return is_directory(self.tree(sha256))

    def check(self, archive: str, sha256: str) -> None:
        """
        :raises OperatorError: there is no such file, or it is another one
        """
        try:
            found = sha256_of(archive)
        except OSError as error:
            raise OperatorError(
                "the release cannot be read",
                where=archive,
                found=error.strerror or str(error),
                remedy="name a tarball that lies on this host and can be read",
            ) from error
        if found != sha256:
            raise OperatorError(
                "the release is not the one wanted",
                where=archive,
                found=f"sha256 {found}",
                wanted=f"sha256 {sha256}",
                remedy="fetch it again; if it is the right one, correct the sha256",
            )

    def add(self, archive: str, sha256: str) -> None:
        """Unpack a checked tarball; what a killed run left of it is cleared first.

        :raises OperatorError: it is no release, or cannot be unpacked; then nothing of it is left
        """
        tree = self.tree(sha256)
        staging = os.path.join(self.directory, f".{sha256}.new")
        try:
            make_directories(self.directory)
            remove_tree(staging)
            try:
                top = _unpack(archive, staging)
                _sync_file_system(staging)
                rename(os.path.join(staging, top), tree)
                fsync_directory(self.directory)
            finally:
                remove_tree(staging)
        except OSError as error:
            raise OperatorError(
                "the release cannot be unpacked",
                where=self.directory,
                found=_shortage(error, self.directory),
                remedy="make room there, or name another directory, and run again; nothing of the release is left",
            ) from error


def program_of(tree: str) -> str:
    """The server's program in a release, relative; empty if this is none."""
    return next((program for program in PROGRAMS if is_file(os.path.join(tree, program))), "")


def _shortage(error: OSError, directory: str) -> str:
    text = error.strerror or str(error)
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return text
    room = file_system(directory)
    return f"{text}; {room.f_bavail * room.f_frsize // _MIB} MiB are free"


def _unpack(archive: str, staging: str) -> str:
    """Files get 0644 or 0755 and belong to this process's user, whatever the tarball says. Returns the top name."""
    make_directory(staging, 0o755)
    made: Dict[str, bool] = {}
    with open_file(archive) as source:
        for member, content in Archive(source, _LIMITS, archive).members():
            path = os.path.join(staging, member.path)
            make_directories(path if member.is_directory else os.path.dirname(path))
            made[member.path.split("/")[0]] = True
            if not member.is_directory:
                create_new(path, content, 0o755 if member.executable else 0o644)
    top = next(iter(made), "")
    if len(made) != 1 or not program_of(os.path.join(staging, top)):
        raise OperatorError(
            "this is no Mattermost release",
            where=archive,
            found=f"at the top {', '.join(sorted(made)[:5]) or 'nothing'}",
            wanted=f"one directory with {' or '.join(PROGRAMS)} in it",
            remedy="name the server's release tarball for Linux",
        )
    return top


def _sync_file_system(path: str) -> None:
    """All of a release at once: a call for each of thousands of files would take minutes on a slow disk."""
    with open_directory(path) as handle:
        ctypes.CDLL(None, use_errno=True).syncfs(handle)
