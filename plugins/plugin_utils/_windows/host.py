# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Windows host behind any connection of Ansible's: ssh with cmd.exe or PowerShell, WinRM, PSRP."""

from __future__ import annotations

import secrets
from typing import Any, Callable, Dict, List, NoReturn, Tuple

from ...module_utils._core.errors import OperatorError
from .cmd import BadAnswer, from_powershell, read_sections, sections, through_powershell
from .time import TimeUp, time_limit

Run = Callable[[str], Dict[str, Any]]
# More than the names and rights of ten thousand entries; beyond it, somebody fills the directories.
_MOST_BYTES = 8 << 20
# cmd.exe takes 8191 characters, and WinRM gives PowerShell's command line to a cmd.exe; variables still grow.
_LONGEST_LINE = 7500
_DEADLINE = 300.0  # seconds for one round trip
_SHELLS = "ansible_shell_type: cmd or powershell, or a connection that is for Windows alone (winrm, psrp)"


class WindowsHost:
    """Runs lines of cmd.exe.

    :param run: gives a command to the host's shell: ActionBase._low_level_execute_command
    :param shell: family of that shell by Ansible's name, ``cmd`` or ``powershell``
    :param name: of the host, for messages
    :param deadline: seconds for one round trip
    """

    def __init__(self, run: Run, shell: str, name: str, deadline: float = _DEADLINE) -> None:
        if shell not in ("cmd", "powershell"):
            raise OperatorError(
                "not a Windows host, according to the inventory",
                where=name,
                found=f"a shell of the family {shell}",
                wanted=_SHELLS,
                remedy="set it for this host, or take the host out of this play",
            )
        self._run = run
        self._shell = shell
        self._name = name
        self._deadline = deadline
        self.round_trips = 0

    def ask(self, parts: List[Tuple[str, str]]) -> Dict[str, str]:
        """Run several lines in one round trip.

        :param parts: name -> line of cmd.exe; output that strangers can influence goes last
        :returns: name -> what it printed
        :raises OperatorError: no Windows, another shell than in the inventory, or an answer that may be forged
        """
        mark = secrets.token_hex(8)
        lines = [("os", "echo %OS%"), *parts]
        output, raw = self._answer(sections(lines, mark))
        if len(output) > _MOST_BYTES:
            self._refuse(f"{len(output)} bytes", f"at most {_MOST_BYTES}")
        try:
            found = read_sections(output, mark, [name for name, _line in lines])
        except BadAnswer as error:
            self._refuse(str(error), "each part once, in the order of the request")
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

    def ask_in_turns(self, parts: List[Tuple[str, str]]) -> Dict[str, str]:
        """The same in as many round trips as the longest line of cmd.exe makes necessary, in the order of the parts."""
        found: Dict[str, str] = {}
        turn: List[Tuple[str, str]] = []
        for part in parts:
            if turn and not self._fits([*turn, part]):
                found.update(self.ask(turn))
                turn = []
            turn.append(part)
        if turn:
            found.update(self.ask(turn))
        return found

    def _fits(self, parts: List[Tuple[str, str]]) -> bool:
        line = sections([("os", "echo %OS%"), *parts], secrets.token_hex(8))
        packed = through_powershell(line) if self._shell == "powershell" else ""
        return max(len(line), len(packed)) <= _LONGEST_LINE

    def _refuse(self, found: str, wanted: str) -> NoReturn:
        raise OperatorError(
            "the answer of the host does not fit the request, so nothing of it is used",
            where=self._name,
            found=found,
            wanted=wanted,
            remedy="run it again; if it fails again, find out what fills its plugin directories and event log",
        )

    def _answer(self, line: str) -> Tuple[bytes, str]:
        """The bytes that the line printed, and for an error message what came instead."""
        self.round_trips += 1
        if self._shell == "cmd":
            done = self._run_in_time(line)
            output = done["stdout"].encode("utf-8", "surrogateescape")
        else:
            done = self._run_in_time(through_powershell(line))
            output = from_powershell(done["stdout"])
        return output, (done.get("stderr") or "").strip() or done["stdout"].strip()

    def _run_in_time(self, command: str) -> Dict[str, Any]:
        """Run a command with a deadline: one that waits forever for a locked file must not stop the play."""
        try:
            with time_limit(self._deadline):
                return self._run(command)
        except TimeUp:
            raise OperatorError(
                f"the host did not answer within {self._deadline:.0f} s",
                where=self._name,
                remedy="find out what keeps it busy: a program that holds files of the plugin directories open, or a "
                "share that does not answer",
            ) from None


def host_of(action: Any, name: str) -> WindowsHost:
    """The host that an action plugin is for."""
    connection = action._connection

    def run(command: str) -> Dict[str, Any]:
        # No become: the connection's account needs the rights, as for every service tool of Windows.
        return dict(action._low_level_execute_command(command, sudoable=False, encoding_errors="surrogateescape"))

    return WindowsHost(run, getattr(connection._shell, "SHELL_FAMILY", "unknown"), name)


def _shortened(text: str) -> str:
    text = " ".join(text.encode("utf-8", "replace").decode().split())
    return repr(text if len(text) <= 200 else text[:200] + "...") if text else "no answer"
