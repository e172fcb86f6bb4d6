# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.
"""The release in an install directory: exchanged around what belongs to the deployment and must survive."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional

from ._difference import Tracker
from ._ensure import Concern
from ._errors import OperatorError
from ._host.reading import (
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
from ._host.trees import remove_tree
from ._host.writing import (
    copy_file,
    copy_into,
    create_in_place_of,
    link_or_copy,
    make_directories,
    make_directory,
    make_whole_directory,
    rename,
    unlink,
    write_atomic,
)
from ._json_reader import parse_json
from ._node import Node
from ._release_store import ReleaseStore, program_of

# What an installer that replaces the whole tree destroys.
KEPT = ("config", "data", "logs", "plugins", "client/plugins")
_SPLIT = "client"  # the one directory that is the release's and has something of the deployment in it
_OLD_MARKER = ".mattermost-release.json"  # where the record lay once: in what may be the service account's
# Not .plugops-…: what has such a name is swept away as the remains of a killed run.
_STAGING = ".mattermost-release.new"
_TRASH = ".mattermost-release.old"


@dataclass(frozen=True)
class Marker:
    """What this collection has put into the install directory; kept where only root can write it.

    :param sha256: of the tarball
    :param complete: false while the release is exchanged, and after a run that was killed then
    :param entries: what of the directory is the release's, relative
    """

    sha256: str = ""
    complete: bool = False
    entries: List[str] = field(default_factory=list)

    @classmethod
    def parse(cls, data: bytes) -> Marker:
        """An unknown release where it is damaged, or names what cannot be a release's."""
        try:
            found = parse_json(data)
            sha256, complete, entries = found["sha256"], found["complete"], found["entries"]
            if isinstance(sha256, str) and isinstance(complete, bool) and all(map(_is_entry, entries)):
                return cls(sha256, complete, list(entries))
        except (ValueError, TypeError, KeyError):
            pass
        return cls()


def _is_entry(value: Any) -> bool:
    """A name at the top or in `client`, and of nothing that is kept."""
    if not isinstance(value, str) or value in (*KEPT, _SPLIT) or not value.isprintable():
        return False
    name = value[len(_SPLIT) + 1 :] if value.startswith(_SPLIT + "/") else value
    return name not in ("", ".", "..") and "/" not in name


@dataclass(frozen=True)
class ReleaseFound:
    """
    :param stored: whether the store has the wanted release
    :param marker: None where the directory has none
    :param missing: kept directories that are not there
    """

    stored: bool
    marker: Optional[Marker]
    missing: List[str]
    program: str


class Release(Concern[ReleaseFound]):
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
        self._store = ReleaseStore(node.root.real(store))
        self._directory = node.root.real(node.root.resolve(node.install_dir))
        self._record = node.state_path(f"release{node.install_dir.replace('/', '-')}.json")

    def observe(self) -> ReleaseFound:
        stored = self._store.has(self._sha256)
        marker = self._read_marker()
        found = ReleaseFound(
            stored,
            marker,
            [name for name in KEPT if not is_directory(os.path.join(self._directory, name))],
            program_of(self._directory),
        )
        if not stored:
            self._require_archive()
        if self._differs(found):
            self._require_place(found)
        return found

    def _differs(self, found: ReleaseFound) -> bool:
        marker = found.marker
        return not self._stage_only and not (marker and marker.complete and marker.sha256 == self._sha256)

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
        """Nothing runs there, it is either new or a Mattermost, and somebody can own what is kept."""
        if self._node.running:
            raise OperatorError(
                f"{self._node.service_name} runs, and its release cannot be exchanged beneath it",
                where=self._node.install_dir,
                remedy="stop the service first (ansible.builtin.systemd_service, state: stopped)",
            )
        foreign = names_in(self._directory) if is_directory(self._directory) else []
        if found.marker is None and foreign and not found.program:
            raise OperatorError(
                "the install directory is not empty and holds no Mattermost",
                where=self._node.install_dir,
                found=", ".join(sorted(foreign)[:5]),
                remedy="name another install_dir, or move away what lies there",
            )
        self._node.account  # noqa: B018 - asked for before anything changes

    def compare(self, found: ReleaseFound) -> Tracker:
        differences = Tracker()
        if not found.stored:
            differences.add("release.store", None, self._sha256, f"unpack {self._archive}")
        if self._differs(found):
            action = f"exchange the release in {self._node.install_dir}; {', '.join(KEPT)} stay"
            differences.add("release.install_dir", self._said(found), self._sha256, action)
        elif not self._stage_only:
            for name in found.missing:
                differences.add(f"release.directories.{name}", None, "directory", "make it for the service user")
        return differences

    @staticmethod
    def _said(found: ReleaseFound) -> Optional[str]:
        if found.marker is None:
            return "unknown" if found.program else None
        return found.marker.sha256 if found.marker.complete else "incomplete"

    def apply(self, found: ReleaseFound, differences: Tracker) -> None:
        if not found.stored:
            self._store.add(self._archive, self._sha256)
        if self._stage_only:
            return
        try:
            if self._differs(found):
                self._exchange(found.marker or Marker())
            self._make_kept()
            if self._differs(found):
                self._write_marker(Marker(self._sha256, True, _entries(self._tree)))
        except OSError as error:
            raise OperatorError(
                "the release cannot be put into the install directory",
                where=error.filename or self._node.install_dir,
                found=error.strerror or str(error),
                remedy="fix that and run again; it goes on where it stopped",
            ) from error

    @property
    def _tree(self) -> str:
        return self._store.tree(self._sha256)

    def _exchange(self, old: Marker) -> None:
        """Entry by entry, the record saying "incomplete" meanwhile: what must survive is never touched at all."""
        wanted = _entries(self._tree)
        entries = sorted({*wanted, *old.entries})
        make_directories(os.path.join(self._directory, _SPLIT))
        self._write_marker(Marker(self._sha256, False, entries))
        staging, trash = (os.path.join(self._directory, name) for name in (_STAGING, _TRASH))
        for place in (staging, trash):
            remove_tree(place)
            make_directory(place, 0o700)
            make_directory(os.path.join(place, _SPLIT), 0o755)
        place_file = self._way_to_place()
        for entry in wanted:
            _place(os.path.join(self._tree, entry), os.path.join(staging, entry), place_file)
        for entry in entries:
            target = os.path.join(self._directory, entry)
            if exists(target):
                rename(target, os.path.join(trash, entry))
            if entry in wanted:
                rename(os.path.join(staging, entry), target)
        for place in (staging, trash):
            remove_tree(place)

    def _way_to_place(self) -> Callable[[str, str], None]:
        """A hard link takes no space. It would give the store away where somebody gives the whole install directory to
        the service account, as Mattermost's own instructions say, so that one gets copies."""
        return link_or_copy if status(self._directory).st_uid == os.geteuid() else copy_file

    def _make_kept(self) -> None:
        """What is missing of them, with what the release ships in them; what is there wins.

        So does a link: nothing is put where it leads.
        """
        for name in KEPT:
            self._fill(os.path.join(self._tree, name), os.path.join(self._directory, name))

    def _fill(self, source: str, target: str) -> None:
        account = self._node.account
        if is_link(target):
            return
        if not exists(target):
            make_whole_directory(target, 0o755, account.uid, account.gid)
        for entry in names_in(source) if is_directory(source) else []:
            shipped, path = os.path.join(source, entry), os.path.join(target, entry)
            if is_directory(shipped):
                self._fill(shipped, path)
            elif not exists(path):
                with open_file(shipped) as content:
                    create_in_place_of(path, copy_into(content), 0o600, account.uid, account.gid)

    def _read_marker(self) -> Optional[Marker]:
        try:
            return Marker.parse(read_file(self._record, OWN_RECORD_LIMIT))
        except FileNotFoundError:
            return self._old_marker()

    def _old_marker(self) -> Optional[Marker]:
        """The record of an earlier version; one that root did not write says nothing."""
        path = os.path.join(self._directory, _OLD_MARKER)
        with contextlib.suppress(OSError), open_file(path, follow=False) as source:
            found = os.fstat(source.fileno())
            if (found.st_uid, found.st_nlink) == (os.geteuid(), 1):
                return Marker.parse(read_open(source, OWN_RECORD_LIMIT, path))
        return None

    def _write_marker(self, marker: Marker) -> None:
        text = json.dumps({"sha256": marker.sha256, "complete": marker.complete, "entries": marker.entries}, indent=2)
        make_directories(os.path.dirname(self._record))
        write_atomic(self._record, f"{text}\n".encode())
        with contextlib.suppress(FileNotFoundError):
            unlink(os.path.join(self._directory, _OLD_MARKER))

    def facts(self, found: ReleaseFound) -> Dict[str, Any]:
        return {
            "sha256": found.marker.sha256 if found.marker and found.marker.complete else None,
            "program": found.program or None,
            "store": self._store.directory,
        }


def _entries(tree: str) -> List[str]:
    """What of a release is exchanged: everything at the top, and in `client`, that is not kept."""
    names = [name for name in names_in(tree) if name != _SPLIT]
    inner = os.path.join(tree, _SPLIT)
    if is_directory(inner):
        names += [f"{_SPLIT}/{name}" for name in names_in(inner)]
    return sorted(name for name in names if name not in KEPT)


def _place(source: str, target: str, place_file: Callable[[str, str], None]) -> None:
    """A tree of the store, file by file."""
    if not is_directory(source):
        place_file(source, target)
        return
    make_directory(target, 0o755)
    for name in names_in(source):
        _place(os.path.join(source, name), os.path.join(target, name), place_file)
