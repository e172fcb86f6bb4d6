# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What lies in a directory and must belong to the account that is to change, replace and remove it."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from typing import Dict, Iterator, List, Set, Tuple

from .._bundle.manifest import MANIFEST_NAMES
from .._host.account import Account
from .._host.attributes import flags_at
from .._host.reading import open_directory
from .._host.rights import grants
from .._host.trees import Entry, walk

_SHOWN = 3
_SEARCH_AND_CHANGE = 0o700
_READ = 0o400


@dataclass(frozen=True)
class Content:
    """What is not as the account needs it, as sorted paths below the directory.

    :param foreign: not owned by the account
    :param closed: owned, but a directory without rwx, or a file without r, for its owner
    :param flagged: those of them, and those plugin directories, that chattr(1) has closed to every change
    :param not_given: not owned by the account, and not given to it: their owner, or how they came there, is not known
    """

    foreign: Tuple[str, ...] = ()
    closed: Tuple[str, ...] = ()
    flagged: Tuple[str, ...] = ()
    not_given: Tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.foreign or self.closed)

    def describe(self, user: str) -> str:
        """E.g. ``3 entries not owned by mattermost: a, b, c``."""
        parts = []
        if self.foreign:
            parts.append(f"{_count(self.foreign)} not owned by {user}: {_some(self.foreign)}")
        if self.closed:
            parts.append(f"{_count(self.closed)} closed to the owner: {_some(self.closed)}")
        return "; ".join(parts)

    def describe_flagged(self) -> str:
        """E.g. ``2 entries with the immutable or append-only flag: a, b``."""
        return f"{_count(self.flagged)} with the immutable or append-only flag: {_some(self.flagged)}"

    def describe_not_given(self, user: str) -> str:
        """E.g. ``1 entry that is not given to mattermost: a``."""
        verb = "is" if len(self.not_given) == 1 else "are"
        return f"{_count(self.not_given)} that {verb} not given to {user}: {_some(self.not_given)}"


def scan_content(real: str, account: Account) -> Content:
    """Look at everything below ``real`` without following a link there.

    :raises OSError: ``real`` itself cannot be read, or holds more than any plugin directory
    """
    found: Dict[str, List[str]] = {"foreign": [], "closed": [], "flagged": [], "not_given": []}
    with open_directory(real) as top:
        for entry, verdict in _judged(top, account):
            if verdict:
                found[verdict].append(entry.path)
            plugin = entry.is_directory and "/" not in entry.path
            if (verdict in ("foreign", "closed") or plugin) and flags_at(entry.directory, entry.name):
                found["flagged"].append(entry.path)
    return Content(*(tuple(sorted(found[kind])) for kind in ("foreign", "closed", "flagged", "not_given")))


def fix_content(directory: int, account: Account) -> None:
    """Give what is foreign to the account, and the owner the rights it lacks; nothing else is changed.

    Each entry is opened, looked at and changed by that descriptor: whoever owns the directory cannot put another
    file in its place meanwhile.

    :param directory: descriptor of the directory, open for reading
    :raises OSError: an entry cannot be changed
    """
    for entry, verdict in _judged(directory, account):
        if verdict in ("foreign", "closed"):
            _fix(entry, account)


def _judged(top: int, account: Account) -> Iterator[Tuple[Entry, str]]:
    """Every entry with the field of :class:`Content` that it belongs to; empty for one that is as needed."""
    owners = {0, os.geteuid(), account.uid, os.fstat(top).st_uid}
    closed: Dict[str, bool] = {"": False}  # directory -> whether the account could not have put anything there
    sealed: List[str] = []  # no plugin, and closed to the account
    for entry in walk(top, closed=True):  # a closed one has been judged as such
        parent = entry.path.rpartition("/")[0]
        first = entry.path.partition("/")[0]
        if entry.is_directory:
            closed[entry.path] = not grants(entry.found, account, os.W_OK)
            if "/" not in entry.path and not grants(entry.found, account, os.R_OK) and not _is_plugin_or_empty(entry):
                sealed.append(first)
        yield entry, _verdict(entry, account, owners, closed.get(parent, False), first in sealed)


def _verdict(entry: Entry, account: Account, owners: Set[int], from_root: bool, sealed: bool) -> str:
    found = entry.found
    if found.st_uid == account.uid:
        return "closed" if _lacking(found) and _one_name(found) else ""
    if stat.S_ISLNK(found.st_mode):
        return ""  # nobody needs to own a link, and root follows only its own
    if sealed or not (entry.is_directory or (found.st_uid in owners and _one_name(found))):
        return "not_given"
    if stat.S_ISREG(found.st_mode) and not from_root and not grants(found, account, os.R_OK):
        return "not_given"  # root's secret may have been moved here
    return "foreign"


def _fix(entry: Entry, account: Account) -> None:
    # O_PATH needs no right to read the entry, and /proc names exactly the entry that was opened.
    try:
        handle = os.open(entry.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=entry.directory)
    except FileNotFoundError:
        return
    try:
        now = os.fstat(handle)
        if not os.path.samestat(now, entry.found) or now.st_nlink != entry.found.st_nlink:
            return  # replaced since it was judged: the next run judges it
        here = f"/proc/self/fd/{handle}"
        if now.st_uid != account.uid:
            os.chown(here, account.uid, account.gid)
        lacking = _lacking(now)
        if lacking:
            os.chmod(here, stat.S_IMODE(now.st_mode) | lacking)
    except OSError as error:
        error.filename = entry.path
        raise
    finally:
        os.close(handle)


def _one_name(found: os.stat_result) -> bool:
    """A file with a second name may be one of root's from elsewhere."""
    return stat.S_ISDIR(found.st_mode) or found.st_nlink == 1


def _is_plugin_or_empty(entry: Entry) -> bool:
    """Whether it holds a plugin, or the web part of one, or nothing."""
    try:
        handle = os.open(
            entry.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=entry.directory
        )
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES):
            return False
        raise
    try:
        names = os.listdir(handle)
        return not names or any(name in MANIFEST_NAMES or name.endswith("_bundle.js") for name in names)
    finally:
        os.close(handle)


def _lacking(found: os.stat_result) -> int:
    """The mode bits that the owner needs and does not have."""
    mode = found.st_mode
    needed = _SEARCH_AND_CHANGE if stat.S_ISDIR(mode) else _READ if stat.S_ISREG(mode) else 0
    return needed & ~mode


def _count(paths: Tuple[str, ...]) -> str:
    return "1 entry" if len(paths) == 1 else f"{len(paths)} entries"


def _some(paths: Tuple[str, ...]) -> str:
    shown = ", ".join(paths[:_SHOWN])
    return f"{shown} and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else shown
