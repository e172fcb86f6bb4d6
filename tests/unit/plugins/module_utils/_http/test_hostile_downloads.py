# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Download servers that lie, repeat themselves, redirect to nonsense or are very slow: a clear error, soon."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._http.downloads import Downloads
from ansible_collections.plugops.mattermost.plugins.module_utils._http.transfer import Transfer
from hypothesis import given, settings
from hypothesis import strategies as st

from plugops_tests.servers.raw_server import RawServer, Script, raw_server, repeats, says
from plugops_tests.support.playbooks import REPOSITORY

LIMIT = 100_000
OK = b"HTTP/1.1 200 OK\r\n"
MOVED = b"HTTP/1.1 302 X\r\n"


@pytest.fixture(autouse=True)
def _plain_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "NETRC"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="module")
def raw() -> Iterator[RawServer]:
    with raw_server() as server:
        yield server


def fetch(raw: RawServer, path: Path, script: Script, *, timeout: float = 0.2, slack: float = 0.5) -> bool:
    raw.script = script
    with path.open("ab") as out:
        return Transfer(timeout, None, slack, rate=10_000_000).fetch(raw.url, out, LIMIT)


@pytest.mark.parametrize("length", [b"\xb2", b"-1", b"+5", b"1_0", b"0x10", b"", b"5, 5", b"1e3"])
def test_a_length_that_is_none(raw: RawServer, tmp_path: Path, length: bytes) -> None:
    with pytest.raises(OperatorError, match="not what servers answer") as raised:
        fetch(raw, tmp_path / "b", says(OK + b"Content-Length: " + length + b"\r\n\r\nabc"))
    assert raised.value.found.startswith("Content-Length: ")
    assert raised.value.where == raw.url


@pytest.mark.parametrize("length", [b"100001", b"99999999999999999999", b"9" * 5000])
def test_a_length_beyond_the_limit(raw: RawServer, tmp_path: Path, length: bytes) -> None:
    with pytest.raises(OperatorError, match="too large"):
        fetch(raw, tmp_path / "b", says(OK + b"Content-Length: " + length + b"\r\n\r\n" + b"x" * 200_000))
    assert (tmp_path / "b").stat().st_size == 0


@pytest.mark.parametrize(
    "script",
    [
        repeats(OK + b"\r\n", b"x" * 65536),
        repeats(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n"),
        repeats(OK + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n"),
    ],
)
def test_a_file_without_end(raw: RawServer, tmp_path: Path, script: Script) -> None:
    with pytest.raises(OperatorError, match="too large") as raised:
        fetch(raw, tmp_path / "b", script, timeout=5)
    assert "download_limit" in raised.value.remedy
    assert (tmp_path / "b").stat().st_size <= LIMIT


def test_more_than_the_told_length_is_not_taken(raw: RawServer, tmp_path: Path) -> None:
    fetch(raw, tmp_path / "b", says(OK + b"Content-Length: 3\r\n\r\n" + b"abcdef" * 1000))
    assert (tmp_path / "b").read_bytes() == b"abc"


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1])
def test_the_limit_is_exact(raw: RawServer, tmp_path: Path, size: int) -> None:
    script = says(OK + b"\r\n" + b"x" * size)
    with contextlib.nullcontext() if size == LIMIT else pytest.raises(OperatorError, match="too large"):
        fetch(raw, tmp_path / "b", script)
    assert (tmp_path / "b").stat().st_size in (0, 65536, LIMIT)
    assert size > LIMIT or (tmp_path / "b").stat().st_size == LIMIT


@pytest.mark.parametrize(
    "location",
    [
        b"http://[::1",
        b"http://localhost:99999/",
        b"http://localhost:x/",
        b"http://127.0.0.1:1/\x00a b",
        b"http://me:s3cr3t@127.0.0.1/b",
        b"http://" + b"a" * 300 + b"/",
        b"http://a..b/",
        b"\xff\xfe://",
        b"//[",
    ],
)
def test_a_redirect_to_nowhere(raw: RawServer, tmp_path: Path, location: bytes) -> None:
    script = says(MOVED + b"Location: " + location + b"\r\nContent-Length: 0\r\n\r\n")
    began = time.monotonic()
    with pytest.raises(OperatorError) as raised:
        fetch(raw, tmp_path / "b", script)
    assert raised.value.where == raw.url
    assert "s3cr3t" not in str(raised.value)
    assert time.monotonic() - began < 5


def test_a_redirect_in_a_circle_and_one_without_end(raw: RawServer, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="more than 10 redirects"):
        fetch(raw, tmp_path / "b", says(MOVED + b"Location: /b\r\nContent-Length: 0\r\n\r\n"), slack=10)
    raw.requests.clear()
    with pytest.raises(OperatorError, match="more than 10 redirects"):
        fetch(raw, tmp_path / "b", repeats(MOVED + b"Location: /b\r\n\r\n", b"x" * 1_000_000), slack=10)
    assert len(raw.requests) == 11, "what comes with a redirect is not read"


@pytest.mark.parametrize(
    "content_range",
    [b"bytes 3-\xb2/10", b"bytes " + b"9" * 5000 + b"-1/2", b"bytes 3-9", b"", b"bytes -3-9/10", b"3-9/10"],
)
def test_a_part_of_nonsense(raw: RawServer, tmp_path: Path, content_range: bytes) -> None:
    (tmp_path / "b").write_bytes(b"abc")
    script = says(b"HTTP/1.1 206 P\r\nContent-Range: " + content_range + b"\r\nContent-Length: 7\r\n\r\ndefghij")
    with pytest.raises(OperatorError, match="cut off again and again"):
        fetch(raw, tmp_path / "b", script, slack=10)
    assert (tmp_path / "b").read_bytes() == b""


# very slowly


@pytest.mark.parametrize(
    ("beginning", "part"),
    [
        (b"", b"H"),
        (OK, b"X: y\r\n"),
        (OK + b"\r\n", b"x"),
        (OK + b"Content-Length: 90000\r\n\r\n", b"x"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (MOVED + b"Location: /b\r\n", b"X: y\r\n"),
    ],
)
def test_a_byte_now_and_then(raw: RawServer, tmp_path: Path, beginning: bytes, part: bytes) -> None:
    began = time.monotonic()
    with pytest.raises(OperatorError, match=r"too slow|again and again") as raised:
        fetch(raw, tmp_path / "b", repeats(beginning, part, pause=0.05))
    assert "run again" in raised.value.remedy
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("ranges", [True, False])
def test_a_few_bytes_of_each_connection(raw: RawServer, tmp_path: Path, ranges: bool) -> None:
    """Each attempt brings something, and all of them never an end."""

    sent = [0]

    def script(connection: socket.socket, request: bytes) -> None:
        offset = int(request.partition(b"bytes=")[2].partition(b"-")[0] or 0) if ranges else 0
        head = b"HTTP/1.1 206 P\r\nContent-Range: bytes %d-9/*\r\n" % offset if offset else OK
        sent[0] += 1
        connection.sendall(head + b"Content-Length: 90000\r\n\r\n" + b"x" * (1 if ranges else sent[0]))

    began = time.monotonic()
    with pytest.raises(OperatorError, match="too slow"):
        fetch(raw, tmp_path / "b", script)
    assert time.monotonic() - began < 3


def test_an_honest_slow_line_is_fast_enough(raw: RawServer, tmp_path: Path) -> None:
    """What is slower than the first seconds allow, and faster than the least rate."""

    def script(connection: socket.socket, request: bytes) -> None:
        connection.sendall(OK + b"Content-Length: 96000\r\n\r\n")
        for _ in range(32):
            connection.sendall(b"x" * 3000)
            time.sleep(0.05)  # the line has 60 KB in a second

    raw.script = script
    began = time.monotonic()
    with (tmp_path / "b").open("ab") as out:
        Transfer(0.5, None, 1.3, rate=20_000).fetch(raw.url, out, LIMIT)
    assert time.monotonic() - began > 1.3
    assert (tmp_path / "b").stat().st_size == 96_000


MEASURED = """
import resource, sys, tempfile
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._http.transfer import Transfer
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with tempfile.TemporaryFile() as out:
    try:
        Transfer(1, None, 2).fetch(sys.argv[1], out, 100_000_000)
    except OperatorError as error:
        print(error, file=sys.stderr)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize(
    "script",
    [
        repeats(OK + b"\r\n", b" " * 1_000_000),
        repeats(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"-1\r\n" + b" " * 1_000_000),
        repeats(MOVED + b"Location: /b\r\n\r\n", b" " * 1_000_000),
        repeats(b"HTTP/1.1 500 No\r\n\r\n", b" " * 1_000_000),
        repeats(b"HTTP/1.1 200 " + b"y" * 60_000 + b"\r\n", b"X: y\r\n" * 1000),
    ],
    ids=["body", "negative chunk", "redirect", "error", "headers"],
)
def test_no_answer_fills_the_memory(raw: RawServer, script: Script) -> None:
    raw.script = script
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "collections")}
    command = [sys.executable, "-c", MEASURED, raw.url]
    began = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr
    assert int(done.stdout) < 30 * 1024
    assert time.monotonic() - began < 10


# nonsense


LINES = st.lists(
    st.sampled_from(
        [
            b"Content-Length: 3",
            b"Content-Length: \xb2",
            b"Content-Length: -3",
            b"Content-Length: 1" + b"0" * 30,
            b"Content-Range: bytes 0-2/3",
            b"Content-Range: bytes 1-2/3",
            b"Content-Range: bytes */3",
            b"Transfer-Encoding: chunked",
            b"Location: http://[::1",
            b"Location: /b",
            b"Location: //",
            b"Location: https://127.0.0.1:1/",
            b"Location: \x00",
            b" folded",
            b"\xff\xfe",
            b"Content-Encoding: gzip",
        ]
    ),
    max_size=5,
)
STATUS = st.sampled_from([200, 206, 206, 301, 302, 303, 307, 308, 304, 400, 401, 407, 416, 500, 100, 999]).map(
    lambda number: b"HTTP/1.1 %d X" % number
)
CONTENT = st.one_of(
    st.binary(max_size=50), st.sampled_from([b"abc", b"3\r\nabc\r\n0\r\n\r\n", b"-5\r\nabcdefgh", b"ffffffffff\r\n"])
)
ANSWERS = st.one_of(
    st.binary(max_size=200),
    st.builds(lambda status, lines, content: b"\r\n".join([status, *lines, b"", content]), STATUS, LINES, CONTENT),
)


@settings(max_examples=150, deadline=None)
@given(answer=ANSWERS, kept=st.sampled_from([b"", b"a"]))
def test_nothing_but_the_projects_own_errors(
    raw: RawServer, tmp_path_factory: pytest.TempPathFactory, answer: bytes, kept: bytes
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    sha256 = hashlib.sha256(b"abc").hexdigest()
    (cache / "bundles").mkdir()
    (cache / "bundles" / f"{sha256}.tar.gz.part").write_bytes(kept)
    raw.script = says(answer)
    began = time.monotonic()
    try:
        path = Downloads(str(cache), Transfer(0.2, None, 0.5, rate=10_000_000), LIMIT).bundle(raw.url, sha256)
    except OperatorError:
        assert not (cache / "bundles" / f"{sha256}.tar.gz").exists()
    else:
        assert Path(path).read_bytes() == b"abc"
    assert time.monotonic() - began < 3
