# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin's bundle: what is in it, and how it is unpacked.

A bundle is a tar.gz with the plugin either at its root or in exactly one top-level directory; the manifest lies at the
top of the plugin. What a server of any version would refuse, or unpack into something else, is refused here
before anything is written.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass, replace
from typing import BinaryIO, Dict, Iterable, Iterator, List, Optional, Set, Tuple

from .._core.errors import OperatorError
from .._core.text import shown_path
from .._formats.tar_reader import Archive, Limits, Member
from .._host.directories import make_directory
from .._host.reading import open_directory, open_file
from .._host.trees import remove_tree
from .manifest import MANIFEST_NAMES, Manifest, parse_manifest
from .tree import MARKER, FileEntry, tree_digest

_SHOWN_NAMES = 5


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read to its end and found sound.

    :param sha256: of the packed file
    :param size: of the packed file, bytes
    :param files: by path below the plugin's directory, as :func:`unpack_bundle` leaves them: executable are those
        so marked in the archive or named in the manifest
    :param tree: digest of ``files``, to be compared with that of an unpacked tree
    :param unexecutable: binaries that the manifest names and the archive forgot to make executable. A server that
        unpacks the bundle itself does not fix that: they cannot be started then
    """

    sha256: str
    size: int
    manifest: Manifest
    files: Dict[str, FileEntry]
    tree: str
    unexecutable: Tuple[str, ...]


def read_bundle(path: str, limits: Limits = Limits()) -> Bundle:  # noqa: B008 - it is immutable
    """Read a bundle to its end, in one pass, without unpacking it to disk.

    :param path: real path
    :raises OperatorError: it is not a sound bundle
    """
    with opened_bundle(path) as source:
        return _inspect(source, path, limits)[0]


def unpack_bundle(
    path: str,
    destination: str,
    *,
    uid: int,
    gid: int,
    dir_mode: int = 0o755,
    limits: Limits = Limits(),  # noqa: B008
) -> Bundle:
    """Unpack the plugin, without a top-level directory of the archive, to the new directory ``destination``.

    Files get 0644 or 0755, directories ``dir_mode``, all of them ``uid`` and ``gid``, regardless of the umask and the
    archive. Until all is written nobody but this process's user can look inside. Left out is the marker with which
    servers 5.14 to 10.x call a plugin their own: they delete such a plugin when they start next.

    :raises OperatorError: it is not a sound bundle, or it cannot be written; then ``destination`` does not exist
    """
    with opened_bundle(path) as source:
        bundle, top = _inspect(source, path, limits)
        source.seek(0)
        try:
            make_directory(destination, 0o700, strict=True)
            try:
                writer = _Writer(destination, uid, gid, dir_mode)
                try:
                    written = writer.write(Archive(source, limits, path), top, set(bundle.manifest.executables))
                finally:
                    writer.close()
                if written != bundle.files:
                    raise OperatorError("the bundle was changed while it was read", where=path, remedy="run again")
            except BaseException:
                remove_tree(destination, strict=True)
                raise
        except OSError as error:
            raise OperatorError(
                "the bundle cannot be unpacked",
                where=destination,
                found=error.strerror or str(error),
                wanted="a new directory",
                remedy="check free space, write permission and the permission to change owners",
            ) from error
    return bundle


def opened_bundle(path: str) -> BinaryIO:
    """A bundle to be read from its start.

    :raises OperatorError: it cannot be opened, or is no file
    """
    try:
        return open_file(path)
    except OSError as error:
        raise OperatorError(
            "the bundle cannot be read",
            where=path,
            found=error.strerror or str(error),
            remedy="check the path, and run as a user who may read it",
        ) from error


def _inspect(source: BinaryIO, where: str, limits: Limits) -> Tuple[Bundle, str]:
    """The bundle, and the top-level directory that the plugin lies in ("" or "name/")."""
    archive = Archive(source, limits, where)
    layout = _Layout(where, limits)
    entries: Dict[str, FileEntry] = {}
    for member, content in archive.members():
        layout.see(member)
        if member.is_directory:
            continue
        digest = hashlib.sha256()
        for data in layout.kept(member, content):
            digest.update(data)
        entries[member.path] = FileEntry(digest.hexdigest(), member.size, member.executable)
    manifest = layout.manifest()
    plugin = {path[len(layout.top) :]: entry for path, entry in entries.items()}
    plugin.pop(MARKER, None)
    unexecutable = tuple(p for p in manifest.executables if p in plugin and not plugin[p].executable)
    for path in unexecutable:
        plugin[path] = replace(plugin[path], executable=True)
    size = os.fstat(source.fileno()).st_size
    return Bundle(archive.sha256, size, manifest, plugin, tree_digest(plugin), unexecutable), layout.top


class _Layout:
    """Finds the plugin in the archive as servers do: in its only top-level directory if it has but one entry that is
    a directory, else at its root."""

    def __init__(self, where: str, limits: Limits) -> None:
        self._where = where
        self._limits = limits
        self._roots: Dict[str, bool] = {}  # top-level names: is it a directory?
        self._manifests: Dict[str, bytes] = {}
        self._nested = ""  # a manifest one directory down

    @property
    def top(self) -> str:
        only = next(iter(self._roots), "")
        return only + "/" if len(self._roots) == 1 and self._roots[only] else ""

    def see(self, member: Member) -> None:
        root, slash, rest = member.path.partition("/")
        self._roots[root] = bool(slash) or member.is_directory
        if rest in MANIFEST_NAMES:
            self._nested = member.path

    def kept(self, member: Member, content: Iterator[bytes]) -> Iterator[bytes]:
        """The content, kept if this may be the manifest: at the root, or in what may still be the only directory."""
        directory, _slash, name = member.path.rpartition("/")
        if name not in MANIFEST_NAMES or directory not in ("", self.top[:-1]):
            yield from content
            return
        if member.size > self._limits.manifest_bytes:
            raise OperatorError(
                "the manifest is too large",
                where=f"{self._where}: {shown_path(member.path)}",
                found=f"{member.size} bytes",
                wanted=f"at most {self._limits.manifest_bytes} bytes",
                remedy="ask the plugin's author for a sound bundle",
            )
        pieces: List[bytes] = []
        for data in content:
            pieces.append(data)
            yield data
        self._manifests[member.path] = b"".join(pieces)

    def manifest(self) -> Manifest:
        for name in MANIFEST_NAMES:
            data = self._manifests.get(self.top + name)
            if data is not None:
                return self._parsed(name, data)
        raise self._no_manifest()

    def _parsed(self, name: str, data: bytes) -> Manifest:
        try:
            return parse_manifest(name, data)
        except OperatorError as error:
            where = f"{self._where}: {shown_path(self.top + name)}"
            raise OperatorError(
                error.problem, where=where, found=error.found, wanted=error.wanted, remedy=error.remedy
            ) from error

    def _no_manifest(self) -> OperatorError:
        remedy = ""
        if self._nested:
            own = self._nested.partition("/")[0]
            remedy = (
                f"{shown_path(self._nested)} counts only where {shown_path(own)}/ is alone: pack the bundle again"
                f" without {_listed(name for name in self._roots if name != own)}"
                " (on macOS set COPYFILE_DISABLE=1 to keep out ._ files)"
            )
        return OperatorError(
            "there is no manifest where servers look for it",
            where=self._where,
            found=_listed(self._roots) or "an empty archive",
            wanted=f"{' or '.join(MANIFEST_NAMES)}, at the top or in the only top-level directory",
            remedy=remedy,
        )


def _listed(names: Iterable[str]) -> str:
    every = sorted(names)
    more = [f"and {len(every) - _SHOWN_NAMES} more"] if len(every) > _SHOWN_NAMES else []
    return ", ".join([shown_path(name) for name in every[:_SHOWN_NAMES]] + more)


class _Writer:
    """Writes members below a directory that it holds open, so that nobody can put a link into the path."""

    def __init__(self, destination: str, uid: int, gid: int, dir_mode: int) -> None:
        self._open = contextlib.ExitStack()
        self._top = self._open.enter_context(open_directory(destination, strict=True))
        self._uid = uid
        self._gid = gid
        self._dir_mode = dir_mode
        self._directories = [b"."]  # parents first

    def close(self) -> None:
        self._open.close()

    def write(self, archive: Archive, top: str, executables: Set[str]) -> Dict[str, FileEntry]:
        """What was written.

        :param top: the top-level directory to leave out, with its slash
        """
        written: Dict[str, FileEntry] = {}
        known = {""}
        for member, content in archive.members():
            path = member.path[len(top) :]
            if not path or (path == MARKER and not member.is_directory):
                continue
            self._make_directories(path if member.is_directory else path.rpartition("/")[0], known)
            if not member.is_directory:
                executable = member.executable or path in executables
                written[path] = self._write_file(path, content, executable)
        # Files first, the top last: until then it is closed to others. Done after all is written, syncing a
        # thousand files costs a third of syncing each at once.
        for path in written:
            self._sync(_on_disk(path), None)
        for directory in reversed(self._directories):
            self._sync(directory, self._dir_mode)
        return written

    def _make_directories(self, path: str, known: Set[str]) -> None:
        missing: List[str] = []
        while path not in known:
            missing.append(path)
            known.add(path)
            path = path.rpartition("/")[0]
        for directory in reversed(missing):
            os.mkdir(_on_disk(directory), 0o700, dir_fd=self._top)
            self._directories.append(_on_disk(directory))

    def _write_file(self, path: str, content: Iterator[bytes], executable: bool) -> FileEntry:
        digest = hashlib.sha256()
        size = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(_on_disk(path), flags, 0o600, dir_fd=self._top), "wb") as out:
            for data in content:
                digest.update(data)
                size += len(data)
                out.write(data)
            out.flush()
            self._give_away(out.fileno(), 0o755 if executable else 0o644)
        return FileEntry(digest.hexdigest(), size, executable)

    def _sync(self, name: bytes, mode: Optional[int]) -> None:
        """Make it last; with a mode, it is a directory that is given away first."""
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._top)
        try:
            if mode is not None:
                self._give_away(handle, mode)
            os.fsync(handle)
        finally:
            os.close(handle)

    def _give_away(self, handle: int, mode: int) -> None:
        os.fchown(handle, self._uid, self._gid)
        os.fchmod(handle, mode)


def _on_disk(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
