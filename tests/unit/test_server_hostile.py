"""What stands in the place of a server may say anything, slowly and without end: only the project's errors, in time."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils import _server
from ansible_collections.plugops.mattermost.plugins.module_utils._connection import SLOWEST
from ansible_collections.plugops.mattermost.plugins.module_utils._errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._server import Server, server_at_address
from ansible_collections.plugops.mattermost.plugins.module_utils._server_errors import ServerUnreachable, WrongAnswer
from ansible_collections.plugops.mattermost.plugins.module_utils._transfer import Transfer
from ansible_collections.plugops.mattermost.plugins.module_utils._uploader import Uploader
from ansible_collections.plugops.mattermost.plugins.module_utils._version import ServerVersion
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

VERSION_ID = b"X-Version-Id: 9.10.0.9.10.0.abcdef.false\r\n"
SECONDS = 0.2  # what a request may take here; a whole test of one may take somewhat more
LONGEST = 3000  # characters of an error
BUFFERS = 32 * 1024 * 1024  # what lies between the two in the kernel at most
quick = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


class Speech(NamedTuple):
    """What is answered to each request.

    :param head: at once
    :param again: then again and again until the other side has enough; empty: never
    :param pause: seconds between two of them
    :param closes: the connection is closed after the head, else kept open
    """

    head: bytes
    again: bytes = b""
    pause: float = 0.0
    closes: bool = True


class Stranger:
    """Listens on the loopback and holds its speech."""

    def __init__(self) -> None:
        self.speech = Speech(b"")
        self.sent = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def says(self, head: bytes, **how: Any) -> None:
        self.speech = Speech(head, **how)
        self.sent = 0

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._speak, args=(connection, self.speech), daemon=True).start()

    def _speak(self, connection: socket.socket, speech: Speech) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(30)
            connection.recv(65536)
            connection.sendall(speech.head)
            while speech.again:
                connection.sendall(speech.again)
                self.sent += len(speech.again)
                time.sleep(speech.pause)
            while not speech.closes and connection.recv(65536):
                pass


@pytest.fixture(scope="module")
def stranger() -> Iterator[Stranger]:
    found = Stranger()
    yield found
    found.close()


@pytest.fixture(autouse=True)
def _little_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_server, "_QUICK", SECONDS)
    monkeypatch.setattr(_server, "_SLOW", SECONDS)
    monkeypatch.setattr(_server, "_LARGE_LIMIT", 64 * 1024)


def client(stranger: Stranger, knows_version: bool = True) -> Server:
    found = server_at_address(f"127.0.0.1:{stranger.port}", tls=False)
    assert found is not None
    if knows_version:
        found._version = ServerVersion(9, 10)
    return found


BUNDLE = Path(__file__)
ASKED: Dict[str, Callable[[Server], Any]] = {
    "plugins": lambda server: server.plugins(),
    "running": lambda server: server.running(),
    "statuses": lambda server: server.statuses(),
    "webapps": lambda server: server.webapps(),
    "plugin_system": lambda server: server.plugin_system(),
    "get_config": lambda server: server.get_config(),
    "patch_config": lambda server: server.patch_config({"A": {"B": 1}}),
    "reload_config": lambda server: server.reload_config(),
    "upload": lambda server: server.upload(str(BUNDLE), True),
    "enable": lambda server: server.enable("x"),
    "disable": lambda server: server.disable("x"),
    "remove": lambda server: server.remove("x"),
    "login": lambda server: server.login("a", "b"),
    "logout": lambda server: server.logout("a"),
    "check_settings": lambda server: Uploader(server).check_settings(),
    "disable_unknown": lambda server: Uploader(server)._save_disabled("x"),
    "is_enabled": lambda server: Uploader(server)._is_enabled("x"),
}


@contextlib.contextmanager
def in_time(seconds: float = 5 * SECONDS + 2) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


def ask(server: Server, name: str) -> Optional[OperatorError]:
    """The error that a request ends with; None where it ends with none."""
    found: List[OperatorError] = []
    with in_time():
        try:
            ASKED[name](server)
        except OperatorError as error:
            found.append(error)
    assert all(len(str(error)) < LONGEST for error in found)
    return found[0] if found else None


def body(value: bytes, head: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + head + b"Content-Length: %d\r\n\r\n" % len(value) + value


# Without end.


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"HTTP/1.1 500 No\r\n\r\n",
        b"HTTP/1.1 302 No\r\nLocation: /\r\n\r\n",
        b"HTTP/1.1 200 ",
        b"HTTP/1.1 200 OK\r\nX: ",
        b"",
    ],
)
@pytest.mark.parametrize("name", ["plugins", "get_config", "upload"])
def test_a_body_without_end(stranger: Stranger, head: bytes, name: str) -> None:
    stranger.says(head, again=b"[" * 65536)
    error = ask(client(stranger), name)
    assert error is not None
    assert error.remedy
    assert stranger.sent < BUFFERS


@pytest.mark.parametrize(
    ("head", "again"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
    ],
)
def test_lines_without_end(stranger: Stranger, head: bytes, again: bytes) -> None:
    stranger.says(head, again=again * 1000)
    error = ask(client(stranger), "plugins")
    assert error is not None


@pytest.mark.parametrize("name", [*ASKED, "version"])
@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
        b"HTTP/1.1 500 OK\r\nContent-Length: 1000\r\n\r\n",
    ],
)
def test_a_byte_now_and_then(stranger: Stranger, head: bytes, name: str) -> None:
    stranger.says(head, again=b" ", pause=SECONDS / 4)
    server = client(stranger, name != "version")
    with in_time(), pytest.raises(OperatorError) as raised:
        ASKED.get(name, lambda server: server.version())(server)
    assert "timed out" in raised.value.found


def test_a_large_upload_earns_no_time_for_a_slow_answer(stranger: Stranger, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.write_bytes(bytes(3 * SLOWEST))  # sent at once, and worth 3 seconds
    stranger.says(b"HTTP/1.1 201 C\r\n\r\n", again=b" ", pause=SECONDS / 4)
    with in_time(1.5), pytest.raises(ServerUnreachable, match=f"not done within {SECONDS:g} s"):
        client(stranger).upload(str(bundle), force=True)


# Garbage.

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(
    [
        *("active", "inactive", "id", "version", "plugin_id", "state", "message", "error", "x", "A"),
        *("PluginSettings", "PluginStates", "Plugins", "Enable", "EnableUploads", "RequirePluginSignature"),
        *("FileSettings", "MaxFileSize"),
    ]
)
SHAPED = st.recursive(
    JSON, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
BODIES = SHAPED.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=200)
HEADS = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.0 201 C", b"HTTP/1.1 500 N", b"HTTP/1.1 204 N", b"HTTP/1.1 101 S"]
)
FIELDS = st.lists(
    st.sampled_from(
        [
            *(b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: \xb2", b"Content-Length: 9" + b"9" * 5000),
            *(b"Transfer-Encoding: chunked", b"Token: a\x00b", b"Token: \xe4", b"Location: http://[::1"),
            *(
                VERSION_ID[:-2],
                b"X-Version-Id: \xb2.\xb2.\xb2",
                b"X-Version-Id: 99999999999999999999.1.1",
                b": x",
                b"\xff",
            ),
        ]
    )
    | st.binary(max_size=20),
    max_size=3,
)
ANSWERS = st.builds(
    lambda head, fields, data: b"\r\n".join([head, *fields, b"", data]), HEADS, FIELDS, BODIES
) | st.binary(max_size=100)


@quick
@given(answer=ANSWERS, name=st.sampled_from([*ASKED, "version"]), closes=st.booleans())
@example(b"HTTP/1.1 200 OK\r\nToken: \xe4\r\n\r\n", "login", True)
@example(b"HTTP/1.1 200 OK\r\nToken: a\r\n b\r\n\r\n", "login", True)
def test_any_answer(stranger: Stranger, answer: bytes, name: str, closes: bool) -> None:
    stranger.says(answer, closes=closes)
    server = client(stranger, name != "version")
    with in_time(), contextlib.suppress(OperatorError):
        ASKED.get(name, lambda server: server.version())(server)


@settings(quick, max_examples=300)
@given(value=SHAPED, name=st.sampled_from(list(ASKED)))
@example([], "plugins")
@example({"active": {}}, "plugins")
@example({"active": [None]}, "running")
@example({"active": [{"id": 5}]}, "running")
@example({"active": [{"id": "x", "version": []}]}, "running")
@example({"PluginSettings": []}, "check_settings")
@example({"PluginSettings": {"PluginStates": []}}, "is_enabled")
@example({"PluginSettings": {"PluginStates": {"x": 1}}}, "is_enabled")
@example({"PluginSettings": {"PluginStates": {"x": [1]}}}, "disable_unknown")
def test_json_of_any_types(stranger: Stranger, value: Any, name: str) -> None:
    stranger.says(body(json.dumps(value).encode()))
    error = ask(client(stranger), name)
    assert error is None or error.problem


@pytest.mark.parametrize("name", ["plugins", "get_config", "statuses", "webapps"])
@pytest.mark.parametrize(
    "data", [b"[" * 60_000, b'{"a":' * 5000 + b"1" + b"}" * 5000, b"9" * 50_000, b"\xff", b"NaN", b"1e999", b"'x'"]
)
def test_json_that_no_server_writes(stranger: Stranger, data: bytes, name: str) -> None:
    stranger.says(body(data))
    assert isinstance(ask(client(stranger), name), WrongAnswer)


@pytest.mark.parametrize(
    "address", ["a" * 64 + ":80", "a..b:80", ".:80", "\ud800:80", "a\x00b:80", "xn--a" + "é" * 60 + ":1"]
)
def test_a_name_that_no_host_has(address: str) -> None:
    server = server_at_address(address, tls=False)
    if server is not None:
        with pytest.raises(ServerUnreachable) as raised:
            server.version()
        assert raised.value.remedy


# Downloads.

LIMIT = 1000
DOWNLOAD_FIELDS = st.lists(
    st.sampled_from(
        [
            *(b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: \xb2", b"Content-Length: 9" + b"9" * 5000),
            *(b"Content-Range: bytes 3-9/10", b"Content-Range: bytes 0-9/10", b"Content-Range: bytes \xb2-9/10"),
            *(
                b"Content-Range: bytes " + b"9" * 5000 + b"-1/*",
                b"Transfer-Encoding: chunked",
                b"Location: http://[::1",
            ),
            *(b"Location: http://localhost:99999/", b"Location: http://localhost:x/", b"Location: /\x00 b"),
            *(
                b"Location: http://" + b"a" * 64 + b"/",
                b"Location: //",
                b"Location: \xff",
                b"Location: file:///etc/passwd",
            ),
        ]
    ),
    max_size=3,
)
DOWNLOAD_HEADS = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.1 206 P", b"HTTP/1.1 302 F", b"HTTP/1.1 416 R", b"HTTP/1.1 308 P", b"HTTP/1.1 204 N"]
)
DOWNLOADS = st.builds(
    lambda head, fields, data: b"\r\n".join([head, *fields, b"", data]),
    DOWNLOAD_HEADS,
    DOWNLOAD_FIELDS,
    st.binary(max_size=40) | st.just(b"-5\r\n" + b"x" * 5000) | st.just(b"x" * (LIMIT + 1)),
)


class File(io.BytesIO):
    """As a file opened for appending; keeps how large it was at most."""

    most = 0

    def write(self, data: Any) -> int:
        self.seek(0, io.SEEK_END)
        count = super().write(data)
        self.most = max(self.most, len(self.getvalue()))
        return count


def fetch(stranger: Stranger, begun: bytes = b"") -> File:
    out = File(begun)
    transfer = Transfer(SECONDS, None)
    transfer._slack = 2 * SECONDS
    with in_time(), contextlib.suppress(OperatorError):
        transfer.fetch(f"http://127.0.0.1:{stranger.port}/b", out, LIMIT)
    return out


@quick
@given(answer=DOWNLOADS | st.binary(max_size=100), begun=st.binary(max_size=5), closes=st.booleans())
def test_any_download(
    stranger: Stranger, monkeypatch: pytest.MonkeyPatch, answer: bytes, begun: bytes, closes: bool
) -> None:
    monkeypatch.setenv("NETRC", "/dev/null/none")
    monkeypatch.setenv("no_proxy", "*")
    stranger.says(answer, closes=closes)
    assert fetch(stranger, begun).most <= LIMIT


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n",
        b"HTTP/1.1 302 OK\r\nLocation: /\r\n\r\n",
        b"HTTP/1.1 404 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
    ],
)
@pytest.mark.parametrize("pause", [0.0, SECONDS / 4])
def test_a_download_without_end(stranger: Stranger, monkeypatch: pytest.MonkeyPatch, head: bytes, pause: float) -> None:
    monkeypatch.setenv("no_proxy", "*")
    stranger.says(head, again=b"x" * (1 if pause else 65536), pause=pause)
    assert fetch(stranger).most <= LIMIT
    assert stranger.sent < BUFFERS
