# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Audit of the directories that a server needs: may it write, search and execute there, and is there space."""

from __future__ import annotations

import os
import re
from typing import Dict, List, Optional, Sequence, Tuple

from .._core.blocker import HIDDEN, MOUNT_NOEXEC, MOUNT_READ_ONLY, NEEDS_ROOT, PARENT_MISSING, Blocker
from .._directories.directories import FoundDirectory
from .._directories.plan import CONTENT, CREATE, MODE, OWNER, Change, octal
from .._host.access import ALL, ask
from .._host.accounts import can_switch
from .._host.mounts import mount_blockers, mount_of, parse_mountinfo
from .._host.path_walk import walk
from .._host.paths import resolve
from .._host.reading import MOUNTINFO, exists, file_system, read_text, status
from .._services.systemd_sandbox import sandbox_blockers
from .context import AuditContext
from .findings import Findings

# As much as a bundle of the usual size needs unpacked; a larger wanted or installed plugin needs more.
_LEAST_FREE = 32 * 1024 * 1024
_LEAST_INODES = 256
_UNPACKED = 4  # times the size of the packed bundle
_MOUNT = re.compile(r"\bit lies on (\S+)")


def look_at_directories(context: AuditContext) -> None:
    """The two plugin directories."""
    if context.findings.has(["directories-identical"]):
        return
    for directory in context.directories.directories:
        for blocker in directory.blockers:
            _add_blocker(context, blocker)
        for change in directory.changes:
            _add_change(context, directory, change)


def look_at_filestore(context: AuditContext) -> None:
    """The server's file store, where it is a directory of this host."""
    path = context.filestore
    if path is None:
        return
    node, account = context.node, context.node.account
    path_walk = walk(node.root, path)
    if path_walk.last is None:
        return  # the server makes it, or the directories' own findings explain why it cannot
    blockers = mount_blockers(node.root, path_walk.end, must_execute=False)
    blockers += sandbox_blockers(path_walk.end, node.service.sandbox, node.service.name, False, node.root.resolve)
    for blocker in blockers:
        _add_blocker(context, blocker)
    if not blockers and can_switch(account) and not ask(account, node.root, [(path_walk.last, ALL)])[0]:
        mode = octal(path_walk.last.mode)
        evidence = f"{path_walk.end} (FileSettings.Directory): {account.name} may not write in it, mode {mode}"
        _add(context.findings, "directory-not-writable", path_walk.end, evidence, context, fixed_by_site=False)


def look_at_space(context: AuditContext) -> None:
    """Every file system that an installation needs space on."""
    places = {directory.path_walk.path: directory.setting for directory in context.directories.directories}
    places[temporary_directory(context)] = "temporary directory"
    if context.filestore:
        places[context.filestore] = "FileSettings.Directory"
    needed = max([_LEAST_FREE, *(plugin.size * _UNPACKED for plugin in context.wanted)])
    by_device: Dict[int, Tuple[str, List[str]]] = {}
    for path, use in places.items():
        real = _existing(context.real(path))
        device = status(real).st_dev
        by_device.setdefault(device, (real, []))[1].append(f"{path} ({use})")
    for real, uses in by_device.values():
        _look_at_file_system(context, real, uses, needed)


def temporary_directory(context: AuditContext) -> str:
    """Where the server unpacks bundles and plugins open their sockets."""
    return context.node.service.environment.get("TMPDIR") or "/tmp"  # noqa: S108 - the server's own default


def _look_at_file_system(context: AuditContext, real: str, uses: Sequence[str], needed: int) -> None:
    state = file_system(real)
    free = state.f_bavail * state.f_frsize
    held = ", ".join(uses)
    point = _mount_point(real)
    if state.f_blocks and free < needed:
        text = f"{free // 1048576} MiB are free on {point}, {needed // 1048576} MiB are needed: it holds {held}"
        context.findings.add("disk-full", point, text)
    if state.f_files and state.f_favail < _LEAST_INODES:
        context.findings.add("inodes-full", point, f"{state.f_favail} inodes are free on {point}: it holds {held}")


def _mount_point(real: str) -> str:
    mount = mount_of(resolve(real), parse_mountinfo(read_text(MOUNTINFO)))
    return mount.point if mount else real


def _existing(real: str) -> str:
    while not exists(real):
        real = os.path.dirname(real)
    return real


def _add_blocker(context: AuditContext, blocker: Blocker) -> None:
    evidence = f"{blocker.path}: {blocker.evidence}"
    if blocker.kind in (HIDDEN, NEEDS_ROOT):
        context.findings.add("not-audited", blocker.path, evidence, remedy=blocker.remedy)
        return
    subject, values = blocker.path, {}
    if blocker.kind in (MOUNT_READ_ONLY, MOUNT_NOEXEC):
        match = _MOUNT.search(blocker.evidence)
        subject = match.group(1) if match else blocker.path
        values = {"mount": subject}
    _add(context.findings, blocker.kind, subject, evidence, context, remedy=blocker.remedy, values=values)


def _add_change(context: AuditContext, directory: FoundDirectory, change: Change) -> None:
    if not change.serves:
        return  # differs from what is wanted; the server can work with it
    seen = f"{change.path} ({directory.setting})"
    if change.kind == CREATE and (change.path != directory.path_walk.end or _server_makes(context, directory)):
        return  # the last of several reports it
    if change.kind == CREATE and any(blocker.kind == PARENT_MISSING for blocker in directory.blockers):
        return  # the blocker reports it
    if change.kind == CREATE:
        code, evidence = "directory-missing", f"{seen}: does not exist"
    elif change.kind == CONTENT:
        code = "foreign-owner" if "not owned by" in str(change.found) else "content-closed"
        evidence = f"{seen} holds {change.found}"
    elif change.path != directory.path_walk.end:
        code, evidence = "parent-not-searchable", f"{change.path}: mode {change.found}, {change.action}"
    else:
        code = "directory-not-writable"
        what = "owner" if change.kind == OWNER else "mode" if change.kind == MODE else change.kind
        evidence = f"{seen}: {what} {change.found}, wanted {change.wanted}"
    _add(context.findings, code, change.path, evidence, context, fixed_by_site=True)


def _server_makes(context: AuditContext, directory: FoundDirectory) -> bool:
    """Whether a server that starts next makes the directory itself: one level, where it may write."""
    account, steps = context.node.account, directory.path_walk.steps
    if len(directory.path_walk.missing) > 1 or not steps or context.node.running or not can_switch(account):
        return False
    return ask(account, context.node.root, [(steps[-1], ALL)])[0]


def _add(
    findings: Findings,
    code: str,
    subject: str,
    evidence: str,
    context: AuditContext,
    *,
    fixed_by_site: Optional[bool] = None,
    remedy: str = "",
    values: Optional[Dict[str, str]] = None,
) -> None:
    account = context.node.account
    known = {"user": account.name, "group": account.group, "service": context.node.service_name, **(values or {})}
    findings.add(code, subject, evidence, fixed_by_site=fixed_by_site, remedy=remedy, values=known)
