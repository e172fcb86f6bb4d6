# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL of the tests' own: made in a temporary directory, on a loopback port, gone afterwards.

with TemporaryPostgres() as postgres:
        postgres.create_database("one")
        postgres.url("one")
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Callable, List, Optional, Type

from .server_process import free_port

_PROGRAMS = ("initdb", "pg_ctl", "createdb", "dropdb")


def find_binaries() -> Optional[Path]:
    """The directory with initdb and its kin: Debian keeps them out of PATH, newest version first."""

    def number(directory: Path) -> float:
        try:
            return float(directory.parent.name)
        except ValueError:
            return 0.0

    on_path = shutil.which("initdb")
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=number, reverse=True)
    candidates += [Path("/usr/bin"), *([Path(os.path.realpath(on_path)).parent] if on_path else [])]
    return next((path for path in candidates if all((path / name).exists() for name in _PROGRAMS)), None)


def missing() -> Optional[str]:
    """Why no PostgreSQL can be started here; None if one can."""
    if find_binaries() is None:
        return f"no PostgreSQL server programs ({', '.join(_PROGRAMS)}) in PATH or /usr/lib/postgresql/*/bin"
    if os.geteuid() == 0 and _service_account() is None:
        return "root cannot run PostgreSQL, and there is no user postgres or nobody to run it as"
    return None


class TemporaryPostgres:
    """A cluster that trusts loopback, so that clients of every age (no SCRAM before 2018) can connect."""

    def __init__(self, address: str = "127.0.0.1", trusted: str = "127.0.0.1/32") -> None:
        """
        :param address: where it listens
        :param trusted: the network whose clients it lets in
        """
        self._address, self._trusted = address, trusted
        binaries = find_binaries()
        assert binaries is not None, missing()
        self._binaries = binaries
        self._account = _service_account() if os.geteuid() == 0 else None
        self._directory = Path()
        self.port = 0

    def __enter__(self) -> TemporaryPostgres:
        self._directory = Path(tempfile.mkdtemp(prefix="postgres-"))
        if self._account is not None:
            os.chown(self._directory, self._account.pw_uid, self._account.pw_gid)
        try:
            data = str(self._directory / "data")
            self._run("initdb", "-D", data, "-A", "trust", "-U", "mmuser", "-E", "UTF8", "--locale=C", "--no-sync")
            with (self._directory / "data" / "pg_hba.conf").open("a") as access:
                access.write(f"host all all {self._trusted} trust\n")
            self.port = free_port()
            settings = {
                "listen_addresses": self._address,
                "port": str(self.port),
                "unix_socket_directories": "",
                "fsync": "off",
                "synchronous_commit": "off",
                "full_page_writes": "off",
                "max_connections": "200",
            }
            options = " ".join(f"-c {key}={value!r}" for key, value in settings.items())
            log = str(self._directory / "log")
            self._run("pg_ctl", "-D", data, "-w", "-t", "60", "-l", log, "-o", options, "start")
        except BaseException:
            shutil.rmtree(self._directory, ignore_errors=True)
            raise
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        try:
            self._run("pg_ctl", "-D", str(self._directory / "data"), "-w", "-m", "immediate", "stop")
        finally:
            shutil.rmtree(self._directory, ignore_errors=True)

    def create_database(self, name: str, template: str = "template0") -> None:
        """template: a database to copy; nobody may be connected to it."""
        self._run("createdb", *self._where(), "-T", template, name)

    def drop_database(self, name: str) -> None:
        self._run("dropdb", *self._where(), name)

    def _where(self) -> List[str]:
        return ["-h", self._address, "-p", str(self.port), "-U", "mmuser"]

    def url(self, name: str) -> str:
        """The data source as Mattermost wants it."""
        return f"postgres://mmuser@{self._address}:{self.port}/{name}?sslmode=disable&connect_timeout=10"

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._binaries / program), *arguments],
            cwd=self._directory,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            preexec_fn=self._drop_root(),
            stdin=subprocess.DEVNULL,
            # pg_ctl leaves a server behind that keeps its output open: a pipe would never end.
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            check=False,
        )
        if done.returncode != 0:
            words: List[str] = [f"{program} failed with {done.returncode}", (done.stderr or b"").decode()]
            log = self._directory / "log"
            if log.exists():
                words.append(log.read_text(errors="replace"))
            raise RuntimeError("\n".join(words))

    def _drop_root(self) -> Optional[Callable[[], None]]:
        account = self._account
        if account is None:
            return None

        def become() -> None:
            os.setgroups([])
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)

        return become


def _service_account() -> Optional[pwd.struct_passwd]:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None
