# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `reg query`, `sc` and the event log say of a service.

Outputs of Windows in other languages are written after Microsoft's documentation, not recorded on a machine; those of
wine and of NSSM's event are what the real programs printed.
"""

from __future__ import annotations

from typing import Any, Dict

import pytest
from ansible_collections.plugops.mattermost.plugins.module_utils._core.errors import OperatorError
from ansible_collections.plugops.mattermost.plugins.plugin_utils._windows.app_directory import AppDirectory
from ansible_collections.plugops.mattermost.plugins.plugin_utils._windows.host import WindowsHost
from ansible_collections.plugops.mattermost.plugins.plugin_utils._windows.nssm import (
    check_service_name,
    last_start,
    questions,
    service_of,
)

KEY = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\mattermost"
SERVICE = f"""
{KEY}
    Type    REG_DWORD    0x10
    ImagePath    REG_EXPAND_SZ    C:\\nssm\\win64\\nssm.exe
    ObjectName    REG_SZ    NT AUTHORITY\\NetworkService
"""
RUNNING = """
SERVICE_NAME: mattermost
        TYP                : 10  WIN32_OWN_PROCESS
        STATUS             : 4  RUNNING
                                (STOPPABLE, PAUSABLE, ACCEPTS_SHUTDOWN)
        WIN32_BEENDIGUNGSC : 0  (0x0)
        WARTEHINWEIS       : 0x0
        PID                : 812
        FLAGS              :
"""
STOPPED = RUNNING.replace("4  RUNNING", "1  STOPPED").replace("812", "0")
EVENT = (
    "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='nssm'/>"
    "<EventID Qualifiers='16384'>1008</EventID></System><EventData><Data>c:\\mattermost\\bin\\mattermost.exe</Data>"
    "<Data></Data><Data>mattermost</Data><Data>c:\\R&amp;D\\mattermost</Data></EventData></Event>"
)


def value(name: str, data: str, kind: str = "REG_EXPAND_SZ") -> str:
    return f"\n{KEY}\\Parameters\n    {name}    {kind}    {data}\n\n"


def answers(**more: str) -> Dict[str, str]:
    return {
        "elevated": r"HKEY_USERS\S-1-5-19\Environment",
        "service": SERVICE,
        "application": value("Application", r"c:\mattermost\bin\mattermost.exe"),
        "directory": value("AppDirectory", r"c:\mattermost\bin"),
        "restart": "",
        "directories-restart": "",
        "state": RUNNING,
        "started": "",
        **more,
    }


def test_all_of_it() -> None:
    found = service_of("mattermost", answers(started=EVENT, restart=value("mattermost", "812", "REG_SZ")))
    assert (found.image, found.account) == (r"C:\nssm\win64\nssm.exe", r"NT AUTHORITY\NetworkService")
    assert (found.state, found.pid, found.running, found.elevated) == ("RUNNING", 812, True, True)
    assert found.directory == r"c:\mattermost\bin"
    assert found.running_directory == r"c:\R&D\mattermost"
    assert found.restart_is_pending


def test_a_record_of_another_process_is_an_old_one() -> None:
    assert not service_of("mattermost", answers(restart=value("mattermost", "811", "REG_SZ"))).restart_is_pending
    assert not service_of(
        "mattermost", answers(restart=value("mattermost", "0", "REG_SZ"), state=STOPPED)
    ).restart_is_pending
    assert service_of("mattermost", answers(restart=value("mattermost", "unknown", "REG_SZ"))).restart_is_pending


def test_no_value_and_an_empty_one() -> None:
    missing = "ERROR: The system was unable to find the specified registry key or value."
    assert service_of("mattermost", answers(directory=missing)).directory is None
    assert service_of("mattermost", answers(directory=value("AppDirectory", ""))).directory == ""


def test_the_event_of_another_service_or_one_that_was_not_written_in_full_says_nothing() -> None:
    for event in (EVENT.replace(">mattermost<", ">other<"), EVENT.replace("R&amp;D", "R?D"), "wevtutil: not found"):
        assert service_of("mattermost", answers(started=event)).running_directory == ""


def test_no_such_service() -> None:
    failed = "[SC] EnumQueryServicesStatus:OpenService FAILED 1060:\n\nThe specified service does not exist."
    with pytest.raises(OperatorError, match=r"the service mattermost does not exist.*sc query"):
        service_of("mattermost", answers(service="ERROR: unable to find", state=failed))


def test_a_service_that_may_not_be_looked_at() -> None:
    failed = "[SC] OpenService FEHLER 5".replace("FEHLER", "FAILED") + ":\n\nZugriff verweigert"
    with pytest.raises(OperatorError, match=r"access denied.*Administrators"):
        service_of("mattermost", answers(service="ERROR: Access is denied.", state=failed))


@pytest.mark.parametrize(
    "more", [{"application": "ERROR"}, {"service": SERVICE.replace("nssm.exe", "srvany.exe")}], ids=["none", "srvany"]
)
def test_a_service_of_somebody_else(more: Dict[str, str]) -> None:
    with pytest.raises(OperatorError, match="not managed by NSSM"):
        service_of("mattermost", answers(**more))


@pytest.mark.parametrize("name", ["", "a/b", "a\\b", 'a"b', "a\nb", "x" * 257])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(OperatorError, match="cannot be the name of a Windows service"):
        check_service_name(name)


def test_a_name_that_the_event_log_cannot_be_asked_for() -> None:
    assert "started" in dict(last_start("mattermost"))
    assert last_start("chat's") == []
    assert "started" not in dict(questions("mattermost"))


def resource(**more: Any) -> AppDirectory:
    host = WindowsHost(lambda line: {"stdout": ""}, "cmd", "win1")
    host.ask = lambda parts: {**answers(**more), "wanted": r'"c:\mattermost"', "exists": "yes"}  # type: ignore
    return AppDirectory(host, "mattermost", r"c:\mattermost")


RIGHT = value("AppDirectory", r"C:\Mattermost")


def reasons(**more: str) -> list[str]:
    made = resource(directory=RIGHT, **more)
    found = made.observe()
    assert len(made.compare(found)) == 0
    return made.pending(found).restart


def test_the_running_process_says_whether_a_restart_is_pending() -> None:
    here = EVENT.replace("c:\\R&amp;D\\mattermost", "C:\\MATTERMOST\\")
    recorded = value("mattermost", "812", "REG_SZ")
    assert reasons(started=here) == []
    assert reasons(started=here, restart=recorded) == []  # NSSM has started the program again by itself
    assert reasons(started=EVENT) == [
        r"mattermost (pid 812) runs in c:\R&D\mattermost, wanted c:\mattermost: restart it"
    ]
    assert reasons(restart=recorded) == [
        "mattermost (pid 812) was started before its AppDirectory was changed: restart it"
    ]
    assert reasons() == []
    assert reasons(started=EVENT, state=STOPPED) == []


def test_an_account_without_rights_is_refused_only_where_something_differs() -> None:
    assert reasons(elevated="ERROR: Access is denied.") == []
    with pytest.raises(OperatorError, match="access denied: this account may not change the service mattermost"):
        resource(elevated="ERROR: Access is denied.").observe()
