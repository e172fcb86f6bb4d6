# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP server on the loopback that misbehaves as told: cut connections, wrong lengths, redirects."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import ssl
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Behaviour:
    """How one path is answered.

    :param ranges: whether a part may be asked for
    :param cut_after: bytes of the body after which the connection is closed, one item an answer; then no more
    :param length: Content-Length that is told: ``true``, ``none`` (the connection's end tells), or a number
    :param content_range: told instead of the right one
    :param redirect: answered with 302 to this
    :param status: answered with this status and nothing else
    :param silent: accept the request and say nothing until this is set
    """

    content: bytes = b""
    ranges: bool = True
    cut_after: List[int] = field(default_factory=list)
    length: str = "true"
    content_range: str = ""
    redirect: str = ""
    status: int = 200
    silent: Optional[threading.Event] = None


@dataclass
class DownloadServer:
    """
    :param requests: path and headers of each request
    :param sent: bytes of bodies that were sent
    """

    port: int
    scheme: str
    paths: Dict[str, Behaviour] = field(default_factory=dict)
    requests: List[Tuple[str, Dict[str, str]]] = field(default_factory=list)
    sent: int = 0

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def offer(self, path: str, content: bytes = b"", **behaviour: Any) -> str:
        """Answer a path; returns its URL."""
        self.paths[path] = Behaviour(content, **behaviour)
        return self.url(path)

    def header(self, name: str) -> List[Optional[str]]:
        """Of each request."""
        return [headers.get(name.lower()) for _, headers in self.requests]


def _handler(server: Callable[[], DownloadServer]) -> Any:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            said = server()
            said.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            path = re.sub(r"^https?://[^/]*", "", self.path)  # as a proxy is asked
            behaviour = said.paths.get(path.partition("?")[0], Behaviour(status=404))
            self.close_connection = True
            if behaviour.silent is not None:
                behaviour.silent.wait(30)
                return
            if behaviour.redirect:
                self.send_response(302)
                self.send_header("Location", behaviour.redirect)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self._send(said, behaviour)

        def _send(self, said: DownloadServer, behaviour: Behaviour) -> None:
            wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
            start = int(wanted[1]) if wanted and behaviour.ranges else 0
            whole = len(behaviour.content)
            body = behaviour.content[start:]
            if behaviour.status != 200 or (wanted and behaviour.ranges and start >= whole):
                self.send_response(behaviour.status if behaviour.status != 200 else 416)
                self.send_header("Content-Range", f"bytes */{whole}")
                body = b""
            elif wanted and behaviour.ranges:
                self.send_response(206)
                right = f"bytes {start}-{whole - 1}/{whole}"
                self.send_header("Content-Range", behaviour.content_range or right)
            else:
                self.send_response(200)
            if behaviour.length != "none":
                length = len(body) if behaviour.length == "true" else int(behaviour.length)
                self.send_header("Content-Length", str(length))
            self.send_header("Connection", "close")
            self.end_headers()
            if behaviour.cut_after and body:
                body = body[: behaviour.cut_after.pop(0)]
            said.sent += len(body)
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


@contextlib.contextmanager
def download_server(certificate: Optional[Path] = None) -> Iterator[DownloadServer]:
    """
    :param certificate: PEM with key and certificate, for https
    """
    found: List[DownloadServer] = []
    listener = ThreadingHTTPServer(("127.0.0.1", 0), _handler(lambda: found[0]))
    listener.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(str(certificate))
        listener.socket = context.wrap_socket(listener.socket, server_side=True)
    listener.handle_error = lambda *_: None  # type: ignore[method-assign]
    found.append(DownloadServer(listener.server_address[1], "https" if certificate else "http"))
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield found[0]
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()


def make_ca(directory: Path) -> Tuple[Path, Path]:
    """A CA's certificate, and a PEM file with key and certificate of a server 127.0.0.1 that it vouches for."""
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CA of a test")])
    ca = _certificate(ca_name, ca_name, ca_key.public_key(), ca_key, x509.BasicConstraints(ca=True, path_length=None))
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server of a test")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    server = _certificate(name, ca_name, key.public_key(), ca_key, address)
    pem = serialization.Encoding.PEM
    ca_file, server_file = directory / "ca.pem", directory / "server.pem"
    ca_file.write_bytes(ca.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    server_file.write_bytes(private + server.public_bytes(pem))
    return ca_file, server_file


_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _certificate(subject: Any, issuer: Any, public: Any, signer: Any, extension: Any) -> x509.Certificate:
    now = datetime.now(timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        # Without them Python 3.13 and later trust none (VERIFY_X509_STRICT).
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if isinstance(extension, x509.BasicConstraints):
        builder = builder.add_extension(_SIGNS_CERTIFICATES, critical=True)
    return builder.sign(signer, hashes.SHA256())
