# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks between processes: who waits, for how long, and who cannot hold one."""

from __future__ import annotations

import os
import re
import signal
import stat
import time
from pathlib import Path

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._host.locks import alone

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to act as another account")


def _holder_of(path: Path) -> int:
    """A process that is in the block until it is killed."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with alone(str(path)):
                os.write(write, b"1")
                signal.pause()
        finally:
            os._exit(1)
    os.close(write)
    assert os.read(read, 1) == b"1"
    os.close(read)
    return child


def _end(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_the_second_comes_in_when_the_first_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "state/change.lock"
    first = _holder_of(path)
    second = os.fork()
    if second == 0:
        try:
            with alone(str(path)):
                os._exit(0)
        finally:
            os._exit(1)
    time.sleep(0.5)  # it has asked several times by then
    assert os.waitpid(second, os.WNOHANG) == (0, 0), "both were in at the same time"
    _end(first)
    assert os.waitstatus_to_exitcode(os.waitpid(second, 0)[1]) == 0


def test_who_waits_too_long_is_told_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "change.lock"
    first = _holder_of(path)
    try:
        with pytest.raises(OperatorError, match=rf"process {first} .*holds the lock after 0 s") as raised, alone(
            str(path), seconds=0.3
        ):
            pass
        assert re.search("wait until it has ended", str(raised.value))
    finally:
        _end(first)


def test_the_file_is_for_this_user_alone_and_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "a/b/change.lock"
    with alone(str(path)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.stat()
    with alone(str(path)):
        pass
    assert path.stat() == before
    assert path.read_bytes() == b""


@needs_root
def test_another_account_cannot_hold_it(tmp_path: Path) -> None:
    path = tmp_path / "change.lock"
    path.touch(0o666)
    os.chown(path, 65534, 65534)  # as somebody might have left it
    with alone(str(path)):
        pass
    assert (path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) == (0, 0o600)


@pytest.mark.parametrize("thing", ["link", "second name", "fifo"])
def test_what_is_no_lock_file_is_refused(tmp_path: Path, thing: str) -> None:
    path = tmp_path / "change.lock"
    if thing == "link":
        path.symlink_to(tmp_path / "victim")
    elif thing == "fifo":
        os.mkfifo(path)
    else:
        (tmp_path / "victim").touch()
        os.link(tmp_path / "victim", path)
    with pytest.raises((OperatorError, OSError)), alone(str(path), seconds=1):
        pass
    assert thing != "link" or not (tmp_path / "victim").exists()
