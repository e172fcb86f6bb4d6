# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real sshd on loopback: own configuration, own port, own keys; what it is told it gives to one program."""

from __future__ import annotations

import getpass
import shlex
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Optional

from .requirements import program

_TIMEOUT = 20.0


class Sshd:
    """One server.

    :param directory: for its files; made
    :param command: what it starts for each command of a client, which it finds in SSH_ORIGINAL_COMMAND
    """

    def __init__(self, directory: Path, command: list[str]) -> None:
        self._directory = directory
        self._command = command
        self._child: Optional[subprocess.Popen[bytes]] = None
        self.port = 0

    def start(self) -> None:
        self._directory.mkdir(mode=0o700)
        for name in ("host", "user"):
            subprocess.run(
                [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(self._directory / name)], check=True
            )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        (self._directory / "sshd_config").write_text(self._configuration(), encoding="utf-8")
        key = (self._directory / "host.pub").read_text(encoding="ascii")
        (self._directory / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {key}", encoding="ascii")
        with open(self._directory / "sshd.log", "wb") as log:
            self._child = subprocess.Popen(
                [program("sshd"), "-D", "-e", "-f", str(self._directory / "sshd_config")],
                stdin=subprocess.DEVNULL,
                stderr=log,
            )
        deadline = time.monotonic() + _TIMEOUT
        while not self._answers():
            said = (self._directory / "sshd.log").read_text(encoding="utf-8", errors="replace")
            assert self._child.poll() is None, f"sshd has ended: {said}"
            assert time.monotonic() < deadline, f"sshd does not answer: {said}"
            time.sleep(0.01)

    def stop(self) -> None:
        for control in (self._directory / "control").glob("*"):  # connections that Ansible keeps open
            subprocess.run(
                [program("ssh"), "-F", "/dev/null", "-O", "exit", "-o", f"ControlPath={control}", "closing"],
                check=False,
                stderr=subprocess.DEVNULL,
            )
        if self._child is not None:
            self._child.terminate()
            self._child.wait(_TIMEOUT)
            self._child = None

    def variables(self) -> dict[str, Any]:
        """How Ansible reaches it."""
        options = {
            "UserKnownHostsFile": str(self._directory / "known_hosts"),
            "GlobalKnownHostsFile": "/dev/null",
            "StrictHostKeyChecking": "yes",
            "IdentitiesOnly": "yes",
        }
        given = " ".join(f"-o {shlex.quote(f'{name}={value}')}" for name, value in options.items())
        return {
            "ansible_connection": "ssh",
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": getpass.getuser(),
            "ansible_ssh_private_key_file": str(self._directory / "user"),
            "ansible_ssh_common_args": f"-F /dev/null {given}",
            "ansible_control_path_dir": str(self._directory / "control"),
        }

    def _configuration(self) -> str:
        return f"""\
ListenAddress 127.0.0.1
Port {self.port}
HostKey "{self._directory}/host"
AuthorizedKeysFile "{self._directory}/user.pub"
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
AllowTcpForwarding no
ForceCommand {shlex.join(self._command)}
"""

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False
