# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run of Ansible that this process belongs to, and whether another run on this controller still lives."""

from __future__ import annotations

import getpass
import hashlib
import multiprocessing
import os
import socket

from ...module_utils._change.run_lock import Holder
from ...module_utils._host.process import boot_of, read_process


def this_run() -> Holder:
    """The same for every task and host of one run: Ansible's workers are children of its one process."""
    parent = multiprocessing.parent_process()
    pid = os.getpid() if parent is None or parent.pid is None else parent.pid
    process, namespace = _identity(pid), _namespace()
    controller = socket.gethostname()
    name = "\n".join((controller, namespace, process or str(pid)))
    return Holder(
        run=hashlib.sha256(name.encode("utf-8")).hexdigest()[:16],
        user=_user(),
        controller=controller,
        pid=pid,
        process=process,
        namespace=namespace,
    )


def is_gone(holder: Holder) -> bool:
    """Whether the run has certainly ended: it ran here, and its process is no more. Of elsewhere we know nothing.

    Elsewhere is also this controller before it booted: another one may have its name, and the number of its namespace.
    """
    mine = this_run()
    if not holder.pid or (holder.controller, holder.namespace) != (mine.controller, mine.namespace):
        return False
    if boot_of(holder.process) != boot_of(mine.process):
        return False
    if holder.process:
        return _identity(holder.pid) != holder.process
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _identity(pid: int) -> str:
    """Of the process with this number now; empty if there is none, or no /proc."""
    try:
        found = read_process(pid)
    except OSError:
        return ""
    return found.identity if found else ""


def _namespace() -> str:
    """Where our process numbers count."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
