# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 of a piece of work at each point where it changes what others see of the file system."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import stat
import sys
from typing import Any, Callable, Tuple

# Audit events of the interpreter: they are raised before the call, also where it comes from the standard library.
COMMITS = ("os.rename", "os.remove", "os.rmdir")
CHANGES = (*COMMITS, "os.mkdir", "os.chmod", "os.chown", "os.link", "os.symlink", "ctypes.dlsym")


def _has_no_name_yet(changed: Any) -> bool:
    """A file that is changed by descriptor before it gets its name; directories have theirs."""
    return isinstance(changed, int) and not stat.S_ISDIR(os.fstat(changed).st_mode)


def killed_at(number: int, work: Callable[[], Any], events: Tuple[str, ...] = COMMITS) -> bool:
    """Run the work in a process that is killed before its n-th commit point; whether it came that far."""
    child = os.fork()
    if child == 0:
        left, me = [number], os.getpid()

        def deadly(event: str, arguments: Tuple[Any, ...]) -> None:
            # A worker of the module changes nothing that lasts.
            if event in events and os.getpid() == me and not _has_no_name_yet(arguments[0]):
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(deadly)
        with contextlib.redirect_stdout(io.StringIO()):
            work()
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])
