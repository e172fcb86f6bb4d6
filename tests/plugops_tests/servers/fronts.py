# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands before a server in the field: something that ends TLS, and an HTTP proxy. On loopback, in threads."""

from __future__ import annotations

import base64
import contextlib
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
import urllib.parse
from pathlib import Path
from typing import Any, Iterator, List, Optional, Tuple

Address = Tuple[str, int]


class _Listener(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up, or does not trust the certificate, is part of the tests."""


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            data = one.recv(65536)
            if not data:
                break
            other.sendall(data)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_WR)


def _join(one: socket.socket, other: socket.socket) -> None:
    """Pass bytes both ways until both ends have hung up."""
    back = threading.Thread(target=_pass_on, args=(other, one), daemon=True)
    back.start()
    _pass_on(one, other)
    back.join()


@contextlib.contextmanager
def _served(listener: _Listener) -> Iterator[Address]:
    with listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield ("127.0.0.1", listener.server_address[1])
        finally:
            listener.shutdown()
            thread.join()


def make_certificate(directory: Path, name: str = "127.0.0.1") -> Optional[Path]:
    """A key and a certificate that signs itself, in one PEM file; None where openssl is not installed."""
    if shutil.which("openssl") is None:
        return None
    path = directory / "certificate.pem"
    alternative = f"IP:{name}" if name[0].isdigit() else f"DNS:{name}"
    command = [
        *(
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "1",
        ),
        *("-subj", f"/CN={name}", "-addext", f"subjectAltName={alternative}", "-keyout", str(path)),
        *("-out", str(path) + ".crt"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    with path.open("ab") as out:
        out.write(Path(str(path) + ".crt").read_bytes())
    return path


@contextlib.contextmanager
def tls_before(certificate: Path, target: Address) -> Iterator[Address]:
    """Ends TLS and passes on to ``target``, as a reverse proxy would."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(certificate))

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            inside = context.wrap_socket(self.request, server_side=True)
            with inside, socket.create_connection(target) as behind:
                _join(inside, behind)

    with _served(_Listener(("127.0.0.1", 0), Handler)) as address:
        yield address


@contextlib.contextmanager
def http_proxy(account: str = "") -> Iterator[Tuple[Address, List[str]]]:
    """An HTTP proxy that tunnels (CONNECT) and asks in others' place; the list holds the first lines it was sent.

    :param account: ``user:password`` that it asks for
    """
    seen: List[str] = []
    wanted = f"Basic {base64.b64encode(account.encode()).decode()}" if account else ""

    class Handler(socketserver.StreamRequestHandler):
        rbufsize = 0

        def handle(self) -> None:
            first = self.rfile.readline().decode("latin-1").strip()
            headers = list(iter(lambda: self.rfile.readline().decode("latin-1").strip(), ""))
            if not first:
                return
            seen.append(first)
            if wanted and f"Proxy-Authorization: {wanted}" not in headers:
                self.wfile.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
            method, url, _ = first.split()
            if method == "CONNECT":
                host, _, port = url.rpartition(":")
                with socket.create_connection((host, int(port))) as behind:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                    _join(self.connection, behind)
                return
            parts = urllib.parse.urlsplit(url)
            lines = [f"{method} {parts.path} HTTP/1.1", *headers, "", ""]
            with socket.create_connection((str(parts.hostname), parts.port or 80)) as behind:
                behind.sendall("\r\n".join(lines).encode("latin-1"))
                _join(self.connection, behind)

    with _served(_Listener(("127.0.0.1", 0), Handler)) as address:
        yield address, seen
