# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option of the modules for Windows at work: what is done before, and the arguments that must make a change."""

from __future__ import annotations

from typing import Any, Dict, NamedTuple

from plugops_tests.windows.machine import INSTALL_DIR, MATTERMOST, NSSM, ODD, ODD_DIR


class Case(NamedTuple):
    """
    :param before: a line of cmd.exe that is run on the machine first
    :param arguments: what the module gets
    :param again: whether a second run changes something, too
    """

    before: str
    arguments: Dict[str, Any]
    again: bool = False


def _wrong(service: str, directory: str = r"C:\windows") -> str:
    escaped = "".join(f"^{letter}" if letter in '^()%!"<>&|' else letter for letter in f'"{service}"')
    return f"{NSSM} set {escaped} AppDirectory {directory}"


def set_account(service: str, account: str) -> str:
    key = rf"HKLM\SYSTEM\CurrentControlSet\Services\{service}"
    escaped = "".join(f"^{letter}" if letter in '^()%!"<>&|' else letter for letter in f'"{key}"')
    return f'reg add {escaped} /v ObjectName /d "{account}" /f'


CASES: Dict[str, Dict[str, Case]] = {
    "nssm_app_directory": {
        "path": Case(_wrong(MATTERMOST), {"path": INSTALL_DIR}),
        "service": Case(_wrong(ODD), {"service": ODD, "path": ODD_DIR}),
        "nssm": Case(_wrong(MATTERMOST), {"path": INSTALL_DIR, "nssm": NSSM.upper()}),
        "must_exist": Case(_wrong(MATTERMOST), {"path": r"%ProgramFiles%\to come (100%)", "must_exist": False}),
    },
    "windows_plugin_directories": {
        "service": Case(set_account(ODD, r"NT AUTHORITY\NetworkService"), {"service": ODD, "path": ODD_DIR}),
        "path": Case(rf"rmdir /s /q {INSTALL_DIR}\plugins", {"path": INSTALL_DIR}),
        "directory": Case("ver", {"path": INSTALL_DIR, "directory": r".\more\plugins"}),
        "client_directory": Case("ver", {"path": INSTALL_DIR, "client_directory": r"%SystemDrive%\web parts & more"}),
    },
    "nssm_service": {
        "service": Case(f"{NSSM} stop mattermost", {"service": MATTERMOST}),
        "state=started": Case(f"{NSSM} stop mattermost", {"state": "started"}),
        "state=restarted": Case("ver", {"state": "restarted"}, again=True),
        "nssm": Case(f"{NSSM} stop mattermost", {"nssm": NSSM}),
        "timeout": Case(f"{NSSM} stop mattermost", {"timeout": 60}),
    },
}
