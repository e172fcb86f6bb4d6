# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One Windows machine's files and registry: a wine prefix, and the processes in it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Callable, Iterator, NamedTuple, Optional, TypeVar

from .requirements import LOCALE, WINE, WINESERVER

# The registry is rewritten in place where a file has more than one name: these get copies of their own.
_REGISTRY = ("system.reg", "user.reg", "userdef.reg", ".update-timestamp")
# One of the languages without a code page of their own: wine's is UTF-8 then, as `chcp 65001` makes it on Windows.
_LANGUAGE = "hi_IN.UTF-8"
_TIMEOUT = 120.0
_POLL = 0.02


class Process(NamedTuple):
    """A process of a machine, as Linux sees it."""

    pid: int
    command: str
    directory: str


class Wine:
    """A prefix in a directory of its own.

    :param directory: holds the prefix and what belongs to it
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.prefix = directory / "prefix"
        self._holder: Optional[subprocess.Popen[bytes]] = None

    @property
    def drive_c(self) -> Path:
        return self.prefix / "drive_c"

    def real(self, path: str) -> Path:
        r"""Where ``C:\...`` lies."""
        drive, _, rest = path.partition(":\\")
        assert drive.lower() == "c", path
        return self.drive_c.joinpath(*rest.split("\\"))

    def windows(self, real: str) -> str:
        r"""``C:\...`` for a real path, as /proc shows it."""
        inside = Path(real).relative_to(self.drive_c)
        return "\\".join(["C:", *inside.parts]) if inside.parts else "C:\\"

    def environment(self) -> dict[str, str]:
        """Nothing of the one who runs the tests comes into the machine."""
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.directory),
            "WINEPREFIX": str(self.prefix),
            "WINEDEBUG": "-all",
            "WINEDLLOVERRIDES": "mscoree=;mshtml=;winemenubuilder.exe=",
            "LOCPATH": str(self.directory / "locale"),
            "LC_ALL": _LANGUAGE,
        }

    def create(self) -> None:
        """A fresh Windows."""
        shutil.copytree(LOCALE, self.directory / "locale" / _LANGUAGE)
        self.prefix.mkdir()
        self.run("wineboot.exe", "--init")

    def clone(self, directory: Path) -> Wine:
        """The same machine once more, in a directory that is not there yet. Neither may run."""
        other = Wine(directory)
        directory.mkdir(parents=True)
        shutil.copytree(self.directory / "locale", directory / "locale")
        linked = subprocess.run(["cp", "-al", str(self.prefix), str(other.prefix)], check=False, capture_output=True)
        if linked.returncode != 0:  # another file system
            shutil.rmtree(other.prefix, ignore_errors=True)
            shutil.copytree(self.prefix, other.prefix, symlinks=True)
        for name in _REGISTRY:
            (other.prefix / name).unlink(missing_ok=True)
            if (self.prefix / name).exists():
                shutil.copy2(self.prefix / name, other.prefix / name)
        return other

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        """Run a program in the machine and wait for it.

        Into a file: the services that the first program of a machine starts keep its output open as long as they run.
        """
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [str(WINE), *command],
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=_TIMEOUT,
                check=check,
            )
            output.seek(0)
            done.stdout = output.read()
        return done

    def boot(self) -> None:
        """Start the services; they end with their last user unless somebody stays."""
        self._holder = subprocess.Popen(
            [str(WINE), "cmd.exe"],
            env=self.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._holder.stdout is not None
        self._holder.stdout.read(1)  # its greeting: the services were started before it

    def shut_down(self) -> None:
        """End every process of the machine, write its registry."""
        subprocess.run([str(WINESERVER), "-k"], env=self.environment(), check=False, stderr=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):  # what does not end by itself is ended here
            subprocess.run([str(WINESERVER), "-w"], env=self.environment(), check=False, timeout=_TIMEOUT)
        for process in self.processes():  # also one that was about to start when its wineserver went
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        if self._holder is not None:
            for pipe in (self._holder.stdin, self._holder.stdout):
                with contextlib.suppress(OSError):
                    assert pipe is not None
                    pipe.close()
            self._holder.wait(_TIMEOUT)
            self._holder = None
        wait_for(lambda: not any(True for _ in self.processes()), "the end of all processes")
        with contextlib.suppress(FileNotFoundError):
            found = self.prefix.stat()
            shutil.rmtree(f"/tmp/.wine-{os.geteuid()}/server-{found.st_dev:x}-{found.st_ino:x}", ignore_errors=True)

    def restart(self) -> None:
        self.shut_down()
        self.boot()

    def processes(self, program: str = "") -> Iterator[Process]:
        """Those of this machine, or those whose command line names a program."""
        mine = f"WINEPREFIX={self.prefix}".encode()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                if mine not in (entry / "environ").read_bytes().split(b"\0"):
                    continue
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
                if command and program.lower() in command.lower():
                    yield Process(int(entry.name), command, os.readlink(entry / "cwd"))


T = TypeVar("T")


def wait_for(condition: Callable[[], T], what: str, timeout: float = 30.0) -> T:
    """The first true value of the condition."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {timeout:.0f} s in vain for {what}"
        time.sleep(_POLL)
