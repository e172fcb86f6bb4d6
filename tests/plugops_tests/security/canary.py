# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that a service account has no right to, and what became of them: owners, modes, bytes, times, who read them."""

from __future__ import annotations

import ctypes
import os
import select
import struct
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Dict, List, Optional, Type

from plugops_tests.modules.harness import Snapshot, differing, snapshot

SECRET = "root:$6$canary$hash-that-only-root-reads:19000:0:99999:7:::\n"
IN_ACCESS, IN_CLOSE_NOWRITE, IN_OPEN = 0x1, 0x10, 0x20
_IN_NONBLOCK = 0o4000
_libc = ctypes.CDLL(None, use_errno=True)


class Canary:
    """A tree of root's: a file that only root may read, one for all, one that is a program, directories of both kinds.

    Nothing but an attack has a reason to touch or to read it.
    """

    def __init__(self, place: Path) -> None:
        """
        :param place: the directory that is made
        """
        self.place = place
        for name, mode in (("", 0o755), ("open", 0o755), ("closed", 0o700), ("closed/deep", 0o700)):
            (place / name).mkdir()
            os.chmod(place / name, mode)
        for name, mode in (("shadow", 0o600), ("sudoers", 0o440), ("motd", 0o644), ("open/keys", 0o600)):
            self._write(name, mode)
        for name, mode in (("closed/key", 0o400), ("closed/deep/config.json", 0o644), ("open/program", 0o755)):
            self._write(name, mode)
        self.secret = place / "shadow"
        self.begin()

    def begin(self, but: str = "") -> None:
        """What is there now is how it must stay.

        :param but: "names": files may get and lose other names, which their ctime tells
        """
        self._but = but
        self._before = self.now()

    def watched(self) -> Watch:
        """Who reads what only root may, while the block runs; it ends before anything is compared, which reads, too."""
        below = [path for path in self.place.rglob("*") if not path.lstat().st_mode & 0o007]
        return Watch(*below)

    def _write(self, name: str, mode: int) -> None:
        (self.place / name).write_text(SECRET, encoding="utf-8")
        os.chmod(self.place / name, mode)

    def now(self) -> Snapshot:
        found = snapshot(self.place)
        if self._but == "names":
            return {path: (*state[:4], *state[5:]) for path, state in found.items()}
        return found

    def touched(self) -> List[str]:
        """What is not as it was, ctime included: what was changed and undone is told, too."""
        return differing(self._before, self.now())

    def leaked_below(self, directory: Path, uid: int) -> List[str]:
        """Files that this account may read and that say what only root may know."""
        readable = f"( -perm -004 -o -user {uid} -perm -400 )".split()
        says_it = ["-execdir", "grep", "-qF", SECRET.strip(), "{}", ";", "-print"]
        # A tree may be deeper than Python's own helpers can go.
        command = [
            "find",
            str(directory),
            "-path",
            str(self.place),
            "-prune",
            "-o",
            "-type",
            "f",
            "-size",
            "-2048k",
            *readable,
        ]
        path = {**os.environ, "PATH": "/usr/bin:/bin"}
        found = subprocess.run([*command, *says_it], env=path, capture_output=True, text=True, check=True)
        return found.stdout.splitlines()


class Watch:
    """Who opens or reads something, by inotify; use as a context manager.

    :ivar seen: paths that were opened or read
    """

    def __init__(self, *paths: Path, events: int = IN_ACCESS | IN_OPEN) -> None:
        """
        :param paths: files, and directories with what is right in them
        """
        self._paths = paths
        self._wanted = events
        self._names: Dict[int, str] = {}
        self.seen: List[str] = []

    def __enter__(self) -> Watch:
        self._handle = _libc.inotify_init1(_IN_NONBLOCK)
        assert self._handle >= 0, os.strerror(ctypes.get_errno())
        for path in self._paths:
            number = _libc.inotify_add_watch(self._handle, os.fsencode(path), self._wanted)
            assert number >= 0, f"{path}: {os.strerror(ctypes.get_errno())}"
            self._names[number] = str(path)
        return self

    def wait(self) -> List[str]:
        """Until something was seen: each event of it."""
        select.select([self._handle], [], [])
        return self._events()

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.seen += sorted(set(self._events()))
        os.close(self._handle)

    def _events(self) -> List[str]:
        found: List[str] = []
        while True:
            try:
                data = os.read(self._handle, 1 << 16)
            except BlockingIOError:
                return found
            at = 0
            while at < len(data):
                number, _, _, length = struct.unpack_from("iIII", data, at)
                name = data[at + 16 : at + 16 + length].rstrip(b"\0")
                found.append(os.path.join(self._names[number], os.fsdecode(name)) if name else self._names[number])
                at += 16 + length
