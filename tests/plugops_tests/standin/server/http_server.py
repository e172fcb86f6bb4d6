# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP over TCP and over the local-mode socket; what a request means is the business of api.py."""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple
from urllib.parse import parse_qs, urlsplit


class Request(NamedTuple):
    method: str
    path: str
    query: Dict[str, str]
    headers: Dict[str, str]
    body: bytes
    local: bool

    def json(self) -> Any:
        """The body as JSON. Raises ValueError."""
        return json.loads(self.body.decode("utf-8"))

    def form(self) -> Dict[str, bytes]:
        """The fields of a multipart form. Raises ValueError if it is none."""
        match = re.match(r'multipart/form-data;.*boundary="?([^";]+)"?', self.headers.get("content-type", ""))
        if match is None:
            raise ValueError("request Content-Type isn't multipart/form-data")
        fields: Dict[str, bytes] = {}
        for part in self.body.split(b"--" + match.group(1).encode())[1:-1]:
            head, _, content = part.partition(b"\r\n\r\n")
            name = re.search(rb'\bname="([^"]*)"', head)
            if name:
                fields[name.group(1).decode()] = content[:-2]
        return fields


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: Dict[str, str]

    @classmethod
    def of(cls, value: Any, status: int = 200, headers: Optional[Dict[str, str]] = None) -> Answer:
        return cls(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})


Dispatch = Callable[[Request], Answer]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        request = Request(
            self.command,
            parts.path,
            {key: values[0] for key, values in parse_qs(parts.query).items()},
            {key.lower(): value for key, value in self.headers.items()},
            self._body(),
            self.server.local,
        )
        answer = self.server.dispatch(request)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("X-Request-Id", secrets.token_hex(13))
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                return body

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve

    def address_string(self) -> str:
        return "local" if self.server.local else str(self.client_address[0])

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged."""


class _Listener(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, family: int, address: Any, dispatch: Dispatch) -> None:
        self.address_family = family
        self.local = family == socket.AF_UNIX
        self.dispatch = dispatch
        super().__init__(address, _Handler)


class HttpServer:
    """The listeners of one server, each with a thread of its own."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch
        self._listeners: List[_Listener] = []
        self._socket_path: Optional[str] = None

    def listen_tcp(self, address: str) -> Tuple[str, int]:
        """address: `host:port`, the host may be empty. Raises OSError."""
        host, _, port = address.rpartition(":")
        host = host.strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._add(_Listener(family, (host, int(port)), self._dispatch))
        return host, int(port)

    def listen_socket(self, path: str) -> None:
        """Take the path over, listen, then let only the owner in. Raises OSError."""
        if os.path.lexists(path):
            os.unlink(path)
        listener = _Listener(socket.AF_UNIX, path, self._dispatch)
        os.chmod(path, 0o600)
        self._socket_path = path
        self._add(listener)

    def _add(self, listener: _Listener) -> None:
        self._listeners.append(listener)
        threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        stoppers = [threading.Thread(target=listener.shutdown) for listener in self._listeners]
        for stopper in stoppers:
            stopper.start()
        for stopper in stoppers:
            stopper.join()
        for listener in self._listeners:
            listener.server_close()
        if self._socket_path is not None and os.path.lexists(self._socket_path):
            os.unlink(self._socket_path)
