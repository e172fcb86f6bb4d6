# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The unpacked tree of a plugin: what is in it, how it differs, how it is replaced at once.

Paths inside a tree are texts with `/`; bytes that are no UTF-8 become lone surrogates and back in any locale.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
import time
from dataclasses import dataclass
from typing import Dict, List, Mapping, Optional

from .._core.errors import OperatorError
from .._core.text import shown_path
from .._formats.json_reader import parse_json
from .._host.directories import make_directories
from .._host.paths import Spot, at
from .._host.reading import OWN_RECORD_LIMIT, is_directory, lstat, open_at, open_directory, read_file, sha256_of_open
from .._host.trees import Entry, exchange, remove_tree, walk
from .._host.writing import fsync_directory, write_atomic

# Servers 5.14 to 10.x mark a plugin that they installed from their file store with this empty file at its top.
MARKER = ".filestore"

# More than any plugin unpacks to: at a digest's speed a few seconds.
LARGEST_TREE = 2 * 1024 * 1024 * 1024
# No such system call, or a file system that cannot do it (NFS, some overlays); EPERM: a seccomp filter.
# A file changed after it was read may bear the same times if both happened in one tick of the clock.
_TICK = 2_000_000_000


@dataclass(frozen=True)
class FileEntry:
    """One file of a tree.

    :param sha256: 64 hex digits; of what is no file, and thus never wanted, a word: ``link:<target>``, ``fifo`` …
    :param size: bytes
    :param executable: by its owner
    """

    sha256: str
    size: int
    executable: bool


@dataclass(frozen=True)
class Tree:
    """The files of a tree by path, without directories and the server's marker, and one digest of them all."""

    files: Dict[str, FileEntry]
    digest: str


def tree_digest(files: Mapping[str, FileEntry]) -> str:
    """One SHA-256 over every path, content and executable bit; the same for the same tree on every host."""
    digest = hashlib.sha256()
    for path in sorted(files):
        entry = files[path]
        line = "{} {} {}\0".format(entry.sha256, "x" if entry.executable else "-", path)
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


class DigestCache:
    """What files contained when they were last read, good while size, times and inode are the same.

    As git's index does it. Times cannot be set back unnoticed: the kernel alone sets ctime.

    :param path: the file that keeps it; a missing or damaged one is an empty cache
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._trees: Dict[str, Dict[str, List[object]]] = {}
        self._changed = False
        try:
            content = parse_json(read_file(path, OWN_RECORD_LIMIT))
            if content["format"] == 1:
                self._trees = {str(tree): dict(files) for tree, files in content["trees"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass

    def get(self, tree: str, path: str, found: os.stat_result) -> Optional[str]:
        """The SHA-256 of the file, None if it may have changed."""
        entry = self._trees.get(tree, {}).get(path)
        if isinstance(entry, list) and entry[:4] == _identity(found) and len(entry) == 5:
            return str(entry[4])
        return None

    def put(self, tree: str, path: str, found: os.stat_result, sha256: str, read_at: int) -> None:
        """Keep what was read; ``found`` and ``read_at`` (epoch, ns) are from before the first byte was read."""
        if found.st_ctime_ns > read_at - _TICK:
            return
        self._trees.setdefault(tree, {})[path] = [*_identity(found), sha256]
        self._changed = True

    def keep_only(self, tree: str, paths: Mapping[str, object]) -> None:
        """Forget the files of a tree that are gone."""
        known = self._trees.get(tree, {})
        gone = [path for path in known if path not in paths]
        for path in gone:
            del known[path]
        self._changed = self._changed or bool(gone)

    def save(self) -> None:
        """Write it if anything changed, without the trees that are gone.

        :raises OSError: it cannot be written; the old one is still there
        """
        present = {tree: files for tree, files in self._trees.items() if is_directory(tree)}
        if not self._changed and len(present) == len(self._trees):
            return
        make_directories(os.path.dirname(self._path))
        content = json.dumps({"format": 1, "trees": present}, separators=(",", ":"))
        write_atomic(self._path, content.encode("utf-8"), mode=0o600)
        self._trees, self._changed = present, False


def _identity(found: os.stat_result) -> List[object]:
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def read_tree(real_path: str, cache: Optional[DigestCache] = None) -> Tree:
    """The tree below a directory; with a cache, unchanged files are not read again.

    :raises FileNotFoundError: there is nothing
    :raises NotADirectoryError: it is no directory, or a link to one (which servers do not take for a plugin)
    :raises OperatorError: a part of it cannot be read
    """
    files: Dict[str, FileEntry] = {}
    if not stat.S_ISDIR(lstat(real_path).st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), real_path)
    left = LARGEST_TREE
    try:
        with open_directory(real_path, strict=True) as top:
            for entry in walk(top, real_path):
                with contextlib.suppress(FileNotFoundError):  # gone since it was listed
                    if not entry.is_directory and entry.path != MARKER:
                        files[entry.path] = _read_entry(real_path, entry, cache, left)
                        left -= files[entry.path].size
    except FileNotFoundError:
        raise
    except OSError as error:
        raise OperatorError(
            "this plugin's files cannot be read",
            where=shown_path(os.fsdecode(error.filename) if error.filename else real_path),
            found=error.strerror or str(error),
            remedy="run as root (become: true), or as the service's user",
        ) from error
    if cache is not None:
        cache.keep_only(real_path, files)
    return Tree(files, tree_digest(files))


def _read_entry(tree: str, entry: Entry, cache: Optional[DigestCache], left: int) -> FileEntry:
    """What one entry of a tree is.

    :param left: how many bytes are still read; what is larger counts as another file than any bundle's
    """
    found = entry.found
    if stat.S_ISLNK(found.st_mode):
        return FileEntry("link:" + os.readlink(entry.name, dir_fd=entry.directory), 0, False)
    if not stat.S_ISREG(found.st_mode):
        kinds = {stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}
        return FileEntry(kinds.get(stat.S_IFMT(found.st_mode), "no file"), 0, False)
    if found.st_size > left:
        return FileEntry("too large", 0, False)
    sha256 = cache.get(tree, entry.path, found) if cache is not None else None
    if sha256 is None:
        read_at = time.time_ns()
        sha256 = _sha256_of(tree, entry, found.st_size)
        if cache is not None:
            cache.put(tree, entry.path, found, sha256, read_at)
    return FileEntry(sha256, found.st_size, bool(found.st_mode & stat.S_IXUSR))


def _sha256_of(tree: str, entry: Entry, size: int) -> str:
    """The digest of a file that may be swapped or written to meanwhile: it is read up to the size that was seen."""
    try:
        with open_at(entry.directory, entry.name) as source:
            return sha256_of_open(source, size, entry.path)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EINVAL, errno.EISDIR, errno.EFBIG):  # swapped, or written to
            return "changing"
        error.filename = os.path.join(tree, entry.path)
        raise


def describe_changes(found: Mapping[str, FileEntry], wanted: Mapping[str, FileEntry], limit: int = 5) -> str:
    """What differs, by name: ``changed: a, b; missing: c; added: d; not executable: e``; "" if nothing does.

    :param limit: how many names of a kind are told; of the others the number
    """
    both = [path for path in sorted(wanted) if path in found]
    changed = [path for path in both if found[path].sha256 != wanted[path].sha256]
    same = [path for path in both if found[path].sha256 == wanted[path].sha256]
    kinds = (
        ("changed", changed),
        ("missing", [path for path in sorted(wanted) if path not in found]),
        ("added", [path for path in sorted(found) if path not in wanted]),
        ("not executable", [path for path in same if wanted[path].executable and not found[path].executable]),
        ("needlessly executable", [path for path in same if found[path].executable and not wanted[path].executable]),
    )
    return "; ".join(f"{kind}: {_listed(paths, limit)}" for kind, paths in kinds if paths)


def _listed(paths: List[str], limit: int) -> str:
    more = [f"and {len(paths) - limit} more"] if len(paths) > limit else []
    return ", ".join([shown_path(path) for path in paths[:limit]] + more)


def swap_in(staged: str, target: str, trash: str) -> None:
    """Put the tree ``staged`` in the place of ``target``, whole or not at all, and remove what was there.

    Where the kernel and the file system can exchange two names, ``target`` is never missing; elsewhere the old tree
    goes by the name ``trash`` first. All three are paths on one file system; ``staged`` and ``trash`` lie outside the
    plugin directory: servers take every directory in there for a plugin. What an earlier run left in ``trash`` goes.
    The paths have been resolved, and no link is followed.

    :raises OperatorError: nothing was changed, or the removal of the old tree is left to do; the message tells which
    """
    try:
        remove_tree(trash, strict=True)
        with at(staged, strict=True) as new, at(target, strict=True) as place:
            if place.found is None:
                _move(new, place)
            elif not exchange(new.parent, new.name, place.parent, place.name):
                _rename_twice(new, place, trash)
        for directory in sorted({os.path.dirname(path) for path in (staged, target, trash)}):
            fsync_directory(directory)
    except OSError as error:
        across = "; they must be on one file system" if error.errno == errno.EXDEV else ""
        raise OperatorError(
            "the new files of the plugin cannot be installed",
            where=target,
            found=f"{staged}: {error.strerror}",
            remedy=f"check that both directories exist and can be written{across}",
        ) from error
    for old in (staged, trash):  # after an exchange, after two renames
        try:
            remove_tree(old, strict=True)
        except OSError as error:
            raise OperatorError(
                "the plugin's new files are installed, but its old ones cannot be removed",
                where=old,
                found=f"{shown_path(os.fsdecode(error.filename))}: {error.strerror}",
                remedy="remove them by hand (an immutable flag? see lsattr)",
            ) from error


def _rename_twice(new: Spot, place: Spot, trash: str) -> None:
    with at(trash, strict=True) as old:
        _move(place, old)
        try:
            _move(new, place)
        except OSError:
            _move(old, place)
            raise


def _move(source: Spot, target: Spot) -> None:
    os.rename(source.name, target.name, src_dir_fd=source.parent, dst_dir_fd=target.parent)
