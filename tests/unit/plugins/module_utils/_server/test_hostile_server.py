# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that answer without end, very slowly, or with nonsense: each request ends soon, small and clearly."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.module_utils._core.server_version import ServerVersion
from ansible_collections.plugops.mattermost.plugins.module_utils._http.connection import SLOWEST, Connection, Deadline
from ansible_collections.plugops.mattermost.plugins.module_utils._plugins.uploader import Uploader
from ansible_collections.plugops.mattermost.plugins.module_utils._plugins.wanted import WantedPlugin
from ansible_collections.plugops.mattermost.plugins.module_utils._server import client as client_module
from ansible_collections.plugops.mattermost.plugins.module_utils._server.client import Server, server_at_address
from ansible_collections.plugops.mattermost.plugins.module_utils._server.errors import (
    RequestRefused,
    ServerUnreachable,
    WrongAnswer,
)
from ansible_collections.plugops.mattermost.plugins.module_utils._server.session import ApiAccess
from hypothesis import given, settings
from hypothesis import strategies as st

from plugops_tests.servers.fronts import make_certificate, tls_before
from plugops_tests.servers.raw_server import HEAD, RawServer, Script, body, raw_server, repeats, says
from plugops_tests.support.playbooks import REPOSITORY

MEGABYTE = 1024 * 1024
ASK: Dict[str, Callable[[Server], Any]] = {
    "version": lambda server: server.version(),
    "get_config": lambda server: server.get_config(),
    "patch_config": lambda server: server.patch_config({"PluginSettings": {"Enable": True}}),
    "reload_config": lambda server: server.reload_config(),
    "plugins": lambda server: server.plugins(),
    "running": lambda server: server.running(),
    "plugin_system": lambda server: server.plugin_system(),
    "webapps": lambda server: server.webapps(),
    "statuses": lambda server: server.statuses(),
    "upload": lambda server: server.upload(str(REPOSITORY / "galaxy.yml"), force=True),
    "enable": lambda server: server.enable("com.x"),
    "disable": lambda server: server.disable("com.x"),
    "remove": lambda server: server.remove("com.x"),
    "login": lambda server: server.login("me", "s3cr3t"),
    "logout": lambda server: server.logout("t0ken"),
}


@pytest.fixture(scope="module")
def raw() -> Iterator[RawServer]:
    with raw_server() as server:
        yield server


def hurried(raw: RawServer, seconds: float = 0.4) -> Server:
    """A client with less patience than the modules have."""
    host, port = raw.address
    return Server(lambda _: Connection(host, port, Deadline(seconds)), "the hostile one")


def patient(raw: RawServer) -> Server:
    server = server_at_address("{}:{}".format(*raw.address), tls=False)
    assert server is not None
    return server


def ping_and(script: Script) -> Script:
    """The version as it is asked for, before the rest."""

    def both(connection: socket.socket, request: bytes) -> None:
        (body(b"{}") if b"/system/ping" in request else script)(connection, request)

    return both


def test_every_request_is_tried() -> None:
    requests = {name for name, _ in inspect.getmembers(Server, inspect.isfunction) if name[0] != "_"}
    assert requests == set(ASK)


# without end


@pytest.mark.parametrize("status", [b"200 OK", b"500 Internal Server Error"])
@pytest.mark.parametrize("name", sorted(set(ASK) - {"version"}))
def test_an_answer_without_end(raw: RawServer, name: str, status: bytes) -> None:
    raw.script = ping_and(repeats(HEAD.replace(b"200 OK", status) + b"Token: abc\r\n\r\n", b" " * MEGABYTE))
    began = time.monotonic()
    error = RequestRefused if status[:1] == b"5" else WrongAnswer
    with contextlib.nullcontext() if name == "logout" and error is RequestRefused else pytest.raises(error) as raised:
        ASK[name](patient(raw))
    assert time.monotonic() - began < 5
    if raised is not None and error is WrongAnswer:
        assert raised.value.found.startswith("more than ")
        assert raised.value.wanted == f"at most {raised.value.found.split()[2]} bytes"


def test_the_version_is_in_the_head(raw: RawServer) -> None:
    raw.script = repeats(HEAD + b"\r\n", b" " * MEGABYTE)
    assert patient(raw).version().major == 9


MEASURED = """
import resource, sys
from ansible_collections.plugops.mattermost.plugins.module_utils._server import client as client_module
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
client_module._QUICK = float(sys.argv[3])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    print(type(getattr(client_module.server_at_address(sys.argv[1], False), sys.argv[2])()).__name__)
except OperatorError as error:
    print(type(error).__name__)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
FULL = 4 * MEGABYTE - 10
LISTS = b"[" * 97 + b"]" * 97


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        (repeats(HEAD + b"\r\n", b" " * MEGABYTE), "WrongAnswer"),
        (repeats(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"-1\r\n" + b" " * MEGABYTE), "ServerUnreachable"),
        (repeats(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 10_000), "ServerUnreachable"),
        (repeats(HEAD, b"X: y\r\n" * 1000), "ServerUnreachable"),
        (repeats(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000), "ServerUnreachable"),
        (repeats(HEAD + b"X: ", b"y" * MEGABYTE), "ServerUnreachable"),
        (body(b'{"A": [' + b",".join([LISTS] * (FULL // 195)) + b"]}"), "dict"),
        (body(b'{"A": [' + b",".join([b"{}"] * (FULL // 3)) + b"]}"), "dict"),
        (body(b"[" * FULL), "WrongAnswer"),
        (body(b'{"A": ' + b"9" * FULL + b"}"), "WrongAnswer"),
    ],
    ids=["body", "negative chunk", "chunks", "header lines", "continue", "line", "lists", "objects", "deep", "number"],
)
def test_no_answer_fills_the_memory(raw: RawServer, script: Script, outcome: str) -> None:
    raw.script = ping_and(script)
    endless = outcome == "ServerUnreachable"  # the deadline ends it
    began = time.monotonic()
    command = [sys.executable, "-c", MEASURED, "{}:{}".format(*raw.address), "get_config", "0.5" if endless else "10"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "collections")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    found, kilobytes = done.stdout.split()
    assert found == outcome
    assert int(kilobytes) < 200 * 1024
    assert time.monotonic() - began < 10


# very slowly


@pytest.mark.parametrize(
    ("beginning", "part"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 ", b"2"),
        (HEAD, b"X: y\r\n"),
        (HEAD + b"X: ", b"y"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (HEAD + b"\r\n", b" "),
        (HEAD + b"Content-Length: 1000\r\n\r\n", b" "),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 500 No\r\n\r\n", b"x"),
    ],
)
def test_a_byte_now_and_then(raw: RawServer, beginning: bytes, part: bytes) -> None:
    raw.script = repeats(beginning, part, pause=0.05)
    began = time.monotonic()
    with pytest.raises(ServerUnreachable, match=r"not done within 0\.4 s"):
        hurried(raw).get_config()
    assert time.monotonic() - began < 2


def test_an_address_that_does_not_answer_takes_its_share_alone(raw: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    raw.script = body(b'{"A": 1}')
    with socket.socket() as full, contextlib.ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):  # nobody takes them: whoever comes next gets no answer
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        addresses = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", place) for place in (full.getsockname(), raw.address)]
        found = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", lambda host, *how: addresses if host == "two" else found(host, *how))
        began = time.monotonic()
        assert Server(lambda _: Connection("two", 80, Deadline(1)), "two").get_config() == {"A": 1}
        assert 0.4 < time.monotonic() - began < 1


@pytest.mark.parametrize("proxied", [False, True])
@pytest.mark.parametrize(
    ("beginning", "part"),
    [(b"\x16\x03\x03\x40\x00", b"\x02"), (b"", b"H"), (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")],
    ids=["handshake", "status", "headers"],
)
def test_what_comes_before_an_answer_is_in_the_deadline(
    raw: RawServer, monkeypatch: pytest.MonkeyPatch, proxied: bool, beginning: bytes, part: bytes
) -> None:
    """A TLS handshake, and what a proxy says before it passes on."""
    monkeypatch.setattr(client_module, "_QUICK", 0.4)
    raw.script = repeats(beginning, part, pause=0.05)
    place = "{}:{}".format(*raw.address)
    access = ApiAccess(f"https://{place}", token="t", proxy=f"http://{place}" if proxied else "")
    began = time.monotonic()
    with pytest.raises(OperatorError):
        access.server.version()
    assert time.monotonic() - began < 2


def test_over_tls_each_step_has_what_is_left(raw: RawServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    if certificate is None:
        pytest.skip("openssl is not installed")
    with tls_before(certificate, raw.address) as (host, port):
        access = ApiAccess(f"https://{host}:{port}", token="t", ca_path=str(certificate))
        raw.script = body(b'{"A": 1}')
        assert access.server.get_config() == {"A": 1}
        monkeypatch.setattr(client_module, "_QUICK", 0.2)
        raw.script = repeats(HEAD + b"\r\n", b" ", pause=0.05)
        began = time.monotonic()
        with pytest.raises(ServerUnreachable, match=r"not done within 0\.6"):
            access.server.get_config()
        assert time.monotonic() - began < 2


def test_how_long_a_request_may_take(tmp_path: Path) -> None:
    """As the modules ask: a look is short, a change longer, an upload as long as its size needs."""
    given: List[Deadline] = []

    def connect(deadline: Deadline) -> Connection:
        given.append(deadline)
        raise ConnectionRefusedError

    for ask in ASK.values():
        server = Server(connect, "nowhere")
        server._version = ServerVersion(9, 10)
        with contextlib.suppress(ServerUnreachable):
            ask(server)
    assert max(deadline.seconds for deadline in given) <= 180
    assert [(deadline.rate, deadline.silence) for deadline in given if deadline.sending] == [(SLOWEST, 180)]


def test_an_upload_has_time_for_its_size_and_no_more() -> None:
    now = 0.0
    deadline = Deadline(180, silence=180, rate=SLOWEST, sending=True, clock=lambda: now)
    assert deadline.left() == 180
    deadline.progress(100 * SLOWEST)
    now = 200.0
    assert deadline.left() == 80
    now = 281.0
    with pytest.raises(socket.timeout, match="6553600 bytes in 281 s, less than 65536 in a second"):
        deadline.left()
    deadline.progress(1000 * SLOWEST)
    assert deadline.left() == 180, "nobody is waited for longer than the silence that is allowed"


def test_who_takes_an_upload_byte_by_byte_is_left(raw: RawServer, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    with bundle.open("wb") as out:
        out.truncate(64 * MEGABYTE)

    def script(connection: socket.socket, _: bytes) -> None:
        for _ in range(100):
            connection.recv(1000)
            time.sleep(0.01)  # it is as slow as it can be

    raw.script = script
    deadline = Deadline(0.5, silence=10, rate=100 * MEGABYTE, sending=True)
    client = Server(lambda _: Connection(*raw.address, deadline), "the slow one")
    began = time.monotonic()
    with pytest.raises(ServerUnreachable, match=r"bytes in . s, less than"):
        client.upload(str(bundle), force=True)
    assert time.monotonic() - began < 5


def test_what_a_large_upload_has_earned_is_not_for_waiting(
    raw: RawServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(client_module, "_SLOW", 0.4)
    bundle = tmp_path / "bundle"
    bundle.write_bytes(bytes(4 * SLOWEST))  # sent at once, and worth 4 seconds
    raw.script = repeats(HEAD + b"\r\n", b" ", pause=0.05)
    began = time.monotonic()
    with pytest.raises(ServerUnreachable, match=r"not done within 0\.4 s"):
        patient(raw).upload(str(bundle), force=True)
    assert time.monotonic() - began < 3


# nonsense


@pytest.mark.parametrize(
    "host",
    ["a" * 64, "a..b", ".", "\ud800", "xn--a" + "\xe9" * 60],
    ids=["long", "gap", "dot", "surrogate", "punycode"],
)
def test_a_name_that_no_host_has(host: str) -> None:
    server = server_at_address(f"{host}:80", tls=False)
    assert server is not None
    for client in (server, ApiAccess(f"http://{host}", token="t").server):
        with pytest.raises(ServerUnreachable, match="no host has this name") as raised:
            client.version()
        assert "ListenAddress" in raised.value.remedy


LISTS_OF_PLUGINS = {"plugins", "running", "webapps", "plugin_system", "statuses"}


@pytest.mark.parametrize("value", ["3", '"x"', "true", "{}", "[1]", '[{"id": 3}]', '[{"id": null}]', "[null]", "[{}]"])
@pytest.mark.parametrize("name", sorted(LISTS_OF_PLUGINS))
def test_lists_of_plugins_hold_plugins(raw: RawServer, name: str, value: str) -> None:
    content = value.replace('"id"', '"plugin_id"') if name == "statuses" else value
    if name in ("plugins", "running"):
        content = f'{{"active": {content}, "inactive": []}}'
    raw.script = ping_and(body(content.encode()))
    if name == "statuses" and value == "{}":
        assert hurried(raw).statuses() == []
        return
    with pytest.raises(WrongAnswer, match="not what servers answer"):
        ASK[name](hurried(raw))


@pytest.mark.parametrize("plugin_id", ["", "x" * 257])
@pytest.mark.parametrize("version", ['"1"', "1", "null", '{"a": 1}', f'"{"1" * 257}"'])
def test_ids_and_versions(raw: RawServer, plugin_id: str, version: str) -> None:
    raw.script = body(f'{{"active": [{{"id": "{plugin_id}", "version": {version}}}]}}'.encode())
    with pytest.raises(WrongAnswer):
        hurried(raw).plugins()
    raw.script = body(f'{{"active": [{{"id": "Com.X", "version": {version}}}]}}'.encode())
    if version in ('"1"', "null"):
        assert hurried(raw).running() == {"com.x": json.loads(version) or ""}
    else:
        with pytest.raises(WrongAnswer):
            hurried(raw).running()


CONFIGS: List[Any] = [
    *([], None, 3, "x", {"PluginSettings": 3}, {"PluginSettings": []}, {"PluginSettings": {"Enable": "yes"}}),
    *({"PluginSettings": {"PluginStates": value}} for value in (3, [], "x", {"com.x": 3}, {"com.x": [1]})),
    *({"PluginSettings": {"Plugins": value}} for value in (3, [], {"com.x": "y"})),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_a_configuration_of_other_types(raw: RawServer, config: Any) -> None:
    """Whatever an upload looks at."""
    raw.script = ping_and(body(json.dumps(config).encode()))
    uploader = Uploader(hurried(raw), save_state=lambda *_: None)
    for task in (uploader.check_settings, lambda: uploader.switch("com.x", True)):
        with pytest.raises(OperatorError):
            task()


@pytest.mark.parametrize("limit", ["1", 1.5, True, [], {}])
def test_a_limit_that_is_no_number(raw: RawServer, limit: Any) -> None:
    raw.script = ping_and(body(json.dumps({"FileSettings": {"MaxFileSize": limit}}).encode()))
    with pytest.raises(WrongAnswer, match="MaxFileSize"):
        Uploader(hurried(raw)).check_bundles([WantedPlugin(id="com.x", version="1", size=10)])


def test_an_old_server_whose_section_is_none(raw: RawServer) -> None:
    """Before 5.20 the whole configuration is sent back."""
    old = HEAD.replace(b"9.10.0.9.10.0", b"5.10.0.5.10.0") + b"Content-Length: 21\r\n\r\n"
    raw.script = says(old + b'{"PluginSettings": 3}')
    with pytest.raises(WrongAnswer, match="PluginSettings"):
        hurried(raw).patch_config({"PluginSettings": {"Enable": True}})


@pytest.mark.parametrize("token", [b"a b", b"a\xff", b"x\r\n y", b"x" * 5000])
def test_a_token_that_is_none(raw: RawServer, token: bytes) -> None:
    raw.script = says(HEAD + b"Token: " + token + b"\r\nContent-Length: 2\r\n\r\n{}")
    with pytest.raises(WrongAnswer, match="token") as raised:
        hurried(raw).login("me", "s3cr3t")
    assert token.decode("latin-1") not in str(raised.value)


def test_what_is_no_json_is_not_shown(raw: RawServer) -> None:
    raw.script = body(b'{"SqlSettings": {"DataSource": "postgres://mmuser:pass')
    with pytest.raises(WrongAnswer, match="found: no valid JSON") as raised:
        hurried(raw).get_config()
    assert "mmuser" not in str(raised.value)
    raw.script = body(b" <html>hello</html>")
    with pytest.raises(WrongAnswer, match="found: a web page"):
        hurried(raw).get_config()


@pytest.mark.parametrize("number", ["101", "199", "204", "301", "302", "307", "399", "999"])
def test_other_kinds_of_status(raw: RawServer, number: str) -> None:
    raw.script = says(f"HTTP/1.1 {number} X\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n".encode())
    if number == "204":
        assert hurried(raw).get_config() == {}
    else:
        with pytest.raises(RequestRefused) as raised:
            hurried(raw).get_config()
        assert raised.value.status == int(number)


HEADERS = st.lists(
    st.sampled_from(
        [
            b"Transfer-Encoding: chunked",
            b"Transfer-Encoding: gzip",
            b"Content-Length: 2",
            b"Content-Length: -1",
            b"Content-Length: \xb2",
            b"Content-Length: 99999999999999999999",
            b"Content-Length: " + b"9" * 5000,
            b"Connection: close",
            b"Location: http://[::1",
            b"X-Version-Id: 9.10.0.9.10.0.abcdef.false",
            b"X-Version-Id: \xff",
            b"Token: abc",
            b": ",
            b" folded",
            b"\x00\xff",
            b"Content-Type: multipart/mixed; boundary=x",
        ]
    ),
    max_size=6,
)
STATUS = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.0 200", b"HTTP/1.1 500 x", b"HTTP/9", b"HTTP/1.1 \xb2 x", b"ICY 200"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "active",
                    "inactive",
                    "id",
                    "version",
                    "plugin_id",
                    "state",
                    "PluginSettings",
                    "PluginStates",
                    "Enable",
                    "x",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
BODIES = st.one_of(
    st.binary(max_size=200),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.sampled_from([b"2\r\n{}\r\n0\r\n\r\n", b"-5\r\n{}", b"ffffffffffff\r\n{", b"zz\r\n", b"0\r\n", b"[" * 5000]),
)
ANSWERS = st.one_of(
    st.binary(max_size=300),
    st.builds(lambda status, headers, content: b"\r\n".join([status, *headers, b"", content]), STATUS, HEADERS, BODIES),
    BODIES.map(lambda content: HEAD + b"Content-Length: %d\r\n\r\n" % len(content) + content),
)


@settings(max_examples=250, deadline=None)
@given(answer=ANSWERS, name=st.sampled_from(sorted(ASK)), pinged=st.booleans())
def test_nothing_but_the_projects_own_errors(raw: RawServer, answer: bytes, name: str, pinged: bool) -> None:
    raw.script = ping_and(says(answer)) if pinged else says(answer)
    began = time.monotonic()
    with contextlib.suppress(OperatorError):
        ASK[name](hurried(raw))
    assert time.monotonic() - began < 3


@settings(max_examples=100, deadline=None)
@given(config=JSON)
def test_an_uploader_and_any_configuration(raw: RawServer, config: Any) -> None:
    raw.script = ping_and(body(json.dumps({"PluginSettings": config, "FileSettings": config}).encode()))
    uploader = Uploader(hurried(raw), save_state=lambda *_: None, clock=iter(range(0, 10**6, 100)).__next__)
    plugin = WantedPlugin(id="com.x", version="1", size=10)
    for task in (
        uploader.check_settings,
        lambda: uploader.check_bundles([plugin]),
        lambda: uploader.switch("com.x", True),
        lambda: uploader.wait_active([plugin], 0),
    ):
        with contextlib.suppress(OperatorError):
            task()
