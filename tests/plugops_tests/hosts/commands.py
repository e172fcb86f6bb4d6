# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running helper programs that must not outlive us, and directories that one process at a time may change."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")
"""Prefix of a helper that the kernel kills when this process is killed: nothing goes on working behind `down`."""


class HostsError(Exception):
    """What is wrong and what to do next, for the person at the command line."""


def run(argv: Sequence[str], *, text: str = "", timeout: float = 60, env: Mapping[str, str] | None = None) -> str:
    """Run `argv` with `text` on standard input, return what it prints; HostsError with its stderr when it fails."""
    try:
        done = subprocess.run(
            [*DIES_WITH_US, *argv], input=text, capture_output=True, text=True, timeout=timeout, env=env, check=False
        )
    except subprocess.TimeoutExpired:
        raise HostsError(f"{shlex.join(argv)} did not end within {timeout:g} s") from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise HostsError(f"{shlex.join(argv)} failed ({done.returncode}): {said}")
    return done.stdout


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold a directory (made when absent) for ourselves. The kernel lets it go when we die, however we die."""
    while True:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if os.path.samestat(os.fstat(descriptor), os.stat(directory)):
                    yield
                    return
            finally:
                os.close(descriptor)
        # The holder before us removed it: make it anew and queue up again.
