# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that blocks an account at a directory although owner and mode are fixed."""

from __future__ import annotations

import os
import posixpath
import shlex
from typing import List, Sequence

from .._core.blocker import (
    ACL,
    APPEND_ONLY,
    HIDDEN,
    IMMUTABLE,
    NEEDS_ROOT,
    NOT_GIVEN,
    NOT_WRITABLE,
    PARENT_MISSING,
    PARENT_NOT_SEARCHABLE,
    Blocker,
)
from .._host.access import SEARCH, mode_grants
from .._host.account import Account
from .._host.accounts import owner_name
from .._host.attributes import flag_blockers, has_acl, label_blockers
from .._host.mounts import mount_blockers
from .._host.path_walk import PathWalk, Step
from .._host.reading import is_directory, may
from .._host.root import Root
from .._node.node import Node
from .._services.systemd_sandbox import sandbox_blockers
from .content import Content
from .plan import CREATE, MODE, Change, WantedDirectory, needs_root, octal


def find_blockers(
    node: Node,
    path_walk: PathWalk,
    searchable: Sequence[bool],
    content: Content,
    changes: Sequence[Change],
    wanted: WantedDirectory,
    executes: bool,
) -> List[Blocker]:
    """The blockers of a directory whose path can be walked to its end.

    :param searchable: for each step of the path, whether the account may search it
    :param changes: the plan, which may hold what cannot be carried out
    :param executes: programs are started from the directory
    """
    root = node.root
    blockers = _missing_parents(node, path_walk, wanted)
    blockers += _closed_parents(root, path_walk, searchable, wanted)
    there = path_walk.end if path_walk.last else posixpath.dirname(path_walk.missing[0])
    blockers += mount_blockers(root, there, executes)
    blockers += _flags(root, path_walk, there, changes)
    if content.flagged:
        remedy = f"chattr -R -i -a {shlex.quote(path_walk.end)}"
        blockers.append(Blocker(IMMUTABLE, path_walk.end, f"it holds {content.describe_flagged()}", remedy))
    if content.not_given:
        blockers.append(_not_given(path_walk.end, content, wanted.account))
    if path_walk.last:
        blockers += label_blockers(root, path_walk.end)
    blockers += sandbox_blockers(path_walk.end, node.service.sandbox, node.service.name, executes, root.resolve)
    if not any(blocker.fatal for blocker in blockers):
        blockers += _beyond_this_user(root, there, changes, wanted)
    return blockers


def unexplained(last: Step, wanted: WantedDirectory) -> Blocker:
    """The kernel refuses although nothing that was looked at explains it."""
    seen = f"{wanted.account.name} may not write in it although it owns it with mode {octal(last.mode)}"
    return _refused(last.path, seen)


def _not_given(path: str, content: Content, account: Account) -> Blocker:
    return Blocker(
        NOT_GIVEN,
        path,
        f"it holds {content.describe_not_given(account.name)}: files with a second name or of another owner, or closed "
        "to the server where it could have put them itself",
        f"look at whose they are; remove them, or give them to the server: chown -h {shlex.quote(account.owner)} PATH",
        fatal=False,
    )


def unlisted(path: str, wanted: WantedDirectory) -> Blocker:
    """What lies in the directory cannot be listed, so it can be neither judged nor changed."""
    evidence = f"user id {wanted.euid} may not list it"
    return Blocker(HIDDEN, path, evidence, f"run as root (become), or chmod u+r {shlex.quote(path)} as its owner")


def _missing_parents(node: Node, path_walk: PathWalk, wanted: WantedDirectory) -> List[Blocker]:
    if not is_directory(node.root.real(wanted.territory.install_dir)):
        return [
            Blocker(
                PARENT_MISSING,
                node.install_dir,
                "the install directory does not exist",
                "unpack a Mattermost release there, or correct install_dir",
            )
        ]
    if len(path_walk.missing) > 1 and not wanted.territory.is_ours(path_walk.missing[0]):
        return [
            Blocker(
                PARENT_MISSING,
                path_walk.missing[-2],
                f"it does not exist, and it lies outside the install directory {node.install_dir}",
                f"mkdir -p {shlex.quote(path_walk.missing[-2])}, or mount what belongs there, or correct the setting",
            )
        ]
    return []


def _closed_parents(
    root: Root, path_walk: PathWalk, searchable: Sequence[bool], wanted: WantedDirectory
) -> List[Blocker]:
    blockers = []
    user = wanted.account.name
    for step, is_open in zip(path_walk.steps, searchable):
        if is_open:
            continue
        if has_acl(root.real(step.path)):
            evidence, remedy = (
                f"its ACL keeps {user} from searching it",
                f"setfacl -m {shlex.quote(f'u:{user}:x')} {shlex.quote(step.path)}",
            )
            blockers.append(Blocker(ACL, step.path, evidence, remedy))
        elif mode_grants(step, wanted.account, SEARCH):
            blockers.append(_refused(step.path, f"{user} may not search it although mode {octal(step.mode)} allows it"))
        elif not wanted.territory.is_ours(step.path):
            owner = owner_name(step.uid, step.gid, root)
            who = "u" if step.uid == wanted.account.uid else "g" if step.gid in wanted.account.groups else "o"
            evidence = f"{user} may not search it (owner {owner}, mode {octal(step.mode)})"
            blockers.append(
                Blocker(PARENT_NOT_SEARCHABLE, step.path, evidence, f"chmod {who}+x {shlex.quote(step.path)}")
            )
    return blockers


def _flags(root: Root, path_walk: PathWalk, there: str, changes: Sequence[Change]) -> List[Blocker]:
    blockers = []
    for path in dict.fromkeys([there, *(change.path for change in changes if change.kind != CREATE)]):
        blockers += flag_blockers(root, path)
    if path_walk.missing:  # an append-only directory still takes a new entry
        blockers = [found for found in blockers if (found.kind, found.path) != (APPEND_ONLY, there)]
    return blockers


def _beyond_this_user(root: Root, there: str, changes: Sequence[Change], wanted: WantedDirectory) -> List[Blocker]:
    may_chown = wanted.euid == wanted.account.uid and wanted.account.gid in {os.getegid(), *os.getgroups()}
    opened_up = any(change.kind == MODE and change.path == there for change in changes)
    may_create = opened_up or may(root.real(there), os.W_OK | os.X_OK)
    refused = needs_root(changes, may_chown, may_create, wanted)
    if not refused:
        return []
    actions = "; ".join(change.action for change in refused)
    evidence = f"user id {wanted.euid} may not do this: {actions}"
    return [Blocker(NEEDS_ROOT, refused[0].path, evidence, "run as root (become)")]


def _refused(path: str, evidence: str) -> Blocker:
    return Blocker(NOT_WRITABLE, path, evidence, "look for a denial by a security module (ausearch -m avc, dmesg)")
