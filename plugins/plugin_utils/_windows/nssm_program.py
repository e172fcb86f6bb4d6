# Copyright (c) 2026, plugops contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nssm.exe an account with all rights may start: one that the service's own account cannot replace."""

from __future__ import annotations

import secrets
from typing import Dict

from ...module_utils._core.errors import OperatorError
from . import icacls, sddl, winpath
from .cmd import if_exists, literal
from .host import WindowsHost
from .nssm import NssmService, nssm_on_path
from .service_account import ServiceAccount, known_sid

_REMEDY = "set nssm to its path, or install NSSM 2.24 (nssm.cc) on the host"
# Write, append, delete, and give oneself these; in a directory also: put a library beside the program.
_REPLACE_FILE, _REPLACE_IN_PLACE = 0xD0006, 0xD0042
_SYSTEM = "S-1-5-18"
_USERS = "S-1-5-32-545"


def trusted_nssm(host: WindowsHost, service: NssmService, option: str, search_path: bool = False) -> str:
    """The path of NSSM: from the option, PATH, or the registry's ImagePath of the service.

    :raises OperatorError: there is none, its path is not a plain one, or the account of the service may replace it
    """
    program, where = option, "nssm"
    if not program and search_path:
        program, where = host.ask([("nssm", nssm_on_path())])["nssm"].strip('"'), "PATH"
    if not program:
        program, where = winpath.executable_of(service.image), f"ImagePath of the service {service.name}"
    program = winpath.check_program(program, where, _REMEDY)
    rights = icacls.Icacls(secrets.token_hex(8))
    directory = winpath.parent(program)
    answers = host.ask(
        [
            ("exists", if_exists(program, literal(program))),
            *rights.save("nssm-file", program),
            *rights.save("nssm-place", directory),
        ]
    )
    if not answers["exists"]:
        where = (
            f"looked in PATH, and for the service's own program {program}" if search_path and not option else program
        )
        raise OperatorError("there is no nssm.exe to manage the service with", where=where, remedy=_REMEDY)
    _refuse_replaceable(program, directory, service.account, answers)
    return program


def _refuse_replaceable(program: str, directory: str, name: str, answers: Dict[str, str]) -> None:
    account = ServiceAccount(name or "LocalSystem", known_sid(name) or "?")
    if account.sid == _SYSTEM:  # which may do everything anyway
        return
    identities = (*account.identities, _USERS)
    for path, part, mask in ((program, "nssm-file", _REPLACE_FILE), (directory, "nssm-place", _REPLACE_IN_PLACE)):
        found = list(icacls.saved(answers[part]).values())
        may = found[0].mask(identities) if len(found) == 1 else None
        if may is None or may & mask:
            raise OperatorError(
                "nssm.exe is not started with all rights, since the account of the service could replace it",
                where=path,
                found=f"rights of {account.name} there: {sddl.letters(may)}"
                if may is not None
                else f"icacls printed: {icacls.complaint(answers[f'{part}-output'])}",
                wanted="a file and a directory that only administrators can change",
                remedy=f'icacls "{directory}" /inheritance:r /grant:r "*S-1-5-18:(OI)(CI)F" "*S-1-5-32-544:(OI)(CI)F" '
                f'"*S-1-5-32-545:(OI)(CI)RX", and icacls "{program}" /reset; check first that it is the official one',
            )
