# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of a log that a plugin wrote to do harm: each costs itself alone, in bounded time and memory."""

from __future__ import annotations

import json
import re
import time
import zlib
from pathlib import Path
from typing import Any, List

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._log import reader
from ansible_collections.plugops.mattermost.plugins.module_utils._log.line import (
    LONGEST_TEXT,
    LogLine,
    parse_journal_line,
    parse_log_line,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._log.patterns import (
    INTERESTING,
    UNIMPORTANT,
    meaning_of,
    since_last_start,
    version_in,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._log.reader import read_log
from ansible_collections.plugops.mattermost.plugins.module_utils._log.server_log import _first_and_last
from hypothesis import given
from hypothesis import strategies as st

E = "Failed to start up plugins: mkdir ./client/plugins: no such file or directory"
NO_TIME = [
    json.dumps({"level": "error", "ts": 1e300, "msg": E}),
    json.dumps({"level": "error", "ts": -1, "msg": E}),
    f'{{"level":"error","timestamp":"2026-99-99 99:99:99.000 Z","msg":"{E}"}}',
    f"[2026/99/99 99:99:99 UTC] [EROR] {E}",
    f'{{"level":"error","ts":[1],"msg":"{E}"}}',
    f"2026-13-01T05:00:00Z\terror\ta.go:1\t{E}",
    f"error [2026-00-00 00:00:00.000 Z] {E}",
]
NO_JSON = [
    f'{{"level":"error","ts":Infinity,"msg":"{E}"}}',
    f'{{"level":"error","ts":NaN,"msg":"{E}"}}',
    '{{"level":"error","msg":"{}","x":{}}}'.format(E, "9" * 100_000),
    '{{"level":"error","msg":"{}","x":{}'.format(E, "[" * 100_000),
    '2026-11-27T05:00:00Z\terror\ta.go:1\t{}\t{{"a":{}'.format(E, "[" * 100_000),
    '{{"level":"error","msg":"{}","x":"{}"}}'.format(E, "y" * 1_000_000),
]


@pytest.mark.parametrize("line", NO_TIME)
def test_a_time_that_is_none_costs_the_time_alone(line: str) -> None:
    found = parse_log_line(line)
    assert (found.time, found.text, found.level) == (None, E, "error")
    assert "no time" in found.shown("log")


@pytest.mark.parametrize("line", NO_JSON, ids=range(len(NO_JSON)))
def test_what_cannot_be_parsed_is_read_as_text(line: str) -> None:
    found = parse_log_line(line)
    assert E in found.text
    assert len(found.text) <= LONGEST_TEXT
    meaning = meaning_of(found)
    assert meaning is not None
    assert meaning.code == "working-directory-wrong"


def test_of_a_key_that_is_given_twice_one_counts() -> None:
    assert parse_log_line('{"msg":"a","level":"info","msg":"b","level":"error"}') == LogLine(None, "error", "b")


def test_a_bad_line_costs_that_line_alone(tmp_path: Path) -> None:
    log = tmp_path / "mattermost.log"
    good = json.dumps({"level": "error", "ts": 1_600_000_000.0, "msg": "Failed to restart plugin"})
    log.write_text("".join(f"{good}\n{bad}\n" for bad in [*NO_TIME, *NO_JSON]), encoding="utf-8")
    texts = [line.text for line in read_log(str(log), str(log), 1_500_000_000.0, INTERESTING, UNIMPORTANT).lines]
    assert texts.count("Failed to restart plugin") == len([*NO_TIME, *NO_JSON])


def test_a_line_shown_has_no_secret_and_obeys_no_terminal() -> None:
    text = "\x1b]0;pwn\x07dial postgres://mm:SEKRET99@db/mm \u202eGET /?token=SEKRET98 Bearer SEKRET9798"
    shown = LogLine(None, "error", text).shown("log")
    assert "SEKRET" not in shown
    assert "\\x1b]0;pwn\\x07" in shown
    assert "\\u202e" in shown
    assert LogLine(None, "error", "x" * 390 + " postgres://mm:SEKRET99@db/mm").told().find("SEKRET") == -1


UNITS = [
    *("generate a checksum ", "get available plugins ", "webapp bundle: ", "plugin bundle from file store open "),
    *("start plugin: a: fork/exec /", "fork/exec a ", "mkdir a ", "a/exec ", "filesystem error, stat /plugintmp1"),
    *(
        "{",
        '{"level',
        "[2026/01/01 00:00:00 UTC] [",
        "2026-01-01T00:00:00",
        "error [",
        "plugin_id=",
        "caller=",
        " ",
        "a",
    ),
    *("token=", "://", "listen unix ", "requires Mattermost ", "multiple plugins found: ", "unlinkat /a: "),
]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("form", ["{}", '{{"level":"error","msg":"{}"}}', "2026-11-27T05:00:00Z\terror\ta.go:1\t{}"])
def test_a_megabyte_in_one_line_takes_no_time(unit: str, form: str) -> None:
    """Of which the unbounded gaps of one pattern made minutes."""
    line = form.format(unit.replace('"', "") * (1_000_000 // len(unit)))
    started = time.process_time()
    for parse in (parse_log_line, parse_journal_line):
        found = parse(line)
        meaning_of(found)
        found.shown("log")
        since_last_start([found])
        version_in([found])
    INTERESTING.search(line.encode())
    UNIMPORTANT.match(line.encode())
    assert time.process_time() - started < 0.5


def test_of_very_many_lines_the_first_and_the_last_are_looked_at() -> None:
    lines = [LogLine(float(number), "error", "x" * 4000) for number in range(2000)]
    kept = _first_and_last(lines)
    assert len(kept) < 600
    assert (kept[0], kept[-1]) == (lines[0], lines[-1])
    assert _first_and_last(lines[:100]) == lines[:100]
    assert _first_and_last([]) == []


def _packed(path: Path, megabytes: int, end: bytes = b"") -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    with path.open("wb") as out:
        for _ in range(megabytes):
            out.write(packer.compress(b"\0" * 2**20))
        out.write(packer.compress(end) + packer.flush())


def test_a_packed_log_is_unpacked_to_a_limit(tmp_path: Path) -> None:
    log = tmp_path / "mattermost-1.log.gz"
    _packed(log, 2048)
    started = time.process_time()
    read = read_log(str(log), str(log), 0.0, INTERESTING, UNIMPORTANT)
    assert "bytes of what it unpacks to" in read.unread
    assert time.process_time() - started < 3


def test_the_end_of_a_packed_log_is_read_up_to_the_limit(tmp_path: Path) -> None:
    log = tmp_path / "mattermost-1.log.gz"
    _packed(log, 100, b"\nFailed to restart plugin\n")
    read = read_log(str(log), str(log), 0.0, INTERESTING, UNIMPORTANT)
    assert [line.text for line in read.lines] == ["Failed to restart plugin"]
    assert read.unread == ""


def test_packed_bytes_and_time_have_a_limit_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "mattermost-1.log.gz"
    _packed(log, 10, b"\nFailed to restart plugin\n")
    monkeypatch.setattr(reader, "MOST_PACKED", 1000)
    assert "1000 bytes was not read" in read_log(str(log), str(log), 0.0, INTERESTING, UNIMPORTANT).unread
    monkeypatch.undo()
    monkeypatch.setattr(reader, "_MOST_SECONDS", -1.0)
    assert "which took" in read_log(str(log), str(log), 0.0, INTERESTING, UNIMPORTANT).unread


WORDS = st.sampled_from(
    [
        *UNITS,
        *('"', "\\", ":", ",", "}", "]", "\n", "\t", "1e300", "Infinity", "NaN", '"ts":', '"msg":"a"', '"timestamp":'),
        *("99", "2026-99-99 99:99:99", "plugin_id", "\ud800", "\x1b", "debug", "error", "Z", "+99:99", E, "²", "٣"),
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(["ts", "timestamp", "msg", "level", "plugin_id", "error", "err", "path", "x"])
JSON_LINES = st.dictionaries(KEYS, VALUES).map(json.dumps)
STAMPS = st.from_regex(re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})? ?(Z|[+-]\d\d:\d\d)?"), fullmatch=True)
LINES = st.one_of(
    st.lists(WORDS, max_size=12).map("".join),
    JSON_LINES,
    st.text(st.characters(exclude_categories=())),
    st.tuples(STAMPS, JSON_LINES).map(lambda two: f"{two[0]}\terror\ta.go:1\tUnable to activate plugin\t{two[1]}"),
    st.tuples(STAMPS, WORDS).map(lambda two: f"error [{two[0]}] Unable to activate plugin {two[1]}"),
    st.from_regex(r"\[\d{4}/\d\d/\d\d \d\d:\d\d:\d\d [A-Z]{3}\] \[EROR\] Failed to start up plugins", fullmatch=True),
    st.from_regex(r"\d{9,11}\.\d{1,9} app1 mattermost\[1\]: ", fullmatch=True),
)


@given(LINES)
def test_no_line_ends_the_reading(line: str) -> None:
    for parse in (parse_log_line, parse_journal_line):
        found = parse(line)
        shown: Any = found.shown("log")
        shown.encode("utf-8")
        assert len(shown) < 500
        assert found.time is None or found.time >= 0
        meaning_of(found)


@given(st.lists(LINES, max_size=6))
def test_no_file_of_lines_ends_the_reading(tmp_path_factory: pytest.TempPathFactory, lines: List[str]) -> None:
    log = tmp_path_factory.mktemp("log") / "mattermost.log"
    log.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    for since in (None, 0.0, 1.6e9):
        read_log(str(log), str(log), since, INTERESTING, UNIMPORTANT, 100, 100)
