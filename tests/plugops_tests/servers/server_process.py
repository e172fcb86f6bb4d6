# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, watch and stop a Mattermost server, real or stand-in, that lies unpacked in a directory.

    with ServerProcess(install_dir, user="nobody", cwd=install_dir) as server:   # started and answering
        server.log_lines()

The server's log is read from its standard output, with the same code for the text format (to 4.9) and JSON (from 4.10).
"""

from __future__ import annotations

import http.client
import json
import os
import pwd
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Type

READY_TIMEOUT = 60.0
STOP_TIMEOUT = 20.0
_POLL = 0.005
_REST = 0.2
_TEXT_LINE = re.compile(r"\[[^\]]+\] \[(\w{4})\] (.*)")
_TEXT_LEVELS = {"DEBG": "debug", "INFO": "info", "WARN": "warn", "EROR": "error", "CRIT": "critical"}
_OUTSIDE_FIELDS = {"level", "msg", "ts", "timestamp", "caller"}


class LogLine(NamedTuple):
    """One line of the server log; `fields` is empty for the text format."""

    level: str
    message: str
    fields: Dict[str, Any]
    raw: str

    @property
    def text(self) -> str:
        """What an operator reads: message and error, in the text format joined already."""
        error = self.fields.get("error", self.fields.get("err", ""))
        return f"{self.message}: {error}" if error else self.message


class NotReadyError(AssertionError):
    """The server did not answer, or ended; carries the end of its log."""


class ServerProcess:
    """One server. Where it listens is read from its config.json (or MM_SERVICESETTINGS_LISTENADDRESS)."""

    def __init__(
        self,
        install_dir: Path,
        user: Optional[str] = None,
        cwd: Optional[Path] = None,
        env: Optional[Mapping[str, str]] = None,
        *,
        arguments: Optional[List[str]] = None,
        umask: int = 0o022,
        config_path: Optional[Path] = None,
    ) -> None:
        """user: whom to run as, when root runs the tests; None leaves the user as it is.

        config_path: the configuration file that the server will read, if it is not config/config.json.
        """
        self.install_dir = install_dir
        self.user = user
        self.cwd = install_dir if cwd is None else cwd
        self.env = dict(env or {})
        self.arguments = arguments or []
        self.umask = umask
        self.config_path = config_path or install_dir / "config" / "config.json"
        self._services: Dict[str, Any] = {}
        self._child: Optional[subprocess.Popen[bytes]] = None
        self._output: Optional[Path] = None

    @property
    def executable(self) -> Path:
        """bin/mattermost, or bin/platform before 5.0."""
        new = self.install_dir / "bin" / "mattermost"
        return new if new.exists() else self.install_dir / "bin" / "platform"

    @property
    def pid(self) -> int:
        assert self._child is not None, "the server was not started"
        return self._child.pid

    def start(self) -> ServerProcess:
        self._services = self.config()["ServiceSettings"]  # now, since a starting server rewrites the file in place
        descriptor, name = tempfile.mkstemp(prefix="server-output-")
        self._output = Path(name)
        environment = {"PATH": _path_for(self.user), "LANG": "C.UTF-8", **self.env}
        try:
            self._child = subprocess.Popen(
                [str(self.executable), *self.arguments],
                cwd="/",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=subprocess.STDOUT,
                preexec_fn=self._become_service,
                start_new_session=True,
            )
        finally:
            os.close(descriptor)
        return self

    def _become_service(self) -> None:
        os.umask(self.umask)
        if self.user is not None and os.geteuid() == 0:
            account = pwd.getpwnam(self.user)
            os.initgroups(account.pw_name, account.pw_gid)
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
        os.chdir(self.cwd)  # as the service user, as systemd does it

    def wait_ready(self, timeout: float = READY_TIMEOUT) -> ServerProcess:
        """Until it answers. Raises NotReadyError if it does not, or if the process ends.

        Servers before 5.0 listen while they still set up their routes and reload their configuration, and drop
        connections meanwhile: they are ready when, besides, their log has come to rest.
        """

        def answers() -> bool:
            if self.ended():
                raise NotReadyError(f"the server ended with {self.returncode}\n{self._tail()}")
            try:
                return self._status("/api/v4/system/ping") == 200 and self._status("/api/v4/plugins/webapp") != 404
            except (OSError, http.client.HTTPException):
                return False

        self.wait_for(answers, "an answer of /api/v4/system/ping", timeout)
        if self.executable.name == "platform":
            self.wait_for(lambda: self._quiet_for() > _REST, "the log to come to rest", timeout)
        return self

    def _quiet_for(self) -> float:
        """Seconds since the last line of output."""
        assert self._output is not None
        return time.time() - self._output.stat().st_mtime

    def running_plugins(self) -> str:
        """What the server says, without a session, of the plugins that run."""
        connection = self.connect()
        try:
            connection.request("GET", "/api/v4/plugins/webapp")
            return connection.getresponse().read().decode("utf-8")
        finally:
            connection.close()

    def _status(self, path: str) -> int:
        connection = self.connect(timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def wait_for(self, condition: Callable[[], Any], what: str, timeout: float = 15.0) -> Any:
        """The first true value of the condition. Raises NotReadyError with the end of the log."""
        deadline = time.monotonic() + timeout
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                raise NotReadyError(f"waited {timeout:.0f} s in vain for {what}\n{self._tail()}")
            time.sleep(_POLL)

    def wait_ended(self, timeout: float = STOP_TIMEOUT) -> int:
        """Until the process has ended by itself; its exit code."""
        assert self._child is not None
        return self._child.wait(timeout)

    def ended(self) -> bool:
        return self._child is not None and self._child.poll() is not None

    @property
    def returncode(self) -> Optional[int]:
        return None if self._child is None else self._child.returncode

    def stop(self) -> None:
        """SIGTERM, and SIGKILL to this one process if that does not end it."""
        if self._child is None or self.ended():
            return
        self._child.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT
        while not self.ended() and time.monotonic() < deadline:
            time.sleep(_POLL)
        if not self.ended():
            self._child.kill()
            self._child.wait()

    def clean_up(self) -> None:
        """Stop, and drop the kept output."""
        self.stop()
        if self._output is not None:
            self._output.unlink()
            self._output = None

    def __enter__(self) -> ServerProcess:
        try:
            return self.start().wait_ready()
        except BaseException:
            self.clean_up()
            raise

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.clean_up()

    def config(self) -> Dict[str, Any]:
        """The configuration file as it is on disk now."""
        content = json.loads(self.config_path.read_text(encoding="utf-8"))
        assert isinstance(content, dict)
        return content

    def address(self) -> str:
        """host:port"""
        listen = self.env.get("MM_SERVICESETTINGS_LISTENADDRESS") or self._services["ListenAddress"]
        host, _, port = str(listen).rpartition(":")
        return f"{host or '127.0.0.1'}:{port}"

    def connect(self, timeout: float = 30.0) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.address(), timeout=timeout)

    def has_socket(self) -> bool:
        """Whether it is a server that has a local-mode socket, and shall make it."""
        return "EnableLocalMode" in self.config()["ServiceSettings"] and bool(self._services.get("EnableLocalMode"))

    def connect_socket(self, timeout: float = 30.0) -> http.client.HTTPConnection:
        """To the local-mode socket (5.24 on)."""
        configured = str(self._services["LocalModeSocketLocation"])
        return UnixConnection(self.env.get("MM_SERVICESETTINGS_LOCALMODESOCKETLOCATION", configured), timeout)

    def output(self) -> str:
        """Everything that the process has written so far."""
        assert self._output is not None, "the server was not started"
        return self._output.read_text(encoding="utf-8", errors="replace")

    def log_lines(self) -> List[LogLine]:
        return parse_log(self.output())

    def find_log(self, text: str) -> List[LogLine]:
        """The lines whose message, error or any other field holds the text."""
        return [line for line in self.log_lines() if text in line.text or text in json.dumps(line.fields)]

    def _tail(self) -> str:
        lines = [line for line in self.output().splitlines() if "Received HTTP request" not in line]
        return "\n".join(lines[-40:])


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout: float = 30.0) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path
        self._timeout = timeout

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self._timeout)
        self.sock.connect(self._path)


def parse_log(text: str) -> List[LogLine]:
    """Lines in the text format or as JSON; anything else (a Go panic, plugin output) as level ""."""
    return [_parse_line(line) for line in text.splitlines() if line.strip()]


def _parse_line(line: str) -> LogLine:
    match = _TEXT_LINE.match(line)
    if match:
        return LogLine(_TEXT_LEVELS.get(match.group(1), match.group(1).lower()), match.group(2), {}, line)
    if line.startswith("{"):
        try:
            record = json.loads(line)
        except ValueError:
            return LogLine("", line, {}, line)
        fields = {key: value for key, value in record.items() if key not in _OUTSIDE_FIELDS}
        return LogLine(str(record.get("level", "")), str(record.get("msg", "")), fields, line)
    return LogLine("", line, {}, line)


def free_port() -> int:
    """A loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def unprivileged_user() -> Optional[str]:
    """A user for services when root runs the tests; None when the tests run unprivileged already."""
    if os.geteuid() != 0:
        return None
    names = {account.pw_name: account for account in pwd.getpwall()}
    for name in ("nobody", "daemon", "bin"):
        if name in names and names[name].pw_uid != 0:
            return name
    return next(account.pw_name for account in names.values() if account.pw_uid != 0)


def _path_for(user: Optional[str]) -> str:
    """Another user cannot enter a Python that lies in root's home: leave it the system's directories."""
    own = os.environ.get("PATH", os.defpath)
    if user is None or os.geteuid() != 0:
        return os.pathsep.join([os.path.dirname(sys.executable), own])
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
