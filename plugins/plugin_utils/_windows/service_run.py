# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start or restart one NSSM service, and see that it stays up."""

from __future__ import annotations

import time
from typing import Any, Dict

from ...module_utils._core.errors import OperatorError
from . import winpath
from .cmd import command, shown
from .host import WindowsHost
from .nssm import NssmService, check_service_name, questions, remove_restarts, service_of
from .nssm_program import trusted_nssm

_POLL = 0.5


class ServiceRun:
    """Starts or restarts one service.

    :param nssm: path of nssm.exe on the host; empty: the service's own program, which is NSSM
    :param timeout: seconds until the service has to run
    """

    def __init__(self, host: WindowsHost, service: str, nssm: str = "", timeout: int = 60) -> None:
        check_service_name(service)
        self._host = host
        self._service = service
        self._nssm = winpath.check_wanted(nssm, "nssm") if nssm else ""
        self._timeout = timeout

    def ensure(self, restart: bool, check_mode: bool) -> Dict[str, Any]:
        """Start or restart the service, and wait until it runs.

        :returns: what the action returns
        :raises OperatorError: no such service, not one of NSSM, access denied, or it does not stay up
        """
        before = self._look()
        changed = restart or before.state != "RUNNING"
        after = before
        if changed:
            self._refuse_impossible(before)
            if not check_mode:
                after = self._go(before, restart)
        verb = "restart" if restart and before.running else "start"
        return {
            "changed": changed,
            "actions": [f"nssm {verb} {shown(self._service)}"] if changed else [],
            "state_before": before.state,
            "state": after.state,
            "pid": after.pid,
        }

    def _look(self) -> NssmService:
        return service_of(self._service, self._host.ask(questions(self._service)))

    def _refuse_impossible(self, service: NssmService) -> None:
        if not service.elevated:
            raise OperatorError(
                f"access denied: this account may not start or stop the service {self._service}",
                found="an account without administrator rights, or not elevated",
                remedy="connect as an account of the host's Administrators",
            )
        self._nssm = trusted_nssm(self._host, service, self._nssm)

    def _go(self, before: NssmService, restart: bool) -> NssmService:
        # PAUSED is NSSM's word for a program that has ended too often: it must be stopped before a start.
        verb = "restart" if before.running and (restart or before.state == "PAUSED") else "start"
        steps = [("go", command(self._nssm, verb, self._service)), ("record", remove_restarts(self._service))]
        printed = " ".join(self._host.ask(steps)["go"].split())
        deadline = time.monotonic() + self._timeout
        while True:
            service = self._look()
            if service.state == "RUNNING":
                return service
            if time.monotonic() >= deadline:
                raise OperatorError(
                    f"the service {self._service} does not run {self._timeout} s after nssm {verb}",
                    found=f"state {service.state or 'unknown'}; nssm printed: {printed[:500] or 'nothing'}",
                    wanted="state RUNNING",
                    remedy="PAUSED means that the program ends again and again. See the Application event log (source "
                    r"nssm) and logs\mattermost.log",
                )
            time.sleep(_POLL)
