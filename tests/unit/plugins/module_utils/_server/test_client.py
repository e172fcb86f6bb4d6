# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API client against real HTTP servers: on a unix socket, on loopback, over TLS, well and badly behaved."""

from __future__ import annotations

import contextlib
import email
import email.message
import http.client
import json
import os
import random
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple, Type

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.server_version import ServerVersion
from ansible_collections.plugops.mattermost.plugins.module_utils._http.connection import Deadline
from ansible_collections.plugops.mattermost.plugins.module_utils._server.client import (
    Server,
    server_at_address,
    server_at_socket,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._server.errors import (
    AccessDenied,
    PluginNotInstalled,
    PluginsDisabled,
    RequestRefused,
    ServerError,
    ServerUnreachable,
    WrongAnswer,
)

VERSION_ID = "9.10.0.9.10.0.abcdef.false"


class Request(NamedTuple):
    method: str
    path: str
    headers: Dict[str, str]
    body: bytes


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: Dict[str, str] = {}


class Partner(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Answers every request as ``answer`` says, and keeps what it was asked."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, family: int, address: Any) -> None:
        self.address_family = family
        self.requests: List[Request] = []
        self.answer: Callable[[Request], Answer] = lambda _: Answer(200, b"{}")
        self.version_id: Optional[str] = VERSION_ID
        super().__init__(address, _Handler)

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up early is part of the tests."""

    def says(self, status: int, body: Any, **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answer = lambda _: Answer(status, content, headers)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Partner

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        self.server.requests.append(request)
        answer = self.server.answer(request)
        self.send_response(answer.status)
        if self.server.version_id is not None:
            self.send_header("X-Version-Id", self.server.version_id)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = do_DELETE = _serve

    def address_string(self) -> str:
        return "partner"

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are kept, not printed."""


def _listen(kind: str, directory: Path) -> Tuple[int, Any]:
    return (socket.AF_UNIX, str(directory / "s")) if kind == "unix" else (socket.AF_INET, ("127.0.0.1", 0))


def _client(kind: str, address: Any) -> Server:
    if kind == "unix":
        return server_at_socket(str(address))
    server = server_at_address(f"127.0.0.1:{address[1]}", tls=False)
    assert server is not None
    return server


@pytest.fixture(params=["unix", "tcp"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def partner(kind: str, tmp_path: Path) -> Iterator[Partner]:
    with Partner(*_listen(kind, tmp_path)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def client(kind: str, partner: Partner) -> Server:
    return _client(kind, partner.server_address)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "b.tar.gz"
    path.write_bytes(b"\x1f\x8b\r\n\r\n--\n\r" + random.Random(3).randbytes(700_000))
    return path


# what is asked


def test_version_is_asked_once(client: Server, partner: Partner) -> None:
    partner.answer = lambda _: Answer(200, b'{"status": "OK"}')
    assert client.version() == client.version() == ServerVersion(9, 10)
    assert [(request.method, request.path) for request in partner.requests] == [("GET", "/api/v4/system/ping")]


@pytest.mark.parametrize(
    ("ask", "method", "path", "body"),
    [
        (lambda server: server.get_config(), "GET", "/config", b""),
        (lambda server: server.patch_config({"A": {"B": "ä"}}), "PUT", "/config/patch", b'{"A": {"B": "\\u00e4"}}'),
        (lambda server: server.reload_config(), "POST", "/config/reload", b""),
        (lambda server: server.enable("com.x"), "POST", "/plugins/com.x/enable", b""),
        (lambda server: server.disable("com.x"), "POST", "/plugins/com.x/disable", b""),
        (lambda server: server.remove("com.x"), "DELETE", "/plugins/com.x", b""),
        (lambda server: server.remove("../a b/c?d"), "DELETE", "/plugins/..%2Fa%20b%2Fc%3Fd", b""),
        (lambda server: server.enable("a/b"), "POST", "/plugins/a%2Fb/enable", b""),
        (lambda server: server.disable("a/b"), "POST", "/plugins/a%2Fb/disable", b""),
    ],
)
def test_requests(
    client: Server, partner: Partner, ask: Callable[[Server], Any], method: str, path: str, body: bytes
) -> None:
    partner.says(200, {"status": "OK"})
    client.version()
    partner.requests.clear()
    ask(client)
    (request,) = partner.requests
    assert (request.method, request.path, request.body) == (method, f"/api/v4{path}", body)
    assert request.headers.get("content-type", "application/json") == "application/json"


def test_plugins(client: Server, partner: Partner) -> None:
    partner.says(200, {"active": [{"id": "a"}], "inactive": None})
    assert client.plugins() == {"active": [{"id": "a", "version": ""}], "inactive": []}


@pytest.mark.parametrize("force", [True, False])
def test_upload_as_an_independent_parser_reads_it(client: Server, partner: Partner, bundle: Path, force: bool) -> None:
    partner.says(201, {"id": "com.x", "version": "1.0.0"})
    assert client.upload(str(bundle), force=force)["id"] == "com.x"
    (request,) = partner.requests
    assert (request.method, request.path) == ("POST", "/api/v4/plugins")
    assert "transfer-encoding" not in request.headers
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + request.body)
    assert message.get_content_type() == "multipart/form-data"
    assert not message.defects
    parts = {part.get_param("name", header="content-disposition"): part for part in _parts(message)}
    assert not any(part.defects for part in parts.values())
    assert set(parts) == ({"force", "plugin"} if force else {"plugin"})
    assert parts["plugin"].get_filename()
    assert parts["plugin"].get_payload(decode=True) == bundle.read_bytes()
    if force:
        assert parts["force"].get_payload(decode=True) == b"true"


def _parts(message: email.message.Message) -> List[email.message.Message]:
    parts = message.get_payload()
    assert isinstance(parts, list)
    return parts  # type: ignore[return-value]


# refusals


def test_refusal_with_an_id_has_its_remedy(client: Server, partner: Partner) -> None:
    error = {
        "id": "app.plugin.upload_disabled.app_error",
        "message": "Plugins and/or plugin uploads have been disabled.",
        "detailed_error": "because",
        "status_code": 501,
    }
    partner.says(501, error)
    with pytest.raises(PluginsDisabled, match=r"have been disabled\. because") as raised:
        client.get_config()
    assert (raised.value.status, raised.value.id) == (501, "app.plugin.upload_disabled.app_error")
    assert "EnableUploads" in raised.value.remedy
    assert client.where in str(raised.value)
    assert "GET /config" in str(raised.value)


@pytest.mark.parametrize(
    ("status", "body", "found"),
    [
        (400, b"http: request body too large\n", "HTTP 400 http: request body too large"),
        (413, b"<html>nginx</html>", "HTTP 413 <html>nginx</html>"),
        (502, b"", "HTTP 502"),
        (500, b"\xff\xfe", "HTTP 500"),
        (500, b"[1, 2]", "HTTP 500 [1, 2]"),
        (500, b'"text"', 'HTTP 500 "text"'),
        (404, b'{"id": null, "message": null}', "HTTP 404"),
        (302, b"", "HTTP 302"),
    ],
)
def test_errors_that_are_no_json(client: Server, partner: Partner, status: int, body: bytes, found: str) -> None:
    partner.says(status, body, Location="/elsewhere")
    with pytest.raises(RequestRefused) as raised:
        client.get_config()
    assert (raised.value.status, raised.value.id) == (status, "")
    assert raised.value.found.startswith(found)
    assert ("MaxFileSize" in raised.value.remedy) == (b"too large" in body or status == 413)


@pytest.mark.parametrize(
    ("status", "error_id", "kind"),
    [
        (401, "api.context.session_expired.app_error", AccessDenied),
        (403, "api.context.permissions.app_error", AccessDenied),
        (403, "", AccessDenied),
        (501, "app.plugin.disabled.app_error", PluginsDisabled),
        (501, "", PluginsDisabled),
        (404, "app.plugin.not_installed.app_error", PluginNotInstalled),
        (400, "app.plugin.not_installed.app_error", PluginNotInstalled),
        (404, "api.context.404.app_error", RequestRefused),
        (500, "app.plugin.config.app_error", RequestRefused),
        (302, "", RequestRefused),
    ],
)
def test_kinds_of_errors(
    client: Server, partner: Partner, status: int, error_id: str, kind: Type[RequestRefused]
) -> None:
    partner.says(status, {"id": error_id, "message": "…"})
    with pytest.raises(ServerError) as raised:
        client.plugins()
    assert type(raised.value) is kind


def test_long_error_is_cut(client: Server, partner: Partner) -> None:
    partner.says(500, b"x" * 1_000_000)
    with pytest.raises(RequestRefused) as raised:
        client.get_config()
    assert len(str(raised.value)) < 1000


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[]", b"null", b'"x"', b"\xff", b"3"])
@pytest.mark.parametrize("ask", [lambda server: server.plugins(), lambda server: server.get_config()])
def test_answer_that_is_not_what_the_api_gives(
    client: Server, partner: Partner, body: bytes, ask: Callable[[Server], Any]
) -> None:
    partner.says(200, body)
    with pytest.raises(WrongAnswer, match="not what servers answer") as raised:
        ask(client)
    assert client.where in raised.value.where


def test_empty_success(client: Server, partner: Partner) -> None:
    partner.says(200, b"")
    client.enable("x")
    partner.says(200, b"\n")
    assert client.plugins() == {"active": [], "inactive": []}


@pytest.mark.parametrize(("status", "state"), [(200, "on"), (501, "off")])
def test_plugin_system(client: Server, partner: Partner, status: int, state: str) -> None:
    partner.says(status, [])
    assert client.plugin_system() == state
    assert partner.requests[0].path == "/api/v4/plugins/webapp"


def test_plugin_system_that_cannot_be_asked(client: Server, partner: Partner) -> None:
    partner.says(404, {"id": "api.context.404.app_error", "message": "Sorry"})
    with pytest.raises(RequestRefused, match=r"api\.context\.404"):
        client.plugin_system()


# partners that are no Mattermost

Raw = Callable[[Callable[[socket.socket], None]], Server]


@pytest.mark.parametrize("version_id", [None, "", "nginx/1.2", "v", "5"])
def test_a_web_server_that_is_no_mattermost(client: Server, partner: Partner, version_id: Optional[str]) -> None:
    partner.version_id = version_id
    with pytest.raises(ServerUnreachable, match="no Mattermost server") as raised:
        client.version()
    assert client.where in str(raised.value)


@pytest.fixture
def raw(kind: str, tmp_path: Path) -> Iterator[Raw]:
    """Listens and hands every connection to a script; gives the client for it."""
    family, address = _listen(kind, tmp_path)
    listener = socket.socket(family)
    listener.bind(address)
    listener.listen()
    threads: List[threading.Thread] = []

    def serve(script: Callable[[socket.socket], None]) -> Server:
        def accept() -> None:
            with contextlib.suppress(OSError):  # the listener is closed
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        script(connection)

        threads.append(threading.Thread(target=accept))
        threads[0].start()
        return _client(kind, listener.getsockname())

    yield serve
    listener.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join(10)
    listener.close()


@pytest.mark.parametrize(
    "speech",
    [
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"",
        b"\x00\xff" * 100,
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_a_partner_that_speaks_something_else(raw: Raw, speech: bytes) -> None:
    def script(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(speech)

    client = raw(script)
    with pytest.raises(ServerUnreachable) as raised:
        client.version()
    assert client.where in str(raised.value)
    assert raised.value.remedy


def test_nobody_listens(kind: str, tmp_path: Path) -> None:
    family, address = _listen(kind, tmp_path)
    with socket.socket(family) as listener:
        listener.bind(address)
        client = _client(kind, listener.getsockname())
        with pytest.raises(ServerUnreachable, match="refused"):
            client.version()
    if kind == "unix":
        os.unlink(address)
        with pytest.raises(ServerUnreachable, match="No such file"):
            client.version()


def _take(connection: socket.socket, count: int) -> None:
    while count > 0:
        count -= len(connection.recv(min(count, 65536)) or b" " * count)


def _refuse_early(status_line: bytes, error: bytes, read: int, drain: int) -> Callable[[socket.socket], None]:
    """Answer after ``read`` bytes of the upload, take ``drain`` more and close, as Go's HTTP server does."""

    def script(connection: socket.socket) -> None:
        _take(connection, read)
        head = b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % (status_line, len(error))
        connection.sendall(head + error)
        connection.shutdown(socket.SHUT_WR)
        _take(connection, drain)

    return script


@pytest.mark.parametrize("drain", [0, 256 * 1024])
@pytest.mark.parametrize(
    ("status_line", "error", "error_id"),
    [
        (b"413 Request Entity Too Large", b"<html>413</html>", ""),
        (b"501 Not Implemented", b'{"id": "app.plugin.upload_disabled.app_error", "message": "m"}', "upload_disabled"),
        (b"400 Bad Request", b"http: request body too large\n", ""),
    ],
)
def test_refused_while_the_upload_is_under_way(
    raw: Raw, tmp_path: Path, status_line: bytes, error: bytes, error_id: str, drain: int
) -> None:
    big = tmp_path / "big.tar.gz"
    with big.open("wb") as out:
        out.truncate(64 * 1024 * 1024)  # more than any socket buffer takes
    client = raw(_refuse_early(status_line, error, 100_000, drain))
    with pytest.raises(RequestRefused) as raised:
        client.upload(str(big), force=True)
    assert raised.value.status == int(status_line[:3])
    assert error_id in raised.value.id
    assert ("MaxFileSize" in raised.value.remedy) == (not error_id)


def test_hung_up_while_the_upload_is_under_way(raw: Raw, tmp_path: Path) -> None:
    big = tmp_path / "big.tar.gz"
    with big.open("wb") as out:
        out.truncate(64 * 1024 * 1024)
    client = raw(lambda connection: _take(connection, 65536))
    with pytest.raises(ServerUnreachable, match="POST /plugins"):
        client.upload(str(big), force=True)


def test_bundle_that_cannot_be_read_is_told_as_what_it_is(client: Server, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        client.upload(str(tmp_path / "missing"), force=True)
    with pytest.raises(IsADirectoryError):
        client.upload(str(tmp_path), force=True)


# time


def test_a_silent_partner_is_left_after_the_timeout(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        asked: List[Deadline] = []

        def connect(deadline: Deadline) -> http.client.HTTPConnection:
            asked.append(deadline)
            return http.client.HTTPConnection("127.0.0.1", port, timeout=0.1)

        server = Server(connect, "the silent one")
        bundle = tmp_path / "b"
        bundle.write_bytes(b"x")
        with pytest.raises(ServerUnreachable, match="timed out"):
            server.version()
        with pytest.raises(ServerUnreachable, match="timed out"):
            server.upload(str(bundle), force=True)
    assert asked[0].seconds <= 15, "a look at a server that hangs must not hold a whole run up"
    assert asked[1].seconds >= 120, "an upload takes as long as unpacking and starting the plugin takes"


def test_no_step_takes_longer_than_the_deadline_leaves(client: Server) -> None:
    now = 100.0
    connection = client._connect(Deadline(5, clock=lambda: now))
    connection.request("GET", "/")
    assert connection.sock.gettimeout() == 5
    now = 103.0
    connection.getresponse()
    assert connection.sock.gettimeout() == 2
    now = 105.0
    with pytest.raises(socket.timeout, match="not done within 5 s"):
        connection.request("GET", "/")
    connection.close()


# addresses


@pytest.mark.parametrize(
    ("address", "where"),
    [
        (":8065", "http://127.0.0.1:8065"),
        ("0.0.0.0:80", "http://127.0.0.1:80"),
        ("[::]:8065", "http://127.0.0.1:8065"),
        ("192.0.2.1:8065", "http://192.0.2.1:8065"),
        ("[::1]:8065", "http://[::1]:8065"),
        ("app.example.com:443", "http://app.example.com:443"),
        ("8065", None),
        ("", None),
        ("host:", None),
        (":\u00b2", None),
        (":99999", None),
    ],
)
def test_listen_addresses(address: str, where: Optional[str]) -> None:
    server = server_at_address(address, tls=False)
    assert (server.where if server else None) == where


def test_ipv6_loopback_is_reached() -> None:
    try:
        partner = Partner(socket.AF_INET6, ("::1", 0))
    except OSError as error:
        pytest.skip(f"no IPv6 on loopback: {error.strerror}")
    with partner:
        thread = threading.Thread(target=partner.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            server = server_at_address(f"[::1]:{partner.server_address[1]}", tls=False)
            assert server is not None
            assert server.version() == ServerVersion(9, 10)
        finally:
            partner.shutdown()
            thread.join()


def test_tls_with_a_certificate_of_another_name(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    key, certificate = str(tmp_path / "key"), str(tmp_path / "certificate")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "1", "-subj", "/CN=chat.example.com", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Partner(socket.AF_INET, ("127.0.0.1", 0)) as partner:
        partner.socket = context.wrap_socket(partner.socket, server_side=True)
        thread = threading.Thread(target=partner.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            address = f":{partner.server_address[1]}"
            server = server_at_address(address, tls=True)
            assert server is not None
            assert server.version() == ServerVersion(9, 10)
            assert server.where == f"https://127.0.0.1{address}"
            plain = server_at_address(address, tls=False)
            assert plain is not None
            with pytest.raises(ServerUnreachable):
                plain.version()
        finally:
            partner.shutdown()
            thread.join()


class Listing(Server):
    """A server that says this of its plugins.

    :param states: id -> state
    """

    def __init__(self, version: str, states: Dict[str, int]) -> None:
        super().__init__(lambda _: http.client.HTTPConnection("127.0.0.1"), "nowhere")
        self._said = ServerVersion(*map(int, version.split(".")))
        self._states = states

    def version(self) -> ServerVersion:
        return self._said

    def plugins(self) -> Dict[str, List[Dict[str, Any]]]:
        active = [{"id": "Runs.It", "version": "1.0"}, {"id": "failed", "version": "2.0"}, {"id": "no.version"}]
        return {"active": active, "inactive": [{"id": "off", "version": "1.0"}]}

    def statuses(self) -> List[Dict[str, Any]]:
        return [{"plugin_id": plugin_id, "state": state} for plugin_id, state in self._states.items()]


@pytest.mark.parametrize(
    ("version", "listed_is_enough"), [("4.6.0", True), ("5.2.0", False), ("5.13.3", False), ("5.14.0", True)]
)
def test_what_runs(version: str, listed_is_enough: bool) -> None:
    found = Listing(version, {"runs.it": 2, "Failed": 3, "off": 0}).running()
    assert found == {"runs.it": "1.0", "no.version": "", **({"failed": "2.0"} if listed_is_enough else {})}


def _dropped(request: Request) -> Answer:
    """The connection ends without an answer."""
    raise ConnectionAbortedError


@pytest.mark.parametrize(("drops", "answered"), [(1, True), (2, False)])
def test_a_question_is_asked_once_more_where_the_connection_is_dropped(
    client: Server, partner: Partner, drops: int, answered: bool
) -> None:
    def answer(request: Request) -> Answer:
        return _dropped(request) if len(partner.requests) <= drops else Answer(200, b'{"A": 1}')

    partner.answer = answer
    if answered:
        assert client.get_config() == {"A": 1}
    else:
        with pytest.raises(ServerUnreachable):
            client.get_config()
    assert len(partner.requests) == 2


def test_a_change_is_asked_for_once(client: Server, partner: Partner) -> None:
    partner.answer = lambda request: _dropped(request) if request.method == "POST" else Answer(200, b"{}")
    with pytest.raises(ServerUnreachable):
        client.enable("com.x")
    assert [request.method for request in partner.requests] == ["GET", "POST"]
