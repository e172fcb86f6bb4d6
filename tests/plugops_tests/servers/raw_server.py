# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server on the loopback or on a unix socket that says exactly what it is told to, HTTP or not."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from typing import Any, Callable, Iterator, List, Optional

Script = Callable[[socket.socket, bytes], None]
HEAD = b"HTTP/1.1 200 OK\r\nX-Version-Id: 9.10.0.9.10.0.abcdef.false\r\n"


def says(*speech: bytes) -> Script:
    """Say this, and hang up."""

    def script(connection: socket.socket, request: bytes) -> None:
        for part in speech:
            connection.sendall(part)

    return script


def body(content: bytes, status: bytes = b"200 OK") -> Script:
    """An answer as it is to be."""
    head = HEAD.replace(b"200 OK", status)
    return says(head + b"Content-Length: %d\r\n\r\n" % len(content) + content)


def repeats(beginning: bytes, part: bytes, pause: float = 0.0) -> Script:
    """Say a beginning, then the same again and again until nobody listens any more."""

    def script(connection: socket.socket, request: bytes) -> None:
        connection.sendall(beginning)
        while True:
            connection.sendall(part)
            if pause:
                # Whoever is asked to wait may hang up meanwhile, and is then not waited for.
                connection.settimeout(pause)
                with contextlib.suppress(socket.timeout):
                    if not connection.recv(1):
                        return
                connection.settimeout(30)

    return script


class RawServer:
    """
    :ivar script: what is said to each connection, after its request has begun
    :ivar requests: the first bytes of each request
    """

    def __init__(self, path: Optional[str] = None) -> None:
        self.script: Script = says()
        self.requests: List[bytes] = []
        self._listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self._listener.bind(path or ("127.0.0.1", 0))
        if path:
            os.chmod(path, 0o777)
        self._listener.listen(50)
        self._threads: List[threading.Thread] = []

    @property
    def address(self) -> Any:
        return self._listener.getsockname()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.address[1]}/b"

    def run(self) -> None:
        with contextlib.suppress(OSError):  # the listener is closed
            while True:
                connection, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(connection,))
                thread.start()
                self._threads.append(thread)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(10)
        assert not any(thread.is_alive() for thread in self._threads), "a connection was left open"

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(30)
            request = connection.recv(65536)
            self.requests.append(request)
            if request:
                self.script(connection, request)


@contextlib.contextmanager
def raw_server(path: Optional[str] = None) -> Iterator[RawServer]:
    """
    :param path: of a unix socket; None: a port of the loopback
    """
    server = RawServer(path)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join(10)
        server.join()
