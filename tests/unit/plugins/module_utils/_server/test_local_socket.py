# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who answers on a local-mode socket: looked at on each connection, before a byte is sent."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import tempfile
from pathlib import Path
from typing import Iterator, List

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._audit.context import AuditContext
from ansible_collections.plugops.mattermost.plugins.module_utils._audit.service import look_at_socket
from ansible_collections.plugops.mattermost.plugins.module_utils._core.server_version import ServerVersion
from ansible_collections.plugops.mattermost.plugins.module_utils._host.sockets import ForeignSocket
from ansible_collections.plugops.mattermost.plugins.module_utils._node.node import Node
from ansible_collections.plugops.mattermost.plugins.module_utils._node.options import NodeOptions
from ansible_collections.plugops.mattermost.plugins.module_utils._server.client import (
    ServerUnreachable,
    server_at_socket,
)

from plugops_tests.servers.raw_server import body, raw_server

STRANGER, SERVICE = 12345, 12346
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to listen as another user")


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory where everybody may make a socket, as /var/tmp is."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o1777)
    yield path
    shutil.rmtree(path)


@contextlib.contextmanager
def listens_as(uid: int, path: Path) -> Iterator[int]:
    """Another user's server; gives the end of a pipe on which it tells what it was sent."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(path))
            path.chmod(0o777)
            listener.listen()
            os.write(writer, b"up")
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):
                    os.write(writer, b"<" + connection.recv(65536).partition(b"\r")[0] + b">")
                    body(b"{}")(connection, b"")
        finally:
            os._exit(1)
    os.close(writer)
    try:
        assert os.read(reader, 2) == b"up"
        yield reader
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reader)


def test_this_process_own_user_may_answer(place: Path) -> None:
    with raw_server(str(place / "s")) as server:
        server.script = body(b"{}")
        assert server_at_socket(str(place / "s")).version() == ServerVersion(9, 10)


@needs_root
def test_another_user_is_told_and_sent_nothing(place: Path) -> None:
    path = place / "s"
    with listens_as(STRANGER, path) as told:
        client = server_at_socket(str(path), [SERVICE], "uid 12346 (mattermost)", "/var/tmp/s")
        with pytest.raises(ForeignSocket, match="belongs to another user") as raised:
            client.version()
        assert (raised.value.found, raised.value.wanted) == ("uid 12345", "uid 12346 (mattermost)")
        assert (raised.value.where, raised.value.remedy) == ("/var/tmp/s", "remove it and restart the service")
        assert os.read(told, 100) == b"<>"
        assert server_at_socket(str(path), [STRANGER]).version() == ServerVersion(9, 10)
        assert os.read(told, 100) == b"<GET /api/v4/system/ping HTTP/1.1>"


@needs_root
def test_it_does_not_help_to_own_the_path(place: Path) -> None:
    """The socket's file says whose it is, not who listens there."""
    path = place / "s"
    with listens_as(STRANGER, path):
        os.chown(path, SERVICE, SERVICE)
        with pytest.raises(ForeignSocket):
            server_at_socket(str(path), [SERVICE]).version()


@needs_root
def test_each_connection_is_looked_at(place: Path) -> None:
    path = place / "s"
    with listens_as(SERVICE, place / "honest"), listens_as(STRANGER, place / "other") as told:
        (place / "honest").rename(path)
        client = server_at_socket(str(path), [SERVICE])
        assert client.get_config() == {}
        (place / "other").rename(path)
        with pytest.raises(ForeignSocket):
            client.get_config()
        assert os.read(told, 100) == b"<>"


@needs_root
def test_no_link_of_another_user_is_followed(place: Path) -> None:
    """It could lead to a socket of root's that serves something else."""
    path = place / "s"
    with raw_server(str(place / "roots")) as server:
        server.script = body(b"{}")
        path.symlink_to(place / "roots")
        assert server_at_socket(str(path), [SERVICE]).version() == ServerVersion(9, 10), "root's own link"
        os.lchown(path, STRANGER, STRANGER)
        with pytest.raises(ServerUnreachable, match="only links made by root"):
            server_at_socket(str(path), [SERVICE]).version()
        assert len(server.requests) == 1


@needs_root
def test_where_the_system_does_not_tell_who_listens_the_path_counts(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(socket, "SO_PEERCRED")
    monkeypatch.delattr(os, "O_PATH")
    path = place / "s"
    with listens_as(STRANGER, path):
        with pytest.raises(ForeignSocket):
            server_at_socket(str(path), [SERVICE]).version()
        assert server_at_socket(str(path), [STRANGER]).version() == ServerVersion(9, 10)


@needs_root
@pytest.mark.parametrize("owner", [STRANGER, os.geteuid()])
def test_the_audit_tells_it(place: Path, owner: int) -> None:
    config = {"PluginSettings": {}, "ServiceSettings": {"EnableLocalMode": True}}
    files = {
        "opt/mattermost/config/config.json": json.dumps(config),
        "etc/systemd/system/mattermost.service": "[Service]\nUser=mattermost\nExecStart=/opt/mattermost/bin/mm\n",
        "etc/passwd": f"mattermost:x:{SERVICE}:{SERVICE}::/opt/mattermost:/bin/sh\n",
        "etc/group": f"mattermost:x:{SERVICE}:\n",
    }
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    with listens_as(STRANGER, place / "s"):
        os.chown(place / "s", owner, -1)
        node = Node(NodeOptions(root=str(place), socket="/s"), lambda command, **_: (1, "", ""))
        context = AuditContext(node)
        look_at_socket(context)
        (finding,) = context.findings.errors()
        assert (finding.code, finding.subject) == ("socket-foreign", "/s")
        assert "found: uid 12345; wanted: uid 12346 (mattermost)" in finding.evidence[0]


@needs_root
def test_a_socket_of_another_user_where_nobody_listens_is_in_the_way(place: Path) -> None:
    path = place / "s"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with pytest.raises(ServerUnreachable, match="refused"):
        server_at_socket(str(path), [SERVICE]).version()
    os.chown(path, STRANGER, STRANGER)
    with pytest.raises(ForeignSocket, match="uid 12345"):
        server_at_socket(str(path), [SERVICE]).version()


def test_what_is_no_socket(place: Path) -> None:
    found: List[str] = []
    (place / "file").touch()
    os.mkfifo(place / "fifo")
    for name in ("file", "fifo", ".", "missing"):
        with pytest.raises(ServerUnreachable) as raised:
            server_at_socket(str(place / name)).version()
        found.append(raised.value.found)
    assert [text.count("is no socket") for text in found] == [1, 1, 1, 0]


def test_a_long_path(place: Path) -> None:
    """What lies deeper than the address of a socket can say."""
    directory = place / ("d" * 100) / ("e" * 100)
    directory.mkdir(parents=True)
    with raw_server(str(place / "s")) as server:
        server.script = body(b"{}")
        (place / "s").rename(directory / "s")
        assert server_at_socket(str(directory / "s")).version() == ServerVersion(9, 10)
