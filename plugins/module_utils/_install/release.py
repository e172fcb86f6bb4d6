# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The release in an install directory: exchanged around what belongs to the deployment and must survive."""

from __future__ import annotations

import contextlib
import json
import os
import posixpath
import shlex
from dataclasses import asdict, dataclass, field
from typing import Any, Dict, List, Optional, Sequence

from .._core.difference import Tracker
from .._core.errors import OperatorError
from .._core.resource import Resource
from .._formats.json_reader import parse_json
from .._host.directories import make_directories, make_whole_directory
from .._host.mounts import mount_points
from .._host.reading import (
    OWN_RECORD_LIMIT,
    exists,
    is_directory,
    is_link,
    names_in,
    open_file,
    read_file,
    read_open,
    status,
)
from .._host.writing import copy_into, create_in_place_of, unlink, write_atomic
from .._node.node import Node
from .._node.territory import lies_in
from .release_exchange import Exchange
from .release_store import ReleaseStore, program_of

# What an installer that replaces the whole tree destroys.
KEPT = ("config", "data", "logs", "plugins", "client/plugins")
_SPLIT = "client"  # the one directory that is the release's and has something of the deployment in it
_OLD_RECORD = ".mattermost-release.json"  # where earlier versions kept the record: in what may be the service account's


@dataclass(frozen=True)
class ReleaseRecord:
    """What this collection has put into the install directory; kept where only root can write it.

    :param sha256: of the tarball
    :param complete: false while the release is exchanged, and after a run that was killed then
    :param entries: what of the directory is the release's, relative
    :param program: identity of the file that is the server's program; empty where it was not recorded
    """

    sha256: str = ""
    complete: bool = False
    entries: List[str] = field(default_factory=list)
    program: List[int] = field(default_factory=list)

    @classmethod
    def parse(cls, data: bytes) -> ReleaseRecord:
        """The record; one of an unknown release where the data is damaged, or names what cannot be a release's."""
        try:
            found = parse_json(data)
            sha256, complete, entries = found["sha256"], found["complete"], found["entries"]
            program = found.get("program", [])
            types = tuple(map(type, (sha256, complete, entries, program)))
            if types == (str, bool, list, list) and all(map(_is_entry, entries)):
                return cls(sha256, complete, entries, program)
        except (ValueError, TypeError, KeyError, AttributeError):
            pass
        return cls()

    def text(self) -> str:
        """As it is written to its file."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def seen_beside(self, program: List[int]) -> Optional[ReleaseRecord]:
        """What the record is worth where the server's program is that file now: it does not lie in the install
        directory, which somebody may have removed or replaced since.

        :param program: identity of the file; empty if the directory holds no server
        """
        if not self.complete or (program and self.program in ([], program)):
            return self
        return ReleaseRecord("", True, self.entries) if program else None


def _is_entry(value: Any) -> bool:
    """A name at the top or in `client`, and of nothing that is kept."""
    if not isinstance(value, str) or value in (*KEPT, _SPLIT) or not value.isprintable():
        return False
    name = value[len(_SPLIT) + 1 :] if value.startswith(_SPLIT + "/") else value
    return name not in ("", ".", "..") and "/" not in name


@dataclass(frozen=True)
class ReleaseFound:
    """What is there.

    :param stored: whether the store has the wanted release
    :param record: None where the directory has none
    :param misplaced: the record lies where an earlier version put it
    :param missing: kept directories that are not there
    """

    stored: bool
    record: Optional[ReleaseRecord]
    misplaced: bool
    missing: List[str]
    program: str


class Release(Resource[ReleaseFound]):
    """The wanted release is unpacked in the store, and is what the install directory holds.

    :param archive: tarball on this host; empty if the store has the release already
    :param store: directory on the host
    :param stage_only: leave the install directory alone
    """

    name = "release"

    def __init__(self, node: Node, archive: str, sha256: str, store: str, stage_only: bool) -> None:
        self._node = node
        self._archive = archive
        self._sha256 = sha256
        self._stage_only = stage_only
        self._store = ReleaseStore(node.root.real(store), node.root.prefix)
        directory = node.root.resolve(node.install_dir)  # a link may lead to another one tomorrow
        self._directory = node.root.real(directory)
        self._record_name = f"release{_in_a_name(directory)}.json"
        self._record = node.state_path(self._record_name)

    def observe(self) -> ReleaseFound:
        stored = self._store.has(self._sha256)
        recorded, program = self._read_record(), program_of(self._directory)
        record = recorded or self._old_record()
        found = ReleaseFound(
            stored,
            record and record.seen_beside(self._identity(program)),
            recorded is None and record is not None,
            [] if self._stage_only else [name for name in KEPT if not is_directory(self._path(name))],
            program,
        )
        if not stored:
            self._require_archive()
        if self._differs(found):
            self._require_place(found)
            if stored:
                self._store.refuse_changed(self._sha256)
        return found

    def _differs(self, found: ReleaseFound) -> bool:
        record = found.record
        return not self._stage_only and not (record and record.complete and record.sha256 == self._sha256)

    def _require_archive(self) -> None:
        if not self._archive:
            raise OperatorError(
                "the release is not in the store, and no archive is given",
                where=self._store.directory,
                wanted=f"sha256 {self._sha256}",
                remedy="give the tarball on this host as archive",
            )
        self._store.check(self._archive, self._sha256)

    def _require_place(self, found: ReleaseFound) -> None:
        """Refuse a directory where the release cannot be exchanged: a server runs there, it holds something else, a
        file system is mounted in it, or the account that owns what is kept does not exist."""
        if self._node.running:
            raise OperatorError(
                f"{self._node.service_name} runs, and its release cannot be exchanged beneath it",
                where=self._node.install_dir,
                remedy="stop the service first (ansible.builtin.systemd_service, state: stopped)",
            )
        foreign = names_in(self._directory) if is_directory(self._directory) else []
        if found.record is None and foreign and not found.program:
            raise OperatorError(
                "the install directory is not empty and holds no Mattermost",
                where=self._node.install_dir,
                found=", ".join(sorted(foreign)[:5]),
                remedy="set another install_dir, or move away what lies there",
            )
        self._refuse_mounts(
            [*(_entries(self._tree) if found.stored else []), *(found.record or ReleaseRecord()).entries]
        )
        self._node.account  # noqa: B018 - read for its error, before anything changes

    def compare(self, found: ReleaseFound) -> Tracker:
        differences = Tracker()
        if not found.stored:
            differences.add("release.store", None, self._sha256, f"unpack {self._archive}")
        if self._differs(found):
            action = f"exchange the release in {self._node.install_dir}; {', '.join(KEPT)} stay"
            differences.add("release.install_dir", self._installed(found), self._sha256, action)
        elif not self._stage_only:
            if found.misplaced:
                old = posixpath.join(self._node.install_dir, _OLD_RECORD)
                new = posixpath.join(self._node.state_dir, self._record_name)
                differences.add("release.record", old, new, "move it to where only root can write")
            for name in found.missing:
                differences.add(f"release.directories.{name}", None, "directory", "create it for the service user")
        return differences

    @staticmethod
    def _installed(found: ReleaseFound) -> Optional[str]:
        if found.record is None:
            return "unknown" if found.program else None
        return (found.record.sha256 or "unknown") if found.record.complete else "incomplete"

    def apply(self, found: ReleaseFound, differences: Tracker) -> None:
        if not found.stored:
            self._store.add(self._archive, self._sha256)
        if self._stage_only:
            return
        try:
            if self._differs(found):
                self._exchange(found.record or ReleaseRecord())
            self._make_kept()
            if self._differs(found):
                program = self._identity(program_of(self._directory))
                self._write_record(ReleaseRecord(self._sha256, True, _entries(self._tree), program))
            elif found.misplaced and found.record:
                self._write_record(found.record)
        except OSError as error:
            raise OperatorError(
                "the release cannot be put into the install directory",
                where=error.filename or self._node.install_dir,
                found=error.strerror or str(error),
                remedy="fix that and run again; the exchange continues where it stopped",
            ) from error

    @property
    def _client(self) -> str:
        """The directory `client`; a link of root's is followed, another's is an error that names its owner."""
        root, path = self._node.root, posixpath.join(self._node.install_dir, _SPLIT)
        return self._node.once("release client", lambda: root.real(root.resolve(path)))

    def _path(self, entry: str) -> str:
        """Where an entry of a release lies."""
        first, _separator, inner = entry.partition("/")
        return os.path.join(self._client, inner) if inner and first == _SPLIT else os.path.join(self._directory, entry)

    @property
    def _tree(self) -> str:
        return self._store.tree(self._sha256)

    def _exchange(self, old: ReleaseRecord) -> None:
        """Exchange entry by entry, with "incomplete" recorded meanwhile: what must survive is never touched."""
        wanted = _entries(self._tree)
        client = self._client
        self._refuse_mounts([*wanted, *old.entries])
        make_directories(client)
        self._write_record(ReleaseRecord(self._sha256, False, sorted({*wanted, *old.entries})))
        link = status(self._directory).st_uid == os.geteuid()
        parts = [
            (Exchange(self._tree, self._directory, link), _at_top(wanted), _at_top(old.entries)),
            (Exchange(os.path.join(self._tree, _SPLIT), client, link), _in_client(wanted), _in_client(old.entries)),
        ]
        for part, new, _old in parts:
            part.stage(new)
        for part, new, outdated in parts:
            part.exchange(new, outdated)
        for part, _new, _old in parts:
            part.clear()

    def _refuse_mounts(self, entries: Sequence[str]) -> None:
        """Refuse to exchange an entry on which, or in which, a file system is mounted; what lies on that must stay."""
        places = [self._path(entry) for entry in entries]
        for point in mount_points():
            place = next((place for place in places if lies_in(point, place)), "")
            if place:
                raise OperatorError(
                    "a file system is mounted where the release is exchanged, what lies on it would be removed too",
                    where=self._node.root.host(point),
                    found=f"a mount in {self._node.root.host(place)}, which is the release's",
                    remedy=f"umount {shlex.quote(point)} first, and mount it outside of what the release brings",
                )

    def _make_kept(self) -> None:
        """Create the kept directories that are missing, with the files of the release in them; what exists stays.

        So does a link: nothing is put where it leads, also if it replaces a directory meanwhile.
        """
        for name in KEPT:
            self._fill(os.path.join(self._tree, name), self._path(name))

    def _fill(self, source: str, target: str) -> None:
        account = self._node.account
        if is_link(target):
            return
        if not exists(target):
            make_whole_directory(target, 0o755, account.uid, account.gid, strict=True)
        for entry in names_in(source) if is_directory(source) else []:
            shipped, path = os.path.join(source, entry), os.path.join(target, entry)
            if is_directory(shipped):
                self._fill(shipped, path)
            elif not exists(path):
                with open_file(shipped) as content:
                    create_in_place_of(path, copy_into(content), 0o600, account.uid, account.gid, strict=True)

    def _read_record(self) -> Optional[ReleaseRecord]:
        try:
            return ReleaseRecord.parse(read_file(self._record, OWN_RECORD_LIMIT))
        except FileNotFoundError:
            return None

    def _old_record(self) -> Optional[ReleaseRecord]:
        """The record of an earlier version; one that root did not write is ignored."""
        path = os.path.join(self._directory, _OLD_RECORD)
        with contextlib.suppress(OSError), open_file(path, follow=False) as source:
            found = os.fstat(source.fileno())
            if (found.st_uid, found.st_nlink) == (os.geteuid(), 1):
                return ReleaseRecord.parse(read_open(source, OWN_RECORD_LIMIT, path))
        return None

    def _identity(self, program: str) -> List[int]:
        if not program:
            return []
        found = status(os.path.join(self._directory, program))
        return [found.st_ino, found.st_size, found.st_mtime_ns]

    def _write_record(self, record: ReleaseRecord) -> None:
        make_directories(os.path.dirname(self._record))
        write_atomic(self._record, record.text().encode())
        with contextlib.suppress(FileNotFoundError):
            unlink(os.path.join(self._directory, _OLD_RECORD))

    def facts(self, found: ReleaseFound) -> Dict[str, Any]:
        return {
            "sha256": (found.record.sha256 or None) if found.record and found.record.complete else None,
            "program": found.program or None,
            "store": self._store.directory,
        }


def _in_a_name(path: str) -> str:
    """A path as a part of a file's name; no two paths have the same."""
    return path.replace("%", "%25").replace("-", "%2D").replace("/", "-")


def _entries(tree: str) -> List[str]:
    """The entries of a release that are exchanged: everything at the top, and in `client`, that is not kept."""
    names = [name for name in names_in(tree) if name != _SPLIT]
    inner = os.path.join(tree, _SPLIT)
    if is_directory(inner):
        names += [f"{_SPLIT}/{name}" for name in names_in(inner)]
    return sorted(name for name in names if name not in KEPT)


def _at_top(entries: Sequence[str]) -> List[str]:
    return [entry for entry in entries if "/" not in entry]


def _in_client(entries: Sequence[str]) -> List[str]:
    return [entry[len(_SPLIT) + 1 :] for entry in entries if entry.startswith(f"{_SPLIT}/")]
