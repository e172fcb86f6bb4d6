# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of a PostgreSQL client as the stand-in needs: one connection, plain queries, passwords by SCRAM-SHA-256.

Formats: https://www.postgresql.org/docs/current/protocol.html and RFC 7677.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import socket
import struct
import threading
from typing import Dict, List, Optional, Tuple
from urllib.parse import unquote, urlsplit

_TIMEOUT = 10.0
_PROTOCOL = 196608  # 3.0
Row = List[Optional[str]]


class PostgresError(Exception):
    """The database is not there, or refused."""


class Postgres:
    """A connection that is made when it is needed, and again when it broke."""

    def __init__(self, data_source: str) -> None:
        parts = urlsplit(data_source)
        self.address = (parts.hostname or "localhost", parts.port or 5432)
        self._user = unquote(parts.username or "")
        self._password = unquote(parts.password or "")
        self._database = parts.path.lstrip("/") or self._user
        self._lock = threading.Lock()
        self._socket: Optional[socket.socket] = None

    def query(self, text: str) -> List[Row]:
        """Raises PostgresError."""
        with self._lock:
            fresh = self._socket is None
            try:
                return self._query(text)
            except OSError as error:
                self.close()
                if fresh:
                    raise PostgresError(f"dial tcp {self.address[0]}:{self.address[1]}: {error}") from error
            try:  # the database was started anew meanwhile
                return self._query(text)
            except OSError as error:
                self.close()
                raise PostgresError(f"dial tcp {self.address[0]}:{self.address[1]}: {error}") from error

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _query(self, text: str) -> List[Row]:
        if self._socket is None:
            self._socket = socket.create_connection(self.address, _TIMEOUT)
            self._log_in()
        self._send(b"Q", text.encode() + b"\0")
        rows: List[Row] = []
        refused = ""
        while True:
            kind, body = self._receive()
            if kind == b"D":
                rows.append(_row(body))
            elif kind == b"E":
                refused = _error(body)
            elif kind == b"Z":
                if refused:
                    raise PostgresError(refused)
                return rows

    def _log_in(self) -> None:
        names = {"user": self._user, "database": self._database}
        body = b"".join(f"{key}\0{value}\0".encode() for key, value in names.items()) + b"\0"
        message = struct.pack("!ii", len(body) + 8, _PROTOCOL) + body
        self._connected().sendall(message)
        scram = _Scram(self._password)
        while True:
            kind, body = self._receive()
            if kind == b"E":
                self.close()
                raise PostgresError(_error(body))
            if kind == b"Z":
                return
            if kind == b"R":
                self._authenticate(scram, struct.unpack("!i", body[:4])[0], body[4:])

    def _authenticate(self, scram: _Scram, step: int, body: bytes) -> None:
        if step == 10:
            first = scram.first()
            self._send(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first)
        elif step == 11:
            self._send(b"p", scram.final(body))
        elif step not in (0, 12):
            self.close()
            raise PostgresError(f"the database wants an authentication that is not known here: {step}")

    def _connected(self) -> socket.socket:
        if self._socket is None:
            raise OSError("not connected")
        return self._socket

    def _send(self, kind: bytes, body: bytes) -> None:
        self._connected().sendall(kind + struct.pack("!i", len(body) + 4) + body)

    def _receive(self) -> Tuple[bytes, bytes]:
        head = self._read(5)
        return head[:1], self._read(struct.unpack("!i", head[1:])[0] - 4)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self._connected().recv(size - len(data))
            if not part:
                raise OSError("the database closed the connection")
            data += part
        return data


class _Scram:
    def __init__(self, password: str) -> None:
        self._password = password.encode()
        self._bare = "n=,r=" + base64.b64encode(os.urandom(18)).decode()

    def first(self) -> bytes:
        return f"n,,{self._bare}".encode()

    def final(self, answer: bytes) -> bytes:
        given: Dict[str, str] = dict(part.split("=", 1) for part in answer.decode().split(","))
        salted = hashlib.pbkdf2_hmac("sha256", self._password, base64.b64decode(given["s"]), int(given["i"]))
        key = hmac.digest(salted, b"Client Key", "sha256")
        without_proof = f"c=biws,r={given['r']}"
        signed = f"{self._bare},{answer.decode()},{without_proof}".encode()
        signature = hmac.digest(hashlib.sha256(key).digest(), signed, "sha256")
        proof = bytes(one ^ other for one, other in zip(key, signature))
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()


def _row(body: bytes) -> Row:
    count = struct.unpack("!h", body[:2])[0]
    at = 2
    row: Row = []
    for _ in range(count):
        size = struct.unpack("!i", body[at : at + 4])[0]
        at += 4
        row.append(None if size < 0 else body[at : at + size].decode())
        at += max(size, 0)
    return row


def _error(body: bytes) -> str:
    fields = {part[:1]: part[1:] for part in body.split(b"\0") if part}
    return f"pq: {fields.get(b'M', b'').decode()}"


def quoted(text: str) -> str:
    """As a literal of SQL (standard_conforming_strings is on by default)."""
    return "'" + text.replace("'", "''") + "'"
