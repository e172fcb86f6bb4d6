# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Release tarballs, unpacked once per host: `<store>/<sha256>/` holds what the tarball's `mattermost/` holds."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import shlex
import stat
from typing import Dict, NoReturn, Optional

from .._core.errors import OperatorError
from .._formats.tar_reader import Archive, Limits
from .._host.directories import make_directories, make_directory
from .._host.paths import resolve
from .._host.reading import file_system, is_directory, is_file, open_directory, open_file, sha256_of, status
from .._host.trees import remove_tree, walk
from .._host.writing import create_new, fsync_directory, rename

# 5.0 renamed the server's program.
PROGRAMS = ("bin/mattermost", "bin/platform")
# Recent releases unpack to some 800 MB, with the web app in thousands of small files.
_LIMITS = Limits(files=200_000, unpacked_bytes=8 * 1024**3)
_SHA256 = re.compile("[0-9a-f]{64}")
_MIB = 1024 * 1024


class ReleaseStore:
    """The unpacked releases of one host. They are shared by hard links: nobody but root may write to them.

    :param directory: as this process sees it
    :param top: directory that stands for ``/``
    """

    def __init__(self, directory: str, top: str = "/") -> None:
        self.directory = directory
        self._top = top

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
        """Whether the store has the release. A tree gets its name when it is complete.

        :raises OperatorError: others than root can put something there
        """
        tree = self.tree(sha256)
        self._refuse_reachable()
        return is_directory(tree)

    def refuse_changed(self, sha256: str) -> None:
        """Refuse to install a release that others can change: an older version linked its files into install
        directories that somebody may have given away since.

        :raises OperatorError: others can write a part of it
        """
        tree = self.tree(sha256)
        with open_directory(tree) as top:
            if _is_changeable_by_others(os.fstat(top)):
                self._refuse_tree(tree, tree)
            for entry in walk(top, tree):
                if _is_changeable_by_others(entry.found):
                    self._refuse_tree(tree, os.path.join(tree, entry.path))

    @staticmethod
    def _refuse_tree(tree: str, path: str) -> NoReturn:
        raise OperatorError(
            "others than root can write to a file of the unpacked release, so it may have been changed",
            where=path,
            found=_rights(status(path)),
            wanted="owned by root, writable by nobody else",
            remedy=f"unpack it again: rm -r {shlex.quote(tree)}, and run again with archive",
        )

    def _refuse_reachable(self) -> None:
        """Refuse a store in a directory that others can write to: they could put other files under a sha256, and root
        would install them.

        A directory with the sticky bit lets nobody rename what is root's in it.
        """
        top, path = resolve(self._top), resolve(self.directory)
        trusted = {0, os.geteuid(), status(top).st_uid}
        is_store = True
        while path != top:
            found = _status_of(path)
            if found:
                closed = not found.st_mode & 0o022 or (found.st_mode & stat.S_ISVTX and not is_store)
                if found.st_uid not in trusted or not closed:
                    self._refuse_place(path, found)
            path, is_store = os.path.dirname(path), False

    def _refuse_place(self, path: str, found: os.stat_result) -> NoReturn:
        raise OperatorError(
            "others than root can write where the store of releases lies",
            where=path,
            found=_rights(found),
            wanted="owned by root, writable by nobody else",
            remedy="set store to another directory, outside of the install directory, or make this one root's alone",
        )

    def check(self, archive: str, sha256: str) -> None:
        """Verify a tarball.

        :raises OperatorError: there is no such file, or its sha256 is another one
        """
        try:
            found = sha256_of(archive)
        except OSError as error:
            raise OperatorError(
                "the release cannot be read",
                where=archive,
                found=error.strerror or str(error),
                remedy="set archive to a tarball on this host that can be read",
            ) from error
        _compare(archive, found, sha256)

    def add(self, archive: str, sha256: str) -> None:
        """Unpack a checked tarball; what a killed run left of it is cleared first.

        :raises OperatorError: it is no release, or cannot be unpacked; nothing of it is left then
        """
        tree = self.tree(sha256)
        staging = os.path.join(self.directory, f".{sha256}.new")
        try:
            make_directories(self.directory)
            self._refuse_reachable()
            remove_tree(staging)
            try:
                top = _unpack(archive, staging, sha256)
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
                remedy="free space there, or set store to another directory, and run again; nothing of it is left",
            ) from error


def program_of(tree: str) -> str:
    """The server's program in a release, relative; empty if this is none."""
    return next((program for program in PROGRAMS if is_file(os.path.join(tree, program))), "")


def _compare(archive: str, found: str, wanted: str) -> None:
    if found != wanted:
        raise OperatorError(
            "the release is not the one wanted",
            where=archive,
            found=f"sha256 {found}",
            wanted=f"sha256 {wanted}",
            remedy="fetch it again; if it is the right one, correct the sha256",
        )


def _status_of(path: str) -> Optional[os.stat_result]:
    try:
        return status(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _is_changeable_by_others(found: os.stat_result) -> bool:
    return found.st_uid not in (0, os.geteuid()) or bool(found.st_mode & 0o022)


def _rights(found: os.stat_result) -> str:
    return f"uid {found.st_uid}, mode {stat.S_IMODE(found.st_mode):04o}"


def _shortage(error: OSError, directory: str) -> str:
    text = error.strerror or str(error)
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return text
    volume = file_system(directory)
    return f"{text}; {volume.f_bavail * volume.f_frsize // _MIB} MiB are free"


def _unpack(archive: str, staging: str, sha256: str) -> str:
    """Files get 0644 or 0755 and belong to this process's user, regardless of the tarball. Returns the top name.

    The sha256 is that of the bytes unpacked: the tarball may have been changed since it was checked.
    """
    make_directory(staging, 0o755)
    made: Dict[str, bool] = {}
    with open_file(archive) as source:
        packed = Archive(source, _LIMITS, archive)
        for member, content in packed.members():
            path = os.path.join(staging, member.path)
            make_directories(path if member.is_directory else os.path.dirname(path))
            made[member.path.split("/")[0]] = True
            if not member.is_directory:
                create_new(path, content, 0o755 if member.executable else 0o644)
    _compare(archive, packed.sha256, sha256)
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
