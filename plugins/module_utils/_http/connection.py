# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP with a partner that may be hostile: everything has a deadline, and of an answer no more is read than is wanted.

The lines of a header and their number are limited by :mod:`http.client` (64 KiB, 100), which follows no redirect.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from typing import Any, Callable, Optional, Tuple

# Bytes in a second that a transfer must have at least, on average. In 10 minutes that is a bundle of 37 MiB.
SLOWEST = 64 * 1024
_PART = 64 * 1024


class Deadline:
    """Until when a partner must be done.

    :param seconds: for all of it: connecting, the request, waiting, the answer
    :param silence: seconds for which nothing may happen meanwhile; None: no limit of its own
    :param rate: bytes in a second; each byte of progress adds to the time. None: the time is fixed
    :param sending: what is sent is progress; else only what :meth:`progress` counts
    :param clock: seconds, monotonic; replaceable for tests
    """

    def __init__(
        self,
        seconds: float,
        silence: Optional[float] = None,
        rate: Optional[float] = None,
        sending: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.seconds = seconds
        self.silence = silence
        self.sending = sending
        self.rate = rate
        self._clock = clock
        self._began = clock()
        self._progress = 0

    def progress(self, count: int) -> None:
        """Count bytes that were transferred for the first time."""
        self._progress += count

    def sent(self) -> None:
        """Nothing more is to be sent: the answer has a fixed time, regardless of what sending added to it."""
        if self.sending:
            self._began, self.rate, self.silence, self.sending = self._clock(), None, None, False

    def left(self) -> float:
        """Seconds that the next step may take.

        :raises socket.timeout: none are left
        """
        left = self._left()
        if left <= 0:
            raise self.error()
        return left if self.silence is None else min(left, self.silence)

    @property
    def is_over(self) -> bool:
        """Whether the whole took too long, regardless of the last step."""
        return self._left() <= 0

    def error(self) -> socket.timeout:
        """The error of a step that took too long."""
        if not self.is_over:
            return socket.timeout(f"timed out: nothing came for {self.silence:g} s")
        if self.rate is None:
            return socket.timeout(f"timed out: it was not done within {self.seconds:g} s")
        took = self._clock() - self._began
        return socket.timeout(
            f"timed out: {self._progress} bytes in {took:.0f} s, less than {self.rate:g} in a second"
            + (f" after the first {self.seconds:g} s" if self.seconds else "")
        )

    def _left(self) -> float:
        earned = self._progress / self.rate if self.rate else 0.0
        return self._began + self.seconds + earned - self._clock()


class _TimedSocket(socket.socket):
    """Each step takes at most what its deadline leaves. For http.client, which moves bytes by no other methods."""

    deadline: Deadline

    def recv_into(self, *args: Any, **named: Any) -> int:
        self.settimeout(self.deadline.left())
        try:
            return super().recv_into(*args, **named)
        except socket.timeout:
            raise self.deadline.error() from None

    def sendall(self, data: Any, flags: int = 0) -> None:
        with memoryview(data) as whole, whole.cast("B") as view:
            sent = 0
            while sent < len(view):
                self.settimeout(self.deadline.left())
                try:
                    count = super().send(view[sent : sent + _PART], flags)
                except socket.timeout:
                    raise self.deadline.error() from None
                sent += count
                if self.deadline.sending:
                    self.deadline.progress(count)


class _TimedTls(_TimedSocket, ssl.SSLSocket):
    """The same over TLS."""


class Connection(http.client.HTTPConnection):
    """One request and its answer within a deadline.

    :param context: for TLS; None: plain
    :param opened: returns the connected socket; default: to the host and port
    """

    def __init__(
        self,
        host: str,
        port: Optional[int],
        deadline: Deadline,
        *,
        context: Optional[ssl.SSLContext] = None,
        opened: Optional[Callable[[float], socket.socket]] = None,
    ) -> None:
        # Set before: the base takes the default port from it.
        self.default_port = 443 if context else 80
        super().__init__(host, port)
        self._deadline = deadline
        self._context = context
        self._opened = opened

    def connect(self) -> None:
        """Connect within the deadline, through a proxy if a tunnel is set.

        :raises OSError: nobody accepts, not in time, or the proxy refuses
        """
        plain = self._opened(self._deadline.left()) if self._opened else self._open()
        self.sock = self._timed(_TimedSocket(fileno=plain.detach()))
        tunnel = getattr(self, "_tunnel_host", None)  # as set_tunnel() keeps it
        if tunnel:
            self._tunnel()  # type: ignore[attr-defined]
        if self._context is not None:
            self.sock.settimeout(self._deadline.left())  # for all of the handshake
            self._context.sslsocket_class = _TimedTls
            self.sock = self._timed(self._context.wrap_socket(self.sock, server_hostname=tunnel or self.host))

    def _open(self) -> socket.socket:
        """To the first of the host's addresses that answers; each has its share of the time that is left."""
        addresses = socket.getaddrinfo(self.host, self.port, 0, socket.SOCK_STREAM)
        error: OSError = OSError("the name has no address")
        for number, (family, kind, protocol, _name, address) in enumerate(addresses):
            seconds = self._deadline.left() / (len(addresses) - number)
            found = socket.socket(family, kind, protocol)
            try:
                found.settimeout(seconds)
                found.connect(address)
                found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return found
            except OSError as failed:
                error = failed
                found.close()
        raise error

    def _timed(self, found: Any) -> Any:
        found.deadline = self._deadline
        return found


def read_body(answer: http.client.HTTPResponse, limit: int) -> Tuple[bytes, bool]:
    """What an answer holds, up to a limit, and whether that is all.

    :raises OSError: the connection failed, or took too long
    :raises http.client.HTTPException: it ended before the answer did
    """
    data, part = bytearray(), memoryview(bytearray(min(_PART, limit + 1)))
    while len(data) <= limit:
        count = read_part(answer, part)
        if not count:
            if answer.length:  # announced, and not received
                raise http.client.IncompleteRead(b"", answer.length)
            return bytes(data), True
        data += part[:count]
    return bytes(data[:limit]), False


def read_part(answer: http.client.HTTPResponse, part: memoryview) -> int:
    """Read on into ``part``; 0 at the end.

    Not ``read(size)``: a chunk of a negative length makes that read without end in some versions of Python.
    """
    return answer.readinto(part)
