# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One service of a Windows host and what NSSM keeps of it, read from the registry and the service manager."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

from ...module_utils._core.errors import OperatorError
from . import winpath
from .cmd import command

# NSSM's own record of a start: program, arguments, service, directory.
_STARTED = 1008
_RECORDS = r"HKLM\SOFTWARE\plugops\mattermost"
_DIRECTORIES = r"\directories"  # a backslash is in no service's name
_STATES = "STOPPED|START_PENDING|STOP_PENDING|RUNNING|CONTINUE_PENDING|PAUSE_PENDING|PAUSED"
_STATE = re.compile(rf":[ \t]{{0,20}}\d{{1,3}}[ \t]{{1,20}}({_STATES})\b")
_PID = re.compile(r"^[ \t]{0,20}PID[ \t]{0,40}:[ \t]{0,20}(\d{1,10})[ \t]*$", re.MULTILINE)
_ELEVATED = re.compile(r"^HKEY_USERS\\S-1-5-19\\", re.MULTILINE | re.IGNORECASE)
_VALUE = re.compile(r"[ \t]+REG_[A-Z_]{1,40}(?:    (.*)|[ \t]*)")
_DATA = re.compile(r"<Data(?: ?/>|>([^<]{0,33000})</Data>)")
_NOT_IN_A_NAME = re.compile(r'[\x00-\x1f/\\"]')
_WRAPPERS_LIKE_NSSM = ("srvany.exe",)  # keeps an Application below Parameters, too
_ACCESS_DENIED = "5"
# Of one answer: what the registry and the service manager have of one service is a few KB.
_LONGEST_ANSWER = 1 << 20
_LONGEST_EVENT = 1 << 17


@dataclass(frozen=True)
class NssmService:
    """What was found.

    :param image: ImagePath, as written
    :param account: that the service runs as; empty if the service manager does not tell
    :param directory: AppDirectory as written, None if it is not set and NSSM uses the program's own
    :param state: RUNNING, STOPPED ... by the service manager's names
    :param pid: of nssm.exe, 0 where it does not run or that is not known
    :param running_directory: where NSSM last started the program, from its own record; empty if that is gone. Any
        service can forge the record: it decides about a restart of this one and nothing else
    :param restart_recorded: the pid that a restart was recorded for, ``unknown``, or empty
    :param directories_restart_recorded: likewise, for a change of the plugin directories
    :param elevated: whether the connection's account may change services
    """

    name: str
    image: str
    account: str
    application: str
    directory: Optional[str]
    state: str
    pid: int
    running_directory: str
    restart_recorded: str
    directories_restart_recorded: str
    elevated: bool

    @property
    def running(self) -> bool:
        """Whether it has a process, or is about to."""
        return self.state not in ("", "STOPPED")

    @property
    def restart_is_pending(self) -> bool:
        """Whether a restart is recorded for the process that runs now."""
        return self._is_of_this_process(self.restart_recorded)

    @property
    def directories_restart_is_pending(self) -> bool:
        """Likewise, for a change of the plugin directories."""
        return self._is_of_this_process(self.directories_restart_recorded)

    def _is_of_this_process(self, pid: str) -> bool:
        return self.running and pid in (str(self.pid), "unknown")


def check_service_name(name: str) -> None:
    """Refuse what cannot be the name of a service."""
    if not name or _NOT_IN_A_NAME.search(name) or len(name) > 256:
        raise OperatorError(
            "this cannot be the name of a Windows service",
            found=repr(name),
            wanted="the name (not the display name), as sc query shows it after SERVICE_NAME",
            remedy="correct service",
        )


def questions(name: str) -> List[Tuple[str, str]]:
    """The lines whose output :func:`service_of` reads, for :meth:`WindowsHost.ask`."""
    key = rf"HKLM\SYSTEM\CurrentControlSet\Services\{name}"
    return [
        ("elevated", command("reg", "query", r"HKU\S-1-5-19")),  # for administrators alone
        ("service", command("reg", "query", key)),
        ("application", command("reg", "query", rf"{key}\Parameters", "/v", "Application")),
        ("directory", command("reg", "query", rf"{key}\Parameters", "/v", "AppDirectory")),
        ("restart", command("reg", "query", _RECORDS, "/v", name)),
        ("directories-restart", command("reg", "query", _RECORDS, "/v", name + _DIRECTORIES)),
        # Only the first one shows the pid, and not every system has it.
        ("state", command("sc", "queryex", name) + "& " + command("sc", "query", name)),
    ]


def last_start(name: str) -> List[Tuple[str, str]]:
    """What NSSM has last recorded of a start. Goes last: any service may write such a record.

    :returns: nothing where the query language cannot quote the name
    """
    if "'" in name:
        return []
    query = f"*[System[Provider[@Name='nssm'] and (EventID={_STARTED})] and EventData[Data='{name}']]"
    return [("started", command("wevtutil", "qe", "Application", "/rd:true", "/c:1", "/f:xml", f"/q:{query}"))]


def service_of(name: str, answers: Dict[str, str]) -> NssmService:
    """The service, from the answers to :func:`questions`.

    :raises OperatorError: no such service, not one that may be read, or not one of NSSM
    """
    image = _value(answers["service"], "ImagePath") or ""
    state = _STATE.search(answers["state"])
    if not image:
        _refuse_missing(name, answers)
    application = _value(answers["application"], "Application")
    program = winpath.base_name(winpath.executable_of(image))
    if application is None or program.lower() in _WRAPPERS_LIKE_NSSM:
        raise OperatorError(
            f"the service {name} is not managed by NSSM, it has no AppDirectory",
            where="ImagePath",
            found=image,
            wanted="a service that `nssm install` has made",
            remedy="name another service; or give this one to NSSM: nssm install <name> <program>",
        )
    pid = _PID.search(answers["state"])
    return NssmService(
        name=name,
        image=image,
        account=_value(answers["service"], "ObjectName") or "",
        application=application,
        directory=_value(answers["directory"], "AppDirectory"),
        state=state[1] if state else "",
        pid=int(pid[1]) if pid else 0,
        running_directory=_directory_of_start(answers.get("started", ""), name),
        restart_recorded=_value(answers["restart"], name) or "",
        directories_restart_recorded=_value(answers["directories-restart"], name + _DIRECTORIES) or "",
        elevated=_ELEVATED.search(answers["elevated"]) is not None,
    )


def record_restart(service: NssmService) -> str:
    """A line that records that the process that runs now needs a restart."""
    return _record(service, service.name)


def record_directories_restart(service: NssmService) -> str:
    """Likewise, for a change of the plugin directories."""
    return _record(service, service.name + _DIRECTORIES)


def remove_restarts(name: str) -> str:
    """A line that removes both records."""
    return "& ".join(command("reg", "delete", _RECORDS, "/v", value, "/f") for value in (name, name + _DIRECTORIES))


def nssm_on_path() -> str:
    """A line that prints where PATH has NSSM. In a call of its own: its percent signs must not meet others."""
    return '(for %i in (nssm.exe) do @echo "%~$PATH:i")'


def _record(service: NssmService, value: str) -> str:
    pid = str(service.pid) if service.pid else "unknown"
    return command("reg", "add", _RECORDS, "/v", value, "/d", pid, "/f")


def _refuse_missing(name: str, answers: Dict[str, str]) -> None:
    failed = re.search(r"\bFAILED (\d+)", answers["state"])
    if answers["state"] and failed and failed[1] == _ACCESS_DENIED:
        raise OperatorError(
            f"access denied: this account may not look at the service {name}",
            found=answers["state"].splitlines()[0],
            remedy="connect as an account of the host's Administrators",
        )
    raise OperatorError(
        f"the service {name} does not exist",
        found=answers["service"].splitlines()[0] if answers["service"] else "nothing of this name in the registry",
        remedy="set service to the service's name (not the display name); sc query state= all lists them",
    )


def _value(answer: str, name: str) -> Optional[str]:
    """The data of a value in the output of ``reg query``: one line, indented, below the line of its key."""
    in_key = False
    for line in answer[:_LONGEST_ANSWER].split("\n"):
        if line.startswith("HKEY_"):
            in_key = True
        elif in_key and line[:1] in (" ", "\t") and line.strip()[: len(name)].lower() == name.lower():
            match = _VALUE.fullmatch(line.strip()[len(name) :])
            if match is not None:
                return (match[1] or "").strip()
    return None


def _directory_of_start(answer: str, name: str) -> str:
    """The directory in a record of NSSM; anybody may have written it, so only a plain path counts, for reports."""
    if len(answer) > _LONGEST_EVENT:
        return ""
    texts = [html.unescape(match[1] or "") for match in _DATA.finditer(answer)]
    if len(texts) != 4 or texts[2].lower() != name.lower() or {"?", "\ufffd"} & set(texts[3]):
        return ""
    try:
        winpath.check_wanted(texts[3], "directory", may_have_variables=False)
    except OperatorError:
        return ""
    return texts[3]
