# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE: may change between minor releases without notice.
"""A Windows host behind whatever connection Ansible has to it: ssh with cmd.exe or PowerShell, WinRM, PSRP."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Tuple

from ..module_utils._errors import OperatorError
from ._cmd import from_powershell, read_sections, sections, through_powershell

Run = Callable[[str], Dict[str, Any]]
_SHELLS = "ansible_shell_type: cmd or powershell, or a connection that is for Windows alone (winrm, psrp)"


class WindowsHost:
    """Runs lines of cmd.exe.

    :param run: gives a command to the host's shell: ActionBase._low_level_execute_command
    :param shell: family of that shell by Ansible's name, ``cmd`` or ``powershell``
    :param name: of the host, for messages
    """

    def __init__(self, run: Run, shell: str, name: str) -> None:
        if shell not in ("cmd", "powershell"):
            raise OperatorError(
                "not a Windows host, by what the inventory says",
                where=name,
                found=f"a shell of the family {shell}",
                wanted=_SHELLS,
                remedy="set it for this host, or take the host out of this play",
            )
        self._run = run
        self._shell = shell
        self._name = name
        self.round_trips = 0

    def ask(self, parts: List[Tuple[str, str]]) -> Dict[str, str]:
        """Do several things in one round trip.

        :param parts: name -> line of cmd.exe
        :returns: name -> what it printed
        :raises OperatorError: no Windows, or another shell than the inventory says
        """
        line = sections([("os", "echo %OS%"), *parts])
        output, raw = self._answer(line)
        found = read_sections(output)
        if found.pop("os", "") != "Windows_NT":
            raise OperatorError(
                "the host does not answer as cmd.exe on Windows does",
                where=self._name,
                found=_shortened(raw),
                wanted=f"a Windows host, with the shell that ansible_shell_type names (now {self._shell})",
                remedy="set ansible_shell_type to the default shell of the host's OpenSSH server; "
                "if the host is no Windows, take it out of this play",
            )
        return found

    def _answer(self, line: str) -> Tuple[bytes, str]:
        """The bytes that the line printed, and for a complaint what came instead."""
        self.round_trips += 1
        if self._shell == "cmd":
            done = self._run(line)
            output = done["stdout"].encode("utf-8", "surrogateescape")
        else:
            done = self._run(through_powershell(line))
            output = from_powershell(done["stdout"])
        return output, (done.get("stderr") or "").strip() or done["stdout"].strip()


def host_of(action: Any, name: str) -> WindowsHost:
    """The host that an action plugin is for."""
    connection = action._connection

    def run(command: str) -> Dict[str, Any]:
        # No become: what has to be done needs an account with the rights, as every service tool of Windows does.
        return dict(action._low_level_execute_command(command, sudoable=False, encoding_errors="surrogateescape"))

    return WindowsHost(run, getattr(connection._shell, "SHELL_FAMILY", "unknown"), name)


def _shortened(text: str) -> str:
    text = " ".join(text.encode("utf-8", "replace").decode().split())
    return repr(text if len(text) <= 200 else text[:200] + "...") if text else "no answer"
