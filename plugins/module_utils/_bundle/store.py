# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundles that a node has, each under its sha256: none is sent or read twice.

Beside ``<sha256>.tar.gz`` lies ``<sha256>.json``, what :func:`bundle.read_bundle` found in it, and
``<sha256>.sig``, its detached signature, if it came with one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from typing import TYPE_CHECKING, Any, BinaryIO, Callable, Dict, Iterator, List, Optional

from .._core.errors import OperatorError
from .._formats.json_reader import parse_json
from .._host.directories import make_directories, make_directory
from .._host.reading import OWN_RECORD_LIMIT, STREAM_LIMIT, is_file, names_in, open_file, read_file, status
from .._host.writing import create_atomic, fsync_directory, rename, unlink, write_atomic
from .manifest import Manifest
from .tree import FileEntry, tree_digest

if TYPE_CHECKING:
    from .bundle import Bundle

STORE = "bundles"  # the directory of bundles in the state directory of a node
_SUFFIX = ".tar.gz"
_SIGNATURE = ".sig"
_CHUNK = 1024 * 1024
_MOST_DELIVERED = 1000  # bundles at once
_FORMAT = 1  # of the index; another one is made again
_DIRECTORY_MODE = 0o750
_FILE_MODE = 0o640
# Fixed names: what a killed run has left is written over by the next.
_PACKING, _RECEIVING = "packing.tar.gz", "receiving.tar.gz"


class Store:
    """The directory of bundles of one node.

    :param directory: real path; made when the first bundle is added
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def path(self, sha256: str) -> str:
        """Where the bundle is, or would be.

        :raises OperatorError: this is no sha256
        """
        return os.path.join(self._directory, _checked(sha256) + _SUFFIX)

    def has(self, sha256: str) -> bool:
        return is_file(self.path(sha256))

    def list(self) -> List[str]:
        """The sha256 of every bundle, sorted."""
        try:
            names = names_in(self._directory)
        except FileNotFoundError:
            return []
        return sorted(name[: -len(_SUFFIX)] for name in names if re.fullmatch(r"[0-9a-f]{64}\.tar\.gz", name))

    def add(self, sha256: str, source: str) -> str:
        """Keep the bundle at the real path ``source``; returns its path in the store.

        :raises OperatorError: it is not the bundle that was wanted, or not a sound one; nothing was changed
        """
        target = self.path(sha256)
        bundle = _read(source)
        _compare(sha256, bundle.sha256, source)
        receiving = os.path.join(self._directory, _RECEIVING)
        try:
            self._make()
            create_atomic(receiving, lambda out: _copy(source, out, sha256), mode=_FILE_MODE)
            self._keep(receiving, bundle)
        except OSError as error:
            raise _cannot_store(target, error) from error
        return target

    def pack(self, plugin_id: str, tree: str, fill: Callable[[BinaryIO], None]) -> str:
        """Keep a bundle that ``fill`` writes; returns its sha256.

        :param tree: digest of the files that it must unpack to
        :raises OperatorError: it does not; nothing was changed
        """
        packing = os.path.join(self._directory, _PACKING)
        try:
            self._make()
            create_atomic(packing, fill, mode=_FILE_MODE)
            bundle = _read(packing)
            if (bundle.manifest.id, bundle.tree) != (plugin_id, tree):
                unlink(packing)
                raise OperatorError(
                    f"the files of {plugin_id} changed while they were packed",
                    found=f"tree {bundle.tree[:12]}",
                    wanted=f"tree {tree[:12]}",
                    remedy="stop what changes them, and run again",
                )
            self._keep(packing, bundle)
        except OSError as error:
            raise _cannot_store(packing, error) from error
        return bundle.sha256

    def _make(self) -> None:
        make_directories(os.path.dirname(self._directory))
        with contextlib.suppress(FileExistsError):
            make_directory(self._directory, _DIRECTORY_MODE)

    def signature_path(self, sha256: str) -> str:
        """Where the bundle's signature is, or would be."""
        return self.path(sha256)[: -len(_SUFFIX)] + _SIGNATURE

    def signature(self, sha256: str) -> bytes:
        """The detached signature that a bundle was delivered with; empty if there is none."""
        try:
            return read_file(self.signature_path(sha256), OWN_RECORD_LIMIT)
        except FileNotFoundError:
            return b""

    def keep_signature(self, sha256: str, signature: bytes) -> None:
        """Keep the detached signature of a bundle that is in the store."""
        if self.signature(sha256) != signature:
            write_atomic(self.signature_path(sha256), signature, mode=_FILE_MODE)

    def receive(self, delivery: str) -> None:
        """Keep every bundle of a delivery: a tar with members ``<sha256>.tar.gz``.

        :param delivery: real path of the file, which is gone afterwards
        :raises OperatorError: a bundle does not have the digest in its name, or is not a sound one
        """
        try:
            with open_file(delivery) as source:
                unlink(delivery)  # read on all the same; a run that is killed leaves nothing of it
                self._make()
                self._receive_all(source, delivery)
        except OSError as error:
            raise OperatorError(
                "the delivered bundles cannot be read",
                where=delivery,
                found=str(error),
                remedy="check free space, and run again",
            ) from error

    def _receive_all(self, source: BinaryIO, delivery: str) -> None:
        from .._formats.tar_reader import Archive, Limits

        limits = Limits(files=_MOST_DELIVERED, unpacked_bytes=_MOST_DELIVERED * STREAM_LIMIT)
        for member, content in Archive(source, limits, delivery, packed=False).members():
            sha256 = member.path[: -len(_SUFFIX)]
            self.path(sha256)
            if member.is_directory:
                raise OperatorError("a delivered bundle is no file", where=member.path)
            self._receive(sha256, content)

    def _receive(self, sha256: str, packed: Iterator[bytes]) -> None:
        receiving = os.path.join(self._directory, _RECEIVING)
        create_atomic(receiving, lambda out: out.writelines(packed), mode=_FILE_MODE)
        try:
            bundle = _read(receiving)
            _compare(sha256, bundle.sha256, f"{sha256}{_SUFFIX}")
        except OperatorError:
            unlink(receiving)
            raise
        self._keep(receiving, bundle)

    def _keep(self, temporary: str, bundle: Bundle) -> None:
        """Give a bundle in the store's directory the name that it goes by."""
        # The index first: a run that is killed in between stores the bundle again, and so leaves nothing behind.
        self._write_index(bundle)
        rename(temporary, self.path(bundle.sha256))
        fsync_directory(self._directory)

    def bundle(self, sha256: str) -> Optional[Bundle]:
        """What is in a bundle, from its index where there is one; None if it is not in the store.

        :raises OperatorError: its index is missing, and the bundle is damaged
        """
        if not self.has(sha256):
            return None
        indexed = self._read_index(sha256)
        if indexed is not None:
            return indexed
        found = _read(self.path(sha256))
        _compare(sha256, found.sha256, self.path(sha256))
        return found

    def files(self, sha256: str) -> Optional[Dict[str, FileEntry]]:
        """The files that a bundle unpacks to; None if it is not in the store."""
        bundle = self.bundle(sha256)
        return None if bundle is None else bundle.files

    def newest_first(self) -> List[Bundle]:
        """What is in every bundle, the one stored last first; damaged ones are left out."""
        stored = [(status(self.path(sha256)).st_mtime_ns, sha256) for sha256 in self.list()]
        found = []
        for _time, sha256 in sorted(stored, reverse=True):
            with contextlib.suppress(OperatorError):
                found.append(self.bundle(sha256))
        return [bundle for bundle in found if bundle is not None]

    def path_of(self, plugin_id: str, tree: str) -> str:
        """Of the newest bundle of a plugin that unpacks to these files; empty if there is none."""
        same = (bundle for bundle in self.newest_first() if (bundle.manifest.id, bundle.tree) == (plugin_id, tree))
        return next((self.path(bundle.sha256) for bundle in same), "")

    def left_behind(self) -> List[str]:
        """The sha256 of what a removal that was cut off has left: an index without its bundle."""
        try:
            names = names_in(self._directory)
        except FileNotFoundError:
            return []
        indexed = {name[: -len(".json")] for name in names if re.fullmatch(r"[0-9a-f]{64}\.json", name)}
        return sorted(indexed - set(self.list()))

    def remove(self, sha256: str) -> None:
        """Forget a bundle."""
        # The index last: what is cut off in between is known by it.
        for path in (self.path(sha256), self.signature_path(sha256), self._index_path(sha256)):
            with contextlib.suppress(FileNotFoundError):
                unlink(path)

    def _index_path(self, sha256: str) -> str:
        return self.path(sha256)[: -len(_SUFFIX)] + ".json"

    def _write_index(self, bundle: Bundle) -> None:
        content = {
            "format": _FORMAT,
            "size": bundle.size,
            "manifest": vars(bundle.manifest),
            "files": {path: [entry.sha256, entry.size, entry.executable] for path, entry in bundle.files.items()},
            "tree": bundle.tree,
            "unexecutable": bundle.unexecutable,
        }
        data = json.dumps(content, indent=1).encode("ascii")
        write_atomic(self._index_path(bundle.sha256), data, mode=_FILE_MODE)

    def _read_index(self, sha256: str) -> Optional[Bundle]:
        """None if it is missing, damaged, of another format, or not of this file."""
        try:
            bundle = _parsed(sha256, parse_json(read_file(self._index_path(sha256), OWN_RECORD_LIMIT)))
            size = status(self.path(sha256)).st_size
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return bundle if bundle.size == size and tree_digest(bundle.files) == bundle.tree else None


def _read(path: str) -> Bundle:
    """As :func:`bundle.read_bundle`, loaded where there is a bundle to read: a plan must be quick."""
    from . import bundle

    return bundle.read_bundle(path)


def _parsed(sha256: str, content: Dict[str, Any]) -> Bundle:
    from .bundle import Bundle

    if content["format"] != _FORMAT:
        raise ValueError("another format")
    manifest = content["manifest"]
    lists = {
        "executables": tuple(manifest["executables"]),
        "platforms": tuple((platform, path) for platform, path in manifest.get("platforms", ())),
    }
    return Bundle(
        sha256=sha256.lower(),
        size=content["size"],
        manifest=Manifest(**{**manifest, **lists}),
        files={path: FileEntry(*entry) for path, entry in content["files"].items()},
        tree=content["tree"],
        unexecutable=tuple(content["unexecutable"]),
    )


def _checked(sha256: str) -> str:
    """The digest in lower case. It becomes a file name, so it must be one."""
    if not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise OperatorError(
            "this is no sha256",
            found=repr(sha256[:100]),
            wanted="64 hexadecimal digits",
            remedy="correct it in the list of plugins or in the lock file",
        )
    return sha256.lower()


def _cannot_store(where: str, error: OSError) -> OperatorError:
    return OperatorError(
        "the bundle cannot be stored",
        where=where,
        found=error.strerror or str(error),
        remedy="check free space and write permission",
    )


def _compare(wanted: str, found: str, where: str) -> None:
    if found != wanted.lower():
        raise OperatorError(
            "the bundle is not the wanted one",
            where=where,
            found=f"sha256 {found}",
            wanted=f"sha256 {wanted.lower()}",
            remedy="fetch it again; if the publisher replaced it, write the new sha256 into the list of plugins",
        )


def _copy(source: str, out: BinaryIO, sha256: str) -> None:
    digest = hashlib.sha256()
    with open_file(source) as packed:
        for chunk in iter(lambda: packed.read(_CHUNK), b""):
            digest.update(chunk)
            out.write(chunk)
    _compare(sha256, digest.hexdigest(), source)
