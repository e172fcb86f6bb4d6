# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A running process, as the kernel shows it in /proc (proc(5))."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import List, Optional

from .reading import SYSTEM_FILE_LIMIT, read_file, read_text

_START_TIME = 19  # place of field 22 of /proc/<pid>/stat behind the command name
# What systemd calls its child until that executes the service's command: itself, then the command in parentheses.
_BEFORE_EXEC = (b"((", b"(systemd)", b"(systemd-executo)")
_EXEC_SECONDS = 5.0


@dataclass(frozen=True)
class Process:
    """One process.

    :param cwd: the directory it runs in, links resolved; empty where we may not see it; a directory that was
        removed or replaced since ends in `` (deleted)``
    :param started_at: seconds since the epoch, exact to the kernel's clock tick (10 ms)
    :param identity: of this very process: no other one has it, also after a reboot or a change of the clock
    """

    pid: int
    cwd: str
    started_at: float
    identity: str = ""


def read_process(pid: int) -> Optional[Process]:
    """The process of that number, None if there is none, or only its exit status is left (a zombie).

    One that systemd has just forked is waited for until it executes its command: before that its directory and its
    user are systemd's own.
    """
    if pid <= 0:
        return None
    try:
        ticks = int(fields_behind_name(_stat_after_exec(pid))[_START_TIME])
        return Process(pid, _cwd(pid), _epoch(ticks), f"{_boot()} {pid} {ticks}")
    except (FileNotFoundError, ProcessLookupError):  # gone, perhaps between two reads; a zombie has no cwd
        return None


def boot_of(identity: str) -> str:
    """Which start of which machine an identity is of; empty for an empty one."""
    return identity.partition(" ")[0]


def fields_behind_name(stat_line: bytes) -> List[bytes]:
    """The fields of /proc/<pid>/stat from the state on; the name before them may hold spaces and parentheses."""
    return stat_line[stat_line.rindex(b")") + 1 :].split()


def _stat_after_exec(pid: int) -> bytes:
    deadline = time.monotonic() + _EXEC_SECONDS
    while True:
        line = read_file(f"/proc/{pid}/stat", SYSTEM_FILE_LIMIT)
        if not line.partition(b" ")[2].startswith(_BEFORE_EXEC) or time.monotonic() > deadline:
            return line
        time.sleep(0.01)


def _cwd(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except PermissionError:
        return ""


def _boot() -> str:
    return read_text("/proc/sys/kernel/random/boot_id").strip()


def _epoch(ticks_after_boot: int) -> float:
    booted_at = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return round(booted_at + ticks_after_boot / os.sysconf("SC_CLK_TCK"), 2)
