# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to a local-mode socket. Everybody may make one where it lies, so its owner is checked each time."""

from __future__ import annotations

import os
import socket
import stat
import struct
from dataclasses import dataclass
from typing import Collection

from .._core.errors import OperatorError
from .paths import at

_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid
_DESCRIPTORS = "/proc/self/fd"


class ForeignSocket(OperatorError):
    """Another user answers there, or might."""


@dataclass(frozen=True)
class LocalSocket:
    """The socket, and who may listen on it.

    :param path: as this process sees it
    :param uids: who may answer there beside root and this process's own user
    :param wanted: how messages name them
    :param shown: how messages name the path, if otherwise
    """

    path: str
    uids: Collection[int] = ()
    wanted: str = ""
    shown: str = ""

    def trusts(self, uid: int) -> bool:
        """Whether this user may answer."""
        return uid in (0, os.geteuid(), *self.uids)

    def connect(self, seconds: float) -> socket.socket:
        """A connection to somebody who may answer; before that nothing is sent.

        :raises OSError: nobody listens
        :raises ForeignSocket: another user does
        """
        found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            found.settimeout(seconds)
            self._connect(found)
            uid = _listener(found, self.path)
            if not self.trusts(uid):
                raise self._foreign(uid)
        except BaseException:
            found.close()
            raise
        return found

    def _connect(self, found: socket.socket) -> None:
        """To the very socket that the path leads to, by no other link than one of root's."""
        if not hasattr(os, "O_PATH") or not os.path.isdir(_DESCRIPTORS):
            found.connect(self.path)
            return
        with at(self.path) as spot:
            spot.present()
            handle = os.open(spot.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=spot.parent)
        try:
            there = os.fstat(handle)
            if not stat.S_ISSOCK(there.st_mode):
                raise ConnectionRefusedError(f"{self.path} is no socket")
            found.connect(f"{_DESCRIPTORS}/{handle}")
        except ConnectionRefusedError:
            if stat.S_ISSOCK(there.st_mode) and not self.trusts(there.st_uid):
                raise self._foreign(there.st_uid) from None  # nobody listens: it keeps the service from listening
            raise
        finally:
            os.close(handle)

    def _foreign(self, uid: int) -> ForeignSocket:
        return ForeignSocket(
            "the local-mode socket belongs to another user, it is not trusted",
            where=self.shown or self.path,
            found=f"uid {uid}",
            wanted=self.wanted or f"uid {os.geteuid()}",
            remedy="remove it and restart the service",
        )


def _listener(connected: socket.socket, path: str) -> int:
    """The uid of who listens; where the system does not tell it, of whose the socket is."""
    if not hasattr(socket, "SO_PEERCRED"):
        return os.lstat(path).st_uid
    told = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(told)[1])
