# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Audit of the service: unit, process, account, socket, temporary directory, and what a start elsewhere left behind."""

from __future__ import annotations

import os
import pwd
from typing import List

from .._config.source import is_true
from .._core.blocker import Blocker
from .._core.errors import OperatorError
from .._host.access import ALL, ask
from .._host.accounts import can_switch
from .._host.path_walk import walk
from .._host.reading import is_directory, is_link, open_directory, status
from .._host.trees import TreeLimit
from .._host.trees import walk as walk_tree
from .._install.working_directory import ServiceDirectory
from .._node.node import DEFAULT_SOCKET
from .._server import features
from .._services.systemd_sandbox import has_own_tmp, sandbox_blockers
from .._services.systemd_unit import HOME, declared_working_directory, systemd_is_running, why_not_running
from .context import AuditContext
from .directories import temporary_directory

_LEFTOVERS = ("data", "logs", "plugins")
_PRIVATE = ("/tmp/", "/var/tmp/")  # noqa: S108 - what PrivateTmp= replaces


def look_at_unit(context: AuditContext) -> None:
    """Whether systemd can start the service, and does."""
    node, service = context.node, context.node.service
    named = {"service": node.service_name}
    resource = ServiceDirectory(node, node.wanted_working_directory)
    for refuse, code in (
        (resource.refuse_unusable_unit, "unit-unusable"),
        (resource.refuse_missing_directory, "working-directory-missing"),
    ):
        try:
            refuse(service)
        except OperatorError as error:
            context.findings.add(code, "", str(error), remedy=error.remedy, values=named)
    ignored = declared_working_directory(service.files).ignored
    for line in ignored:
        text = f"{line.where}: WorkingDirectory={line.value} is no absolute path without quotes and .."
        context.findings.add("drop-in-ignored", line.path, text, values=named)
    if service.stale and not ignored:  # a file that systemd cannot read counts as unread forever
        context.findings.add("unit-not-reloaded", "", f"systemctl show {service.name}: NeedDaemonReload=yes")
    if systemd_is_running(node.root) and service.load_state == "loaded" and why_not_running(service):
        text = f"systemctl show {service.name}: {why_not_running(service)}"
        context.findings.add("service-not-running", "", text, values=named)


def look_at_account(context: AuditContext) -> None:
    """The user and the group that the service must run under."""
    try:
        context.node.account  # noqa: B018 - read for the error that it raises
    except OperatorError as error:
        context.findings.add("account-missing", context.node.user_name, str(error), remedy=error.remedy)


def look_at_working_directory(context: AuditContext) -> None:
    """Where the unit starts the server, where the process runs, and where its relative paths lead."""
    node, service = context.node, context.node.service
    wanted, values = (
        node.wanted_working_directory,
        {"service": node.service_name, "wanted": node.wanted_working_directory},
    )
    if service.load_state not in ("loaded", "unknown"):
        return
    resource = ServiceDirectory(node, wanted)
    differences = resource.compare(service)
    if len(differences):
        try:
            resource.refuse_unwritable(service)
        except OperatorError as error:  # what is wrong and site.yml cannot fix
            context.findings.add(
                "working-directory-wrong", "", str(error), remedy=error.remedy, fixed_by_site=False, values=values
            )
    for difference in differences:
        decided_by = declared_working_directory(service.files).decided_by
        where = f" ({decided_by.where})" if decided_by else f" ({service.fragment} and its drop-ins set none)"
        text = f"WorkingDirectory of {service.name} is {difference.found or 'not set, so /'}, wanted {wanted}{where}"
        context.findings.add("working-directory-wrong", "", text, values=values)
        for line in _relative_paths(context, service.working_directory or "/"):
            context.findings.add("working-directory-wrong", "", line)
    process = service.process
    for reason in resource.pending(service).restart:
        if not len(differences):
            context.findings.add("process-elsewhere", "", reason, values=values)
            for line in _relative_paths(context, process.cwd if process else ""):
                context.findings.add("process-elsewhere", "", line)


def look_at_process_user(context: AuditContext) -> None:
    """Whether the process is the service user's."""
    node, process = context.node, context.node.service.process
    if process is None:
        return
    try:
        uid = status(f"/proc/{process.pid}").st_uid
    except OSError:
        return
    account = node.account
    if uid != account.uid:
        try:
            name = pwd.getpwuid(uid).pw_name
        except KeyError:
            name = str(uid)
        text = f"pid {process.pid} runs as {name}, the unit sets {account.name}"
        context.findings.add("process-user", "", text, values={"service": node.service_name})


def look_at_pending(context: AuditContext) -> None:
    """Restarts that earlier changes of this collection need."""
    for reason in context.node.pending_restart:
        context.findings.add("restart-owed", "", reason, values={"service": context.node.service_name})


def look_at_leftovers(context: AuditContext) -> None:
    """What a server that was started in ``bin/`` left there. Never deleted: users' files may be among them."""
    for name in _LEFTOVERS:
        path = context.join(context.node.install_dir, "bin", name)
        real = context.real(path)
        if is_directory(real) and not is_link(real):
            count = _count_files(real)
            what = "files that users uploaded may be among them" if name == "data" else "made by a start in bin/"
            context.findings.add("leftovers-in-bin", path, f"{path} holds {count} files, {what}")


def _count_files(real: str) -> str:
    with open_directory(real) as top:
        try:
            return str(sum(not entry.is_directory for entry in walk_tree(top, real, closed=True)))
        except TreeLimit:
            return "countless"


def look_at_socket(context: AuditContext) -> None:
    """Whether the local-mode socket is the server's, and can be seen."""
    node, settings = context.node, context.section("ServiceSettings")
    if not is_true(settings.get("enablelocalmode", False)):
        return
    path = node.options.socket or str(settings.get("localmodesocketlocation") or DEFAULT_SOCKET)
    if node.is_foreign_socket(node.root.real(path)):
        text = f"{path} does not belong to {node.account.name}"
        try:
            node.server  # noqa: B018 - read for its error, which explains what else cannot be looked at
        except OperatorError as error:
            text = str(error)
        context.findings.add("socket-foreign", path, text)
        return
    if not features.LOCAL_MODE.in_version(context.version):
        return
    for blocker in _sandbox_blockers(context, node.root.resolve(os.path.dirname(path))):
        text = f"{path}: {blocker.evidence}"
        context.findings.add("socket-hidden", path, text, values={"service": node.service_name})


def look_at_temporary_directory(context: AuditContext) -> None:
    """Where bundles are unpacked and plugins open their sockets."""
    node, account, path = context.node, context.node.account, temporary_directory(context)
    if has_own_tmp(node.service.sandbox) and f"{path}/".startswith(_PRIVATE):
        return  # systemd makes its own
    if not node.root.is_live and not node.service.environment.get("TMPDIR"):
        return  # an image has no /tmp of its own
    path_walk = walk(node.root, path)
    values = {"user": account.name}
    origin = node.service.environment_origin.get("TMPDIR", "")
    set_by = f" (TMPDIR in {origin})" if origin else ""
    if path_walk.last is None:
        why = path_walk.blocked.evidence if path_walk.blocked else "does not exist"
        context.findings.add("tmpdir-not-writable", path, f"{path}{set_by}: {why}", values=values)
        return
    if can_switch(account) and not ask(account, node.root, [(path_walk.last, ALL)])[0]:
        context.findings.add(
            "tmpdir-not-writable", path, f"{path}{set_by}: {account.name} may not write in it", values=values
        )
    for blocker in _sandbox_blockers(context, path_walk.end):
        text = f"{path}{set_by}: {blocker.evidence}"
        context.findings.add("tmpdir-not-writable", path, text, remedy=blocker.remedy, values=values)


def _sandbox_blockers(context: AuditContext, directory: str) -> List[Blocker]:
    """What the unit's sandbox takes from its service of a directory, except by another root."""
    service = context.node.service
    found = sandbox_blockers(directory, service.sandbox, service.name, False, context.node.root.resolve)
    return [blocker for blocker in found if blocker.fatal]


def _relative_paths(context: AuditContext, base: str) -> List[str]:
    """Where the relative paths of the configuration lead from ``base``."""
    node = context.node
    if base == HOME or not base.startswith("/"):
        return []
    try:
        settings = context.plugin_settings
    except OperatorError:
        return []
    files = context.section("FileSettings")
    paths = {
        "PluginSettings.Directory": settings["Directory"],
        "PluginSettings.ClientDirectory": settings["ClientDirectory"],
    }
    if files.get("drivername", "local") == "local":
        paths["FileSettings.Directory"] = str(files.get("directory") or "./data")
    return [
        f"{key} {path} leads to {context.join(base, path)}, not to {node.resolve(path)}"
        for key, path in paths.items()
        if not path.startswith("/") and context.join(base, path) != node.resolve(path)
    ]
