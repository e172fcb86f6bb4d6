# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One way to read the log of every server version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plugops_tests.servers.server_process import parse_log
from plugops_tests.standin.server.logs import Log
from plugops_tests.standin.server.versions import Traits, Version

# As real servers of three eras print them.
REAL = {
    "4.6": "[2018/01/16 10:00:00 UTC] [EROR] failed to start up plugins: mkdir ./client/plugins: permission denied",
    "5.36": '{"level":"error","ts":1611.5,"caller":"app/plugin.go:201","msg":"Failed to start up plugins",'
    '"error":"mkdir ./client/plugins: permission denied"}',
    "9.10": '{"timestamp":"2024-07-09 10:00:00.000 Z","level":"error","msg":"Failed to start up plugins",'
    '"caller":"app/plugin.go:250","error":"mkdir ./client/plugins: permission denied"}',
}


@pytest.mark.parametrize("era", REAL)
def test_the_same_sentence_from_every_era(era: str) -> None:
    (line,) = parse_log(REAL[era] + "\n\n")
    assert line.level == "error"
    assert line.text.lower() == "failed to start up plugins: mkdir ./client/plugins: permission denied"
    assert line.raw == REAL[era]


def test_what_is_no_log_line_is_kept() -> None:
    lines = parse_log("panic: runtime error\n{broken\n")
    assert [(line.level, line.message) for line in lines] == [("", "panic: runtime error"), ("", "{broken")]


@pytest.mark.parametrize("version", [(4, 6, 0), (5, 13, 0), (11, 6, 0)])
def test_stand_in_writes_what_is_read(tmp_path: Path, version: tuple[int, int, int]) -> None:
    log = Log(Traits(Version(*version)))
    log.warn("before it is open", plugin_id="a<b")
    log.open({"EnableConsole": False, "EnableFile": True, "FileLevel": "INFO"}, str(tmp_path))
    log.debug("below the level")
    log.error("broken", error="mkdir x: permission denied")
    text = (tmp_path / "mattermost.log").read_text()
    first, second = parse_log(text)
    assert (first.level, second.level) == ("warn", "error")
    assert "a<b" in first.raw
    assert "mkdir x: permission denied" in second.raw
    if version >= (4, 10):
        record = json.loads(second.raw)
        assert ("ts" in record) == (version < (5, 38))
        assert ("timestamp" in record) == (version >= (5, 38))
        assert second.fields == {"error": "mkdir x: permission denied"}


def test_plain_instead_of_json(tmp_path: Path) -> None:
    log = Log(Traits(Version(9, 10, 0)))
    log.open({"EnableConsole": False, "FileJson": False}, str(tmp_path))
    log.error("broken", error="reason")
    (line,) = (tmp_path / "mattermost.log").read_text().splitlines()
    assert line.startswith("error [")
    assert line.endswith('error="reason"')
