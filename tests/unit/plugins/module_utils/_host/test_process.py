# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes as /proc shows them, against processes that the tests start."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Iterator

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._host.process import fields_behind_name, read_process


@pytest.fixture
def running(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a directory of its own whose name tries to look like other fields of its stat line."""
    program = tmp_path / "a) Z (b c"
    shutil.copy(shutil.which("sleep") or "/bin/sleep", program)
    directory = tmp_path / "work"
    directory.mkdir()
    with subprocess.Popen([str(program), "60"], cwd=directory) as process:
        # exec has happened when the kernel shows the new name
        while "a) Z" not in Path(f"/proc/{process.pid}/comm").read_text():
            assert process.poll() is None
        yield process
        process.kill()


def test_directory_and_number(running: subprocess.Popen[bytes], tmp_path: Path) -> None:
    found = read_process(running.pid)
    assert found is not None
    assert (found.pid, found.cwd) == (running.pid, str(tmp_path / "work"))


def test_one_that_systemd_has_not_let_execute_its_command_yet_is_waited_for(tmp_path: Path) -> None:
    """As systemd's child does: named like the command, in parentheses, it goes where the unit says, and executes it."""
    go_on = tmp_path / "go-on"
    os.mkfifo(go_on)
    child = f"""
import ctypes, os
ctypes.CDLL(None).prctl(15, b"(sleep)")
open({str(go_on)!r}, "rb").read()
os.chdir({str(tmp_path)!r})
os.execvp("sleep", ["sleep", "60"])
"""
    with subprocess.Popen([sys.executable, "-c", child], cwd="/") as process, ThreadPoolExecutor(1) as pool:
        with go_on.open("wb"):  # until the child waits there, under its new name
            reading = pool.submit(read_process, process.pid)
            assert not wait([reading], timeout=0.1).done
        found = reading.result()
        process.kill()
    assert found is not None
    assert found.cwd == str(tmp_path)


def test_start_time(tmp_path: Path) -> None:
    before = time.time()
    with subprocess.Popen(["sleep", "60"], cwd=tmp_path) as process:
        after = time.time()
        found = read_process(process.pid)
        process.kill()
    assert found is not None
    tick = 1 / os.sysconf("SC_CLK_TCK")
    assert before - 2 * tick <= found.started_at <= after + 2 * tick


def test_start_time_agrees_with_ps() -> None:
    if shutil.which("ps") is None:
        pytest.skip("no ps on this machine")
    found = read_process(os.getpid())
    elapsed = subprocess.run(["ps", "-o", "etimes=", "-p", str(os.getpid())], capture_output=True, check=True).stdout
    assert found is not None
    assert found.started_at == pytest.approx(time.time() - int(elapsed), abs=2)


def test_removed_directory_is_told(running: subprocess.Popen[bytes], tmp_path: Path) -> None:
    (tmp_path / "work").rmdir()
    found = read_process(running.pid)
    assert found is not None
    assert found.cwd == f"{tmp_path / 'work'} (deleted)"


def test_gone_and_zombie() -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended and nobody has taken its status
    assert read_process(process.pid) is None
    process.wait()
    assert read_process(process.pid) is None
    assert read_process(0) is None


def test_directory_of_another_account() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to look as another account")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            found = read_process(os.getppid())
            os.write(writer, repr(None if found is None else (found.pid, found.cwd)).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    answer = os.read(reader, 1000).decode()
    os.close(reader)
    assert answer == repr((os.getpid(), ""))


@pytest.mark.parametrize("name", [b"mattermost", b"a b", b"a) b", b") (", b"(sd-pam)", b"1) Z 1 1"])
def test_fields_behind_any_name(name: bytes) -> None:
    assert fields_behind_name(b"12 (" + name + b") S 1 12\n") == [b"S", b"1", b"12"]
