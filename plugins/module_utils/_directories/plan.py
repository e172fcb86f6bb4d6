# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must be changed so that an account can write in a directory, and who may change it. Pure."""

from __future__ import annotations

import posixpath
import shlex
from dataclasses import dataclass
from typing import Any, List, Optional, Sequence, Tuple

from .._host.access import SEARCH, mode_bits
from .._host.account import Account
from .._host.path_walk import PathWalk, Step
from .._node.territory import Territory
from .content import Content

CREATE, OWNER, MODE, CONTENT = "create", "owner", "mode", "content"


@dataclass(frozen=True)
class WantedDirectory:
    """What is wanted of a directory, and within which bounds.

    :param mode: of the directory, and of every parent that is made
    :param territory: where the server's directories may lie; parents there are ours to fix, others are not
    :param euid: the user that makes the changes
    """

    account: Account
    mode: int
    territory: Territory
    euid: int


@dataclass(frozen=True)
class Change:
    """One thing to change.

    :param name: of the difference
    :param path: host path without links that is changed
    :param found: None or what is there, as the difference shows it
    :param mode: the mode that the path gets, for CREATE and MODE
    :param uid: who owns what is changed, None for CREATE
    :param serves: the server cannot work without it, so one that runs must be restarted
    """

    kind: str
    name: str
    path: str
    found: Any
    wanted: Any
    action: str
    mode: int = 0
    uid: Optional[int] = None
    serves: bool = True


def octal(mode: int) -> str:
    """As chmod(1) takes it: ``0755``."""
    return format(mode, "04o")


def plan(
    path_walk: PathWalk, searchable: Sequence[bool], owner: str, content: Content, wanted: WantedDirectory
) -> Tuple[Change, ...]:
    """The changes in the order in which they are made; none where the path is blocked.

    :param searchable: for each step of the path, whether the account may search it
    :param owner: ``user:group`` of the directory, empty where it is missing
    """
    if path_walk.blocked:
        return ()
    changes = _parents(path_walk, searchable, wanted)
    changes += [_create(path, path_walk, wanted) for path in path_walk.missing]
    if path_walk.last:
        changes += _directory(path_walk, path_walk.last, owner, content, wanted)
    return tuple(changes)


def needs_root(changes: Sequence[Change], may_chown: bool, may_create: bool, wanted: WantedDirectory) -> List[Change]:
    """The changes that ``wanted.euid`` may not make.

    :param may_chown: it is the account itself and has the account's group
    :param may_create: it may create an entry in the first directory that holds a missing one, or makes itself able to
    """
    if wanted.euid == 0:
        return []
    refused = []
    for change in changes:
        if change.kind == CREATE:
            allowed = may_chown and may_create
        elif change.kind == MODE:
            allowed = change.uid == wanted.euid
        else:
            allowed = may_chown and change.uid == wanted.euid
        if not allowed:
            refused.append(change)
    return refused


def _parents(path_walk: PathWalk, searchable: Sequence[bool], wanted: WantedDirectory) -> List[Change]:
    changes = []
    maker = posixpath.dirname(path_walk.missing[0]) if path_walk.missing else None
    for step, open_to_account in zip(path_walk.steps, searchable):
        if not wanted.territory.is_ours(step.path):
            continue
        bits = 0 if open_to_account else mode_bits(step.uid, step.gid, wanted.account, SEARCH)
        # Root creates in any directory; another user first gives itself the right in its own.
        if step.path == maker and wanted.euid != 0 and step.uid == wanted.euid:
            bits |= 0o300
        if step.mode | bits != step.mode:
            changes.append(_mode(step, step.path, step.mode | bits, f", so that {_purpose(bits, wanted)}", serves=True))
    return changes


def _purpose(bits: int, wanted: WantedDirectory) -> str:
    if bits & 0o200:
        return "a directory can be created in it"
    return f"{wanted.account.name} can search it"


def _create(path: str, path_walk: PathWalk, wanted: WantedDirectory) -> Change:
    owner = wanted.account.owner
    return Change(
        CREATE,
        f"directories.{path_walk.path if path == path_walk.end else path}",
        path,
        None,
        "directory",
        f"create it, owner {owner}, mode {octal(wanted.mode)}",
        mode=wanted.mode,
    )


def _directory(path_walk: PathWalk, last: Step, owner: str, content: Content, wanted: WantedDirectory) -> List[Change]:
    name = f"directories.{path_walk.path}"
    wanted_owner = wanted.account.owner
    changes = []
    if (last.uid, last.gid) != (wanted.account.uid, wanted.account.gid):
        found, serves = owner, last.uid != wanted.account.uid
        if found == wanted_owner:  # two accounts of one name, as after a user was created again
            found = f"{last.uid}:{last.gid}"
            wanted_owner = f"{wanted.account.uid}:{wanted.account.gid}"
        changes.append(
            Change(
                OWNER,
                f"{name}.owner",
                path_walk.end,
                found,
                wanted_owner,
                f"chown {shlex.quote(wanted_owner)} {shlex.quote(path_walk.end)}",
                0,
                last.uid,
                serves,
            )
        )
    if last.mode != wanted.mode:
        serves = last.uid == wanted.account.uid and last.mode & 0o700 != 0o700
        changes.append(_mode(last, path_walk.path, wanted.mode, "", serves))
    if content:
        changes.append(_content(path_walk, content, wanted))
    return changes


def _mode(step: Step, shown: str, mode: int, why: str, serves: bool) -> Change:
    return Change(
        MODE,
        f"directories.{shown}.mode",
        step.path,
        octal(step.mode),
        octal(mode),
        f"chmod {octal(mode)} {shlex.quote(step.path)}{why}",
        mode,
        step.uid,
        serves,
    )


def _content(path_walk: PathWalk, content: Content, wanted: WantedDirectory) -> Change:
    parts = [f"owned by {wanted.account.owner}"] if content.foreign else []
    parts += ["open to the owner"] if content.closed else []
    return Change(
        CONTENT,
        f"directories.{path_walk.path}.content",
        path_walk.end,
        content.describe(wanted.account.name),
        ", ".join(parts),
        f"chown or chmod these entries of {shlex.quote(path_walk.end)}, no others",
        uid=None if content.foreign else wanted.account.uid,
    )
