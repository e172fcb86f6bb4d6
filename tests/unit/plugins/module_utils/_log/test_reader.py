# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Large logs: the right lines, in bounded time and memory."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import List, Optional

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._log.patterns import INTERESTING, UNIMPORTANT
from ansible_collections.plugops.mattermost.plugins.module_utils._log.reader import read_log, rotated_files
from hypothesis import given, settings
from hypothesis import strategies as st

from plugops_tests.support.playbooks import REPOSITORY

START = 1_600_000_000.0
ERROR = "Failed to start up plugins"


def line(time: float, message: str, level: str = "info") -> bytes:
    return json.dumps({"level": level, "ts": time, "caller": "x.go:1", "msg": message}).encode() + b"\n"


def messages(path: Path, since: Optional[float], head: int = 2**20, tail: int = 2**20) -> List[str]:
    return [found.text for found in read_log(str(path), str(path), since, INTERESTING, UNIMPORTANT, head, tail).lines]


def test_only_lines_since_the_moment_count(tmp_path: Path) -> None:
    log = tmp_path / "mattermost.log"
    log.write_bytes(line(START, ERROR, "error") + line(START + 10, "Unable to activate plugin", "error"))
    assert messages(log, START + 5) == ["Unable to activate plugin"]
    assert messages(log, None) == [ERROR, "Unable to activate plugin"]


@settings(max_examples=30)
@given(before=st.integers(0, 3000), after=st.integers(0, 3000))
def test_a_start_in_the_middle_of_a_long_log_is_found(
    tmp_path_factory: pytest.TempPathFactory, before: int, after: int
) -> None:
    """The line behind the start is read wherever it lies, though most of the file is not."""
    log = tmp_path_factory.mktemp("log") / "mattermost.log"
    filler = "x" * 300
    rows = [line(START + number, filler) for number in range(before)]
    rows.append(line(START + before, ERROR, "error"))
    rows += [line(START + before + number, filler) for number in range(after)]
    log.write_bytes(b"".join(rows))
    found = read_log(str(log), str(log), START + before, INTERESTING, UNIMPORTANT, head=100_000, tail=50_000)
    assert ERROR in [item.text for item in found.lines]
    assert found.skipped <= max(0, log.stat().st_size - 150_000)


def test_the_end_of_a_long_log_is_read_too(tmp_path: Path) -> None:
    log = tmp_path / "mattermost.log"
    rows = [line(START + number, "x" * 300) for number in range(3000)]
    log.write_bytes(
        b"".join([line(START, ERROR, "error"), *rows, line(START + 3000, "Failed to restart plugin", "error")])
    )
    assert messages(log, START, 100_000, 50_000) == [ERROR, "Failed to restart plugin"]
    assert messages(log, None, 100_000, 50_000) == ["Failed to restart plugin"]


def test_rotated_files_since_the_moment(tmp_path: Path) -> None:
    log = tmp_path / "mattermost.log"
    log.write_bytes(b"")
    packed = tmp_path / "mattermost-2020-09-13T12-26-50.000.log.gz"
    packed.write_bytes(gzip.compress(line(START, ERROR, "error")))
    for name, when in (("mattermost-2020.log", 50), (packed.name, 20), ("mattermost.log.001", -50), ("other.log", 50)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (START + when, START + when))
    found = rotated_files(str(log), START)
    assert [os.path.basename(path) for path in found] == [packed.name, "mattermost-2020.log"]
    assert messages(packed, START) == [ERROR]


def test_a_damaged_packed_file_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    packed = tmp_path / "mattermost-1.log.gz"
    noise = b"".join(line(START + 1, os.urandom(40).hex()) for _ in range(2000))
    packed.write_bytes(gzip.compress(line(START, ERROR, "error") + noise)[:-2000])
    assert messages(packed, START) == [ERROR]


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "mattermost.log")
    with pytest.raises(OSError, match="no regular file"):
        messages(tmp_path / "mattermost.log", START)


def test_lines_of_debugging_are_left_out(tmp_path: Path) -> None:
    log = tmp_path / "mattermost.log"
    log.write_bytes(
        line(START, ERROR, "debug")
        + b"[2020/09/13 12:26:40 UTC] [DEBG] "
        + ERROR.encode()
        + b"\n"
        + line(START, "Deactivating plugin due to multiple crashes", "debug")
    )
    assert messages(log, START) == ["Deactivating plugin due to multiple crashes"]


_MEASURED = r"""
import re, sys, time
sys.path.insert(0, sys.argv[1])
from ansible_collections.plugops.mattermost.plugins.module_utils._log.patterns import UNIMPORTANT, INTERESTING
from ansible_collections.plugops.mattermost.plugins.module_utils._log.reader import read_log
started = time.process_time()
found = read_log(sys.argv[2], sys.argv[2], float(sys.argv[3]), INTERESTING, UNIMPORTANT)
# Not ru_maxrss: that of a child begins with its parent's.
peak = re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read()).group(1)
print(time.process_time() - started, int(peak) / 1024)
print([item.text for item in found.lines].count("Failed to start up plugins"), found.skipped)
"""


@pytest.mark.slow
def test_a_log_of_two_gigabytes_costs_under_two_seconds_and_a_hundred_megabytes(tmp_path: Path) -> None:
    """Islands of lines that all look as if they could matter, in a sparse file; the start lies in one of them."""
    log = tmp_path / "mattermost.log"
    noisy = '"url":"/api/v4/plugins/webapp","error":"http: request body too large"'
    island = b"".join(line(START + number / 10, noisy, "warn") for number in range(50_000))
    with log.open("wb") as out:
        for number in range(8):
            out.seek(number * 256 * 2**20)
            out.write(island.replace(b'"ts": 160000', b'"ts": %d' % (160000 + number + (number > 3))))
            if number == 3:
                out.write(line(START + 40_000, ERROR, "error"))
                out.write(island.replace(b'"ts": 160000', b'"ts": 160004'))
        out.truncate(2 * 2**30)
    since = START + 40_000
    out_text = subprocess.run(
        [sys.executable, "-c", _MEASURED, str(REPOSITORY / "collections"), str(log), str(since)],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout.split()
    seconds, megabytes, found, skipped = (float(word) for word in out_text)
    assert seconds < 2
    assert megabytes < 100
    assert found == 1
    assert skipped > 2**29
