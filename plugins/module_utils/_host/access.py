# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Can this account do that in this directory: by the mode, as the kernel answers, and by a real attempt."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import Any, List, Optional, Sequence, Tuple

from .._core.errors import OperatorError
from .account import Account
from .path_walk import Step, opened
from .root import Root
from .worker import act_as

SEARCH = os.X_OK
ALL = os.R_OK | os.W_OK | os.X_OK
PROBE_PREFIX = ".plugops-probe-"  # servers ignore names that begin with a dot


def mode_bits(uid: int, gid: int, account: Account, wanted: int) -> int:
    """The mode bits that decide whether the account may do ``wanted`` (os.R_OK …) in a directory of that owner.

    Only one of the three classes counts for a process, the first that fits it (path_resolution(7)).
    """
    if uid == account.uid:
        return wanted << 6
    if gid == account.gid or gid in account.groups:
        return wanted << 3
    return wanted


def mode_grants(step: Step, account: Account, wanted: int) -> bool:
    """Whether owner and mode alone let the account in; an ACL, a mount or a security module may decide otherwise."""
    bits = mode_bits(step.uid, step.gid, account, wanted)
    return account.uid == 0 or step.mode & bits == bits


def ask(account: Account, root: Root, questions: Sequence[Tuple[Step, int]]) -> List[bool]:
    """What the kernel answers the account for each directory, the path to it left out of account (access(2)).

    Changes nothing. Exact where :func:`can_switch`; read-only mounts, ACLs and immutable flags are in the answer.
    """
    with contextlib.ExitStack() as stack:
        # Opened before the switch, and each by itself, so that one closed directory does not hide the next.
        opened_steps = [(stack.enter_context(opened(root, step.path)), wanted) for step, wanted in questions]
        return act_as(
            account,
            lambda: [_allowed(handle, wanted) for handle, wanted in opened_steps],
            [handle for handle, _wanted in opened_steps],
        )


def attempt_write(account: Account, root: Root, path: str) -> None:
    """Create and remove a file in the host's directory ``path`` as the account: the proof that it can.

    :param path: without links
    :raises OperatorError: it cannot
    """
    with contextlib.ExitStack() as stack:
        base, path_walk = _start(stack, root, path)
        try:
            act_as(account, lambda: _write_and_remove(base, path_walk), [] if base is None else [base])
        except OSError as error:
            raise OperatorError(
                f"user {account.name} cannot write in a directory that the server must write",
                where=path,
                found=error.strerror or str(error),
                wanted=f"a file can be created and removed by {account.owner}",
                remedy="check free space and inodes (df, df -i), quotas, ACLs, rights of network file systems and "
                "security modules (ausearch -m avc, dmesg)",
            ) from error


def _allowed(handle: int, wanted: int) -> bool:
    return os.access(".", wanted, dir_fd=handle)


def _start(stack: contextlib.ExitStack, root: Root, path: str) -> Tuple[Optional[int], str]:
    """From where to go to ``path``. What lies above a sandbox or image is no part of its host and must not count."""
    if root.is_live:
        return None, path
    first, _separator, rest = path.lstrip("/").partition("/")
    return stack.enter_context(opened(root, "/" + first)), rest or "."


def _write_and_remove(base: Optional[int], path_walk: str) -> Any:
    _clear_probes(base, path_walk)
    probe = os.path.join(path_walk, PROBE_PREFIX + secrets.token_hex(8))
    handle = os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=base)
    os.close(handle)
    with contextlib.suppress(FileNotFoundError):  # another run has cleared it
        os.unlink(probe, dir_fd=base)


def _clear_probes(base: Optional[int], path_walk: str) -> None:
    """Remove what killed runs have left, where the account can see it."""
    with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
        directory = os.open(path_walk, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=base)
        stack.callback(os.close, directory)
        for name in os.listdir(directory):
            if name.startswith(PROBE_PREFIX):
                os.unlink(name, dir_fd=directory)
