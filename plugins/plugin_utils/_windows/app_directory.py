# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resource "service" on Windows: the AppDirectory of one NSSM service, and nothing else of it."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from ...module_utils._core.difference import Tracker
from ...module_utils._core.errors import OperatorError
from ...module_utils._core.resource import Pending, Resource
from . import winpath
from .cmd import command, if_exists, literal, shown
from .host import WindowsHost
from .nssm import NssmService, check_service_name, last_start, questions, record_restart, service_of
from .nssm_program import trusted_nssm

DIFFERENCE = "service.AppDirectory"


class AppDirectory(Resource[NssmService]):
    """The directory that NSSM starts the program in is the wanted one.

    :param path: the wanted directory, variables allowed
    :param nssm: path of nssm.exe on the host; empty: PATH, then the service's own program
    :param must_exist: a directory that is missing is an error
    :raises OperatorError: a name or a path that cannot be one
    """

    name = "service"

    def __init__(self, host: WindowsHost, service: str, path: str, nssm: str = "", must_exist: bool = True) -> None:
        check_service_name(service)
        self._host = host
        self._service = service
        self._wanted = winpath.check_wanted(path, "path")
        self._nssm_option = winpath.check_wanted(nssm, "nssm") if nssm else ""
        self._must_exist = must_exist
        self._wanted_expanded = self._wanted
        self._found_expanded: Optional[str] = None
        self._nssm = ""

    def observe(self) -> NssmService:
        """The service. One round trip; more if the registry has variables, or something must be changed.

        :raises OperatorError: no such service, not one of NSSM, the directory is missing; a change is needed that this
            account may not make, or for which there is no NSSM that only administrators can replace
        """
        inside = "" if self._wanted.endswith("\\") else "\\"
        answers = self._host.ask(
            [
                ("wanted", f"echo {literal(self._wanted)}"),
                ("exists", if_exists(self._wanted + inside + "*")),
                *questions(self._service),
                *last_start(self._service),
            ]
        )
        service = service_of(self._service, answers)
        self._wanted_expanded = winpath.tidy(answers["wanted"])
        if self._must_exist and answers["exists"] != "yes":
            self._refuse_missing_directory()
        self._found_expanded = self._expanded(service.directory)
        if len(self.compare(service)):
            self._refuse_impossible_change(service)
        return service

    def compare(self, found: NssmService) -> Tracker:
        tracker = Tracker()
        if self._found_expanded is None or not winpath.same(self._found_expanded, self._wanted_expanded):
            action = f"nssm set {shown(found.name)} AppDirectory {shown(self._wanted)}"
            tracker.add(DIFFERENCE, found.directory, self._wanted, action)
        return tracker

    def apply(self, found: NssmService, differences: Tracker) -> None:
        """Let NSSM set the directory.

        :raises OperatorError: NSSM did not do it
        """
        # The record first: an interrupted run must not leave a process that nobody restarts.
        record = [("record", record_restart(found))] if found.running else []
        answers = self._host.ask(
            [
                *record,
                ("set", command(self._nssm, "set", found.name, "AppDirectory", self._wanted)),
                *questions(found.name),
            ]
        )
        left = self._literally(service_of(found.name, answers).directory)
        if left is None or not winpath.same(left, self._wanted):
            raise OperatorError(
                "nssm did not set AppDirectory",
                where=self._nssm,
                found=" ".join(answers["set"].split()) or "no output",
                wanted=self._wanted,
                remedy="run the command on the host to see more: " + next(iter(differences)).action,
            )

    def pending(self, found: NssmService) -> Pending:
        if not found.running:
            return Pending()
        pid = f" (pid {found.pid})" if found.pid else ""
        if found.running_directory:
            if winpath.same(found.running_directory, self._wanted_expanded):
                return Pending()
            reason = f"{found.name}{pid} runs in {found.running_directory}, wanted {self._wanted_expanded}: restart it"
        elif found.restart_is_pending:
            reason = f"{found.name}{pid} was started before its AppDirectory was changed: restart it"
        else:
            return Pending()
        return Pending(restart=[reason])

    def restart_reasons(self, found: NssmService, differences: Tracker) -> List[str]:
        # Only for what :meth:`pending` cannot know before the change.
        if not found.running or self.pending(found).restart:
            return []
        return [f"{found.name} was started before its AppDirectory was changed: restart it"]

    def require_restart(self, reason: str) -> None:
        """Nothing: :meth:`apply` records it, in the same round trip."""

    def facts(self, found: NssmService) -> Dict[str, Any]:
        return {
            "name": found.name,
            "state": found.state,
            "pid": found.pid,
            "account": found.account,
            "image": found.image,
            "application": found.application,
            "app_directory": found.directory,
            "running_directory": found.running_directory,
        }

    def _literally(self, directory: Optional[str]) -> Optional[str]:
        return None if directory is None else winpath.tidy(directory)

    def _expanded(self, directory: Optional[str]) -> Optional[str]:
        """The registry's value with its variables replaced by the host's."""
        text = self._literally(directory)
        if text is None or not winpath.variables_in(text):
            return text
        if winpath.same(text, self._wanted):
            return self._wanted_expanded
        try:
            winpath.check_wanted(text, "AppDirectory")
        except OperatorError:  # no path: different from every path
            return None
        return winpath.tidy(self._host.ask([("found", f"echo {literal(text)}")])["found"])

    def _refuse_missing_directory(self) -> None:
        hint = ""
        if winpath.is_on_network(self._wanted_expanded):
            hint = "; a share may be closed to the connection's account and open to the service's: must_exist: false"
        raise OperatorError(
            "the directory that the service must run in does not exist",
            where=self._wanted_expanded,
            remedy=f"correct path, or install Mattermost there first{hint}",
        )

    def _refuse_impossible_change(self, service: NssmService) -> None:
        if not service.elevated:
            raise OperatorError(
                f"access denied: this account may not change the service {service.name}",
                found="an account without administrator rights, or not elevated",
                remedy="connect as an account of the host's Administrators (over ssh and WinRM these are elevated)",
            )
        self._nssm = trusted_nssm(self._host, service, self._nssm_option, search_path=True)
